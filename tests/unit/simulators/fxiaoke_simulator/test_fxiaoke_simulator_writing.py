"""create, update, changeOwner, invalid, recover and delete of the Fxiaoke simulator, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from fxiaoke_client import CUSTOM, DATA, QUIET, Client, describe


def test_approval_is_on_by_default_and_locks_the_record(api: Client) -> None:
    record_id = api.made(flags={})
    seen = api.get(record_id)
    assert (seen["life_status"], seen["lock_status"]) == ("under_review", "1")
    answer = api.update(record_id, remark="x")
    assert (answer["errorCode"], answer["errorMessage"]) == (50009, "不能进行[编辑]操作，以下这些数据已被锁定。")
    api.admin.post("approve", {"id": record_id})
    assert api.update(record_id, remark="x")["errorCode"] == 0
    api.update(record_id, flags={}, remark="y")
    pending = api.get(record_id)
    assert (pending["remark"], pending["life_status"], pending["lock_status"]) == ("x", "in_change", "1")
    api.admin.post("approve", {"id": record_id})
    assert api.get(record_id)["remark"] == "y"
    api.update(record_id, flags={}, remark="z")
    api.admin.post("approve", {"id": record_id, "agreed": False})
    assert api.get(record_id)["remark"] == "y"
    api.admin.settings(approval_objects=[])
    assert api.get(api.made(flags={}))["life_status"] == "normal"


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"name": None}, "必填"),
        ({"name": "长" * 256}, "长度"),
        ({"account_level": "9"}, "选项"),
        ({"behavior_tags__c": ["tag99"]}, "选项"),
        ({"province": "2101"}, "选项"),
        ({"province": "203", "city": "2101"}, "上级选项"),
        ({"industry_level1": "5", "industry_level2": "313"}, "上级选项"),
        ({"parent_account_id": "0" * 24}, "关联关系不存在-201112011"),
        ({"data_own_department": ["9"]}, "部门不存在"),
        ({"owner": []}, "必填"),
        ({"owner": ["1007"]}, "停用"),
        ({"owner": "1001"}, "java.lang.ClassCastException"),
        ({"account_level": 2}, "java.lang.ClassCastException"),
        ({"satisfaction_score__c": "five"}, "数字"),
        ({"email": "nobody"}, "格式"),
        ({"spot__c": "116.3,39.9"}, "格式"),
        ({"spot__c": 116.3}, "java.lang.ClassCastException"),
    ],
)
def test_create_checks_values_and_writes_nothing(api: Client, fields: dict[str, Any], part: str) -> None:
    place = {"field": "spot__c", "changes": {"label": "定位", "type": "location"}}
    api.admin.post("schema", place)
    answer = api.create(**fields)
    assert answer["errorCode"] != 0
    assert part in answer["errorMessage"]
    assert "dataId" not in answer
    assert api.admin.records("AccountObj") == []


def test_the_hub_id_is_unique_even_against_invalid_records(api: Client) -> None:
    first = api.made(hub_id__c="h-1")
    assert "重复" in api.create(hub_id__c="h-1")["errorMessage"]
    other = api.made(hub_id__c="h-2")
    assert "重复" in api.update(other, hub_id__c="h-1")["errorMessage"]
    assert api.update(first, hub_id__c="h-1")["errorCode"] == 0
    api.operate("invalid", {"object_data_id": first})
    assert api.create(hub_id__c="h-1")["errorCode"] != 0
    api.admin.settings(unique_counts_invalid=False)
    assert api.create(hub_id__c="h-1")["errorCode"] == 0


def test_duplicate_search_refuses_a_namesake_when_asked_for(api: Client) -> None:
    api.made(name="张伟")
    refused = api.create(name="张伟", options={"isDuplicateSearch": True})
    assert refused["errorCode"] != 0
    assert "重复" in refused["errorMessage"]
    assert api.create(name="张伟", options={"isDuplicateSearch": False})["errorCode"] == 0
    api.admin.settings(duplicate_check_default=True)
    assert api.create(name="张伟")["errorCode"] != 0
    api.admin.settings(duplicate_fields=["name", "tel"])
    assert api.create(name="张伟", tel="13900000000")["errorCode"] == 0


def test_validation_rules_and_automations(api: Client) -> None:
    refuse = {"field": "remark", "values": ["禁"], "refuse": "备注不允许"}
    rewrite = {"field": "account_level", "values": ["1"], "set": {"account_source": "2"}}
    api.admin.post("rules", {"rules": [refuse, rewrite]})
    assert "备注不允许" in api.create(remark="禁")["errorMessage"]
    assert api.create(remark="禁", options={"useValidationRule": False})["errorCode"] == 0
    assert "account_source" not in api.get(api.made(account_level="1"))
    rewritten = api.get(api.made(flags={"triggerApprovalFlow": False}, account_level="1"))
    assert (rewritten["account_source"], rewritten["version"]) == ("2", "2")
    assert rewritten["last_modified_by"] == ["-10000"]


def test_specified_time_and_creator_need_their_flags(api: Client) -> None:
    given = {"create_time": 1_500_000_000_000, "created_by": ["1002"]}
    ignored = api.get(api.made(**given))
    assert ignored["create_time"] != 1_500_000_000_000
    assert ignored["created_by"] == ["1000"]
    honoured = api.get(api.made(flags={**QUIET, "hasSpecifyTime": True, "hasSpecifyCreatedBy": True}, **given))
    assert (honoured["create_time"], honoured["created_by"]) == (1_500_000_000_000, ["1002"])


def test_unknown_and_read_only_fields_are_dropped_or_refused_by_switch(api: Client) -> None:
    seen = api.get(api.made(nowhere__c="x", account_no="A1", life_status="invalid"))
    assert "nowhere__c" not in seen
    assert seen["life_status"] == "normal"
    assert seen["account_no"] != "A1"
    api.admin.settings(unknown_fields="reject")
    assert "nowhere__c" in api.create(nowhere__c="x")["errorMessage"]
    api.admin.settings(readonly_fields="reject")
    assert "account_no" in api.create(account_no="A1")["errorMessage"]


def test_contacts_look_up_their_customer(api: Client) -> None:
    customer = api.made(name="甲公司")
    sent = {"dataObjectApiName": "ContactObj", "name": "李四", "owner": ["1001"], "account_id": customer}
    answer = api.post(DATA + "create", {**QUIET, "data": {"object_data": sent, "details": {}}})
    found = api.operate("get", {"dataObjectApiName": "ContactObj", "objectDataId": answer["dataId"]})["data"]
    assert (found["account_id"], found["account_id__r"]) == (customer, "甲公司")


def test_free_text_stands_beside_the_option_other(api: Client) -> None:
    seen = api.get(api.made(account_source="other", account_source__o="展会", account_level__o="x"))
    assert (seen["account_source"], seen["account_source__o"]) == ("other", "展会")
    assert "account_level__o" not in seen


def test_custom_objects_have_their_own_path_and_flags(api: Client) -> None:
    sent = {"dataObjectApiName": "complaint__c", "name": "T-1", "owner": ["1001"]}

    def create(path: str = CUSTOM, **top: Any) -> dict[str, Any]:
        return api.post(path + "create", {**QUIET, **top, "data": {"object_data": sent, "details": {}}})

    assert create(path=DATA)["errorCode"] != 0
    record_id = create()["dataId"]
    assert "重复" in create()["errorMessage"]
    locking = {"data": {"dataObjectApiName": "complaint__c", "dataIds": [record_id]}}
    api.post("/cgi/crm/v2/object/lock", locking)
    changed = {"_id": record_id, "dataObjectApiName": "complaint__c", "description__c": "事实"}
    inner = {"object_data": changed}
    assert api.post(CUSTOM + "update", {**QUIET, "data": inner})["errorCode"] == 50009
    assert api.post(CUSTOM + "update", {**QUIET, "data": {**inner, "skipDataStatusValidate": True}})["errorCode"] == 0
    named = {"dataObjectApiName": "complaint__c"}
    assert api.operate("get", {**named, "objectDataId": record_id}, path=CUSTOM)["data"]["description__c"] == "事实"
    api.post("/cgi/crm/v2/object/unlock", locking)
    assert api.operate("invalid", {**named, "object_data_id": record_id}, path=CUSTOM)["errorCode"] == 0
    assert api.operate("delete", {**named, "idList": [record_id]}, path=CUSTOM)["errorCode"] == 0
    listed = api.post("/cgi/crm/v2/object/list", {})["data"]["objects"]
    assert {item["describeApiName"]: item["defineType"] for item in listed}["complaint__c"] == "custom"
    assert describe(api, "complaint__c")["name"]["is_required"] is True


def test_update_is_a_patch_without_conflict_detection(api: Client) -> None:
    record_id = api.made(remark="一", tel="1")
    before = api.get(record_id)
    assert api.update(record_id, remark="二", version="1")["errorCode"] == 0
    assert api.update(record_id, remark="三", version="1")["errorCode"] == 0
    after = api.get(record_id)
    assert (after["remark"], after["tel"], after["version"]) == ("三", "1", "3")
    assert after["last_modified_time"] >= before["last_modified_time"]
    assert after["last_modified_by"] == ["1000"]


def test_owner_is_ignored_by_update_and_changed_by_change_owner(api: Client) -> None:
    record_id = api.made()
    assert api.update(record_id, owner=["1002"])["errorCode"] == 0
    assert api.get(record_id)["owner"] == ["1001"]
    change = [{"objectDataId": record_id, "ownerId": ["1002"]}]
    assert "NullPointerException" in api.operate("changeOwner", {"data": change})["errorMessage"]
    assert api.operate("changeOwner", {"Data": change})["errorCode"] == 0
    seen = api.get(record_id)
    assert (seen["owner"], seen["owner_department_id"], seen["version"]) == (["1002"], "2011", "3")
    assert seen["data_own_department"] == ["2001"]
    gone = api.operate("changeOwner", {"Data": [{"objectDataId": record_id, "ownerId": ["1007"]}]})
    assert "停用" in gone["errorMessage"]


def test_a_record_of_a_pool_is_nobodys_until_it_is_chosen(api: Client) -> None:
    record_id = api.made()
    chosen = {"data": {"apiName": "AccountObj", "objectIds": [record_id]}}
    assert "公海" in api.post(DATA + "choose", chosen)["errorMessage"]
    api.admin.post("pool", {"id": record_id})
    seen = api.get(record_id)
    assert (seen["high_seas_id"], "owner" in seen) == ("sea1", False)
    change = {"Data": [{"objectDataId": record_id, "ownerId": ["1002"]}]}
    for refused in (api.update(record_id, remark="x"), api.operate("changeOwner", change)):
        assert "无此操作的数据权限" in refused["errorMessage"]
    assert api.operate("choose", {"objectIds": [record_id]})["errorCode"] == 10006  # the name is apiName here
    assert api.post(CUSTOM + "choose", chosen)["errorCode"] == 10006
    assert api.post(DATA + "choose", chosen)["errorCode"] == 0
    assert api.get(record_id)["owner"] == ["1000"]
    assert api.operate("changeOwner", change)["errorCode"] == 0
    api.admin.post("pool", {"id": record_id})
    api.admin.settings(pool_editable=True)
    assert api.update(record_id, remark="x")["errorCode"] == 0


def test_wrong_wrapper_leaks_a_null_pointer_exception(api: Client) -> None:
    answer = api.post(DATA + "update", {"data": {"data": {"_id": "x"}, "dataObjectApiName": "AccountObj"}})
    assert answer["errorCode"] != 0
    assert "java.lang.NullPointerException" in answer["errorMessage"]


@pytest.mark.parametrize(("sent", "switch"), [(None, "clear_with_null"), ("", "clear_with_empty")])
def test_clearing_a_field_follows_the_switches(api: Client, sent: Any, switch: str) -> None:
    record_id = api.made(remark="有")
    api.admin.settings(**{switch: "ignore"})
    assert api.update(record_id, remark=sent)["errorCode"] == 0
    assert api.get(record_id)["remark"] == "有"
    api.admin.settings(**{switch: "reject"})
    assert api.update(record_id, remark=sent)["errorCode"] != 0
    api.admin.settings(**{switch: "clear"})
    api.update(record_id, remark=sent)
    assert "remark" not in api.get(record_id)
    assert "必填" in api.update(record_id, name=sent)["errorMessage"]


def test_lock_and_unlock(api: Client) -> None:
    record_id = api.made()
    locking = {"data": {"dataObjectApiName": "AccountObj", "dataIds": [record_id], "detailObjStrategy": 0}}
    assert api.post("/cgi/crm/v2/object/lock", locking)["errorCode"] == 0
    assert api.operate("invalid", {"object_data_id": record_id})["errorCode"] == 50009
    assert api.update(record_id, remark="x")["errorCode"] == 50009
    assert api.post("/cgi/crm/v2/object/unlock", locking)["errorCode"] == 0
    assert api.update(record_id, remark="x")["errorCode"] == 0


def test_invalid_recover_delete(api: Client) -> None:
    record_id = api.made(name="甲")
    assert api.operate("delete", {"idList": [record_id]})["errorCode"] != 0
    assert api.operate("recover", {"idList": [record_id]})["errorCode"] != 0
    assert api.operate("invalid", {"object_data_id": record_id})["errorCode"] == 0
    assert api.operate("invalid", {"object_data_id": record_id})["errorCode"] != 0
    assert api.update(record_id, remark="x")["errorCode"] != 0
    assert api.names() == set()
    assert api.names(("life_status", "EQ", ["invalid"])) == set()
    api.admin.settings(invalid_queryable=True)
    assert api.names(("life_status", "EQ", ["invalid"])) == {"甲"}
    assert api.operate("recover", {"idList": [record_id]})["errorCode"] == 0
    assert api.get(record_id)["life_status"] == "normal"
    assert api.names() == {"甲"}
    api.operate("invalid", {"object_data_id": record_id})
    assert api.operate("delete", {"idList": [record_id]})["errorCode"] == 0
    assert api.operate("get", {"objectDataId": record_id})["errorCode"] != 0


def test_batch_invalid_is_all_or_none_on_the_path_without_v2(api: Client) -> None:
    ids = [api.made(name="甲"), api.made(name="乙")]
    path = "/cgi/crm/custom/data/"
    assert api.operate("invalid", {"idList": [*ids, "0" * 24]}, path=path)["errorCode"] != 0
    assert api.names() == {"甲", "乙"}
    assert api.operate("invalid", {"idList": ids}, path=path)["errorCode"] == 0
    assert api.names() == set()


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("bumped", [True, False])
def test_invalid_and_recover_move_the_time_and_the_version_or_not(api: Client, moved: bool, bumped: bool) -> None:
    record_id = api.made()
    api.admin.settings(invalid_touches_modified=moved, recover_touches_modified=moved, lifecycle_bumps_version=bumped)
    seen = [api.get(record_id)]
    for operation, body in (("invalid", {"object_data_id": record_id}), ("recover", {"idList": [record_id]})):
        api.admin.advance(1)
        assert api.operate(operation, body)["errorCode"] == 0
        seen.append(api.get(record_id))
    assert [row["version"] for row in seen] == (["1", "2", "3"] if bumped else ["1", "1", "1"])
    assert len({row["last_modified_time"] for row in seen}) == (3 if moved else 1)
