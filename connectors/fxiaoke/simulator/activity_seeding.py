"""Turns invented contacts and complaints into the tenant's first records of 销售记录 and 投诉."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from connectors.fxiaoke.simulator.objects import COMPLAINT, CUSTOMER, LOG
from connectors.fxiaoke.simulator.records import Record
from connectors.fxiaoke.simulator.related import LOOKUP, RELATED, entry, settle_links
from connectors.fxiaoke.simulator.schema import NUMBER_TYPES, SELECT_TYPES, FieldType
from connectors.fxiaoke.simulator.seeding import USER_OF_STAFF, department_of, domestic
from connectors.fxiaoke.simulator.staff import FALLBACK_STAFF
from connectors.fxiaoke.simulator.tenant import Tenant
from connectors.fxiaoke.simulator.values import CHINA_MS, DAY_MS
from connectors.simulation.activities import ComplaintEntry, LogEntry, activity_id, invent_activities
from connectors.simulation.people import World, native_id

KIND = "fxiaoke"
_ELSEWHERE = frozenset({"staff_no", "branch_code"})
"""Canonical fields that stand in the owner and the owning department."""
_NAMES = {
    "complaint_no": "name",
    "channel": "interactive_types",
    "purpose": "interactive_scenario",
    "content": "active_record_content",
    "started_at": "contact_time__c",
}
_CHANNELS = ("phone", "visit", "counter", "video", "sms", "wechat", "email", "app", "letter")
_OPTIONS: dict[str, tuple[str, ...]] = {
    "interactive_types": _CHANNELS,
    "interactive_scenario": (
        "return_visit", "service", "consulting", "survey", "needs", "complaint", "greeting", "event", "acquisition",
        "maintenance", "retention",
    ),
    "direction__c": ("inbound", "outbound"),
    "outcome__c": ("reached", "no_answer", "refused", "rescheduled", "wrong_number"),
    "survey_method__c": ("questionnaire", "phone_interview", "face_to_face"),
    "need_category__c": ("deposit", "loan", "card", "wealth", "payment", "digital", "agency"),
    "intake_channel__c": ("phone", "email", "online", "branch", "letter", "regulator", "media"),
    "priority__c": ("low", "normal", "high", "urgent"),
    "status__c": (
        "registered", "accepted", "declined", "investigating", "awaiting_customer", "resolved", "responded", "closed",
        "withdrawn",
    ),
    "complainant_role__c": ("self", "agent", "heir", "representative"),
    "severity__c": ("general", "major", "collective"),
    "extension__c": ("none", "to_30", "to_60"),
    "liability__c": ("institution", "shared", "customer", "none", "undetermined"),
    "resolution_type__c": ("explanation", "correction", "apology", "refund", "compensation", "mediation"),
    "feedback_method__c": _CHANNELS,
}  # fmt: skip
"""Canonical values in the order of the options that stand for them; `other` is an option of its own name."""


_STARTED = FieldType("contact_time__c", "开始时间", "date_time")
"""When a contact took place, also where the tenant has no field for it."""


def seed_activities(tenant: Tenant, world: World, logs: int, complaints: int) -> tuple[int, int]:
    """Loads the contacts and complaints that live in Fxiaoke and returns how many of each there are."""
    made = invent_activities(world, logs, complaints)
    rng = random.Random(f"fxiaoke activities:{world.seed}")
    held = COMPLAINT in tenant.objects
    if held:
        tenant.tables[COMPLAINT].load(
            [_complaint(tenant, entry_, made.seed, rng) for entry_ in made.complaints_in(KIND)]
        )
    tenant.tables[LOG].load(_logs(tenant, made.logs_in(KIND), made.seed, rng))
    return len(tenant.tables[LOG]), len(tenant.tables[COMPLAINT]) if held else 0


def _complaint(tenant: Tenant, one: ComplaintEntry, seed: int, rng: random.Random) -> Record:
    fields = native_fields(tenant.objects[COMPLAINT].fields, one.canonical())
    if one.repeat_of:
        fields["repeat_of__c"] = activity_id(KIND, one.repeat_of, seed)
    record = _born(tenant, activity_id(KIND, one.complaint_id, seed), one, fields["received_at__c"], rng)
    return record | {LOOKUP: native_id(KIND, one.person_id, seed), **fields}


def _logs(tenant: Tenant, entries: list[LogEntry], seed: int, rng: random.Random) -> Iterator[Record]:
    for one in entries:
        fields = native_fields(tenant.objects[LOG].fields, one.canonical())
        created = _wire(_STARTED, one.canonical()["started_at"])
        record = _born(tenant, activity_id(KIND, one.log_id, seed), one, created, rng)
        if rng.random() < 0.05:
            fields.pop("contact_time__c", None)  # whoever wrote it down left the time to the system
        customer = native_id(KIND, one.person_id, seed)
        about = [entry(CUSTOMER, customer)]
        if one.complaint and COMPLAINT in tenant.objects:
            about.append(entry(COMPLAINT, activity_id(KIND, one.complaint, seed)))
        links = settle_links({}, {LOOKUP: customer, RELATED: about}, tenant.settings.log_links_mirrored)
        yield record | {"name": tenant.next_number("R"), **links, **fields}


def _born(
    tenant: Tenant, record_id: str, one: LogEntry | ComplaintEntry, created: int, rng: random.Random
) -> dict[str, Any]:
    """Returns the system fields of a record that was written down when it happened and edited some days later."""
    owner = USER_OF_STAFF.get(str(one.staff_no), FALLBACK_STAFF)
    record = tenant.born(record_id, created, owner) | tenant.owned(owner)
    latest = tenant.now_ms() - 3_600_000
    return record | {
        "last_modified_time": max(created, min(latest, created + rng.randrange(40 * DAY_MS))),
        "version": str(rng.randrange(1, 6)),
        "data_own_department": [department_of(one.canonical(), record)],
    }


def native_fields(kinds: Mapping[str, FieldType], canonical: Mapping[str, Any]) -> dict[str, Any]:
    """Returns canonical values in the wire form of an object, for the fields that it has.

    Raises ValueError for an unknown option.
    """
    made: dict[str, Any] = {}
    for name, value in canonical.items():
        if name not in _ELSEWHERE:
            target = _NAMES.get(name, f"{name}__c")
            if target in kinds:
                made[target] = _wire(kinds[target], value)
    return made


def _wire(found: FieldType, value: Any) -> Any:
    if found.type in SELECT_TYPES:
        return _option(found, str(value))
    if found.type == "date_time":
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    if found.type == "date":
        return (date.fromisoformat(value).toordinal() - date(1970, 1, 1).toordinal()) * DAY_MS - CHINA_MS
    if found.type == "phone_number":
        return domestic(str(value))
    return str(value) if found.type in NUMBER_TYPES else value


def _option(found: FieldType, value: str) -> str:
    known = _OPTIONS[found.api_name]
    if value == "other" and found.choice("other") is not None:
        return "other"
    if value not in known:
        raise ValueError(f"field {found.api_name}: {value} is no canonical value; known: {', '.join(known)}")
    number = known.index(value) + 1
    return str(number) if found.define_type == "package" else f"option{number}"
