"""60,000 customers, 25,000 of them changed in one millisecond, read while people work: nobody is missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fxiaoke_tenant import Context, Make, create, edit, settle

from connectors.base import Cursor
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.simulation.server import RunningSimulator

FIELDS = ("name", "remark")
PAGE, EQUAL, OTHERS, CHANGED = 100, 25_000, 35_000, 37
DAY = 86_400_000


class Reading:
    """Is what a stream showed, and how many calls that took by the vendor's own count."""

    def __init__(self, vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
        self.vendor, self.connector = vendor, connector
        self.remarks: dict[str, Any] = {}
        self.rows = self.calls = 0

    def read(self, cursor: Cursor | None, between: Callable[[int], None] = lambda page: None) -> Cursor:
        self.vendor.admin.reset_calls()
        self.remarks, self.rows, pages = {}, 0, 0
        while True:
            page = self.connector.changes("AccountObj", FIELDS, cursor, PAGE)
            pages += 1
            self.rows += len(page.records)
            self.remarks |= {record.native_id: record.fields["remark"] for record in page.records}
            assert page.counted is None, "the vendor counts what was delivered"
            if page.complete:
                self.calls = self.vendor.admin.calls()["total"]
                return page.next_cursor
            cursor = page.next_cursor
            between(pages)


def stored(vendor: RunningSimulator) -> dict[str, Any]:
    rows = vendor.admin.records("AccountObj")
    return {row["_id"]: row.get("remark") for row in rows if not row["is_deleted"]}


@pytest.mark.slow
def test_everybody_is_seen_while_people_work_and_37_changes_cost_one_call(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    connector = make()
    now = int(vendor.admin.post("clock", {})["now"] * 1000)
    vendor.admin.post("plant", {"count": OTHERS // 2, "modified": now - 90 * DAY, "step": 1000})
    vendor.admin.settings(id_digits=32)
    vendor.admin.post("plant", {"count": OTHERS // 2, "modified": now - 60 * DAY, "step": 1000})
    vendor.admin.settings(id_digits=24)
    first = Reading(vendor, connector)
    # People work while the listing goes on: they edit behind and before it, and make and invalidate customers.
    edited, made, dropped = [], [], []

    def work(page: int) -> None:
        if page % 50 == 0:
            known = sorted(first.remarks)
            edited.append(known[len(known) // 2])
            edit(vendor, edited[-1], remark=f"页{page}")
            made.append(create(vendor, name="新客"))
            dropped.append(known[len(known) // 3])
            vendor.admin.post("delete", {"id": dropped[-1]})

    cursor = first.read(None, work)
    # 350 full pages of those who were there, and perhaps newcomers on the last; then the count, and what changed.
    assert first.rows // PAGE + 1 <= first.calls <= first.rows // PAGE + 3
    assert set(first.remarks) >= stored(vendor).keys() - set(made), "nobody who was there is missed"
    settle(vendor, context, 5)

    # An import changes 25,000 at one instant; the window that holds them is read while people work.
    at = int(vendor.admin.post("clock", {})["now"] * 1000)
    vendor.admin.post("plant", {"count": EQUAL, "modified": at})
    settle(vendor, context, 5)
    second = Reading(vendor, connector)
    late: list[str] = []

    def work_on(page: int) -> None:
        if page % 40 == 0:
            known = sorted(second.remarks)
            late.extend((known[0], known[-1]))
            edit(vendor, known[0], remark=f"窗{page}")
            edit(vendor, known[-1], remark=f"窗{page}")

    cursor = second.read(cursor, work_on)
    assert second.rows // PAGE + 1 == second.calls, "every page is full but the last; no other call"
    assert second.rows >= EQUAL
    settle(vendor, context, 5)
    third = Reading(vendor, connector)
    cursor = third.read(cursor)
    assert set(late) <= set(third.remarks), "what was edited during the scan is in the next window"
    seen = {**first.remarks, **second.remarks, **third.remarks}
    for native_id in dropped:
        del seen[native_id]
    assert seen == stored(vendor), "every record, with its last value, by the vendor's own list"
    assert len(seen) >= 60_000 - len(dropped)

    settle(vendor, context, 600)
    cursor = third.read(cursor)
    settle(vendor, context, 600)
    changed = sorted(seen)[:: len(seen) // CHANGED][:CHANGED]
    for native_id in changed:
        edit(vendor, native_id, remark="三十七")
    settle(vendor, context, 5)
    last = Reading(vendor, connector)
    last.read(cursor)
    # A page holds 100: the least number of calls that can show 37 changes and that there are no more is one.
    assert last.calls == CHANGED // PAGE + 1 == 1
    assert last.remarks == dict.fromkeys(changed, "三十七")
