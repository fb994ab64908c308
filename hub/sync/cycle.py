"""One cycle of one entity: recover, pull, take in, guard, push; ends by saying where it stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hub.audit.event import Event
from hub.core.guards import Load, Trip, guard_intake, guard_writes
from hub.kernel.errors import HubError, Text
from hub.store import inbox, intents, matches, quarantine, questions, records, runs
from hub.store.database import Connection
from hub.store.runs import GuardRow
from hub.sync.backfill import note_writes, reopen
from hub.sync.drift import watch
from hub.sync.engine import RunContext
from hub.sync.hints import forget_echoes, look_at_hints
from hub.sync.intake import take_in
from hub.sync.pull import pull
from hub.sync.push import push
from hub.sync.rebuild import finish, resume, still_rebuilding, unlisted
from hub.sync.recover import recover
from hub.sync.shares import OFFERED_AGAIN, pull_rest, push_spread, settle_older

PASSES = 3
"""How often a cycle goes back to what moved under its hands before it leaves the rest to the next one."""
FIRST_SYNC = "first_sync"
INTAKE_GUARDS = ("mass_change", "mass_gone")
WRITE_GUARDS = (FIRST_SYNC, "mass_delete", "mass_create", "mass_update")


class Outcome(StrEnum):
    CONVERGED = "converged"
    PROGRESSED = "progressed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Standing:
    """Is where an entity stands: what is owed per system, and everything that waits for someone."""

    owed: dict[str, dict[str, int]]
    queued: int
    waiting: dict[str, int]
    guards: tuple[GuardRow, ...]
    causes: tuple[tuple[str, str, str, int], ...]

    @property
    def debts(self) -> int:
        return sum(c["creates"] + c["updates"] + c["deletes"] for c in self.owed.values())

    def reasons(self) -> list[str]:
        """Returns stable words for what blocks, each with its number."""
        named = [f"guard:{row.guard}:{row.system}={row.count}" for row in self.guards if row.state == "tripped"]
        named += [f"{name}={number}" for name, number in sorted(self.waiting.items()) if number]
        return named + [f"quarantine:{code}:{system}={number}" for system, code, _, number in self.causes]


@dataclass(frozen=True, slots=True)
class Report:
    """Is what one cycle did and where it left the entity."""

    run_id: str
    outcome: Outcome
    reasons: tuple[str, ...]
    counts: dict[str, int]
    standing: Standing
    problems: tuple[Text, ...]


def run_cycle(run: RunContext, *, write: bool = True) -> Report:
    """Runs one cycle; with `write` False nothing is written to any system and the debts are only counted."""
    act = "sync" if write else "plan"
    with run.store.begin(run.held) as work:
        runs.start(work, run.run_id, run.entity, act, run.actor)
        work.audit(Event("run.start", run.entity, run.run_id, reason=act, corr=run.run_id))
    try:
        run = resume(run)
        _go(run, write=write)
    except Exception as error:
        _end(run, "failed", [error.code if isinstance(error, HubError) else type(error).__name__])
        raise
    return _finish(run)


def _go(run: RunContext, *, write: bool) -> None:
    resting = frozenset(run.tally.blocked)
    watch(run)
    settle_older(run)
    if write:
        recover(run)
    reopen(run)
    if run.hinted:
        forget_echoes(run)
    shut = _take_all_in(run, resting)
    if not write or run.cut_short():
        return
    if shut is not None:
        _write(run, shut)
    # What an earlier run left and the vendor's lag may still hide is waited for last: nothing else waits behind it.
    if _look_again(run) and shut is not None and not run.cut_short():
        _write(run, shut)


def _take_all_in(run: RunContext, resting: frozenset[str]) -> list[str] | None:
    """Pulls and merges; returns the systems whose inbox stays shut, None where nothing may be written yet."""
    pull(run)
    if run.left:
        pull_rest(run, run.left)
    # Who is who is judged over all systems, so nobody is matched or created before they are listed to their end.
    if unlisted(run) or run.cut_short():
        return None
    if run.hinted and run.rebuild is None:
        look_at_hints(run, resting)
    shut = _guard_intake(run)
    take_in(run, shut)
    # What waits in the inbox may be who a create is owed for.
    return shut if not run.cut_short() and finish(run) else None


def _write(run: RunContext, shut: Collection[str]) -> None:
    # Who is new in a system whose inbox is shut waits there unread: what is owed to it may be owed to just that one.
    allowed, owed = ([name for name in names if name not in shut] for names in _guard_writes(run))
    for turn in range(PASSES):
        before = run.tally.counts["stale_writes"] + run.tally.counts["looked"]
        targets = allowed if turn else owed
        open_ = [name for name in targets if not run.blocked(name)]
        write_to = push if run.spread is None else push_spread
        written = sum(write_to(run, run.links[name], run.turn.share(len(open_) - n)) for n, name in enumerate(open_))
        moved = run.tally.counts["stale_writes"] + run.tally.counts["looked"] - before
        if not moved and not written:
            break
        take_in(run, shut)
        if not moved or run.cut_short():
            break


def _look_again(run: RunContext) -> int:
    """Settles the writes that are still open, once everything else is written; returns how many it settled.

    Those of this very run wait for the next one, but for what its dead processes left: no share is under way now.
    """
    if run.stop.is_set() or run.cut_short():
        return 0
    settled = recover(run, patient=True)
    if run.tally.counts[OFFERED_AGAIN]:
        settled += recover(run, own=True)
    return settled


def _guard_intake(run: RunContext) -> list[str]:
    """Returns the systems whose observations must not reach the golden records now."""
    with run.store.read() as conn:
        known = runs.guards(conn, run.entity)
        loads = _loads(run, conn, known)
    trips = [trip for load in loads for trip in guard_intake(load, run.rules.limits)]
    return _stop(run, trips, known, INTAKE_GUARDS)


def _guard_writes(run: RunContext) -> tuple[list[str], list[str]]:
    """Returns the systems that may be written to, and those of them that are owed something now."""
    with run.store.read() as conn:
        known = runs.guards(conn, run.entity)
        loads = _loads(run, conn, known)
    trips = [trip for load in loads for trip in guard_writes(load, run.rules.limits)]
    # One system stops the whole entity: what the others are owed was decided with its records.
    if _stop(run, trips, known, WRITE_GUARDS):
        return [], []
    return list(run.systems()), [load.system for load in loads if load.creates + load.updates + load.deletes]


def _loads(run: RunContext, conn: Connection, known: Sequence[GuardRow]) -> list[Load]:
    owed, arrived = records.tally(conn, run.entity), inbox.load_of(conn, run.entity)
    released = {(row.system, row.guard) for row in known if row.state == "released"}
    loads = []
    for system in run.systems():
        counts, seen = owed.get(system, {}), arrived.get(system, {})
        loads.append(
            Load(
                system,
                counts.get("bound", 0),
                seen.get("changed", 0),
                seen.get("gone", 0),
                counts.get("creates", 0),
                counts.get("updates", 0),
                counts.get("deletes", 0),
                (system, FIRST_SYNC) in released,
            )
        )
    return loads


def _stop(run: RunContext, trips: Sequence[Trip], known: Sequence[GuardRow], names: Sequence[str]) -> list[str]:
    """Records what tripped and clears what no longer does; returns the systems that stay stopped."""
    rows = {(row.system, row.guard): row for row in known}
    first = {row.system: row.allowed for row in known if row.guard == FIRST_SYNC and row.state == "released"}
    standing = [trip for trip in trips if not _released(trip, rows, first)]
    tripped = {(trip.system, trip.guard) for trip in trips}
    passed = [r for r in known if r.guard in names and (r.system, r.guard) not in tripped and r.guard != FIRST_SYNC]
    fresh = [trip for trip in standing if not _same(rows.get((trip.system, trip.guard)), trip)]
    if fresh or passed:
        with run.store.begin(run.held) as work:
            for trip in fresh:
                runs.trip(work, run.entity, run.run_id, trip)
                counts = {"count": trip.count, "allowed": trip.allowed}
                work.audit(
                    Event(
                        "guard.trip",
                        run.entity,
                        trip.guard,
                        outcome="denied",
                        connection=trip.system,
                        counts=counts,
                        corr=run.run_id,
                    )
                )
            for row in passed:
                runs.clear_guard(work, run.entity, row.system, row.guard)
    run.tally.add("guards", len(standing))
    return sorted({trip.system for trip in standing})


def _released(trip: Trip, rows: dict[tuple[str, str], GuardRow], first: dict[str, int]) -> bool:
    row = rows.get((trip.system, trip.guard))
    if row is not None and row.state == "released" and trip.count <= row.allowed:
        return True
    # Who released the first sync saw these writes and allowed them.
    return trip.guard in ("mass_create", "mass_update") and trip.count <= first.get(trip.system, -1)


def _same(row: GuardRow | None, trip: Trip) -> bool:
    return row is not None and row.state == "tripped" and row.count == trip.count


def standing(run: RunContext) -> Standing:
    """Reads where the entity stands now."""
    with run.store.read() as conn:
        return read_standing(conn, run.entity)


def read_standing(conn: Connection, entity: str) -> Standing:
    open_intents = intents.count(conn, entity)
    depth, owed = inbox.depth(conn, entity), records.tally(conn, entity)
    return Standing(
        owed,
        depth.get("new", 0),
        {
            "conflicts": questions.count(conn, "conflict", entity),
            "holds": questions.count(conn, "hold", entity),
            "match_questions": matches.tally(conn, entity).get("unsure", 0),
            "asked_writes": open_intents.get("asked", 0),
            "uncertain_writes": open_intents.get("uncertain", 0) + open_intents.get("sent", 0),
            "parked": depth.get("parked", 0),
            "merges_there": sum(counts["superseded"] for counts in owed.values()),
        },
        tuple(runs.guards(conn, entity)),
        tuple(quarantine.causes(conn, entity)),
    )


def _finish(run: RunContext) -> Report:
    left = standing(run)
    reasons = left.reasons() + [f"system:{name}:{error.code}" for name, error in sorted(run.tally.blocked.items())]
    if run.tally.orphans:
        reasons.append(f"waiting_parent={len(run.tally.orphans)}")
    if run.tally.unseen:
        reasons.append(f"out_of_sight={len(run.tally.unseen)}")
    reasons += [f"{why}={len(ids)}" for why, ids in sorted(run.tally.withheld.items())]
    reasons += still_rebuilding(run)
    if reasons:
        outcome = Outcome.BLOCKED
    elif left.debts or left.queued or run.cut_short():
        outcome = Outcome.PROGRESSED
    else:
        outcome = Outcome.CONVERGED
    _spend_first_sync(run, left)
    note_writes(run, left.owed)
    _end(run, outcome, reasons)
    problems = tuple(Text(error.en, error.zh) for error in run.tally.blocked.values())
    return Report(run.run_id, outcome, tuple(reasons), dict(run.tally.counts), left, problems)


def _spend_first_sync(run: RunContext, left: Standing) -> None:
    """Ends the allowance of a released first sync once nothing is owed there any more."""
    spent = [
        row
        for row in left.guards
        if row.guard == FIRST_SYNC
        and row.state == "released"
        and row.allowed
        and not any(left.owed.get(row.system, {}).get(kind) for kind in ("creates", "updates"))
    ]
    if spent:
        with run.store.begin(run.held) as work:
            for row in spent:
                runs.spend(work, row)


def _end(run: RunContext, outcome: str, reasons: Sequence[str]) -> None:
    with run.store.begin(run.held) as work:
        runs.end(work, run.run_id, outcome, reasons, run.tally.counts)
        counts = {name.replace(":", "."): number for name, number in run.tally.counts.items()}
        code = ",".join(reasons)[:200] or None
        work.audit(Event("run.end", run.entity, run.run_id, reason=outcome, code=code, counts=counts, corr=run.run_id))
