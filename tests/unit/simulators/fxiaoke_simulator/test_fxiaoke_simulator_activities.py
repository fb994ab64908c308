"""销售记录 and 投诉 in the Fxiaoke simulator: links, times, numbers, follow-ups and what tenants switch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fxiaoke_client import CUSTOM, DATA, QUIET, Client, describe
from ruamel.yaml import YAML

from connectors.fxiaoke.simulator.activity_seeding import seed_activities
from connectors.fxiaoke.simulator.app import build_backend
from connectors.fxiaoke.simulator.objects import build_objects
from connectors.fxiaoke.simulator.schema import COMPUTED_TYPES
from connectors.fxiaoke.simulator.settings import Settings
from connectors.fxiaoke.simulator.tenant import Tenant
from connectors.simulation.activities import activity_id, invent_activities
from connectors.simulation.clock import SimClock
from connectors.simulation.people import generate, native_id
from connectors.simulation.server import SimulatorOptions

LOG, COMPLAINT = "ActiveRecordObj", "complaint__c"
MAPPINGS = Path(__file__).resolve().parents[4] / "mappings" / "fxiaoke"


def call(api: Client, operation: str, object: str, **inner: Any) -> dict[str, Any]:
    path = CUSTOM if object.endswith("__c") else DATA
    return api.operate(operation, {"dataObjectApiName": object, **inner}, path=path)


def write(api: Client, operation: str, object: str, top: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    path = CUSTOM if object.endswith("__c") else DATA
    sent = {"dataObjectApiName": object, **fields}
    return api.post(path + operation, {**QUIET, **(top or {}), "data": {"object_data": sent}})


def made(api: Client, object: str, top: dict[str, Any] | None = None, **fields: Any) -> str:
    answer = write(api, "create", object, top, **{"owner": ["1001"], **fields})
    assert answer["errorCode"] == 0, answer
    return str(answer["dataId"])


def got(api: Client, object: str, record_id: str) -> dict[str, Any]:
    answer = call(api, "get", object, objectDataId=record_id)
    assert answer["errorCode"] == 0, answer
    found: dict[str, Any] = answer["data"]
    return found


def entry(object: str, record_id: str) -> dict[str, str]:
    return {"describe_api_name": object, "id": record_id}


def test_lookup_and_list_mirror_each_other(api: Client) -> None:
    first, second = api.made(name="甲"), api.made(name="乙")
    seen = got(api, LOG, made(api, LOG, account_id=first))
    assert seen["related_object_data"] == [{**entry("AccountObj", first), "name": "甲"}]
    assert (seen["related_api_names"], seen["account_id__r"]) == (["AccountObj"], "甲")
    complaint = made(api, COMPLAINT, name="WT-1")
    log = made(api, LOG, related_object_data=[entry(COMPLAINT, complaint), entry("AccountObj", second)])
    seen = got(api, LOG, log)
    assert (seen["account_id"], seen["related_api_names"]) == (second, [COMPLAINT, "AccountObj"])
    assert write(api, "update", LOG, _id=log, account_id=first)["errorCode"] == 0
    seen = got(api, LOG, log)
    assert [item["id"] for item in seen["related_object_data"]] == [first, complaint]
    write(api, "update", LOG, _id=log, account_id=None)
    seen = got(api, LOG, log)
    assert ("account_id" in seen, seen["related_api_names"]) == (False, [COMPLAINT])
    assert write(api, "update", LOG, _id=log, related_object_data=[])["errorCode"] == 0
    assert "related_object_data" not in got(api, LOG, log)


def test_the_name_in_a_link_follows_its_record(api: Client) -> None:
    customer = api.made(name="旧名")
    log = made(api, LOG, account_id=customer)
    api.update(customer, name="新名")
    seen = got(api, LOG, log)
    assert (seen["related_object_data"][0]["name"], seen["version"]) == ("新名", "1")


def test_links_need_not_mirror_and_the_lookup_need_not_exist(api: Client) -> None:
    customer = api.made()
    api.admin.settings(log_links_mirrored=False)
    seen = got(api, LOG, made(api, LOG, account_id=customer))
    assert (seen["account_id"], "related_object_data" in seen) == (customer, False)
    api.admin.settings(log_links_mirrored=True, log_account_lookup=False)
    assert describe(api, LOG)["account_id"]["is_active"] is False
    seen = got(api, LOG, made(api, LOG, account_id=customer, active_record_content="无关联"))
    assert {"account_id", "related_object_data"}.isdisjoint(seen)
    seen = got(api, LOG, made(api, LOG, related_object_data=[entry("AccountObj", customer)]))
    assert ("account_id" in seen, seen["related_api_names"]) == (False, ["AccountObj"])
    api.admin.settings(log_related_described=False)
    assert "related_object_data" not in describe(api, LOG)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"account_id": "0" * 24}, "关联关系不存在-201112011"),
        ({"related_object_data": [entry("AccountObj", "0" * 24)]}, "关联关系不存在-201112011"),
        ({"related_object_data": [entry("NoSuchObj", "0" * 24)]}, "关联关系不存在-201112011"),
        ({"related_object_data": "x"}, "java.lang.ClassCastException"),
        ({"related_object_data": ["x"]}, "java.lang.ClassCastException"),
        ({"related_object_data": [{"id": "x"}]}, "java.lang.NullPointerException"),
        ({"interactive_types": "option1"}, "选项"),
        ({"duration_seconds__c": "long"}, "数字"),
        ({"subject__c": "长" * 201}, "长度"),
        ({"owner": []}, "必填"),
    ],
)
def test_a_log_that_breaks_a_rule_is_refused(api: Client, fields: dict[str, Any], part: str) -> None:
    customer = api.made()
    answer = write(api, "create", LOG, **{"owner": ["1001"], **fields})
    assert answer["errorCode"] != 0
    assert part in answer["errorMessage"]
    assert api.admin.records(LOG) == []
    assert api.get(customer)["version"] == "1"


def test_a_log_numbers_itself_and_takes_its_time_only_with_the_flag(api: Client) -> None:
    customer, at = api.made(), 1_500_000_000_000
    plain = got(api, LOG, made(api, LOG, account_id=customer, create_time=at, name="自定"))
    assert plain["create_time"] != at
    assert plain["name"].startswith("R0")
    dated = got(api, LOG, made(api, LOG, {"hasSpecifyTime": True}, account_id=customer, create_time=at))
    assert (dated["create_time"], dated["name"] > plain["name"]) == (at, True)
    assert dated["last_modified_time"] > at
    write(api, "update", LOG, {"hasSpecifyTime": True}, _id=dated["_id"], create_time=at + 1)
    assert got(api, LOG, dated["_id"])["create_time"] == at


def test_a_new_log_follows_its_customers_up(api: Client) -> None:
    customer, other = api.made(name="甲"), api.made(name="乙")
    before = api.get(customer)
    api.admin.advance(60)
    log = made(api, LOG, account_id=customer)
    after = api.get(customer)
    assert (after["version"], after["last_followed_time"]) == ("2", after["last_modified_time"])
    assert after["last_modified_time"] >= before["last_modified_time"] + 60_000
    assert api.names(("last_modified_time", "GTE", [after["last_modified_time"]])) == {"甲"}
    write(api, "update", LOG, _id=log, active_record_content="改")
    assert api.get(customer)["version"] == "2"
    made(api, LOG, related_object_data=[entry("AccountObj", customer), entry("AccountObj", other)])
    assert (api.get(customer)["version"], api.get(other)["version"]) == ("3", "2")
    api.admin.settings(log_touches_customer=False)
    made(api, LOG, account_id=customer)
    assert api.get(customer)["version"] == "3"


def test_a_tenant_may_close_its_logs(api: Client) -> None:
    log = made(api, LOG, account_id=api.made())
    api.admin.settings(log_edit="window", log_edit_window_seconds=60)
    assert write(api, "update", LOG, _id=log, active_record_content="一")["errorCode"] == 0
    api.admin.advance(61)
    assert "权限" in write(api, "update", LOG, _id=log, active_record_content="二")["errorMessage"]
    api.admin.settings(log_edit="refused", log_invalid_allowed=False, log_owner_changeable=False)
    assert write(api, "update", LOG, _id=log, active_record_content="三")["errorCode"] != 0
    assert "权限" in call(api, "invalid", LOG, object_data_id=log)["errorMessage"]
    change = [{"objectDataId": log, "ownerId": ["1002"]}]
    assert "权限" in call(api, "changeOwner", LOG, Data=change)["errorMessage"]
    api.admin.settings(log_edit="allowed", log_invalid_allowed=True, log_owner_changeable=True)
    assert write(api, "update", LOG, _id=log, active_record_content="四")["errorCode"] == 0
    assert call(api, "changeOwner", LOG, Data=change)["errorCode"] == 0
    assert call(api, "invalid", LOG, object_data_id=log)["errorCode"] == 0
    assert call(api, "recover", LOG, idList=[log])["errorCode"] == 0
    assert got(api, LOG, log)["owner"] == ["1002"]


def test_the_objects_answer_on_their_own_paths_only(api: Client) -> None:
    for name, path in ((LOG, CUSTOM), (COMPLAINT, DATA)):
        sent = {"dataObjectApiName": name, "name": "x", "owner": ["1001"]}
        assert api.post(path + "create", {**QUIET, "data": {"object_data": sent}})["errorCode"] != 0
    listed = {item["describeApiName"]: item for item in api.post("/cgi/crm/v2/object/list", {})["data"]["objects"]}
    assert (listed[LOG]["defineType"], listed[COMPLAINT]["defineType"]) == ("package", "custom")


def test_a_list_of_links_is_no_filter(api: Client) -> None:
    customer = api.made()
    log = made(api, LOG, account_id=customer)

    def search(*condition: Any) -> dict[str, Any]:
        named = dict(zip(("field_name", "operator", "field_values"), condition, strict=True))
        return call(api, "query", LOG, search_query_info={"limit": 100, "filters": [named]})

    assert [row["_id"] for row in search("account_id", "EQ", [customer])["data"]["dataList"]] == [log]
    assert search("related_object_data", "EQ", [customer])["errorCode"] == 10006


def test_a_complaint_needs_a_unique_name_and_may_not_be_named_in_the_answer(api: Client) -> None:
    assert "必填" in write(api, "create", COMPLAINT, owner=["1001"])["errorMessage"]
    made(api, COMPLAINT, name="TS-1")
    assert "重复" in write(api, "create", COMPLAINT, owner=["1001"], name="TS-1")["errorMessage"]
    repeated = made(api, COMPLAINT, name="TS-2", repeat_of__c=made(api, COMPLAINT, name="TS-3"))
    assert got(api, COMPLAINT, repeated)["repeat_of__c__r"] == "TS-3"
    api.admin.settings(custom_create_returns_id=False)
    answer = write(api, "create", COMPLAINT, owner=["1001"], name="TS-4")
    assert (answer["errorCode"], "dataId" in answer) == (0, False)
    assert "dataId" in api.create()


def test_a_new_complaint_waits_for_its_approval_unless_told_otherwise(api: Client) -> None:
    loud = got(api, COMPLAINT, made(api, COMPLAINT, {"triggerApprovalFlow": True}, name="TS-5"))
    quiet = got(api, COMPLAINT, made(api, COMPLAINT, name="TS-6"))
    assert (loud["life_status"], quiet["life_status"]) == ("under_review", "normal")


@pytest.mark.parametrize("stage", ["invalid", "delete"])
def test_deleting_a_target_empties_its_lookups(api: Client, stage: str) -> None:
    api.admin.settings(target_delete_stage=stage)
    customer = api.made()
    complaint, log = made(api, COMPLAINT, name="TS-7", account_id=customer), made(api, LOG, account_id=customer)
    assert api.operate("invalid", {"object_data_id": customer})["errorCode"] == 0
    assert ("account_id" in got(api, COMPLAINT, complaint)) is (stage == "delete")
    assert api.operate("delete", {"idList": [customer]})["errorCode"] == 0
    for name, record_id in ((COMPLAINT, complaint), (LOG, log)):
        seen = got(api, name, record_id)
        assert {"account_id", "related_object_data"}.isdisjoint(seen)
        assert seen["version"] == "2"


@pytest.mark.parametrize(("stage", "operation"), [("invalid", "作废"), ("delete", "删除")])
def test_a_lookup_may_forbid_to_delete_its_target(api: Client, stage: str, operation: str) -> None:
    api.admin.settings(target_delete_stage=stage)
    place = {"object": COMPLAINT, "field": "account_id"}
    api.admin.post("schema", {**place, "changes": {"on_target_delete": "do_not_allow"}})
    try:
        assert describe(api, COMPLAINT)["account_id"]["action_on_target_delete"] == "do_not_allow"
        customer = api.made()
        complaint = made(api, COMPLAINT, name="TS-8", account_id=customer)
        answers = [api.operate("invalid", {"object_data_id": customer}), api.operate("delete", {"idList": [customer]})]
        refused = answers[0] if stage == "invalid" else answers[1]
        assert (refused["errorCode"] != 0, operation in refused["errorMessage"]) == (True, True)
        assert "关联" in refused["errorMessage"]
        call(api, "invalid", COMPLAINT, object_data_id=complaint)
        again = {"object_data_id": customer, "idList": [customer]}
        assert api.operate(stage, again)["errorCode"] == 0
    finally:
        api.admin.post("schema", {**place, "changes": {"on_target_delete": "set_null"}})


def test_a_merge_moves_logs_and_complaints_to_the_survivor(api: Client) -> None:
    loser, survivor = api.made(name="甲"), api.made(name="乙", parent_account_id=api.made(name="总部"))
    log, complaint = made(api, LOG, account_id=loser), made(api, COMPLAINT, name="TS-9", account_id=loser)
    api.admin.post("merge", {"id": survivor, "losers": [loser]})
    seen = got(api, LOG, log)
    assert (seen["account_id"], seen["related_object_data"][0]["id"]) == (survivor, survivor)
    assert got(api, COMPLAINT, complaint)["account_id"] == survivor


@pytest.mark.parametrize(("name", "entity"), [(LOG, "contact_log"), (COMPLAINT, "complaint")])
@pytest.mark.parametrize("chosen", ["core", "full"])
def test_the_tenant_has_every_field_and_option_of_the_shipped_mappings(name: str, entity: str, chosen: str) -> None:
    mapping = YAML(typ="safe", pure=True).load(MAPPINGS / f"{entity}.{chosen}.yaml")
    fields = build_objects()[name].fields
    assert mapping["hub_id_field"] in fields
    for pair in mapping["routes"][0]["fields"]:
        natives = [pair["native"]] if isinstance(pair["native"], str) else pair["native"]
        assert set(natives) <= fields.keys()
        assert fields[natives[0]].type not in COMPUTED_TYPES
        if pair["lens"] == "enum":
            assert [choice.value for choice in fields[natives[0]].choices] == list(pair["values"].values())


def test_seeded_logs_and_complaints_are_those_that_live_here() -> None:
    tenant = Tenant(SimClock(), Settings())
    world = generate(300, 7)
    counted = seed_activities(tenant, world, 400, 120)
    activities = invent_activities(world, 400, 120)
    logs, complaints = activities.logs_in("fxiaoke"), activities.complaints_in("fxiaoke")
    assert counted == (len(logs), len(complaints))
    for entry_ in complaints:
        row = tenant.tables[COMPLAINT].get(activity_id("fxiaoke", entry_.complaint_id, 7))
        assert row is not None
        assert (row["name"], row["account_id"]) == (entry_.complaint_no, native_id("fxiaoke", entry_.person_id, 7))
        assert row["last_modified_time"] >= row["create_time"]
    for log in logs:
        row = tenant.tables[LOG].get(activity_id("fxiaoke", log.log_id, 7))
        assert row is not None
        assert row["account_id"] == native_id("fxiaoke", log.person_id, 7)
        about = activity_id("fxiaoke", log.complaint, 7) if log.complaint else None
        assert [item["id"] for item in row["related_object_data"]] == [row["account_id"], *([about] if about else [])]
    assert any("contact_time__c" not in row for row in tenant.tables[LOG].all())


def test_seeded_records_pass_the_simulators_own_checks() -> None:
    backend = build_backend(SimulatorOptions(records=120, logs=150, complaints=60, seed=3))
    tenant = backend.tenant
    checks = tenant.checks()
    for name in (LOG, COMPLAINT):
        rows = tenant.tables[name].all()
        assert rows
        for row in rows:
            for field, found in tenant.objects[name].fields.items():
                if field in row and not found.computed and field not in ("owner", "data_own_department"):
                    assert checks.store(found, row[field], str) == row[field], field
