"""The vendor's rules for calls, events, tasks and cases on the simulated Zoho, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zoho_client import ZohoClient

from connectors.simulation.activities import activity_id, invent_activities
from connectors.simulation.people import generate, native_id
from connectors.simulation.server import RunningSimulator, start_simulator

CALL = {
    "Subject": "回访",
    "Call_Type": "Outbound",
    "Call_Start_Time": "2026-03-01T09:00:00+08:00",
    "Call_Duration": "03:25",
}
EVENT = {
    "Event_Title": "拜访",
    "Start_DateTime": "2026-03-01T09:00:00+08:00",
    "End_DateTime": "2026-03-01T09:30:00+08:00",
}
CASE = {"Subject": "排队过长", "Status": "已登记", "Case_Origin": "Phone"}


@pytest.fixture(scope="module")
def empty_org() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm") as running:
        yield running


@pytest.fixture
def zoho(empty_org: RunningSimulator) -> ZohoClient:
    """An empty org, started over for each test."""
    empty_org.admin.reset()
    return ZohoClient(empty_org)


def row(zoho: ZohoClient, method: str, path: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Writes one row and returns its result."""
    result: dict[str, Any] = zoho.write(method, path, fields).json()["data"][0]
    return result


def made(zoho: ZohoClient, module: str, **fields: Any) -> str:
    result = row(zoho, "POST", module, fields)
    assert result["code"] == "SUCCESS", result
    return str(result["details"]["id"])


def refused(result: dict[str, Any]) -> tuple[str, str | None]:
    return result["code"], result["details"].get("api_name")


def one(zoho: ZohoClient, module: str, record_id: str) -> dict[str, Any]:
    record: dict[str, Any] = zoho.get(f"{module}/{record_id}").json()["data"][0]
    return record


@pytest.mark.parametrize(
    ("module", "full"), [("Calls", CALL), ("Events", EVENT), ("Tasks", {"Subject": "短信"}), ("Cases", CASE)]
)
def test_system_mandatory_fields(zoho: ZohoClient, module: str, full: dict[str, Any]) -> None:
    described = {one["api_name"]: one for one in zoho.get("settings/fields", module=module).json()["fields"]}
    assert {name for name, each in described.items() if each["system_mandatory"]} == set(full)
    assert described["Hub_Id"]["unique"] == {"case_sensitive": False}
    for name in full:
        short = {key: value for key, value in full.items() if key != name}
        assert refused(row(zoho, "POST", module, short)) == ("MANDATORY_NOT_FOUND", name)
    assert made(zoho, module, **full)


def test_calls_have_a_length(zoho: ZohoClient) -> None:
    for kind in ("Outbound", "Inbound"):
        zero = row(zoho, "POST", "Calls", {**CALL, "Call_Type": kind, "Call_Duration": "00:00"})
        assert refused(zero) == ("DEPENDENT_MISMATCH", "Call_Duration")
        assert zero["message"] == "Call Duration can not be zero."
        assert zero["details"]["dependee"]["api_name"] == "Call_Type"
    missed = made(zoho, "Calls", **{**CALL, "Call_Type": "Missed", "Call_Duration": "00:00"})
    assert refused(row(zoho, "PUT", "Calls", {"id": missed, "Call_Type": "Inbound"}))[0] == "DEPENDENT_MISMATCH"
    for wrong in ("205", "3:5", "00:61", "a:b"):
        assert refused(row(zoho, "POST", "Calls", {**CALL, "Call_Duration": wrong}))[0] == "INVALID_DATA"
    assert refused(row(zoho, "POST", "Calls", {**CALL, "Call_Duration": 205})) == ("INVALID_DATA", "Call_Duration")


def test_the_seconds_of_a_call_are_computed_and_not_writable(zoho: ZohoClient) -> None:
    record_id = made(zoho, "Calls", **CALL, Call_Duration_in_seconds=9)
    assert one(zoho, "Calls", record_id)["Call_Duration_in_seconds"] == 205
    row(zoho, "PUT", "Calls", {"id": record_id, "Call_Duration": "65:10"})
    assert one(zoho, "Calls", record_id)["Call_Duration_in_seconds"] == 3910


