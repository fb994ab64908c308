"""Where a stream stands.

LIST   a complete listing; the server's time at its start becomes the first watermark.
POLL   nothing is open; the next window reaches from the watermark, less the overlap, to whatever is there.
SCAN   inside such a window, which its first answer closed; `until` becomes the watermark when its last page is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from connectors.base import Cursor
from connectors.errors import CursorExpired

Mode = Literal["list", "poll", "scan"]
_FORMAT = 1
_MODES = ("list", "poll", "scan")


@dataclass(frozen=True, slots=True)
class Span:
    """Is a closed range of instants, in ms, that is read by offsets; `climbing` while its last page is looked for."""

    low: int
    high: int
    offset: int = 0
    climbing: bool = True


@dataclass(frozen=True, slots=True)
class Position:
    """Is a cursor, read. Times are epoch seconds by the server's clock.

    `until` is the watermark to be, `closes` when the first answer closed the window (None: it has no end), `after` the
    last id seen, `span` what is read by offsets instead, `delivered` how many rows a listing by ids has shown so far.
    """

    mode: Mode
    watermark: float = 0.0
    until: float | None = None
    after: str = ""
    closes: float | None = None
    span: Span | None = None
    delivered: int = 0

    def cursor(self, object: str) -> Cursor:
        """Returns the JSON form."""
        return {"format": _FORMAT, "object": object, **asdict(self)}


def read_cursor(cursor: Cursor | None, object: str, system: str) -> Position:
    """Reads a stored cursor. Raises CursorExpired for one that this code did not make for this object."""
    if cursor is None:
        return Position("list")
    try:
        if cursor["format"] == _FORMAT and cursor["object"] == object and cursor["mode"] in _MODES:
            return Position(
                mode=cursor["mode"],
                watermark=float(cursor["watermark"]),
                until=_instant(cursor["until"]),
                after=str(cursor["after"]),
                # Cursors of earlier releases end here.
                closes=_instant(cursor.get("closes")),
                span=_span(cursor.get("span")),
                delivered=int(cursor.get("delivered", 0)),
            )
    except (KeyError, TypeError, ValueError):
        pass
    raise cursor_expired(system, object, "the stored position is of another kind", "已存的位点格式不符")


def _instant(value: Any) -> float | None:
    return None if value is None else float(value)


def _span(value: Mapping[str, Any] | None) -> Span | None:
    if value is None:
        return None
    return Span(int(value["low"]), int(value["high"]), int(value["offset"]), value["climbing"] is True)


def cursor_expired(system: str, object: str, en: str, zh: str) -> CursorExpired:
    """Returns the error of a position that cannot be continued."""
    return CursorExpired(
        f"{system} {object}: {en}; a complete listing follows, without deletes",
        f"{system} {object}：{zh}；将做一次完整读取，期间不处理删除",
        system=system,
        object=object,
    )
