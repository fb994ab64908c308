"""query, get and describe of the Fxiaoke simulator, over real HTTP."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from fxiaoke_client import CUSTOM, Client, describe


def test_paging_walls(api: Client) -> None:
    assert api.query(limit=101)["errorCode"] == 10006
    assert api.query(limit=50, offset=75)["errorCode"] == 10006
    wall = api.query(limit=100, offset=10_100)
    assert (wall["errorCode"], wall["errorMessage"]) == (10013, "offset out of range 10000")
    assert wall["errorDescription"] == "offset 不能超过10000"
    assert api.query(limit=100, offset=10_000)["errorCode"] == 0
    api.admin.settings(over_limit="clamp", uneven_offset="clamp", offset_out_of_range="clamp")
    assert api.query(limit=500)["data"]["limit"] == 100
    assert api.query(limit=50, offset=75)["data"]["offset"] == 50
    assert api.query(limit=100, offset=10_100)["errorCode"] == 0


def test_operators(api: Client) -> None:
    api.made(name="甲", account_level="1", satisfaction_score__c="2", behavior_tags__c=["tag01", "tag02"], remark="abc")
    api.made(name="乙", account_level="2", satisfaction_score__c=10, behavior_tags__c=["tag02"], owner=["1002"])
    api.made(name="丙")
    assert api.names(("account_level", "EQ", ["1"])) == {"甲"}
    assert api.names(("account_level", "N", ["1"])) == {"乙", "丙"}
    assert api.names(("account_level", "IN", ["1", "2"])) == {"甲", "乙"}
    assert api.names(("account_level", "NIN", ["1"])) == {"乙"}
    assert api.names(("account_level", "IS", [])) == {"丙"}
    assert api.names(("account_level", "ISN", [""])) == {"甲", "乙"}
    assert api.names(("satisfaction_score__c", "GT", ["2"])) == {"乙"}
    assert api.names(("satisfaction_score__c", "GTE", [2])) == {"甲", "乙"}
    assert api.names(("satisfaction_score__c", "LT", [10])) == {"甲"}
    assert api.names(("satisfaction_score__c", "LTE", ["10"])) == {"甲", "乙"}
    assert api.names(("satisfaction_score__c", "BETWEEN", [3, 10])) == {"乙"}
    assert api.names(("satisfaction_score__c", "NBETWEEN", [3, 10])) == {"甲"}
    assert api.names(("remark", "LIKE", ["b"])) == api.names(("remark", "STARTWITH", ["ab"])) == {"甲"}
    assert api.names(("remark", "ENDWITH", ["bc"])) == {"甲"}
    assert api.names(("remark", "NLIKE", ["zz"])) == {"甲"}
    assert api.names(("behavior_tags__c", "HASANYOF", ["tag01", "tag05"])) == {"甲"}
    assert api.names(("behavior_tags__c", "NHASANYOF", ["tag01"])) == {"乙"}
    assert api.names(("behavior_tags__c", "CONTAINS", ["tag01", "tag02"])) == {"甲"}
    assert api.names(("owner", "IN", ["1002"])) == {"乙"}
    assert api.names(("account_level", "ISN", []), ("owner", "IN", ["1001"])) == {"甲"}


@pytest.mark.parametrize(
    "wrong",
    [
        ("nowhere__c", "EQ", ["1"]),
        ("account_level", "NE", ["1"]),
        ("account_level", "EQ", []),
        ("satisfaction_score__c", "BETWEEN", [1]),
        ("satisfaction_score__c", "EQ", ["many"]),
        ("owner", "EQ", ["1001"]),
    ],
)
def test_wrong_filters_are_refused(api: Client, wrong: tuple[str, str, list[Any]]) -> None:
    assert api.query(wrong)["errorCode"] == 10006


@pytest.mark.parametrize(("switch", "takes"), [("either", ([], [""])), ("none", ([],)), ("empty_text", ([""],))])
def test_what_stands_beside_is_and_isn_is_a_switch(api: Client, switch: str, takes: tuple[list[str], ...]) -> None:
    api.made(name="甲")
    api.admin.settings(null_filter_values=switch)
    for operator, found in (("IS", {"甲"}), ("ISN", set())):
        for values in ([], [""], ["x"]):
            if values in takes:
                assert api.names(("remark", operator, values)) == found
            else:
                assert api.query(("remark", operator, values))["errorCode"] == 10006


def test_whether_negatives_match_null_and_employees_take_eq_are_switches(api: Client) -> None:
    api.made(name="甲", remark="abc")
    api.made(name="乙")
    api.admin.settings(negatives_match_null=True, employee_filter_needs_in=False)
    assert api.names(("remark", "NLIKE", ["b"])) == {"乙"}
    assert api.names(("owner", "EQ", ["1001"])) == {"甲", "乙"}


def test_alternate_operator_names_are_a_switch(api: Client) -> None:
    api.made(name="甲", account_level="1")
    api.admin.settings(alternate_operators=True)
    assert api.names(("account_level", "NE", ["1"])) == set()
    assert api.names(("account_level", "NOT_IN", ["2"])) == {"甲"}


def test_keyset_paging_reaches_every_record_once(api: Client) -> None:
    made = {api.made(name=f"客户{number}") for number in range(25)}
    seen: list[str] = []
    after = ""
    while True:
        answer = api.query(
            ("_id", "GT", [after]),
            ("last_modified_time", "BETWEEN", [0, 9_999_999_999_999]),
            top={"find_explicit_total_num": False},
            limit=10,
            orders=[{"fieldName": "_id", "isAsc": True}],
            fieldProjection=["_id", "version"],
        )["data"]
        assert answer["total"] == 0
        assert all(set(row) == {"_id", "version"} for row in answer["dataList"])
        seen += [row["_id"] for row in answer["dataList"]]
        if len(answer["dataList"]) < 10:
            break
        after = seen[-1]
    assert seen == sorted(made)


def test_total_orders_and_projection(api: Client) -> None:
    for name in "乙甲丙":
        api.made(name=name, account_level="1")
    answer = api.query(limit=2, orders=[{"fieldName": "name", "isAsc": "false"}], fieldProjection=["account_level"])
    assert answer["data"]["total"] == 3
    assert len(answer["data"]["dataList"]) == 2
    assert set(answer["data"]["dataList"][0]) == {"_id", "account_level", "account_level__r"}
    rows = api.query(orders=[{"fieldName": "name", "isAsc": False}], fieldProjection=[])["data"]["dataList"]
    assert [row["name"] for row in rows] == sorted("乙甲丙", reverse=True)
    assert "create_time" in rows[0]
    assert api.query(orders=[{"fieldName": "nowhere__c", "isAsc": True}])["errorCode"] == 10006


def test_two_orders_only_keep_the_first_unless_switched_on(api: Client) -> None:
    api.made(name="甲", account_level="2")
    api.made(name="乙", account_level="1")
    both = [{"fieldName": "account_type", "isAsc": True}, {"fieldName": "account_level", "isAsc": True}]
    api.admin.settings(multi_field_sort="honour")
    assert [row["name"] for row in api.query(orders=both)["data"]["dataList"]] == ["乙", "甲"]
    api.admin.settings(multi_field_sort="first", unstable_ties=False)
    unsorted = [row["_id"] for row in api.query(orders=both)["data"]["dataList"]]
    assert unsorted == sorted(unsorted)
    api.admin.settings(multi_field_sort="reject")
    assert api.query(orders=both)["errorCode"] == 10006


def test_records_that_are_equal_in_the_order_come_in_any_order(api: Client) -> None:
    made = {api.made() for _ in range(12)}
    level = [{"fieldName": "account_level", "isAsc": True}]
    runs = [[row["_id"] for row in api.query(orders=level)["data"]["dataList"]] for _ in range(2)]
    assert runs[0] != runs[1]
    assert set(runs[0]) == set(runs[1]) == made


def test_the_order_without_an_order_and_the_count_are_switches(api: Client) -> None:
    ids = sorted(api.made(name=f"客户{number}") for number in range(4))
    latest = [row["_id"] for row in api.query()["data"]["dataList"]]
    api.admin.settings(default_order="_id", total_cap=3)
    answer = api.query()["data"]
    assert [row["_id"] for row in answer["dataList"]] == ids[::-1]
    assert sorted(latest) == ids
    assert answer["total"] == 3


def test_ids_of_32_digits_may_stand_behind_those_of_24(api: Client) -> None:
    short = {api.made() for _ in range(3)}
    api.admin.settings(id_digits=32)
    long = {api.made() for _ in range(3)}
    assert {len(record_id) for record_id in long} == {32}
    by_id = [{"fieldName": "_id", "isAsc": True}]
    listed = [row["_id"] for row in api.query(orders=by_id)["data"]["dataList"]]
    assert listed == sorted(short | long)
    api.admin.settings(id_order="length")
    listed = [row["_id"] for row in api.query(orders=by_id)["data"]["dataList"]]
    assert listed == [*sorted(short), *sorted(long)]


def test_nulls_may_be_left_out_although_asked_for(api: Client) -> None:
    record_id = api.made()
    assert api.get(record_id, includeNull=True)["remark"] is None
    api.admin.settings(include_null="ignored")
    assert "remark" not in api.get(record_id, includeNull=True)


def test_a_late_replica_answers_every_second_query(api: Client) -> None:
    record_id = api.made(name="先")
    api.admin.settings(replica_lag_seconds=3600)
    api.names()
    api.names()
    api.update(record_id, name="后")
    api.admin.advance(10)
    answers = [api.names() for _ in range(4)]
    assert answers in ([{"先"}, {"后"}] * 2, [{"后"}, {"先"}] * 2)
    assert api.get(record_id)["name"] == "后"
    api.admin.advance(3600)
    assert [api.names() for _ in range(2)] == [{"后"}, {"后"}]


def test_invalid_records_may_stand_in_every_list(api: Client) -> None:
    record_id = api.made(name="甲")
    api.operate("invalid", {"object_data_id": record_id})
    assert api.names() == set()
    api.admin.settings(invalid_listed=True)
    assert api.names() == {"甲"}


def test_query_lags_behind_writes_and_get_does_not(api: Client) -> None:
    api.admin.post("clock", {"freeze": True})
    try:
        api.admin.post("lag", {"seconds": 2})
        record_id = api.made(name="迟")
        assert api.names() == set()
        assert api.get(record_id)["name"] == "迟"
        api.admin.advance(2)
        assert api.names() == {"迟"}
        api.update(record_id, name="后")
        assert api.names(("name", "EQ", ["迟"])) == {"迟"}
        api.operate("invalid", {"object_data_id": record_id})
        assert api.names() == {"迟"}
        api.admin.advance(2)
        assert api.names() == set()
    finally:
        api.admin.post("clock", {"freeze": False})


def test_objects_answer_only_on_their_own_path_but_for_find_simple(api: Client) -> None:
    api.made(name="甲")
    search = {"search_query_info": {"limit": 10}}
    assert api.operate("query", search, path=CUSTOM)["errorCode"] != 0
    assert len(api.operate("findSimple", search, path=CUSTOM)["data"]["dataList"]) == 1
    assert api.operate("query", {**search, "dataObjectApiName": "NoSuchObj"})["errorCode"] != 0


def test_wire_forms_of_a_record(api: Client) -> None:
    record_id = api.made(
        name="𠮷田商行 🎉",
        satisfaction_score__c=5,
        birth_date__c=631_200_000_000,
        account_level="2",
        industry_level1="3",
        industry_level2="313",
        province="201",
        city="2101",
        behavior_tags__c=["tag03"],
    )
    seen = api.get(record_id)
    assert seen["name"] == "𠮷田商行 🎉"
    assert seen["satisfaction_score__c"] == "5"
    assert Decimal(seen["satisfaction_score__c"]) == 5
    assert (seen["birth_date__c"] + 8 * 3_600_000) % 86_400_000 == 0
    assert seen["owner"] == ["1001"]
    assert seen["owner__r"]["name"] == "王建国"
    assert seen["data_own_department"] == ["2001"]
    assert seen["data_own_department__r"]["deptName"] == "总行营业部"
    assert (seen["account_level__r"], seen["province__r"]) == ("贵宾", "北京市")
    assert seen["behavior_tags__c__r"] == ["理财偏好"]
    assert seen["created_by"] == ["1000"]
    assert (seen["life_status"], seen["lock_status"], seen["version"]) == ("normal", "0", "1")
    assert seen["record_type"] == "default__c"
    assert isinstance(seen["create_time"], int)
    assert seen["object_describe_api_name"] == "AccountObj"
    assert len(record_id) == 24


def test_get_of_invalid_missing_and_hidden_records(api: Client) -> None:
    record_id = api.made()
    api.operate("invalid", {"object_data_id": record_id})
    gone = api.get(record_id)
    assert (gone["life_status"], gone["is_deleted"]) == ("invalid", True)
    api.admin.settings(get_invalid=False)
    refused = api.operate("get", {"objectDataId": record_id})
    assert refused["errorMessage"] == "数据已作废或已删除"
    other = api.made()
    api.admin.post("hide", {"id": other})
    assert api.operate("get", {"objectDataId": other})["errorCode"] == refused["errorCode"]
    assert api.names() == set()
    assert api.operate("get", {"objectDataId": "0" * 24})["errorCode"] == refused["errorCode"]
    api.admin.settings(hidden_answer="permission")
    assert api.operate("get", {"objectDataId": other})["errorMessage"] == "无此操作的数据权限"
    assert api.operate("get", {"objectDataId": "0" * 24})["errorMessage"] == "数据已作废或已删除"


def test_masked_phones_are_shown_masked_and_described_so(api: Client) -> None:
    record_id = api.made(tel="13812345678")
    api.admin.settings(masked_fields=["tel"])
    assert api.get(record_id)["tel"] == "138****5678"
    assert describe(api)["tel"]["is_show_mask"] is True
    api.admin.settings(mask_described=False)
    assert "is_show_mask" not in describe(api)["tel"]
    assert api.get(record_id)["tel"] == "138****5678"
    api.admin.settings(masked_fields=[])
    assert api.get(record_id)["tel"] == "13812345678"


def test_describe_takes_both_parameter_places(api: Client) -> None:
    assert describe(api) == describe(api, inside=True)
    assert api.post("/cgi/crm/v2/object/describe", {})["errorCode"] == 10006
    listed = api.post("/cgi/crm/v2/object/list", {})["data"]["objects"]
    assert {item["describeApiName"]: item["defineType"] for item in listed}["AccountObj"] == "package"


def test_describe_shows_the_attributes_of_each_type(api: Client) -> None:
    fields = describe(api)
    assert fields["hub_id__c"]["is_unique"] is True
    assert (fields["hub_id__c"]["define_type"], fields["hub_id__c"]["max_length"]) == ("custom", 36)
    assert fields["name"]["is_required"] is True
    assert fields["account_no"]["is_readonly"] is True
    assert fields["create_time"]["define_type"] == "system"
    assert fields["satisfaction_score__c"]["decimal_places"] == 0
    assert fields["owner"]["is_single"] is True
    assert fields["parent_account_id"]["target_api_name"] == "AccountObj"
    assert {"label": "贵宾", "value": "2"} in fields["account_level"]["options"]
    assert fields["industry_level2"]["cascade_parent_api_name"] == "industry_level1"
    parent = next(option for option in fields["industry_level1"]["options"] if option["value"] == "3")
    assert "313" in parent["child_options"][0]["industry_level2"]
    assert (fields["area_location"]["group_type"], fields["area_location"]["area_city"]) == ("area", "city")
    assert fields["birth_date__c"]["time_zone"] == "GMT+8"


def test_an_administrator_changes_the_schema(api: Client) -> None:
    record_id = api.made(account_level="4")
    api.admin.post("schema", {"field": "account_level", "changes": {"disable": ["4"]}})
    try:
        options = describe(api)["account_level"]["options"]
        assert {"label": "普通", "value": "4", "not_usable": True} in options
        assert api.get(record_id)["account_level"] == "4"
        assert "停用" in api.create(account_level="4")["errorMessage"]
    finally:
        api.admin.post("schema", {"field": "account_level", "changes": {"enable": ["4"]}})
    api.admin.post(
        "schema", {"field": "extra__c", "changes": {"label": "额外", "type": "text", "define_type": "custom"}}
    )
    assert api.get(api.made(extra__c="x"))["extra__c"] == "x"
    api.admin.post("schema", {"field": "extra__c", "changes": {"remove": True}})
    assert "extra__c" not in describe(api)


def test_staff_and_branches_resolve(api: Client) -> None:
    search = {"search_query_info": {"limit": 100}}
    people = api.operate("query", {**search, "dataObjectApiName": "PersonnelObj"})["data"]["dataList"]
    numbers = {person["employee_number"]: (person["user_id"], person["status"]) for person in people}
    assert numbers["S1001"] == ("1001", "0")
    assert numbers["S1007"] == ("1007", "1")
    departments = api.operate("query", {**search, "dataObjectApiName": "DepartmentObj"})["data"]["dataList"]
    assert {item["_id"]: item["name"] for item in departments}["2021"] == "上海浦东支行"
    api.admin.settings(personnel_shared=False)
    refused = api.operate("query", {**search, "dataObjectApiName": "PersonnelObj"})
    assert refused["errorMessage"] == "无此操作的数据权限"
