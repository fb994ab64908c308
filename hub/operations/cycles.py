"""Runs cycles for a person: a dry run with what it would write, one cycle, or cycles until nothing is owed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace

from connectors.errors import ConnectorError
from connectors.pricing import Price
from hub.audit.event import Event
from hub.core.parts import MAIN
from hub.core.plan import Act
from hub.kernel.errors import Text
from hub.operations.choice import no_record, person
from hub.operations.installation import Installation
from hub.operations.pausing import ClosedDoor, held_back, require_running
from hub.operations.permission import permit, require_record
from hub.operations.progress import to_be_read
from hub.operations.reasons import Advice, explain
from hub.store import inbox, records
from hub.sync.cycle import Outcome, Report, run_cycle
from hub.sync.engine import CUT_SHORT as CUT_SHORT
from hub.sync.engine import RunContext, Turn
from hub.sync.looking import learn_versions
from hub.sync.preview import owed_actions, owed_stand_ins, price_owed
from hub.sync.reconcile import Difference as Difference
from hub.sync.reconcile import reconcile
from hub.telemetry import bound, logger

RUN_NOTE = "run "
"""Begins the note that carries the run id of an error."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Is one write that is owed; fields are named, values are not."""

    hub_id: str
    act: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """Is what a sync would write now. `calls` are the write calls it needs at least, without reads. `prices` says,
    where a connector knows its vendor's price, what the writes cost with the reads before them.

    `counts` says what became of what was read: passed over because it belongs to nobody (`unlinked`) or to no mapping
    (`filtered`), redacted, quarantined; and in how many writes somebody stands in for an owner who left
    (`fallback_owner`).
    """

    run_id: str
    entity: str
    owed: Mapping[str, Mapping[str, int]]
    actions: Mapping[str, tuple[Planned, ...]]
    calls: Mapping[str, int]
    prices: Mapping[str, Price]
    advice: tuple[Advice, ...]
    blocked: tuple[str, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Synced:
    """Is what one cycle or several came to: counts of all, the rest of the last. `blocked` are codes of systems."""

    run_id: str
    entity: str
    outcome: str
    stopped: bool
    cycles: int
    counts: Mapping[str, int]
    owed: Mapping[str, Mapping[str, int]]
    advice: tuple[Advice, ...]
    blocked: tuple[str, ...]
    calls: Mapping[str, Mapping[str, int]]


@contextmanager
def _run(
    hub: Installation, entity: str, stop: threading.Event | None = None, resting: Iterable[str] = ()
) -> Iterator[RunContext]:
    with hub.run(entity) as opened:
        run = opened if stop is None else replace(opened, stop=stop)
        run = _hold_back(hub, run, resting)
        try:
            with bound(run_id=run.run_id, entity=entity):
                logger("operations").info("run_started")
                yield run
        except Exception as error:
            error.add_note(f"{RUN_NOTE}{run.run_id}")
            raise


def _hold_back(hub: Installation, run: RunContext, resting: Iterable[str]) -> RunContext:
    """Blocks the systems that are paused or rest; they stay among the links, so that what they are owed is kept."""
    links = dict(run.links)
    for system, error in held_back(hub, run.systems(), resting).items():
        run.block(system, error)
        links[system] = copy(links[system])
        links[system].connector = ClosedDoor(links[system].connector, error)
    return replace(run, links=links)


@permit("sync.run")
def plan(hub: Installation, entity: str, limit: int = 20, stop: threading.Event | None = None) -> Preview:
    """Pulls and merges, writes to no system, and returns the writes that are owed. Raises Busy."""
    with _run(hub, entity, stop) as run:
        report = run_cycle(run, write=False)
        advice = _advice(report, run.tally.blocked)
        actions: dict[str, tuple[Planned, ...]] = {}
        calls: dict[str, int] = {}
        prices: dict[str, Price] = {}
        for system in run.systems():
            with hub.store.read() as conn:
                found = owed_actions(conn, run, system, limit)
            actions[system] = tuple(Planned(hub_id, action.act.value, action.fields) for hub_id, action in found)
            if not run.blocked(system):
                owed = report.standing.owed.get(system, {})
                calls[system] = _calls(run, system, owed)
                if (price := price_owed(run, system, owed)) is not None:
                    prices[system] = price
        stand_ins = sum(owed_stand_ins(run, system) for system in run.systems())
    counts = report.counts | ({"fallback_owner": stand_ins} if stand_ins else {})
    return Preview(run.run_id, entity, report.standing.owed, actions, calls, prices, advice, _blocked(report), counts)


def _calls(run: RunContext, system: str, owed: Mapping[str, int]) -> int:
    link = run.links[system]
    try:
        size = max(1, min((link.can(name).batch_size for name in link.objects), default=1))
    except ConnectorError:
        size = 1
    return sum(-(-owed.get(kind, 0) // size) for kind in ("creates", "updates", "deletes"))


@permit("sync.run")
def sync(
    hub: Installation,
    entity: str,
    *,
    until_converged: bool = False,
    max_cycles: int = 10,
    stop: threading.Event | None = None,
    told: Callable[[int, Report], None] = lambda number, report: None,
    resting: Iterable[str] = (),
    slice_seconds: float | None = None,
) -> Synced:
    """Runs one cycle, or cycles until nothing is owed or nothing moves any more. Raises Busy and Paused.

    `stop`, once set, ends the run between two pages or batches. `told` hears of each cycle. Systems that are paused,
    or `resting`, are neither read nor written; what they are owed stays owed. After `slice_seconds` a cycle yields
    between two pages or batches and counts that as `cut_short`; the next one goes on.
    """
    require_running(hub, entity)
    stop = stop or threading.Event()
    cycle = 0
    counts: Counter[str] = Counter()
    while True:
        cycle += 1
        with _run(hub, entity, stop, resting) as run:
            report = run_cycle(replace(run, turn=Turn(run.clock, run.clock.now(), slice_seconds)))
            advice = _advice(report, run.tally.blocked)
        counts.update(report.counts)
        told(cycle, report)
        if stop.is_set() or not until_converged or cycle >= max_cycles or not _goes_on(report):
            break
    outcome = str(report.outcome)
    if stop.is_set() and report.outcome is Outcome.CONVERGED:
        # A run that was stopped did not look at everything.
        outcome = Outcome.PROGRESSED.value
    return Synced(
        report.run_id,
        entity,
        outcome,
        stop.is_set(),
        cycle,
        counts,
        report.standing.owed,
        advice,
        _blocked(report),
        hub.calls(),
    )


_MOVES = ("created", "recovered", "stale_writes", "relisted", *(f"written:{act}" for act in Act))


def _goes_on(report: Report) -> bool:
    """Tells whether another cycle could bring the entity further by itself."""
    if report.outcome is Outcome.CONVERGED or report.problems:
        return False
    return report.outcome is Outcome.PROGRESSED or any(report.counts.get(name) for name in _MOVES)


def _advice(report: Report, blocked: Mapping[str, ConnectorError]) -> tuple[Advice, ...]:
    said = {f"system:{system}:{error.code}": Text(error.en, error.zh) for system, error in blocked.items()}
    return tuple(explain(reason, said.get(reason)) for reason in report.reasons)


def _blocked(report: Report) -> tuple[str, ...]:
    return tuple(reason.rpartition(":")[2] for reason in report.reasons if reason.startswith("system:"))


@permit("sync.run")
def reconcile_entity(
    hub: Installation,
    entity: str,
    stop: threading.Event | None = None,
    only: tuple[str, str] | None = None,
) -> tuple[tuple[Difference, ...], tuple[tuple[str, str, Text], ...]]:
    """Compares complete listings with what is bound; returns the differences and the systems that failed.

    `only` is one slice: a system and an object of it. Raises Busy and Paused.
    """
    require_running(hub, entity)
    with _run(hub, entity, stop) as run:
        found = reconcile(_slice(run, only))
        failed = tuple(
            (system, error.code, Text(error.en, error.zh)) for system, error in sorted(run.tally.blocked.items())
        )
    return found, failed


def _slice(run: RunContext, only: tuple[str, str] | None) -> RunContext:
    """Returns the run as a reconciliation sees it: nothing to list in a blocked system, and one object only if asked.

    Every system stays among the links: what the listing finds new is owed to all of them.
    """
    links = {system: copy(link) for system, link in run.links.items()}
    for system, link in links.items():
        if run.blocked(system) or (only is not None and system != only[0]):
            link.objects = ()
        elif only is not None:
            link.objects = (only[1],)
    return replace(run, links=links)


@permit("record.repair")
def resync(hub: Installation, hub_id: str) -> dict[str, bool]:
    """Reads a record strongly wherever it is bound; the next cycle takes in what moved. Returns system -> seen."""
    with hub.store.read() as conn:
        stored = records.load(conn, hub.store.ring, [hub_id]).get(hub_id)
    if stored is None:
        raise no_record(hub_id)
    require_record(hub, "record.repair", stored.golden)
    seen: dict[str, bool] = {}
    with _run(hub, stored.golden.entity) as run:
        for found in stored.bindings:
            if found.native_id is None or found.object is None or found.system not in run.links:
                continue
            if run.blocked(found.system):
                continue
            link = run.links[found.system]
            if found.part != MAIN and found.object not in link.objects:
                continue  # the mapping in use has no parts any more
            shown = link.connector.fetch(found.object, [found.native_id], link.native_fields(found.object))
            learn_versions(run, link, found.object, shown)
            if found.part == MAIN:
                seen[found.system] = hasattr(shown[found.native_id], "fields")
        with hub.store.begin() as work:
            work.audit(Event("record.resync", stored.golden.entity, hub_id, reason=person(hub), corr=run.run_id))
    return seen


@permit("status.read")
def expected(hub: Installation, entity: str, phase: str, system: str) -> int | None:
    """Returns how many records a phase of the running cycle has before it, where anybody can know."""
    if phase == "pull":
        return to_be_read(hub, entity, system)
    with hub.store.read() as conn:
        if phase == "merge":
            return inbox.depth(conn, entity).get("new", 0)
        if phase == "push":
            owed = records.tally(conn, entity).get(system, {})
            return sum(owed.get(kind, 0) for kind in ("creates", "updates", "deletes"))
    return None
