"""Golden records, bindings and bases: loaded and written in bulk, sealed and opened here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from hub.canonical.values import Value
from hub.core.state import Base, Binding, BindingState, GoldenRecord, GoldenState
from hub.keys.keyring import Keyring
from hub.keys.rows import SubjectKeyRow
from hub.store import record_statements as statements
from hub.store import references
from hub.store.codec import base_in, base_out, fields_in
from hub.store.database import bulk_insert, select_by_ids
from hub.store.tables import base, binding, golden
from hub.store.unit_of_work import UnitOfWork

_BINDING_COLUMNS = (
    "binding_id",
    "hub_id",
    "entity",
    "system",
    "part",
    "object",
    "native_id",
    "state",
    "version",
    "obs_digest",
    "mapping_version",
    "agreed_revision",
    "stamped",
    "dirty",
)
_MUTABLE = tuple(n for n in _BINDING_COLUMNS if n not in ("binding_id", "hub_id", "entity", "system", "part"))


@dataclass(frozen=True, slots=True)
class Stored:
    """Is a golden record as stored, with its bindings and their bases (None: equal to the golden record)."""

    golden: GoldenRecord
    bindings: tuple[Binding, ...]
    bases: Mapping[str, Base | None]


def binding_id(hub_id: str, system: str, part: str = "main") -> str:
    """Returns the one id that a record's place in a system ever has."""
    return f"{hub_id}/{system}/{part}"


def load(conn: sa.Connection, ring: Keyring, hub_ids: Sequence[str]) -> dict[str, Stored]:
    """Loads records by hub id: three queries for the whole batch."""
    if not hub_ids:
        return {}
    records = load_golden(conn, ring, hub_ids)
    found: dict[str, list[Binding]] = {hub_id: [] for hub_id in records}
    for row in statements.BINDINGS.run(conn, {"ids": list(hub_ids)}):
        if row.hub_id in found:
            found[row.hub_id].append(binding_of(row))
    bases = _load_bases(conn, ring, hub_ids, records)
    return {
        hub_id: Stored(record, tuple(found[hub_id]), {b.binding_id: bases.get(b.binding_id) for b in found[hub_id]})
        for hub_id, record in records.items()
    }


def load_golden(conn: sa.Connection, ring: Keyring, hub_ids: Sequence[str]) -> dict[str, GoldenRecord]:
    """Loads and opens golden records, and puts their subjects' keys into the ring."""
    rows = statements.GOLDEN.run(conn, {"ids": list(hub_ids)})
    ring.add_subjects(SubjectKeyRow(r.subject_id, r.key_id, bytes(r.wrapped)) for r in rows)
    return {row.hub_id: _golden_of(ring, row) for row in rows}


def load_subjects(conn: sa.Connection, ring: Keyring, hub_ids: Sequence[str]) -> dict[str, str]:
    """Puts the subject keys of records into the ring without opening the records; returns hub id -> subject id."""
    rows = statements.SUBJECTS.run(conn, {"ids": list(hub_ids)})
    ring.add_subjects(SubjectKeyRow(r.subject_id, r.key_id, bytes(r.wrapped)) for r in rows)
    return {row.hub_id: row.subject_id for row in rows}


def _golden_of(ring: Keyring, row: Any) -> GoldenRecord:
    sealed = ring.open_record("golden", row.hub_id, row.subject_id, row.revision, bytes(row.blob))
    return GoldenRecord(
        row.hub_id,
        row.entity,
        fields_in(sealed["fields"]),
        sealed["origins"],
        row.revision,
        GoldenState(row.state),
        row.subject_id,
    )


def _load_bases(
    conn: sa.Connection, ring: Keyring, hub_ids: Sequence[str], records: Mapping[str, GoldenRecord]
) -> dict[str, Base]:
    rows = statements.BASES.run(conn, {"ids": list(hub_ids)})
    return {
        row.binding_id: base_in(
            ring.open_record("base", row.binding_id, records[row.hub_id].subject_id, row.blob_version, bytes(row.blob))
        )
        for row in rows
    }


