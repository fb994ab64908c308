"""The plan of one record: what its golden record becomes, and what every side is owed, each with its reason.

`plan_record` holds all policy and performs nothing; `hub.sync` performs and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from enum import StrEnum
from types import MappingProxyType

from hub.core.derive import Derivation, derive
from hub.core.merge import Debt, Merged, Rules, collapse, debts, merge, settle_base
from hub.core.state import (
    Base,
    Binding,
    BindingState,
    Conflict,
    FieldChange,
    GoldenRecord,
    GoldenState,
    Hold,
    Kind,
    Side,
    Snapshot,
)


class Act(StrEnum):
    ADOPT = "adopt"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"
    DETACH = "detach"
    ARCHIVE = "archive"
    REBIND = "rebind"
    MERGE_GOLDEN = "merge_golden"
    PARK = "park"
    NOTHING = "nothing"


class OnDelete(StrEnum):
    DETACH = "detach"
    ARCHIVE = "archive"
    PROPAGATE = "propagate"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Action:
    """Is one step of a plan. `fields` names what an update writes; `reason` is a stable word for screens and tests."""

    act: Act
    system: str
    reason: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EntityPolicy:
    """Is everything the engine may decide by for one entity; made once from schema and settings."""

    entity: str
    rules: Rules
    prefer: tuple[str, ...]
    routing: frozenset[str] = frozenset()
    derivations: tuple[Derivation, ...] = ()
    on_delete: OnDelete = OnDelete.DETACH
    oscillation: int = 0
    restorable: frozenset[str] = frozenset()
    """Systems in which a deleted record can be restored under its native id."""
    survivors: Mapping[tuple[str, str, str], str] = MappingProxyType({})


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
    def actions(self) -> tuple[Action, ...]:
        return tuple(action for side in self.sides for action in side.actions)


def plan_record(snapshot: Snapshot, policy: EntityPolicy, now: str) -> RecordPlan:
    """Decides everything about one record. `now` is a canonical datetime for computed fields."""
    merged = merge(snapshot, policy.rules, policy.prefer, policy.oscillation)
    merged = _keep_route(snapshot, merged, policy)
    golden, derived = derive(merged.golden, merged.changes, policy.derivations, now)
    frozen = frozenset(c.field for c in merged.conflicts) | frozenset(h.field for h in merged.holds)
    fates = {side.binding.binding_id: _fate(snapshot, side, merged, policy) for side in snapshot.sides}
    spared = _spare(snapshot, merged, fates)
    sides = tuple(_side_plan(snapshot, side, merged, golden, frozen, spared, policy) for side in snapshot.sides)
    holds = merged.holds + tuple(fate for fate in spared.values() if isinstance(fate, Hold))
    if any(fate is OnDelete.ARCHIVE for fate in spared.values()):
        golden = replace(golden, state=GoldenState.ARCHIVED, revision=golden.revision + 1)
    return RecordPlan(golden, merged.changes + derived, sides, merged.conflicts, holds, merged.echoes)


Fate = OnDelete | Hold | Act | None


def _keep_route(snapshot: Snapshot, merged: Merged, policy: EntityPolicy) -> Merged:
    """Turns a change of a routing field of a record already written somewhere into a conflict, never a silent move."""
    if not snapshot.golden.revision:
        return merged
    moved = [c for c in merged.changes if c.field in policy.routing and c.before != c.after and c.before is not None]
    answered = {name for name, answer in snapshot.resolutions.items() if answer.field in policy.routing}
    moved = [change for change in moved if change.field not in answered]
    if not moved:
        return merged
    names = {change.field for change in moved}
    fields = {**merged.golden.fields, **{c.field: c.before for c in moved}}
    origins = {**merged.golden.origins, **{c.field: snapshot.golden.origin(c.field) for c in moved}}
    rest = tuple(change for change in merged.changes if change.field not in names)
    unchanged = not any(change.before != change.after for change in rest)
    golden = snapshot.golden if unchanged else replace(merged.golden, fields=fields, origins=origins)
    asked = tuple(Conflict(c.field, "route", ((c.origin, c.after),)) for c in moved)
    bases = {key: {n: b for n, b in moves.items() if n not in names} for key, moves in merged.bases.items()}
    return replace(merged, golden=golden, changes=rest, bases=bases, conflicts=merged.conflicts + asked)


def _fate(snapshot: Snapshot, side: Side, merged: Merged, policy: EntityPolicy) -> Fate:
    """Returns what becomes of a side whose record is gone: the entity's rule, unless an edit beats the delete."""
    seen = side.observation
    if seen is None or side.binding.state not in (BindingState.ACTIVE, BindingState.DOOMED):
        return None
    if seen.kind is Kind.MERGED:
        bound = policy.survivors.get((side.system, seen.object, seen.survivor or ""))
        return Act.REBIND if bound is None or bound == snapshot.golden.hub_id else Act.MERGE_GOLDEN
    if seen.kind is not Kind.GONE:
        return None
    if side.binding.state is BindingState.DOOMED:
        return OnDelete.DETACH
    if _edited_elsewhere(snapshot, side, merged):
        return Act.RESTORE
    answer = snapshot.resolutions.get("*")
    if policy.on_delete is OnDelete.ASK:
        asked = ((side.system, None),)
        if answer is None or answer.candidates != asked:
            return Hold("*", side.system, "deleted", asked)
        return Act.RESTORE if answer.value == "restore" else OnDelete.DETACH
    return policy.on_delete


