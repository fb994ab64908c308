"""Check, describe, pace and capabilities of a connection."""

from __future__ import annotations

import pytest
from fxiaoke_tenant import Context, Make, create

from connectors.base import Connector
from connectors.errors import QuotaExhausted, RateLimited
from connectors.fxiaoke.pacing import next_reset
from connectors.simulation.server import RunningSimulator


def test_describe_shows_what_a_mapping_needs(make: Make) -> None:
    fields = make().describe("AccountObj").fields
    assert (fields["name"].required, fields["name"].length) == (True, 255)
    assert (fields["hub_id__c"].unique, fields["hub_id__c"].length) == (True, 36)
    assert fields["account_level"].options == {"1": "私人银行", "2": "贵宾", "3": "金卡", "4": "普通"}
    assert fields["parent_account_id"].lookup == "AccountObj"
    assert not fields["account_no"].writable
    assert not fields["last_modified_time"].writable
    assert fields["owner"].writable


def test_describe_shows_what_a_field_is_beyond_its_kind(vendor: RunningSimulator, make: Make) -> None:
    vendor.admin.settings(masked_fields=["tel"])
    fields = make().describe("AccountObj").fields
    assert (fields["back_reason"].options, fields["back_reason"].retired) == (
        {"1": "暂无需求", "2": "联系不上"},
        {"3": "电话黑名单"},
    )
    assert fields["account_level"].retired is None
    child = fields["industry_level2"]
    assert (child.parent, child.by_parent and child.by_parent["6"]) == ("industry_level1", ("651", "652"))
    assert fields["industry_level1"].by_parent is None
    assert fields["area_location"].members == ("country", "province", "city", "district", "address")
    assert fields["valid_period__c"].members == ("valid_from__c", "valid_to__c")
    computed = (
        "area_location",
        "valid_period__c",
        "contact_count__c",
        "shown_name__c",
        "parent_level__c",
        "account_no",
    )
    assert not any(fields[name].writable for name in computed)
    assert (fields["annual_income__c"].decimals, fields["name"].decimals) == (2, None)
    assert [name for name, field in fields.items() if field.masked] == ["tel"]


@pytest.mark.parametrize("position", ["data", "top"])
def test_describe_is_understood_wherever_the_vendor_looks_for_the_name(
    vendor: RunningSimulator, make: Make, position: str
) -> None:
    vendor.admin.settings(describe_position=position)
    assert make().describe("complaint__c").label == "投诉"


def test_a_retired_option_is_known_by_the_mark_of_the_tenant(vendor: RunningSimulator, make: Make) -> None:
    vendor.admin.settings(retired_mark="is_disable")
    assert make().describe("AccountObj").fields["back_reason"].retired is None
    known = make(retired_option_mark="is_disable").describe("AccountObj").fields["back_reason"]
    assert known.retired == {"3": "电话黑名单"}


def test_uniqueness_is_not_claimed_against_the_description(make: Make) -> None:
    assert not make(external_key_unique=False).capabilities("AccountObj").external_key_unique
    connector = make(external_key="customer_no__c")
    assert connector.capabilities("AccountObj").external_key_unique  # as set, nothing else is known
    connector.describe("AccountObj")
    assert not connector.capabilities("AccountObj").external_key_unique


def test_it_is_a_connector_and_closes_twice(make: Make) -> None:
    connector = make()
    assert isinstance(connector, Connector)
    connector.close()
    connector.close()


def test_the_default_pace_stays_within_a_hundred_calls_in_twenty_seconds(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    connector = make(rate_per_second=4.7, rate_burst=5)
    began = context.clock.now()
    for _ in range(60):
        connector.list_ids("AccountObj", None, 1)
    assert context.clock.now() - began >= (60 - 5) / 4.7 - 1


def test_the_vendors_own_window_is_honoured(vendor: RunningSimulator, make: Make, context: Context) -> None:
    connector = make()
    connector.list_ids("AccountObj", None, 1)
    vendor.admin.settings(calls_per_window=1)
    with pytest.raises(RateLimited) as caught:
        connector.list_ids("AccountObj", None, 1)
    assert caught.value.after == 20
    native_id = create(vendor)
    assert connector.fetch("AccountObj", [native_id], ())[native_id].native_id == native_id  # another interface


def test_the_days_calls_stop_and_outlive_a_restart(vendor: RunningSimulator, make: Make, context: Context) -> None:
    context.clock.offset += next_reset(context.clock.now()) - context.clock.now() + 3600
    for _ in range(2):
        connector = make(daily_calls=8)
        for _ in range(4):
            connector.list_ids("AccountObj", None, 1)
        connector.close()
    with pytest.raises(QuotaExhausted) as caught:
        make(daily_calls=8).list_ids("AccountObj", None, 1)
    assert caught.value.resets_at == next_reset(context.clock.now())
    context.clock.offset += caught.value.resets_at - context.clock.now() + 1
    make(daily_calls=8).list_ids("AccountObj", None, 1)
