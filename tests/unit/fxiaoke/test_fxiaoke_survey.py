"""What a tenant lacks for the mappings: compared with its description, and told as what an administrator makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fxiaoke_tenant import Make

from connectors.fxiaoke.settings import read_settings
from connectors.preparing import FieldNeed, Finding, Form, Prepare, State, Survey
from connectors.simulation.server import RunningSimulator
from hub.canonical.schema import load_schema
from hub.canonical.shipped import shipped_folder
from hub.mapping.check import check_mapping
from hub.mapping.loader import load_mapping, mapping_path, with_hub_id_fields
from hub.mapping.needs import needs_of
from hub.mapping.tables import load_tables

ROOT = shipped_folder("mappings")
SCHEMA, TABLES = load_schema(ROOT / "canonical"), load_tables(ROOT / "tables")
KEY = FieldNeed("hub_id__c", Form.TEXT, "Hub id", "统一编号", 36, kinds=frozenset({"text"}), key=True)
NAME = FieldNeed("name", Form.TEXT, "Name", "名称", kinds=frozenset({"text"}))
OWNER = FieldNeed("owner", Form.OTHER, "Owner", "负责人", kinds=frozenset({"employee"}))
TIER = FieldNeed(
    "account_level", Form.CHOICE, "Tier", "客户分层", options=("2", "3"), kinds=frozenset({"select_one"}),
    labels=("贵宾", "金卡"),
)  # fmt: skip


def needs(chosen: str) -> dict[str, tuple[FieldNeed, ...]]:
    files = [
        load_mapping(mapping_path(ROOT, "fxiaoke", name, chosen)) for name in ("customer", "complaint", "contact_log")
    ]
    return needs_of(files, SCHEMA, TABLES)


def left(make: Make, object_: str, *wanted: FieldNeed, **settings: Any) -> list[Finding]:
    found = make(**settings).survey(object_, (NAME, OWNER, *wanted))
    return [finding for finding in found if finding.state is not State.READY]


@pytest.fixture
def administrator(vendor: RunningSimulator) -> Iterator[Any]:
    """Changes fields of the tenant as an administrator does, and puts them back."""
    before: dict[tuple[str, str], Mapping[str, Any]] = {}

    def change(object_: str, field: str, back: Mapping[str, Any], **changes: Any) -> None:
        before.setdefault((object_, field), back)
        vendor.admin.post("schema", {"object": object_, "field": field, "changes": changes})

    yield change
    for (object_, field), back in before.items():
        vendor.admin.post("schema", {"object": object_, "field": field, "changes": back})


def test_the_connector_surveys_and_claims_to_make_nothing(make: Make) -> None:
    assert isinstance(make(), Survey)
    assert not isinstance(make(), Prepare)


@pytest.mark.parametrize("chosen", ["core", "full"])
def test_a_tenant_that_was_set_up_lacks_nothing(make: Make, chosen: str) -> None:
    connector = make()
    found = [f for name, wanted in needs(chosen).items() for f in connector.survey(name, wanted)]
    assert [finding for finding in found if finding.state is not State.READY] == []
    for entity in ("customer", "complaint", "contact_log"):
        mapping = load_mapping(mapping_path(ROOT, "fxiaoke", entity, chosen))
        shapes = {route.object: connector.describe(route.object) for route in mapping.spec.routes}
        assert [p.en for p in check_mapping(mapping, SCHEMA, TABLES, shapes) if p.severity == "error"] == []


def test_core_customers_and_logs_need_only_the_hub_id() -> None:
    for name in ("AccountObj", "ActiveRecordObj"):
        assert [need.api_name for need in needs("core")[name] if need.api_name.endswith("__c")] == ["hub_id__c"]


def test_options_are_told_by_their_labels() -> None:
    found = {need.api_name: need for wanted in needs("full").values() for need in wanted}
    assert found["gender__c"].spoken("option1") == "男"
    assert found["behavior_tags__c"].spoken("tag01") == "高净值"
    assert found["industry_level1"].spoken("3") == "制造业"
    assert found["city"].spoken("2101") == "北京市"
    assert found["record_type"].spoken("default__c") == "default__c"


@pytest.mark.parametrize(
    ("changes", "state", "zh", "step"),
    [
        ({"remove": True}, State.MANUAL, "不存在", "新建字段"),
        ({"unique": False}, State.WRONG, "未设唯一", "勾选“唯一性”"),
        ({"max_length": 20}, State.WRONG, "长度 20，需要 36", "至少 36"),
        ({"type": "long_text"}, State.WRONG, "类型为 long_text，应为 text", "单行文本"),
        ({"active": False}, State.WRONG, "停用", "启用"),
        ({"readonly": True}, State.WRONG, "不可写", "direction: in"),
    ],
)
def test_each_way_in_which_the_hub_id_does_not_serve(
    administrator: Any, make: Make, changes: dict[str, Any], state: State, zh: str, step: str
) -> None:
    back = {"label": "Hub ID", "type": "text", "define_type": "custom", "unique": True, "max_length": 36}
    administrator("AccountObj", "hub_id__c", back | {"active": True, "readonly": False}, **changes)
    (found,) = left(make, "AccountObj", KEY)
    assert (found.field, found.state) == ("hub_id__c", state)
    assert zh in found.zh
    assert any(step in each.zh for each in found.steps)
    assert all(each.en and each.en != each.zh for each in found.steps)


def test_what_an_administrator_makes_is_told_exactly(administrator: Any, make: Make) -> None:
    back = {"label": "Hub ID", "type": "text", "define_type": "custom", "unique": True, "max_length": 36}
    administrator("AccountObj", "hub_id__c", back, remove=True)
    told = "\n".join(step.zh for step in left(make, "AccountObj", KEY)[0].steps)
    for word in (
        "预设对象 > 客户（AccountObj）",
        "单行文本",
        "统一编号",
        "hub_id__c",
        "36",
        "external_keys",
        "字段权限",
    ):
        assert word in told


def test_options_under_other_values_retired_and_missing_are_told_apart(administrator: Any, make: Make) -> None:
    levels = [{"value": str(n), "label": text} for n, text in enumerate(("私人银行", "贵宾", "金卡", "普通"), 1)]
    administrator("AccountObj", "account_level", {"choices": levels}, disable=["3"])
    (found,) = left(make, "AccountObj", TIER)
    assert (found.options, "已停用：金卡" in found.zh) == (("3",), True)
    assert "重新启用选项：金卡" in found.steps[-1].zh
    administrator("AccountObj", "account_level", {}, choices=[{"value": "Hx1", "label": "贵宾"}])
    (found,) = left(make, "AccountObj", TIER)
    assert "贵宾 = Hx1" in found.zh
    assert "mapping resolve" in found.steps[0].en
    assert "金卡 = 3" in found.steps[-1].zh


def test_a_required_field_that_nothing_writes_and_a_masked_one_are_found(
    administrator: Any, vendor: RunningSimulator, make: Make
) -> None:
    administrator("AccountObj", "fax", {"required": False}, required=True)
    assert [(f.field, f.state) for f in left(make, "AccountObj", KEY)] == [("fax", State.WRONG)]
    once = FieldNeed("fax", Form.TEXT, "Fax", "传真", written=False, once=True)
    assert not left(make, "AccountObj", KEY, once), "creates fill it"
    vendor.admin.settings(masked_fields=["tel"])
    phone = FieldNeed("tel", Form.PHONE, "Phone", "电话", kinds=frozenset({"phone_number"}))
    fax = FieldNeed("fax", Form.TEXT, "Fax", "传真")
    assert [(f.field, "脱敏" in f.zh) for f in left(make, "AccountObj", phone, fax)] == [("tel", True)]


def test_a_lookup_to_another_object_is_found(make: Make) -> None:
    link = FieldNeed("account_id", Form.LINK, "Customer", "客户", target="ContactObj")
    (found,) = left(make, "complaint__c", link)
    assert (found.field, found.en) == ("account_id", "points at AccountObj, not ContactObj")


def test_an_object_that_is_not_there_is_told_with_all_it_must_have(make: Make) -> None:
    found = make().survey("claim__c", (KEY, NAME, OWNER, TIER))
    assert [(f.field, f.state) for f in found] == [
        ("", State.MANUAL),
        ("hub_id__c", State.MANUAL),
        ("account_level", State.MANUAL),
    ]
    assert "自定义对象 > 新建" in found[0].steps[0].zh
    (whole,) = make().survey("VisitObj", (KEY,))
    assert "版本不含该对象" in whole.zh


def test_links_of_a_log_are_ready_whichever_field_carries_them(vendor: RunningSimulator, make: Make) -> None:
    wanted = needs("core")["ActiveRecordObj"]
    for switches in ({"log_account_lookup": False}, {"log_account_lookup": True, "log_related_described": False}):
        vendor.admin.settings(**switches)
        assert [f.field for f in make().survey("ActiveRecordObj", wanted) if f.state != "ready"] == []


def test_the_connection_names_the_hub_id_where_the_console_does(administrator: Any, make: Make) -> None:
    """The console made `field_a1B2c__c`: the connection says so, the mapping file stays as it is."""
    made = {"label": "统一编号", "type": "text", "define_type": "custom", "unique": True, "max_length": 36}
    administrator("AccountObj", "field_a1B2c__c", {"remove": True}, **made)
    keys = {"AccountObj": "field_a1B2c__c"}
    mapping = load_mapping(mapping_path(ROOT, "fxiaoke", "customer", "core"))
    named = with_hub_id_fields(mapping, keys.get)
    assert named.digest != mapping.digest
    wanted = needs_of([named], SCHEMA, TABLES)["AccountObj"]
    assert wanted[0].api_name == "field_a1B2c__c"
    connector = make(external_keys=keys)
    assert [f.field for f in connector.survey("AccountObj", wanted) if f.state != "ready"] == []
    assert {line.name: line.ok for line in connector.check()}["key AccountObj.field_a1B2c__c"]
    assert with_hub_id_fields(mapping, lambda name: None) is mapping


def test_the_key_of_an_object_is_the_connections() -> None:
    chosen = read_settings(
        {"app_id": "a", "operator_id": "1", "external_keys": {"AccountObj": "field_x__c"}}, "fxiaoke"
    )
    assert [chosen.key_of(name) for name in ("AccountObj", "complaint__c")] == ["field_x__c", "hub_id__c"]