_STATES = {state.value: state for state in BindingState}


def binding_of(row: Any) -> Binding:
    """Makes a binding of a row selected as `record_statements.BINDING`."""
    name, hub_id, entity, system, object_, native_id, state, part, version, digest, mapping, agreed, *flags = row
    seen, (stamped, dirty) = None if digest is None else bytes(digest), map(bool, flags)
    place = (name, hub_id, entity, system, object_, native_id, _STATES[state], part)
    return Binding(*place, version, seen, mapping, agreed, stamped, dirty)


def bindings_by_native(conn: sa.Connection, system: str, object_: str, native_ids: Sequence[str]) -> dict[str, Binding]:
    """Returns bindings by native id: the look-up by which an unchanged page stays closed."""
    rows = statements.BY_NATIVE.run(conn, {"at": system, "of": object_, "ids": list(native_ids)})
    return {row.native_id: binding_of(row) for row in rows}


def load_bindings(conn: sa.Connection, hub_ids: Sequence[str]) -> list[Binding]:
    """Returns the bindings of records without opening the records."""
    return [binding_of(row) for row in statements.BINDINGS.run(conn, {"ids": list(hub_ids)})]


Glimpse = tuple[str, str, str | None, bytes | None]
"""Is what an unchanged record is recognised by: native id, state, version and digest of what was last seen."""


def glimpse(conn: sa.Connection, system: str, object_: str, native_ids: Sequence[str]) -> dict[str, Glimpse]:
    """Returns just enough of the bindings of a page to leave what did not change closed."""
    columns = ("native_id", "state", "version", "obs_digest")
    rows = select_by_ids(conn, binding, columns, {"system": system, "object": object_}, "native_id", native_ids)
    return {row[0]: (row[0], row[1], row[2], row[3]) for row in rows}


@dataclass(frozen=True, slots=True)
class Write:
    """Is one record to write: what was stored (None for a new one) and what is to stand now."""

    before: Stored | None
    golden: GoldenRecord
    bindings: tuple[Binding, ...]
    bases: Mapping[str, Base | None]
    facets: Mapping[str, Value]
    references: tuple[str, ...] = ()
    """Names the fields that point at other golden records."""


_KEEP: Base = {}


def rewrite(stored: Stored, changed: Binding, base: Base | None = _KEEP) -> Write:
    """Returns the write that changes one binding of a record, and its base where one is given."""
    bindings = tuple(changed if item.binding_id == changed.binding_id else item for item in stored.bindings)
    bases = dict(stored.bases)
    if base is not _KEEP:
        bases[changed.binding_id] = base
    return Write(stored, stored.golden, bindings, bases, {})


def write(work: UnitOfWork, writes: Iterable[Write]) -> None:
    """Writes records in bulk: inserts and updates by table, only rows that changed."""
    new_golden: list[dict[str, Any]] = []
    old_golden: list[dict[str, Any]] = []
    new_bindings: list[Binding] = []
    old_bindings: list[tuple[Binding, Binding]] = []
    bases: list[dict[str, Any]] = []
    collapsed: list[str] = []
    pointed: list[tuple[str, Mapping[str, str], Mapping[str, str]]] = []
    for item in writes:
        if item.references and (item.before is None or item.golden is not item.before.golden):
            pointed.append((item.golden.hub_id, _pointers(item, item.before), _pointers(item, item)))
        if item.before is None:
            work.create_subject(item.golden.subject_id)
            new_golden.append(_golden_row(work, item, created=True))
        elif item.golden is not item.before.golden:
            old_golden.append(_golden_row(work, item, created=False))
        known = {} if item.before is None else {b.binding_id: b for b in item.before.bindings}
        for found in item.bindings:
            before = known.get(found.binding_id)
            if before is None:
                new_bindings.append(found)
            elif before != found:
                old_bindings.append((before, found))
            stood = item.before.bases.get(found.binding_id) if item.before and before is not None else None
            stands = item.bases.get(found.binding_id)
            if stands is not None and stands != stood:
                bases.append(_base_row(work, found, item.golden, stands))
                collapsed.append(found.binding_id)
            elif stands is None and stood is not None:
                collapsed.append(found.binding_id)
    work.flush_subjects()
    _write_golden(work.conn, new_golden, old_golden)
    references.keep(work, pointed)
    _write_bindings(work, new_bindings, old_bindings)
    if collapsed:
        statements.DROP_BASES.run(work.conn, {"ids": collapsed})
    bulk_insert(work.conn, base, bases)


