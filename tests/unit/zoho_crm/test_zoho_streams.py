"""Reading: complete listings past every wall, walks that miss nothing, idle polls of one call."""

from __future__ import annotations

import json
from typing import Any

import pytest
from zoho_lab import LabContext

from connectors.base import Bound, Gone, NativeRecord, NotVisible
from connectors.errors import CursorExpired, ProtocolViolation, SchemaDrift, Unsupported


def test_a_listing_delivers_everything_and_an_idle_poll_is_one_call(org: Any) -> None:
    ids = {org.create(f"王{n}", Hub_Id=f"h{n}") for n in range(7)}
    org.advance(600)
    listed = org.drain(limit=3)
    assert set(listed.ids) == ids
    assert listed.pages == 3
    before = sum(org.calls().values())
    idle = org.drain(listed.cursor)
    assert (idle.ids, sum(org.calls().values()) - before) == ([], 1)
    assert json.loads(json.dumps(idle.cursor)) == idle.cursor


def test_records_carry_what_was_present_with_version_and_actor(org: Any) -> None:
    native_id = org.create("𠮷田", Hub_Id="h1", Mobile="+8613800000000")
    (record,) = org.drain().records
    assert record.native_id == native_id
    assert record.fields["Last_Name"] == "𠮷田"
    assert record.fields["Email"] is None
    assert record.version is not None
    assert record.version.endswith("Z")
    assert record.modified_by == org.stored(native_id)["Modified_By"]["id"]
    assert "13800000000" not in repr(record)


def test_an_edit_is_delivered_by_the_next_poll(org: Any) -> None:
    native_id = org.create()
    org.advance(600)
    cursor = org.drain().cursor
    org.edit(native_id, Mobile="+8613900000001")
    polled = org.drain(cursor)
    assert [r.fields["Mobile"] for r in polled.records] == ["+8613900000001"]


def test_a_vendor_whose_since_is_exclusive_is_asked_from_a_second_earlier(org: Any) -> None:
    native_id = org.create()
    org.advance(600)
    zoho = org.connect(if_modified_since_inclusive=False)
    cursor = org.drain(zoho=zoho).cursor
    org.edit(native_id, Mobile="+8613900000001")
    org.advance(60)
    first = org.drain(cursor, zoho=zoho)
    org.advance(60)
    again = org.drain(first.cursor, zoho=zoho)
    assert first.ids == again.ids == [native_id]


def test_a_burst_is_read_again_once_and_then_never(org: Any) -> None:
    for n in range(5):
        org.create(f"王{n}")
    org.advance(600)
    cursor = org.drain().cursor
    for n in range(5):
        org.create(f"李{n}")
    org.advance(30)
    sizes = []
    for passed in (0, 10, 130, 1, 130, 130):
        org.advance(passed)
        polled = org.drain(cursor, limit=2)
        cursor = polled.cursor
        sizes.append(len(polled.ids))
    assert sizes[0] == 5
    assert sizes[1] == 0
    assert sum(sizes[2:]) <= 5
    assert sizes[-2:] == [0, 0]


def test_a_row_that_the_list_shows_later_than_declared_is_still_seen(org: Any) -> None:
    native_id = org.create()
    org.advance(600)
    cursor = org.drain().cursor
    org.admin.settings(list_lag=60.0)
    org.edit(native_id, Mobile="+8613900000001")
    org.advance(20)
    other = org.create("新")
    seen: list[str] = []
    for _ in range(6):
        polled = org.drain(cursor)
        cursor, seen = polled.cursor, seen + polled.ids
        org.advance(45)
    assert native_id in seen
    assert other in seen


def test_records_of_one_second_are_all_delivered_however_small_the_page(org: Any) -> None:
    org.create()
    org.advance(600)
    cursor = org.drain().cursor
    org.admin.post("clock", {"freeze": True})
    ids = {org.create(f"王{n}") for n in range(9)}
    org.admin.post("clock", {"freeze": False})
    assert ids <= set(org.drain(cursor, limit=2).ids)


def test_an_edit_between_two_pages_of_a_listing_is_delivered(org: Any) -> None:
    ids = [org.create(f"王{n}") for n in range(4)]
    first = org.zoho.changes("Contacts", ("Mobile",), None, 2)
    org.edit(ids[0], Mobile="+8613900000001")
    org.edit(ids[3], Mobile="+8613900000003")
    rest = org.drain(first.next_cursor, limit=2)
    later = org.drain(rest.cursor)
    newest = {r.native_id: r.fields["Mobile"] for r in [*rest.records, *later.records]}
    assert (newest[ids[0]], newest[ids[3]]) == ("+8613900000001", "+8613900000003")


