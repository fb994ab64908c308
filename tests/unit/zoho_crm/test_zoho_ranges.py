"""Listings in ranges of ids: complete whatever happens between two pages, and no call too many."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from zoho_lab import LabContext, connect

from connectors.base import Bound, NativeRecord
from connectors.errors import ProtocolViolation, QuotaExhausted, RateLimited, RetryLater

FIELDS = ("Hub_Id", "Last_Name", "Mobile", "Description")


def fill(org: Any, number: int, **fields: Any) -> None:
    org.admin.post(
        "fill",
        {
            "object": "Contacts",
            "number": number,
            "age": 86_400,
            "fields": {"Last_Name": "王{n}", "Hub_Id": "h{n}", **fields},
        },
    )


def ranged(org: Any, context: LabContext | None = None, **settings: Any) -> Any:
    return connect(
        org.url, context or org.context, **{"listing": "ranges", "workers": 4, "coql_page_size": 10, **settings}
    )


def drain(zoho: Any, cursor: Any = None, fields: tuple[str, ...] = FIELDS) -> tuple[list[NativeRecord], Any]:
    found: list[NativeRecord] = []
    while True:
        page = zoho.changes("Contacts", fields, cursor, 10)
        assert len(page.records) <= 10
        found += page.records
        cursor = page.next_cursor
        assert json.loads(json.dumps(cursor)) == cursor
        if page.complete:
            return found, cursor


def test_every_record_comes_once_in_the_fewest_calls(org: Any) -> None:
    fill(org, 205)
    zoho = ranged(org)
    org.admin.reset_calls()
    found, cursor = drain(zoho)
    assert sorted(record.fields["Hub_Id"] for record in found) == sorted(f"h{n}" for n in range(205))
    calls = org.admin.calls()["calls"]
    # 205 rows are 21 pages of 10; 4 ranges of 6 pages, 60 rows; so 3 cuts, and 6 + 6 + 6 + ceil(25 / 10) pages.
    # One count to cut by and one to compare with.
    assert {name: calls[name] for name in calls if name != "token"} == {"count Contacts": 2, "coql": 3 + 21}
    assert drain(zoho, cursor)[0] == []
    zoho.close()


@pytest.mark.parametrize("number", [0, 1, 19, 31])
def test_what_is_too_small_to_be_cut_is_one_chain(org: Any, number: int) -> None:
    fill(org, number)
    zoho = ranged(org)
    org.admin.reset_calls()
    assert len(drain(zoho)[0]) == number
    # 31 rows are 4 pages: two ranges of two pages are cut by one call, fewer are not.
    pages, cuts = max(1, -(-number // 10)), 1 if number > 30 else 0
    assert org.admin.calls()["calls"]["coql"] == pages + cuts


def test_the_first_page_is_read_alone_and_then_one_of_every_range(org: Any) -> None:
    fill(org, 205)
    zoho = ranged(org)
    first = zoho.changes("Contacts", FIELDS, None, 10)
    assert org.admin.calls()["calls"]["coql"] == 3 + 1
    zoho.changes("Contacts", FIELDS, first.next_cursor, 10)
    zoho.close()
    # What is read ahead is one page of each range at most: the page asked for and four that wait or were dropped.
    assert 3 + 2 <= org.admin.calls()["calls"]["coql"] <= 3 + 1 + 1 + 4


def unbegun(cursor: Any) -> Any:
    return cursor | {"place": {key: value for key, value in cursor["place"].items() if key != "begun"}}


def test_a_cursor_is_enough_to_go_on_from(org: Any) -> None:
    fill(org, 95)
    zoho, cursor, found = ranged(org), None, Counter[str]()
    complete = False
    while not complete:
        # Every page is asked for twice, then another instance takes over: what was read ahead never counts.
        page = zoho.changes("Contacts", FIELDS, cursor, 10)
        again = zoho.changes("Contacts", FIELDS, cursor, 10)
        assert [one.native_id for one in again.records] == [one.native_id for one in page.records]
        assert again.complete is page.complete
        # A listing begins now: asked for twice, it may begin in two seconds.
        assert page.complete or unbegun(again.next_cursor) == unbegun(page.next_cursor)
        found.update(one.native_id for one in page.records)
        cursor, complete = json.loads(json.dumps(page.next_cursor)), page.complete
        zoho.close()
        zoho = ranged(org, LabContext())
    zoho.close()
    assert set(found.values()) == {1}
    assert len(found) == 95


def test_what_changes_while_a_listing_goes_on_is_seen_by_the_next_poll(org: Any) -> None:
    fill(org, 95)
    zoho = ranged(org)
    ids = {row["Hub_Id"]: row["id"] for row in org.admin.records("Contacts")}
    page = zoho.changes("Contacts", FIELDS, None, 10)
    page = zoho.changes("Contacts", FIELDS, page.next_cursor, 10)
    # The pages of all four ranges may have been read ahead by now.
    for name in ("h0", "h30", "h55", "h94"):
        org.edit(ids[name], Mobile="+8613900000001")
    late = org.create("新")
    rest, cursor = drain(zoho, page.next_cursor)
    org.advance(5)
    later, _ = drain(zoho, cursor)
    newest = {one.native_id: one.fields["Mobile"] for one in [*rest, *later]}
    assert [newest[ids[name]] for name in ("h0", "h30", "h55", "h94")] == ["+8613900000001"] * 4
    assert late in newest
    zoho.close()


def test_a_page_of_an_earlier_listing_is_not_taken_for_one_of_the_next(org: Any) -> None:
    fill(org, 95)
    zoho = ranged(org)
    page = zoho.changes("Contacts", FIELDS, None, 10)
    zoho.changes("Contacts", FIELDS, page.next_cursor, 10)
    org.advance(600)
    for row in org.admin.records("Contacts"):
        org.edit(row["id"], Mobile="+8613900000001")
    org.advance(600)
    found, _ = drain(zoho)
    assert {one.fields["Mobile"] for one in found} == {"+8613900000001"}
    zoho.close()


def test_records_that_come_and_go_cost_no_others(org: Any) -> None:
    fill(org, 95)
    zoho = ranged(org)
    ids = {row["Hub_Id"]: row["id"] for row in org.admin.records("Contacts")}
    org.delete(ids["h40"])
    page = zoho.changes("Contacts", FIELDS, None, 10)
    org.admin.post("restore", {"object": "Contacts", "id": ids["h40"]})
    # The very record at which two ranges meet.
    edge = page.next_cursor["place"]["parts"][0][1]
    org.delete(edge)
    rest, cursor = drain(zoho, page.next_cursor)
    org.advance(5)
    later, _ = drain(zoho, cursor)
    seen = {one.native_id for one in (*page.records, *rest, *later)}
    assert seen >= set(ids.values()) - {edge}
    zoho.close()


def test_a_vendor_that_does_not_count_is_cut_until_nothing_is_left(org: Any) -> None:
    fill(org, 205)
    refusal = {"code": "NOT_SUPPORTED", "message": "not supported", "status": "error", "details": {}}
    org.fault("GET", ".*/actions/count", "vendor_error", status=400, body=refusal)
    zoho = ranged(org, coql_page_size=5)
    page = zoho.changes("Contacts", FIELDS, None, 10)
    # Ten pages of five rows a range: 205 rows are five ranges.
    assert len(page.next_cursor["place"]["parts"]) == 5
    rest, _ = drain(zoho, page.next_cursor)
    assert len({one.native_id for one in (*page.records, *rest)}) == 205
    zoho.close()


@pytest.mark.parametrize(("window", "parts"), [(100_000, 4), (50, 6), (20, 1)])
def test_a_vendor_whose_offsets_reach_less_far_is_cut_into_more_ranges_or_none(
    org: Any, monkeypatch: pytest.MonkeyPatch, window: int, parts: int
) -> None:
    monkeypatch.setattr("connectors.zoho_crm.ranges.OLDER_OFFSET", 40)
    org.admin.settings(coql_window=window)
    fill(org, 205)
    zoho = ranged(org)
    page = zoho.changes("Contacts", FIELDS, None, 10)
    # 205 rows in 4 ranges of 60; with offsets of 40 rows at most, 6 ranges of 40; with fewer, one chain.
    assert len(page.next_cursor["place"]["parts"]) == parts
    rest, _ = drain(zoho, page.next_cursor)
    assert len({one.native_id for one in (*page.records, *rest)}) == 205
    zoho.close()


def test_enumeration_and_bounds_go_by_ranges_too(org: Any) -> None:
    fill(org, 60, Next_Follow_Up_At="2023-12-31T23:59:59+08:00")
    fill(org, 50, Next_Follow_Up_At="2024-06-01T00:00:00+08:00", Hub_Id="j{n}")
    zoho, cursor, ids = ranged(org), None, Counter[str]()
    while True:
        shown = zoho.list_ids("Contacts", cursor, 10)
        ids.update(native_id for native_id, _ in shown.ids)
        cursor = shown.next_cursor
        if shown.complete:
            break
    assert len(ids) == 110
    assert set(ids.values()) == {1}
    bound, young, cursor = Bound("Next_Follow_Up_At", "2024-01-01T00:00:00+08:00"), set(), None
    while True:
        page = zoho.changes_from("Contacts", FIELDS, cursor, 10, bound)
        young |= {one.fields["Hub_Id"] for one in page.records}
        cursor = page.next_cursor
        if page.complete:
            break
    assert young == {f"j{n}" for n in range(50)}
    zoho.close()


@pytest.mark.parametrize("action", ["http_429", "http_500", "truncated_json", "http_502_html"])
def test_a_call_that_fails_ends_no_listing_and_loses_nothing(org: Any, action: str) -> None:
    fill(org, 205)
    zoho = ranged(org)
    page = zoho.changes("Contacts", FIELDS, None, 10)
    org.admin.faults([{"match": {"method": "POST", "path_regex": "/coql$"}, "action": action, "every": 4}])
    found, cursor, failures = list(page.records), page.next_cursor, 0
    while True:
        try:
            page = zoho.changes("Contacts", FIELDS, cursor, 10)
        except (RateLimited, RetryLater, ProtocolViolation):
            failures += 1
            continue
        found += page.records
        cursor = page.next_cursor
        if page.complete:
            break
    zoho.close()
    assert len(found) == 205
    assert len({one.native_id for one in found}) == 205
    assert failures <= 20


def test_a_spent_quota_is_said_at_once_and_the_cursor_goes_on_afterwards(org: Any) -> None:
    fill(org, 205)
    zoho = ranged(org)
    page = zoho.changes("Contacts", FIELDS, None, 10)
    used = 100_000_000
    org.admin.settings(credits_per_day=1)
    with pytest.raises(QuotaExhausted):
        drain(zoho, page.next_cursor)
    org.admin.settings(credits_per_day=used)
    org.advance(400)
    rest, _ = drain(zoho, page.next_cursor)
    assert len({one.native_id for one in (*page.records, *rest)}) == 205
    zoho.close()


def test_a_page_that_leaves_its_range_is_a_violation(org: Any) -> None:
    fill(org, 95)
    zoho = ranged(org)
    first = zoho.changes("Contacts", FIELDS, None, 10)
    row = {"id": "1", "Modified_Time": "2026-01-01T00:00:00+08:00", "Modified_By": None}
    body = {"data": [row], "info": {"more_records": True}}
    match = {"method": "POST", "path_regex": "/coql$"}
    org.admin.faults([{"match": match, "action": "vendor_error", "status": 200, "body": body}])
    with pytest.raises(ProtocolViolation):
        zoho.changes("Contacts", FIELDS, first.next_cursor, 10)
    org.admin.faults([])
    zoho.close()


def test_at_most_so_many_calls_are_made_at_once(org: Any) -> None:
    fill(org, 205)
    org.admin.settings(sub_concurrency=2, latency_ms=20.0)
    zoho = connect(org.url, LabContext(), listing="ranges", workers=2, coql_page_size=10)
    assert len(drain(zoho)[0]) == 205
    assert org.admin.calls()["statuses"].get("429", 0) == 0
    zoho.close()
