"""The short way in for a record that nobody knew: what `plan_record` would decide, without asking field by field."""

from __future__ import annotations

from hub.core.base import NO_DEBT
from hub.core.plan import RecordPlan, SidePlan
from hub.core.state import Base, BaseField, Binding, BindingState, GoldenRecord, Observation


def adopt_new(
    observation: Observation,
    binding: Binding,
    readable: frozenset[str],
    writable: frozenset[str],
    subject_id: str = "",
) -> RecordPlan:
    """Makes the golden record of an upsert seen for the first time in one system, of which nobody else holds a record.

    The binding is new; a record in which every field is empty still becomes revision 1.
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
    base: Base | None = None
    if len(shown) < len(readable):
        unwritten = {name: BaseField(None, None) for name in writable - readable}
        base = {**unwritten, **{name: BaseField(value, value) for name, value in shown.items()}}
    return RecordPlan(golden, (), (SidePlan(_bound(binding, observation), base, NO_DEBT),), (), ())


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
