"""Conversions, merges, cascades and restores, retention of the delete feed, modules that are only read, and users."""

from __future__ import annotations

from typing import Any

import pytest
from zoho_lab import CREDENTIALS, LabContext

from connectors.base import Gone, NativeRecord, NotVisible, Op, WriteRequest
from connectors.directory import Directory
from connectors.errors import AuthRejected, CursorExpired, Unsupported
from connectors.zoho_crm.simulator.oauth import SECOND_REFRESH_TOKEN

LEAD = ("Last_Name", "Company", "Converted__s")
NOTE = ("Note_Title", "Note_Content", "Parent_Id")
CALL = {
    "Subject": "回访",
    "Call_Type": "Outbound",
    "Call_Start_Time": "2026-03-01T09:00:00+08:00",
    "Call_Duration": "03:25",
}
DAY = 86_400


def make(org: Any, object_name: str, **fields: Any) -> str:
    return str(org.admin.post("create", {"object": object_name, "fields": fields})["id"])


def drained(zoho: Any, object_name: str, fields: tuple[str, ...], cursor: Any = None) -> tuple[dict[str, Any], Any]:
    found: dict[str, Any] = {}
    while True:
        page = zoho.changes(object_name, fields, cursor, 200)
        found |= {one.native_id: one for one in page.records}
        cursor = page.next_cursor
        if page.complete:
            return found, cursor


# --- leads ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_coql", [True, False])
@pytest.mark.parametrize("listing", ["auto", "list", "coql", "ranges"])
def test_a_converted_lead_is_changed_and_not_deleted(org: Any, listing: str, in_coql: bool) -> None:
    org.admin.settings(converted_in_coql=in_coql)
    zoho = org.connect(objects=["Leads", "Contacts"], listing=listing)
    before, kept = (make(org, "Leads", Last_Name=name, Company="甲公司") for name in ("王", "李"))
    org.admin.post("convert", {"id": before})
    later = make(org, "Leads", Last_Name="赵", Company="乙公司")
    org.advance(600)
    found, cursor = drained(zoho, "Leads", LEAD)
    assert {one: found[one].fields["Converted__s"] for one in found} == {before: True, kept: None, later: None}
    org.admin.post("convert", {"id": later})
    org.advance(5)
    changed, _ = drained(zoho, "Leads", LEAD, cursor)
    assert {one: changed[one].fields["Converted__s"] for one in changed} == {later: True}
    assert zoho.deletions("Leads", None, 200).records == ()
    assert isinstance(zoho.fetch("Leads", [later], LEAD)[later], NativeRecord)
    assert {native_id for native_id, _ in zoho.list_ids("Leads", None, 200).ids} == {before, kept, later}
    assert zoho.count("Leads", None) == 3
    zoho.close()


@pytest.mark.parametrize("module", ["Leads", "Notes"])
def test_modules_that_are_only_read_say_so_and_refuse_writes_without_a_call(org: Any, module: str) -> None:
    zoho = org.connect(objects=[module])
    can = zoho.capabilities(module)
    assert (can.can_create, can.can_delete, can.can_restore, can.external_key_field) == (False, False, False, False)
    before = org.calls()
    for op in (Op.CREATE, Op.UPDATE, Op.DELETE):
        with pytest.raises(Unsupported) as refused:
            zoho.write([WriteRequest(op, module, "1", {"Last_Name": "王"}, "hub", "key")])
        assert module in refused.value.zh
    with pytest.raises(Unsupported):
        zoho.find(module, "Hub_Id", ["h1"], ())
    assert org.calls() == before
    assert all(line.ok for line in zoho.check()), [line for line in zoho.check() if not line.ok]


# --- notes ------------------------------------------------------------------------------------------------------------


