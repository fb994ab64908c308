"""How a memory system takes a remote write, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.base import (
    Capabilities,
    Deletes,
    Fetched,
    Gone,
    NativeRecord,
    NotVisible,
    Op,
    Refused,
    Stale,
    Unknown,
    WriteRequest,
    WriteResult,
    Written,
)
from connectors.errors import Unsupported
from connectors.memory.faults import FaultKind
from connectors.memory.system import REMOTE, MemorySystem, Row, Table

_ZH = {
    "unknown_field": "字段不存在",
    "no_permission": "没有该字段的权限",
    "read_only": "字段只读",
    "too_long": "值超过字段长度",
    "not_an_option": "值不在选项之中",
    "cannot_clear": "字段不能清空",
    "required": "必填字段缺失",
    "duplicate": "值须唯一,已被其他记录占用",
    "own_call": "字段须单独提交",
    "locked": "已被锁定",
}


def show(system: MemorySystem, object: str, native_id: str, row: Row, fields: Sequence[str] | None) -> NativeRecord:
    """Returns a state as the connector's permissions and the declared capabilities show it."""
    table = system.table(object)
    can = table.capabilities
    names = table.fields.keys() if fields is None else (set(fields) | {table.key_field}) & table.fields.keys()
    seen: dict[str, Any] = {}
    for name in () if row.deleted else names:
        value = row.fields.get(name)
        if name not in table.hidden_fields and (value is not None or can.returns_nulls):
            seen[name] = value
    return NativeRecord(
        object,
        native_id,
        seen,
        version=version_of(can, native_id, row),
        modified_at=system.stamp(object, row),
        modified_by=row.by if can.shows_actor else None,
        deleted=row.deleted,
        merged_into=row.merged_into if can.merge_feed else None,
    )


def version_of(can: Capabilities, native_id: str, row: Row) -> str:
    """Returns the version as text; without `ordered_versions` a token that only tells equal from different."""
    return str(row.version) if can.ordered_versions else f"v{(row.version * 0x9E3779B1) % 2**32:08x}"


def look_up(system: MemorySystem, object: str, native_id: str, fields: Sequence[str] | None) -> Fetched:
    """Reads the true state of one record, as far as the connector may know it."""
    table = system.table(object)
    versions = table.rows.get(native_id)
    if versions is None or native_id in table.hidden_records:
        return NotVisible(native_id)
    row = versions[-1]
    if not row.deleted:
        return show(system, object, native_id, row, fields)
    if table.capabilities.deletes == Deletes.NONE:
        return NotVisible(native_id)
    return Gone(native_id, row.merged_into if table.capabilities.merge_feed else None)


def write_batch(system: MemorySystem, requests: Sequence[WriteRequest], fault: FaultKind | None) -> list[WriteResult]:
    """Applies a batch, each row by itself, under the fault that strikes the call. Raises Unsupported."""
    if not requests:
        return []
    _check_batch(system, requests)
    results: list[WriteResult] = []
    for request in requests:
        applied = fault != FaultKind.BEFORE_EFFECT
        lost = fault in (FaultKind.BEFORE_EFFECT, FaultKind.AFTER_EFFECT)
        if fault == FaultKind.PARTIAL_BATCH:
            applied, lost = system.faults.rng.choice(((True, False), (True, True), (False, True)))
        result: WriteResult = _write_row(system, request) if applied else Unknown("no answer")
        results.append(Unknown("no answer") if lost else result)
    return results


def _check_batch(system: MemorySystem, requests: Sequence[WriteRequest]) -> None:
    first = requests[0]
    can = system.table(first.object).capabilities
    allowed = {
        Op.CREATE: can.can_create,
        Op.UPDATE: can.can_update,
        Op.DELETE: can.can_delete,
        Op.RESTORE: can.can_restore,
    }
    if not allowed[first.op]:
        raise _unsupported(system, first.object, f"does not support {first.op}", f"不支持 {first.op}")
    if len(requests) > can.batch_size:
        raise _unsupported(
            system, first.object, f"takes at most {can.batch_size} rows", f"每次最多 {can.batch_size} 行"
        )
    if any((each.op, each.object) != (first.op, first.object) for each in requests):
        raise _unsupported(system, first.object, "takes one object and one op a batch", "每批只能有一个对象和一种操作")


