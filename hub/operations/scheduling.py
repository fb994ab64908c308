"""Schedules: taken from the settings, changed by people while the daemon runs, and kept by the daemon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hub.audit.event import Event
from hub.kernel.errors import Declined
from hub.kernel.redaction import redact
from hub.kernel.settings import Settings
from hub.kernel.timetable import Malformed, parse_timing
from hub.keys.file import FileKeyProvider
from hub.operations.approvals import activate_due
from hub.operations.choice import person
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.operations.users import report_forged
from hub.store import runs, schedules
from hub.store.schedules import ALL, Pause, Schedule, Wish
from hub.sync.cycle import Outcome, Standing, read_standing
from hub.telemetry import logger

SYNC, RECONCILE = "sync", "reconcile"
BACKFILL = "backfill"
"""Is a sync that goes on where the last one yielded; it has no schedule of its own."""
PASSING = "passing"
"""Is a sync that comes before its schedule, because another entity's first load would make it wait."""
FROM_SETTINGS, FROM_PERSON = "settings", "person"


@dataclass(frozen=True, slots=True)
class Board:
    """Is all that the daemon steers by: every schedule and every pause."""

    schedules: tuple[Schedule, ...]
    pauses: tuple[Pause, ...]


def wishes(settings: Settings) -> Iterator[Wish]:
    """Yields the schedules that the settings ask for: to sync and reconcile each entity, and its slower systems."""
    general = settings.schedule
    for entity in settings.entities:
        own = general.by_entity.get(entity)
        timings = {
            (SYNC, ALL): (own.sync if own else None) or general.sync,
            (RECONCILE, ALL): (own.reconcile if own else None) or general.reconcile,
        }
        timings |= {(SYNC, system): timing for system, timing in (own.systems if own else {}).items()}
        for (act, system), timing in timings.items():
            yield Wish(act, entity, system, timing, general.time_zone, general.blackout, general.freeze)


@permit("schedule.change")
def adopt_settings(hub: Installation) -> list[str]:
    """Brings the stored schedules to what the settings say; what a person set while it ran keeps its times.

    Returns the ids of those that changed.
    """
    wanted = {wish.schedule_id: wish for wish in wishes(hub.settings)}
    with hub.store.begin() as work:
        known = {row.schedule_id: row for row in schedules.load(work.conn)}
        changed = [wish for wish in wanted.values() if _differs(known.get(wish.schedule_id), wish)]
        dropped = [row for row in known.values() if row.schedule_id not in wanted and not _kept(hub, row)]
        for wish in changed:
            schedules.put(work, _merged(known.get(wish.schedule_id), wish), person(hub))
            work.audit(Event("schedule.adopt", "schedule", wish.schedule_id, reason=wish.timing))
        for row in dropped:
            schedules.drop(work, row.schedule_id)
            work.audit(Event("schedule.adopt", "schedule", row.schedule_id, reason="no longer configured"))
    return [wish.schedule_id for wish in changed] + [row.schedule_id for row in dropped]


def _merged(row: Schedule | None, wish: Wish) -> Wish:
    if row is None or row.origin != FROM_PERSON:
        return wish
    return _wish(wish, row.timing, FROM_PERSON)


def _differs(row: Schedule | None, wish: Wish) -> bool:
    return row is None or row.wish != _merged(row, wish)


def _kept(hub: Installation, row: Schedule) -> bool:
    entity = hub.settings.entities.get(row.entity)
    return row.origin == FROM_PERSON and entity is not None and row.system in (ALL, *entity.systems)


def _wish(like: Wish, timing: str, origin: str) -> Wish:
    return Wish(like.act, like.entity, like.system, timing, like.zone, like.blackout, like.freeze, origin)


@permit("schedule.change")
def set_schedule(
    hub: Installation, entity: str, timing: str | None, *, act: str = SYNC, system: str | None = None, reason: str
) -> Wish:
    """Changes when an entity, or one system of it, runs; the daemon follows within seconds. None: as in the settings.

    Raises Declined for a text that is no timing, without a reason, or for a system that the entity does not have.
    """
    if not reason.strip():
        raise Declined("a change of schedule needs a reason: --reason TEXT", "修改调度须填写原因：--reason 文本")
    hub.entity_rules(entity)
    _check_target(hub, entity, act, system)
    wanted = {wish.schedule_id: wish for wish in wishes(hub.settings)}
    configured = wanted.get(schedules.schedule_id(act, entity, system or ALL))
    general = wanted[schedules.schedule_id(act, entity)]
    base = configured or Wish(
        act, entity, system or ALL, general.timing, general.zone, general.blackout, general.freeze
    )
    with hub.store.begin() as work:
        if timing is None and configured is None:
            schedules.drop(work, base.schedule_id)
        else:
            base = base if timing is None else _wish(base, _checked(timing), FROM_PERSON)
            schedules.put(work, base, person(hub))
        said = f"{timing or 'as configured'}: {redact(reason)}"
        work.audit(Event("schedule.set", "schedule", base.schedule_id, reason=said))
    return base