def test_notes_are_listed_for_administrators_and_read_by_record_for_everybody(org: Any) -> None:
    contact, firm = org.create("王"), make(org, "Accounts", Account_Name="甲公司")
    parents = ((contact, "Contacts"), (firm, "Accounts"))
    ids = [
        make(org, "Notes", Note_Content=f"备注{n}", Parent_Id={"id": parent, "module": {"api_name": module}})
        for n, (parent, module) in enumerate(parents)
    ]
    zoho = org.connect(objects=["Notes", "Contacts", "Accounts"])
    found, _ = drained(zoho, "Notes", NOTE)
    assert set(found) == set(ids)
    assert found[ids[0]].fields["Parent_Id"]["module"]["api_name"] == "Contacts"
    org.admin.post("user", {"id": "5843104000000301000", "admin": False})
    with pytest.raises(AuthRejected) as refused:
        zoho.changes("Notes", NOTE, None, 200)
    assert "administrators" in refused.value.en
    assert [one.native_id for one in zoho.notes("Contacts", contact, NOTE)] == [ids[0]]
    assert [one.fields["Note_Content"] for one in zoho.notes("Accounts", firm, NOTE)] == ["备注1"]
    org.delete(contact)
    assert list(zoho.notes("Contacts", contact, NOTE)) == []


# --- merges, cascades, restores ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lists_loser", [True, False])
def test_a_merged_record_is_gone_where_the_feed_says_so_and_nobody_guesses_its_survivor(
    org: Any, lists_loser: bool
) -> None:
    org.admin.settings(merge_lists_loser=lists_loser)
    survivor, loser = org.create("王"), org.create("王")
    cursor = org.zoho.deletions("Contacts", None, 200).next_cursor
    org.admin.post("merge", {"object": "Contacts", "id": survivor, "losers": [loser]})
    org.advance(5)
    found = org.zoho.fetch("Contacts", [loser, survivor], ("Last_Name",))
    assert isinstance(found[survivor], NativeRecord)
    assert found[loser] == (Gone(loser) if lists_loser else NotVisible(loser))
    seen = [(one.native_id, one.merged_into) for one in org.zoho.deletions("Contacts", cursor, 200).records]
    assert seen == ([(loser, None)] if lists_loser else [])
    assert not org.zoho.capabilities("Contacts").merge_feed


@pytest.mark.parametrize("restores", [True, False])
def test_a_parent_takes_its_logs_and_notes_along_and_brings_them_back(org: Any, restores: bool) -> None:
    org.admin.settings(restore_cascades=restores)
    zoho = org.connect(objects=["Contacts", "Calls", "Notes"])
    contact = org.create("王")
    call = make(org, "Calls", **CALL, Who_Id={"id": contact})
    note = make(org, "Notes", Note_Content="备注", Parent_Id={"id": contact, "module": {"api_name": "Contacts"}})
    org.advance(600)
    _, cursor = drained(zoho, "Calls", ("Subject",))
    org.delete(contact)
    for module, native_id in (("Contacts", contact), ("Calls", call), ("Notes", note)):
        assert [one.native_id for one in zoho.deletions(module, None, 200).records] == [native_id]
        assert zoho.fetch(module, [native_id], ())[native_id] == Gone(native_id)
    org.admin.post("restore", {"object": "Contacts", "id": contact})
    org.advance(5)
    polled, _ = drained(zoho, "Calls", ("Subject",), cursor)
    fetched = zoho.fetch("Calls", [call], ("Subject",))[call]
    assert isinstance(fetched, NativeRecord) is restores
    assert (call in polled) is restores


# --- how long the delete feed remembers -------------------------------------------------------------------------------


@pytest.mark.parametrize(("kept", "trace", "pause", "expires"), [
    (60, True, 59, False), (60, False, 59, False),
    (60, False, 62, True), (120, True, 62, False), (120, True, 122, True),
])  # fmt: skip
def test_a_pause_longer_than_the_feed_remembers_is_said(
    org: Any, kept: int, trace: bool, pause: int, expires: bool
) -> None:
    org.admin.settings(recycled_trace=trace)
    zoho = org.connect(deleted_retention_days=kept)
    org.delete(org.create("王"))
    org.advance(600)
    cursor = zoho.deletions("Contacts", None, 200).next_cursor
    early = org.create("李")
    org.advance(DAY / 2)
    org.delete(early)
    org.advance((pause - 0.5) * DAY)
    if expires:
        with pytest.raises(CursorExpired) as refused:
            zoho.deletions("Contacts", cursor, 200)
        assert f"{kept}" in refused.value.zh
        # From there the engine starts over with what the feed still shows.
        assert zoho.deletions("Contacts", None, 200).complete
        return
    assert early in {one.native_id for one in zoho.deletions("Contacts", cursor, 200).records}