@pytest.mark.parametrize("unreadable", [["Tag"], ["Description"]])
def test_a_listing_goes_on_past_the_token_wall(org: Any, unreadable: list[str]) -> None:
    ids = {org.create(f"王{n}", Description=f"备注{n}") for n in range(11)}
    org.admin.settings(token_rows=4)
    # The connector believes in a higher wall than there is, and is told by the vendor.
    zoho = org.connect(coql_unreadable=unreadable)
    listed = org.drain(limit=2, zoho=zoho)
    assert sorted(listed.ids) == sorted(ids)
    assert all(r.fields["Description"] for r in listed.records)


def test_a_listing_may_use_coql_throughout(org: Any) -> None:
    ids = {org.create(f"王{n}") for n in range(5)}
    listed = org.drain(zoho=org.connect(listing="coql"))
    assert set(listed.ids) == ids
    assert org.calls() == {"coql Contacts": 1}


@pytest.mark.parametrize("expire", ["token", "fields", "limit"])
def test_a_listing_survives_a_lost_page_token(org: Any, expire: str) -> None:
    ids = [org.create(f"王{n}") for n in range(6)]
    first = org.zoho.changes("Contacts", ("Mobile",), None, 2)
    fields, limit = ("Mobile",), 2
    if expire == "token":
        org.admin.advance(90_000)
    elif expire == "fields":
        fields = ("Mobile", "Email")
    else:
        limit = 3
    got = [r.native_id for r in first.records]
    page = first
    while not page.complete:
        page = org.zoho.changes("Contacts", fields, page.next_cursor, limit)
        got += [r.native_id for r in page.records]
    assert sorted(got) == sorted(ids)


def test_a_walk_survives_a_lost_page_token(org: Any) -> None:
    org.create()
    org.advance(600)
    cursor = org.drain().cursor
    ids = set()
    for n in range(6):
        ids.add(org.create(f"李{n}"))
        org.advance(2)
    first = org.zoho.changes("Contacts", ("Mobile",), cursor, 2)
    org.admin.advance(90_000)
    got = {r.native_id for r in first.records} | set(org.drain(first.next_cursor, limit=2).ids)
    assert ids <= got


def test_a_vendor_that_refuses_tokens_with_since_is_walked_in_time_or_started_over(org: Any) -> None:
    org.create()
    org.advance(600)
    cursor = org.drain().cursor
    org.admin.settings(since_with_page_token=False)
    ids = set()
    for n in range(6):
        ids.add(org.create(f"李{n}"))
        org.advance(2)
    assert ids <= set(org.drain(cursor, limit=2).ids)
    org.admin.post("clock", {"freeze": True})
    for n in range(6):
        org.create(f"赵{n}")
    with pytest.raises(CursorExpired):
        org.drain(cursor, limit=2)


def test_a_repeated_page_token_is_a_violation(org: Any) -> None:
    for n in range(4):
        org.create(f"王{n}")
    first = org.zoho.changes("Contacts", ("Mobile",), None, 2)
    token = first.next_cursor["place"]["token"]
    row = {"id": "1", "Modified_Time": "2026-01-01T00:00:00+08:00"}
    body = {"data": [row], "info": {"more_records": True, "next_page_token": token}}
    org.fault("GET", "/Contacts$", "vendor_error", status=200, body=body)
    with pytest.raises(ProtocolViolation):
        org.zoho.changes("Contacts", ("Mobile",), first.next_cursor, 2)


def test_a_page_without_a_token_is_gone_on_from_by_id_or_time(org: Any) -> None:
    ids = [org.create(f"王{n}") for n in range(5)]
    listed = {r.native_id: r for r in org.drain().records}

    def page(*shown: str) -> dict[str, Any]:
        rows = [{"id": one, "Modified_Time": listed[one].version.replace("Z", "+00:00")} for one in shown]
        return {"data": rows, "info": {"more_records": True, "next_page_token": None}}

    org.fault("GET", "/Contacts$", "vendor_error", status=200, body=page(*ids[:2]))
    assert sorted(org.drain(limit=2).ids) == sorted(ids)
    org.advance(600)
    cursor = org.drain().cursor
    for native_id in ids:
        org.edit(native_id, Mobile="+8613900000001")
        org.advance(2)
    listed = {r.native_id: r for r in org.drain(cursor).records}
    org.fault("GET", "/Contacts$", "vendor_error", status=200, body=page(*ids[:2]))
    assert set(org.drain(cursor, limit=2).ids) == set(ids)


@pytest.mark.parametrize(
    "body",
    [{"data": [{"no": "id"}], "info": {"more_records": False}}, {"data": [{"id": "1"}]}, {"data": {}}, [1], "text"],
)
def test_a_broken_page_is_never_an_empty_one(org: Any, body: object) -> None:
    org.create()
    org.fault("GET", "/Contacts$", "vendor_error", status=200, body=body)
    with pytest.raises(ProtocolViolation):
        org.zoho.changes("Contacts", ("Mobile",), None, 200)


