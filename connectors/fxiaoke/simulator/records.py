"""The records of one object: what is committed, and what the search index has already noticed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from connectors.fxiaoke.simulator.schema import LOOKUP_TYPES, ObjectType

Record = Mapping[str, Any]
"""One stored record in wire form without empty fields; never changed in place, always replaced."""


class ValueIndex:
    """Finds record ids by the exact value of some fields."""

    def __init__(self, names: Iterable[str]) -> None:
        self.by_field: dict[str, dict[Any, set[str]]] = {name: {} for name in names}

    def add(self, record: Record) -> None:
        """Notes a record's values."""
        for name, ids in self.by_field.items():
            value = record.get(name)
            if isinstance(value, str):
                ids.setdefault(value, set()).add(record["_id"])

    def discard(self, record: Record) -> None:
        """Forgets a record's values."""
        for name, ids in self.by_field.items():
            value = record.get(name)
            if isinstance(value, str) and value in ids:
                ids[value].discard(record["_id"])
                if not ids[value]:
                    del ids[value]

    def ids(self, name: str, value: Any) -> set[str]:
        """Returns the ids of the records whose field has exactly this value."""
        return self.by_field[name].get(value, set())


class SearchView:
    """The search index: records as `query` sees them, sorted by id and by modified time."""

    def __init__(self, indexed_fields: Iterable[str]) -> None:
        self.records: dict[str, Record] = {}
        self.ids: list[str] = []
        self.modified: list[tuple[int, str]] = []
        self.values = ValueIndex(indexed_fields)

    def load(self, records: Iterable[Record]) -> None:
        """Takes many records at once."""
        for record in records:
            self.records[record["_id"]] = record
            self.values.add(record)
        self.ids = sorted(self.records)
        self.modified = sorted((record["last_modified_time"], key) for key, record in self.records.items())

    def replace(self, record_id: str, record: Record | None) -> None:
        """Takes a record's new state; None removes it."""
        old = self.records.pop(record_id, None)
        if old is not None:
            self.values.discard(old)
            del self.modified[bisect_left(self.modified, (old["last_modified_time"], record_id))]
        if record is not None:
            self.records[record_id] = record
            self.values.add(record)
            insort(self.modified, (record["last_modified_time"], record_id))
        if old is None and record is not None:
            insort(self.ids, record_id)
        elif old is not None and record is None:
            del self.ids[bisect_left(self.ids, record_id)]


def _kind_of(old: Record | None, new: Record) -> str:
    """Names what happened to a record, as events tell it."""
    if old is None:
        return "create"
    before, after = bool(old.get("is_deleted")), bool(new.get("is_deleted"))
    return "update" if before is after else ("invalid" if after else "recover")


class Table:
    """All records of one object; writes are committed at once and reach the search index after the lag."""

    def __init__(self, kind: ObjectType, now: Callable[[], float], lag: Callable[[], float]) -> None:
        self.kind = kind
        self.hidden: set[str] = set()
        self.told: Callable[[str, str], None] = lambda record_id, kind: None
        self._now = now
        self._lag = lag
        lookups = (name for name, found in kind.fields.items() if found.type in LOOKUP_TYPES)
        indexed = {*kind.uniques(), *lookups, "name", "tel", "uniform_social_credit_code"}
        self._live: dict[str, Record] = {}
        self._values = ValueIndex(indexed)
        self._view = SearchView(indexed)
        self._waiting: deque[tuple[float, str, Record | None]] = deque()

    def __len__(self) -> int:
        return len(self._live)

    def load(self, records: Iterable[Record]) -> None:
        """Takes records that have been there for long, so that the index knows them already."""
        for record in records:
            self._live[record["_id"]] = record
            self._values.add(record)
        self._view.load(self._live.values())

    def get(self, record_id: str) -> Record | None:
        """Returns the committed state of a record, or None."""
        return self._live.get(record_id)

    def all(self) -> list[dict[str, Any]]:
        """Returns every committed record, invalid ones included."""
        return [dict(record) for record in self._live.values()]

    def put(self, record: Record) -> None:
        """Commits a record's new state."""
        old = self._live.get(record["_id"])
        self.told(record["_id"], _kind_of(old, record))
        if old is not None:
            self._values.discard(old)
        self._live[record["_id"]] = record
        self._values.add(record)
        self._waiting.append((self._now(), record["_id"], record))

    def remove(self, record_id: str) -> None:
        """Removes a record for good."""
        self.told(record_id, "delete")
        self._values.discard(self._live.pop(record_id))
        self._waiting.append((self._now(), record_id, None))

    def with_value(self, name: str, value: Any) -> list[Record]:
        """Returns the committed records whose field has exactly this value."""
        if name in self._values.by_field:
            return [self._live[key] for key in self._values.ids(name, value)]
        return [record for record in self._live.values() if record.get(name) == value]

    def view(self) -> SearchView:
        """Returns the search index, after it has taken what is older than the lag."""
        now = self._now()
        due = now - self._lag()
        # A write from the future means that a tester has set the clock back; it must not block the others.
        while self._waiting and not due < self._waiting[0][0] <= now:
            _, record_id, record = self._waiting.popleft()
            self._view.replace(record_id, record)
        return self._view