def _unsupported(system: MemorySystem, object: str, en: str, zh: str) -> Unsupported:
    return Unsupported(
        f"{system.name} {object} {en}", f"{system.name} {object} {zh}", system=system.name, object=object
    )


def _write_row(system: MemorySystem, request: WriteRequest) -> WriteResult:
    if request.op == Op.CREATE:
        return _save(system, request, None)
    assert request.native_id is not None, "only a create has no native id"
    table = system.table(request.object)
    now = look_up(system, request.object, request.native_id, None)
    versions = table.rows.get(request.native_id)
    if versions is None or request.native_id in table.hidden_records:
        return Stale(now)
    row = versions[-1]
    if request.native_id in table.locked_records:
        return replace(_refused("locked", None), retry_later=True)
    if row.deleted != (request.op == Op.RESTORE):
        return Stale(now)
    expected = request.expected_version
    can = table.capabilities
    if can.conditional_write and expected not in (None, version_of(can, request.native_id, row)):
        return Stale(now)
    if request.op == Op.DELETE:
        _, row = system.commit(
            request.object, request.native_id, "delete", {}, REMOTE, deleted=True, hub_id=request.hub_id
        )
        return Written(request.native_id, version_of(can, request.native_id, row))
    return _save(system, request, row)


def _save(system: MemorySystem, request: WriteRequest, before: Row | None) -> WriteResult:
    table = system.table(request.object)
    can = table.capabilities
    fields = dict(request.fields)
    refused = _first_fault(system, table, request, fields)
    if refused is not None:
        return refused
    if request.op == Op.UPDATE and not can.partial_update and before is not None:
        fields = {**before.fields, **fields}  # such a vendor empties what it is not sent
    native_id, row = system.commit(
        request.object, request.native_id, request.op.value, fields, REMOTE, hub_id=request.hub_id
    )
    shown = show(system, request.object, native_id, row, tuple(request.fields)).fields
    seen = {name: shown[name] for name in request.fields if name in shown} if system.shows_written else None
    return Written(native_id, version_of(can, native_id, row), seen)


def _first_fault(
    system: MemorySystem, table: Table, request: WriteRequest, fields: Mapping[str, Any]
) -> Refused | None:
    can = table.capabilities
    alone = [name for name in fields if name in can.own_call_fields]
    if alone and len(alone) < len(fields) and request.op != Op.CREATE:
        return _refused("own_call", alone[0])
    for name, value in fields.items():
        code = _field_fault(table, can, name, value)
        if code is not None:
            return _refused(code, name)
    if request.op == Op.CREATE:
        missing = next((n for n, each in table.fields.items() if each.required and fields.get(n) is None), None)
        if missing is not None:
            return _refused("required", missing)
    return _uniqueness_fault(system, table, request, fields)


def _field_fault(table: Table, can: Capabilities, name: str, value: Any) -> str | None:
    described = table.fields.get(name)
    if described is None:
        return "unknown_field"
    if name in table.hidden_fields:
        return "no_permission"
    if not described.writable:
        return "read_only"
    if value is None:
        return None if can.can_clear else "cannot_clear"
    if described.length is not None and isinstance(value, str) and len(value) > described.length:
        return "too_long"
    if described.options is not None:
        chosen = value if isinstance(value, list | tuple) else [value]
        if any(each not in described.options for each in chosen):
            return "not_an_option"
    return next((rule.code for rule in table.rules if rule.field == name and rule.test(value)), None)


def _uniqueness_fault(
    system: MemorySystem, table: Table, request: WriteRequest, fields: Mapping[str, Any]
) -> Refused | None:
    unique = {name for name, each in table.fields.items() if each.unique}
    if table.capabilities.external_key_unique:
        unique.add(table.key_field)
    kept: Mapping[str, Any] = fields
    if request.op == Op.RESTORE and request.native_id is not None:
        kept = {**table.rows[request.native_id][-1].fields, **fields}
    for name in sorted(unique):
        value = kept.get(name)
        holder = None if value is None else system.holder(request.object, name, value, but=request.native_id)
        if holder is not None:
            return _refused("duplicate", name, existing_id=holder)
    return None


def _refused(code: str, field: str | None, existing_id: str | None = None) -> Refused:
    said = code.replace("_", " ")
    return Refused(
        code, field, f"{field or 'record'}: {said}", f"{field or '记录'}:{_ZH.get(code, '校验规则拒绝')}", existing_id
    )
