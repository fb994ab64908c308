"""The change stream: a complete listing by id, then walks by Modified_Time over what has changed since.

A listing follows page tokens and goes on by COQL keyset past the vendor's wall, or goes by COQL in one chain or in
ranges of ids (`listing`); a large module is loaded in bulk. A walk starts at its lower bound:
START what the last walk could not yet have seen by the declared visibility lag; every walk starts there at the latest.
DEEP  the same, reaching back by `overlap`. A walk starts there once `overlap` seconds have passed since the last deep
      one: a row shown later than declared is still seen, and a burst of writes is re-read once, not at every poll.
Both are the last Modified_Time seen plus one second, never past the server's clock less the lag (and the overlap).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from zlib import crc32

from connectors.base import Bound, Cursor, IdPage, NativeRecord, Page
from connectors.errors import CursorExpired
from connectors.zoho_crm.answers import WALK_LOST, Answer, violation
from connectors.zoho_crm.bulk import Asked, BulkLoad, BulkPlace, NotOffered
from connectors.zoho_crm.completeness import Completeness
from connectors.zoho_crm.keyset import Keyset, Window
from connectors.zoho_crm.modules import LISTS, ONLY_LISTED
from connectors.zoho_crm.ranges import Ranges
from connectors.zoho_crm.reading import Reader, Rows, column_chunks

LISTING, WALKING = "listing", "walking"
_log = logging.getLogger(__name__)
_RESTARTS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Is where a list walk stands: `token` continues it under the same `shape`, `last_id` where it was sorted by id.

    `begun` is the server's clock at the first page; `parts` are the ranges of ids that a listing still has before it,
    each after one id and until another; `settled` the instant up to which no page can have missed a row.
    """

    begun: float | None = None
    token: str | None = None
    shape: int = 0
    rows: int = 0
    last_id: str | None = None
    keyset: bool = False
    parts: list[list[str | None]] = field(default_factory=list)
    since: int = 0
    high: int = 0
    settled: float | None = None
    deep: bool = False
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Holds the lower bounds of the next walk in epoch seconds and when (our clock) the last deep walk ended."""

    start: int
    deep: int
    deep_at: float


Listed = tuple[tuple[NativeRecord, ...], Place, bool]


class Streams:
    """Reads the change stream and the enumeration of one connection."""

    def __init__(self, reader: Reader, bulk: BulkLoad) -> None:
        self._reader, self._keyset, self._bulk = reader, Keyset(reader), bulk
        self._ranges = Ranges(reader, self._keyset)
        self._completeness = Completeness(reader)
        self._settings, self._context = reader.api.settings, reader.api.context

    def changes(
        self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int, bound: Bound | None = None
    ) -> Page:
        """Reads the next page; an idle poll is one call. Raises CursorExpired for a cursor it cannot continue.

        A listing with a bound goes by COQL from its first page, since a list takes no condition.
        """
        self._reader.remember(object, fields)
        asked = Asked(object, tuple(fields), bound)
        if (loading := self._bulk.place_of(object, cursor)) is not None:
            return self._load(asked, loading, limit)
        if cursor is None:
            return self._first_page(asked, limit)
        mode, place, bounds = self._open(object, cursor)
        if mode == LISTING:
            return self._list(object, fields, place, limit, bound)
        assert bounds is not None
        return self._walk(object, fields, place, bounds, limit)

    def list_ids(self, object: str, cursor: Cursor | None, limit: int, bound: Bound | None = None) -> IdPage:
        """Enumerates ids with their versions."""
        _, place, _ = self._open(object, cursor)
        records, after, more = self._listing_page(object, (), place, limit, bound)
        ids = tuple((record.native_id, record.version) for record in records)
        return IdPage(ids, self._cursor(object, LISTING, after if more else Place()), not more)

    def close(self) -> None:
        """Ends what is read ahead."""
        self._ranges.close()

    def _open(self, object: str, cursor: Cursor | None) -> tuple[str, Place, Bounds | None]:
        if cursor is None:
            return LISTING, Place(), None
        mine = cursor.get("object") == object and cursor.get("origin") == self._settings.api_origin
        try:
            mode, place = str(cursor["mode"]), Place(**cursor["place"])
            bounds = Bounds(**cursor["bounds"]) if mode == WALKING else None
        except (KeyError, TypeError):
            mine = False
        if not mine or mode not in (LISTING, WALKING):
            raise self._expired(object)
        return mode, place, bounds

    def _cursor(self, object: str, mode: str, place: Place, bounds: Bounds | None = None) -> dict[str, Any]:
        kept: dict[str, Any] = {"object": object, "origin": self._settings.api_origin, "mode": mode}
        return kept | {"place": asdict(place)} | ({"bounds": asdict(bounds)} if bounds else {})

    # --- the complete listing -------------------------------------------------------------------------------------

    def _list(self, object: str, fields: Sequence[str], place: Place, limit: int, bound: Bound | None) -> Page:
        records, after, more = self._listing_page(object, fields, place, limit, bound)
        if more:
            return Page(records, self._cursor(object, LISTING, after), False)
        assert after.begun is not None
        # What one page holds is not worth a call, and nobody counts what lies behind a bound.
        several = bound is None and place.begun is not None
        delivered = place.rows + len(records) if several else None
        return self._listed_all(object, records, after.begun, delivered)

    def _first_page(self, asked: Asked, limit: int) -> Page:
        """Reads the first page of a listing; where more follows, a large module is loaded in bulk instead.

        Ranges read ahead, so there it is decided before. What a first page held comes again with the file.
        """
        ranged = self._settings.listing == "ranges"
        if ranged and (loading := self._begin_bulk(asked)) is not None:
            return loading
        page = self._list(asked.object, asked.fields, Place(), limit, asked.bound)
        if ranged or page.complete:
            return page
        return self._begin_bulk(asked) or page

    def _begin_bulk(self, asked: Asked) -> Page | None:
        try:
            place = self._bulk.begin(asked)
        except NotOffered as refused:
            self._tell(asked.object, refused)
            return None
        return None if place is None else Page((), self._bulk.cursor_of(asked.object, place), False)

    def _load(self, asked: Asked, place: BulkPlace, limit: int) -> Page:
        """Goes on with a bulk load; where it cannot, the listing starts over by pages."""
        try:
            loaded = self._bulk.go_on(asked, place, limit)
        except NotOffered as refused:
            self._tell(asked.object, refused)
            return self._list(asked.object, asked.fields, Place(), limit, asked.bound)
        if loaded.more:
            return Page(loaded.records, self._bulk.cursor_of(asked.object, loaded.place), False)
        delivered = loaded.place.delivered if asked.bound is None else None
        return self._listed_all(asked.object, loaded.records, loaded.place.begun, delivered)

    def _tell(self, object: str, refused: NotOffered) -> None:
        _log.warning("%s %s is listed by pages, not by bulk read: %s", self._context.system, object, refused.reason)

    def _listed_all(self, object: str, records: tuple[NativeRecord, ...], begun: float, delivered: int | None) -> Page:
        """Returns the last page of a listing; `delivered` records are compared with what the vendor counts."""
        settled = math.floor(begun - self._settings.visibility_lag)
        bounds = Bounds(settled, math.floor(settled - self._settings.overlap), self._context.clock.now())
        counted = None if delivered is None else self._completeness.differs(object, delivered, begun)
        return Page(records, self._cursor(object, WALKING, Place(), bounds), True, counted)

    def _listing_page(
        self, object: str, fields: Sequence[str], place: Place, limit: int, bound: Bound | None
    ) -> Listed:
        """Returns one page of the listing, the place after it and whether more follows."""
        if place.parts or (place == Place() and self._settings.listing == "ranges" and object not in ONLY_LISTED):
            return self._ranged(object, fields, place, limit, bound)
        shape = self._shape(fields, limit)
        keyset = bound is not None or place.keyset or place.rows >= self._settings.token_window_rows
        keyset = keyset or (place == Place() and self._queries(object, fields))
        # A token holds only for the call it was made for; by id the listing goes on without one.
        if not keyset and (place.token is None or place.shape == shape):
            answer = self._ask(object, fields, {"sort_by": "id"}, place.token, None, limit)
            if not self._lost(answer, place):
                return self._listed(object, fields, answer, replace(place, shape=shape))
        records, page = self._keyset.page(object, fields, Window(place.last_id, None, bound), limit)
        return records, self._after(object, page, replace(place, keyset=True, token=None)), page.more

    def _queries(self, object: str, fields: Sequence[str]) -> bool:
        if self._settings.listing == "auto":
            return self._keyset.suits(object, fields)
        return self._settings.listing == "coql" and object not in ONLY_LISTED

    def _ranged(self, object: str, fields: Sequence[str], place: Place, limit: int, bound: Bound | None) -> Listed:
        alone = not place.parts
        if alone:
            parts, begun = self._ranges.cut(object, limit, bound)
            place = replace(place, parts=parts, begun=begun)
        records, page, left = self._ranges.page(object, fields, place.parts, place.begun, limit, bound, alone=alone)
        begun = page.at if place.begun is None else place.begun
        place = replace(place, parts=left, begun=begun, rows=place.rows + len(page.rows))
        return records, place, bool(left)

    def _listed(self, object: str, fields: Sequence[str], answer: Answer, place: Place) -> Listed:
        page = self._reader.rows_of(answer, object, LISTS.get(object, "list records"))
        self._check_token(object, page, place.token)
        rows = self._reader.widen(object, page.rows, fields)
        return self._reader.records(object, rows, fields), self._after(object, page, place), page.more

    def _after(self, object: str, page: Rows, place: Place) -> Place:
        if place.begun is None:
            place = replace(place, begun=page.at)
        if not page.more:
            return place
        last = max((str(row["id"]) for row in page.rows), key=int, default=None)
        if last is None or (place.last_id is not None and int(last) <= int(place.last_id)):
            raise violation(
                self._context.system, object, "a listing by id does not move forward", "按 id 的列表没有向前推进"
            )
        rows = place.rows + len(page.rows)
        return replace(place, token=page.token, keyset=page.token is None, last_id=last, rows=rows)

    # --- walks over changes ---------------------------------------------------------------------------------------

    def _walk(self, object: str, fields: Sequence[str], place: Place, bounds: Bounds, limit: int) -> Page:
        shape = self._shape(fields, limit)
        if place.begun is None:
            place = self._begin(place, bounds)
        elif place.token is None or place.shape != shape or place.rows >= self._settings.token_window_rows:
            place = self._resume(object, place)
        order = {"sort_by": "Modified_Time"}
        answer = self._ask(object, fields, order, place.token, place.since, limit)
        if self._lost(answer, place):
            place = self._resume(object, place)
            answer = self._ask(object, fields, order, None, place.since, limit)
        page = self._reader.rows_of(answer, object, LISTS.get(object, "list changes"))
        self._check_token(object, page, place.token)
        records = self._reader.records(object, self._reader.widen(object, page.rows, fields), fields)
        place = self._walked(replace(place, shape=shape), page, records)
        if page.more:
            return Page(records, self._cursor(object, WALKING, place, bounds), False)
        return Page(records, self._cursor(object, WALKING, Place(), self._next(place, bounds)), True)

    def _walked(self, place: Place, page: Rows, records: Sequence[NativeRecord]) -> Place:
        last = max((math.floor(r.modified_at) for r in records if r.modified_at is not None), default=place.since - 1)
        settled = page.at - self._settings.visibility_lag
        bound = place.settled
        if not page.more or last > settled:
            # Rows up to this page's last time may still have been on their way when it was read.
            bound = settled if bound is None else min(settled, bound)
        return replace(
            place,
            begun=page.at if place.begun is None else place.begun,
            token=page.token,
            rows=place.rows + len(page.rows),
            high=max(place.high, last),
            settled=bound,
        )

    def _begin(self, place: Place, bounds: Bounds) -> Place:
        passed = self._context.clock.now() - bounds.deep_at
        deep = not 0 <= passed < self._settings.overlap
        since = bounds.deep if deep else bounds.start
        return replace(place, since=since, high=since - 1, deep=deep)

    def _resume(self, object: str, place: Place) -> Place:
        """Starts a walk anew where the lost one stood; its rows came in the order of their times."""
        reached = place.high if place.settled is None else min(place.high, math.floor(place.settled))
        since = max(place.since, reached)
        restarts = place.restarts + 1 if since == place.since else 0
        if restarts >= _RESTARTS or (since == place.since and place.rows >= self._settings.token_window_rows):
            raise self._expired(object)
        return replace(place, since=since, token=None, rows=0, restarts=restarts)

    def _next(self, place: Place, bounds: Bounds) -> Bounds:
        assert place.begun is not None
        assert place.settled is not None
        seen = place.high + 1
        start = max(bounds.start, min(seen, math.floor(place.settled)))
        if not place.deep:
            return replace(bounds, start=start)
        reach = self._settings.visibility_lag + self._settings.overlap
        deep = max(bounds.deep, min(seen, math.floor(place.begun - reach)))
        return Bounds(start, deep, self._context.clock.now())

    # --- both -----------------------------------------------------------------------------------------------------

    def _ask(
        self,
        object: str,
        fields: Sequence[str],
        order: Mapping[str, str],
        token: str | None,
        since: int | None,
        limit: int,
    ) -> Answer:
        per_page = min(limit, self._settings.page_size)
        params = {**order, "sort_order": "asc", "per_page": str(per_page)}
        if token:
            params["page_token"] = token
        return self._reader.list_page(object, column_chunks(fields)[0], params, since)

    def _lost(self, answer: Answer, place: Place) -> bool:
        return place.token is not None and answer.status == 400 and answer.code in WALK_LOST

    def _check_token(self, object: str, page: Rows, used: str | None) -> None:
        if page.more and page.token is not None and page.token == used:
            raise violation(self._context.system, object, "the same page token came twice", "同一翻页令牌出现两次")

    def _shape(self, fields: Sequence[str], limit: int) -> int:
        return crc32("|".join([str(min(limit, self._settings.page_size)), *fields]).encode())

    def _expired(self, object: str) -> CursorExpired:
        return CursorExpired(
            f"{self._context.system} {object}: the stored cursor cannot be continued; a full listing follows",
            f"{self._context.system} {object}：已存位点无法继续，将重新完整读取",
            system=self._context.system,
            object=object,
        )
