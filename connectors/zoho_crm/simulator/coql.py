"""Answers COQL queries from the records in memory."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, answer, empty
from connectors.zoho_crm.simulator.coql_parser import Both, Condition, Query, read_query
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row
from connectors.zoho_crm.simulator.values import SINGLE_READ

_OLD = ("v2", "v2.1", "v3")

Test = Callable[[Any], bool]
_HIGHEST = 10**20
"""Lies above every id."""


def run_query(org: Org, body: Any, version: str) -> tuple[Response, int, int]:
    """Answers POST /coql; returns the answer, its number of rows and the credits it costs."""
    text = body.get("select_query") if isinstance(body, dict) else None
    if not isinstance(text, str):
        raise Failure(400, "MANDATORY_NOT_FOUND", "required field not found", {"api_name": "select_query"})
    kept = org.settings
    old = version in _OLD
    walls = (kept.coql_rows_old, kept.coql_window_old) if old else (kept.coql_rows, kept.coql_window)
    query = read_query(text, *walls)
    store = org.modules.get(query.module)
    if store is None:
        raise Failure(400, "INVALID_QUERY", "invalid query formed", {"reason": "invalid module name given"})
    _check_columns(org, store, query)
    credits_needed = 1 if query.limit <= 200 else (2 if query.limit <= 1000 else 3)
    shown, more = _page(org, store, query)
    if not shown:
        return empty(204), 0, credits_needed
    show = _shower(org, store, query.columns)
    records = [show(row) for row in shown]
    notes = {"count": len(shown), "more_records": more}
    return answer({"data": records, "info": notes}), len(shown), credits_needed


def _check_columns(org: Org, store: ModuleStore, query: Query) -> None:
    def used(where: Condition | Both) -> list[str]:
        return [where.column] if isinstance(where, Condition) else used(where.left) + used(where.right)

    for column in (*query.columns, *used(query.where), *(name for name, _ in query.order)):
        head, _, tail = column.partition(".")
        spec = store.visible(head)
        target = org.modules.get(spec.lookup) if spec and spec.lookup else None
        unreadable = spec is not None and spec.data_type in SINGLE_READ
        if spec is None or unreadable or (tail and tail != "id" and (target is None or tail not in target.spec.fields)):
            details = {"column_name": column, "reason": "column given seems to be invalid"}
            raise Failure(400, "INVALID_QUERY", "invalid query formed", details)


def _page(org: Org, store: ModuleStore, query: Query) -> tuple[list[Row], bool]:
    """Returns the rows of the page and whether more follow; in the order of ids it stops where the page ends."""
    pending = org.settings.approval_in_lists
    found = (row for row in _found(org, store, query) if row.is_listed(pending) and _is_shown(org, row))
    if query.order in ((), (("id", False),)):
        rows = list(islice(found, query.offset, query.offset + query.limit + 1))
        return rows[: query.limit], len(rows) > query.limit
    ordered, end = _ordered(store, query, list(found)), query.offset + query.limit
    return ordered[query.offset : end], len(ordered) > end


def _is_shown(org: Org, row: Row) -> bool:
    return not row.converted or org.settings.converted_in_coql


def _found(org: Org, store: ModuleStore, query: Query) -> Iterator[Row]:
    """Yields the matching records in the order of their ids."""
    ids = _narrow(store, query.where)
    lowest, highest, exact = _span(query.where)
    if ids is None:
        within = range(bisect_left(store.by_id, lowest), bisect_right(store.by_id, highest))
        rows: Iterable[Row | None] = (store.rows[str(store.by_id[place])] for place in within)
    else:
        rows, exact = (store.live(record_id) for record_id in sorted(ids, key=int)), False
    test = _test(org, store, query.where)
    return (row for row in rows if row is not None and (exact or test(row)))


def _span(where: Condition | Both) -> tuple[int, int, bool]:
    """Returns the lowest and highest id that can match, and whether every id between them does."""
    if isinstance(where, Both):
        left, right = _span(where.left), _span(where.right)
        if where.joint == "or":
            return 0, _HIGHEST, False
        return max(left[0], right[0]), min(left[1], right[1]), left[2] and right[2]
    if where.column == "id" and where.operator == "is not null":
        return 0, _HIGHEST, True
    if where.column != "id" or where.operator not in _SPANS or not str(where.values[0]).isdigit():
        return 0, _HIGHEST, False
    return (*_SPANS[where.operator](int(str(where.values[0]))), True)


_SPANS: dict[str, Callable[[int], tuple[int, int]]] = {
    ">": lambda number: (number + 1, _HIGHEST),
    ">=": lambda number: (number, _HIGHEST),
    "<": lambda number: (0, number - 1),
    "<=": lambda number: (0, number),
}


def _narrow(store: ModuleStore, where: Condition | Both) -> set[str] | None:
    """Returns a superset of the matching ids where an index knows one; None means every record."""
    if isinstance(where, Both):
        left, right = _narrow(store, where.left), _narrow(store, where.right)
        if where.joint == "or":
            return None if left is None or right is None else left | right
        if left is None or right is None:
            return left if right is None else right
        return left & right
    if where.operator not in ("=", "in"):
        return None
    if where.column == "id":
        return {str(value) for value in where.values if str(value).isdigit()}
    if where.column in store.index:
        return set().union(*(store.holders(where.column, value) for value in where.values))
    return None


def _test(org: Org, store: ModuleStore, where: Condition | Both) -> Test:
    if isinstance(where, Both):
        left, right = _test(org, store, where.left), _test(org, store, where.right)
        if where.joint == "and":
            return lambda row: left(row) and right(row)
        return lambda row: left(row) or right(row)
    read = _reader(org, store, where.column)
    kind = _kind(org, store, where.column)
    values = tuple(_comparable(kind, value, where.column) for value in where.values)
    compare = _COMPARE[where.operator]
    return lambda row: compare(_normal(kind, read(row)), values)


def _kind(org: Org, store: ModuleStore, column: str) -> str:
    head, _, tail = column.partition(".")
    spec = store.spec.fields[head]
    if tail == "id" or head == "id" or (not tail and spec.data_type in ("lookup", "ownerlookup")):
        return "id"
    if tail:
        spec = org.modules[spec.lookup].spec.fields[tail]
    numbers = {"integer", "bigint", "double", "currency", "percent"}
    return "number" if spec.data_type in numbers else spec.data_type


def _reader(org: Org, store: ModuleStore, column: str) -> Callable[[Row], Any]:
    head, _, tail = column.partition(".")
    if tail and tail != "id":
        target = org.modules[store.spec.fields[head].lookup]

        def linked(row: Row) -> Any:
            other = target.live(row.fields[head]["id"]) if row.fields.get(head) else None
            return other.fields.get(tail) if other else None

        return linked
    return lambda row: row.fields.get(head)


def _comparable(kind: str, value: Any, column: str) -> Any:
    if kind in ("datetime", "date") and isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            details = {"column_name": column, "reason": "invalid value given"}
            raise Failure(400, "INVALID_QUERY", "invalid query formed", details) from None
    return _normal(kind, value)


def _normal(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "id":
        text = str(value["id"] if isinstance(value, dict) else value)
        return int(text) if text.isdigit() else -1
    if kind == "datetime":
        return datetime.fromisoformat(value).timestamp()
    if kind == "number":
        return float(value)
    return value if isinstance(value, bool) else str(value).casefold()


def _like(value: Any, values: tuple[Any, ...]) -> bool:
    pattern = "".join(".*" if part == "%" else re.escape(part) for part in re.split("(%)", str(values[0])))
    return value is not None and re.fullmatch(pattern, str(value), re.DOTALL) is not None


_COMPARE: dict[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "=": lambda value, given: value == given[0],
    "!=": lambda value, given: value is not None and value != given[0],
    ">": lambda value, given: value is not None and value > given[0],
    ">=": lambda value, given: value is not None and value >= given[0],
    "<": lambda value, given: value is not None and value < given[0],
    "<=": lambda value, given: value is not None and value <= given[0],
    "in": lambda value, given: value in given,
    "not in": lambda value, given: value is not None and value not in given,
    "between": lambda value, given: value is not None and given[0] <= value <= given[1],
    "not between": lambda value, given: value is not None and not given[0] <= value <= given[1],
    "like": _like,
    "not like": lambda value, given: value is not None and not _like(value, given),
    "is null": lambda value, given: value is None,
    "is not null": lambda value, given: value is not None,
}


def _ordered(store: ModuleStore, query: Query, rows: list[Row]) -> list[Row]:
    for name, descending in reversed(query.order):
        spec = store.spec.fields[name.partition(".")[0]]
        kind = "id" if name == "id" else ("datetime" if spec.data_type == "datetime" else "text")

        def key(row: Row, name: str = name, kind: str = kind) -> tuple[bool, Any]:
            value = _normal(kind, row.fields.get(name))
            return value is not None, value if value is not None else 0

        rows.sort(key=key, reverse=descending)
    return rows


def _shower(org: Org, store: ModuleStore, columns: tuple[str, ...]) -> Callable[[Row], dict[str, Any]]:
    """Returns how a query shows a row: linked records with their id only, and always the id."""
    reads = [(column, _reader(org, store, column)) for column in columns]

    def show(row: Row) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for column, read in reads:
            value = read(row)
            if value.__class__ is dict and "id" in value:
                value = value["id"] if column.endswith(".id") else {"id": value["id"]}
            shown[column] = value
        shown["id"] = row.record_id
        return shown

    return show


def condition_test(org: Org, store: ModuleStore, where: Condition | Both) -> Callable[[Row], bool]:
    """Returns what tells whether a record matches; raises Failure for a value that its column cannot hold."""
    test: Callable[[Row], bool] = _test(org, store, where)
    return test