def test_a_feed_without_deletes_is_polled_for_years_without_expiring(org: Any) -> None:
    cursor = org.zoho.deletions("Contacts", None, 200).next_cursor
    for _ in range(5):
        org.advance(40 * DAY)
        page = org.zoho.deletions("Contacts", cursor, 200)
        cursor = page.next_cursor
        assert page.records == ()
    org.delete(org.create("王"))
    assert len(org.zoho.deletions("Contacts", cursor, 200).records) == 1


def test_a_cursor_from_before_the_retention_was_kept_goes_on(org: Any) -> None:
    cursor = dict(org.zoho.deletions("Contacts", None, 200).next_cursor)
    cursor["deleted"] = {name: value for name, value in cursor["deleted"].items() if name != "read_at"}
    assert org.zoho.deletions("Contacts", cursor, 200).complete


# --- page tokens ------------------------------------------------------------------------------------------------------


def test_a_page_token_of_another_user_is_refused_and_the_listing_goes_on_by_id(org: Any) -> None:
    ids = {org.create(f"王{n}") for n in range(5)}
    first = org.zoho.changes("Contacts", ("Last_Name",), None, 2)
    assert first.next_cursor["place"]["token"]
    other = LabContext(credentials={**CREDENTIALS, "refresh_token": SECOND_REFRESH_TOKEN})
    zoho = org.connect(other)
    found = {one.native_id for one in first.records}
    page = first
    while not page.complete:
        page = zoho.changes("Contacts", ("Last_Name",), page.next_cursor, 2)
        found |= {one.native_id for one in page.records}
    assert found == ids
    assert org.admin.calls()["statuses"]["400"] == 1


# --- users ------------------------------------------------------------------------------------------------------------


def test_the_directory_names_every_user_and_who_left(org: Any) -> None:
    assert isinstance(org.zoho, Directory)
    staff = {one.native_id: one for one in org.zoho.staff()}
    assert len(staff) == 9
    assert staff["5843104000000301001"].active
    assert not staff["5843104000000301007"].active
    assert staff["5843104000000301001"].name == "王建国"
    assert "王建国" not in repr(staff)
    assert "@" not in repr(staff)


def test_a_directory_without_its_scope_is_refused_by_name(org: Any) -> None:
    scopes = ["ZohoCRM.modules.contacts.READ"]
    zoho = org.connect(LabContext(), grant="client_credentials", org_id="60001234567", scopes=scopes)
    with pytest.raises(AuthRejected) as refused:
        zoho.staff()
    assert "users.READ" in refused.value.en


LOST = (
    "EXPIRED_VALUE",
    "TOKEN_BOUND_DATA_MISMATCH",
    "INVALID_DATA",
    "AMBIGUITY_DURING_PROCESSING",
    "PAGINATION_LIMIT_EXCEEDED",
)


@pytest.mark.parametrize("code", LOST)
def test_a_refused_page_token_costs_one_call_and_no_record(org: Any, code: str) -> None:
    def go_on(page: Any) -> set[str]:
        found = {one.native_id for one in page.records}
        body = {"code": code, "message": "refused", "status": "error", "details": {}}
        org.admin.reset_calls()
        org.fault("GET", "/Contacts$", "vendor_error", status=400, body=body)
        while not page.complete:
            page = org.zoho.changes("Contacts", ("Last_Name",), page.next_cursor, 2)
            found |= {one.native_id for one in page.records}
        cursors.append(page.next_cursor)
        assert org.admin.calls()["statuses"]["400"] == 1
        return found

    ids = {org.create(f"王{n}") for n in range(6)}
    org.advance(600)
    cursors: list[Any] = []
    assert go_on(org.zoho.changes("Contacts", ("Last_Name",), None, 2)) == ids
    for native_id in ids:
        org.edit(native_id, Mobile="+8613900000001")
        org.advance(2)
    assert go_on(org.zoho.changes("Contacts", ("Last_Name",), cursors[0], 2)) == ids
