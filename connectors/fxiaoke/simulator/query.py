"""The search of `query`: filters, order, paging walls. Source: Fxiaoke data/query and deep-paging pages."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from connectors.fxiaoke.simulator.filters import Filter, read_filters
from connectors.fxiaoke.simulator.records import Record, SearchView
from connectors.fxiaoke.simulator.refusal import OFFSET_OUT_OF_RANGE, Refusal, bad_parameter
from connectors.fxiaoke.simulator.schema import ObjectType
from connectors.fxiaoke.simulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Search:
    """One search, read and checked."""

    limit: int
    offset: int
    filters: tuple[Filter, ...]
    orders: tuple[tuple[str, bool], ...]
    projection: tuple[str, ...]
    counted: bool
    invalid_too: bool
    total_cap: int = 0
    """What is counted at most, as search engines do; 0 counts all."""
    long_ids_last: bool = False
    """Whether ids of 32 digits follow those of 24, although a filter compares them as text."""

    @property
    def by_id(self) -> bool:
        """Tells whether the order is ascending by id alone, as deep paging wants it."""
        return self.orders == (("_id", True),)


def read_search(body: Mapping[str, Any], kind: ObjectType, settings: Settings, to_user: Callable[[Any], Any]) -> Search:
    """Reads the `data` of a query; raises Refusal where the vendor refuses it."""
    info = body.get("search_query_info")
    if not isinstance(info, dict):
        raise bad_parameter("search_query_info")
    limit, offset = _page(info, settings)
    filters = read_filters(info.get("filters"), kind, settings, to_user)
    named = {item.name for item in filters}
    return Search(
        limit=limit,
        offset=offset,
        filters=filters,
        orders=_orders(info.get("orders"), kind, settings),
        projection=tuple(_texts(info.get("fieldProjection", info.get("field_projection")), "fieldProjection")),
        counted=body.get("find_explicit_total_num", True) is not False,
        invalid_too=settings.invalid_listed
        or (settings.invalid_queryable and bool(named & {"life_status", "is_deleted"})),
        total_cap=settings.total_cap,
        long_ids_last=settings.id_order == "length",
    )


def run_search(search: Search, view: SearchView, hidden: set[str], ties: Random | None) -> tuple[list[Record], int]:
    """Returns one page and the total, which is 0 when nobody asked for it.

    `ties` mixes records that are equal in the order, differently at each call, as replicas of an index do.
    """

    def wanted(record: Record) -> bool:
        if record.get("is_deleted") and not search.invalid_too:
            return False
        return record["_id"] not in hidden and all(item.accepts(record) for item in search.filters)

    found: Iterator[Record] = filter(wanted, _candidates(search, view))
    end = search.offset + search.limit
    if search.by_id and not search.counted and not search.long_ids_last:
        page = [record for _, record in zip(range(end), found, strict=False)]
        return page[search.offset :], 0
    every = list(found)
    if not search.by_id:
        if ties is not None:
            ties.shuffle(every)
        for name, ascending in reversed(search.orders):
            every.sort(key=partial(_sort_key, name), reverse=not ascending)
    elif search.long_ids_last:
        every.sort(key=lambda record: (len(record["_id"]), record["_id"]))
    total = len(every) if search.counted else 0
    return every[search.offset : end], min(total, search.total_cap) if search.total_cap else total


def _page(info: Mapping[str, Any], settings: Settings) -> tuple[int, int]:
    limit = _whole(info.get("limit"), "limit")
    offset = _whole(info.get("offset", 0), "offset")
    if limit < 1 or offset < 0:
        raise bad_parameter("limit" if limit < 1 else "offset")
    if limit > settings.max_limit:
        if settings.over_limit == "reject":
            raise bad_parameter("limit")
        limit = settings.max_limit
    if offset > settings.max_offset:
        if settings.offset_out_of_range == "reject":
            text = f"offset out of range {settings.max_offset}"
            raise Refusal(OFFSET_OUT_OF_RANGE, text, f"offset 不能超过{settings.max_offset}")
        offset = settings.max_offset
    if offset % limit:
        if settings.uneven_offset == "reject":
            raise bad_parameter("offset")
        offset -= offset % limit
    return limit, offset


def _orders(orders: Any, kind: ObjectType, settings: Settings) -> tuple[tuple[str, bool], ...]:
    if orders is not None and not isinstance(orders, list):
        raise bad_parameter("orders")
    read: list[tuple[str, bool]] = []
    for item in orders or []:
        name = item.get("fieldName") if isinstance(item, dict) else None
        if not isinstance(name, str) or name not in kind.fields:
            raise bad_parameter("orders.fieldName")
        read.append((name, str(item.get("isAsc", True)).lower() == "true"))
    if len(read) > 1:
        if settings.multi_field_sort == "reject":
            raise bad_parameter("orders")
        if settings.multi_field_sort == "first":
            read = read[:1]
    return tuple(read) or ((settings.default_order, False),)


def _candidates(search: Search, view: SearchView) -> Iterator[Record]:
    """Yields the records that may match, in id order, by the narrowest index that a filter allows."""
    low_id = ""
    window: tuple[float, float] | None = None
    for item in search.filters:
        exact = item.exact_values()
        if exact is not None and item.name == "_id":
            return (view.records[key] for key in sorted(exact) if key in view.records)
        if exact is not None and item.name in view.values.by_field:
            ids = sorted(set().union(*(view.values.ids(item.name, value) for value in exact)))
            return (view.records[key] for key in ids)
        if item.name == "_id" and item.operator in {"GT", "GTE"}:
            low_id = max(low_id, str(item.values[0]))
        if item.name == "last_modified_time" and window is None:
            window = item.bounds()
    start = bisect_left(view.ids, low_id)
    if window is not None:
        low = bisect_left(view.modified, (window[0],))
        high = bisect_right(view.modified, (window[1], "\uffff"))
        if high - low < (len(view.ids) - start) // 4:
            return (view.records[key] for key in sorted(key for _, key in view.modified[low:high]))
    return (view.records[view.ids[at]] for at in range(start, len(view.ids)))


def _sort_key(name: str, record: Record) -> tuple[int, Any]:
    value = record.get(name)
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, int | float) else (2, str(value))


def _whole(value: Any, name: str) -> int:
    if isinstance(value, str) and value.isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_parameter(name)
    return value


def _texts(value: Any, name: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise bad_parameter(name)
    return value
