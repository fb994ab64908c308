"""The short way in for a record that nobody knew: what `plan_record` would decide, without asking field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hub.canonical.values import Value
from hub.core.base import NO_DEBT, collapse, debts
from hub.core.derive import Derivation, computed
from hub.core.plan import Act, Action, RecordPlan, SidePlan
from hub.core.state import (
    HUB,
    UNSET,
    Base,
    BaseField,
    Binding,
    BindingState,
    FieldChange,
    Fields,
    GoldenRecord,
    Observation,
    Side,
)

_NOTHING: frozenset[str] = frozenset()


def adopt_new(
    observation: Observation,
    binding: Binding,
    readable: frozenset[str],
    writable: frozenset[str],
    subject_id: str = "",
    derivations: Sequence[Derivation] = (),
    shows_empty: bool = False,
) -> RecordPlan:
    """Makes the golden record of an upsert seen for the first time in one system, of which nobody else holds a record.

    The binding is new; a record in which every field is empty still becomes revision 1. A field that the hub computes
    has its computed value from the start: it is the one change of the plan, and owed where the system can take it.
    """
    seen = observation.fields
    shown = seen if seen.keys() <= readable else {name: seen[name] for name in seen.keys() & readable}
    golden = GoldenRecord(
        binding.hub_id,
        binding.entity,
        {name: value for name, value in shown.items() if value is not None},
        {"*": observation.system},
        1,
        subject_id=subject_id,
    )
    bound = _bound(binding, observation)
    if derivations:
        says = computed(golden.fields, derivations)
        own = {name: value for name, value in says.items() if golden.fields.get(name) != value}
        if own:
            place = Side(bound, None, observation, readable, writable, shows_empty=shows_empty)
            return _put_right(golden, place, shown, own)
    base: Base | None = None
    if len(shown) < len(readable):
        unwritten = {name: BaseField(None, None) for name in writable - readable}
        base = {**unwritten, **{name: BaseField(value, value) for name, value in shown.items()}}
    return RecordPlan(golden, (), (SidePlan(bound, base, NO_DEBT),), (), ())


def _put_right(golden: GoldenRecord, side: Side, shown: Fields, own: Mapping[str, Value]) -> RecordPlan:
    """Gives the record its computed fields; what the system showed instead is overruled and kept as a loser."""
    origins = {**golden.origins, **dict.fromkeys(own, HUB)}
    golden = replace(golden, fields={**golden.fields, **own}, origins=origins)
    known = {name: BaseField(None, None) for name in side.writable - side.readable - own.keys()}
    for name, value in shown.items():
        known[name] = BaseField(UNSET, UNSET, value) if name in own else BaseField(value, value)
    base = collapse(known, golden, side.mapped)
    debt = debts(golden, side, base, _NOTHING)
    fields = tuple(sorted(debt.fields))
    actions = (Action(Act.UPDATE, side.system, "behind_golden", fields),) if fields else ()
    changes = tuple(FieldChange(n, None, own[n], HUB, _losers(side.system, shown.get(n))) for n in sorted(own))
    binding = replace(side.binding, dirty=bool(fields))
    return RecordPlan(golden, changes, (SidePlan(binding, base, debt, actions),), (), ())


def _losers(system: str, value: Value) -> tuple[tuple[str, Value], ...]:
    return () if value is None else ((system, value),)


def _bound(binding: Binding, seen: Observation) -> Binding:
    return Binding(
        binding.binding_id,
        binding.hub_id,
        binding.entity,
        binding.system,
        binding.object or seen.object,
        binding.native_id or seen.native_id,
        BindingState.ACTIVE,
        binding.part,
        seen.version or binding.version,
        seen.digest,
        binding.mapping_version,
        binding.agreed_revision,
        binding.stamped or seen.stamp == binding.hub_id,
    )