def _pointers(item: Write, at: Stored | Write | None) -> dict[str, str]:
    fields: Mapping[str, Value] = {} if at is None else at.golden.fields
    return {name: value for name in item.references if isinstance(value := fields.get(name), str)}


def _golden_row(work: UnitOfWork, item: Write, *, created: bool) -> dict[str, Any]:
    record = item.golden
    blob = work.ring.seal_record(
        "golden",
        record.hub_id,
        record.subject_id,
        record.revision,
        {"fields": record.fields, "origins": record.origins},
    )
    row: dict[str, Any] = {
        "hub_id": record.hub_id,
        "revision": record.revision,
        "state": record.state.value,
        "blob": blob,
        "facets": dict(item.facets),
        "updated_at": work.now,
    }
    if created:
        row |= {
            "entity": record.entity,
            "subject_id": record.subject_id,
            "unplaced": True,
            "created_at": work.now,
        }
    return row


def _binding_row(work: UnitOfWork, item: Binding) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(item, name) for name in _BINDING_COLUMNS}
    row["state"] = item.state.value
    row["updated_at"] = work.now
    return row


def _base_row(work: UnitOfWork, item: Binding, record: GoldenRecord, stands: Base) -> dict[str, Any]:
    version = record.revision
    blob = work.ring.seal_record("base", item.binding_id, record.subject_id, version, base_out(stands))
    return {"binding_id": item.binding_id, "blob_version": version, "blob": blob}


def _write_golden(conn: sa.Connection, new: list[dict[str, Any]], old: list[dict[str, Any]]) -> None:
    bulk_insert(conn, golden, [{**row, "facets": orjson.dumps(row["facets"]).decode()} for row in new])
    if old:
        conn.execute(statements.CHANGE, [{**row, "key": row["hub_id"]} for row in old])


def _write_bindings(work: UnitOfWork, new: Sequence[Binding], old: Sequence[tuple[Binding, Binding]]) -> None:
    """Inserts new bindings and updates changed ones by the columns that changed: an index not named is not touched."""
    bulk_insert(work.conn, binding, [_binding_row(work, item) for item in new])
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for before, after in old:
        row = {name: value for name in _MUTABLE if (value := getattr(after, name)) != getattr(before, name)}
        if "state" in row:
            row["state"] = after.state.value
        groups.setdefault(tuple(row), []).append({"key": after.binding_id, "at": work.now, **row})
    for names, rows in groups.items():
        statements.update_binding(names).run_each(work.conn, rows)


def change_bindings(work: UnitOfWork, pairs: Sequence[tuple[Binding, Binding]]) -> None:
    """Updates bindings by (before, after)."""
    _write_bindings(work, [], pairs)


def place_new(work: UnitOfWork, entity: str, systems: Sequence[str]) -> int:
    """Gives every record that has no place yet in a system a pending binding there, in one statement per system."""
    placed = 0
    for system in systems:
        values = {"of": entity, "at": system, "place": f"/{system}/main", "now": work.now}
        placed += statements.PLACE.run(work.conn, values).rowcount
    statements.PLACED.run(work.conn, {"of": entity})
    return placed


def learn_versions(work: UnitOfWork, system: str, object_: str, versions: Mapping[str, str]) -> None:
    """Notes the versions that a strong read showed of records whose content is staged or unchanged."""
    if versions:
        statement = (
            binding.update()
            .where(
                binding.c.system == system,
                binding.c.object == object_,
                binding.c.native_id == sa.bindparam("key"),
                binding.c.version.is_(None),
            )
            .values(version=sa.bindparam("shown"))
        )
        work.conn.execute(statement, [{"key": key, "shown": shown} for key, shown in versions.items()])


