"""Pools (公海): records that nobody owns, which somebody claims. Source: Fxiaoke data/choose, 客户公海."""

from __future__ import annotations

from typing import Any

from connectors.fxiaoke.simulator.changes import touched
from connectors.fxiaoke.simulator.records import Record
from connectors.fxiaoke.simulator.refusal import Refusal
from connectors.fxiaoke.simulator.tenant import Tenant

POOLED_OBJECTS = ("AccountObj",)
_OWNED = ("owner", "owner_department", "owner_department_id", "relevant_team")


def is_pooled(record: Record) -> bool:
    """Tells whether a record lies in a pool."""
    return bool(record.get("high_seas_id")) and not record.get("owner")


def check_owned(tenant: Tenant, record: Record) -> None:
    """Refuses what nobody may do with a record that lies in a pool."""
    if is_pooled(record):
        raise Refusal(tenant.settings.business_code, "无此操作的数据权限")


def put_back(tenant: Tenant, object_name: str, record: Record, pool: str, by: str) -> None:
    """Returns a record to a pool: nobody owns it any more."""
    fields: dict[str, Any] = {**dict.fromkeys(_OWNED), "high_seas_id": pool}
    tenant.tables[object_name].put(touched(tenant, record, fields, by))


def choose(tenant: Tenant, object_name: str, ids: list[str], by: str) -> None:
    """Gives records of a pool to who claims them, all or none; who that is for an API call is inferred."""
    if object_name not in POOLED_OBJECTS:
        raise Refusal(tenant.settings.business_code, f"对象[{object_name}]不支持该接口")
    records = [tenant.find(object_name, record_id, "objectIds") for record_id in ids]
    if any(record.get("is_deleted") or not is_pooled(record) for record in records):
        raise Refusal(tenant.settings.business_code, "数据不在公海中，不能领取")
    for record in records:
        tenant.tables[object_name].put(touched(tenant, record, tenant.owned(by), by))
