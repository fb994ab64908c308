"""Reads records by COQL in the order of their ids, from one id to another, however many columns they have.

Source: Zoho API v8 COQL, COQL-Limitations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import Bound, NativeRecord
from connectors.errors import TooLarge
from connectors.zoho_crm.abreast import abreast
from connectors.zoho_crm.answers import refusal
from connectors.zoho_crm.modules import ONLY_LISTED
from connectors.zoho_crm.reading import (
    COLUMNS_PER_CALL,
    SYSTEM_COLUMNS,
    Reader,
    Row,
    Rows,
    column_chunks,
    columns_of,
    merge,
    quote,
)

_SELECTED = COLUMNS_PER_CALL - 1
"""Columns of one query; the id comes along unasked."""
FEWEST_ROWS = 200
"""Rows that every version of the vendor's documents grants one query."""
_TIERS = (200, 1000, 2000)
"""Rows up to which a query costs one credit, two and three."""


@dataclass(frozen=True, slots=True)
class Window:
    """Is a part of a module: the records after one id and until another, without those before a bound."""

    after: str | None = None
    until: str | None = None
    bound: Bound | None = None

    def condition(self) -> str:
        """Returns the where clause; criteria stand in brackets pairwise, as COQL wants them."""
        ends = [f"id > '{self.after}'"] if self.after else []
        ends += [f"id <= '{self.until}'"] if self.until else []
        text = f"({ends[0]}) and ({ends[1]})" if len(ends) == 2 else (ends or ["id is not null"])[0]
        if self.bound is None:
            return text
        old = f"({self.bound.field} >= {quote(str(self.bound.earliest))}) or ({self.bound.field} is null)"
        return f"({text}) and ({old})"


class _Unselectable(Exception):
    """Says that a query named a column which COQL does not select for this connection."""


class Keyset:
    """Reads windows of modules for one connection and learns what its COQL cannot do."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._catalogue = reader, reader.catalogue
        self._settings = reader.api.settings
        self._most_rows = self._settings.coql_page_size
        self._fitting: dict[str, int] = {}

    def page_size(self, object: str) -> int:
        """Returns how many rows one query may ask for and an answer can hold, as far as is known."""
        return min(self._most_rows, self._fitting.get(object, self._most_rows))

    def suits(self, object: str, fields: Sequence[str]) -> bool:
        """Tells whether `listing: auto` reads a complete listing by query: where a list cannot show all fields at once.

        2,000 rows of C columns, in calls / credits. A list shows 50 columns of 200 rows a call, the other columns are
        joined by reads of 100 ids; a query selects 49 columns of 2,000 rows for 3 credits, `out` says that some of the
        columns cannot be selected and are read by id.
          C        list                      COQL                   COQL, out
          <= 50    10 / 10                   1-2 / 3-6              21-22 / 23-26
          120      10 + 2 x 20 = 50 / 50     3 / 9                  23 / 29
        Up to 50 columns the list stays the choice: it needs no scope for queries and shows the names of lookups.
        """
        return len(columns_of(fields)) > COLUMNS_PER_CALL and object not in ONLY_LISTED

    def page(
        self, object: str, fields: Sequence[str], window: Window, limit: int
    ) -> tuple[tuple[NativeRecord, ...], Rows]:
        """Reads the first records of a window: selected columns by query, what cannot be selected by their ids."""
        while True:
            try:
                return self._page(object, fields, window, limit)
            except _Unselectable:
                continue

    def _page(
        self, object: str, fields: Sequence[str], window: Window, limit: int
    ) -> tuple[tuple[NativeRecord, ...], Rows]:
        selected, aside = self._split(object, fields)
        chunks = [selected[:_SELECTED], *_chunked(selected[_SELECTED:])]
        page = self._ask(object, chunks[0], window, limit)
        rows: Sequence[Row] = page.rows
        if rows and len(chunks) > 1:
            rows = self._joined(object, rows, chunks[1:], window)
        if rows and aside:
            rows = self._reader.join(object, rows, column_chunks(aside))
        return self._reader.records(object, self._reader.finish(object, rows, fields), fields), page

    def _split(self, object: str, fields: Sequence[str]) -> tuple[list[str], list[str]]:
        """Returns the columns that are selected and those that are read by id; what nobody can see is in neither."""
        known, refused = self._catalogue.known(object), self._catalogue.refused(object)
        columns = columns_of(fields)
        single = {*self._settings.single_read_fields, *(known.single if known else ())}
        fresh = self._catalogue.fresh(object)
        absent = set(columns) - fresh.names - set(SYSTEM_COLUMNS) if fresh is not None else set()
        absent = {name for name in absent if name[0] != "$"}
        out = {*self._settings.coql_unreadable, *refused}
        wanted = [name for name in columns if name not in single and name not in absent]
        aside = [name for name in wanted if name in out or name[0] == "$"]
        return [name for name in wanted if name not in aside], aside

    def _joined(self, object: str, rows: Sequence[Row], chunks: Sequence[Sequence[str]], window: Window) -> list[Row]:
        """Joins further columns of the same records; one that a later query does not show is read by its id."""
        same = Window(window.after, str(rows[-1]["id"]), window.bound)
        read = abreast(
            self._settings.workers, lambda chunk: self._ask(object, chunk, same, _tier(len(rows))).rows, chunks
        )
        wide: dict[str, dict[str, Any]] = {str(row["id"]): dict(row) for row in rows}
        for chunk, found in zip(chunks, read, strict=True):
            there = {str(row["id"]): row for row in found if str(row["id"]) in wide}
            missing = [one for one in wide if one not in there]
            if missing:
                by_id = self._reader.join(object, [wide[one] for one in missing], [chunk])
                wide |= {str(row["id"]): dict(row) for row in by_id}
            for native_id, row in there.items():
                merge(wide[native_id], row)
        return list(wide.values())

    def _ask(self, object: str, columns: Sequence[str], window: Window, limit: int) -> Rows:
        while True:
            size = min(limit, self.page_size(object))
            try:
                answer = self._reader.ask_coql(object, columns, window.condition(), size)
            except TooLarge:
                if size == 1:
                    raise
                self._fitting[object] = max(1, size // 4)
                continue
            if answer.code == "LIMIT_EXCEEDED" and size > FEWEST_ROWS:
                # The documents of the vendor name 200 and 2,000 rows; this organisation has the older limit.
                self._most_rows = FEWEST_ROWS
                continue
            if answer.code == "INVALID_QUERY" and self._learns(object, columns, answer.details.get("column_name")):
                raise _Unselectable
            if not answer.ok:
                raise refusal(answer, self._reader.api.system, object, "COQL")
            return self._reader.rows_of(answer, object, "COQL")

    def _learns(self, object: str, columns: Sequence[str], named: object) -> bool:
        """Notes the columns that cannot be selected: the one that was named, and all that metadata do not know."""
        if named not in columns:
            return False
        known = self._catalogue.learn(object)
        strange = {name for name in columns if known is not None and name not in known.names}
        return self._catalogue.refuse(object, {str(named), *strange})


def _tier(rows: int) -> int:
    """Returns the most rows that cost no more than so many: room for what comes back while a page is read."""
    return next((tier for tier in _TIERS if rows <= tier), rows)


def _chunked(columns: Sequence[str]) -> list[list[str]]:
    size = _SELECTED - 1
    return [["Modified_Time", *columns[at : at + size]] for at in range(0, len(columns), size)]