def test_whether_a_missed_call_may_have_a_length_is_a_switch(zoho: ZohoClient) -> None:
    assert made(zoho, "Calls", **{**CALL, "Call_Type": "Missed"})
    zoho.admin.settings(missed_call_length="zero")
    assert refused(row(zoho, "POST", "Calls", {**CALL, "Call_Type": "Missed"})) == ("INVALID_DATA", "Call_Duration")


def test_events_end_after_they_start(zoho: ZohoClient) -> None:
    record_id = made(zoho, "Events", **EVENT)
    for end in ("2026-03-01T09:00:00+08:00", "2026-03-01T00:59:00+00:00"):
        assert refused(row(zoho, "POST", "Events", {**EVENT, "End_DateTime": end})) == ("INVALID_DATA", "End_DateTime")
    later = {"id": record_id, "Start_DateTime": "2026-03-02T09:00:00+08:00"}
    assert refused(row(zoho, "PUT", "Events", later)) == ("INVALID_DATA", "End_DateTime")
    assert row(zoho, "PUT", "Events", {**later, "End_DateTime": "2026-03-02T10:00:00+08:00"})["code"] == "SUCCESS"
    crowd = [{"participant": f"p{n}@bank.example", "type": "email"} for n in range(51)]
    assert refused(row(zoho, "POST", "Events", {**EVENT, "Participants": crowd})) == ("LIMIT_EXCEEDED", "Participants")


@pytest.mark.parametrize(("module", "full"), [("Calls", CALL), ("Events", EVENT), ("Tasks", {"Subject": "短信"})])
def test_links_need_their_module(zoho: ZohoClient, module: str, full: dict[str, Any]) -> None:
    person, firm = zoho.insert(Last_Name="王"), made(zoho, "Accounts", Account_Name="甲公司")
    case = made(zoho, "Cases", **CASE)
    for wrong in (
        {"What_Id": {"id": firm}},
        {"What_Id": {"id": firm}, "$se_module": "Cases"},
        {"What_Id": {"id": person}, "$se_module": "Contacts"},
        {"What_Id": {"id": "5843104000000000001"}, "$se_module": "Accounts"},
        {"What_Id": firm, "$se_module": "Accounts"},
    ):
        assert refused(row(zoho, "POST", module, {**full, **wrong})) == ("INVALID_DATA", "What_Id")
    for stranger in (firm, "5843104000000000001"):
        assert refused(row(zoho, "POST", module, {**full, "Who_Id": {"id": stranger}})) == ("INVALID_DATA", "Who_Id")
    linked = {"Who_Id": {"id": person}, "What_Id": {"id": firm}, "$se_module": "Accounts"}
    record_id = made(zoho, module, **full, **linked)
    shown = one(zoho, module, record_id)
    assert shown["Who_Id"] == {"name": "王", "id": person}
    assert (shown["What_Id"], shown["$se_module"]) == ({"name": "甲公司", "id": firm}, "Accounts")
    row(zoho, "PUT", module, {"id": record_id, "What_Id": {"id": case}, "$se_module": "Cases"})
    assert one(zoho, module, record_id)["$se_module"] == "Cases"
    row(zoho, "PUT", module, {"id": record_id, "What_Id": None})
    shown = one(zoho, module, record_id)
    assert (shown["What_Id"], shown["$se_module"]) == (None, None)


def test_lists_tell_the_module_of_a_link_only_when_asked(zoho: ZohoClient) -> None:
    firm = made(zoho, "Accounts", Account_Name="甲公司")
    made(zoho, "Tasks", Subject="短信", What_Id={"id": firm}, **{"$se_module": "Accounts"})
    asked = zoho.get("Tasks", fields="Subject,What_Id,$se_module").json()["data"][0]
    assert asked["$se_module"] == "Accounts"
    assert "$se_module" not in zoho.get("Tasks", fields="Subject,What_Id").json()["data"][0]
    assert zoho.coql("select What_Id, $se_module from Tasks where id is not null").json()["code"] == "INVALID_QUERY"
    assert zoho.coql(f"select What_Id from Tasks where What_Id = '{firm}'").json()["data"][0]["What_Id"] == {"id": firm}
    zoho.admin.settings(se_module_in_lists=False)
    assert "$se_module" not in zoho.get("Tasks", fields="Subject,What_Id,$se_module").json()["data"][0]


