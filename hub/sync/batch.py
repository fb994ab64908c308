"""One batch of the inbox under way: what was loaded for it, what was planned, and what becomes of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any

from hub.core.parts import MAIN
from hub.core.plan import RecordPlan, narrowed
from hub.core.state import BindingState, Kind, Observation, Snapshot
from hub.store import inbox, matches, quarantine, references
from hub.store.inbox import Wait
from hub.store.questions import Question
from hub.store.records import Stored
from hub.store.references import Awaited
from hub.store.unit_of_work import UnitOfWork
from hub.sync.engine import RunContext
from hub.sync.identify import Identity
from hub.sync.moves import follow, moved_place, remind
from hub.sync.references import Marks, awaits


@dataclass(slots=True)
class Loaded:
    """Is everything a batch of the inbox touches."""

    identities: list[Identity] = attribute(default_factory=list)
    stored: dict[str, Stored] = attribute(default_factory=dict)
    seen: dict[str, list[Observation]] = attribute(default_factory=dict)
    asked: dict[str, list[Question]] = attribute(default_factory=dict)
    returns: dict[tuple[str, str, bytes], int] = attribute(default_factory=dict)
    survivors: dict[tuple[str, str, str], str] = attribute(default_factory=dict)
    linked: dict[str, Identity] = attribute(default_factory=dict)
    marks: dict[str, Marks] = attribute(default_factory=dict)
    strayed: dict[str, frozenset[str]] = attribute(default_factory=dict)
    twins: dict[str, frozenset[str]] = attribute(default_factory=dict)
    inherited: set[tuple[str, str, str]] = attribute(default_factory=set)
    """Places of merged records, (system, object, native id), that their heirs are about to take over."""
    children: dict[str, int] = attribute(default_factory=dict)
    late: list[str] = attribute(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    snapshot: Snapshot
    before: Stored | None
    plan: RecordPlan
    observations: Sequence[Observation]
    identity: Identity | None


def settle_inbox(run: RunContext, work: UnitOfWork, outcomes: Sequence[Outcome], loaded: Loaded) -> None:
    """Drops what was taken in. What waits for a person keeps only the fields that are asked about."""
    done: list[str] = []
    kept: list[dict[str, Any]] = []
    parked: list[Awaited] = []
    for outcome in outcomes:
        golden, plan = outcome.plan.golden, outcome.plan
        frozen = frozenset([c.field for c in plan.conflicts] + [h.field for h in plan.holds])
        waiting = _waiting(outcome, frozen)
        for item in outcome.observations:
            done.append(item.obs_id)
            marks = loaded.marks.get(item.obs_id, {})
            if item.obs_id in waiting or marks:
                asked_of = frozen if item.obs_id in waiting else frozenset[str]()
                left = narrowed(item, asked_of)
                left = replace(left, fields={**left.fields, **marks})
                row = inbox.seal_row(run.ring, left, golden.hub_id, golden.subject_id, run.run_id, work.now)
                state = Wait.WAITING if item.obs_id in waiting else Wait.PARKED
                kept.append({**row, "state": state.value})
                parked += awaits(run, item, marks, known=True)
    asked = [identity.observation.obs_id for identity in loaded.identities if identity.hub_id is None]
    inbox.consume(work, done)
    inbox.stage(work, kept)
    references.park(work, parked)
    inbox.put_off(work, asked)


def settle_heirs(work: UnitOfWork, outcomes: Sequence[Outcome]) -> None:
    """Gives what the inbox holds of a survivor, asked about or not, to the record that inherits its loser's binding."""
    for outcome in outcomes:
        for side, planned in zip(outcome.snapshot.sides, outcome.plan.sides, strict=True):
            seen = side.observation
            if seen is None or seen.kind is not Kind.MERGED or planned.binding.native_id != seen.survivor:
                continue
            heir = str(seen.survivor)
            row = inbox.by_native(work.conn, seen.system, seen.object, [heir]).get(heir)
            if row is not None and row.hub_id is None:
                inbox.assign(work, row.obs_id, outcome.plan.golden.hub_id)
                matches.drop_keys(work, [row.obs_id])
                matches.close(work, seen.system, seen.object, heir)


def settle_parts(work: UnitOfWork, outcomes: Sequence[Outcome]) -> None:
    """Forgets what was held out of parts that are let go: nobody has to see to them any more."""
    for outcome in outcomes:
        for side, planned in zip(outcome.snapshot.sides, outcome.plan.sides, strict=True):
            before, after = side.binding, planned.binding
            if before.part != MAIN and after.state is BindingState.DETACHED and before.state is not after.state:
                place = (after.system, str(after.object), [str(after.native_id)])
                quarantine.clear(work, *place, quarantine.INBOUND)
                inbox.consume(work, [row.obs_id for row in inbox.by_native(work.conn, *place).values()])


def settle_moves(run: RunContext, work: UnitOfWork, outcomes: Sequence[Outcome], loaded: Loaded) -> None:
    """Lets the children of records that left their place in a system follow."""
    moved = [
        (outcome.plan.golden.hub_id, side.binding)
        for outcome in outcomes
        for side, planned in zip(outcome.snapshot.sides, outcome.plan.sides, strict=True)
        if side.binding.part == MAIN and moved_place(side.binding, planned.binding)
    ]
    if moved:
        follow(run, work, moved)
    for outcome in outcomes:
        seen = None if outcome.identity is None else outcome.identity.observation
        if seen is not None and (names := loaded.strayed.get(seen.obs_id)):
            remind(run, work, seen.system, outcome.plan.golden, names)
        for item in outcome.observations:
            if names := loaded.twins.get(item.obs_id):
                remind(run, work, item.system, outcome.plan.golden, names)


def _waiting(outcome: Outcome, frozen: frozenset[str]) -> set[str]:
    """Returns the observations that must stay, because a question about them is open."""
    waiting = {
        side.observation.obs_id
        for side, planned in zip(outcome.snapshot.sides, outcome.plan.sides, strict=True)
        if side.observation is not None and not planned.consumed
    }
    edits = {item.obs_id for item in outcome.observations if item.kind is Kind.EDIT and frozen & item.fields.keys()}
    return waiting | edits


def settle_keys(run: RunContext, work: UnitOfWork, outcomes: Sequence[Outcome]) -> None:
    """Keeps the match keys of golden records: a new record takes over those of its observation."""
    taken_over: list[str] = []
    moved: dict[str, dict[str, bytes]] = {}
    found: dict[str, dict[str, bytes]] = {}
    dropped: list[str] = []
    for outcome in outcomes:
        golden, fresh = outcome.plan.golden, outcome.identity
        if fresh is not None and fresh.observation.obs_id == golden.hub_id and not outcome.plan.conflicts:
            taken_over.append(golden.hub_id)
            found[golden.hub_id] = run.rules.find_keys(run.ring, golden.fields)
            continue
        if fresh is not None:
            dropped.append(fresh.observation.obs_id)
        if outcome.before is None or run.rules.keyed(outcome.before.golden, golden):
            moved[golden.hub_id] = run.rules.standing_keys(run.ring, golden.fields)
    matches.take_over(work, taken_over)
    matches.drop_keys(work, dropped)
    matches.put_keys(work, run.entity, matches.GOLDEN, moved)
    matches.put_keys(work, run.entity, matches.GOLDEN, found, fresh=True)
