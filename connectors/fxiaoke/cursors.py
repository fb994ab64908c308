"""Where a change stream stands.

LIST   a complete listing by id; its start becomes the first watermark.
POLL   nothing is open; the next window reaches from the watermark, less the overlap, to whatever is there.
SCAN   inside such a window; `until` becomes the watermark when its last page is read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from connectors.base import Cursor
from connectors.errors import CursorExpired

Mode = Literal["list", "poll", "scan"]
_FORMAT = 1
_MODES = ("list", "poll", "scan")


@dataclass(frozen=True, slots=True)
class Position:
    """Is a cursor, read. `watermark` and `until` are epoch seconds by the server's clock, `after` the last id seen."""

    mode: Mode
    watermark: float = 0.0
    until: float | None = None
    after: str = ""

    def cursor(self, object: str) -> Cursor:
        """Returns the JSON form."""
        return {"format": _FORMAT, "object": object, **asdict(self)}


def read_cursor(cursor: Cursor | None, object: str, system: str) -> Position:
    """Reads a stored cursor. Raises CursorExpired for one that this code did not make for this object."""
    if cursor is None:
        return Position("list")
    try:
        if cursor["format"] == _FORMAT and cursor["object"] == object and cursor["mode"] in _MODES:
            until = cursor["until"]
            return Position(
                mode=cursor["mode"],
                watermark=float(cursor["watermark"]),
                until=None if until is None else float(until),
                after=str(cursor["after"]),
            )
    except (KeyError, TypeError, ValueError):
        pass
    raise cursor_expired(system, object, "the stored position is of another kind", "已存的位点格式不符")


def cursor_expired(system: str, object: str, en: str, zh: str) -> CursorExpired:
    """Returns the error of a position that cannot be continued."""
    return CursorExpired(
        f"{system} {object}: {en}; a complete listing follows, without deletes",
        f"{system} {object}：{zh}；将做一次完整读取，期间不处理删除",
        system=system,
        object=object,
    )