def test_metadata_describe_links_and_numbers(zoho: ZohoClient) -> None:
    fields = {one["api_name"]: one for one in zoho.get("settings/fields", module="Calls").json()["fields"]}
    assert fields["Who_Id"]["lookup"]["module"]["api_name"] == "Contacts"
    assert fields["What_Id"]["lookup"]["module"]["api_name"] == "se_module"
    assert fields["Complaint_Id"]["lookup"]["module"]["api_name"] == "Cases"
    assert fields["Call_Duration_in_seconds"]["read_only"]
    assert "$se_module" not in fields
    number = {one["api_name"]: one for one in zoho.get("settings/fields", module="Cases").json()["fields"]}
    assert (number["Case_Number"]["data_type"], number["Case_Number"]["read_only"]) == ("autonumber", True)
    zoho.admin.settings(se_module_described=True)
    fields = {one["api_name"]: one for one in zoho.get("settings/fields", module="Calls").json()["fields"]}
    assert "$se_module" in fields
    assert zoho.get("settings/fields", version="v2", module="Calls").status_code == 200


def test_case_numbers_are_given_and_not_writable(zoho: ZohoClient) -> None:
    first = made(zoho, "Cases", **CASE, Case_Number="X1")
    second = made(zoho, "Cases", **CASE)
    numbers = [one(zoho, "Cases", each)["Case_Number"] for each in (first, second)]
    assert numbers == ["TS00000001", "TS00000002"]
    row(zoho, "PUT", "Cases", {"id": first, "Case_Number": "X1", "Add_Comment": "已联系"})
    shown = one(zoho, "Cases", first)
    assert (shown["Case_Number"], shown["No_of_comments"], shown["Add_Comment"]) == ("TS00000001", 1, None)


def test_an_owner_who_left_is_refused(zoho: ZohoClient) -> None:
    gone = {"Owner": {"id": "5843104000000301007"}}
    for module, full in (("Calls", CALL), ("Events", EVENT), ("Cases", CASE)):
        assert refused(row(zoho, "POST", module, {**full, **gone})) == ("INVALID_DATA", "Owner")


def test_upsert_knows_cases_by_subject_and_activities_by_unique_fields_only(zoho: ZohoClient) -> None:
    first = zoho.write("POST", "Cases/upsert", CASE).json()["data"][0]
    again = zoho.write("POST", "Cases/upsert", {**CASE, "Status": "已受理"}).json()["data"][0]
    assert (again["action"], again["duplicate_field"]) == ("update", "Subject")
    assert again["details"]["id"] == first["details"]["id"]
    for _ in range(2):
        assert zoho.write("POST", "Calls/upsert", CALL).json()["data"][0]["action"] == "insert"
    keyed = {**CALL, "Hub_Id": "h1"}
    assert zoho.write("POST", "Calls/upsert", keyed).json()["data"][0]["action"] == "insert"
    assert zoho.write("POST", "Calls/upsert", keyed).json()["data"][0]["duplicate_field"] == "Hub_Id"
    wrong = zoho.write("POST", "Calls/upsert", keyed, duplicate_check_fields=["Subject"])
    assert wrong.json()["code"] == "INVALID_DATA"
    zoho.admin.settings(upsert_activities=False)
    assert zoho.write("POST", "Calls/upsert", CALL).json()["code"] == "NOT_SUPPORTED"
    assert zoho.write("POST", "Cases/upsert", CASE).status_code == 200


