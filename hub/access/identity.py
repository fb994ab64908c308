"""Turns where a process runs into an Actor: the hub itself, or the account of the machine; and finds its token."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from hub.access import actor as actors
from hub.access.actor import Actor
from hub.access.authorize import SignInRequired
from hub.store import users
from hub.store.database import Connection

TOKEN, TOKEN_FILE = "CRMHUB_TOKEN", "CRMHUB_TOKEN_FILE"
MARKER = "users-set-up"
"""Stands in the hub's own folder once users are set up, so that emptying their table gives nobody anything."""


def identify(conn: Connection, *, account: str, marker: Path, daemon: bool) -> Actor:
    """Returns who acts without a token: the hub itself, or the account of the machine.

    The latter may do everything until users are set up, and nothing ever again after that.
    """
    if daemon:
        return actors.system("daemon")
    return actors.local(account, open=not (users.set_up(conn) or marker.exists()))


def token_of(environ: Mapping[str, str]) -> str | None:
    """Returns the token of a shell: CRMHUB_TOKEN, else what stands in the file that CRMHUB_TOKEN_FILE names.

    Raises SignInRequired for a file that others may read, or that is none of ours.
    """
    if environ.get(TOKEN):
        return environ[TOKEN].strip()
    named = environ.get(TOKEN_FILE)
    if not named:
        return None
    try:
        with open(os.open(named, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), encoding="ascii") as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.getuid() or stat.S_IMODE(seen.st_mode) & 0o077:
                raise SignInRequired(
                    f"{TOKEN_FILE} must name a plain file of your own with mode 0600",
                    f"{TOKEN_FILE} 须为本人所有、权限 0600 的普通文件",
                )
            return file.read(4096).strip() or None
    except (OSError, UnicodeDecodeError):
        raise SignInRequired(
            f"the file that {TOKEN_FILE} names cannot be read", f"无法读取 {TOKEN_FILE} 指定的文件"
        ) from None
