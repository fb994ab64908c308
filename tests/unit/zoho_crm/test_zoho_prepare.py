"""Setting an organisation up: what is missing is listed, made, read back; what cannot be made is told by clicks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from conftest import Org
from zoho_lab import LabContext, simulator

from connectors.errors import RateLimited, SchemaDrift
from connectors.preparing import FieldNeed, Finding, Form, Prepare, State
from connectors.zoho_crm.connector import ZohoCrmConnector
from connectors.zoho_crm.fields import body_of, named_label

TEXTS = frozenset({"text", "textarea"})
KEY = FieldNeed("Hub_Id", Form.TEXT, "Hub id", "统一编号", 36, kinds=TEXTS, key=True)
TIER = FieldNeed(
    "Customer_Tier", Form.CHOICE, "Tier", "客户分层", options=("贵宾", "普通"), kinds=frozenset({"picklist"})
)
STATUS = FieldNeed(
    "Status", Form.CHOICE, "Status", "处理状态", options=("已登记", "已结案"), kinds=frozenset({"picklist"})
)
MANY = [FieldNeed(f"Note_{n}", Form.TEXT, f"Note {n}", f"备注 {n}", 40, kinds=TEXTS) for n in range(12)]
ADMINISTRATOR, STANDARD = "5843104000000026011", "5843104000000026014"


@pytest.fixture
def newcomer() -> Iterator[Org]:
    """Is an organisation without the hub id, its cases with the vendor's own statuses."""
    with simulator(custom_fields=False, picklists="new_cases") as url:
        made = Org(url)
        yield made
        made.context.http.close()


def states(findings: Sequence[Finding]) -> dict[str, State]:
    return {finding.field: finding.state for finding in findings}


def prepared(org: Org, object_: str = "Contacts", *needs: FieldNeed, **settings: Any) -> list[Finding]:
    return list(org.connect(**{"field_wait": 0.0, **settings}).prepare(object_, needs or (KEY,)))


def described(org: Org, object_: str = "Contacts") -> dict[str, Any]:
    return dict(org.zoho.describe(object_).fields)


def grant(**more: Any) -> dict[str, Any]:
    """Returns the settings of a token with these scopes beside those of the organisation's metadata."""
    scopes = ["ZohoCRM.settings.modules.READ", "ZohoCRM.settings.fields.READ", "ZohoCRM.users.READ"]
    return {"grant": "client_credentials", "org_id": "60001234567", "scopes": scopes} | more


def test_the_connector_offers_it(org: Org) -> None:
    assert isinstance(org.zoho, Prepare)


def test_a_survey_lists_in_order_and_makes_nothing(newcomer: Org) -> None:
    before = described(newcomer)
    found = newcomer.zoho.survey("Contacts", [KEY, *MANY[:1], TIER])
    assert [(f.field, f.state) for f in found] == [
        ("Hub_Id", State.MISSING),
        ("Note_0", State.MISSING),
        ("Customer_Tier", State.MISSING),
    ]
    assert described(newcomer) == before
    assert not [path for path in newcomer.admin.calls()["paths"] if path.startswith(("POST /crm", "PATCH"))]


def test_the_hub_id_is_made_unique_and_only_the_hub_sees_it(newcomer: Org) -> None:
    (found,) = prepared(newcomer)
    assert (found.state, found.steps) == (State.CREATED, ())
    field = described(newcomer)["Hub_Id"]
    assert (field.kind, field.length, field.unique, field.writable) == ("text", 36, True, True)
    entry = raw(newcomer, "Contacts")["Hub_Id"]
    assert {p["id"]: p["permission_type"] for p in entry["profiles"]} == {
        ADMINISTRATOR: "read_write",
        STANDARD: "hidden",
    }
    assert newcomer.zoho.capabilities("Contacts").external_key_unique


def raw(org: Org, object_: str) -> dict[str, Any]:
    """Returns the vendor's own description of a module's fields."""
    token = org.zoho._preparer._api.tokens.current().value
    answer = org.context.http.send(
        "GET",
        f"{org.url}/crm/v8/settings/fields",
        operation="look",
        read=True,
        headers={"Authorization": f"Zoho-oauthtoken {token}"},
        params={"module": object_},
    )
    return {entry["api_name"]: entry for entry in answer.json()["fields"]}


def test_without_hiding_it_says_how_to_hide(newcomer: Org) -> None:
    (found,) = prepared(newcomer, hide_hub_id=False)
    assert found.state is State.CREATED
    assert any("Don't show" in step.en and "不显示" in step.zh for step in found.steps)


