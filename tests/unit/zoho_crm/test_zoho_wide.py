"""Records of many columns and long listings: complete, in the calls that the arithmetic of each test allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from zoho_lab import connect

from connectors.base import NativeRecord

EXTRA = tuple(f"Extra_{n}" for n in range(118))
WIDE = ("Hub_Id", "Account_Name", *EXTRA)
"""120 mapped fields; Modified_Time and Modified_By come along, so 122 columns."""
COUNTED = {"count Accounts": 1}
"""A listing of several pages is compared with the count of its module."""


def widen(org: Any, number: int) -> None:
    org.admin.post("fields", {"object": "Accounts", "add": [f"{name} text/80" for name in EXTRA]})
    values = dict.fromkeys(EXTRA, "值{n}")
    fields = {"Hub_Id": "h{n}", "Account_Name": "单位{n}", **values}
    org.admin.post("fill", {"object": "Accounts", "number": number, "age": 86_400, "fields": fields})
    org.admin.reset_calls()


def drain(zoho: Any, fields: Sequence[str], cursor: Any = None) -> tuple[list[NativeRecord], Any]:
    found: list[NativeRecord] = []
    limit = zoho.capabilities("Accounts").page_size
    while True:
        page = zoho.changes("Accounts", fields, cursor, limit)
        found += page.records
        cursor = page.next_cursor
        if page.complete:
            return found, cursor


def calls(org: Any) -> dict[str, int]:
    counted: dict[str, int] = org.admin.calls()["calls"]
    return {name: number for name, number in counted.items() if name != "token"}


def complete(found: Sequence[NativeRecord], number: int) -> None:
    by_name = {one.fields["Hub_Id"]: one.fields for one in found}
    assert set(by_name) == {f"h{n}" for n in range(number)}
    assert len(found) == number
    for n in range(number):
        fields = by_name[f"h{n}"]
        assert fields.keys() == set(WIDE)
        assert {fields[name] for name in EXTRA} == {f"值{n}"}


@pytest.mark.slow
def test_ten_thousand_five_hundred_records_of_120_fields_arrive_complete(org: Any) -> None:
    widen(org, 10_500)
    found, cursor = drain(org.zoho, WIDE)
    complete(found, 10_500)
    # 122 columns are 3 queries of 49, 48 and 25 columns; 10,500 rows are 6 pages of 2,000: 18 calls. A list would take
    # 53 pages and 2 further reads of 100 ids for each 100 rows, 53 + 210 = 263.
    assert calls(org) == {"coql": 3 * 6, **COUNTED}
    org.admin.reset_calls()
    ids = [one.native_id for one in found[::284]]
    assert len(ids) == 37
    for native_id in ids:
        org.admin.post("edit", {"object": "Accounts", "id": native_id, "fields": {"Extra_117": "改后"}})
    org.advance(5)
    polled, cursor = drain(org.zoho, WIDE, cursor)
    assert {one.native_id for one in polled} == set(ids)
    assert {one.fields["Extra_117"] for one in polled} == {"改后"}
    # One page of the changes shows 50 columns; 72 more are two reads of 37 ids.
    assert calls(org) == {"list Accounts": 1 + 2}
    org.admin.reset_calls()
    assert drain(org.zoho, WIDE, cursor)[0] == []
    assert calls(org) == {"list Accounts": 1}


def test_lists_join_wide_records_too(org: Any) -> None:
    widen(org, 450)
    found, _ = drain(org.connect(listing="list"), WIDE)
    complete(found, 450)
    # Pages of 200, 200 and 50 rows, each with two further reads of at most 100 ids: 3 + (4 + 4 + 2).
    assert calls(org) == {"list Accounts": 13, **COUNTED}


def test_a_poll_with_37_changes_is_one_call(org: Any) -> None:
    fields = {"Account_Name": "单位{n}"}
    org.admin.post("fill", {"object": "Accounts", "number": 500, "age": 86_400, "fields": fields})
    found, cursor = drain(org.zoho, ("Account_Name", "Phone"))
    for one in found[:37]:
        org.admin.post("edit", {"object": "Accounts", "id": one.native_id, "fields": {"Phone": "021-5555"}})
    org.advance(5)
    org.admin.reset_calls()
    polled, cursor = drain(org.zoho, ("Account_Name", "Phone"), cursor)
    assert len(polled) == 37
    assert calls(org) == {"list Accounts": 1}
    org.advance(600)
    org.admin.reset_calls()
    again, cursor = drain(org.zoho, ("Account_Name", "Phone"), cursor)
    quiet, cursor = drain(org.zoho, ("Account_Name", "Phone"), cursor)
    # A list may show a change late, so the last changes are read again once, and then never.
    assert (len(again), len(quiet)) == (37, 0)
    assert calls(org) == {"list Accounts": 2}


def test_a_listing_past_2000_rows_follows_tokens(org: Any) -> None:
    org.admin.post(
        "fill", {"object": "Accounts", "number": 2_500, "age": 86_400, "fields": {"Account_Name": "单位{n}"}}
    )
    org.admin.reset_calls()
    found, _ = drain(org.connect(listing="list"), ("Account_Name",))
    assert len({one.native_id for one in found}) == 2_500
    # 12.5 pages of 200 rows.
    assert calls(org) == {"list Accounts": 13, **COUNTED}


@pytest.mark.slow
def test_a_listing_past_100_000_rows_goes_on_by_query(org: Any) -> None:
    org.admin.post("fill", {"object": "Accounts", "number": 104_500, "age": 86_400, "fields": {"Hub_Id": "h{n}"}})
    org.admin.reset_calls()
    found, _ = drain(org.connect(listing="list"), ("Hub_Id",))
    assert len({one.native_id for one in found}) == 104_500
    # Tokens reach 100,000 rows, 500 pages of 200; 4,500 more are three queries of at most 2,000.
    assert calls(org) == {"list Accounts": 500, "coql": 3, **COUNTED}
    org.admin.reset_calls()
    zoho = connect(org.url, org.context, listing="ranges", workers=8)
    found, _ = drain(zoho, ("Hub_Id",))
    zoho.close()
    assert len({one.native_id for one in found}) == 104_500
    # 53 pages of 2,000 in 8 ranges of 7 pages, 14,000 rows: one count to cut by, ceil(104,500 / 14,000) - 1 = 7 cuts,
    # 53 pages, and one count to compare with.
    assert calls(org) == {"count Accounts": 2, "coql": 7 + 53}


def test_a_vendor_with_the_older_limit_is_asked_for_less(org: Any) -> None:
    org.admin.settings(coql_rows=200)
    org.admin.post("fill", {"object": "Accounts", "number": 450, "age": 86_400, "fields": {"Hub_Id": "h{n}"}})
    org.admin.reset_calls()
    found, _ = drain(org.connect(listing="coql"), ("Hub_Id",))
    assert len(found) == 450
    # One query is refused for its 2,000 rows; then 200 + 200 + 50.
    assert calls(org) == {"coql": 1 + 3, **COUNTED}


def test_a_column_that_a_query_cannot_select_is_read_by_id_and_one_that_nobody_sees_is_left_out(org: Any) -> None:
    org.admin.post("fields", {"object": "Accounts", "add": ["Lines subform"]})
    fields = {"Hub_Id": "h{n}", "Phone": "021-5555", "Lines": [{"Amount": 1}]}
    org.admin.post("fill", {"object": "Accounts", "number": 30, "age": 86_400, "fields": fields})
    org.admin.post("hide_field", {"object": "Accounts", "field": "Fax", "hidden": True})
    found, _ = drain(org.connect(listing="coql"), ("Hub_Id", "Phone", "Fax", "Lines"))
    assert len(found) == 30
    assert all(one.fields["Phone"] == "021-5555" and one.fields["Lines"] == [{"Amount": 1}] for one in found)
    assert not any("Fax" in one.fields for one in found)


def test_an_answer_that_is_too_large_is_asked_for_in_smaller_pages(org: Any) -> None:
    text = "满" * 30_000
    fields = {"Hub_Id": "h{n}", "Description": text}
    org.admin.post("fill", {"object": "Accounts", "number": 240, "age": 86_400, "fields": fields})
    found, _ = drain(org.connect(listing="coql"), ("Hub_Id", "Description"))
    # 240 texts of 90,000 bytes are 21 MB, twice what a connection takes in one answer.
    assert len({one.native_id for one in found}) == 240
    assert all(one.fields["Description"] == text for one in found)
