"""Puts many lean records into the tenant at once, as an import years ago would have left them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.fxiaoke.simulator.records import Record
from connectors.fxiaoke.simulator.staff import OPERATOR
from connectors.fxiaoke.simulator.tenant import Tenant


def plant(tenant: Tenant, request: Mapping[str, Any]) -> dict[str, Any]:
    """Adds `count` records that were modified `step` ms apart from `modified` (epoch ms) on; the index knows them."""
    kind = tenant.kind(request.get("object", "AccountObj"))
    tenant.tables[kind.api_name].load(_records(tenant, request))
    return {"count": int(request["count"])}


def _records(tenant: Tenant, request: Mapping[str, Any]) -> Iterator[Record]:
    first, step = int(request["modified"]), int(request.get("step", 0))
    fields, owned = dict(request.get("fields", {})), {"owner": [OPERATOR]}
    for number in range(int(request["count"])):
        at = first + number * step
        yield {**tenant.born(tenant.new_id(), at, OPERATOR), **owned, "name": f"批量{number}", **fields}