def test_a_second_run_finds_nothing_to_do(newcomer: Org) -> None:
    needs = (KEY, TIER, *MANY)
    assert set(states(prepared(newcomer, "Contacts", *needs)).values()) == {State.CREATED}
    newcomer.admin.reset_calls()
    assert set(states(prepared(newcomer, "Contacts", *needs)).values()) == {State.READY}
    # One listing of modules and one of fields; nothing is sent.
    assert newcomer.admin.calls()["total"] == 2


def test_fields_go_five_to_a_call_and_the_hub_id_by_itself(newcomer: Org) -> None:
    newcomer.zoho.survey("Contacts", [KEY])
    newcomer.admin.reset_calls()
    prepared(newcomer, "Contacts", KEY, *MANY)
    # 1 for the hub id, then 12 fields: 5 + 5 + 2.
    assert newcomer.admin.calls()["paths"]["POST /crm/v8/settings/fields"] == 4


@pytest.mark.parametrize("way", ["each", "whole"])
def test_one_field_that_is_refused_does_not_keep_the_others(newcomer: Org, way: str) -> None:
    newcomer.admin.settings(field_calls=way)
    taken = FieldNeed("Last__Name", Form.TEXT, "x", "x", 40)
    clash = FieldNeed("Module", Form.TEXT, "Module", "模块", 40, kinds=TEXTS)
    found = prepared(newcomer, "Contacts", KEY, *MANY[:3], clash, taken, *MANY[3:5])
    told = states(found)
    assert told.pop("Module") is State.MANUAL
    assert told.pop("Last__Name") is State.MANUAL
    assert set(told.values()) == {State.CREATED}
    refused = next(f for f in found if f.field == "Module")
    assert "RESERVED_KEYWORD_NOT_ALLOWED" in refused.en
    assert refused.steps


def test_options_are_added_beside_those_that_are_there(newcomer: Org) -> None:
    for way in ("add", "replace"):
        newcomer.admin.settings(option_updates=way)
        more = FieldNeed(
            "Status", Form.CHOICE, "Status", "处理状态", options=(*STATUS.options, way), kinds=STATUS.kinds
        )
        (found,) = prepared(newcomer, "Cases", more)
        assert found.state is State.EXTENDED
    options = described(newcomer, "Cases")["Status"].options
    assert list(options) == ["New", "On Hold", "Escalated", "Closed", "已登记", "已结案", "add", "replace"]
    case = {"Subject": "甲", "Status": "已结案", "Case_Origin": "Web"}
    assert newcomer.admin.post("create", {"object": "Cases", "fields": case})["id"]


def test_an_option_among_the_unused_ones_is_told_to_a_person(newcomer: Org) -> None:
    row = {"code": "DUPLICATE_DATA", "status": "error", "message": "duplicate", "details": {
        "api_name": "display_value", "json_path": "$.fields[0].pick_list_values[4].display_value"}}  # fmt: skip
    newcomer.fault("PATCH", "settings/fields", "vendor_error", status=400, body={"fields": [row]})
    (found,) = prepared(newcomer, "Cases", STATUS)
    assert found.state is State.MANUAL
    assert "unused" in found.en
    assert "未使用" in found.zh


def test_options_that_the_api_may_not_add_are_told_to_a_person(newcomer: Org) -> None:
    newcomer.admin.settings(standard_options=False)
    (found,) = prepared(newcomer, "Cases", STATUS)
    assert (found.state, found.options) == (State.MANUAL, ("已登记", "已结案"))
    assert "NOT_ALLOWED" in found.en
    assert any("已登记 · 已结案" in step.en and "已登记 · 已结案" in step.zh for step in found.steps)


@pytest.mark.parametrize(
    ("switches", "says"),
    [
        ({"field_creation": "no_permission"}, "NO_PERMISSION"),
        ({"field_creation": "no_edition"}, "FEATURE_NOT_SUPPORTED"),
        ({"custom_fields_per_module": 0}, "Enterprise 300"),
        ({"unique_fields_per_module": 0}, "two unique ones"),
    ],
)
def test_what_the_org_does_not_allow_is_told_click_by_click(newcomer: Org, switches: dict[str, Any], says: str) -> None:
    newcomer.admin.settings(**switches)
    (found,) = prepared(newcomer)
    assert found.state is State.MANUAL
    assert says in found.en
    english, chinese = " ".join(s.en for s in found.steps), " ".join(s.zh for s in found.steps)
    for word in ("Modules and Fields", "Contacts", "Single Line", "Hub Id", "36", "duplicate values", "Hub_Id"):
        assert word in english, word
    for word in ("模块和字段", "Contacts", "单行文本", "Hub Id", "36", "不允许重复值", "Hub_Id"):
        assert word in chinese, word
    assert "Hub_Id" not in described(newcomer)