def move_versions(work: UnitOfWork, system: str, object_: str, versions: Mapping[str, str]) -> None:
    """Notes the newer versions of records that show nothing new."""
    if versions:
        rows = [{"at": system, "of": object_, "key": key, "shown": shown} for key, shown in versions.items()]
        work.conn.execute(statements.MOVE_VERSION, rows)


def move_digests(work: UnitOfWork, system: str, object_: str, digests: Mapping[str, bytes]) -> None:
    """Keeps the digests of unchanged records under the key that makes new ones."""
    if digests:
        rows = [{"at": system, "of": object_, "key": key, "seen": digest} for key, digest in digests.items()]
        work.conn.execute(statements.MOVE_DIGEST, rows)


def dirty_page(
    conn: sa.Connection, entity: str, system: str, after: str, limit: int, state: BindingState
) -> list[Binding]:
    """Returns the next bindings of one state that are owed a write; the keyset walks each once a pass."""
    values = {"of": entity, "at": system, "in_state": state.value, "after": after, "most": limit}
    rows = statements.OWED.run(conn, values)
    return [binding_of(row) for row in rows]


def owed_bounds(conn: sa.Connection, entity: str, system: str, state: BindingState, size: int, until: str) -> list[str]:
    """Returns every `size`-th binding up to one that is owed a write, and the last: the upper ends of equal ranges."""
    values = {"of": entity, "at": system, "in_state": state.value, "size": size, "until": until}
    return list(statements.OWED_BOUNDS.run(conn, values).scalars())


def fresh_page(
    conn: sa.Connection, entity: str, system: str, before: str | None, limit: int, since: str
) -> list[Binding]:
    """Returns the next pending bindings of records younger than `since`, the youngest page first, each in order."""
    values = {"of": entity, "at": system, "after": since, "most": limit}
    if before is None:
        rows = conn.execute(statements.YOUNGEST, values)
    else:
        rows = conn.execute(statements.YOUNGER, {**values, "before": before})
    return [binding_of(row) for row in rows][::-1]


def unrouted_page(conn: sa.Connection, entity: str, system: str, version: str, after: str, limit: int) -> list[Binding]:
    """Returns the next bindings that another mapping than this one had no place for."""
    values = {"of": entity, "at": system, "version": version, "after": after, "most": limit}
    return [binding_of(row) for row in statements.UNROUTED.run(conn, values)]


def binds_any(conn: sa.Connection, system: str, object_: str) -> bool:
    """Tells whether any record of an object is bound."""
    return statements.BINDS_ANY.run(conn, {"at": system, "of": object_}) != []


_COUNTED = ("bound", "creates", "updates", "deletes", "detached", "superseded")


def tally(conn: sa.Connection, entity: str) -> dict[str, dict[str, int]]:
    """Returns per system how many bindings are bound, and how many creates, updates and deletes are owed."""
    rows = statements.TALLY.run(conn, {"of": entity})
    counts: dict[str, dict[str, int]] = {}
    for system, state, dirty, number in rows:
        entry = counts.setdefault(system, dict.fromkeys(_COUNTED, 0))
        if state in (BindingState.ACTIVE, BindingState.DOOMED):
            entry["bound"] += number
        if state in (BindingState.DETACHED, BindingState.SUPERSEDED):
            entry[state] += number
        if dirty:
            kinds = {BindingState.PENDING: "creates", BindingState.ACTIVE: "updates", BindingState.DOOMED: "deletes"}
            kind = kinds.get(BindingState(state))
            if kind:
                entry[kind] += number
    return counts


def totals(conn: sa.Connection) -> dict[str, int]:
    """Returns the number of golden records per entity and state as `entity:state`."""
    rows = conn.execute(
        sa.select(golden.c.entity, golden.c.state, sa.func.count()).group_by(golden.c.entity, golden.c.state)
    )
    return {f"{entity}:{state}": number for entity, state, number in rows}
