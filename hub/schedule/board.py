"""What the board of schedules and pauses asks for at an instant. Pure: the daemon reads the board and acts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import lru_cache
from zoneinfo import ZoneInfo

from hub.kernel.timetable import Every, parse_freeze, parse_timing, parse_window
from hub.operations.pausing import stopped_systems, waits
from hub.operations.scheduling import BACKFILL, PASSING, RECONCILE, SYNC, Board, Start
from hub.schedule.due import (
    Plan,
    Verdict,
    WorkingDay,
    decide,
    first_due,
    is_blacked_out,
    next_due,
    reanchored,
    released_at,
)
from hub.schedule.turns import Candidate
from hub.store.schedules import ALL, Schedule

Slice = tuple[str, str]


@dataclass(frozen=True, slots=True)
class View:
    """Is the board as seen at an instant; `systems` and `sliced_at` (when its last slice ended) are per entity."""

    board: Board
    systems: Mapping[str, Sequence[str]]
    now: float
    grace: float
    working_day: WorkingDay
    sliced_at: Mapping[str, float]
    unfinished: Mapping[str, float] = attribute(default_factory=dict)
    """entity -> when a sync of it yielded before its end"""
    synced: Mapping[str, float] = attribute(default_factory=dict)
    """entity -> when its last sync ended"""
    pass_seconds: float = float("inf")
    short: frozenset[str] = frozenset()
    """Systems with little left of what their vendors grant: what can wait leaves it to what is due."""

    def rows(self, act: str, entity: str) -> list[Schedule]:
        return [row for row in self.board.schedules if (row.act, row.entity) == (act, entity)]

    def able(self, entity: str) -> list[str]:
        """Returns the systems of an entity that may be called: none while the entity is paused."""
        if waits(entity, self.board.pauses) is not None:
            return []
        stopped = stopped_systems(self.board.pauses)
        return [system for system in self.systems.get(entity, ()) if system not in stopped]

    def spares(self, entity: str) -> bool:
        """Tells whether what can wait does, because a system of the entity is short."""
        return not self.short.isdisjoint(self.systems.get(entity, ()))


def plan_of(row: Schedule) -> Plan:
    """Returns the plan that a row spells out. Raises Malformed for a row that nobody checked."""
    return _plan(row.timing, row.zone, row.blackout, row.freeze)


@lru_cache(maxsize=256)
def _plan(timing: str, zone: str, blackout: tuple[str, ...], freeze: tuple[str, ...]) -> Plan:
    windows, dates = tuple(parse_window(text) for text in blackout), tuple(parse_freeze(text) for text in freeze)
    return Plan(parse_timing(timing), ZoneInfo(zone), windows, dates)


def moves(view: View, *, reanchor: bool) -> dict[str, float | None]:
    """Returns the schedules whose due instant must be noted anew: new, changed, blacked out, or after a clock jump."""
    found = {}
    for row in view.board.schedules:
        due = _placed(view, row, reanchor)
        if due != row.next_due_at:
            found[row.schedule_id] = due
    return found


def _placed(view: View, row: Schedule, reanchor: bool) -> float | None:
    plan, now = plan_of(row), view.now
    if row.next_due_at is None:
        if row.last_started_at is None or not isinstance(plan.timing, Every):
            return first_due(plan, now, view.working_day)
        return released_at(plan, max(now, row.last_started_at + plan.timing.seconds), view.working_day)
    due = reanchored(plan, row.next_due_at, now, view.working_day) if reanchor else row.next_due_at
    decision = decide(plan, due, now, view.grace, view.working_day)
    return decision.next_due_at if decision.verdict is Verdict.MOVE else due


def starts(view: View, act: str, entity: str) -> list[Start]:
    """Returns the schedules of an entity that are due and may start; a paused system's own wait with it."""
    able, found = view.able(entity), []
    for row in view.rows(act, entity):
        if not able or (row.system != ALL and row.system not in able):
            continue
        made = decide(plan_of(row), row.next_due_at, view.now, view.grace, view.working_day)
        if made.verdict is Verdict.START:
            found.append(Start(row, made.next_due_at, made.late, made.missed, made.catch_up))
    return found


def candidates(view: View) -> list[Candidate]:
    """Returns everything that waits for its turn."""
    found = []
    for entity in view.systems:
        for act in (SYNC,) if view.spares(entity) else (SYNC, RECONCILE):
            due = [start.row.next_due_at for start in starts(view, act, entity) if start.row.next_due_at is not None]
            left = pieces(view, entity) if act == RECONCILE else ()
            if left:
                due.append(view.sliced_at.get(entity, view.now))
            if due:
                found.append(Candidate(act, entity, min(due)))
        if entity in view.unfinished and not view.spares(entity) and may_go_on(view, entity):
            found.append(Candidate(BACKFILL, entity, view.unfinished[entity]))
        elif (due_at := _passes_at(view, entity)) <= view.now and not any(item.entity == entity for item in found):
            found.append(Candidate(PASSING, entity, due_at))
    return found


def _passes_at(view: View, entity: str) -> float:
    """Returns when a sync of an entity may pass what another one was cut short of: one that runs by an interval."""
    behind = view.unfinished.keys() - {entity}
    row = _common(view, entity)
    if entity in view.unfinished or not behind or row is None or not isinstance(plan_of(row).timing, Every):
        return math.inf
    ended_at = view.synced.get(entity, math.inf)
    # One that never ended, or ended in what is now the future of a clock that was set back, is due.
    due_at = view.now if ended_at > view.now else ended_at + view.pass_seconds
    return due_at if may_go_on(view, entity) else math.inf


def passing(view: View, entity: str) -> frozenset[str]:
    """Returns the systems that a sync which passes leaves alone: those with a schedule of their own."""
    row = _common(view, entity)
    return resting(view, entity, [row] if row else [])


def _common(view: View, entity: str) -> Schedule | None:
    return next((row for row in view.rows(SYNC, entity) if row.system == ALL), None)


def may_go_on(view: View, entity: str) -> bool:
    """Tells whether a cycle that has no schedule of its own may start: not while all of the entity is dark."""
    dark = (is_blacked_out(plan_of(row), view.now, view.working_day) for row in view.rows(SYNC, entity))
    return bool(view.able(entity)) and not any(dark)


def pieces(view: View, entity: str) -> tuple[Slice, ...]:
    """Returns the slices that are left of a reconciliation that began, none while it may not go on."""
    for row in view.rows(RECONCILE, entity):
        if row.slices and view.able(entity) and not is_blacked_out(plan_of(row), view.now, view.working_day):
            return row.slices
    return ()


def resting(view: View, entity: str, started: Sequence[Schedule]) -> frozenset[str]:
    """Returns the systems that a cycle leaves alone: those whose own schedule, or that of all others, is not due.

    A system that never took part rests in no cycle: who is who is decided with all of them.
    """
    rows = {row.system: row for row in view.rows(SYNC, entity)}
    begun = {row.system for row in started}
    owner = {system: system if system in rows else ALL for system in view.systems.get(entity, ())}
    idle = (name for name, row in owner.items() if row not in begun and row in rows)
    return frozenset(name for name in idle if rows[owner[name]].last_ended_at is not None)


def overrun(view: View, ids: Sequence[str]) -> dict[str, float | None]:
    """Returns intervals that came due while they ran: they count from the end, nothing was missed."""
    found = {}
    for row in view.board.schedules:
        plan = plan_of(row)
        past = row.next_due_at is not None and row.next_due_at <= view.now
        if row.schedule_id in ids and past and isinstance(plan.timing, Every):
            found[row.schedule_id] = next_due(plan, view.now, view.working_day)
    return found