def test_a_missing_scope_is_known_before_anything_is_sent(newcomer: Org) -> None:
    hub = newcomer.connect(LabContext(), **grant())
    found = hub.survey("Contacts", [KEY, TIER]) + hub.survey("Cases", [STATUS])
    assert set(states(found).values()) == {State.MANUAL}
    assert "ZohoCRM.settings.fields.CREATE" in found[0].en
    assert "ZohoCRM.settings.fields.UPDATE" in found[-1].en
    assert all(f.steps for f in found)


def test_a_missing_module_comes_with_instructions(newcomer: Org) -> None:
    (found,) = newcomer.connect(objects=["Complaints"]).prepare("Complaints", [KEY])
    assert (found.field, found.state) == ("", State.MANUAL)
    assert any("Create New Module" in step.en and "新建模块" in step.zh for step in found.steps)
    with pytest.raises(SchemaDrift):
        newcomer.connect(objects=["Contacts"]).prepare("Complaints", [KEY])


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ({"data_type": "integer"}, "integer"),
        ({"data_type": "text", "length": 36}, "not unique"),
        ({"data_type": "text", "length": 20, "unique": {"case_sensitive": False}}, "20 characters"),
    ],
)
def test_a_field_of_the_same_name_that_does_not_serve_is_an_error_and_stays(
    newcomer: Org, field: dict[str, Any], says: str
) -> None:
    make(newcomer, {"field_label": "Hub Id", **field})
    before = raw(newcomer, "Contacts")
    (found,) = prepared(newcomer)
    assert found.state is State.WRONG
    assert says in found.en
    assert found.zh
    assert found.steps
    assert raw(newcomer, "Contacts") == before


def make(org: Org, *fields: dict[str, Any], module: str = "Contacts") -> None:
    token = org.zoho._preparer._api.tokens.current().value
    answer = org.context.http.send(
        "POST",
        f"{org.url}/crm/v8/settings/fields",
        operation="make",
        read=False,
        headers={"Authorization": f"Zoho-oauthtoken {token}"},
        params={"module": module},
        json={"fields": list(fields)},
    )
    assert answer.status == 201, answer.body


def test_a_field_of_another_type_or_target_is_an_error(newcomer: Org) -> None:
    lookup = {"module": {"api_name": "Accounts"}, "display_label": "Calls"}
    make(
        newcomer,
        {"field_label": "Planned At", "data_type": "date"},
        {"field_label": "Complaint Id", "data_type": "lookup", "lookup": lookup},
        module="Calls",
    )
    planned = FieldNeed("Planned_At", Form.INSTANT, "x", "x", kinds=frozenset({"datetime"}))
    link = FieldNeed("Complaint_Id", Form.LINK, "x", "x", target="Cases", kinds=frozenset({"lookup"}))
    found = newcomer.zoho.survey("Calls", [planned, link])
    assert set(states(found).values()) == {State.WRONG}
    assert "date" in found[0].en
    assert "Accounts, not Cases" in found[1].en


def test_a_field_among_the_unused_ones_is_found_there(newcomer: Org) -> None:
    prepared(newcomer)
    newcomer.admin.post("use_field", {"object": "Contacts", "field": "Hub_Id", "used": False})
    (found,) = prepared(newcomer)
    assert found.state is State.WRONG
    assert "unused" in found.en
    assert any("Unused Fields into the layout" in step.en for step in found.steps)


def test_a_field_that_is_not_usable_yet_waits_and_is_waited_for(newcomer: Org) -> None:
    newcomer.admin.settings(field_lag=20.0)
    (found,) = prepared(newcomer)
    assert found.state is State.WAITING
    assert "run the command again" in found.en
    # It is there for the vendor, which refuses a second one; a later run finds it.
    newcomer.admin.advance(21)
    (found,) = prepared(newcomer)
    assert found.state is State.READY


@pytest.mark.parametrize("action", ["reset_after_commit", "http_502_html", "truncated_json"])
def test_a_lost_answer_is_settled_by_looking(newcomer: Org, action: str) -> None:
    fault = {"match": {"method": "POST", "path_regex": "settings/fields"}, "action": action, "times": 1}
    newcomer.admin.faults([fault | ({"after_commit": True} if action == "http_502_html" else {})])
    found = prepared(newcomer, "Contacts", KEY, *MANY[:2])
    # The hub id was made although nobody said so; what was not asked for any more comes with the next run.
    assert states(found) == {"Hub_Id": State.CREATED, "Note_0": State.WAITING, "Note_1": State.WAITING}
    again = prepared(newcomer, "Contacts", KEY, *MANY[:2])
    assert states(again) == {"Hub_Id": State.READY, "Note_0": State.CREATED, "Note_1": State.CREATED}


