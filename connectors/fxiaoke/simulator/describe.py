"""object/list, object/describe and the region codes. Source: Fxiaoke object-describe page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.fxiaoke.simulator.refusal import bad_parameter
from connectors.fxiaoke.simulator.regions import REGIONS
from connectors.fxiaoke.simulator.schema import REGION_TYPES, RELATED_TYPE
from connectors.fxiaoke.simulator.tenant import Tenant


def list_objects(tenant: Tenant) -> dict[str, Any]:
    """Returns the `data` of object/list."""
    return {"objects": [kind.listing() for kind in tenant.objects.values()]}


def describe_object(tenant: Tenant, body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the `data` of object/describe; `apiName` may stand at the top or inside `data`."""
    inner, position = body.get("data"), tenant.settings.describe_position
    within = inner.get("apiName") if isinstance(inner, dict) and position != "top" else None
    name = within or (body.get("apiName") if position != "data" else None)
    if not name:
        raise bad_parameter("apiName")
    kind = tenant.kind(name)
    tenant.check_permission(kind.api_name)
    masked = set(tenant.settings.masked_fields) if tenant.settings.mask_described else set()
    unlisted = set() if tenant.settings.log_related_described else {RELATED_TYPE}
    listing = kind.listing()
    described = {
        "api_name": kind.api_name,
        "display_name": kind.label,
        "define_type": listing["defineType"],
        "is_active": kind.active,
        "package": "CRM",
        "tenant_id": "700001",
        "fields": {
            key: found.describe(key in masked, tenant.settings.retired_mark)
            for key, found in kind.fields.items()
            if found.type not in unlisted
        },
    }
    return {"describe": described}


def list_regions(tenant: Tenant) -> dict[str, Any]:
    """Returns the `data` of countryAreaOptions/get: the vendor's own codes by level.

    How an option names what it lies in is unverified: by `child_options` of the level above, as cascades do, or itself.
    """
    levels: dict[str, list[dict[str, Any]]] = {level: [] for level in REGION_TYPES}
    for region in REGIONS:
        option: dict[str, Any] = {"label": region.name, "value": region.code}
        inside = [other for other in REGIONS if other.parent == region.code]
        if tenant.settings.region_links == "parent":
            option["parent"] = region.parent
        elif inside:
            option["child_options"] = [{inside[0].kind: [other.code for other in inside]}]
        levels[region.kind].append(option)
    return {kind: {"options": options} for kind, options in levels.items()}
