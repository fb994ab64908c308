"""Named points at which a lab process can be told to die, to prove that dying there loses nothing."""

from __future__ import annotations

import os
import signal

_armed: str | None = None
_countdown = 0


def arm(profile: str) -> None:
    """Reads CRMHUB_FAILPOINT (`name` or `name:nth`) when the profile is lab; production ignores it."""
    global _armed, _countdown
    setting = os.environ.get("CRMHUB_FAILPOINT") if profile == "lab" else None
    name, _, nth = (setting or "").partition(":")
    _armed = name or None
    _countdown = int(nth or 1)


def hit(name: str) -> None:
    """Kills the process without any clean-up when the named point is armed and its count is reached."""
    global _countdown
    if _armed != name:
        return
    _countdown -= 1
    if _countdown <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
