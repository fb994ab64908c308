"""The inbox: observations that are not consumed yet. A row stays while its record waits for a person or a parent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from hub.core.state import Kind, Observation
from hub.keys.keyring import Keyring
from hub.store.codec import fields_in
from hub.store.database import Prepared, bulk_insert
from hub.store.tables import binding, observation
from hub.store.unit_of_work import UnitOfWork


class Wait(StrEnum):
    """Says where an inbox row stands: to be consumed, waiting for an answer, or parked until its parent is bound."""

    NEW = "new"
    WAITING = "waiting"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Queued:
    """Is one inbox row, still closed."""

    obs_id: str
    system: str
    object: str
    native_id: str
    kind: Kind
    hub_id: str | None
    subject_id: str | None
    version: str | None
    digest: bytes | None
    stamp: str | None
    survivor: str | None
    state: Wait
    entity: str
    blob: bytes | None = None


def queued_of(row: Any) -> Queued:
    return Queued(
        row.obs_id,
        row.system,
        row.object,
        row.native_id,
        Kind(row.kind),
        row.hub_id,
        row.subject_id,
        row.version,
        None if row.digest is None else bytes(row.digest),
        row.stamp,
        row.survivor,
        Wait(row.state),
        row.entity,
        None if row.blob is None else bytes(row.blob),
    )


def open_row(ring: Keyring, row: Queued) -> Observation:
    """Opens one inbox row. The subject's key, where it has one, must be in the ring."""
    fields = {} if row.blob is None else ring.open_record("observation", row.obs_id, row.subject_id, 0, row.blob)
    return Observation(
        row.obs_id,
        row.entity,
        row.system,
        row.object,
        row.native_id,
        row.kind,
        fields_in(fields),
        row.version,
        row.stamp,
        row.survivor,
        row.digest,
    )


def seal_row(
    ring: Keyring, item: Observation, hub_id: str | None, subject_id: str | None, run_id: str, now: float
) -> dict[str, Any]:
    """Returns the row of one observation, sealed under its subject's key, or the field key while it has no subject."""
    blob = None
    if item.kind in (Kind.UPSERT, Kind.EDIT):
        blob = ring.seal_record("observation", item.obs_id, subject_id, 0, item.fields)
    return {
        "obs_id": item.obs_id,
        "entity": item.entity,
        "system": item.system,
        "object": item.object,
        "native_id": item.native_id,
        "kind": item.kind.value,
        "state": Wait.NEW.value,
        "hub_id": hub_id,
        "subject_id": subject_id,
        "version": item.version,
        "digest": item.digest,
        "stamp": item.stamp,
        "survivor": item.survivor,
        "run_id": run_id,
        "blob": blob,
        "seen_at": now,
    }


