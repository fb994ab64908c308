"""Reads rows: lists, COQL, strong reads by id and by hub id.

Source: Zoho API v8 get-records, COQL, COQL-Limitations, get-deleted-records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from connectors.base import Fetched, Gone, NativeRecord, NotVisible
from connectors.errors import ProtocolViolation
from connectors.zoho_crm.abreast import abreast
from connectors.zoho_crm.answers import ABSENT, NOTHING_FOUND, Answer, field_of, refusal, violation
from connectors.zoho_crm.calls import Api
from connectors.zoho_crm.catalogue import Catalogue
from connectors.zoho_crm.completing import LINK, LINK_MODULE, Completion
from connectors.zoho_crm.modules import LISTED_WITH
from connectors.zoho_crm.times import instant, stamp, version, version_at

Row = Mapping[str, Any]

COLUMNS_PER_CALL = 50
IDS_PER_CALL = 100
VALUES_PER_QUERY = 50
SYSTEM_COLUMNS = ("Modified_Time", "Modified_By")
DELETED_PAGE = 200

__all__ = ["LINK", "LINK_MODULE", "Reader", "Rows"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Is one page of rows; `at` is the server's clock, `token` continues a list walk."""

    rows: tuple[Row, ...]
    more: bool
    token: str | None
    at: float


