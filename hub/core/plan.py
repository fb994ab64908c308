"""The plan of one record: what its golden record becomes, and what every side is owed, each with its reason.

`plan_record` holds all policy and performs nothing; `hub.sync` performs and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from types import MappingProxyType

from hub.core.base import NO_DEBT, Debt, base_field, collapse, debts, rebase, settle_base
from hub.core.derive import computed, derive
from hub.core.fates import Act, EntityPolicy, Fate, OnDelete
from hub.core.merge import Merged, merge
from hub.core.parts import MAIN, decide_all, holds_anything, hush, is_part
from hub.core.policy import FieldRule
from hub.core.state import (
    Base,
    BaseField,
    Binding,
    BindingState,
    Conflict,
    FieldChange,
    GoldenRecord,
    GoldenState,
    Hold,
    Kind,
    Observation,
    Side,
    Snapshot,
)

__all__ = [
    "Act",
    "Action",
    "EntityPolicy",
    "OnDelete",
    "RecordPlan",
    "SidePlan",
    "narrowed",
    "order_entities",
    "plan_record",
    "settle_sides",
]


@dataclass(frozen=True, slots=True)
class Action:
    """Is one step of a plan. `fields` names what an update writes; `reason` is a stable word for screens and tests."""

    act: Act
    system: str
    reason: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SidePlan:
    """Is one side after the merge: its binding, its base (None: equal to the golden record) and what it is owed."""

    binding: Binding
    base: Base | None = attribute(repr=False)
    debt: Debt
    actions: tuple[Action, ...] = ()
    consumed: bool = True


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """Is the outcome for one record; the store writes it in one transaction."""

    golden: GoldenRecord
    changes: tuple[FieldChange, ...]
    sides: tuple[SidePlan, ...]
    conflicts: tuple[Conflict, ...]
    holds: tuple[Hold, ...]
    echoes: int = 0

    @property
    def frozen(self) -> frozenset[str]:
        """Returns the fields that wait for a person; an observation kept for them is kept `narrowed` to them."""
        return frozenset([c.field for c in self.conflicts] + [h.field for h in self.holds])

    @property
    def actions(self) -> tuple[Action, ...]:
        return tuple(action for side in self.sides for action in side.actions)


def plan_record(snapshot: Snapshot, policy: EntityPolicy, now: str) -> RecordPlan:
    """Decides everything about one record. `now` is a canonical datetime for computed fields."""
    if snapshot.golden.state is GoldenState.MERGED:
        return _after_merge(snapshot)
    snapshot = hush(snapshot)
    merged = merge(snapshot, policy.rules, policy.prefer, policy.oscillation, policy.routing)
    # What the hub puts right is no edit that could save a deleted record.
    fates = decide_all(snapshot, merged, policy)
    merged = _put_right(snapshot, merged, policy)
    frozen = frozenset([c.field for c in merged.conflicts] + [h.field for h in merged.holds])
    golden = merged.golden
    derived: tuple[FieldChange, ...] = ()
    if snapshot.golden.revision:
        # A record seen for the first time did not change: nothing is derived from its arrival.
        open_rules = [rule for rule in policy.derivations if rule.target not in frozen]
        golden, derived = derive(golden, merged.changes, open_rules, now)
    changes = merged.changes + derived
    moved = _Moved(snapshot.golden, golden, frozenset(c.field for c in changes if c.before != c.after), frozen)
    sides = tuple(
        _side_plan(side, merged, moved, fates.get(side.binding.binding_id), policy) for side in snapshot.sides
    )
    holds = merged.holds + tuple(dict.fromkeys(fate for fate in fates.values() if isinstance(fate, Hold)))
    return RecordPlan(_aged(golden, snapshot, sides), changes, sides, merged.conflicts, holds, merged.echoes)


def _after_merge(snapshot: Snapshot) -> RecordPlan:
    """Notes what became of the places of a record that was merged into another one.

    Nothing they show flows back; what people change there is kept in the history of the merged record.
    One that still lives is superseded: people are to merge it in its system. One that is gone needs nobody any more.
    """
    changes: list[FieldChange] = []
    sides = []
    for side in snapshot.sides:
        kept, base = _kept_aside(side, snapshot.golden)
        changes += kept
        sides.append(SidePlan(_soil(_left_behind(side), False), base, NO_DEBT))
    return RecordPlan(snapshot.golden, tuple(changes), tuple(sides), (), ())


def _kept_aside(side: Side, golden: GoldenRecord) -> tuple[list[FieldChange], Base | None]:
    """Returns what people changed in a record whose golden record was merged away: kept as losers, each once."""
    seen = side.observation
    changes: list[FieldChange] = []
    moved: dict[str, BaseField] = {}
    for name, shown in seen.fields.items() if seen is not None and seen.kind is Kind.UPSERT else ():
        known = base_field(side, name, golden)
        if name in side.readable and known is not None and not known.knows(shown):
            stands = golden.fields.get(name)
            changes.append(FieldChange(name, stands, stands, side.system, ((side.system, shown),)))
            moved[name] = replace(known, seen=shown)
    return changes, settle_base(side.base, golden, side.mapped, moved) if moved else side.base


def _left_behind(side: Side) -> Binding:
    binding, seen = side.binding, side.observation
    if seen is None:
        return binding
    if seen.kind is not Kind.UPSERT:
        return replace(binding, state=BindingState.DETACHED)
    version = seen.version or binding.version
    return replace(binding, state=BindingState.SUPERSEDED, version=version, obs_digest=seen.digest)


def settle_sides(
    snapshot: Snapshot,
    golden: GoldenRecord,
    changes: tuple[FieldChange, ...],
    frozen: frozenset[str],
    policy: EntityPolicy,
) -> RecordPlan:
    """Returns the plan for a golden record that changed by itself: every side keeps its base and is owed the rest."""
    changed = frozenset(change.field for change in changes if change.before != change.after)
    moved = _Moved(snapshot.golden, golden, changed, frozen)
    sides = tuple(_side_plan(side, Merged(golden), moved, None, policy) for side in snapshot.sides)
    return RecordPlan(golden, changes, sides, (), ())


def _put_right(snapshot: Snapshot, merged: Merged, policy: EntityPolicy) -> Merged:
    """Merges once more where a field that the hub computes came out otherwise: there the hub has the last word.

    While such a field is right, a hold on it stands, so that a person learns what a system tried.
    """
    says = computed(merged.golden.fields, policy.derivations)
    asked = {item.field for item in merged.conflicts}
    wrong = {n: value for n, value in says.items() if n in asked or merged.golden.fields.get(n) != value}
    if not wrong:
        return merged
    rules = {**policy.rules, **{name: FieldRule(name, "hub") for name in wrong}}
    answers = {name: answer for name, answer in snapshot.resolutions.items() if name not in wrong}
    told = replace(snapshot, edits={**snapshot.edits, **wrong}, resolutions=answers)
    return merge(told, rules, policy.prefer, policy.oscillation, policy.routing)


def _aged(golden: GoldenRecord, snapshot: Snapshot, sides: tuple[SidePlan, ...]) -> GoldenRecord:
    """Archives a golden record by the rule for deletes, and revives it when the deleted record came back."""
    if any(action.act is Act.ARCHIVE for side in sides for action in side.actions):
        return replace(golden, state=GoldenState.ARCHIVED, revision=golden.revision + 1)
    back = any(
        side.binding.state is BindingState.DETACHED
        and planned.binding.state is BindingState.ACTIVE
        and not is_part(side)
        for side, planned in zip(snapshot.sides, sides, strict=True)
    )
    if back and golden.state is GoldenState.ARCHIVED:
        return replace(golden, state=GoldenState.LIVE, revision=golden.revision + 1)
    return golden


@dataclass(frozen=True, slots=True)
class _Moved:
    """Is how the golden record moved in this merge."""

    before: GoldenRecord
    after: GoldenRecord
    changed: frozenset[str]
    frozen: frozenset[str]


def _side_plan(side: Side, merged: Merged, moved: _Moved, fate: Fate, policy: EntityPolicy) -> SidePlan:
    binding = _bind(side, fate, policy)
    waiting = bool(moved.frozen & side.mapped) or isinstance(fate, Hold)
    if binding.state is BindingState.PENDING and binding.native_id is None:
        base = {} if fate is Act.RESTORE else side.base
        if is_part(side) and not holds_anything(side, moved.after):
            return SidePlan(_soil(binding, False), base, NO_DEBT, (), not waiting)
        return SidePlan(_soil(binding, True), base, NO_DEBT, _create_action(side, fate), not waiting)
    if fate is Act.REBIND:
        # The survivor agreed to nothing yet: what it shows is compared as at a first sync, and what it lacks is filled.
        # Until then it is owed a look, for it may have been merged away itself.
        return SidePlan(_soil(binding, True), {}, NO_DEBT, _actions(side, binding, fate, NO_DEBT), not waiting)
    steps = merged.bases.get(binding.binding_id, EMPTY_STEPS)
    base = side.base
    if base is not None or steps or moved.changed or side.binding.native_id is None:
        base = rebase(side, moved.before, moved.after, moved.changed, steps)
    if binding.state is BindingState.PENDING:
        return SidePlan(_soil(binding, True), base, NO_DEBT, _create_action(side, fate), not waiting)
    debt = NO_DEBT if _ended(side, fate) else debts(moved.after, side, base, moved.frozen)
    if debt.waived:
        base = collapse(settle_base(base, moved.after, side.mapped, debt.waived), moved.after, side.mapped)
    actions = _actions(side, binding, fate, debt)
    return SidePlan(_soil(binding, _owes(binding, debt)), base, debt, actions, not waiting)


def _ended(side: Side, fate: Fate) -> bool:
    """Tells whether a record is gone and a person is still asked what that means: nothing is written to it."""
    seen = side.observation
    return isinstance(fate, Hold) and seen is not None and seen.kind in (Kind.GONE, Kind.MERGED)


EMPTY_STEPS: Mapping[str, BaseField] = MappingProxyType({})


def _soil(binding: Binding, dirty: bool) -> Binding:
    return binding if binding.dirty is dirty else replace(binding, dirty=dirty)


def _bind(side: Side, fate: Fate, policy: EntityPolicy) -> Binding:
    binding, seen = side.binding, side.observation
    if fate is Act.RESTORE:
        kept = binding.native_id if binding.system in policy.restorable else None
        return replace(
            binding, state=BindingState.PENDING, native_id=kept, version=None, stamped=False, obs_digest=None
        )
    if fate is Act.DELETE:
        return replace(binding, state=BindingState.DOOMED)
    if fate is Act.REBIND and seen is not None:
        return replace(binding, native_id=seen.survivor, version=None, stamped=False, obs_digest=None)
    if fate in (OnDelete.DETACH, OnDelete.ARCHIVE, OnDelete.PROPAGATE):
        return replace(binding, state=BindingState.DETACHED)
    if seen is not None and seen.kind is Kind.UPSERT:
        return _seen_alive(binding, seen, fate)
    return replace(binding, state=BindingState.ACTIVE) if fate is Act.ADOPT else binding


def _seen_alive(binding: Binding, seen: Observation, fate: Fate) -> Binding:
    """Takes up what an observation proves: a record that came back does so under its old native id and old base."""
    state = binding.state
    if fate is Act.ADOPT or state in (BindingState.DETACHED, BindingState.PENDING):
        state = BindingState.ACTIVE
    return replace(
        binding,
        state=state,
        object=binding.object or seen.object,
        native_id=binding.native_id or seen.native_id,
        version=seen.version or binding.version,
        obs_digest=seen.digest,
        stamped=binding.stamped or seen.stamp == binding.hub_id,
    )


def _owes(binding: Binding, debt: Debt) -> bool:
    return binding.state is BindingState.DOOMED or (binding.state is BindingState.ACTIVE and bool(debt.fields))


def _create_action(side: Side, fate: Fate) -> tuple[Action, ...]:
    if fate is Act.RESTORE:
        reason = "edit_beats_delete" if side.binding.part == MAIN else "part_comes_back"
        return (Action(Act.RESTORE, side.system, reason),)
    return (Action(Act.CREATE, side.system, "missing_there"),)


_REASONS: Mapping[Act | OnDelete, tuple[Act, str]] = {
    Act.DELETE: (Act.DELETE, "deleted_elsewhere"),
    Act.REBIND: (Act.REBIND, "merged_in_system"),
    Act.ADOPT: (Act.ADOPT, "edit_beats_delete"),
    OnDelete.DETACH: (Act.DETACH, "deleted_there"),
    OnDelete.ARCHIVE: (Act.ARCHIVE, "deleted_there"),
    OnDelete.PROPAGATE: (Act.DETACH, "deleted_there"),
}


def _actions(side: Side, binding: Binding, fate: Fate, debt: Debt) -> tuple[Action, ...]:
    actions: list[Action] = []
    if fate is not None and not isinstance(fate, Hold):
        act, reason = _REASONS[fate]
        actions.append(Action(act, side.system, reason))
    if binding.state is BindingState.ACTIVE and debt.fields:
        actions.append(Action(Act.UPDATE, side.system, "behind_golden", tuple(sorted(debt.fields))))
    return tuple(actions)


def narrowed(observation: Observation, frozen: frozenset[str]) -> Observation:
    """Returns an observation with only the fields that wait for a person.

    The others were taken in; once they move on, what the observation says of them would be read as an edit.
    """
    return replace(observation, fields={n: v for n, v in observation.fields.items() if n in frozen})


def order_entities(entities: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Returns entities parents first; `entities` maps each to the entities its references point at."""
    done: list[str] = []

    def place(name: str, path: tuple[str, ...]) -> None:
        if name in done or name in path:
            return
        for parent in sorted(entities.get(name, ())):
            place(parent, (*path, name))
        done.append(name)

    for name in sorted(entities):
        place(name, ())
    return tuple(done)
