"""The odd contact logs and complaints: unanswered calls, events without an end, links of every kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from connectors.fxiaoke.simulator.objects import build_objects
from connectors.zoho_crm.simulator.schema import org_modules
from hub.canonical.values import Value
from hub.mapping.check import check_mapping
from hub.mapping.lenses import LENSES, BadLens, Joint, Setting
from hub.mapping.lenses.activity import NO_START, read_length, write_length
from hub.mapping.lenses.base import ABSENT, NotObserved
from hub.mapping.lenses.linked import FOREIGN, UNRESOLVED
from hub.mapping.model import PairSpec
from tests.unit.mapping.log_worlds import compiled_of, file_of, route_of
from tests.unit.mapping.mapping_worlds import SCHEMA, TABLES

CORE = compiled_of("zoho_crm", "contact_log", "core")
FULL = compiled_of("zoho_crm", "contact_log", "full")
CASES = compiled_of("zoho_crm", "complaint", "full")
LOG = compiled_of("fxiaoke", "contact_log", "full")
COMPLAINT = compiled_of("fxiaoke", "complaint", "full")
PERSON, OTHER, ACCOUNT, CASE = "@Contacts/11", "@Contacts/12", "@Accounts/21", "@Cases/31"
REFS = ("customer_id", "complaint_id")


def linked(found: Any) -> dict[str, Value]:
    return {name: found.fields[name] for name in REFS if name in found.fields}


def lens_of(kind: str, chosen: str, name: str, canonical: str) -> tuple[PairSpec, Joint]:
    """Returns the joint lens that a shipped contact log mapping uses for a canonical field."""
    pair = next(p for p in route_of(kind, "contact_log", chosen, name).fields if canonical in p.canonicals)
    lens, fields = LENSES[pair.lens], SCHEMA.entity("contact_log").fields
    setting = Setting(tuple(fields[n] for n in pair.canonicals), pair.natives, TABLES, kind)
    made = lens.make(setting, lens.params.model_validate(pair.params))
    assert isinstance(made, Joint)
    return pair, made


@pytest.mark.parametrize(
    ("channel", "object_"),
    [
        ("phone", "Calls"),
        ("visit", "Events"),
        ("video", "Events"),
        ("counter", "Events"),
        ("sms", "Tasks"),
        ("wechat", "Tasks"),
        ("email", "Tasks"),
        ("app", "Tasks"),
        ("letter", "Tasks"),
        ("other", "Tasks"),
    ],
)
def test_logs_are_routed_by_channel(channel: str, object_: str) -> None:
    for mapping in (CORE, FULL):
        assert mapping.route({"channel": channel}) == object_
    assert LOG.route({"channel": channel}) == "ActiveRecordObj"


CALLS: list[tuple[dict[str, Value], dict[str, Any], tuple[Value, ...]]] = [
    (
        {"direction": "inbound", "duration_seconds": 0, "outcome": "no_answer"},
        {"Call_Type": "Missed", "Call_Duration": "00:00", "Call_Result": "未接"},
        ("inbound", 0, "no_answer"),
    ),
    (
        {"direction": "inbound", "duration_seconds": None, "outcome": "no_answer"},
        {"Call_Type": "Missed", "Call_Duration": "00:00", "Call_Result": "未接"},
        ("inbound", 0, "no_answer"),
    ),
    (
        {"direction": "outbound", "duration_seconds": 0, "outcome": "no_answer"},
        {"Call_Type": "Outbound", "Call_Duration": "00:01", "Call_Result": "未接"},
        ("outbound", 0, "no_answer"),
    ),
    (
        {"direction": "outbound", "duration_seconds": 0, "outcome": "refused"},
        {"Call_Type": "Outbound", "Call_Duration": "00:01", "Call_Result": "拒绝"},
        ("outbound", 0, "refused"),
    ),
    (
        {"direction": "outbound", "duration_seconds": 0, "outcome": None},
        {"Call_Type": "Outbound", "Call_Duration": "00:01", "Call_Result": "未接"},
        ("outbound", 0, "no_answer"),
    ),
    (
        {"direction": "outbound", "duration_seconds": 0, "outcome": "reached"},
        {"Call_Type": "Outbound", "Call_Duration": "00:01", "Call_Result": "已接通"},
        ("outbound", 1, "reached"),
    ),
    (
        {"direction": "inbound", "duration_seconds": 0, "outcome": "reached"},
        {"Call_Type": "Inbound", "Call_Duration": "00:01", "Call_Result": "已接通"},
        ("inbound", 1, "reached"),
    ),
    (
        {"direction": "outbound", "duration_seconds": 4503, "outcome": "reached"},
        {"Call_Type": "Outbound", "Call_Duration": "75:03", "Call_Result": "已接通"},
        ("outbound", 4503, "reached"),
    ),
    (
        {"direction": None, "duration_seconds": None, "outcome": None},
        {"Call_Type": "Outbound", "Call_Duration": "01:00"},
        ("outbound", 60, None),
    ),
    (
        {"direction": "inbound", "duration_seconds": 15, "outcome": "no_answer"},
        {"Call_Type": "Inbound", "Call_Duration": "00:15", "Call_Result": "未接"},
        ("inbound", 15, "no_answer"),
    ),
]


@pytest.mark.parametrize(("fields", "native", "back"), CALLS)
def test_calls_take_the_form_that_the_vendor_accepts(
    fields: dict[str, Value], native: dict[str, Any], back: tuple[Value, ...]
) -> None:
    patch = CORE.to_native("Calls", {"channel": "phone", **fields}, create=True).fields
    assert {name: patch[name] for name in patch if name.startswith("Call_")} == {"Call_Purpose": "其他"} | native
    seen = CORE.to_canonical("Calls", {"Call_Result": None} | native).fields
    assert tuple(seen[name] for name in fields) == back


def test_a_call_of_which_nothing_is_known_is_complete_in_zoho() -> None:
    patch = CORE.to_native("Calls", {"started_at": "2026-03-01T01:00:00.000Z"}, create=True).fields
    assert (patch["Call_Type"], patch["Call_Duration"], patch["Subject"]) == ("Outbound", "01:00", "沟通记录")
    assert patch["Call_Purpose"] == "其他"


def test_a_missed_call_of_the_system_itself_was_not_answered() -> None:
    seen = CORE.to_canonical("Calls", {"Call_Type": "Missed", "Call_Duration": None, "Call_Result": None}).fields
    assert (seen["direction"], seen["duration_seconds"], seen["outcome"]) == ("inbound", 0, "no_answer")
    real = CORE.to_canonical("Calls", {"Call_Type": "Outbound", "Call_Duration": "00:01", "Call_Result": None}).fields
    assert (real["duration_seconds"], real["outcome"]) == (1, None)


def test_the_length_of_a_call_is_refused_when_it_is_none() -> None:
    seen = CORE.to_canonical("Calls", {"Call_Type": "Outbound", "Call_Duration": "1 min", "Call_Result": None})
    assert [refusal.field for refusal in seen.refusals] == ["direction"]
    assert "1 min" not in repr(seen)


def test_only_the_outcome_of_a_call_changes() -> None:
    held = {"direction": "outbound", "duration_seconds": 90, "outcome": None}
    assert CORE.to_native("Calls", {"outcome": "reached"}, held).fields == {
        "Call_Type": "Outbound",
        "Call_Duration": "01:30",
        "Call_Result": "已接通",
    }


@pytest.mark.parametrize(("seconds", "text"), [(0, "00:00"), (59, "00:59"), (60, "01:00"), (4503, "75:03")])
def test_minutes_grow_past_an_hour(seconds: int, text: str) -> None:
    assert write_length(seconds) == text
    assert read_length(text, "duration_seconds") == seconds


def test_an_event_without_an_end_lasts_its_declared_default() -> None:
    patch = CORE.to_native("Events", {"started_at": "2026-03-01T01:00:00.000Z"}, create=True).fields
    span = {"Start_DateTime": "2026-03-01T09:00:00+08:00", "End_DateTime": "2026-03-01T09:30:00+08:00"}
    assert {name: patch[name] for name in span} == span
    known: dict[str, Value] = {"started_at": "2026-03-01T01:00:00.000Z"}
    longer = CORE.to_native("Events", {"duration_seconds": 5400}, known).fields
    assert longer["End_DateTime"] == "2026-03-01T10:30:00+08:00"
    # The system refuses an event that ends as it begins.
    shortest = CORE.to_native("Events", {"duration_seconds": 0}, known).fields
    assert shortest["End_DateTime"] == "2026-03-01T09:00:01+08:00"
    assert CORE.to_canonical("Events", shortest).fields["duration_seconds"] == 0


def test_an_event_shows_its_duration() -> None:
    native = {"Start_DateTime": "2026-03-01T09:00:00+08:00", "End_DateTime": "2026-03-01T02:15:30+01:00"}
    seen = CORE.to_canonical("Events", native)
    assert (seen.fields["started_at"], seen.fields["duration_seconds"]) == ("2026-03-01T01:00:00.000Z", 930)
    endless = CORE.to_canonical("Events", native | {"End_DateTime": None}).fields
    assert (endless["started_at"], endless["duration_seconds"]) == ("2026-03-01T01:00:00.000Z", None)
    backwards = CORE.to_canonical("Events", native | {"End_DateTime": "2026-03-01T08:00:00+08:00"})
    assert [refusal.field for refusal in backwards.refusals] == ["started_at"]
    assert [r.reason for r in CORE.to_native("Events", {"duration_seconds": 60}).refusals] == [NO_START]


@pytest.mark.parametrize(
    ("native", "customer", "complaint"),
    [
        ({"Who_Id": {"id": "11", "name": "某"}}, PERSON, None),
        ({"What_Id": {"id": "21"}, "$se_module": "Accounts"}, ACCOUNT, None),
        ({"Who_Id": {"id": "11"}, "What_Id": {"id": "31"}, "$se_module": "Cases"}, PERSON, CASE),
        ({"Who_Id": {"id": "11"}, "What_Id": {"id": "21"}, "$se_module": "Accounts"}, PERSON, None),
        ({"Who_Id": {"id": "11"}, "What_Id": {"id": "9"}, "$se_module": "Deals"}, PERSON, None),
        ({"What_Id": {"id": "9"}, "$se_module": "Deals"}, None, None),
        ({"What_Id": {"id": "21"}, "$se_module": "Accounts", "Complaint_Id": {"id": "31"}}, ACCOUNT, CASE),
        ({"Who_Id": {"id": "11"}, "Complaint_Id": {"id": "31"}}, PERSON, CASE),
        ({}, None, None),
    ],
)
def test_links_of_an_activity(native: dict[str, Any], customer: str | None, complaint: str | None) -> None:
    complete = {"Who_Id": None, "What_Id": None, "Complaint_Id": None} | native
    assert linked(FULL.to_canonical("Calls", complete)) == {"customer_id": customer, "complaint_id": complaint}


def test_the_module_may_be_absent_where_nothing_is_linked() -> None:
    seen = CORE.to_canonical("Calls", {"Who_Id": {"id": "11"}, "What_Id": None})
    assert linked(seen) == {"customer_id": PERSON, "complaint_id": None}
    unnamed = CORE.to_canonical("Calls", {"Who_Id": {"id": "11"}, "What_Id": {"id": "9"}})
    assert linked(unnamed) == {"customer_id": PERSON}
    assert linked(CORE.to_canonical("Calls", {"Who_Id": None, "What_Id": {"id": "9"}})) == {}


def test_without_a_lookup_of_our_own_an_organizations_complaint_is_not_observed() -> None:
    native = {"Who_Id": None, "What_Id": {"id": "21"}, "$se_module": "Accounts"}
    assert linked(CORE.to_canonical("Calls", native)) == {"customer_id": ACCOUNT}
    patch = CORE.to_native("Calls", {"customer_id": ACCOUNT, "complaint_id": CASE}, create=True).fields
    assert (patch["What_Id"], patch["$se_module"], "Who_Id" in patch) == ({"id": "21"}, "Accounts", False)
    assert CORE.to_native("Calls", {"complaint_id": CASE}, {"customer_id": ACCOUNT}).fields == {}


LINKS: list[tuple[dict[str, Value], dict[str, Value], dict[str, Any]]] = [
    (
        {"customer_id": PERSON, "complaint_id": CASE},
        {},
        {"Who_Id": {"id": "11"}, "What_Id": {"id": "31"}, "$se_module": "Cases", "Complaint_Id": None},
    ),
    (
        {"customer_id": ACCOUNT, "complaint_id": CASE},
        {},
        {"Who_Id": None, "What_Id": {"id": "21"}, "$se_module": "Accounts", "Complaint_Id": {"id": "31"}},
    ),
    (
        {"complaint_id": CASE},
        {"customer_id": PERSON, "complaint_id": None},
        {"What_Id": {"id": "31"}, "$se_module": "Cases", "Complaint_Id": None},
    ),
    ({"complaint_id": None}, {"customer_id": PERSON, "complaint_id": CASE}, {"What_Id": None, "Complaint_Id": None}),
    ({"complaint_id": None}, {"customer_id": ACCOUNT, "complaint_id": CASE}, {"Complaint_Id": None}),
    # A deal in What_Id is somebody else's: another person leaves it alone.
    (
        {"customer_id": OTHER},
        {"customer_id": PERSON, "complaint_id": None},
        {"Who_Id": {"id": "12"}, "Complaint_Id": None},
    ),
    (
        {"customer_id": PERSON},
        {"customer_id": ACCOUNT, "complaint_id": CASE},
        {"Who_Id": {"id": "11"}, "What_Id": {"id": "31"}, "$se_module": "Cases", "Complaint_Id": None},
    ),
    (
        {"customer_id": PERSON},
        {"customer_id": ACCOUNT, "complaint_id": None},
        {"Who_Id": {"id": "11"}, "What_Id": None, "Complaint_Id": None},
    ),
    (
        {"customer_id": ACCOUNT},
        {"customer_id": PERSON, "complaint_id": CASE},
        {"Who_Id": None, "What_Id": {"id": "21"}, "$se_module": "Accounts", "Complaint_Id": {"id": "31"}},
    ),
]


@pytest.mark.parametrize(("fields", "current", "native"), LINKS)
def test_links_are_written(fields: dict[str, Value], current: dict[str, Value], native: dict[str, Any]) -> None:
    assert FULL.to_native("Tasks", fields, current).fields == native


@pytest.mark.parametrize(
    ("value", "reason"),
    [("@Leads/41", FOREIGN), ("@Cases/31", FOREIGN), ("0190a000-0000-7000-8000-000000000001", UNRESOLVED)],
)
def test_a_foreign_reference_is_refused(value: str, reason: object) -> None:
    patch = FULL.to_native("Calls", {"customer_id": value}, {"complaint_id": None})
    assert (patch.fields, [r.reason for r in patch.refusals]) == ({}, [reason])
    assert value not in repr(patch)
    wrong = CASES.to_native("Cases", {"customer_id": value, "repeat_of": "@Contacts/11"})
    assert {r.field: r.reason for r in wrong.refusals} == {"customer_id": reason, "repeat_of": FOREIGN}
    assert COMPLAINT.to_native("complaint__c", {"customer_id": value}).refusals
    assert LOG.to_native("ActiveRecordObj", {"customer_id": value}).refusals


def test_a_case_with_both_lookups_is_the_contacts() -> None:
    both = {"Related_To": {"id": "11", "name": "某"}, "Account_Name": {"id": "21", "name": "某"}}
    assert CASES.to_canonical("Cases", both).fields == {"customer_id": PERSON}
    assert CASES.to_canonical("Cases", both | {"Related_To": None}).fields == {"customer_id": ACCOUNT}
    assert CASES.to_canonical("Cases", dict.fromkeys(both)).fields == {"customer_id": None}
    assert CASES.to_native("Cases", {"customer_id": ACCOUNT}, {"customer_id": PERSON}).fields == {
        "Related_To": None,
        "Account_Name": {"id": "21"},
    }
    assert CASES.to_native("Cases", {"customer_id": None}, {"customer_id": PERSON}).fields == dict.fromkeys(both)


@pytest.mark.parametrize("raw", ["11", 11, {"id": 11}, ["11"]])
def test_a_lookup_of_another_form_is_refused(raw: Any) -> None:
    seen = CASES.to_canonical("Cases", {"Repeat_Of": raw, "Related_To": raw, "Account_Name": None})
    assert {refusal.field for refusal in seen.refusals} == {"repeat_of", "customer_id"}


def test_the_account_lookup_of_a_log_goes_before_the_list() -> None:
    entries = [
        {"describe_api_name": "NewOpportunityObj", "id": "c1", "name": "某"},
        {"describe_api_name": "AccountObj", "id": "a2", "name": "某"},
        {"describe_api_name": "complaint__c", "id": "b1", "name": "某"},
    ]
    native: dict[str, Any] = {"account_id": "a1", "related_object_data": entries}
    both = {"customer_id": "@AccountObj/a1", "complaint_id": "@complaint__c/b1"}
    assert linked(LOG.to_canonical("ActiveRecordObj", native)) == both
    listed = LOG.to_canonical("ActiveRecordObj", native | {"account_id": None})
    assert linked(listed) == both | {"customer_id": "@AccountObj/a2"}
    bare = LOG.to_canonical("ActiveRecordObj", {"account_id": "a1", "related_object_data": None})
    assert linked(bare) == {"customer_id": "@AccountObj/a1", "complaint_id": None}
    assert linked(LOG.to_canonical("ActiveRecordObj", {"account_id": "", "related_object_data": []})) == {
        "customer_id": None,
        "complaint_id": None,
    }


def test_the_list_is_written_whole() -> None:
    held: dict[str, Value] = {"customer_id": "@AccountObj/a1", "complaint_id": "@complaint__c/b1"}
    account, complaint = (
        {"describe_api_name": "AccountObj", "id": "a1"},
        {"describe_api_name": "complaint__c", "id": "b1"},
    )
    assert LOG.to_native("ActiveRecordObj", {"complaint_id": None}, held).fields == {
        "account_id": "a1",
        "related_object_data": [account],
    }
    unlinked = {**held, "complaint_id": None}
    assert LOG.to_native("ActiveRecordObj", {"complaint_id": "@complaint__c/b1"}, unlinked).fields == {
        "account_id": "a1",
        "related_object_data": [account, complaint],
    }


def test_a_tenant_without_the_account_lookup_names_the_list_alone() -> None:
    pair, _ = lens_of("fxiaoke", "full", "ActiveRecordObj", "customer_id")
    fields = SCHEMA.entity("contact_log").fields
    lens = LENSES[pair.lens]
    setting = Setting(tuple(fields[n] for n in REFS), ("related_object_data",), TABLES, "fxiaoke")
    made = lens.make(setting, lens.params.model_validate(pair.params))
    assert isinstance(made, Joint)
    patch = made.put({"customer_id": "@AccountObj/a1"}, {})
    assert patch == {"related_object_data": [{"describe_api_name": "AccountObj", "id": "a1"}]}
    assert made.get((patch["related_object_data"],)) == ("@AccountObj/a1", None)


def test_a_time_nobody_filled_in_is_that_of_creation() -> None:
    native = {"Started_At": None, "Created_Time": "2026-03-01T09:00:00+08:00"}
    assert FULL.to_canonical("Tasks", native).fields["started_at"] == "2026-03-01T01:00:00.000Z"
    filled = FULL.to_canonical("Tasks", native | {"Started_At": "2026-02-01T09:00:00+08:00"}).fields
    assert filled["started_at"] == "2026-02-01T01:00:00.000Z"
    log = LOG.to_canonical("ActiveRecordObj", {"contact_time__c": None, "create_time": 1772326800999}).fields
    assert log["started_at"] == "2026-03-01T01:00:00.000Z"
    assert FULL.to_native("Tasks", {"started_at": "2026-03-01T01:00:00.000Z"}).fields == {
        "Started_At": "2026-03-01T09:00:00+08:00"
    }
    _, made = lens_of("fxiaoke", "full", "ActiveRecordObj", "started_at")
    with pytest.raises(NotObserved):
        made.get((None, ABSENT))


def test_a_log_without_purpose_or_subject_takes_the_declared_ones() -> None:
    patch = FULL.to_native("Tasks", {"channel": "wechat", "purpose": None, "subject": None}, create=True)
    assert (patch.fields["Purpose"], patch.fields["Subject"]) == ("其他", "沟通记录")
    assert patch.fields["Status"] == "Completed"
    assert {"purpose", "subject"} <= set(patch.defaulted)
    seen = LOG.to_canonical("ActiveRecordObj", {"interactive_scenario": None, "interactive_types": None}).fields
    assert (seen["purpose"], seen["channel"]) == ("other", "other")


def test_core_reads_the_channel_of_an_event_from_strangers_only() -> None:
    for name, channel in (("Events", "visit"), ("Tasks", "other")):
        assert CORE.to_canonical(name, {}).fields["channel"] == channel
        assert {"channel", "purpose"} <= CORE.once_fields(name)
        assert {"channel", "purpose"}.isdisjoint(CORE.in_fields(name))
    assert "channel" in CORE.in_fields("Calls")
    assert FULL.to_canonical("Events", {"Channel": None}).fields["channel"] == "visit"


def test_the_creation_time_of_a_log_is_written_once() -> None:
    core = compiled_of("fxiaoke", "contact_log", "core")
    moment = "2026-03-01T01:00:00.000Z"
    assert core.create_fields("ActiveRecordObj") == ("started_at",)
    assert core.to_native("ActiveRecordObj", {"started_at": moment}, create=True).fields["create_time"] == 1772326800000


def test_the_number_of_a_complaint_is_the_hub_id_until_there_is_one() -> None:
    assert COMPLAINT.to_native("complaint__c", {"title": "某"}, create=True).fields["name"] == "$hub_id"
    assert COMPLAINT.to_native("complaint__c", {"complaint_no": "C-1"}, {"complaint_no": None}).fields == {
        "name": "C-1"
    }
    assert CASES.to_native("Cases", {"complaint_no": "C-1"}).fields == {}


def test_a_complaint_has_all_that_zoho_demands() -> None:
    patch = CASES.to_native("Cases", {}, create=True).fields
    assert (patch["Subject"], patch["Case_Origin"], patch["Status"], patch["Priority"]) == (
        "投诉",
        "Other",
        "已登记",
        "Medium",
    )


@dataclass(frozen=True)
class FieldSeen:
    api_name: str
    kind: str = "text"
    length: int | None = None
    required: bool = False
    writable: bool = True
    unique: bool = False
    options: Any = None
    lookup: str | None = None
    masked: bool = False
    retired: Any = None
    parent: str | None = None
    by_parent: Any = None
    decimals: int | None = None
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObjectSeen:
    fields: Any


def described(kind: str, chosen: str, name: str, *changes: FieldSeen) -> dict[str, Any]:
    """Returns a description in which every field of a contact log mapping exists."""
    pairs = route_of(kind, "contact_log", chosen, name).fields
    natives = {n for pair in pairs for n in pair.natives if not n.startswith("$")}
    fields = {n: FieldSeen(n, "opaque") for n in natives}
    fields |= {n: FieldSeen(n, unique=True) for n in ("Hub_Id", "hub_id__c")}
    return {name: ObjectSeen(fields | {change.api_name: change for change in changes})}


def problems(kind: str, chosen: str, name: str, *changes: FieldSeen) -> set[str]:
    seen = described(kind, chosen, name, *changes)
    found = check_mapping(file_of(kind, "contact_log", chosen), SCHEMA, TABLES, seen)
    return {problem.code for problem in found} - {"HUB-MAP-020"}


def test_what_a_description_lacks_or_forbids() -> None:
    created = FieldSeen("create_time", "date_time", writable=False)
    assert problems("fxiaoke", "core", "ActiveRecordObj", created) == set()
    assert problems("fxiaoke", "full", "ActiveRecordObj", created) == set()
    first = FieldSeen("contact_time__c", "date_time", writable=False)
    assert problems("fxiaoke", "full", "ActiveRecordObj", created, first) == {"HUB-MAP-024"}
    assert problems("zoho_crm", "full", "Calls") == set()
    assert problems("zoho_crm", "full", "Calls", FieldSeen("Who_Id", "boolean")) == {"HUB-MAP-025"}
    options = dict.fromkeys(("Outbound", "Inbound"), "")
    assert problems("zoho_crm", "full", "Calls", FieldSeen("Call_Type", "picklist", options=options)) == {"HUB-MAP-028"}


CALL = {
    "types": {"outbound": "O", "inbound": "I", "missed": "M"},
    "values": {"reached": "1", "no_answer": "2", "refused": "3", "rescheduled": "4", "wrong_number": "5"},
}
ACTIVITY = {"persons": "A", "organizations": "B", "complaints": "C"}


@pytest.mark.parametrize(
    ("lens", "canonicals", "natives", "params"),
    [
        ("call_outcome", ("direction", "duration_seconds", "outcome"), "abc", CALL | {"zero": "00:00"}),
        ("call_outcome", ("direction", "duration_seconds", "outcome"), "abc", CALL | {"values": {"reached": "1"}}),
        ("call_outcome", ("direction", "duration_seconds", "outcome"), "abc", CALL | {"types": {"missed": "M"}}),
        ("call_outcome", ("outcome", "duration_seconds", "direction"), "abc", CALL),
        ("event_span", ("planned_at", "duration_seconds"), "ab", {}),
        ("reference_either", ("customer_id",), "ab", {"objects": ["A"]}),
        ("reference_either", ("customer_id",), "ab", {"objects": ["A", "A"]}),
        ("activity_links", ("complaint_id", "customer_id"), "abc", ACTIVITY),
        ("related_objects", ("complaint_id", "customer_id"), "ab", {"customers": "A", "complaints": "B"}),
    ],
)  # fmt: skip
def test_a_lens_that_cannot_work_is_not_made(lens: str, canonicals: tuple[str, ...], natives: str, params: Any) -> None:
    fields = SCHEMA.entity("contact_log").fields
    setting = Setting(tuple(fields[name] for name in canonicals), tuple(natives), TABLES, "zoho_crm")
    with pytest.raises(BadLens) as bad:
        LENSES[lens].make(setting, LENSES[lens].params.model_validate(params))
    assert bad.value.text.en != bad.value.text.zh


@pytest.mark.parametrize("chosen", ["core", "full"])
def test_the_shipped_mappings_fit_the_shipped_simulators(chosen: str) -> None:
    tenant = {
        name: ObjectSeen({
            n: FieldSeen(
                n, f.type, f.length, f.required, not f.computed, f.unique, {c.value: c.label for c in f.choices} or None
            )
            for n, f in found.fields.items()
        })
        for name, found in build_objects().items()
    }  # fmt: skip
    org = {
        name: ObjectSeen({
            n: FieldSeen(
                n, f.data_type, f.length, f.required, not f.read_only, f.unique, dict.fromkeys(f.picklist, "") or None
            )
            for n, f in module.fields.items()
        })
        for name, module in org_modules().items()
    }  # fmt: skip
    for kind, seen in (("fxiaoke", tenant), ("zoho_crm", org)):
        for entity in ("contact_log", "complaint"):
            found = check_mapping(file_of(kind, entity, chosen), SCHEMA, TABLES, seen)
            assert {(p.code, p.severity) for p in found} <= {("HUB-MAP-027", "warning")}, [p.en for p in found]