class Reader:
    """Reads rows of one connection and turns them into records."""

    def __init__(self, api: Api) -> None:
        self.api, self.catalogue = api, Catalogue(api)
        self._completion = Completion(self)
        self._projections: dict[str, tuple[str, ...]] = {}

    def remember(self, object: str, fields: Sequence[str]) -> None:
        """Keeps the fields last read, so that a stale write can show the record as the hub wants it."""
        self._projections[object] = tuple(fields)

    def projection(self, object: str) -> tuple[str, ...] | None:
        return self._projections.get(object)

    def list_page(self, object: str, columns: Sequence[str], params: Mapping[str, str], since: int | None) -> Answer:
        """Asks for one page of the list; `since` in epoch seconds becomes If-Modified-Since."""
        headers = {} if since is None else {"If-Modified-Since": self._since(since)}
        query = {"fields": ",".join(columns), **LISTED_WITH.get(object, {}), **params}
        return self.api.get(f"/{object}", f"list {object}", query, headers=headers)

    def rows_of(self, answer: Answer, object: str, doing: str) -> Rows:
        """Returns the rows of a listing answer. Raises what a refusal means, ProtocolViolation for a broken page."""
        nothing = answer.content is None or answer.code == NOTHING_FOUND
        if not answer.ok and not (answer.status < 500 and answer.code == NOTHING_FOUND):
            raise refusal(answer, self.api.system, object, doing)
        if answer.at is None:
            raise self._broken(
                object, "the answer has no Date, so no cursor can be kept", "返回缺少 Date，无法记录位点"
            )
        if nothing:
            return Rows((), False, None, answer.at)
        rows, details = answer.rows, answer.content.get("info") if answer.rows is not None else None
        if rows is None or not all(isinstance(row, Mapping) and isinstance(row.get("id"), str) for row in rows):
            raise self._broken(object, "a page has no list of rows with ids", "返回页缺少带 id 的记录列表")
        if not isinstance(details, Mapping) or not isinstance(details.get("more_records"), bool):
            raise self._broken(object, "a page does not say whether more follows", "返回页未说明是否还有更多记录")
        token = details.get("next_page_token")
        return Rows(tuple(rows), details["more_records"], token if isinstance(token, str) else None, answer.at)

    def count(self, object: str) -> int | None:
        """Returns how many records a module has, None where it does not count them.

        Source: Zoho API v8 record-count. It may need a scope of its own (ZohoSearch.securesearch.READ).
        """
        answer = self.api.get(f"/{object}/actions/count", f"count {object}", LISTED_WITH.get(object, {}))
        number = answer.content.get("count") if answer.ok and answer.content is not None else None
        return number if isinstance(number, int) and not isinstance(number, bool) and number >= 0 else None

    def query(self, object: str, columns: Sequence[str], condition: str, limit: int, offset: int = 0) -> Rows:
        """Reads rows by COQL in the order of their ids."""
        return self.rows_of(self.ask_coql(object, columns, condition, limit, offset), object, "COQL")

    def ask_coql(self, object: str, columns: Sequence[str], condition: str, limit: int, offset: int = 0) -> Answer:
        """Asks for rows by COQL; 1 credit up to 200 rows, 2 up to 1,000 and 3 up to 2,000 (COQL-Limitations)."""
        select = f"select {', '.join(columns)} from {object} where {condition} order by id asc limit {limit}"  # noqa: S608
        return self.api.call(
            "POST",
            "/coql",
            f"coql {object}",
            read=True,
            body={"select_query": select + (f" offset {offset}" if offset else "")},
            cost=1 if limit <= 200 else 2 if limit <= 1000 else 3,
        )

    def _queryable(self, object: str, fields: Sequence[str]) -> bool:
        columns, known = columns_of(fields), self.catalogue.known(object)
        unreadable = {*self.api.settings.coql_unreadable, *self.api.settings.rich_text_fields}
        unreadable |= self.catalogue.refused(object) | (known.single if known else frozenset())
        unreadable |= {name for name in columns if name.startswith("$")}
        return len(columns) < COLUMNS_PER_CALL and not unreadable & set(columns)

    def records(self, object: str, rows: Iterable[Row], fields: Sequence[str]) -> tuple[NativeRecord, ...]:
        """Turns rows into records with the fields that were present."""
        return tuple(self._record(object, row, fields) for row in rows)

    def _record(self, object: str, row: Row, fields: Sequence[str]) -> NativeRecord:
        text = row.get("Modified_Time")
        try:
            modified = instant(text)
        except ProtocolViolation:
            raise self._broken(
                object, f"record {row['id']} has no Modified_Time", f"记录 {row['id']} 缺少 Modified_Time"
            ) from None
        by = row.get("Modified_By")
        return NativeRecord(
            object=object,
            native_id=str(row["id"]),
            fields={name: row[name] for name in fields if name in row},
            version=version_at(modified),
            modified_at=modified,
            modified_by=str(by["id"]) if isinstance(by, Mapping) and by.get("id") else None,
        )

    def widen(self, object: str, rows: Sequence[Row], fields: Sequence[str]) -> Sequence[Row]:
        """Completes rows: joins the columns that did not fit into the first call, by id, and what lists leave out."""
        return self.finish(object, self.join(object, rows, column_chunks(fields)[1:]), fields)

    def finish(self, object: str, rows: Sequence[Row], fields: Sequence[str]) -> Sequence[Row]:
        """Adds to rows what lists and queries leave out of them."""
        return self._completion.complete(object, rows, fields)

    def join(self, object: str, rows: Sequence[Row], chunks: Sequence[Sequence[str]]) -> Sequence[Row]:
        """Joins further columns to rows by their ids, a hundred a call."""
        if not chunks:
            return rows
        wide = {str(row["id"]): dict(row) for row in rows}
        calls = [(ids, chunk) for chunk in chunks for ids in _batched(wide, IDS_PER_CALL)]
        read = abreast(self.api.settings.workers, lambda call: self.rows_by_ids(object, *call), calls)
        for extra in (row for found in read for row in found):
            merge(wide[str(extra["id"])], extra)
        return list(wide.values())

    def by_ids(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, NativeRecord]:
        """Reads the visible ones among records by id, a hundred a call."""
        rows: list[Row] = []
        first = column_chunks(fields)[0]
        batches = list(_batched(dict.fromkeys(ids), IDS_PER_CALL))
        for found in abreast(self.api.settings.workers, lambda batch: self.rows_by_ids(object, batch, first), batches):
            rows += found
        return {record.native_id: record for record in self.records(object, self.widen(object, rows, fields), fields)}

    def rows_by_ids(self, object: str, ids: Sequence[str], columns: Sequence[str]) -> Sequence[Row]:
        """Reads the visible ones among at most a hundred records by a list of their ids."""
        wanted = [one for one in ids if one.isascii() and one.isdigit()]
        if not wanted:
            return ()
        params = {"ids": ",".join(wanted), "per_page": str(DELETED_PAGE)}
        answer = self.list_page(object, columns, params, None)
        if answer.status == 400 and answer.code == "INVALID_DATA" and field_of(answer.details) in (None, "id", "ids"):
            found = [self.row(object, one, columns) for one in wanted]
            return [row for row in found if row is not None]
        return [row for row in self.rows_of(answer, object, "read by id").rows if str(row["id"]) in set(wanted)]

    def row(self, object: str, native_id: str, columns: Sequence[str] = (), part: str = "") -> Row | None:
        """Reads one record whole, or of a part of it the named fields; None where it is not shown.

        Source: Zoho API v8 get-records: a single read takes no `fields`.
        """
        params = {"fields": ",".join(columns)} if part else {}
        answer = self.api.get(f"/{object}/{native_id}{part}", f"get {object}", params)
        unread = answer.status in (204, 304) or (part and answer.status == 400)
        if unread or (400 <= answer.status < 500 and answer.code in ABSENT):
            return None
        if not answer.ok:
            raise refusal(answer, self.api.system, object, "read one record")
        rows = answer.rows
        if not rows or not isinstance(rows[0], Mapping) or str(rows[0].get("id")) != native_id:
            raise self._broken(object, f"asked for {native_id}, got another record", f"请求 {native_id}，返回其他记录")
        return rows[0]

    def fetch(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Fetched]:
        """Reads records strongly; one is Gone only where the delete feed proves it."""
        found: dict[str, Fetched] = dict(self.by_ids(object, ids, fields))
        absent = [one for one in dict.fromkeys(ids) if one not in found]
        deleted = self._deleted_among(object, absent)
        for one in absent:
            found[one] = Gone(one) if one in deleted else self._fetch_one(object, one, fields)
        return {one: found[one] for one in ids}

    def _fetch_one(self, object: str, native_id: str, fields: Sequence[str]) -> Fetched:
        if not (native_id.isascii() and native_id.isdigit()):
            return NotVisible(native_id)
        row = self.row(object, native_id, column_chunks(fields)[0])
        if row is None:
            return NotVisible(native_id)
        return self.records(object, self.widen(object, [row], fields), fields)[0]

    def _deleted_among(self, object: str, ids: Sequence[str]) -> set[str]:
        left, proven = set(ids), set[str]()
        if not self.api.settings.deleted_feed:
            return proven
        page = 1
        while left and page * DELETED_PAGE <= self.api.settings.deleted_window_rows:
            rows = self.deleted_page(object, page, DELETED_PAGE, None)
            hits = left & {str(row["id"]) for row in rows.rows}
            proven |= hits
            left -= hits
            if not rows.more:
                break
            page += 1
        return proven

    def deleted_page(self, object: str, page: int, per_page: int, since: int | None) -> Rows:
        """Reads one page of the delete feed."""
        headers = {} if since is None else {"If-Modified-Since": self._since(since)}
        params = {"type": "all", "page": str(page), "per_page": str(per_page)}
        answer = self.api.get(f"/{object}/deleted", f"deleted {object}", params, headers=headers, cost=2)
        return self.rows_of(answer, object, "read the delete feed")

    def find(self, object: str, field: str, values: Sequence[str], fields: Sequence[str]) -> list[NativeRecord]:
        """Finds every record whose field equals one of the values, through COQL, which reads without index delay."""
        wanted = list(dict.fromkeys([*fields, field]))
        shown = wanted if self._queryable(object, wanted) else [field]
        found: dict[str, NativeRecord] = {}
        for batch in _batched(dict.fromkeys(values), VALUES_PER_QUERY):
            quoted = ", ".join(quote(value) for value in batch)
            rows = self._all_rows(object, columns_of(shown), f"{field} in ({quoted})")
            found |= {record.native_id: record for record in self.records(object, rows, shown)}
        if shown is not wanted:
            # What a list does not show yet stays as COQL saw it: that it is there matters most.
            found |= self.by_ids(object, list(found), wanted)
        return list(found.values())

    def _all_rows(self, object: str, columns: Sequence[str], condition: str) -> list[Row]:
        rows: list[Row] = []
        after = ""
        while True:
            page = self.query(object, columns, f"(({condition}) and (id > '{after}'))" if after else condition, 200)
            rows += page.rows
            if not page.more or not page.rows:
                return rows
            after = str(page.rows[-1]["id"])

    def _since(self, since: int) -> str:
        return stamp(since if self.api.settings.if_modified_since_inclusive else since - 1)

    def _broken(self, object: str, en: str, zh: str) -> ProtocolViolation:
        return violation(self.api.system, object, en, zh)


def columns_of(fields: Sequence[str]) -> list[str]:
    """Returns the columns to ask for: the fields and what makes a record out of them."""
    return [name for name in dict.fromkeys([*SYSTEM_COLUMNS, *fields]) if name != "id"]


def column_chunks(fields: Sequence[str]) -> list[list[str]]:
    """Splits fields over calls of fifty columns, each with Modified_Time."""
    columns = columns_of(fields)
    rest = columns[COLUMNS_PER_CALL:]
    size = COLUMNS_PER_CALL - 1
    return [columns[:COLUMNS_PER_CALL], *(["Modified_Time", *rest[i : i + size]] for i in range(0, len(rest), size))]


def merge(row: dict[str, Any], extra: Row) -> None:
    """Adds columns to a row; one edited between the calls keeps its older version, so that it is read again."""
    oldest = min(version(row["Modified_Time"]), version(extra["Modified_Time"]))
    row.update({**extra, "Modified_Time": oldest})


def _batched(values: Iterable[str], size: int) -> Iterator[list[str]]:
    remaining = iter(values)
    while batch := list(islice(remaining, size)):
        yield batch


def quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
