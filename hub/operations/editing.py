"""A person's change of the golden record: the third writer. It is staged and merged by the next cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.audit.event import Event, FieldNote
from hub.canonical.schema import Entity, Field
from hub.canonical.values import Value
from hub.core.guards import forbid
from hub.core.state import HUB, GoldenRecord, GoldenState, Kind, Observation
from hub.kernel.errors import Declined
from hub.operations.choice import no_record
from hub.operations.installation import Installation
from hub.operations.permission import permit, require_record
from hub.operations.values import parse
from hub.store import inbox, records
from hub.store.history import value_digest
from hub.store.inbox import Queued
from hub.store.unit_of_work import UnitOfWork

EDIT_RUN = "edit"


@dataclass(frozen=True, slots=True)
class StagedEdit:
    """Is an edit that the next cycle takes in; `fields` are all its fields, those staged before among them."""

    hub_id: str
    entity: str
    fields: tuple[str, ...]


@permit("record.edit")
def edit_record(hub: Installation, hub_id: str, typed: Mapping[str, str]) -> StagedEdit:
    """Stages a change of fields, empty text clearing one; joins an edit that is staged already.

    Raises NotFound, and Declined for a field that people may not write here or a value that the field cannot hold.
    """
    if not typed:
        raise Declined("name at least one field: --set FIELD=VALUE", "请至少指定一个字段：--set 字段=值")
    with hub.store.begin() as work:
        golden = records.load_golden(work.conn, hub.store.ring, [hub_id]).get(hub_id)
        if golden is None:
            raise no_record(hub_id)
        fields = hub.schema.entity(golden.entity).fields
        require_record(hub, "record.edit", golden, [fields[name] for name in typed if name in fields])
        if golden.state is not GoldenState.LIVE or golden.entity not in hub.rules:
            raise Declined(
                f"golden record {hub_id} is {golden.state}; only a live one can be edited",
                f"黄金记录 {hub_id} 状态为 {golden.state}；仅可编辑 live 状态的记录",
            )
        values = canonical_edit(hub.schema.entity(golden.entity), typed)
        _check_extension(hub, golden, values)
        _check_parents(hub, work, golden.entity, values)
        before = inbox.by_native(work.conn, HUB, golden.entity, [hub_id]).get(hub_id)
        values = {**_staged(hub, before), **values}
        _stage(hub, work, golden, before, values)
        work.audit(_event(hub, golden, {name: values[name] for name in typed}))
    return StagedEdit(hub_id, golden.entity, tuple(sorted(values)))


def _check_extension(hub: Installation, golden: GoldenRecord, values: Mapping[str, Value]) -> None:
    """Raises Declined for a later due date that one person alone would set: the guard holds it from a system only."""
    rules = hub.rules[golden.entity].policy.rules
    for name, value in values.items():
        rule = rules.get(name)
        if rule is not None and "extension_unapproved" in rule.guards:
            before = golden.fields.get(name)
            if forbid(rule, before, value, golden.fields) is not None:
                raise Declined(
                    f"{name} {value} takes a second person: set it in a system that keeps the complaint, and let "
                    "another person accept the hold (`crmhub hold list`)",
                    f"{name} 改为 {value} 须第二人复核：请在保存该投诉的系统中设置，"
                    "由他人放行暂缓变更（`crmhub hold list`）",
                )


def _check_parents(hub: Installation, work: UnitOfWork, entity: str, values: Mapping[str, Value]) -> None:
    """Raises Declined for a reference to a record that is not there, or is none of the entity that it must be."""
    targets = hub.schema.entity(entity).references()
    named = {name: str(values[name]) for name in targets if values.get(name) is not None}
    found = records.load_golden(work.conn, hub.store.ring, list(named.values())) if named else {}
    for name, parent in named.items():
        known = found.get(parent)
        if known is None or known.entity != targets[name] or known.state is not GoldenState.LIVE:
            raise Declined(
                f"{name} must be the hub id of a live {targets[name]}; look it up with `crmhub record show`",
                f"{name} 须为有效 {targets[name]} 的统一编号；可用 `crmhub record show` 查找",
            )


def canonical_edit(entity: Entity, typed: Mapping[str, str]) -> dict[str, Value]:
    """Returns the canonical values of an edit. Raises Declined naming the field, never the value."""
    return {name: parse(_writable(entity, name), text) for name, text in typed.items()}


def _writable(entity: Entity, name: str) -> Field:
    field = entity.fields.get(name)
    if field is None:
        raise Declined(f"{entity.name} has no field {name}", f"{entity.name} 没有字段 {name}")
    if field.computed:
        raise Declined(f"{name} is computed by the hub and cannot be edited", f"{name} 由中心计算，不能编辑")
    if field.one_authority:
        raise Declined(
            f"{name} has one authority; change it in the system that keeps it",
            f"{name} 只有一个权威来源；请在维护它的系统中修改",
        )
    return field


def _staged(hub: Installation, row: Queued | None) -> Mapping[str, Value]:
    return {} if row is None else inbox.open_row(hub.store.ring, row).fields


def _stage(
    hub: Installation, work: UnitOfWork, golden: GoldenRecord, before: Queued | None, values: Mapping[str, Value]
) -> None:
    if before is not None:
        inbox.consume(work, [before.obs_id])
    made = Observation(work.new_id(), golden.entity, HUB, golden.entity, golden.hub_id, Kind.EDIT, values)
    row = inbox.seal_row(hub.store.ring, made, golden.hub_id, golden.subject_id, EDIT_RUN, work.now)
    inbox.stage(work, [row])
    inbox.wake(work, [golden.hub_id])


def _event(hub: Installation, golden: GoldenRecord, values: Mapping[str, Value]) -> Event:
    fields, ring = hub.schema.entity(golden.entity).fields, hub.store.ring

    def digest(name: str, value: Value) -> str | None:
        return None if value is None else value_digest(ring, name, value).hex()

    notes = tuple(
        FieldNote(name, fields[name].klass, digest(name, golden.fields.get(name)), digest(name, value))
        for name, value in sorted(values.items())
    )
    return Event("record.edit", golden.entity, golden.hub_id, fields=notes)
