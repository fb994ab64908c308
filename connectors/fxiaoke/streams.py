"""Takes a stream of records one page further: by the ids of a window, or by offsets where a tenant's ids do not serve.

KEYSET   order by `_id` alone, continued with `_id GT`: equal times, edits during the scan and any number of rows do no
         harm. Two sort keys are a per-object switch, off by default. Source: Fxiaoke FAQ/deep-paging.
OFFSET   closed ranges of instants within the wall of 10,000, halved where they hold more.

The first answer of a window closes it, by the server's clock and the overlap beyond, so that an idle poll is one call.
What is younger than the answer and shown is used at once and seen again next time. The overlap lets in what changed
just before: the header counts whole seconds, and the clock of the database may be ahead of the gateway's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from connectors.base import ConnectorContext
from connectors.errors import ProtocolViolation
from connectors.fxiaoke.client import record_path
from connectors.fxiaoke.cursors import Mode, Position, Span, cursor_expired
from connectors.fxiaoke.queries import Filter, OutOfReach, Queries, Row, Search, Shown, condition
from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.fxiaoke.windows import MAX_OFFSET, after_page, halved, next_span

MODIFIED, CREATED = "last_modified_time", "create_time"
"""Both are set by the server on every record. Source: Fxiaoke records, system fields."""


@dataclass(frozen=True, slots=True)
class Step:
    """Is one page of a stream and where the stream stands behind it."""

    rows: Sequence[Row] = field(repr=False)
    following: Position
    complete: bool


class Streams:
    """Reads listings and change windows of one connection; threads may share it."""

    def __init__(self, queries: Queries, settings: FxiaokeSettings, context: ConnectorContext) -> None:
        self._queries, self._settings, self._system = queries, settings, context.system

    def step(self, object: str, columns: Sequence[str], at: Position, filters: Sequence[Filter], limit: int) -> Step:
        """Reads the next page of records that also meet `filters`."""
        search = Search(columns, [*filters, *self._window(at)], limit, at.after)
        if at.span is not None:
            return self._step_by_offset(object, search, at, at.span)
        shown = self._queries.ask(object, search)
        opening = at.until is None
        until = self._window_end(object, at, shown) if at.until is None else at.until
        closes = shown.server_at if opening else at.closes
        if len(shown.rows) < limit:
            return Step(shown.rows, Position("poll", watermark=until), True)
        mode: Mode = "list" if at.mode == "list" else "scan"
        following = Position(mode, at.watermark, until, closes=closes)
        if self._queries.by_key:
            delivered = at.delivered + len(shown.rows) if at.mode == "list" else 0
            return Step(shown.rows, replace(following, after=str(shown.rows[-1]["_id"]), delivered=delivered), False)
        return Step(shown.rows, self._first_span(object, following), False)

    def _window(self, at: Position) -> list[Filter]:
        """Returns what bounds a window read by ids. A listing has no window: an edited record must not leave it."""
        if at.span is not None or at.mode == "list":
            return []
        earliest = _ms(max(0.0, at.watermark - self._settings.overlap))
        if at.until is None or at.closes is None:
            return [condition(MODIFIED, "GTE", [earliest])]
        return [condition(MODIFIED, "BETWEEN", [earliest, _ms(at.closes + self._settings.overlap)])]

    def _window_end(self, object: str, at: Position, shown: Shown) -> float:
        """Returns the watermark that the window opened by this answer will leave, by the server's clock alone."""
        server_at = shown.server_at
        if server_at is None:
            # A proxy took the Date header away: the youngest record shown was there when the window was opened.
            seen = (int(row.get(MODIFIED) or 0) / 1000 for row in shown.rows)
            return max([at.watermark, *(stamp - self._settings.index_lag for stamp in seen)])
        if at.mode != "list" and server_at + self._settings.overlap < at.watermark:
            raise cursor_expired(self._system, object, "the server's clock was set back", "服务器时钟被回拨")
        return server_at - self._settings.index_lag

    def _first_span(self, object: str, at: Position) -> Position:
        if at.until is None or at.closes is None:
            raise self._queries.violation(
                record_path(object, "query"),
                object,
                "without a Date header no range can be closed, which paging: offset needs",
                "应答没有 Date 头，paging: offset 无法确定区间终点",
            )
        earliest = 0 if at.mode == "list" else _ms(max(0.0, at.watermark - self._settings.overlap))
        # Nothing enters a range that ends where the index has settled; what is younger is read behind it.
        return replace(at, span=Span(earliest, max(earliest, _ms(at.until))))

    def _step_by_offset(self, object: str, search: Search, at: Position, span: Span) -> Step:
        if span.offset % search.limit:
            span = replace(span, offset=0, climbing=True)  # the page size was changed; an offset is a multiple of it
        name = CREATED if at.mode == "list" else MODIFIED
        filters = [*search.filters, condition(name, "BETWEEN", [span.low, span.high])]
        search = replace(search, filters=filters, offset=span.offset, counted=span.climbing and span.offset == 0)
        rows: Sequence[Row] = ()
        behind: Span | None = None
        try:
            shown = self._queries.ask(object, search)
            rows, behind = shown.rows, after_page(span, len(shown.rows), shown.total or 0, search.limit)
            walled = behind is not None and behind.offset > MAX_OFFSET
        except OutOfReach:
            walled = True
        if walled:
            behind = halved(span)
            if behind is None:
                raise self._beyond(object)
        if behind is None:
            behind = next_span(span, (_ms(at.until or 0.0), _ms(at.closes or 0.0)))
        if behind is None:
            return Step(rows, Position("poll", watermark=at.until or 0.0), True)
        return Step(rows, replace(at, span=behind), False)

    def _beyond(self, object: str) -> ProtocolViolation:
        return ProtocolViolation(
            f"{self._system} {object}: more records share one instant than offsets reach ({MAX_OFFSET}); "
            "set paging: keyset",
            f"{self._system} {object}：同一时刻的记录数超过 offset 上限（{MAX_OFFSET}）；请设置 paging: keyset",
            system=self._system,
            object=object,
        )


def _ms(instant: float) -> int:
    return int(instant * 1000)
