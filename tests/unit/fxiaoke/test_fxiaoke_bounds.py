"""Listings with a bound, and totals."""

from __future__ import annotations

from fxiaoke_tenant import FIELDS, Context, create, edit, settle

from connectors.base import Bound, Cursor
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.simulation.server import RunningSimulator


def listed(connector: FxiaokeConnector, bound: Bound, limit: int = 2) -> tuple[list[str], Cursor]:
    found: list[str] = []
    cursor: Cursor | None = None
    while True:
        page = connector.changes_from("AccountObj", FIELDS, cursor, limit, bound)
        found += [record.native_id for record in page.records]
        cursor = page.next_cursor
        if page.complete:
            return found, cursor


def test_what_was_created_before_is_left_out_and_a_later_edit_is_delivered(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    old = [create(vendor, name=f"旧{n}") for n in range(3)]
    settle(vendor, context, 86_400)
    bound = Bound("create_time", int((vendor.admin.post("clock", {})["now"] - 3600) * 1000))
    young = [create(vendor, name=f"新{n}") for n in range(5)]
    settle(vendor, context)
    found, cursor = listed(connector, bound)
    assert sorted(found) == sorted(young)
    ids = connector.list_ids_from("AccountObj", None, 100, bound).ids
    assert sorted(native_id for native_id, _ in ids) == sorted(young)
    assert connector.count("AccountObj", bound) == 5
    assert (connector.count("AccountObj", None) or 0) >= 8
    edit(vendor, old[0], remark="改")
    settle(vendor, context)
    page = connector.changes("AccountObj", FIELDS, cursor, 100)
    assert old[0] in [record.native_id for record in page.records]


def test_a_field_that_may_be_empty_leaves_nothing_out(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    ids = {create(vendor, name="甲", next_follow_up_at__c=1_000), create(vendor, name="乙")}
    settle(vendor, context)
    found, _ = listed(connector, Bound("next_follow_up_at__c", 2_000_000_000_000), 100)
    assert ids <= set(found)