def _edited_elsewhere(snapshot: Snapshot, side: Side, merged: Merged) -> bool:
    if any(c.field in side.mapped and c.origin != side.system and c.before != c.after for c in merged.changes):
        return True
    return bool(debts(snapshot.golden, side, side.base, frozenset()).fields)


def _spare(snapshot: Snapshot, merged: Merged, fates: Mapping[str, Fate]) -> dict[str, Fate]:
    """Lets an edit seen on a doomed side call the delete off, and brings the deleted side back."""
    edited = {c.origin for c in merged.changes if c.before != c.after}
    doomed = [s for s in snapshot.sides if s.binding.state is BindingState.DOOMED and s.system in edited]
    if not doomed:
        return dict(fates)
    spared: dict[str, Fate] = dict(fates)
    for side in snapshot.sides:
        if side.binding.state is BindingState.DETACHED:
            spared[side.binding.binding_id] = Act.RESTORE
    for side in doomed:
        spared[side.binding.binding_id] = Act.ADOPT
    return spared


def _side_plan(
    snapshot: Snapshot,
    side: Side,
    merged: Merged,
    golden: GoldenRecord,
    frozen: frozenset[str],
    fates: Mapping[str, Fate],
    policy: EntityPolicy,
) -> SidePlan:
    fate = fates.get(side.binding.binding_id)
    if fate is None and side.binding.state is not BindingState.DOOMED:
        fate = _doom(side, fates)
    binding = _bind(side, fate, policy)
    moved = merged.bases.get(side.binding.binding_id, {})
    base = side.base
    if base is not None or moved or golden is not snapshot.golden:
        base = settle_base(side.base, snapshot.golden, side.mapped, moved)
        base = collapse(base, golden, side.mapped)
    recreated = fate is Act.RESTORE and binding.native_id is None
    if recreated:
        base = {}
    if binding.state is BindingState.PENDING and not recreated:
        return SidePlan(replace(binding, dirty=True), base, Debt(), _create_action(side, fate))
    debt = debts(golden, side, base, frozen)
    if debt.waived:
        base = collapse(settle_base(base, golden, side.mapped, debt.waived), golden, side.mapped)
    dirty = _owes(binding, debt)
    waiting = bool(frozen & side.mapped) or isinstance(fate, Hold)
    return SidePlan(replace(binding, dirty=dirty), base, debt, _actions(side, binding, fate, debt), not waiting)


def _doom(side: Side, fates: Mapping[str, Fate]) -> Fate:
    if side.binding.state is BindingState.ACTIVE and OnDelete.PROPAGATE in fates.values():
        return Act.DELETE
    return None


def _bind(side: Side, fate: Fate, policy: EntityPolicy) -> Binding:
    binding, seen = side.binding, side.observation
    if fate is Act.RESTORE:
        kept = binding.native_id if binding.system in policy.restorable else None
        return replace(binding, state=BindingState.PENDING, native_id=kept, version=None, stamped=False)
    if fate is Act.DELETE:
        return replace(binding, state=BindingState.DOOMED)
    if fate is Act.REBIND and seen is not None:
        return replace(binding, native_id=seen.survivor, version=None, stamped=False, obs_digest=None)
    if fate is Act.MERGE_GOLDEN or fate in (OnDelete.DETACH, OnDelete.ARCHIVE, OnDelete.PROPAGATE):
        return replace(binding, state=BindingState.DETACHED)
    if seen is not None and seen.kind is Kind.UPSERT:
        # A restored record comes back under its old native id and its old base.
        state = BindingState.ACTIVE if binding.state is BindingState.DETACHED or fate is Act.ADOPT else binding.state
        return replace(
            binding,
            state=state,
            version=seen.version or binding.version,
            obs_digest=seen.digest,
            stamped=binding.stamped or seen.stamp == binding.hub_id,
        )
    return binding


def _owes(binding: Binding, debt: Debt) -> bool:
    if binding.state in (BindingState.PENDING, BindingState.DOOMED):
        return True
    return binding.state is BindingState.ACTIVE and bool(debt.fields)


def _create_action(side: Side, fate: Fate) -> tuple[Action, ...]:
    if fate is Act.RESTORE:
        return (Action(Act.RESTORE, side.system, "edit_beats_delete"),)
    return (Action(Act.CREATE, side.system, "missing_there"),)


_REASONS: Mapping[Act | OnDelete, tuple[Act, str]] = {
    Act.RESTORE: (Act.RESTORE, "edit_beats_delete"),
    Act.DELETE: (Act.DELETE, "deleted_elsewhere"),
    Act.REBIND: (Act.REBIND, "merged_in_system"),
    Act.MERGE_GOLDEN: (Act.MERGE_GOLDEN, "both_bound"),
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
