"""What a 销售记录 is about: `related_object_data`, the object names derived from it, and the lookup that mirrors it.

Source: Fxiaoke ActiveRecordObj pages and real reads; which of the two links a tenant takes is unverified, so both are
switches. A customer who gets a 销售记录 is followed up, which moves the customer's own modified time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.fxiaoke.simulator.changes import touched
from connectors.fxiaoke.simulator.objects import CUSTOMER, LOG
from connectors.fxiaoke.simulator.records import Record
from connectors.fxiaoke.simulator.refusal import Refusal
from connectors.fxiaoke.simulator.schema import LOOKUP_TYPES
from connectors.fxiaoke.simulator.tenant import Tenant

RELATED = "related_object_data"
NAMES = "related_api_names"
LOOKUP = "account_id"


def settle_links(record: Record, values: Mapping[str, Any], mirrored: bool) -> dict[str, Any]:
    """Returns the values of a 销售记录 to store, the links made to agree; None empties a field."""
    if not {RELATED, LOOKUP} & values.keys():
        return dict(values)
    entries: list[Mapping[str, str]] = list((values[RELATED] if RELATED in values else record.get(RELATED)) or [])
    settled = dict(values)
    if mirrored:
        chosen = values.get(LOOKUP)
        if chosen is not None or RELATED not in values:
            others = [item for item in entries if item["describe_api_name"] != CUSTOMER]
            entries = [*([entry(CUSTOMER, chosen)] if chosen else []), *others]
        settled[LOOKUP] = next((item["id"] for item in entries if item["describe_api_name"] == CUSTOMER), None)
    names = dict.fromkeys(item["describe_api_name"] for item in entries)
    return {**settled, RELATED: entries or None, NAMES: list(names) or None}


def entry(object_name: str, record_id: str) -> dict[str, str]:
    """Returns one stored link; the display name is added when it is shown."""
    return {"describe_api_name": object_name, "id": record_id}


def customers_of(record: Record) -> list[str]:
    """Returns the customers that a 销售记录 is about, each once."""
    named = [item["id"] for item in record.get(RELATED, ()) if item["describe_api_name"] == CUSTOMER]
    return list(dict.fromkeys([*([record[LOOKUP]] if record.get(LOOKUP) else []), *named]))


def follow_up(tenant: Tenant, customer: Record, by: str) -> None:
    """Notes that a customer was followed up: last_followed_time and the modified time move, no business field does."""
    new = touched(tenant, customer, {"last_followed_time": tenant.now_ms()}, by)
    if not tenant.settings.touch_bumps_version:
        new["version"] = customer["version"]
    tenant.tables[CUSTOMER].put(new)


def note_log(tenant: Tenant, record: Record, by: str) -> None:
    """Notes a new 销售记录 at each of its customers."""
    if not tenant.settings.log_touches_customer:
        return
    for customer_id in customers_of(record):
        customer = tenant.tables[CUSTOMER].get(customer_id)
        if customer is not None and not customer.get("is_deleted"):
            follow_up(tenant, customer, by)


def dependants(tenant: Tenant, object_name: str, record_id: str) -> Iterator[tuple[str, str, str, Record]]:
    """Yields (object, lookup, what happens when the target is deleted, record) of each live record that points here."""
    for kind in tenant.objects.values():
        for found in kind.fields.values():
            if found.type in LOOKUP_TYPES and found.target == object_name:
                for record in tenant.tables[kind.api_name].with_value(found.api_name, record_id):
                    if not record.get("is_deleted"):
                        yield kind.api_name, found.api_name, found.on_target_delete, record


def check_free(tenant: Tenant, object_name: str, record_id: str, operation: str) -> None:
    """Refuses to delete a record that lookups with `do_not_allow` point at."""
    for name, _, rule, _ in dependants(tenant, object_name, record_id):
        if rule == "do_not_allow":
            label = tenant.objects[name].label
            raise Refusal(tenant.settings.business_code, f"不能进行[{operation}]操作，数据已被[{label}]关联")


def release(tenant: Tenant, object_name: str, record_id: str, by: str) -> None:
    """Empties the lookups that point at a deleted record."""
    for name, lookup, _, record in list(dependants(tenant, object_name, record_id)):
        _relink(tenant, name, lookup, record, None, by)


def move_links(tenant: Tenant, object_name: str, loser: str, survivor: str, by: str) -> None:
    """Points everything that belonged to a merged record at its survivor."""
    for name, lookup, _, record in list(dependants(tenant, object_name, loser)):
        itself = record["_id"] == survivor
        _relink(tenant, name, lookup, record, None if itself else survivor, by)


def _relink(tenant: Tenant, name: str, lookup: str, record: Record, target: str | None, by: str) -> None:
    values: dict[str, Any] = {lookup: target}
    if name == LOG and lookup == LOOKUP:
        values = settle_links(record, values, tenant.settings.log_links_mirrored)
    tenant.tables[name].put(touched(tenant, record, values, by))
