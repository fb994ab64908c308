"""References in the store: native and hub ids for each other, who points at whom, and what waits for a parent.

Who a native record is stays true after it was deleted or merged away, so a reference is read through any binding and
through the places that golden records held before. A reference is written through active bindings only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.core.state import BindingState, GoldenState
from hub.store.claims import MAIN_RECORD
from hub.store.database import Connection, Prepared, bulk_insert
from hub.store.reference_tables import awaited, former_place, golden_merge, golden_ref
from hub.store.tables import binding, golden, observation
from hub.store.unit_of_work import UnitOfWork

Place = tuple[str, str]
"""Is an object and a native id of one system."""

_IDS: sa.BindParameter[list[str]] = sa.bindparam("ids", expanding=True)
_HERE = (binding.c.system == sa.bindparam("at"), binding.c.object == sa.bindparam("of"), binding.c.native_id.in_(_IDS))
_OWNERS = Prepared(
    sa.select(binding.c.native_id, binding.c.hub_id, binding.c.entity)
    .join(golden, golden.c.hub_id == binding.c.hub_id)
    .where(*_HERE, golden.c.state != GoldenState.MERGED.value)
)
_FORMER = Prepared(
    sa.union_all(
        sa.select(former_place.c.native_id, golden.c.hub_id, golden.c.entity)
        .join(golden, golden.c.hub_id == former_place.c.hub_id)
        .where(
            former_place.c.system == sa.bindparam("at"),
            former_place.c.object == sa.bindparam("of"),
            former_place.c.native_id.in_(_IDS),
        ),
        # Where a record stood, or stands, that was merged into another one.
        sa.select(binding.c.native_id, golden_merge.c.heir_id, binding.c.entity)
        .join(golden_merge, golden_merge.c.loser_id == binding.c.hub_id)
        .where(*_HERE),
    )
)
_PLACES = sa.select(binding.c.hub_id, binding.c.object, binding.c.native_id).where(
    binding.c.system == sa.bindparam("at"),
    binding.c.hub_id.in_(_IDS),
    binding.c.part == "main",
    binding.c.state == BindingState.ACTIVE.value,
)
_STANDS = sa.exists().where(
    binding.c.hub_id == golden_ref.c.hub_id,
    binding.c.state.in_((BindingState.PENDING.value, BindingState.ACTIVE.value, BindingState.DOOMED.value)),
)
_CHILDREN = (
    sa.select(golden_ref.c.parent_id, sa.func.count(sa.distinct(golden_ref.c.hub_id)))
    .join(golden, golden.c.hub_id == golden_ref.c.hub_id)
    .where(golden_ref.c.parent_id.in_(_IDS), golden_ref.c.hub_id != golden_ref.c.parent_id)
    .where(golden.c.state == GoldenState.LIVE.value, _STANDS)
    .group_by(golden_ref.c.parent_id)
)
_CHILDREN_AT = (
    sa.select(golden_ref.c.hub_id, golden_ref.c.field, golden_ref.c.parent_id, binding.c.entity)
    .join(binding, binding.c.hub_id == golden_ref.c.hub_id)
    .where(golden_ref.c.parent_id.in_(_IDS), binding.c.system == sa.bindparam("at"), binding.c.native_id.isnot(None))
    .order_by(golden_ref.c.hub_id, golden_ref.c.field)
)
_UNBOUND = sa.and_(
    ~sa.exists().where(
        binding.c.system == awaited.c.system,
        binding.c.object == awaited.c.object,
        binding.c.native_id == awaited.c.native_id,
    ),
    ~sa.exists().where(
        former_place.c.system == awaited.c.system,
        former_place.c.object == awaited.c.object,
        former_place.c.native_id == awaited.c.native_id,
    ),
)
_RIPE = Prepared(
    sa.select(observation)
    .where(
        observation.c.entity == sa.bindparam("of"),
        observation.c.state.in_(("parked", "waiting")),
        observation.c.obs_id > sa.bindparam("after"),
        sa.exists().where(awaited.c.obs_id == observation.c.obs_id, awaited.c.field != MAIN_RECORD),
        ~sa.exists().where(awaited.c.obs_id == observation.c.obs_id, _UNBOUND),
    )
    .order_by(observation.c.obs_id)
    .limit(sa.bindparam("most"))
)
_AWAITED = Prepared(
    sa.select(observation.c.hub_id, awaited.c.field)
    .join(awaited, awaited.c.obs_id == observation.c.obs_id)
    .where(observation.c.hub_id.in_(_IDS), observation.c.system == sa.bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class Awaited:
    """Is one reference of an observation whose parent is not bound yet."""

    obs_id: str
    field: str
    entity: str
    system: str
    object: str
    native_id: str


def owners(conn: Connection, system: str, places: Iterable[Place]) -> dict[Place, tuple[str, str]]:
    """Returns whose record each place of a system is or was last: place -> (hub id, entity); one query per object."""
    return _by_object(conn, _OWNERS, system, places)


def former_owners(conn: Connection, system: str, places: Iterable[Place]) -> dict[Place, tuple[str, str]]:
    """Returns whose record stood at each place before it moved, or was merged, to another place of the system."""
    return _by_object(conn, _FORMER, system, places)


def _by_object(
    conn: Connection, statement: Prepared, system: str, places: Iterable[Place]
) -> dict[Place, tuple[str, str]]:
    by_object: dict[str, set[str]] = {}
    for object_, native_id in places:
        by_object.setdefault(object_, set()).add(native_id)
    found: dict[Place, tuple[str, str]] = {}
    for object_, ids in by_object.items():
        for row in statement.run(conn, {"at": system, "of": object_, "ids": sorted(ids)}):
            found[object_, row.native_id] = (row.hub_id, row.entity)
    return found


def leave(work: UnitOfWork, left: Sequence[tuple[str, str, Place]]) -> None:
    """Notes places that golden records left for others: (hub id, system, place)."""
    rows = [
        {"system": system, "object": object_, "native_id": native_id, "hub_id": hub_id}
        for hub_id, system, (object_, native_id) in left
    ]
    if rows:
        here = sa.and_(
            *(former_place.c[name] == sa.bindparam(f"_{name}") for name in ("system", "object", "native_id"))
        )
        work.conn.execute(former_place.delete().where(here), [{f"_{name}": row[name] for name in row} for row in rows])
        bulk_insert(work.conn, former_place, rows)


def places(conn: Connection, system: str, hub_ids: Iterable[str]) -> dict[str, Place]:
    """Returns where golden records are bound in one system; what is to be deleted there is no place to point at."""
    ids = sorted(set(hub_ids))
    if not ids:
        return {}
    return {r.hub_id: (r.object, r.native_id) for r in conn.execute(_PLACES, {"at": system, "ids": ids})}


def children_at(conn: Connection, system: str, hub_ids: Sequence[str]) -> Sequence[Any]:
    """Returns the children that have a record in a system: rows of hub_id, field, parent_id and entity."""
    return conn.execute(_CHILDREN_AT, {"ids": list(hub_ids), "at": system}).all()


def children(conn: Connection, hub_ids: Sequence[str]) -> dict[str, int]:
    """Returns how many other live records, those that stand in some system, point at each of these."""
    if not hub_ids:
        return {}
    return {row[0]: row[1] for row in conn.execute(_CHILDREN, {"ids": list(hub_ids)})}


def keep(work: UnitOfWork, changes: Sequence[tuple[str, Mapping[str, str], Mapping[str, str]]]) -> None:
    """Keeps who points at whom by (hub id, references before, references after)."""
    gone = [
        {"key": hub_id, "name": name}
        for hub_id, before, after in changes
        for name in before
        if before[name] != after.get(name)
    ]
    if gone:
        here = sa.and_(golden_ref.c.hub_id == sa.bindparam("key"), golden_ref.c.field == sa.bindparam("name"))
        work.conn.execute(golden_ref.delete().where(here), gone)
    new = [
        {"hub_id": hub_id, "field": name, "parent_id": parent}
        for hub_id, before, after in changes
        for name, parent in after.items()
        if before.get(name) != parent
    ]
    bulk_insert(work.conn, golden_ref, new)


def park(work: UnitOfWork, rows: Sequence[Awaited]) -> None:
    """Notes what parked observations wait for; a consumed observation takes its notes with it."""
    names = Awaited.__slots__
    bulk_insert(work.conn, awaited, [{name: getattr(row, name) for name in names} for row in rows])


def ripe(conn: Connection, entity: str, after: str, limit: int) -> Sequence[Any]:
    """Returns the next parked observations whose parents are all bound by now."""
    return _RIPE.run(conn, {"of": entity, "after": after, "most": limit})


def awaited_fields(conn: Connection, system: str, hub_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """Returns the fields whose newest value in a system waits for a parent: nothing is written over them."""
    found: dict[str, set[str]] = {}
    for row in _AWAITED.run(conn, {"at": system, "ids": list(hub_ids)}):
        found.setdefault(row.hub_id, set()).add(row.field)
    return {hub_id: frozenset(names) for hub_id, names in found.items()}