def _check_target(hub: Installation, entity: str, act: str, system: str | None) -> None:
    listed = hub.settings.entities[entity].systems
    if system is not None and (system not in listed or act != SYNC):
        known = ", ".join(listed)
        raise Declined(
            f"only a sync of {entity} has schedules per system, and its systems are: {known}",
            f"仅 {entity} 的同步可按接入系统设置调度，其系统为：{known}",
        )


def _checked(timing: str) -> str:
    try:
        parse_timing(timing)
    except Malformed as fault:
        raise Declined(f"the timing {fault.en}", f"调度时间{fault.zh}") from None
    return " ".join(timing.split())


@permit("status.read")
def read_board(hub: Installation) -> Board:
    """Returns every schedule and every pause."""
    with hub.store.read() as conn:
        return Board(tuple(schedules.load(conn)), tuple(schedules.pauses(conn)))


@permit("daemon.run")
def move(hub: Installation, due: Mapping[str, float | None]) -> None:
    """Notes when schedules are due next."""
    with hub.store.begin() as work:
        for which, instant in due.items():
            schedules.move(work, which, instant)


@dataclass(frozen=True, slots=True)
class Start:
    """Is one start of a schedule: when it is due next, what it makes up for, and the slices it goes through."""

    row: Schedule
    next_due_at: float | None
    late: float = 0.0
    missed: int = 0
    catch_up: bool = False
    slices: tuple[tuple[str, str], ...] | None = None


@permit("daemon.run")
def claim(hub: Installation, starts: Sequence[Start]) -> list[Start]:
    """Starts schedules; returns those that nobody else started meanwhile. A catch-up is audited once."""
    taken = []
    with hub.store.begin() as work:
        for start in starts:
            if not schedules.claim(work, start.row, start.next_due_at, start.missed, start.slices):
                continue
            taken.append(start)
            if start.catch_up:
                counts = {"missed": start.missed, "late_seconds": int(start.late)}
                work.audit(Event("schedule.catch_up", "schedule", start.row.schedule_id, counts=counts))
    return taken


@permit("daemon.run")
def end(hub: Installation, ids: Sequence[str], outcome: str, run_id: str | None) -> None:
    """Notes how schedules ended."""
    with hub.store.begin() as work:
        for which in ids:
            schedules.end(work, which, outcome, run_id)


@permit("daemon.run")
def keep_slices(hub: Installation, which: str, slices: Sequence[tuple[str, str]]) -> None:
    """Notes which slices of a reconciliation are left."""
    with hub.store.begin() as work:
        schedules.keep_slices(work, which, slices)


@permit("status.read")
def slices_of(hub: Installation, entity: str) -> tuple[tuple[str, str], ...]:
    """Returns the slices of a reconciliation: (system, object)."""
    return tuple((system, object_) for system, link in hub.links(entity).items() for object_ in link.objects)


@permit("status.read")
def standing_of(hub: Installation, entity: str) -> Standing:
    """Reads where an entity stands; reads the store only."""
    with hub.store.read() as conn:
        return read_standing(conn, entity)


@permit("daemon.run")
def cut_short(hub: Installation) -> list[str]:
    """Returns the entities whose last sync did not come to its end: its process was stopped, or died amid it."""
    found = []
    with hub.store.read() as conn:
        for entity in hub.rules:
            last = next((row for row in runs.latest(conn, entity) if row.act == SYNC), None)
            if last is not None and (last.ended_at is None or last.outcome == Outcome.PROGRESSED):
                found.append(entity)
    return found


@permit("status.read")
def converged_at(hub: Installation, entity: str) -> float | None:
    """Returns when an entity was last seen converged, in epoch seconds."""
    with hub.store.read() as conn:
        return schedules.converged_at(conn, entity)


@permit("daemon.run")
def check_key(hub: Installation) -> None:
    """Proves that the key of this installation can still be read. Raises KeyUnusable with the remedy."""
    keys = hub.settings.keys
    if keys.provider == "file":
        FileKeyProvider(hub.settings.path(keys.path or "keys/hub.key"), forbidden=(hub.settings.var,))


@permit("daemon.run")
def tend(hub: Installation) -> None:
    """Proves the key, and carries out what was agreed to for a time that has come. Raises KeyUnusable."""
    check_key(hub)
    activate_due(hub)


@permit("daemon.run")
def note_start(hub: Installation) -> None:
    """Audits that the daemon started; proves at once that the store can be written."""
    with hub.store.begin() as work:
        work.audit(Event("daemon.start", "daemon", hub.settings.installation.id))
    for user in report_forged(hub):
        logger("access").error("access_forged", user=user.user_id)


@permit("daemon.run")
def note_stop(hub: Installation, reason: str) -> None:
    """Audits that the daemon stops."""
    with hub.store.begin() as work:
        work.audit(Event("daemon.stop", "daemon", hub.settings.installation.id, reason=reason))


@permit("daemon.run")
def note_wait(hub: Installation, cause: str, code: str, seconds: float) -> None:
    """Audits that everything waited for a cause and goes on; proves at once that the store can be written."""
    with hub.store.begin() as work:
        counts = {"seconds": int(seconds)}
        work.audit(Event("daemon.wait", "daemon", hub.settings.installation.id, code=code, reason=cause, counts=counts))
