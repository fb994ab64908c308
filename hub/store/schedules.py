"""Schedules and pauses as the daemon and the people who steer it keep them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as attribute

import orjson
import sqlalchemy as sa

from hub.kernel.timetable import Never, parse_timing
from hub.store.schedule_tables import pause, schedule
from hub.store.tables import run
from hub.store.unit_of_work import UnitOfWork

ALL = ""
"""Stands for every system of an entity that has no schedule of its own."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Is what a schedule should be: `origin` is settings or person, the rest says when it runs."""

    act: str
    entity: str
    system: str
    timing: str
    zone: str
    blackout: tuple[str, ...]
    freeze: tuple[str, ...]
    origin: str = "settings"

    @property
    def schedule_id(self) -> str:
        return schedule_id(self.act, self.entity, self.system)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Is one schedule as recorded; instants in epoch seconds, `slices` are what is left of a reconciliation."""

    schedule_id: str
    act: str
    entity: str
    system: str
    timing: str
    zone: str
    blackout: tuple[str, ...]
    freeze: tuple[str, ...]
    origin: str
    next_due_at: float | None
    last_started_at: float | None
    last_ended_at: float | None
    last_outcome: str | None
    last_run_id: str | None
    missed: int
    slices: tuple[tuple[str, str], ...]
    changed_at: float
    changed_by: str

    @property
    def wish(self) -> Wish:
        return Wish(self.act, self.entity, self.system, self.timing, self.zone, self.blackout, self.freeze, self.origin)


@dataclass(frozen=True, slots=True)
class Pause:
    """Is one pause: `scope` is all, entity:NAME or system:NAME; `digest` is that of the secrets that were refused."""

    scope: str
    cause: str
    reason: str
    by: str
    at: float
    digest: bytes | None = attribute(default=None, repr=False)
    digest_key_id: int | None = None


def schedule_id(act: str, entity: str, system: str = ALL) -> str:
    return f"{act}:{entity}:{system or '*'}"


def load(conn: sa.Connection) -> list[Schedule]:
    """Returns every schedule, in the order of its id."""
    return [_schedule(row) for row in conn.execute(sa.select(schedule).order_by(schedule.c.schedule_id))]


def _schedule(row: sa.Row[tuple[object, ...]]) -> Schedule:
    windows = orjson.loads(row.windows)
    return Schedule(
        row.schedule_id,
        row.act,
        row.entity,
        row.system,
        row.timing,
        row.zone,
        tuple(windows["blackout"]),
        tuple(windows["freeze"]),
        row.origin,
        row.next_due_at,
        row.last_started_at,
        row.last_ended_at,
        row.last_outcome,
        row.last_run_id,
        row.missed,
        tuple((system, object_) for system, object_ in orjson.loads(row.slices or "[]")),
        row.changed_at,
        row.changed_by,
    )


def put(work: UnitOfWork, wish: Wish, by: str) -> None:
    """Makes a schedule, or changes when it runs; its next start is decided anew, its past stays.

    A start that was missed already stays due: editing the settings while the daemon is away loses no catch-up.
    """
    windows = orjson.dumps({"blackout": list(wish.blackout), "freeze": list(wish.freeze)}).decode()
    values: dict[str, object] = {"timing": wish.timing, "zone": wish.zone, "windows": windows, "origin": wish.origin}
    overdue = sa.case((schedule.c.next_due_at <= work.now, schedule.c.next_due_at), else_=None)
    due = None if isinstance(parse_timing(wish.timing), Never) else overdue
    values |= {"changed_at": work.now, "changed_by": by}
    if not _change(work, wish.schedule_id, **values, next_due_at=due):
        key = {"schedule_id": wish.schedule_id, "act": wish.act, "entity": wish.entity, "system": wish.system}
        work.conn.execute(schedule.insert().values(**key, **values, missed=0))


def drop(work: UnitOfWork, which: str) -> None:
    work.conn.execute(schedule.delete().where(schedule.c.schedule_id == which))


def move(work: UnitOfWork, which: str, next_due_at: float | None) -> None:
    """Notes when a schedule is due next."""
    _change(work, which, next_due_at=next_due_at)


def claim(
    work: UnitOfWork,
    row: Schedule,
    next_due_at: float | None,
    missed: int,
    slices: Sequence[tuple[str, str]] | None = None,
) -> bool:
    """Starts a schedule unless somebody else did, or changed it, since the row was read; False then."""
    due = schedule.c.next_due_at
    here = sa.and_(
        schedule.c.schedule_id == row.schedule_id,
        due.is_(None) if row.next_due_at is None else due == row.next_due_at,
        schedule.c.changed_at == row.changed_at,
    )
    values: dict[str, object] = {
        "next_due_at": next_due_at,
        "last_started_at": work.now,
        "missed": schedule.c.missed + missed,
    }
    if slices is not None:
        values["slices"] = orjson.dumps(list(slices)).decode()
    return work.conn.execute(schedule.update().where(here).values(values)).rowcount == 1


def end(work: UnitOfWork, which: str, outcome: str, run_id: str | None) -> None:
    _change(work, which, last_ended_at=work.now, last_outcome=outcome, last_run_id=run_id)


def keep_slices(work: UnitOfWork, which: str, slices: Sequence[tuple[str, str]]) -> None:
    """Notes which slices of a reconciliation are left, so that a restart goes on with them."""
    _change(work, which, slices=orjson.dumps(list(slices)).decode())


def _change(work: UnitOfWork, which: str, **values: object) -> bool:
    return work.conn.execute(schedule.update().where(schedule.c.schedule_id == which).values(**values)).rowcount > 0


def converged_at(conn: sa.Connection, entity: str) -> float | None:
    """Returns when a run of an entity last ended converged."""
    here = sa.and_(run.c.entity == entity, run.c.outcome == "converged", run.c.act == "sync")
    newest = sa.select(run.c.ended_at).where(here).order_by(run.c.run_id.desc()).limit(1)
    return conn.execute(newest).scalar_one_or_none()


def pauses(conn: sa.Connection) -> list[Pause]:
    """Returns every pause, in the order of its scope."""
    rows = conn.execute(sa.select(pause).order_by(pause.c.scope, pause.c.cause))
    return [
        Pause(
            row.scope,
            row.cause,
            row.reason,
            row.paused_by,
            row.paused_at,
            None if row.secret_digest is None else bytes(row.secret_digest),
            row.digest_key_id,
        )
        for row in rows
    ]


def add_pause(work: UnitOfWork, made: Pause) -> bool:
    """Adds a pause; False where the scope is paused by this cause already, whose reason then stays."""
    here = sa.and_(pause.c.scope == made.scope, pause.c.cause == made.cause)
    if work.conn.execute(sa.select(pause.c.scope).where(here)).scalar_one_or_none() is not None:
        return False
    row = {"scope": made.scope, "cause": made.cause, "reason": made.reason, "paused_by": made.by, "paused_at": made.at}
    work.conn.execute(pause.insert().values(**row, secret_digest=made.digest, digest_key_id=made.digest_key_id))
    return True


def lift_pauses(work: UnitOfWork, scope: str, cause: str | None = None) -> list[Pause]:
    """Removes the pauses of a scope, all or those of one cause, and returns them."""
    found = [item for item in pauses(work.conn) if item.scope == scope and cause in (None, item.cause)]
    for item in found:
        work.conn.execute(pause.delete().where(pause.c.scope == scope, pause.c.cause == item.cause))
    return found
