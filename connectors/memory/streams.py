"""The change stream, the delete feed and the enumeration of a memory system.

A change stream first lists everything by id, then polls from `since` on: inclusive, ordered by (time, id) and resumed
inside a tie. `since` becomes the server's time at the start of the run less the visibility lag, never later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any
from zlib import crc32

from connectors.base import Bound, Cursor, Deletes, IdPage, NativeRecord, Page
from connectors.errors import CursorExpired
from connectors.memory.faults import FaultKind
from connectors.memory.system import MemorySystem, Row
from connectors.memory.writing import show, version_of

Found = tuple[str, Row]
Only = Mapping[str, Sequence[str]]
"""Fields and the values that a record must have to be listed."""
_EVERYTHING: Only = MappingProxyType({})
Key = Callable[[Found], list[Any]]


def read_changes(
    system: MemorySystem,
    object: str,
    fields: Sequence[str],
    cursor: Cursor | None,
    limit: int,
    fault: FaultKind | None,
    bound: Bound | None = None,
    only: Only = _EVERYTHING,
) -> Page:
    """Reads a page of the change stream; a listing leaves out what is of no use. Raises CursorExpired."""
    can = system.table(object).capabilities
    state = open_cursor(system, object, "changes", cursor)
    listing = state["since"] is None

    def key(found: Found) -> list[Any]:
        if listing:
            return [found[0]]
        return [system.stamp(object, found[1]), found[0]] if can.sorted_by_cursor else [_scatter(found[0]), found[0]]

    def wanted(found: Found) -> bool:
        if found[1].deleted and (listing or can.deletes != Deletes.FLAG):
            return False
        if listing:
            return _is_wanted(found[1], bound, only)
        return bool(system.stamp(object, found[1]) >= state["since"])

    page, state, complete = _take(system, object, state, limit, fault, key, wanted)
    if complete and not can.incremental:
        state["since"] = None
    if fault == FaultKind.STALE:
        page = [_older(system, object, found) for found in page]
    records = [show(system, object, native_id, row, fields) for native_id, row in page]
    return Page(_arrange(system, records, fault), state, complete)


def read_deletions(
    system: MemorySystem, object: str, cursor: Cursor | None, limit: int, fault: FaultKind | None
) -> Page:
    """Reads a page of the delete feed, which begins with the oldest tombstone. Raises CursorExpired."""
    state = open_cursor(system, object, "deletions", cursor)

    def key(found: Found) -> list[Any]:
        return [system.stamp(object, found[1]), found[0]]

    def wanted(found: Found) -> bool:
        return found[1].deleted and (state["since"] is None or system.stamp(object, found[1]) >= state["since"])

    page, state, complete = _take(system, object, state, limit, fault, key, wanted)
    records = [show(system, object, native_id, row, ()) for native_id, row in page]
    return Page(_arrange(system, records, fault), state, complete)


def read_ids(
    system: MemorySystem,
    object: str,
    cursor: Cursor | None,
    limit: int,
    fault: FaultKind | None,
    bound: Bound | None = None,
    only: Only = _EVERYTHING,
) -> IdPage:
    """Reads a page of the enumeration, without what is of no use. Raises CursorExpired."""
    can = system.table(object).capabilities
    state = open_cursor(system, object, "ids", cursor)

    def wanted(found: Found) -> bool:
        return not found[1].deleted and _is_wanted(found[1], bound, only)

    page, state, complete = _take(system, object, state, limit, fault, lambda found: [found[0]], wanted)
    if fault == FaultKind.TRUNCATED:
        page, complete = page[: len(page) // 2], True
    ids = tuple((native_id, version_of(can, native_id, row)) for native_id, row in page)
    return IdPage(ids, state, complete)


def count_visible(system: MemorySystem, object: str, bound: Bound | None, only: Only = _EVERYTHING) -> int:
    """Counts what an enumeration has before it."""
    return sum(not row.deleted and _is_wanted(row, bound, only) for _, row in visible(system, object))


def _is_wanted(row: Row, bound: Bound | None, only: Only) -> bool:
    return not _too_early(row, bound) and all(row.fields.get(name) in values for name, values in only.items())


def _too_early(row: Row, bound: Bound | None) -> bool:
    value = None if bound is None else row.fields.get(bound.field)
    if bound is None or value is None:
        return False
    return bool(_moment(value) < _moment(bound.earliest))


def _moment(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def visible(system: MemorySystem, object: str) -> Iterator[Found]:
    """Yields what the index shows to the connector, deleted records included."""
    table = system.table(object)
    for native_id in table.rows:
        row = None if native_id in table.hidden_records else system.indexed(object, native_id)
        if row is not None:
            yield native_id, row


def open_cursor(system: MemorySystem, object: str, stream: str, cursor: Cursor | None) -> dict[str, Any]:
    """Returns a cursor's state, or a first one. Raises CursorExpired for one of another system, object or epoch."""
    ours = {"system": system.name, "object": object, "stream": stream, "epoch": system.cursor_epoch}
    if cursor is None:
        return {**ours, "since": None, "after": None, "started": None}
    if any(cursor.get(name) != value for name, value in ours.items()):
        raise CursorExpired(
            f"{system.name} {object}: the stored position is not valid here; a full listing follows",
            f"{system.name} {object}:保存的读取位置已失效,将重新完整读取",
            system=system.name,
            object=object,
        )
    return dict(cursor)


def _take(
    system: MemorySystem,
    object: str,
    state: dict[str, Any],
    limit: int,
    fault: FaultKind | None,
    key: Key,
    wanted: Callable[[Found], bool],
) -> tuple[list[Found], dict[str, Any], bool]:
    """Takes the next page in the order of `key` and moves the state behind it."""
    can = system.table(object).capabilities
    limit = max(1, min(limit, can.page_size))
    if fault == FaultKind.DUPLICATE:
        limit = max(1, limit // 2)
    now = system.clock.now()
    started = now if state["started"] is None else min(now, float(state["started"]))
    found = sorted((each for each in visible(system, object) if wanted(each)), key=key)
    after = state["after"]
    left = found if after is None else [each for each in found if key(each) > list(after)]
    page, complete = left[:limit], len(left) <= limit
    if not complete:
        return page, {**state, "started": started, "after": key(page[-1])}, False
    until = (started - can.visibility_lag) // can.cursor_resolution * can.cursor_resolution
    since = until if state["since"] is None else max(until, state["since"])
    return page, {**state, "since": since, "after": None, "started": None}, True


def _arrange(system: MemorySystem, records: list[NativeRecord], fault: FaultKind | None) -> tuple[NativeRecord, ...]:
    if fault == FaultKind.DUPLICATE:
        records = records + records
    if fault in (FaultKind.DUPLICATE, FaultKind.REORDER):
        system.faults.rng.shuffle(records)
    return tuple(records)


def _older(system: MemorySystem, object: str, found: Found) -> Found:
    """Returns the state before the current one where that one is younger than the visibility lag."""
    native_id, row = found
    table = system.table(object)
    versions = table.rows[native_id]
    position = versions.index(row)
    if position == 0 or system.clock.now() - row.committed_at > table.capabilities.visibility_lag:
        return found
    before = versions[position - 1]
    return found if before.deleted else (native_id, before)


def _scatter(native_id: str) -> int:
    return crc32(native_id.encode())