@pytest.mark.parametrize("strange", [{}, {"mode": "walking"}, {"v": 9, "place": 1}])
def test_a_foreign_cursor_is_refused(org: Any, strange: dict[str, Any]) -> None:
    with pytest.raises(CursorExpired):
        org.zoho.changes("Contacts", ("Mobile",), strange, 200)
    listed = org.drain()
    with pytest.raises(CursorExpired):
        org.zoho.changes("Accounts", ("Phone",), listed.cursor, 200)
    with pytest.raises(CursorExpired):
        org.zoho.deletions("Contacts", listed.cursor, 200)


def test_more_than_fifty_fields_are_joined_on_the_id(org: Any) -> None:
    ids = {org.create(f"王{n}", Description="备注") for n in range(3)}
    fields = tuple(org.zoho.describe("Contacts").fields)
    rest = [name for name in fields if name != "Description"]
    fields = (*rest, *(f"Not_There_{n}" for n in range(60)), "Description")
    before = sum(org.calls().values())
    page = org.zoho.changes("Contacts", fields, None, 200)
    assert {r.native_id for r in page.records} == ids
    assert all(r.fields["Description"] == "备注" for r in page.records)
    assert not any("Not_There_1" in r.fields for r in page.records)
    assert 2 <= sum(org.calls().values()) - before <= 3


def test_an_object_outside_the_settings_is_drift_without_a_call(org: Any) -> None:
    with pytest.raises(SchemaDrift):
        org.zoho.changes("Deals", ("Deal_Name",), None, 200)
    assert org.calls() == {}
    with pytest.raises(SchemaDrift):
        org.connect(objects=["Nowhere"]).changes("Nowhere", ("Name",), None, 200)


# --- deletes, strong reads, enumeration -------------------------------------------------------------------------------


def test_deletes_come_by_their_own_feed_and_an_idle_poll_is_one_call(org: Any) -> None:
    kept, gone = org.create("王"), org.create("李")
    org.delete(gone)
    page = org.zoho.deletions("Contacts", None, 200)
    assert [(r.native_id, r.deleted, dict(r.fields)) for r in page.records] == [(gone, True, {})]
    assert page.complete
    org.advance(600)
    cursor = org.zoho.deletions("Contacts", page.next_cursor, 200).next_cursor
    before = sum(org.calls().values())
    assert org.zoho.deletions("Contacts", cursor, 200).records == ()
    assert sum(org.calls().values()) - before == 1
    org.delete(kept)
    assert [r.native_id for r in org.zoho.deletions("Contacts", cursor, 200).records] == [kept]


def test_the_delete_feed_is_paged_and_says_where_it_ends(org: Any) -> None:
    ids = {org.create(f"王{n}") for n in range(7)}
    cursor = org.zoho.deletions("Contacts", None, 2).next_cursor
    for native_id in ids:
        org.delete(native_id)
    seen: set[str] = set()
    page = org.zoho.deletions("Contacts", cursor, 2)
    seen |= {r.native_id for r in page.records}
    while not page.complete:
        page = org.zoho.deletions("Contacts", page.next_cursor, 2)
        seen |= {r.native_id for r in page.records}
    assert seen == ids


def test_a_delete_feed_longer_than_its_wall_expires_the_cursor(org: Any) -> None:
    org.delete(org.create("王"))
    zoho = org.connect(deleted_window_rows=200, overlap=0.0)
    cursor = zoho.deletions("Contacts", None, 100).next_cursor
    for n in range(250):
        org.delete(org.create(f"李{n}"))
    page = zoho.deletions("Contacts", cursor, 100)
    with pytest.raises(CursorExpired):
        zoho.deletions("Contacts", page.next_cursor, 100)


def test_without_the_feed_deletes_are_declared_absent(org: Any) -> None:
    zoho = org.connect(deleted_feed=False)
    assert zoho.capabilities("Contacts").deletes == "none"
    with pytest.raises(Unsupported):
        zoho.deletions("Contacts", None, 200)
    gone = org.create()
    org.delete(gone)
    assert zoho.fetch("Contacts", [gone], ("Mobile",)) == {gone: NotVisible(gone)}


@pytest.mark.parametrize("status", [204, 400])
@pytest.mark.parametrize("hidden_get", ["NO_PERMISSION", "absent"])
def test_fetch_answers_for_every_id(org: Any, status: int, hidden_get: str) -> None:
    org.admin.settings(absent_get_status=status, hidden_get=hidden_get)
    live, gone, hidden = org.create("王"), org.create("李"), org.create("赵")
    org.delete(gone)
    org.admin.post("hide", {"object": "Contacts", "id": hidden})
    never, strange = "5843104000009999999", "not-an-id"
    found = org.zoho.fetch("Contacts", [live, gone, hidden, never, strange, live], ("Last_Name",))
    assert isinstance(found[live], NativeRecord)
    assert found[gone] == Gone(gone)
    assert [found[one] for one in (hidden, never, strange)] == [NotVisible(one) for one in (hidden, never, strange)]


