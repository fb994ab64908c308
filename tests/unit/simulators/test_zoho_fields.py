"""Fields and options are made through the API: the vendor's names, limits, refusals, and what a new field can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zoho_client import ZohoClient

from connectors.simulation.server import RunningSimulator, start_simulator

HUB_ID = {"field_label": "Hub Id", "data_type": "text", "length": 36, "unique": {"case_sensitive": False}}
COLOUR = {
    "field_label": "Colour",
    "data_type": "picklist",
    "pick_list_values": [{"display_value": "红", "actual_value": "red"}],
}


@pytest.fixture(scope="module")
def new_org() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm", settings={"custom_fields": False, "picklists": "new_cases"}) as running:
        yield running


@pytest.fixture
def zoho(new_org: RunningSimulator) -> ZohoClient:
    """An organisation as a newcomer has it, started over for each test."""
    new_org.admin.reset()
    return ZohoClient(new_org)


def make(zoho: ZohoClient, *fields: dict[str, Any], module: str = "Contacts") -> Any:
    return zoho.call("POST", "settings/fields", params={"module": module}, json={"fields": list(fields)})


def change(zoho: ZohoClient, *fields: dict[str, Any], module: str = "Contacts") -> Any:
    return zoho.call("PATCH", "settings/fields", params={"module": module}, json={"fields": list(fields)})


def described(zoho: ZohoClient, module: str = "Contacts", **params: str) -> dict[str, Any]:
    answer = zoho.get("settings/fields", module=module, **params)
    return {} if answer.status_code == 204 else {field["api_name"]: field for field in answer.json()["fields"]}


def refusal(answer: Any, row: int = 0) -> tuple[int, str, str | None]:
    error = answer.json()["fields"][row]
    return answer.status_code, error["code"], error["details"].get("api_name")


def test_a_new_org_has_standard_fields_only(zoho: ZohoClient) -> None:
    for module in ("Contacts", "Accounts", "Calls", "Events", "Tasks", "Cases"):
        assert not any(field["custom_field"] for field in described(zoho, module).values())
    options = {option["actual_value"] for option in described(zoho, "Cases")["Status"]["pick_list_values"]}
    assert options == {"-None-", "New", "On Hold", "Escalated", "Closed"}


def test_a_field_is_named_after_its_label_and_works_at_once(zoho: ZohoClient) -> None:
    before = zoho.insert()
    answer = make(zoho, HUB_ID)
    assert (answer.status_code, answer.json()["fields"][0]["code"]) == (201, "SUCCESS")
    field = described(zoho)["Hub_Id"]
    assert field["id"] == answer.json()["fields"][0]["details"]["id"]
    assert (field["data_type"], field["length"], field["custom_field"]) == ("text", 36, True)
    assert field["unique"] == {"case_sensitive": False}
    layout = zoho.get("settings/layouts", module="Contacts").json()["layouts"][0]
    assert "Hub_Id" in [one["api_name"] for one in layout["sections"][0]["fields"]]
    # Old records have it, empty; new ones hold it, it is found by it, and nobody else may have the value.
    assert zoho.get(f"Contacts/{before}").json()["data"][0]["Hub_Id"] is None
    held = zoho.insert(Hub_Id="h1")
    assert zoho.coql("select id from Contacts where Hub_Id = 'h1'").json()["data"] == [{"id": held}]
    twin = zoho.write("POST", "Contacts", {"Last_Name": "乙", "Hub_Id": "H1"})
    assert twin.json()["data"][0]["code"] == "DUPLICATE_DATA"
    zoho.write("PUT", "Contacts", {"id": before, "Hub_Id": "h2"})
    row = {"Last_Name": "丙", "Hub_Id": "h2"}
    upserted = zoho.write("POST", "Contacts/upsert", row, duplicate_check_fields=["Hub_Id"])
    assert upserted.json()["data"][0]["details"]["id"] == before
    too_long = zoho.write("POST", "Contacts", {"Last_Name": "丁", "Hub_Id": "x" * 37})
    assert too_long.json()["data"][0]["details"]["maximum_length"] == 36


def test_fields_of_every_form_hold_their_values(zoho: ZohoClient) -> None:
    assert make(
        zoho,
        {"field_label": "Said", "data_type": "textarea", "textarea": {"type": "small"}},
        {"field_label": "Score", "data_type": "integer", "length": 9},
        {"field_label": "Seen At", "data_type": "datetime"},
        {"field_label": "Parent Case", "data_type": "lookup",
         "lookup": {"module": {"api_name": "Cases"}, "display_label": "Contacts"}},
        COLOUR,
    ).status_code == 201  # fmt: skip
    case = zoho.write("POST", "Cases", {"Subject": "甲", "Status": "New", "Case_Origin": "Web"}).json()["data"][0]
    wanted = {"Said": "一", "Score": 4, "Seen_At": "2026-03-01T09:00:00+08:00", "Colour": "red"}
    made = zoho.insert(**wanted, Parent_Case={"id": case["details"]["id"]})
    row = zoho.get(f"Contacts/{made}").json()["data"][0]
    assert {name: row[name] for name in wanted} == wanted
    assert row["Parent_Case"]["name"] == "甲"
    blue = zoho.write("POST", "Contacts", {"Last_Name": "乙", "Colour": "blue"})
    assert blue.json()["data"][0]["code"] == "INVALID_DATA"
    assert zoho.write("POST", "Contacts", {"Last_Name": "乙", "Said": "一" * 2001}).status_code == 400


@pytest.mark.parametrize(
    ("field", "code", "part"),
    [
        ({"data_type": "text"}, "MANDATORY_NOT_FOUND", "field_label"),
        ({"field_label": "A"}, "MANDATORY_NOT_FOUND", "data_type"),
        ({"field_label": "A", "data_type": "texts"}, "INVALID_DATA", "data_type"),
        ({"field_label": "A" * 26, "data_type": "text"}, "INVALID_DATA", "field_label"),
        ({"field_label": "last name", "data_type": "text"}, "DUPLICATE_DATA", "field_label"),
        ({"field_label": "Last-Name", "data_type": "text"}, "DUPLICATE_DATA", "field_label"),
        ({"field_label": "Module", "data_type": "text"}, "RESERVED_KEYWORD_NOT_ALLOWED", "field_label"),
        ({"field_label": "A", "data_type": "text", "length": 256}, "DEPENDENT_MISMATCH", "length"),
        ({"field_label": "A", "data_type": "textarea"}, "DEPENDENT_FIELD_MISSING", "textarea"),
        ({"field_label": "A", "data_type": "picklist"}, "EXPECTED_DEPENDENT_FIELD_MISSING", None),
        ({"field_label": "A", "data_type": "lookup"}, "MANDATORY_NOT_FOUND", "lookup"),
        (HUB_ID | {"unique": {"case_sensitive": True}}, "INVALID_DATA", "case_sensitive"),
        ({"field_label": "A", "data_type": "date", "unique": {"case_sensitive": False}}, "NOT_ALLOWED", "unique"),
        ({"field_label": "A", "data_type": "text", "profiles": [{"id": "1"}]}, "INVALID_DATA", "profiles"),
        ({"field_label": "A", "data_type": "formula"}, "NOT_SUPPORTED", "data_type"),
        ({**COLOUR, "pick_list_values": COLOUR["pick_list_values"] * 2}, "DUPLICATE_DATA", "display_value"),
    ],
)
def test_what_is_wrong_with_a_field_is_named(
    zoho: ZohoClient, field: dict[str, Any], code: str, part: str | None
) -> None:
    before = described(zoho)
    assert refusal(make(zoho, field)) == (400, code, part)
    assert described(zoho) == before


def test_a_label_without_latin_letters_gets_a_numbered_name(zoho: ZohoClient) -> None:
    make(zoho, {"field_label": "统一编号", "data_type": "text"})
    assert described(zoho)["field1"]["field_label"] == "统一编号"


def test_a_call_makes_five_fields_at_most(zoho: ZohoClient) -> None:
    answer = make(zoho, *({"field_label": f"F{n}", "data_type": "text"} for n in range(6)))
    assert (answer.status_code, answer.json()["code"]) == (400, "LIMIT_EXCEEDED")


def test_one_refused_field_refuses_itself_or_its_call(zoho: ZohoClient) -> None:
    bad, good = {"field_label": "A", "data_type": "x"}, {"field_label": "B", "data_type": "text"}
    answer = make(zoho, bad, good)
    assert answer.status_code == 207
    assert [row["status"] for row in answer.json()["fields"]] == ["error", "success"]
    zoho.admin.settings(field_calls="whole")
    answer = make(zoho, {"field_label": "C", "data_type": "text"}, bad)
    assert (answer.status_code, len(answer.json()["fields"])) == (400, 1)
    assert {"A", "B", "C"} & described(zoho).keys() == {"B"}


def test_the_edition_limits_fields_and_unique_ones(zoho: ZohoClient) -> None:
    zoho.admin.settings(custom_fields_per_module=3)
    unique = [HUB_ID | {"field_label": f"U{n}"} for n in range(3)]
    answer = make(zoho, *unique, {"field_label": "A", "data_type": "text"}, {"field_label": "B", "data_type": "text"})
    assert [row["code"] for row in answer.json()["fields"]] == [
        "SUCCESS", "SUCCESS", "LIMIT_EXCEEDED", "SUCCESS", "LIMIT_EXCEEDED",
    ]  # fmt: skip
    assert [row["details"].get("limit") for row in answer.json()["fields"]] == [None, None, 2, None, 3]
    assert make(zoho, HUB_ID, module="Accounts").status_code == 201


@pytest.mark.parametrize(
    ("switch", "status", "code"),
    [("no_permission", 403, "NO_PERMISSION"), ("no_edition", 403, "FEATURE_NOT_SUPPORTED")],
)
def test_the_org_may_not_allow_it(zoho: ZohoClient, switch: str, status: int, code: str) -> None:
    zoho.admin.settings(field_creation=switch)
    answer = make(zoho, HUB_ID)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "Hub_Id" not in described(zoho)


def test_only_administrators_make_fields(new_org: RunningSimulator) -> None:
    new_org.admin.reset()
    clerk = ZohoClient(new_org, refresh_token="1000.simulated.refresh.second")
    assert make(clerk, HUB_ID).json()["code"] == "NO_PERMISSION"


def test_scopes_for_making_and_for_changing_are_apart() -> None:
    scopes = "ZohoCRM.settings.fields.READ,ZohoCRM.settings.fields.CREATE"
    with start_simulator("zoho_crm", settings={"custom_fields": False, "scopes": scopes}) as running:
        zoho = ZohoClient(running)
        assert make(zoho, HUB_ID).status_code == 201
        field = described(zoho)["Hub_Id"]
        refused = change(zoho, {"id": field["id"], "length": 40})
        assert (refused.status_code, refused.json()["code"]) == (401, "OAUTH_SCOPE_MISMATCH")


def test_a_new_field_may_take_a_while(zoho: ZohoClient) -> None:
    zoho.admin.settings(field_lag=60.0)
    assert make(zoho, HUB_ID).status_code == 201
    assert "Hub_Id" not in described(zoho)
    assert refusal(make(zoho, HUB_ID)) == (400, "DUPLICATE_DATA", "field_label")
    lost = zoho.insert(Hub_Id="early")
    zoho.admin.advance(61)
    assert "Hub_Id" in described(zoho)
    assert zoho.get(f"Contacts/{lost}").json()["data"][0]["Hub_Id"] is None


def test_options_are_added_and_the_others_stay_or_go(zoho: ZohoClient) -> None:
    status = described(zoho, "Cases")["Status"]
    added = {"display_value": "已登记", "actual_value": "已登记"}
    answer = change(zoho, {"id": status["id"], "pick_list_values": [added]}, module="Cases")
    assert (answer.status_code, answer.json()["fields"][0]["message"]) == (200, "field updated")
    listed = zoho.get(f"settings/fields/{status['id']}/pick_list_values", module="Cases").json()["pick_list_values"]
    assert [option["actual_value"] for option in listed] == [
        "-None-",
        "New",
        "On Hold",
        "Escalated",
        "Closed",
        "已登记",
    ]
    case = {"Subject": "甲", "Status": "已登记", "Case_Origin": "Web"}
    assert zoho.write("POST", "Cases", case).status_code == 201
    again = change(zoho, {"id": status["id"], "pick_list_values": [added]}, module="Cases")
    assert refusal(again) == (400, "DUPLICATE_DATA", "display_value")
    zoho.admin.settings(option_updates="replace")
    change(zoho, {"id": status["id"], "pick_list_values": [{"id": listed[1]["id"]}]}, module="Cases")
    kept = described(zoho, "Cases")["Status"]["pick_list_values"]
    assert [option["actual_value"] for option in kept] == ["-None-", "New"]


def test_the_vendors_own_fields_may_be_closed_and_their_labels_are(zoho: ZohoClient) -> None:
    status = described(zoho, "Cases")["Status"]["id"]
    assert refusal(change(zoho, {"id": status, "field_label": "状态"}, module="Cases"))[1] == "NOT_ALLOWED"
    zoho.admin.settings(standard_options=False)
    added = [{"display_value": "已登记", "actual_value": "已登记"}]
    assert refusal(change(zoho, {"id": status, "pick_list_values": added}, module="Cases"))[1] == "NOT_ALLOWED"


def test_a_field_with_twins_is_not_made_unique(zoho: ZohoClient) -> None:
    make(zoho, {"field_label": "Badge", "data_type": "text"})
    badge = described(zoho)["Badge"]["id"]
    one, two = zoho.insert(Badge="7"), zoho.insert(Badge="7")
    unique = {"id": badge, "unique": {"case_sensitive": False}}
    assert refusal(change(zoho, unique)) == (400, "DUPLICATE_DATA", "unique")
    zoho.write("PUT", "Contacts", {"id": two, "Badge": "8"})
    assert change(zoho, unique).status_code == 200
    clash = zoho.write("PUT", "Contacts", {"id": two, "Badge": "7"}).json()["data"][0]
    assert (clash["code"], clash["details"]["id"]) == ("DUPLICATE_DATA", one)


def test_who_may_see_a_field_is_described_and_ones_own_profile_may_lose_it(zoho: ZohoClient) -> None:
    profiles = described(zoho)["Last_Name"]["profiles"]
    own = zoho.get("users", type="CurrentUser").json()["users"][0]["profile"]["id"]
    others = [{"id": one["id"], "permission_type": "hidden"} for one in profiles if one["id"] != own]
    make(zoho, HUB_ID | {"profiles": [{"id": own, "permission_type": "read_write"}, *others]})
    seen = {one["id"]: one["permission_type"] for one in described(zoho)["Hub_Id"]["profiles"]}
    assert seen == {own: "read_write"} | {one["id"]: "hidden" for one in others}
    make(zoho, {"field_label": "Gone", "data_type": "text", "profiles": [{"id": own, "permission_type": "hidden"}]})
    assert "Gone" not in described(zoho)
    assert refusal(make(zoho, {"field_label": "Gone", "data_type": "text"}))[1] == "DUPLICATE_DATA"


def test_a_field_off_the_layout_is_described_among_the_unused_only(zoho: ZohoClient) -> None:
    make(zoho, HUB_ID)
    zoho.admin.post("use_field", {"object": "Contacts", "field": "Hub_Id", "used": False})
    assert "Hub_Id" not in described(zoho)
    assert list(described(zoho, type="unused")) == ["Hub_Id"]
    layout = zoho.get("settings/layouts", module="Contacts").json()["layouts"][0]
    assert "Hub_Id" not in [one["api_name"] for one in layout["sections"][0]["fields"]]
    assert refusal(make(zoho, HUB_ID))[1] == "DUPLICATE_DATA"
