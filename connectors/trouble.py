"""What went wrong with the last sign-in, kept for all threads, processes and hosts, so that nobody asks in vain.

THROTTLED  the vendor said so, or would: nobody asks until the pause is over.
SILENT     an outage: the pause doubles with each failure at the same hosts, up to ten minutes.
FAILED     refused, or answered in no usable way: the next one to come asks anew.

Whoever waited for the very answer that failed takes it as its own and does not ask again. A used-up day is no trouble
of the sign-in and is not kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from connectors.base import ConnectorContext
from connectors.errors import (
    AuthRejected,
    ConnectorError,
    DiskUnusable,
    ProtocolViolation,
    QuotaExhausted,
    RateLimited,
    RetryLater,
    SettingsInvalid,
)

NAME = "sign_in_trouble"
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 600.0
_PLAIN: dict[str, type[ConnectorError]] = {kind.code: kind for kind in (RetryLater, ProtocolViolation, SettingsInvalid)}


@dataclass(frozen=True, slots=True)
class _Note:
    """Is what is kept: times in epoch seconds, `bound_to` names the credentials that were tried, no secret."""

    kind: str
    at: float
    bound_to: str
    until: float = 0.0
    count: int = 1
    code: str = ""
    en: str = ""
    zh: str = ""
    missing: str = ""


class Trouble:
    """Reads and keeps the note; call it under the sign-in lock.

    `throttled` makes the error of a pause that has so many seconds left.
    """

    def __init__(self, throttled: Callable[[float], ConnectorError], context: ConnectorContext) -> None:
        self._throttled, self._context = throttled, context

    def check(self, bound_to: str, asked_at: float) -> None:
        """Raises what still holds for who came at `asked_at` with these credentials."""
        note = self._read()
        if note is None:
            return
        # A clock that was set back must not extend a pause.
        left = min(note.until - self._context.clock.now(), max(note.until - note.at, 0.0))
        same = note.bound_to == bound_to
        waited = same and note.at > asked_at
        if note.kind == "throttled":
            if left > 0:
                raise self._throttled(left)
        elif waited or (note.kind == "silent" and same and left > 0):
            raise self._again(note)

    def keep(self, error: ConnectorError, bound_to: str) -> None:
        """Keeps a failed sign-in."""
        if isinstance(error, QuotaExhausted | DiskUnusable):
            return
        now = self._context.clock.now()
        if isinstance(error, RateLimited):
            self._write(_Note("throttled", now, bound_to, now + error.after))
            return
        missing = error.missing if isinstance(error, AuthRejected) else ""
        said = {"code": error.code, "en": error.en, "zh": error.zh, "missing": missing}
        if not isinstance(error, RetryLater):
            self._write(_Note("failed", now, bound_to, 0.0, 1, **said))
            return
        before = self._read()
        again = before is not None and before.kind == "silent" and before.bound_to == bound_to
        count = before.count + 1 if before is not None and again else 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(count - 2, 10)) if count > 1 else 0.0
        self._write(_Note("silent", now, bound_to, now + pause, count, **said))

    def clear(self) -> None:
        """Forgets it after a sign-in that worked."""
        if self._read() is not None:
            self._context.tokens.put(NAME, b"")

    def _again(self, note: _Note) -> ConnectorError:
        if note.code in _PLAIN:
            return _PLAIN[note.code](note.en, note.zh, system=self._context.system)
        return AuthRejected(note.en, note.zh, missing=note.missing, system=self._context.system)

    def _read(self) -> _Note | None:
        kept = self._context.tokens.get(NAME)
        return _Note(**json.loads(kept)) if kept else None

    def _write(self, note: _Note) -> None:
        self._context.tokens.put(NAME, json.dumps(asdict(note)).encode())
