"""Asks a person for what must not be an argument: passwords and codes, not shown, or one a line from standard input."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path

from hub.access import door, steps
from hub.access.passwords import PasswordRefused
from hub.access.threshold import Opened, Threshold
from hub.cli.desk import Desk
from hub.kernel.errors import Declined
from hub.store.sessions import ENROL, FULL, RENEW, TOTP

_LONGEST = 1024
TRIES = 5


class NothingGiven(Declined):
    """Is raised where standard input ends before everything was asked; asking again would find no more."""


def ask(desk: Desk, en: str, zh: str) -> str:
    """Returns what a person types, or the next line of standard input. Raises NothingGiven where there is none."""
    if sys.stdin.isatty():
        try:
            return getpass.getpass(desk.word(en, zh), sys.stderr)
        except EOFError:
            return ""
    line = sys.stdin.readline(_LONGEST)
    if not line:
        raise NothingGiven(f"nothing was given for: {en.strip(': ')}", f"未提供：{zh.strip('： ')}")
    return line.rstrip("\n")


def tell(desk: Desk, en: str, zh: str) -> None:
    """Says something beside the answer."""
    print(desk.word(en, zh), file=sys.stderr, flush=True)


class Walk:
    """Takes a person through whatever a sign-in still asks for.

    `codes` are new recovery codes, `renewed` says that a password was set on the way.
    """

    def __init__(self, desk: Desk, at: Threshold) -> None:
        self._desk, self._at = desk, at
        self.codes: tuple[str, ...] = ()
        self.renewed = False

    def sign_in(self, login: str) -> Opened:
        """Returns a complete session. Raises SignInRefused, TooSoon, PasswordRefused, Declined."""
        password = ask(self._desk, "password or one-time code (not shown): ", "口令或一次性口令（不显示）：")
        opened = door.sign_in(self._at, login, password)
        ways: dict[str, Callable[[str], Opened]] = {TOTP: self._code, RENEW: self._renew, ENROL: self._enrol}
        while opened.session.stage != FULL:
            opened = ways[opened.session.stage](opened.token)
        return opened

    def new_password(self) -> str:
        """Asks for a new password twice. Raises Declined where the two differ."""
        first = ask(self._desk, "new password (not shown): ", "新口令（不显示）：")
        if first != ask(self._desk, "once more: ", "再次输入："):
            raise Declined("the two passwords differ; nothing was changed", "两次输入不一致；未作更改")
        return first

    def _code(self, token: str) -> Opened:
        return steps.give_code(self._at, token, ask(self._desk, "code of your app: ", "动态验证码："))

    def _renew(self, token: str) -> Opened:
        """Asks until the policy takes a password: the one-time code that led here is spent."""
        for _ in range(TRIES - 1):
            try:
                opened = steps.renew(self._at, token, self.new_password())
            except NothingGiven:
                raise
            except (PasswordRefused, Declined) as refused:
                tell(self._desk, refused.en, refused.zh)
            else:
                self.renewed = True
                return opened
        self.renewed = True
        return steps.renew(self._at, token, self.new_password())

    def _enrol(self, token: str) -> Opened:
        made = steps.enrol(self._at, token)
        tell(
            self._desk,
            f"enter this into your authenticator app, it is shown once:\n  {made.secret}\n  {made.uri}",
            f"请将以下密钥录入动态验证码应用，仅显示一次：\n  {made.secret}\n  {made.uri}",
        )
        opened, self.codes = steps.confirm(self._at, token, ask(self._desk, "its first code: ", "首个验证码："))
        return opened


def keep_secret(path: Path, text: str) -> None:
    """Writes a secret into a new file that only its owner can read. Raises Declined where it cannot be made."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as failed:
        why = failed.strerror or type(failed).__name__
        raise Declined(
            f"{path} cannot be written: {why}; name a file that is not there yet",
            f"无法写入 {path}：{why}；请指定尚不存在的文件",
        ) from None
    with os.fdopen(descriptor, "w") as out:
        out.write(text + "\n")
