"""How one state of a record follows another, and the answer that a locked one gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.fxiaoke.simulator.records import Record
from connectors.fxiaoke.simulator.refusal import SERVICE_ABNORMAL, Refusal
from connectors.fxiaoke.simulator.tenant import Tenant


def locked(operation: str) -> Refusal:
    """Builds the answer to a change of a locked record, which shares its code with «service abnormal»."""
    return Refusal(SERVICE_ABNORMAL, f"不能进行[{operation}]操作，以下这些数据已被锁定。", "服务异常")


def merged(record: Record, values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record with new values, emptied fields left out."""
    return {name: value for name, value in {**record, **values}.items() if value is not None}


def touched(tenant: Tenant, record: Record, values: Mapping[str, Any], by: str) -> dict[str, Any]:
    """Returns a record's next version with new values."""
    return merged(record, values) | {
        "version": str(int(record["version"]) + 1),
        "last_modified_time": tenant.now_ms(),
        "last_modified_by": [by],
    }
