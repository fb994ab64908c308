"""`check`: every permission on its own, in the words of the vendor's administration, without changing anything."""

from __future__ import annotations

import pytest
from fxiaoke_tenant import Context, Make, create

from connectors.base import CheckLine
from connectors.simulation.server import RunningSimulator

OBJECTS = ("AccountObj", "ActiveRecordObj", "complaint__c")
WORDS = {
    "query": ("查看列表", "View list"),
    "get": ("查看详情", "View details"),
    "create": ("新建", "New"),
    "update": ("编辑", "Edit"),
    "changeOwner": ("更换负责人", "Change Owner"),
    "invalid": ("作废", "Invalidate"),
    "recover": ("恢复", "Restore"),
}
CUSTOMER = [
    "token", "address", "operator", "describe AccountObj", "read AccountObj", "get AccountObj",
    "key AccountObj.hub_id__c",
    "create AccountObj", "update AccountObj", "changeOwner AccountObj", "invalid AccountObj", "recover AccountObj",
]  # fmt: skip


def checked(make: Make, **settings: object) -> dict[str, CheckLine]:
    return {line.name: line for line in make(**settings).check()}


def failed(make: Make, **settings: object) -> list[str]:
    return [name for name, line in checked(make, **settings).items() if not line.ok]


def test_it_proves_step_by_step_and_changes_nothing(vendor: RunningSimulator, make: Make) -> None:
    create(vendor)
    before = {name: vendor.admin.records(name) for name in OBJECTS}
    assert [(name, line.ok) for name, line in checked(make).items()] == [(name, True) for name in CUSTOMER]
    assert not failed(make, objects=OBJECTS)
    assert {name: vendor.admin.records(name) for name in OBJECTS} == before


def test_it_stops_where_the_next_proof_is_impossible(make: Make, context: Context) -> None:
    assert {name: line.ok for name, line in checked(make, operator_id="4711").items()} == {
        "token": True,
        "address": True,
        "operator": False,
    }
    assert make(operator_id="4711").check()[-1].ends
    context.secrets["app_secret"] = "wrong"
    assert [(line.name, line.ok) for line in make().check()] == [("token", False)]


@pytest.mark.parametrize("stage", ["token", "call"])
@pytest.mark.parametrize(
    ("code", "text"), [(15003, "调用方IP不在应用的IP白名单中"), (20016, "request IP is not in the white list")]
)
def test_a_host_that_the_allow_list_does_not_hold_is_told_as_that(
    vendor: RunningSimulator, make: Make, context: Context, stage: str, code: int, text: str
) -> None:
    vendor.admin.settings(foreign_address_at=stage, foreign_address_code=code, foreign_address_text=text)
    found = make().check()[-1]
    assert (found.name, found.ok, found.ends) == ("address", False, True)
    assert "IP 白名单" in found.zh
    assert "allow list" not in found.zh
    assert "allow list" in found.en


def test_a_business_rule_that_speaks_of_an_allow_list_is_not_taken_for_it(vendor: RunningSimulator, make: Make) -> None:
    vendor.admin.settings(foreign_address_at="call", foreign_address_code=320001400)
    assert [line.name for line in make().check() if not line.ok] == ["operator"]


@pytest.mark.parametrize("object_", OBJECTS)
def test_each_missing_function_is_named_as_the_role_page_names_it(
    vendor: RunningSimulator, make: Make, object_: str
) -> None:
    vendor.admin.settings(denied_functions=[f"{object_}.{name}" for name in WORDS])
    found = checked(make, objects=[object_])
    # Nothing but the owner is required of a log, and an owner left out may be the operator: no create is tried.
    tried = {name: words for name, words in WORDS.items() if (name, object_) != ("create", "ActiveRecordObj")}
    assert {name for name, line in found.items() if not line.ok} == {
        f"{'read' if name == 'query' else name} {object_}" for name in tried
    }
    assert ("not tried" in found[f"create {object_}"].en) is ("create" not in tried)
    for name, (zh, en) in tried.items():
        told = found[f"{'read' if name == 'query' else name} {object_}"]
        assert all(word in told.zh for word in (f"功能权限“{zh}”", "缺少时", object_))
        assert all(word in told.en for word in (f"“{en}”", "Without it", object_))


def test_an_object_out_of_sight_and_one_that_is_not_there_are_told_apart(vendor: RunningSimulator, make: Make) -> None:
    vendor.admin.settings(denied_objects=["AccountObj"])
    assert failed(make) == ["describe AccountObj", "read AccountObj"]
    told = checked(make)["read AccountObj"]
    assert "数据权限" in told.zh
    assert "功能权限" not in told.zh
    vendor.admin.settings(denied_objects=[])
    found = checked(make, objects=["visit__c"])["describe visit__c"]
    assert not found.ok
    assert "API name" in found.en


def test_a_permission_judged_after_the_record_is_not_claimed_to_be_proven(vendor: RunningSimulator, make: Make) -> None:
    vendor.admin.settings(denied_functions=["AccountObj.update"], function_check="found")
    line = checked(make)["update AccountObj"]
    assert line.ok
    assert "a record that cannot exist" in line.en


def test_a_create_that_should_have_been_refused_is_taken_back_and_told(vendor: RunningSimulator, make: Make) -> None:
    before = {row["_id"] for row in vendor.admin.records("AccountObj")}
    vendor.admin.settings(lax_create=True)
    assert failed(make) == ["create AccountObj"]
    (made,) = [row for row in vendor.admin.records("AccountObj") if row["_id"] not in before]
    assert made["is_deleted"]
    assert not failed(make, check_functions="without-create")
    assert len(vendor.admin.records("AccountObj")) == len(before) + 1


def test_what_is_tried_follows_the_settings(vendor: RunningSimulator, make: Make) -> None:
    vendor.admin.settings(denied_functions=[f"AccountObj.{name}" for name in ("create", "update", "invalid")])
    assert failed(make, check_functions="none") == []
    assert failed(make, check_functions="without-create") == ["update AccountObj", "invalid AccountObj"]
    assert failed(make, append_only=["AccountObj"]) == ["create AccountObj"]


def test_an_unclear_answer_proves_nothing(vendor: RunningSimulator, make: Make) -> None:
    vendor.admin.faults(
        [{"match": {"path_regex": "data/update"}, "action": "row_error", "code": 50009, "message": "服务异常"}]
    )
    line = checked(make)["update AccountObj"]
    assert not line.ok
    assert "check_functions" in line.en


def test_staff_and_branches_are_only_read(vendor: RunningSimulator, make: Make) -> None:
    names = list(checked(make, objects=["PersonnelObj", "DepartmentObj"]))[3:]
    assert names == [
        f"{step} {name}" for name in ("PersonnelObj", "DepartmentObj") for step in ("describe", "read", "get")
    ]
    vendor.admin.settings(personnel_shared=False)
    found = checked(make, objects=["PersonnelObj"])["read PersonnelObj"]
    assert not found.ok
    assert "数据共享" in found.zh
    assert "sharing rule" in found.en


def test_a_missing_key_is_found(make: Make) -> None:
    assert failed(make, external_key="nowhere__c") == ["key AccountObj.nowhere__c"]
    assert failed(make, external_key="remark") == ["key AccountObj.remark"]
