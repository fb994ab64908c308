"""Turns invented or loaded customers into the tenant's first AccountObj records."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from connectors.fxiaoke.simulator import objects
from connectors.fxiaoke.simulator.records import Record
from connectors.fxiaoke.simulator.regions import chain_of
from connectors.fxiaoke.simulator.staff import DEPARTMENTS, EMPLOYEES, FALLBACK_STAFF
from connectors.fxiaoke.simulator.tenant import Tenant
from connectors.fxiaoke.simulator.values import CHINA_MS, DAY_MS
from connectors.simulation.people import World, native_id

USER_OF_STAFF = {person.staff_no: person.user_id for person in EMPLOYEES}
DEPARTMENT_OF_BRANCH = {code: number for number, code, _ in DEPARTMENTS if code}
INDUSTRY_OF_CODE = {
    "A": ("1", None), "C": ("3", None), "C13": ("3", "313"), "C26": ("3", "326"), "C35": ("3", "335"),
    "C39": ("3", "339"), "E": ("5", None), "E48": ("5", "548"), "F": ("6", None), "F51": ("6", "651"),
    "F52": ("6", "652"), "G": ("7", None), "H": ("8", None), "I": ("9", None), "I65": ("9", "965"),
    "J": ("10", None), "K": ("11", None), "L": ("12", None), "P": ("16", None), "Q": ("17", None),
}  # fmt: skip
_CHANNELS = ("phone", "visit", "counter", "video", "sms", "wechat", "email", "app", "letter")
_OPTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "customer_kind": ("account_type", {"individual": "1", "organization": "2", "sole_trader": "3"}),
    "customer_tier": ("account_level", {"private": "1", "vip": "2", "gold": "3", "standard": "4"}),
    "customer_source": (
        "account_source",
        {"walk_in": "1", "referral": "2", "campaign": "3", "online": "4", "partner": "5", "other": "other"},
    ),
    "gender": ("gender__c", {"male": "option1", "female": "option2", "unknown": "option3"}),
    "lifecycle_stage": (
        "lifecycle_stage__c",
        {name: f"option{at}" for at, name in enumerate(("prospect", "new", "loyal", "at_risk", "lost"), 1)},
    ),
    "preferred_channel": (
        "preferred_channel__c",
        {**{name: f"option{at}" for at, name in enumerate(_CHANNELS, 1)}, "other": "other"},
    ),
    "contact_consent": (
        "contact_consent__c",
        {name: f"option{at}" for at, name in enumerate(("granted", "service_only", "withdrawn", "unknown"), 1)},
    ),
    "loyalty_tier": (
        "loyalty_tier__c",
        {name: f"option{at}" for at, name in enumerate(("none", "bronze", "silver", "gold", "diamond"), 1)},
    ),
}
_TEXTS = {
    "full_name": "name",
    "customer_no": "customer_no__c",
    "short_name": "short_name__c",
    "credit_code": "uniform_social_credit_code",
    "email": "email",
    "address_line": "address",
    "postal_code": "postal_code__c",
    "need_summary": "need_summary__c",
    "remark": "remark",
}
_NUMBERS = {"satisfaction_score": "satisfaction_score__c", "loyalty_points": "loyalty_points__c"}
_INSTANTS = {
    name: f"{name}__c"
    for name in ("lifecycle_changed_at", "consent_changed_at", "last_contacted_at", "next_follow_up_at")
}
_TAG_VALUES = {label: value for value, _, label in (tag.partition("=") for tag in objects.TAGS.split(", "))}


def seed_tenant(tenant: Tenant, world: World) -> int:
    """Loads the people who live in Fxiaoke and returns how many there are."""
    kinds = tenant.objects["AccountObj"].fields
    records = [{k: v for k, v in record.items() if k in kinds} for record in _records(tenant, world)]
    tenant.tables["AccountObj"].load(records)
    return len(records)


def _records(tenant: Tenant, world: World) -> Iterator[Record]:
    rng = random.Random(f"fxiaoke:{world.seed}")
    now = tenant.now_ms()
    for appearance in world.appears_in("fxiaoke"):
        modified = now - rng.randrange(3_600_000, 200 * DAY_MS)
        created = modified - rng.randrange(0, 400 * DAY_MS)
        canonical = appearance.canonical()
        owner = USER_OF_STAFF.get(str(canonical.get("staff_no")), FALLBACK_STAFF)
        record_id = native_id("fxiaoke", appearance.person.person_id, world.seed)
        record = tenant.born(record_id, created, owner) | tenant.owned(owner)
        yield record | {
            "last_modified_time": modified,
            "version": str(rng.randrange(1, 9)),
            "account_no": tenant.next_number("A"),
            "data_own_department": [department_of(canonical, record)],
            "deal_status": "1",
            **customer_fields(canonical),
        }


def department_of(canonical: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Returns the department of a branch, or the owner's where the branch is unknown."""
    return DEPARTMENT_OF_BRANCH.get(str(canonical.get("branch_code")), str(record["owner_department_id"]))


def customer_fields(canonical: Mapping[str, Any]) -> dict[str, Any]:
    """Returns canonical customer values in the wire form of AccountObj, empty ones left out."""
    fields: dict[str, Any] = {_TEXTS[name]: str(canonical[name]) for name in _present(canonical, _TEXTS)}
    fields |= {_NUMBERS[name]: str(canonical[name]) for name in _present(canonical, _NUMBERS)}
    fields |= {_INSTANTS[name]: _milliseconds(canonical[name]) for name in _present(canonical, _INSTANTS)}
    for name in _present(canonical, _OPTIONS):
        target, values = _OPTIONS[name]
        fields[target] = _option(name, values, canonical[name])
    phones = {"tel": canonical.get("mobile_phone"), "phone__c": canonical.get("phone")}
    fields |= {name: domestic(str(value)) for name, value in phones.items() if value}
    if canonical.get("birth_date"):
        days = date.fromisoformat(canonical["birth_date"]).toordinal() - date(1970, 1, 1).toordinal()
        fields["birth_date__c"] = days * DAY_MS - CHINA_MS
    if canonical.get("behavior_tags"):
        fields["behavior_tags__c"] = [_option("behavior_tags", _TAG_VALUES, tag) for tag in canonical["behavior_tags"]]
    if canonical.get("address_region"):
        fields |= chain_of(str(canonical["address_region"]))
    level1, level2 = INDUSTRY_OF_CODE.get(str(canonical.get("industry")), (None, None))
    return fields | {k: v for k, v in (("industry_level1", level1), ("industry_level2", level2)) if v}


def _option(name: str, values: Mapping[str, str], value: object) -> str:
    found = values.get(str(value))
    if found is None:
        raise ValueError(f"field {name}: {value} is no canonical value; known: {', '.join(values)}")
    return found


def _present(canonical: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [name for name in names if canonical.get(name) not in (None, "")]


def _milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def domestic(phone: str) -> str:
    """Returns an E.164 number of mainland China the way people type it there; others stay as they are."""
    rest = phone.removeprefix("+86")
    if rest == phone:
        return phone
    return rest if len(rest) == 11 and rest.startswith("1") else f"0{rest}"
