"""Finds what a person names: an entity, a system, a record by hub id or by `system:native id`."""

from __future__ import annotations

import re

from hub.core.plan import order_entities
from hub.kernel.errors import Declined, NotFound
from hub.operations.installation import Installation
from hub.operations.permission import no_record as no_record
from hub.operations.permission import sees
from hub.store import records

_HUB_ID = re.compile(r"[0-9a-fA-F-]{36}")


def entity_of(hub: Installation, name: str | None) -> str:
    """Returns the entity named, or the only one there is. Raises NotFound and Declined."""
    if name is not None:
        return hub.entity_rules(name).name
    if len(hub.rules) != 1:
        known = ", ".join(hub.rules)
        raise Declined(
            f"several entities are synchronised; name one of: {known}", f"已同步多个业务实体，请指定其一：{known}"
        )
    return next(iter(hub.rules))


def entities_of(hub: Installation, name: str | None) -> list[str]:
    """Returns the entity named, or all of them, parents first."""
    if name is not None:
        return [hub.entity_rules(name).name]
    known = hub.rules.keys()
    return list(order_entities({n: [t for t in r.references.values() if t in known] for n, r in hub.rules.items()}))


def system_of(hub: Installation, name: str) -> str:
    """Returns a configured system. Raises NotFound."""
    if name not in hub.settings.systems:
        known = ", ".join(hub.settings.systems)
        raise NotFound(
            f"{name} is not a configured system; the systems are: {known}", f"未配置接入系统 {name}；已配置：{known}"
        )
    return name


def record_of(hub: Installation, reference: str) -> str:
    """Returns the hub id of a record named by its hub id or as `system:native id`. Raises NotFound."""
    if _HUB_ID.fullmatch(reference):
        return reference.lower()
    system, mark, native_id = reference.partition(":")
    if not mark:
        raise NotFound(
            "name a record by its hub id or as system:native_id",
            "请用统一编号或 系统:原编号 指定记录",
            code="HUB-REQ-404",
        )
    system_of(hub, system)
    for entity, settings in hub.settings.entities.items():
        if system not in settings.systems:
            continue
        with hub.store.read() as conn:
            for object_ in hub.links(entity)[system].objects:
                found = records.bindings_by_native(conn, system, object_, [native_id]).get(native_id)
                # Who may not see the record learns no more than that it is not bound.
                if found is not None and sees(hub, conn, found.hub_id):
                    return found.hub_id
    raise NotFound(
        f"{system} record {native_id} is bound to no golden record here",
        f"{system} 的记录 {native_id} 未绑定任何黄金记录",
    )


def person(hub: Installation) -> str:
    """Returns who acts, as short as the store keeps it."""
    return hub.actor[:64]