def test_deleting_a_parent_deletes_its_activities_and_not_its_cases(zoho: ZohoClient) -> None:
    person, firm = zoho.insert(Last_Name="王"), made(zoho, "Accounts", Account_Name="甲公司")
    case = made(zoho, "Cases", **CASE, Related_To={"id": person})
    calls = [made(zoho, "Calls", **CALL, Who_Id={"id": person}) for _ in range(3)]
    task = made(zoho, "Tasks", Subject="短信", What_Id={"id": case}, **{"$se_module": "Cases"})
    event = made(zoho, "Events", **EVENT, What_Id={"id": firm}, **{"$se_module": "Accounts"})
    zoho.call("DELETE", f"Contacts/{person}")
    gone = zoho.get("Calls/deleted").json()["data"]
    assert {each["id"] for each in gone} == set(calls)
    assert zoho.get("Tasks/deleted").status_code == zoho.get("Cases/deleted").status_code == 204
    zoho.call("DELETE", f"Cases/{case}")
    zoho.call("DELETE", f"Accounts/{firm}")
    assert [each["id"] for each in zoho.get("Tasks/deleted").json()["data"]] == [task]
    assert [each["id"] for each in zoho.get("Events/deleted").json()["data"]] == [event]


def test_restoring_a_parent_brings_its_activities_back_unless_switched(zoho: ZohoClient) -> None:
    person = zoho.insert(Last_Name="王")
    call = made(zoho, "Calls", **CALL, Who_Id={"id": person})
    zoho.call("DELETE", f"Contacts/{person}")
    zoho.admin.post("restore", {"object": "Contacts", "id": person})
    assert one(zoho, "Calls", call)["Who_Id"]["id"] == person
    zoho.admin.settings(restore_cascades=False)
    zoho.call("DELETE", f"Contacts/{person}")
    zoho.admin.post("restore", {"object": "Contacts", "id": person})
    assert zoho.get(f"Calls/{call}").status_code == 204


def test_a_merge_moves_what_was_linked_to_the_loser(zoho: ZohoClient) -> None:
    winner, loser = zoho.insert(Last_Name="王"), zoho.insert(Last_Name="汪")
    call = made(zoho, "Calls", **CALL, Who_Id={"id": loser})
    case = made(zoho, "Cases", **CASE, Related_To={"id": loser})
    zoho.admin.post("merge", {"object": "Contacts", "id": winner, "losers": [loser]})
    assert one(zoho, "Calls", call)["Who_Id"] == {"name": "王", "id": winner}
    assert one(zoho, "Cases", case)["Related_To"]["id"] == winner


def test_seeded_activities_link_to_seeded_people() -> None:
    world = generate(300, 5)
    made_up = invent_activities(world, 400, 120)
    with start_simulator("zoho_crm", records=300, seed=5, logs=400, complaints=120) as running:
        stored = {name: running.admin.records(name) for name in ("Calls", "Events", "Tasks", "Cases")}
        zoho = ZohoClient(running)
        next_number = one(zoho, "Cases", made(zoho, "Cases", **CASE))["Case_Number"]
    assert len(stored["Cases"]) == len(made_up.complaints_in("zoho_crm"))
    assert sum(len(stored[name]) for name in ("Calls", "Events", "Tasks")) == len(made_up.logs_in("zoho_crm"))
    assert next_number == "TS00000121"
    rows = {each["id"]: each for listed in stored.values() for each in listed}
    organizations = {person.person_id for person in world.people if person.kind == "organization"}
    for log in made_up.logs_in("zoho_crm"):
        shown = rows[activity_id("zoho_crm", log.log_id, 5)]
        customer = native_id("zoho_crm", log.person_id, 5)
        linked = shown["What_Id"] if log.person_id in organizations else shown["Who_Id"]
        assert linked["id"] == customer
        assert shown["Staff_No"] == log.staff_no
        if log.complaint:
            case = shown["Complaint_Id"] if log.person_id in organizations else shown["What_Id"]
            assert case["id"] == activity_id("zoho_crm", log.complaint, 5)
    for entry in made_up.complaints_in("zoho_crm"):
        shown = rows[activity_id("zoho_crm", entry.complaint_id, 5)]
        assert (shown["Case_Number"], shown["Subject"]) == (entry.complaint_no, entry.title)
    for call in stored["Calls"]:
        assert call["Call_Type"] == "Missed" or call["Call_Duration_in_seconds"] > 0
        assert call["Created_Time"] <= call["Modified_Time"]
