"""Reads records: listings and change windows page by page, the sweep of ids, strong reads one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

from connectors.base import Bound, ConnectorContext, Cursor, Fetched, Gone, IdPage, NativeRecord, NotVisible, Page
from connectors.fxiaoke.client import Client, record_path
from connectors.fxiaoke.cursors import Position, read_cursor
from connectors.fxiaoke.descriptions import Descriptions
from connectors.fxiaoke.envelope import Call, Reason, Rejected, protocol_violation
from connectors.fxiaoke.links import LOG, read_links
from connectors.fxiaoke.pool import Pool
from connectors.fxiaoke.queries import Filter, Queries, Search, condition
from connectors.fxiaoke.queries import Row as Row
from connectors.fxiaoke.records import SYSTEM_FIELDS, Shape, is_invalid, projection, version_of, wanted
from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.fxiaoke.streams import MODIFIED, Streams

_FIND_CHUNK = 50
_MASK_TTL = 60.0
"""How old a description may be (seconds) that says of a value with an asterisk that its field is shown in full."""
_ALWAYS_FILLED = frozenset({"create_time"})
"""Fields by which a query may leave records out: a range never holds for an empty value (data/query, operators)."""
_INVALID = condition("life_status", "EQ", ["invalid"])


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
        self._settings, self._system = settings, context.system
        self._queries = Queries(client, descriptions, settings, context)
        self._streams = Streams(self._queries, settings, context)
        self._only: Mapping[str, Sequence[Filter]] = {}

    def selecting(self, object: str, only: Mapping[str, Sequence[str]]) -> Reader:
        """Returns this reader, for which an object is the records whose fields each hold one of the values.

        Listings, enumerations and counts leave out the others; what changes is read whatever it is.
        """
        narrowed = copy(self)
        conditions = [
            condition(name, "EQ" if len(values) == 1 else "IN", list(values)) for name, values in only.items()
        ]
        narrowed._only = {**self._only, object: conditions}
        return narrowed

    def changes(
        self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int, bound: Bound | None = None
    ) -> Page:
        """Reads the next page of the change stream; an idle poll is one call.

        A listing leaves out what lies before a bound on a field that is never empty.
        """
        at = read_cursor(cursor, object, self._system)
        filters = self._listed(object, bound) if at.mode == "list" else []
        step = self._streams.step(object, projection(fields), at, filters, self._limit(limit))
        counted = self._differs(object, at, filters, len(step.rows)) if step.complete and at.delivered else None
        return Page(self._natives(object, step.rows, fields), step.following.cursor(object), step.complete, counted)

    def deletions(self, object: str, cursor: Cursor | None, limit: int) -> Page:
        """Reads the next page of invalid records (作废), where the tenant shows them to who asks for them."""
        at = read_cursor(cursor, object, self._system)
        step = self._streams.step(object, SYSTEM_FIELDS, at, [_INVALID], self._limit(limit))
        invalid = [row for row in step.rows if is_invalid(row)]
        return Page(self._natives(object, invalid, ()), step.following.cursor(object), step.complete)

    def list_ids(self, object: str, cursor: Cursor | None, limit: int, bound: Bound | None = None) -> IdPage:
        """Enumerates the ids and versions of every visible record, a slice a call."""
        at = read_cursor(cursor, object, self._system)
        columns = ("_id", "version", "life_status", "is_deleted")
        step = self._streams.step(object, columns, at, self._listed(object, bound), self._limit(limit))
        # Whether a query can show invalid records is unverified; such a record is not one that exists.
        ids = tuple((str(row["_id"]), version_of(row)) for row in step.rows if not is_invalid(row))
        return IdPage(ids, step.following.cursor(object), step.complete)

    def count(self, object: str, bound: Bound | None) -> int | None:
        """Returns the total that a query of one record tells, which is an estimate: nothing ends by it."""
        return self._queries.ask(object, Search(["_id"], self._listed(object, bound), 1, counted=True)).total

    def _differs(self, object: str, at: Position, filters: Sequence[Filter], rows: int) -> int | None:
        """Returns the vendor's count where it is higher than what a listing of several pages delivered.

        None also where what changed since its first page explains it. Ids that the vendor sorts otherwise than it
        compares them would be skipped in silence; what it counts may be an estimate, so a difference is only said.
        """
        delivered = at.delivered + rows
        counted = self._queries.ask(object, Search(["_id"], filters, 1, counted=True)).total
        if counted is None or counted <= delivered or at.closes is None:
            return None
        since = condition(MODIFIED, "GTE", [int(at.closes * 1000)])
        moved = self._queries.ask(object, Search(["_id"], [*filters, since], 1, counted=True)).total
        return counted if counted > delivered + (moved or 0) else None

    def find(self, object: str, field: str, values: Sequence[str], fields: Sequence[str]) -> list[NativeRecord]:
        """Finds records by the values of a field, through the search index and so only after its lag."""
        found: list[NativeRecord] = []
        fields = tuple(dict.fromkeys((field, *fields)))
        sought = list(dict.fromkeys(values))
        for start in range(0, len(sought), _FIND_CHUNK):
            chunk = sought[start : start + _FIND_CHUNK]
            filters = [condition(field, "EQ" if len(chunk) == 1 else "IN", chunk)]
            after, offset, limit = "", 0, self._settings.page_limit
            while True:
                search = Search(projection(fields), filters, limit, after, offset)
                rows = self._queries.ask(object, search).rows
                found.extend(self._natives(object, rows, fields))
                if len(rows) < limit:
                    break
                if self._queries.by_key:
                    after = str(rows[-1]["_id"])
                else:
                    offset += limit
        return found

    def fetch(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Fetched]:
        """Reads records strongly, one call each."""
        unique = list(dict.fromkeys(ids))
        found = dict(zip(unique, self._pool.run(lambda native_id: self._look(object, native_id), unique), strict=True))
        rows = {key: row for key, row in found.items() if isinstance(row, Mapping) and not is_invalid(row)}
        shown = dict(zip(rows, self._natives(object, list(rows.values()), fields), strict=True))
        proven = self._shown_invalid(
            object, [key for key, look in found.items() if isinstance(look, NotVisible) and not look.refused]
        )
        return {key: shown.get(key) or _verdict(key, proven.get(key, look)) for key, look in found.items()}

    def _shown_invalid(self, object: str, ids: Sequence[str]) -> dict[str, Gone]:
        """Returns those that a query shows as invalid, where the tenant lets queries show such records."""
        if self._settings.invalid_records == "hidden":
            return {}
        proven: dict[str, Gone] = {}
        limit = self._settings.page_limit
        for start in range(0, len(ids), limit):
            filters = [condition("_id", "IN", list(ids[start : start + limit])), _INVALID]
            rows = self._queries.ask(object, Search(SYSTEM_FIELDS, filters, limit)).rows
            proven |= {str(row["_id"]): Gone(str(row["_id"])) for row in rows if is_invalid(row)}
        return proven

    def fetched(self, object: str, row: Row, fields: Sequence[str]) -> Fetched:
        """Makes a record of a row just read; one that is shown as invalid (作废) is proof of its deletion."""
        return Gone(str(row["_id"])) if is_invalid(row) else self._natives(object, [row], fields)[0]

    def get_row(self, object: str, native_id: str) -> Row | None:
        """Returns one record as the vendor holds it, or None where it is not visible."""
        found = self._look(object, native_id)
        return found if isinstance(found, Mapping) else None

    def _look(self, object: str, native_id: str) -> Row | Gone | NotVisible:
        """Reads one record strongly.

        The refusal "invalid or deleted" may also cover "hidden", so it proves nothing unless a setting says so of its
        code; one that speaks of permission says that the record may well be there.
        """
        path = record_path(object, "get")
        body = {
            "data": {"dataObjectApiName": object, "objectDataId": native_id},
            "includeNull": self._settings.include_null,
        }
        try:
            row = self._client.read(path, object, body).payload.get("data")
        except Rejected as no:
            if no.reason is Reason.PERMISSION:
                return NotVisible(native_id, refused=True)
            if no.code in self._settings.deleted_codes and no.reason is not Reason.PARAMETER:
                return Gone(native_id)
            # An undocumented business code about one id cannot be more than "not shown"; a bad parameter is our fault.
            if no.reason is Reason.PARAMETER and no.code not in self._settings.not_found_codes:
                raise protocol_violation(Call(self._system, path, object, read=True), no) from None
            return NotVisible(native_id)
        if not row:
            return NotVisible(native_id)
        if not isinstance(row, Mapping) or str(row.get("_id")) != native_id:
            raise self._queries.violation(
                path, object, "the answer is not the record asked for", "返回的不是所请求的记录"
            )
        return read_links(row) if object == LOG else row

    def _natives(self, object: str, rows: Sequence[Row], fields: Sequence[str]) -> tuple[NativeRecord, ...]:
        names = wanted(fields)
        shape = Shape(
            object,
            names,
            lambda: self._masked(object),
            self._settings.trust_nulls,
            self._known_empty(object, rows, names),
        )
        return tuple(map(shape.native, rows))

    def _known_empty(self, object: str, rows: Sequence[Row], names: Sequence[str]) -> frozenset[str]:
        """Returns the fields whose absence from a row means that they are empty.

        Where nulls are not asked for, the vendor leaves them out. A field that is gone or hidden is left out, too, so
        only a description that was read after the rows proves that the absent one exists.
        """
        if self._settings.include_null or not any(name not in row for row in rows for name in names):
            return frozenset()
        return frozenset(self._descriptions.read(object).fields).intersection(names)

    def _masked(self, object: str) -> frozenset[str]:
        """Returns the fields of which a value with an asterisk is not the stored one."""
        age = self._descriptions.age(object)
        described = (
            self._descriptions.read(object) if age is None or age > _MASK_TTL else self._descriptions.kept(object)
        )
        kinds = self._settings.masked_types
        return frozenset(name for name, found in described.fields.items() if found.masked or found.kind in kinds)

    def _listed(self, object: str, bound: Bound | None) -> list[Filter]:
        return [*_from(bound), *self._only.get(object, ())]

    def _limit(self, limit: int) -> int:
        return max(1, min(limit, self._settings.page_limit))


def _verdict(native_id: str, look: Row | Gone | NotVisible) -> Fetched:
    return Gone(native_id) if isinstance(look, Mapping) else look


def _from(bound: Bound | None) -> list[Filter]:
    if bound is None or bound.field not in _ALWAYS_FILLED:
        return []
    return [condition(bound.field, "GTE", [bound.earliest])]
