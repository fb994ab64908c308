"""What no source tells for certain is tried out on the tenant, and said without a value of any record."""

from __future__ import annotations

from typing import Any

import pytest
from fxiaoke_tenant import Context, Make, create, edit, make_in

from connectors.errors import SchemaDrift
from connectors.settling import Settled, Settles
from connectors.simulation.server import RunningSimulator

OBJECT = "complaint__c"


@pytest.fixture(scope="module")
def customers(tenant: RunningSimulator) -> list[str]:
    made = [create(tenant, name=f"示例{n}", owner=["1001"]) for n in range(4)]
    tenant.admin.advance(2)
    edit(tenant, sorted(made)[1], remark="-")  # last by time, neither first nor last by id
    tenant.admin.advance(2)
    return made


def said(make: Make, question: str, object_: str = "AccountObj", **settings: Any) -> Settled:
    (found,) = make(**settings).settle(object_, question, False)
    return found


def test_the_connector_lists_its_questions(make: Make) -> None:
    assert isinstance(make(), Settles)
    questions = make().questions()
    assert (questions["limit"], questions["clear"]) == (False, True)


@pytest.mark.parametrize(
    ("question", "switches", "wanted"),
    [
        ("trace_id", {}, "is answered"),
        ("trace_id", {"third_trace_id_strict": True}, "refused with 10006"),
        ("describe_position", {"describe_position": "data"}, "inside data: answered; at the top: refused with 10006"),
        ("describe_position", {"describe_position": "top"}, "inside data: refused with 10006; at the top: answered"),
        ("limit", {}, "refused with 10006"),
        ("limit", {"over_limit": "clamp"}, "answered"),
        ("offset", {}, "offset 1 with limit 2: refused with 10006; offset 10,100: refused with 10013"),
        ("two_orders", {"multi_field_sort": "first", "unstable_ties": False}, "the second order has no effect"),
        ("two_orders", {"multi_field_sort": "honour"}, "the second order counts"),
        ("two_orders", {"multi_field_sort": "reject"}, "refused with"),
        ("default_order", {"default_order": "last_modified_time"}, "by last_modified_time"),
        ("default_order", {"default_order": "_id"}, "by _id"),
        ("negation", {}, "N also finds empty fields"),
        ("is_empty", {}, "IS with []: answered"),
        ("not_found", {}, "refused with 320002401"),
        ("directory", {}, "/cgi/department/list with bearer"),
    ],
)
def test_what_reading_tells(
    customers: list[str], vendor: RunningSimulator, make: Make, question: str, switches: dict[str, Any], wanted: str
) -> None:
    vendor.admin.settings(**switches)
    found = said(make, question)
    assert wanted in found.en
    assert found.agrees
    assert found.zh != found.en


def test_a_setting_that_does_not_fit_is_named(customers: list[str], vendor: RunningSimulator, make: Make) -> None:
    vendor.admin.settings(not_found_code=10006)
    found = said(make, "not_found")
    assert (found.agrees, found.setting) == (False, "not_found_codes: [10006]")
    assert said(make, "not_found", not_found_codes=[10006]).agrees
    assert said(make, "employee_ids").setting == "employee_ids: plain"


@pytest.mark.parametrize("code", [30004, 14001])
def test_the_rate_is_tried_only_where_it_is_named(vendor: RunningSimulator, make: Make, code: int) -> None:
    connector = make()
    connector.check()
    vendor.admin.settings(calls_per_window=10, rate_limit_code=code)
    vendor.admin.advance(30)
    found = next(connector.settle("AccountObj", "rate", False))
    assert found.en.startswith("11 calls in ")
    assert found.en.endswith(f"refused with {code}")
    assert (found.agrees, found.setting) == (False, "rate_per_second: 0.2")


def rehearsed(make: Make, **settings: Any) -> dict[str, Settled]:
    return {item.question: item for item in make(**settings).settle(OBJECT, "clear", True)}


def test_a_test_record_tells_about_writes_and_is_taken_back(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    vendor.admin.settings(index_lag_seconds=0.0)
    make_in(vendor, OBJECT, name="another's", owner=["1001"])
    before = {row["_id"] for row in vendor.admin.records(OBJECT)}
    found = rehearsed(make)
    asked = {name for name, writes in make().questions().items() if writes}
    assert found.keys() == asked
    assert "by dataId" in found["created_id"].en
    assert (found["index_lag"].agrees, found["index_lag"].setting) == (True, "index_lag: 1")
    assert (found["clear"].agrees, found["clear"].en) == (
        True,
        "tried on 8 types; not emptied by null: none; by empty: none",
    )
    assert found["numbers"].en == "written as text: answered; as a number: answered; shown as str"
    assert "the owner stays" in found["owner_in_update"].en
    codes = dict(part.rsplit(" refused with ", 1) for part in found["refusals"].en.split(", "))
    assert codes == dict.fromkeys(("option", "too-long", "lookup", "required", "duplicate"), "320001400")
    assert "read-only field stays" in found["readonly"].en
    assert found["invalid"].en == "answered: get shows it as invalid; version moved, last_modified_time moved"
    (made,) = [row for row in vendor.admin.records(OBJECT) if row["_id"] not in before]
    assert made["is_deleted"]
    assert "hub_id__c" not in made


def test_a_tenant_of_another_kind_says_so(vendor: RunningSimulator, make: Make, context: Context) -> None:
    for _ in range(1000):  # the test record of the test before holds a name that must be unique
        context.new_id()
    vendor.admin.settings(
        clear_with_null="ignore", get_invalid=False, invalid_touches_modified=False, readonly_fields="reject"
    )
    found = rehearsed(make)
    assert (found["clear"].agrees, found["clear"].setting) == (False, "clear_as: empty")
    assert "get does not show it" in found["invalid"].en
    assert "refused with" in found["readonly"].en
    vendor.admin.settings(custom_create_returns_id=False)
    assert {name: item.en for name, item in rehearsed(make).items()} == {
        "created_id": "answered: the answer does not name the record"
    }


def test_nothing_is_written_without_being_asked(vendor: RunningSimulator, make: Make) -> None:
    before = vendor.admin.records(OBJECT)
    assert len(list(make().settle(OBJECT, None, False))) == 12
    assert vendor.admin.records(OBJECT) == before


def test_a_log_which_requires_nothing_is_tried_too_and_an_unknown_object_is_refused(make: Make) -> None:
    said = {item.question for item in make().settle("ActiveRecordObj", "invalid", True)}
    assert {"same_value", "invalid", "recover"} <= said
    with pytest.raises(SchemaDrift, match="NoObj"):
        list(make().settle("NoObj", "limit", False))
