"""Windows: closed by their first answer, read by ids or by offsets, halved at the wall."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fxiaoke_tenant import FIELDS, Context, Make, create, edit, settle

from connectors.base import Cursor, NativeRecord
from connectors.errors import ProtocolViolation
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.fxiaoke.cursors import Span
from connectors.fxiaoke.windows import after_page, halved, next_span
from connectors.simulation.server import RunningSimulator


def no_one(pages: int) -> None:
    """Is what happens between two pages when nothing happens."""


def walk(
    connector: FxiaokeConnector, cursor: Cursor | None, limit: int, between: Callable[[int], None] = no_one
) -> tuple[list[NativeRecord], Cursor, int]:
    found: list[NativeRecord] = []
    for pages in range(1, 500):
        page = connector.changes("AccountObj", FIELDS, cursor, limit)
        found += page.records
        cursor = page.next_cursor
        if page.complete:
            return found, cursor, pages
        between(pages)
    raise AssertionError("the stream does not end")


def live(vendor: RunningSimulator) -> set[str]:
    return {row["_id"] for row in vendor.admin.records("AccountObj") if not row["is_deleted"]}


def caught_up(vendor: RunningSimulator, context: Context, connector: FxiaokeConnector) -> Cursor:
    settle(vendor, context, 600)
    cursor = walk(connector, None, 100)[1]
    settle(vendor, context, 600)
    return cursor


def test_the_first_answer_closes_the_window_and_later_pages_stay_inside(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    cursor = caught_up(vendor, context, connector)
    ids = sorted(create(vendor) for _ in range(5))
    settle(vendor, context)
    opened_at = vendor.admin.post("clock", {})["now"]
    first = connector.changes("AccountObj", FIELDS, cursor, 2)
    closes = first.next_cursor["closes"]
    assert opened_at - 1 <= closes <= opened_at + 2, "by the server's clock"
    edit(vendor, ids[3], remark="与首页同一时刻")
    settle(vendor, context, 400)  # past the overlap
    edit(vendor, ids[4], remark="扫描之中")
    settle(vendor, context, 5)
    rest, cursor, _ = walk(connector, first.next_cursor, 2)
    assert sorted(r.native_id for r in (*first.records, *rest)) == ids[:4], "what changed meanwhile left the window"
    shown = {r.native_id: r.fields["remark"] for r in rest}
    assert shown[ids[3]] == "与首页同一时刻", "what changed as the window was opened is in it"
    found, _, _ = walk(connector, cursor, 100)
    assert {r.native_id: r.fields["remark"] for r in found}[ids[4]] == "扫描之中", "and is in the next one"


def test_a_position_of_an_earlier_release_goes_on_without_an_end(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    cursor = caught_up(vendor, context, connector)
    ids = sorted(create(vendor) for _ in range(3))
    settle(vendor, context)
    page = connector.changes("AccountObj", FIELDS, cursor, 2)
    old = {name: value for name, value in page.next_cursor.items() if name not in ("closes", "span")}
    rest, _, _ = walk(connector, old, 2)
    assert [r.native_id for r in rest] == ids[2:]


def test_a_late_replica_hides_no_edit(vendor: RunningSimulator, make: Make, context: Context) -> None:
    connector = make(index_lag=6.0)
    ids = [create(vendor) for _ in range(4)]
    cursor = caught_up(vendor, context, connector)
    vendor.admin.settings(replica_lag_seconds=5)
    last: dict[str, object] = {}
    for number in range(12):
        edit(vendor, ids[number % 4], remark=f"第{number}次")
        found, cursor, _ = walk(connector, cursor, 100)
        last |= {r.native_id: (int(r.version or 0), r.fields["remark"]) for r in found}
        settle(vendor, context, 1)
    settle(vendor, context, 6)
    for _ in range(2):
        found, cursor, _ = walk(connector, cursor, 100)
        last |= {r.native_id: (int(r.version or 0), r.fields["remark"]) for r in found}
    assert {native_id: last[native_id] for native_id in ids} == {
        native_id: (4, f"第{number + 8}次") for number, native_id in enumerate(ids)
    }


def test_ids_that_do_not_sort_as_text_stop_the_keyset_and_are_read_by_offsets(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    create(vendor)
    vendor.admin.settings(id_digits=32, id_order="length")
    long = [create(vendor) for _ in range(40)]
    settle(vendor, context, 60)
    short = len(live(vendor)) - len(long)
    with pytest.raises(ProtocolViolation, match="paging: offset"):
        walk(make(), None, short + 5)  # the long ones begin within a page
    connector = make(paging="offset")
    found, cursor, _ = walk(connector, None, 10)
    assert {r.native_id for r in found} == live(vendor)
    changed = long[3:30]
    for native_id in changed:
        edit(vendor, native_id, remark="改")
    settle(vendor, context, 2)
    found, _, _ = walk(connector, cursor, 10)
    assert {r.native_id for r in found} >= set(changed)
    listed: dict[str, str | None] = {}
    position, complete = None, False
    while not complete:
        page = connector.list_ids("AccountObj", position, 10)
        listed |= dict(page.ids)
        position, complete = page.next_cursor, page.complete
    assert set(listed) == live(vendor)
    assert len(make(paging="offset", page_limit=5).find("AccountObj", "remark", ["改"], ())) == len(changed)


def test_a_listing_that_skips_ids_at_the_end_of_a_page_says_that_more_are_counted(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    create(vendor)
    settle(vendor, context, 60)
    short = len([native_id for native_id in live(vendor) if len(native_id) == 24])
    vendor.admin.settings(id_digits=32, id_order="length")
    for _ in range(max(20, short)):
        create(vendor)
    settle(vendor, context, 60)
    cursor: Cursor | None = None
    while (page := connector.changes("AccountObj", FIELDS, cursor, short)) and not page.complete:
        assert page.counted is None
        cursor = page.next_cursor
    assert page.counted == len(live(vendor)), "the long ids that sort before the last short one were not delivered"
    vendor.admin.settings(id_order="text")
    vendor.admin.reset_calls()
    cursor, pages = None, 0
    while (page := connector.changes("AccountObj", FIELDS, cursor, short)) and not page.complete:
        cursor, pages = page.next_cursor, pages + 1
        if pages == 1:
            settle(vendor, context, 2)
            create(vendor)
            settle(vendor, context, 2)
    assert page.counted is None, "what came meanwhile explains the difference"


@pytest.mark.parametrize("total_cap", [0, 3])
def test_ranges_are_halved_at_the_wall_and_nobody_is_skipped_while_people_edit(
    vendor: RunningSimulator, make: Make, context: Context, total_cap: int
) -> None:
    connector = make(paging="offset")
    cursor = caught_up(vendor, context, connector)
    new = []
    for number in range(60):
        new.append(create(vendor, name=f"墙{number}"))
        if number % 8 == 0:
            settle(vendor, context, 1)
    settle(vendor, context, 30)
    vendor.admin.settings(max_offset=8, total_cap=total_cap)  # 10 rows at most are within reach
    edited: list[str] = []

    def between(page: int) -> None:
        if page % 3 == 0 and len(edited) < 12:
            edited.append(new[len(edited) * 5])
            edit(vendor, edited[-1], remark="边读边改")

    seen, cursor, _ = walk(connector, cursor, 2, between)
    assert len(edited) == 12
    assert {r.native_id for r in seen} >= set(new) - set(edited), "nobody but who was edited is skipped"
    settle(vendor, context, 30)
    later, _, _ = walk(connector, cursor, 2)
    assert {r.native_id for r in (*seen, *later)} >= set(new)


def test_more_equal_times_than_offsets_reach_are_an_error_with_its_remedy(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    cursor = caught_up(vendor, context, make(paging="offset"))
    now = int(vendor.admin.post("clock", {})["now"] * 1000)
    vendor.admin.post("plant", {"count": 14, "modified": now})
    settle(vendor, context, 30)
    vendor.admin.settings(max_offset=8)
    with pytest.raises(ProtocolViolation, match="paging: keyset"):
        walk(make(paging="offset"), cursor, 2)
    assert len({r.native_id for r in walk(make(), cursor, 2)[0]}) == 14, "by ids they are read"


@pytest.mark.parametrize(
    ("span", "rows", "total", "after"),
    [
        (Span(0, 9), 3, 3, None),
        (Span(0, 9), 10, 35, Span(0, 9, 30)),
        (Span(0, 9), 10, 0, Span(0, 9, 10)),
        (Span(0, 9), 10, 10, Span(0, 9, 10)),
        (Span(0, 9, 30), 10, 35, Span(0, 9, 40)),
        (Span(0, 9, 40), 0, 0, Span(0, 9, 30, climbing=False)),
        (Span(0, 9, 10, climbing=False), 10, 0, Span(0, 9, 0, climbing=False)),
        (Span(0, 9, 0, climbing=False), 10, 0, None),
    ],
)
def test_where_a_range_goes_on(span: Span, rows: int, total: int, after: Span | None) -> None:
    assert after_page(span, rows, total, 10) == after


def test_halves_and_the_ranges_behind() -> None:
    assert halved(Span(0, 9, 40)) == Span(0, 4)
    assert halved(Span(4, 5)) == Span(4, 4)
    assert halved(Span(4, 4)) is None
    assert next_span(Span(0, 4), (9, 12)) == Span(5, 9)
    assert next_span(Span(5, 9), (9, 12)) == Span(10, 12)
    assert next_span(Span(10, 12), (9, 12)) is None
