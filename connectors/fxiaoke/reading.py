"""Reads records: complete listings and change windows by id, strong reads one by one.

Every listing is ordered by `_id` alone and continued with `_id GT`, so that equal times, edits during the scan and any
number of rows do no harm. Source: Fxiaoke FAQ/deep-paging; two sort keys are a per-object switch, off by default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from itertools import pairwise
from typing import Any

from connectors.base import Bound, ConnectorContext, Cursor, Fetched, Gone, IdPage, NativeRecord, NotVisible, Page
from connectors.errors import ConnectorError, ProtocolViolation
from connectors.fxiaoke.client import Client, record_path
from connectors.fxiaoke.cursors import Mode, Position, cursor_expired, read_cursor
from connectors.fxiaoke.descriptions import Descriptions, field_absent
from connectors.fxiaoke.envelope import Answer, Call, Reason, Rejected, protocol_violation
from connectors.fxiaoke.links import LOG, read_links
from connectors.fxiaoke.pool import Pool
from connectors.fxiaoke.records import SYSTEM_FIELDS, Shape, is_invalid, projection, version_of, wanted
from connectors.fxiaoke.settings import FxiaokeSettings

Filter = Mapping[str, Any]
Row = Mapping[str, Any]
_FIND_CHUNK = 50
_ALWAYS_FILLED = frozenset({"create_time"})
"""Fields by which a query may leave records out: a range never holds for an empty value (data/query, operators)."""


class Reader:
    """Reads the objects of one connection; threads may share it."""

    def __init__(
        self,
        client: Client,
        descriptions: Descriptions,
        pool: Pool,
        settings: FxiaokeSettings,
        context: ConnectorContext,
    ) -> None:
        self._client, self._descriptions, self._pool = client, descriptions, pool
        self._settings, self._context = settings, context
        self._only: Mapping[str, Sequence[Filter]] = {}

    def selecting(self, object: str, only: Mapping[str, Sequence[str]]) -> Reader:
        """Returns this reader, for which an object is the records whose fields each hold one of the values.

        Listings, enumerations and counts leave out the others; what changes is read whatever it is.
        """
        narrowed = copy(self)
        conditions = [
            _condition(name, "EQ" if len(values) == 1 else "IN", list(values)) for name, values in only.items()
        ]
        narrowed._only = {**self._only, object: conditions}
        return narrowed

    def changes(
        self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int, bound: Bound | None = None
    ) -> Page:
        """Reads the next page of the change stream; an idle poll is one call.

        A listing leaves out what lies before a bound on a field that is never empty.
        """
        at = read_cursor(cursor, object, self._context.system)
        limit = self._limit(limit)
        filters = self._listed(object, bound) if at.mode == "list" else [_since(at.watermark - self._settings.overlap)]
        rows, answer = self._query(object, projection(fields), filters, limit, at.after)
        until = at.until if at.until is not None else self._window_end(object, at, rows, answer)
        complete = len(rows) < limit
        if complete:
            following = Position("poll", watermark=until)
        else:
            mode: Mode = "list" if at.mode == "list" else "scan"
            following = Position(mode, at.watermark, until, after=str(rows[-1]["_id"]))
        return Page(self._natives(object, rows, fields), following.cursor(object), complete)

    def list_ids(self, object: str, cursor: Cursor | None, limit: int, bound: Bound | None = None) -> IdPage:
        """Enumerates the ids and versions of every visible record."""
        at = read_cursor(cursor, object, self._context.system)
        limit = self._limit(limit)
        columns = ["_id", "version", "life_status", "is_deleted"]
        rows, _ = self._query(object, columns, self._listed(object, bound), limit, at.after)
        following = Position("list", after=str(rows[-1]["_id"]) if rows else at.after)
        # Whether a query can show invalid records is unverified; such a record is not one that exists.
        ids = tuple((str(row["_id"]), version_of(row)) for row in rows if not is_invalid(row))
        return IdPage(ids, following.cursor(object), len(rows) < limit)

    def count(self, object: str, bound: Bound | None) -> int | None:
        """Returns the total that a query of one record tells, which is an estimate: nothing ends by it."""
        _, answer = self._query(object, ["_id"], self._listed(object, bound), 1, "", counted=True)
        total = (answer.payload.get("data") or {}).get("total")
        return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None

    def find(self, object: str, field: str, values: Sequence[str], fields: Sequence[str]) -> list[NativeRecord]:
        """Finds records by the values of a field, through the search index and so only after its lag."""
        found: list[NativeRecord] = []
        fields = tuple(dict.fromkeys((field, *fields)))
        sought = list(dict.fromkeys(values))
        for start in range(0, len(sought), _FIND_CHUNK):
            chunk = sought[start : start + _FIND_CHUNK]
            condition = _condition(field, "EQ" if len(chunk) == 1 else "IN", chunk)
            after, limit = "", self._settings.page_limit
            while True:
                rows, _ = self._query(object, projection(fields), [condition], limit, after)
                found.extend(self._natives(object, rows, fields))
                if len(rows) < limit:
                    break
                after = str(rows[-1]["_id"])
        return found

    def fetch(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Fetched]:
        """Reads records strongly, one call each."""
        unique = list(dict.fromkeys(ids))
        found = self._pool.run(lambda native_id: self.get(object, native_id, fields), unique)
        return dict(zip(unique, found, strict=True))

    def get(self, object: str, native_id: str, fields: Sequence[str]) -> Fetched:
        """Reads one record strongly. The refusal "invalid or deleted" also covers "hidden", so it proves nothing."""
        row = self.get_row(object, native_id)
        return NotVisible(native_id) if row is None else self.fetched(object, row, fields)

    def fetched(self, object: str, row: Row, fields: Sequence[str]) -> Fetched:
        """Makes a record of a row just read; one that is shown as invalid (作废) is proof of its deletion."""
        return Gone(str(row["_id"])) if is_invalid(row) else self._natives(object, [row], fields)[0]

    def get_row(self, object: str, native_id: str) -> Row | None:
        """Returns one record as the vendor holds it, or None where it is not visible."""
        path = record_path(object, "get")
        body = {"data": {"dataObjectApiName": object, "objectDataId": native_id}, "includeNull": True}
        try:
            row = self._client.read(path, object, body).payload.get("data")
        except Rejected as no:
            # An undocumented business code about one id cannot be more than "not shown"; a bad parameter is our fault.
            if no.reason is Reason.PARAMETER and no.code not in self._settings.not_found_codes:
                raise protocol_violation(self._call(path, object), no) from None
            return None
        if not row:
            return None
        if not isinstance(row, Mapping) or str(row.get("_id")) != native_id:
            raise self._violation(path, object, "the answer is not the record asked for", "返回的不是所请求的记录")
        return read_links(row) if object == LOG else row

    def _natives(self, object: str, rows: Sequence[Row], fields: Sequence[str]) -> tuple[NativeRecord, ...]:
        shape = Shape(object, wanted(fields), lambda: self._descriptions.masked(object), self._settings.trust_nulls)
        return tuple(map(shape.native, rows))

    def _listed(self, object: str, bound: Bound | None) -> list[Filter]:
        return [*_from(bound), *self._only.get(object, ())]

    def _limit(self, limit: int) -> int:
        return max(1, min(limit, self._settings.page_limit))

    def _query(
        self, object: str, asked: list[str], filters: Sequence[Filter], limit: int, after: str, *, counted: bool = False
    ) -> tuple[list[Row], Answer]:
        path = record_path(object, "query")
        links = self._descriptions.links(object, asked)
        asked = asked if links is None else links.asked(asked)
        conditions = [*filters, _condition("_id", "GT", [after])] if after else list(filters)
        search = {
            "limit": limit,
            "offset": 0,
            "filters": conditions,
            "orders": [{"fieldName": "_id", "isAsc": True}],
            "fieldProjection": asked,
        }
        body = {
            "includeNull": True,
            "data": {"dataObjectApiName": object, "find_explicit_total_num": counted, "search_query_info": search},
        }
        try:
            answer = self._client.read(path, object, body)
        except Rejected as no:
            raise self._rejected_query(path, object, no, asked, conditions) from None
        return self._rows(path, object, answer, after), answer

    def _rejected_query(
        self, path: str, object: str, no: Rejected, asked: list[str], conditions: Sequence[Filter]
    ) -> ConnectorError:
        """Returns SchemaDrift where the description explains the rejection, which the vendor's codes do not."""
        violation = protocol_violation(self._call(path, object), no)
        if no.reason is not Reason.PERMISSION:
            described = self._descriptions.read(object).fields
            named = {*asked, *(condition["field_name"] for condition in conditions)}
            absent = sorted(named - described.keys() - set(SYSTEM_FIELDS))
            if absent:
                return field_absent(self._context.system, object, absent)
        return violation

    def _rows(self, path: str, object: str, answer: Answer, after: str) -> list[Row]:
        rows = (answer.payload.get("data") or {}).get("dataList")
        if not isinstance(rows, list) or any(not isinstance(row, Mapping) or not row.get("_id") for row in rows):
            raise self._violation(path, object, "the answer holds no list of records", "返回内容没有记录列表")
        ids = [after, *(str(row["_id"]) for row in rows)]
        if any(later <= earlier for earlier, later in pairwise(ids)):
            # Unsorted or repeated ids would make the keyset skip records or turn in circles.
            raise self._violation(path, object, "the records are not in the order of their ids", "记录未按 _id 排序")
        return [read_links(row) for row in rows] if object == LOG else rows

    def _window_end(self, object: str, at: Position, rows: Sequence[Row], answer: Answer) -> float:
        """Returns the watermark that the window opened by this answer will leave, by the server's clock alone.

        The query has no upper end: rows younger than this are used at once and seen again next time, and a row that
        changes during the scan is younger than this too, so the next window has it.
        """
        server_at = answer.server_at
        if server_at is None:
            # A proxy took the Date header away: the youngest record shown was there when the window was opened.
            seen = (int(row.get("last_modified_time") or 0) / 1000 for row in rows)
            return max([at.watermark, *(stamp - self._settings.index_lag for stamp in seen)])
        if at.mode != "list" and server_at + self._settings.overlap < at.watermark:
            raise cursor_expired(self._context.system, object, "the server's clock was set back", "服务器时钟被回拨")
        return server_at - self._settings.index_lag

    def _call(self, path: str, object: str) -> Call:
        return Call(self._context.system, path, object, read=True)

    def _violation(self, path: str, object: str, en: str, zh: str) -> ProtocolViolation:
        where = f"{self._context.system} {object} {self._call(path, object).operation}"
        return ProtocolViolation(
            f"{where}: {en}; report it to the vendor, nothing was taken from this page",
            f"{where}：{zh}；请反馈厂商，本页内容未采用",
            system=self._context.system,
            object=object,
        )


def _condition(field: str, operator: str, values: list[Any]) -> Filter:
    return {"field_name": field, "operator": operator, "field_values": values}


def _from(bound: Bound | None) -> list[Filter]:
    if bound is None or bound.field not in _ALWAYS_FILLED:
        return []
    return [_condition(bound.field, "GTE", [bound.earliest])]


def _since(instant: float) -> Filter:
    return _condition("last_modified_time", "GTE", [max(0, int(instant * 1000))])
