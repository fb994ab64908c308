"""invalid, recover, delete, lock and the end of an approval. Source: Fxiaoke data/invalid, recover, delete."""

from __future__ import annotations

from typing import Any

from connectors.fxiaoke.simulator.changes import locked, touched
from connectors.fxiaoke.simulator.objects import LOG
from connectors.fxiaoke.simulator.records import Record
from connectors.fxiaoke.simulator.refusal import Refusal, bad_parameter
from connectors.fxiaoke.simulator.related import check_free, release
from connectors.fxiaoke.simulator.tenant import Tenant


def read_ids(tenant: Tenant, ids: Any, name: str) -> list[str]:
    """Reads a list of record ids; raises Refusal."""
    if not isinstance(ids, list) or not ids or not all(isinstance(item, str) for item in ids):
        raise bad_parameter(name)
    if len(ids) > tenant.settings.max_id_list:
        raise bad_parameter(name)
    return ids


def invalidate(tenant: Tenant, object_name: str, ids: list[str], by: str) -> None:
    """Makes records invalid (作废), all or none: queries no longer return them."""
    if object_name == LOG and not tenant.settings.log_invalid_allowed:
        raise Refusal(tenant.settings.business_code, "无此操作的数据权限：销售记录不可作废")
    records = [tenant.find(object_name, record_id, "object_data_id") for record_id in ids]
    for record in records:
        if record.get("is_deleted"):
            raise Refusal(tenant.settings.not_found_code, tenant.settings.not_found_text)
        if record["lock_status"] == "1":
            raise locked("作废")
        check_target(tenant, object_name, record, "invalid")
    for record in records:
        bury(tenant, object_name, record, by)
        release_target(tenant, object_name, record, by, "invalid")


def bury(tenant: Tenant, object_name: str, record: Record, by: str) -> None:
    """Commits the invalid state of one record."""
    fields = {"life_status": "invalid", "is_deleted": True, "life_status_before_invalid": record["life_status"]}
    _commit(tenant, object_name, record, fields, by, tenant.settings.invalid_touches_modified)


def check_target(tenant: Tenant, object_name: str, record: Record, stage: str) -> None:
    """Refuses a deletion that lookups forbid, at the stage where the tenant counts a record as deleted [unverified]."""
    if tenant.settings.target_delete_stage == stage:
        check_free(tenant, object_name, record["_id"], "作废" if stage == "invalid" else "删除")


def release_target(tenant: Tenant, object_name: str, record: Record, by: str, stage: str) -> None:
    """Empties the lookups that point at a record, at the stage where the tenant counts it as deleted."""
    if tenant.settings.target_delete_stage == stage:
        release(tenant, object_name, record["_id"], by)


def recover(tenant: Tenant, object_name: str, ids: list[str], by: str) -> None:
    """Brings invalid records back, all or none."""
    for record in _invalid_ones(tenant, object_name, ids, "恢复"):
        fields = {
            "life_status": record.get("life_status_before_invalid", "normal"),
            "is_deleted": False,
            "life_status_before_invalid": None,
        }
        _commit(tenant, object_name, record, fields, by, tenant.settings.recover_touches_modified)


def _commit(tenant: Tenant, object_name: str, record: Record, fields: dict[str, Any], by: str, moved: bool) -> None:
    """Commits a step of a record's life, which may leave its modified time or its version alone [unverified]."""
    made = touched(tenant, record, fields, by)
    kept = [] if moved else ["last_modified_time", "last_modified_by"]
    kept += [] if tenant.settings.lifecycle_bumps_version else ["version"]
    tenant.tables[object_name].put(made | {name: record[name] for name in kept})


def delete(tenant: Tenant, object_name: str, ids: list[str], by: str) -> None:
    """Removes invalid records for good, all or none."""
    records = _invalid_ones(tenant, object_name, ids, "删除")
    for record in records:
        check_target(tenant, object_name, record, "delete")
    for record in records:
        release_target(tenant, object_name, record, by, "delete")
        tenant.tables[object_name].remove(record["_id"])


def set_lock(tenant: Tenant, object_name: str, ids: list[str], closed: bool, by: str) -> None:
    """Locks or unlocks records."""
    records = [tenant.find(object_name, record_id, "dataIds") for record_id in ids]
    for record in records:
        fields = {"lock_status": "1" if closed else "0"}
        tenant.tables[object_name].put(touched(tenant, record, fields, by))


def end_approval(tenant: Tenant, object_name: str, record_id: str, agreed: bool, by: str) -> None:
    """Ends a simulated approval: a waiting change takes effect or is dropped, the lock is lifted."""
    record = tenant.find(object_name, record_id, "_id")
    change = tenant.pending_changes.pop((object_name, record_id), {})
    created = record["life_status"] == "under_review"
    fields: dict[str, Any] = {"life_status": "ineffective" if created and not agreed else "normal", "lock_status": "0"}
    tenant.tables[object_name].put(touched(tenant, record, {**(change if agreed else {}), **fields}, by))


def _invalid_ones(tenant: Tenant, object_name: str, ids: list[str], operation: str) -> list[Record]:
    records = [tenant.find(object_name, record_id, "idList") for record_id in ids]
    if any(not record.get("is_deleted") for record in records):
        raise Refusal(tenant.settings.business_code, f"不能进行[{operation}]操作，数据未作废")
    return records
