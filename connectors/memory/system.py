"""A vendor in memory: objects with versions, an index that lags, deletes, merges, permissions and rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any
from zlib import crc32

from connectors.base import Capabilities, Clock, Deletes, FieldDescription, ObjectDescription
from connectors.errors import SchemaDrift
from connectors.memory.faults import Faults

FULL = Capabilities(
    sorted_by_cursor=True,
    deletes=Deletes.FEED,
    merge_feed=True,
    conditional_write=True,
    external_key_unique=True,
    strong_read_by_key=True,
    can_restore=True,
    returns_nulls=True,
    shows_actor=True,
    ordered_versions=True,
    batch_size=100,
    page_size=200,
)
"""Every capability present; switch some off with dataclasses.replace."""

PERSON = "person"
REMOTE = "hub"


@dataclass(frozen=True, slots=True)
class Row:
    """Is one committed state of a record; `visible_at` is when the index shows it."""

    fields: Mapping[str, Any] = field(repr=False)
    version: int
    committed_at: float
    visible_at: float
    by: str
    deleted: bool = False
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Is one entry of the change log; `fields` are the changed fields as stored, `hub_id` is set on remote writes."""

    object: str
    native_id: str
    op: str
    by: str
    at: float
    version: int
    fields: Mapping[str, Any] = field(repr=False)
    hub_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Refuses values of a field for which `test` is true, with a code."""

    field: str
    test: Callable[[Any], bool]
    code: str


@dataclass(slots=True)
class Table:
    """Keeps one object."""

    label: str
    key_field: str
    capabilities: Capabilities
    fields: dict[str, FieldDescription]
    rows: dict[str, list[Row]] = field(default_factory=dict, repr=False)
    hidden_fields: set[str] = field(default_factory=set)
    hidden_records: set[str] = field(default_factory=set)
    locked_records: set[str] = field(default_factory=set)
    rewrites: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)


class MemorySystem:
    """Is the vendor's side: what its people do, and the store that MemoryConnector reads and writes.

    Threads may share it. `clock` is the vendor's own; ids count upward unless `new_id` is given.
    `log` holds every commit, `calls` counts what the connector asked, `faults` what goes wrong.
    """

    def __init__(
        self,
        clock: Clock,
        name: str = "memory",
        *,
        seed: int = 0,
        faults: Faults | None = None,
        new_id: Callable[[], str] | None = None,
        token: str | None = None,
        shows_written: bool = True,
    ) -> None:
        self.clock, self.name, self.seed, self.token, self.shows_written = clock, name, seed, token, shows_written
        self.faults = faults or Faults(seed)
        self.lock = RLock()
        self.log: list[Commit] = []
        self.calls: Counter[str] = Counter()
        self.tables: dict[str, Table] = {}
        self.cursor_epoch = 0
        self.session_epoch = 0
        self._new_id = new_id
        self._version = 0
        self._ids = 0

    def __repr__(self) -> str:
        return f"MemorySystem({self.name})"

    # The schema, as its administrator keeps it.

    def add_object(
        self,
        object: str,
        fields: Iterable[str | FieldDescription],
        capabilities: Capabilities = FULL,
        *,
        key_field: str = "hub_id",
        label: str | None = None,
    ) -> None:
        """Adds an object, with its external key field where declared; a field given by name alone is a text."""
        described = [FieldDescription(each, each, "text") if isinstance(each, str) else each for each in fields]
        named = {each.api_name: each for each in described}
        if capabilities.external_key_field and key_field not in named:
            named[key_field] = FieldDescription(key_field, key_field, "text", unique=capabilities.external_key_unique)
        self.tables[object] = Table(label or object, key_field, capabilities, named)

    def set_capabilities(self, object: str, capabilities: Capabilities) -> None:
        """Changes what an object can do."""
        self.table(object).capabilities = capabilities

    def set_field(self, object: str, described: FieldDescription) -> None:
        """Adds or retypes a field."""
        self.table(object).fields[described.api_name] = described

    def drop_field(self, object: str, name: str) -> None:
        """Removes a field from the schema; its values stay unseen."""
        del self.table(object).fields[name]

    def describe(self, object: str) -> ObjectDescription:
        """Describes an object without the fields that permissions hide."""
        with self.lock:
            table = self.table(object)
            shown = {name: each for name, each in table.fields.items() if name not in table.hidden_fields}
            return ObjectDescription(object, table.label, shown)

    def hide_field(self, object: str, name: str) -> None:
        """Takes the connector's permission on a field."""
        self.table(object).hidden_fields.add(name)

    def show_field(self, object: str, name: str) -> None:
        """Gives the permission back."""
        self.table(object).hidden_fields.discard(name)

    def hide_record(self, object: str, native_id: str) -> None:
        """Takes the connector's permission on a record."""
        self.table(object).hidden_records.add(native_id)

    def show_record(self, object: str, native_id: str) -> None:
        """Gives the permission back; the record's modified time does not move, as with most vendors."""
        self.table(object).hidden_records.discard(native_id)

    def lock_record(self, object: str, native_id: str, locked: bool = True) -> None:
        """Lets nobody write a record through the connector for now, or again."""
        (self.table(object).locked_records.add if locked else self.table(object).locked_records.discard)(native_id)

    def refuse(self, object: str, name: str, test: Callable[[Any], bool], code: str = "validation") -> None:
        """Adds a validation rule for remote writes."""
        self.table(object).rules.append(Rule(name, test, code))

    def accept(self, object: str) -> None:
        """Removes the validation rules of an object."""
        self.table(object).rules.clear()

    def rewrite(self, object: str, name: str, rewritten: Callable[[Any], Any]) -> None:
        """Rewrites a field on every save, as a vendor's formatting or automation does."""
        self.table(object).rewrites[name] = rewritten

    def expire_cursors(self) -> None:
        """Makes every cursor given out so far end in CursorExpired."""
        self.cursor_epoch += 1

    def expire_sessions(self) -> None:
        """Makes every session end; the connector signs in again."""
        self.session_epoch += 1

    # What people do in its screens.

    def create(self, object: str, fields: Mapping[str, Any], *, native_id: str | None = None, by: str = PERSON) -> str:
        """Creates a record and returns its id."""
        with self.lock:
            native_id = native_id or self._next_id()
            if native_id in self.table(object).rows:
                raise ValueError(f"{object} {native_id} exists")
            self.commit(object, native_id, "create", fields, by)
            return native_id

    def edit(self, object: str, native_id: str, fields: Mapping[str, Any], *, by: str = PERSON) -> None:
        """Edits a live record."""
        with self.lock:
            if self.current(object, native_id).deleted:
                raise ValueError(f"{object} {native_id} is deleted")
            self.commit(object, native_id, "update", fields, by)

    def delete(self, object: str, native_id: str, *, by: str = PERSON) -> None:
        """Deletes a live record into the bin."""
        with self.lock:
            if self.current(object, native_id).deleted:
                raise ValueError(f"{object} {native_id} is deleted")
            self.commit(object, native_id, "delete", {}, by, deleted=True)

    def restore(self, object: str, native_id: str, *, by: str = PERSON) -> None:
        """Takes a record back from the bin."""
        with self.lock:
            if not self.current(object, native_id).deleted:
                raise ValueError(f"{object} {native_id} is not deleted")
            self.commit(object, native_id, "restore", {}, by)

    def merge(
        self,
        object: str,
        loser: str,
        survivor: str,
        fields: Mapping[str, Any] | None = None,
        *,
        by: str = PERSON,
    ) -> None:
        """Merges the loser into the survivor, which takes the given fields."""
        with self.lock:
            if loser == survivor or self.current(object, loser).deleted or self.current(object, survivor).deleted:
                raise ValueError(f"{object}: a merge needs two live records")
            self.commit(object, loser, "merge", {}, by, deleted=True, merged_into=survivor)
            self.commit(object, survivor, "update", fields or {}, by)

    # What a test reads.

    def records(self, object: str) -> dict[str, dict[str, Any]]:
        """Returns the live records by id, hidden ones included, without empty fields."""
        with self.lock:
            rows = self.table(object).rows
            return {
                each: {name: value for name, value in versions[-1].fields.items() if value is not None}
                for each, versions in rows.items()
                if not versions[-1].deleted
            }

    @property
    def writes(self) -> Sequence[Commit]:
        """Returns the remote writes that took effect, in order."""
        with self.lock:
            return [commit for commit in self.log if commit.hub_id is not None]

    # The store.

    def table(self, object: str) -> Table:
        """Returns an object's table. Raises SchemaDrift when there is none."""
        if object not in self.tables:
            raise SchemaDrift(
                f"{self.name} has no object {object}; correct the mapping or restore the object",
                f"{self.name} 没有对象 {object},请修改映射或恢复该对象",
                system=self.name,
                object=object,
            )
        return self.tables[object]

    def current(self, object: str, native_id: str) -> Row:
        """Returns the true state of a record. Raises KeyError when there never was one."""
        return self.table(object).rows[native_id][-1]

    def indexed(self, object: str, native_id: str) -> Row | None:
        """Returns the state that the lagging index shows, or None before it shows any."""
        now = self.clock.now()
        for row in reversed(self.table(object).rows[native_id]):
            if row.visible_at <= now:
                return row
        return None

    def stamp(self, object: str, row: Row) -> float:
        """Returns the modified time that the system shows, at its resolution."""
        resolution = self.table(object).capabilities.cursor_resolution
        return row.committed_at // resolution * resolution

    def holder(self, object: str, name: str, value: Any, but: str | None = None) -> str | None:
        """Returns the live record other than `but` that holds a value."""
        for native_id, versions in self.table(object).rows.items():
            row = versions[-1]
            if native_id != but and not row.deleted and row.fields.get(name) == value:
                return native_id
        return None

    def commit(
        self,
        object: str,
        native_id: str | None,
        op: str,
        fields: Mapping[str, Any],
        by: str,
        *,
        deleted: bool = False,
        merged_into: str | None = None,
        hub_id: str | None = None,
    ) -> tuple[str, Row]:
        """Stores a new state of a record and returns its id and state."""
        with self.lock:
            table = self.table(object)
            native_id = native_id or self._next_id()
            stored = {name: table.rewrites.get(name, _same)(value) for name, value in fields.items()}
            versions = table.rows.setdefault(native_id, [])
            before = versions[-1].fields if versions else {}
            self._version += 1
            now = self.clock.now()
            # A part of the lag that differs from commit to commit: the index shows commits out of their order.
            part = crc32(f"{self.seed}|{native_id}|{self._version}".encode()) / 2**32
            seen_at = now + table.capabilities.visibility_lag * part
            row = Row({**before, **stored}, self._version, now, seen_at, by, deleted, merged_into)
            versions.append(row)
            self.log.append(Commit(object, native_id, op, by, now, self._version, stored, hub_id))
            return native_id, row

    def snapshot(self) -> Mapping[str, Mapping[str, Sequence[Row]]]:
        """Returns a copy of every state of every record, for byte-equality checks and restores."""
        with self.lock:
            return {
                name: {each: tuple(rows) for each, rows in table.rows.items()} for name, table in self.tables.items()
            }

    def restore_snapshot(self, taken: Mapping[str, Mapping[str, Sequence[Row]]]) -> None:
        """Puts a copy back; versions go on counting and older cursors expire, as after a vendor's restore."""
        with self.lock:
            for name, rows in taken.items():
                self.table(name).rows = {each: [replace(row) for row in versions] for each, versions in rows.items()}
            self.expire_cursors()

    def _next_id(self) -> str:
        if self._new_id is not None:
            return self._new_id()
        self._ids += 1
        return f"{self.name}-{self._ids:06d}"


worlds: dict[str, MemorySystem] = {}
"""The memory systems that connections can name in their settings as `world`."""


def _same(value: Any) -> Any:
    return value
