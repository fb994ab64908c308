"""A listing is compared with what the vendor counts, and a difference is said only where nothing explains it."""

from __future__ import annotations

from typing import Any

import pytest

FIELDS = ("Last_Name",)


def fill(org: Any, number: int) -> None:
    fields = {"Last_Name": "王{n}", "Hub_Id": "h{n}"}
    org.admin.post("fill", {"object": "Contacts", "number": number, "age": 86_400, "fields": fields})


def last_page(zoho: Any, cursor: Any = None) -> Any:
    while True:
        page = zoho.changes("Contacts", FIELDS, cursor, 4)
        cursor = page.next_cursor
        if page.complete:
            return page
        assert page.counted is None


@pytest.mark.parametrize("listing", ["list", "coql", "ranges"])
def test_a_listing_that_agrees_costs_one_call_and_says_nothing(org: Any, listing: str) -> None:
    fill(org, 30)
    zoho = org.connect(listing=listing, coql_page_size=4)
    before = org.admin.calls()["calls"].get("count Contacts", 0)
    assert last_page(zoho).counted is None
    # Cutting into ranges counts before; the comparison counts once after the last page.
    assert org.admin.calls()["calls"]["count Contacts"] - before == (2 if listing == "ranges" else 1)
    zoho.close()


@pytest.mark.parametrize("listing", ["list", "coql", "ranges"])
@pytest.mark.parametrize("counted", [29, 31, 500])
def test_a_listing_that_differs_from_the_count_says_so(org: Any, listing: str, counted: int) -> None:
    fill(org, 30)
    zoho = org.connect(listing=listing, coql_page_size=4)
    page = zoho.changes("Contacts", FIELDS, None, 4)
    match = {"method": "GET", "path_regex": "/actions/count$"}
    org.admin.faults([{"match": match, "action": "vendor_error", "status": 200, "body": {"count": counted}}])
    assert last_page(zoho, page.next_cursor).counted == counted
    zoho.close()


def test_what_changed_meanwhile_explains_a_difference(org: Any) -> None:
    fill(org, 30)
    first = org.zoho.changes("Contacts", FIELDS, None, 4)
    ids = [row["id"] for row in org.admin.records("Contacts")]
    # Three records that were listed go, two that were not are changed: up to five may differ.
    for native_id in sorted(ids)[:3]:
        org.delete(native_id)
    for native_id in sorted(ids)[-2:]:
        org.edit(native_id, Mobile="+8613900000001")
    match = {"method": "GET", "path_regex": "/actions/count$"}
    for counted, said in ((27, None), (25, None), (24, 24)):
        body = {"count": counted}
        org.admin.faults([{"match": match, "action": "vendor_error", "status": 200, "body": body}])
        assert last_page(org.zoho, first.next_cursor).counted == said


def test_nothing_is_counted_for_one_page_or_where_the_vendor_does_not_count(org: Any) -> None:
    fill(org, 3)
    assert last_page(org.zoho).counted is None
    assert "count Contacts" not in org.admin.calls()["calls"]
    fill(org, 30)
    refusal = {"code": "NOT_SUPPORTED", "message": "not supported", "status": "error", "details": {}}
    match = {"method": "GET", "path_regex": "/actions/count$"}
    org.admin.faults([{"match": match, "action": "vendor_error", "status": 400, "body": refusal}])
    assert last_page(org.zoho).counted is None
