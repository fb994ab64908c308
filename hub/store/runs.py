"""Runs, checkpoints, guards and what was last seen of each system's schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from hub.core.guards import Trip
from hub.store.database import Prepared, bulk_insert
from hub.store.review_tables import guard_trip
from hub.store.tables import checkpoint, mapping_version, run, schema_snapshot
from hub.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Run:
    """Is one run as recorded; times in epoch seconds, `outcome` None while it has not ended."""

    run_id: str
    entity: str
    act: str
    actor: str
    started_at: float
    ended_at: float | None
    outcome: str | None
    reasons: tuple[str, ...]
    counts: Mapping[str, int]


_END = Prepared(
    run.update()
    .where(run.c.run_id == sa.bindparam("key"))
    .values(
        ended_at=sa.bindparam("at"),
        outcome=sa.bindparam("said"),
        reasons=sa.bindparam("why"),
        counts=sa.bindparam("number"),
    )
)


def start(work: UnitOfWork, run_id: str, entity: str, act: str, actor: str) -> None:
    row = {"run_id": run_id, "entity": entity, "act": act, "actor": actor, "started_at": work.now}
    bulk_insert(work.conn, run, [row])


def end(work: UnitOfWork, run_id: str, outcome: str, reasons: Sequence[str], counts: Mapping[str, int]) -> None:
    values = {
        "key": run_id,
        "at": work.now,
        "said": outcome,
        "why": orjson.dumps(list(reasons)).decode(),
        "number": orjson.dumps(dict(counts)).decode(),
    }
    _END.run(work.conn, values)


def latest(conn: sa.Connection, entity: str, limit: int = 10) -> list[Run]:
    rows = conn.execute(sa.select(run).where(run.c.entity == entity).order_by(run.c.run_id.desc()).limit(limit))
    return [
        Run(
            row.run_id,
            row.entity,
            row.act,
            row.actor,
            row.started_at,
            row.ended_at,
            row.outcome,
            tuple(orjson.loads(row.reasons or "[]")),
            orjson.loads(row.counts or "{}"),
        )
        for row in rows
    ]


# Statements of every page and stream are built once: building one costs more than running it.
_HERE = sa.and_(
    *[checkpoint.c[name] == sa.bindparam(f"at_{name}") for name in ("entity", "system", "object", "stream")]
)
_CURSOR = Prepared(sa.select(checkpoint.c.cursor, checkpoint.c.scope).where(_HERE))
_MOVED_AT = Prepared(sa.select(checkpoint.c.moved_at).where(_HERE))
_DROP = Prepared(checkpoint.delete().where(_HERE))
_MOVE = Prepared(
    checkpoint.update()
    .where(_HERE)
    .values({name: sa.bindparam(f"new_{name}") for name in ("scope", "cursor", "run_id", "moved_at")})
)
_GUARDS = Prepared(sa.select(guard_trip).where(guard_trip.c.entity == sa.bindparam("of")))


def load_cursor(
    conn: sa.Connection, entity: str, system: str, object_: str, stream: str, scope: str
) -> Mapping[str, Any] | None:
    """Returns the stored cursor, or None when there is none for this scope: then the listing starts over."""
    row = _CURSOR.run(conn, _key(entity, system, object_, stream)).one_or_none()
    return orjson.loads(row.cursor) if row is not None and row.scope == scope else None


def cursor_moved_at(conn: sa.Connection, entity: str, system: str, object_: str, stream: str) -> float | None:
    moved_at: float | None = _MOVED_AT.run(conn, _key(entity, system, object_, stream)).scalar()
    return moved_at


def save_cursor(
    work: UnitOfWork,
    entity: str,
    system: str,
    object_: str,
    stream: str,
    scope: str,
    cursor: Mapping[str, Any],
    run_id: str,
) -> None:
    values = {"scope": scope, "cursor": orjson.dumps(cursor).decode(), "run_id": run_id, "moved_at": work.now}
    new = {f"new_{name}": value for name, value in values.items()}
    if not _MOVE.run(work.conn, {**_key(entity, system, object_, stream), **new}).rowcount:
        key = {"entity": entity, "system": system, "object": object_, "stream": stream}
        bulk_insert(work.conn, checkpoint, [{**key, **values}])


def drop_cursor(work: UnitOfWork, entity: str, system: str, object_: str, stream: str) -> None:
    _DROP.run(work.conn, _key(entity, system, object_, stream))


def _key(entity: str, system: str, object_: str, stream: str) -> dict[str, str]:
    return {"at_entity": entity, "at_system": system, "at_object": object_, "at_stream": stream}


@dataclass(frozen=True, slots=True)
class GuardRow:
    """Is one guard as recorded. Released, it lets at most `allowed` through."""

    entity: str
    system: str
    guard: str
    count: int
    allowed: int
    state: str
    released_by: str | None
    reason: str | None
    tripped_at: float
    released_at: float | None


def guards(conn: sa.Connection, entity: str) -> list[GuardRow]:
    rows = _GUARDS.run(conn, {"of": entity})
    return [
        GuardRow(
            row.entity,
            row.system,
            row.guard,
            row.count,
            row.allowed,
            row.state,
            row.released_by,
            row.reason,
            row.tripped_at,
            row.released_at,
        )
        for row in rows
    ]


def trip(work: UnitOfWork, entity: str, run_id: str, item: Trip) -> None:
    """Records a tripped guard; a former release of it is spent."""
    clear_guard(work, entity, item.system, item.guard)
    work.conn.execute(
        guard_trip.insert().values(
            entity=entity,
            system=item.system,
            guard=item.guard,
            count=item.count,
            allowed=item.allowed,
            state="tripped",
            run_id=run_id,
            tripped_at=work.now,
        )
    )


def release(work: UnitOfWork, row: GuardRow, by: str, reason: str) -> None:
    """Lets through what tripped the guard, up to the number a person saw."""
    work.conn.execute(
        guard_trip.update()
        .where(_guard(row.entity, row.system, row.guard))
        .values(state="released", allowed=row.count, released_by=by, reason=reason, released_at=work.now)
    )


def spend(work: UnitOfWork, row: GuardRow) -> None:
    """Ends the allowance of a release, which itself stays on record."""
    work.conn.execute(guard_trip.update().where(_guard(row.entity, row.system, row.guard)).values(allowed=0))


def clear_guard(work: UnitOfWork, entity: str, system: str, guard: str) -> None:
    work.conn.execute(guard_trip.delete().where(_guard(entity, system, guard)))


def _guard(entity: str, system: str, guard: str) -> sa.ColumnElement[bool]:
    return sa.and_(guard_trip.c.entity == entity, guard_trip.c.system == system, guard_trip.c.guard == guard)


_USED = Prepared(
    sa.select(mapping_version.c.version).where(
        mapping_version.c.system == sa.bindparam("at"),
        mapping_version.c.object == sa.bindparam("of"),
        mapping_version.c.version == sa.bindparam("is"),
    )
)
_MAPPED_FIELDS = Prepared(sa.select(mapping_version).where(mapping_version.c.system == sa.bindparam("at")))


def use_mapping(work: UnitOfWork, system: str, object_: str, version: str, fields: Sequence[str]) -> None:
    """Notes the canonical fields that a mapping maps, so that a base agreed under it can be read later."""
    row = {"system": system, "object": object_, "version": version, "used_at": work.now}
    if _USED.run(work.conn, {"at": system, "of": object_, "is": version}).scalar() is None:
        bulk_insert(work.conn, mapping_version, [{**row, "fields": orjson.dumps(sorted(fields)).decode()}])


def mapped_fields(conn: sa.Connection, system: str) -> dict[tuple[str, str], frozenset[str]]:
    """Returns what every mapping ever used with a system mapped: (object, version) -> canonical fields."""
    rows = _MAPPED_FIELDS.run(conn, {"at": system})
    return {(row.object, row.version): frozenset(orjson.loads(row.fields)) for row in rows}


@dataclass(frozen=True, slots=True)
class AcceptedSchema:
    """Is what a system's object looked like when it was last accepted: mapped native field -> kind, None if absent."""

    shape: dict[str, str | None]
    mapping_version: str
    taken_at: float


_DESCRIBED = sa.and_(schema_snapshot.c.system == sa.bindparam("at"), schema_snapshot.c.object == sa.bindparam("of"))
_ACCEPTED = Prepared(sa.select(schema_snapshot).where(_DESCRIBED))
_FORGET = Prepared(schema_snapshot.delete().where(_DESCRIBED))


def accepted_schema(conn: sa.Connection, system: str, object_: str) -> AcceptedSchema | None:
    row = _ACCEPTED.run(conn, {"at": system, "of": object_}).one_or_none()
    return None if row is None else AcceptedSchema(orjson.loads(row.body), row.mapping_version, row.taken_at)


def accept_schema(work: UnitOfWork, system: str, object_: str, digest: str, body: str, mapping: str) -> None:
    _FORGET.run(work.conn, {"at": system, "of": object_})
    row = {"system": system, "object": object_, "digest": digest, "body": body, "mapping_version": mapping}
    bulk_insert(work.conn, schema_snapshot, [{**row, "taken_at": work.now}])