def test_a_hundred_and_fifty_ids_are_two_calls(org: Any) -> None:
    created = org.zoho.write(org.create_requests(100)) + org.zoho.write(
        [r for r in org.create_requests(150) if int(r.hub_id[4:]) >= 100]
    )
    ids = [result.native_id for result in created]
    before = sum(org.calls().values())
    found = org.zoho.fetch("Contacts", ids, ("Hub_Id",))
    assert [found[one].fields["Hub_Id"] for one in ids] == [f"hub-{n}" for n in range(150)]
    assert sum(org.calls().values()) - before == 2


def test_find_by_hub_id_asks_coql_and_returns_every_match(org: Any) -> None:
    org.zoho.write(org.create_requests(60))
    found = org.zoho.find("Contacts", "Hub_Id", [f"hub-{n}" for n in range(70)] + ["o'brien\\"], ("Last_Name", "Tag"))
    assert sorted(r.fields["Hub_Id"] for r in found) == sorted(f"hub-{n}" for n in range(60))
    direct = org.zoho.find("Contacts", "Hub_Id", ["hub-7"], ("Last_Name",))
    assert [r.fields["Last_Name"] for r in direct] == ["李7"]


@pytest.mark.parametrize("listing", ["list", "coql"])
def test_list_ids_enumerates_with_versions(org: Any, listing: str) -> None:
    ids = {org.create(f"王{n}") for n in range(7)}
    zoho, cursor, seen = org.connect(listing=listing), None, {}
    while True:
        page = zoho.list_ids("Contacts", cursor, 3)
        seen |= dict(page.ids)
        cursor = page.next_cursor
        if page.complete:
            break
    assert seen.keys() == ids
    fetched = zoho.fetch("Contacts", sorted(ids), ())
    assert {one: record.version for one, record in fetched.items()} == seen


def test_an_empty_module_is_complete_at_once(org: Any) -> None:
    assert org.drain().records == []
    assert org.zoho.list_ids("Contacts", None, 200).complete
    assert org.zoho.deletions("Contacts", None, 200).complete


def test_another_instance_continues_from_the_cursor(org: Any) -> None:
    ids = {org.create(f"王{n}") for n in range(4)}
    first = org.zoho.changes("Contacts", ("Mobile",), None, 2)
    cursor = json.loads(json.dumps(first.next_cursor))
    page = org.connect(LabContext()).changes("Contacts", ("Mobile",), cursor, 2)
    assert {r.native_id for r in (*first.records, *page.records)} == ids


def test_a_listing_with_a_bound_leaves_out_what_is_older_and_keeps_what_has_no_date(org: Any) -> None:
    def drain(fields: tuple[str, ...], bound: Bound) -> tuple[list[str], Any]:
        found, cursor = [], None
        while True:
            page = org.zoho.changes_from("Contacts", fields, cursor, 2, bound)
            found += [record.native_id for record in page.records]
            cursor = page.next_cursor
            if page.complete:
                return found, cursor

    old = [org.create(f"旧{n}", Next_Follow_Up_At="2023-12-31T23:59:59+08:00") for n in range(5)]
    young = [org.create(f"新{n}", Next_Follow_Up_At="2023-12-31T16:00:00+00:00") for n in range(3)]
    young += [org.create(f"无{n}") for n in range(2)]
    bound = Bound("Next_Follow_Up_At", "2024-01-01T00:00:00+08:00")
    found, cursor = drain(("Mobile",), bound)
    assert sorted(found) == sorted(young)
    assert sorted(drain(("Mobile", "Tag"), bound)[0]) == sorted(young), "read by id where COQL cannot show a field"
    ids = org.zoho.list_ids_from("Contacts", None, 200, bound).ids
    assert sorted(native_id for native_id, _ in ids) == sorted(young)
    org.advance(60)
    org.edit(old[0], Mobile="+8613900000001")
    org.advance(60)
    assert old[0] in org.drain(cursor).ids


def test_a_module_is_counted_and_one_that_is_not_says_so(org: Any) -> None:
    for n in range(3):
        org.create(f"王{n}")
    assert org.zoho.count("Contacts", None) == 3
    assert org.zoho.count("Contacts", Bound("Created_Time", "2024-01-01T00:00:00+08:00")) is None
    refusal = {"code": "NOT_SUPPORTED", "message": "not supported", "status": "error", "details": {}}
    org.fault("GET", ".*/actions/count", "vendor_error", status=400, body=refusal)
    assert org.zoho.count("Contacts", None) is None