def test_a_write_that_never_arrived_is_made_by_the_next_run(newcomer: Org) -> None:
    newcomer.fault("POST", "settings/fields", "reset_before_commit")
    assert states(prepared(newcomer)) == {"Hub_Id": State.WAITING}
    assert states(prepared(newcomer)) == {"Hub_Id": State.CREATED}


def test_throttling_is_raised_and_the_next_run_goes_on(newcomer: Org) -> None:
    # The third call for fields: 1 for the hub id, 5 of the others were made.
    rule = {"match": {"method": "POST", "path_regex": "settings/fields"}, "action": "http_429", "nth": 3}
    newcomer.admin.faults([rule])
    with pytest.raises(RateLimited):
        prepared(newcomer, "Contacts", KEY, *MANY, throttle_patience=0)
    assert sum(name.startswith("Note_") for name in described(newcomer)) == 5
    told = Counter(states(prepared(newcomer, "Contacts", KEY, *MANY)).values())
    assert told == {State.READY: 6, State.CREATED: 7}


def test_a_name_that_no_label_gives_is_left_to_a_person(newcomer: Org) -> None:
    odd = FieldNeed("hub__id", Form.TEXT, "x", "x", 36, kinds=TEXTS, key=True)
    long = FieldNeed("A" * 26, Form.TEXT, "x", "x", 36)
    found = newcomer.zoho.survey("Contacts", [odd, long])
    assert set(states(found).values()) == {State.MANUAL}
    assert any("hub__id" in step.en for step in found[0].steps)


def test_an_unknown_profile_does_not_keep_the_hub_id_from_being_made(newcomer: Org) -> None:
    body = {"fields": [{"code": "INVALID_DATA", "status": "error", "message": "invalid", "details": {
        "api_name": "profiles", "json_path": "$.fields[0].profiles"}}]}  # fmt: skip
    newcomer.fault("POST", "settings/fields", "vendor_error", status=400, body=body)
    (found,) = prepared(newcomer)
    assert found.state is State.CREATED
    assert found.steps


@pytest.mark.parametrize(
    ("form", "more", "body"),
    [
        (Form.TEXT, {"length": 300}, {"data_type": "text", "length": 255}),
        (Form.LONG_TEXT, {"length": 500}, {"data_type": "textarea", "textarea": {"type": "small"}}),
        (Form.LONG_TEXT, {}, {"data_type": "textarea", "textarea": {"type": "large"}}),
        (Form.DECIMAL, {}, {"data_type": "double", "length": 16, "decimal_place": 2}),
        (Form.CHOICE, {"options": ("甲",)},
         {"data_type": "picklist", "pick_list_values": [{"display_value": "甲", "actual_value": "甲"}]}),
        (Form.LINK, {"target": "Cases"},
         {"data_type": "lookup", "lookup": {"module": {"api_name": "Cases"}, "display_label": "Calls Planned At"}}),
    ],
)  # fmt: skip
def test_every_form_has_its_vendor_type(form: Form, more: dict[str, Any], body: dict[str, Any]) -> None:
    need = FieldNeed("Planned_At", form, "x", "x", **more)
    assert body_of("Calls", need) == {"field_label": "Planned At", **body}


@pytest.mark.parametrize(
    ("name", "label"), [("Hub_Id", "Hub Id"), ("Note_0", "Note 0"), ("a__b", None), ("9a", None), ("a_", None)]
)
def test_the_label_is_that_of_which_the_vendor_makes_the_name(name: str, label: str | None) -> None:
    assert named_label(name) == label


def test_every_form_can_be_made_in_the_simulator(newcomer: Org) -> None:
    forms: list[FieldNeed] = [
        FieldNeed(
            f"Made_{form.value}", form, "x", "x", options=("甲",) if form is Form.CHOICE else (),
            target="Accounts" if form is Form.LINK else None,
        )
        for form in Form if form is not Form.OTHER
    ]  # fmt: skip
    assert set(states(prepared(newcomer, "Contacts", *forms)).values()) == {State.CREATED}
    assert len(forms) == len(Form) - 1


def test_the_needs_of_an_org_that_has_everything_are_ready(org: Org) -> None:
    hub: ZohoCrmConnector = org.zoho
    assert set(states(hub.survey("Contacts", [KEY, TIER])).values()) == {State.READY}