# Statements of every batch are built once: building one costs more than running it.
_QUEUE = Prepared(
    sa.select(observation)
    .where(
        observation.c.entity == sa.bindparam("of"),
        observation.c.state == Wait.NEW.value,
        observation.c.system == sa.bindparam("at"),
        observation.c.obs_id > sa.bindparam("after"),
    )
    .order_by(observation.c.obs_id)
    .limit(sa.bindparam("most"))
)
_BY_NATIVE = Prepared(
    sa.select(observation).where(
        observation.c.system == sa.bindparam("at"),
        observation.c.object == sa.bindparam("of"),
        observation.c.native_id.in_(sa.bindparam("ids", expanding=True)),
    )
)
_CONSUME = Prepared(observation.delete().where(observation.c.obs_id.in_(sa.bindparam("ids", expanding=True))))
_BY_HUB = Prepared(
    sa.select(observation)
    .where(observation.c.hub_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(observation.c.obs_id)
)
_HOLDS_ANY = Prepared(
    sa.select(sa.exists().where(observation.c.system == sa.bindparam("at"), observation.c.object == sa.bindparam("of")))
)
_DEPTH = Prepared(
    sa.select(observation.c.state, sa.func.count())
    .where(observation.c.entity == sa.bindparam("of"))
    .group_by(observation.c.state)
)


def by_native(conn: sa.Connection, system: str, object_: str, native_ids: Sequence[str]) -> dict[str, Queued]:
    rows = _BY_NATIVE.run(conn, {"at": system, "of": object_, "ids": list(native_ids)})
    return {row.native_id: queued_of(row) for row in rows}


def holds_any(conn: sa.Connection, system: str, object_: str) -> bool:
    """Tells whether anything of an object waits; on a quiet system nothing does, and no page need be looked up."""
    return bool(_HOLDS_ANY.run(conn, {"at": system, "of": object_}).one()[0])


def by_hub(conn: sa.Connection, hub_ids: Sequence[str]) -> dict[str, list[Queued]]:
    found: dict[str, list[Queued]] = {}
    rows = _BY_HUB.run(conn, {"ids": list(hub_ids)})
    for row in rows:
        found.setdefault(row.hub_id, []).append(queued_of(row))
    return found


def stage(work: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    """Puts observations into the inbox; what they replace was consumed in the same unit of work."""
    bulk_insert(work.conn, observation, rows)


def queue_page(conn: sa.Connection, entity: str, system: str, after: str, limit: int) -> list[Queued]:
    """Returns the next rows to consume of one system, by arrival."""
    rows = _QUEUE.run(conn, {"of": entity, "at": system, "after": after, "most": limit})
    return [queued_of(row) for row in rows]


def consume(work: UnitOfWork, obs_ids: Iterable[str]) -> None:
    ids = list(obs_ids)
    if ids:
        _CONSUME.run(work.conn, {"ids": ids})


def put_off(work: UnitOfWork, obs_ids: Sequence[str]) -> None:
    """Marks rows whose identity is asked about as waiting."""
    if obs_ids:
        work.conn.execute(
            observation.update().where(observation.c.obs_id.in_(obs_ids)).values(state=Wait.WAITING.value)
        )


def assign(work: UnitOfWork, obs_id: str, hub_id: str) -> None:
    """Puts a row back into the queue as one of this record."""
    here = observation.c.obs_id == obs_id
    work.conn.execute(observation.update().where(here).values(hub_id=hub_id, state=Wait.NEW.value))


def wake(work: UnitOfWork, hub_ids: Sequence[str]) -> None:
    """Puts the waiting rows of these records back into the queue."""
    work.conn.execute(
        observation.update()
        .where(observation.c.hub_id.in_(hub_ids), observation.c.state == Wait.WAITING.value)
        .values(state=Wait.NEW.value)
    )


def wake_native(work: UnitOfWork, system: str, object_: str, native_id: str) -> None:
    work.conn.execute(
        observation.update()
        .where(observation.c.system == system, observation.c.object == object_, observation.c.native_id == native_id)
        .values(state=Wait.NEW.value)
    )


_ARRIVED = Prepared(
    sa.select(observation.c.system, observation.c.kind, sa.func.count())
    .join(
        binding,
        sa.and_(
            binding.c.system == observation.c.system,
            binding.c.object == observation.c.object,
            binding.c.native_id == observation.c.native_id,
        ),
    )
    .where(
        observation.c.entity == sa.bindparam("of"),
        observation.c.state == Wait.NEW.value,
        sa.or_(binding.c.obs_digest.isnot(None), observation.c.kind != Kind.UPSERT.value),
    )
    .group_by(observation.c.system, observation.c.kind)
)


def load_of(conn: sa.Connection, entity: str) -> dict[str, dict[str, int]]:
    """Returns per system how many bound records arrived changed and how many arrived gone.

    A record that we wrote and have not seen since is expected to look different: that is our own echo.
    """
    rows = _ARRIVED.run(conn, {"of": entity})
    counts: dict[str, dict[str, int]] = {}
    for system, kind, number in rows:
        entry = counts.setdefault(system, {"changed": 0, "gone": 0})
        entry["gone" if kind in (Kind.GONE, Kind.MERGED) else "changed"] += number
    return counts


def depth(conn: sa.Connection, entity: str) -> dict[str, int]:
    """Returns how many rows stand in each state."""
    rows = _DEPTH.run(conn, {"of": entity})
    return {row[0]: row[1] for row in rows}
