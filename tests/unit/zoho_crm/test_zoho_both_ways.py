"""What Zoho leaves open, met in both ways: the switches of the simulator that no other test turns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.base import NativeRecord, Op, Refused, WriteRequest, Written
from connectors.preparing import FieldNeed, Form, State


@pytest.fixture
def org(served_org: Any) -> Any:
    return served_org.emptied()


@pytest.mark.parametrize("empties", [True, False])
@pytest.mark.parametrize("clears", [True, False])
def test_null_empties_a_field_or_the_update_says_that_it_does_not(org: Any, empties: bool, clears: bool) -> None:
    org.admin.settings(null_clears=empties)
    zoho = org.connect(clears=clears)
    assert zoho.capabilities("Contacts").can_clear is clears
    ids = [org.create(Short_Name="经理") for _ in range(2)]
    requests = [org.update_request(ids[0], Short_Name=None, Title="主管"), org.update_request(ids[1], Title="主管")]
    first, second = zoho.write(requests)
    assert isinstance(second, Written)
    assert org.stored(ids[1])["Title"] == "主管"
    if clears:
        assert isinstance(first, Written)
        assert org.stored(ids[0])["Short_Name"] == (None if empties else "经理")
    else:
        assert isinstance(first, Refused)
        assert (first.code, first.field, first.retry_later) == ("NULL_KEEPS", "Short_Name", False)
        assert "clears" in first.en
        assert "clears" in first.zh
        assert org.stored(ids[0])["Title"] is None, "nothing of a refused row is written"
    created = zoho.write([replace(org.create_requests(1)[0], fields={"Last_Name": "李", "Title": None})])
    assert isinstance(created[0], Written), "a new record has nothing to empty"


@pytest.mark.parametrize("listing", ["list", "coql"])
@pytest.mark.parametrize("shown", [True, False])
def test_a_record_that_awaits_approval_is_never_taken_for_deleted(org: Any, listing: str, shown: bool) -> None:
    org.admin.settings(approval_in_lists=shown)
    native_id = org.create("待审批")
    org.admin.post("state", {"object": "Contacts", "id": native_id, "awaits_approval": True})
    zoho = org.connect(listing=listing)
    assert org.drain(zoho=zoho).ids == ([native_id] if shown else [])
    assert isinstance(zoho.fetch("Contacts", [native_id], ("Last_Name",))[native_id], NativeRecord)
    assert zoho.deletions("Contacts", None, 200).records == ()
    org.admin.post("state", {"object": "Contacts", "id": native_id})
    assert org.drain(zoho=zoho).ids == [native_id]


@pytest.mark.parametrize("status", [200, 201])
def test_an_upsert_that_only_inserts_may_answer_201(org: Any, status: int) -> None:
    org.admin.settings(upsert_inserted_status=status)
    requests = [replace(one, may_exist=True) for one in org.create_requests(3)]
    assert [type(result) for result in org.zoho.write(requests)] == [Written] * 3
    assert len(org.admin.records("Contacts")) == 3


@pytest.mark.parametrize("cascades", [True, False])
def test_what_hangs_on_a_deleted_record_is_judged_by_its_own_feed(org: Any, cascades: bool) -> None:
    org.admin.settings(cascade_deletes=cascades)
    native_id = org.create()
    task = {"Subject": "回访", "Hub_Id": "hub-task", "Who_Id": {"id": native_id}}
    (written,) = org.zoho.write([WriteRequest(Op.CREATE, "Tasks", None, task, "hub-task", "key")])
    assert isinstance(written, Written)
    org.delete(native_id)
    gone = [record.native_id for record in org.zoho.deletions("Tasks", None, 200).records]
    assert gone == ([written.native_id] if cascades else [])
    found = org.zoho.fetch("Tasks", [written.native_id], ("Subject",))[written.native_id]
    assert isinstance(found, NativeRecord) is not cascades


@pytest.mark.parametrize("trims", [True, False])
def test_blanks_around_a_text_are_kept_as_the_vendor_keeps_them(org: Any, trims: bool) -> None:
    org.admin.settings(trim_text=trims)
    (written,) = org.zoho.write([replace(org.create_requests(1)[0], fields={"Last_Name": " 王 ", "Hub_Id": "hub-0"})])
    assert isinstance(written, Written)
    found = org.zoho.fetch("Contacts", [written.native_id], ("Last_Name",))[written.native_id]
    assert isinstance(found, NativeRecord)
    assert found.fields["Last_Name"] == ("王" if trims else " 王 ")
    assert written.version == found.version


@pytest.mark.parametrize("named", [True, False])
def test_a_file_may_name_the_module_of_a_link(org: Any, named: bool) -> None:
    org.admin.settings(bulk_se_module=named, bulk_seconds=0.0)
    firm = org.admin.post("create", {"object": "Accounts", "fields": {"Account_Name": "甲公司"}})["id"]
    fields = {"Subject": "回访", "What_Id": {"id": firm}, "$se_module": "Accounts"}
    native_id = org.admin.post("create", {"object": "Tasks", "fields": fields})["id"]
    zoho = org.connect(bulk_read_above=0, bulk_unreadable=["Tag"])
    page = zoho.changes("Tasks", ("Subject", "What_Id", "$se_module"), None, 200)
    while not page.records and not page.complete:
        page = zoho.changes("Tasks", ("Subject", "What_Id", "$se_module"), page.next_cursor, 200)
    (record,) = page.records
    assert record.native_id == native_id
    assert (record.fields["What_Id"]["id"], record.fields["$se_module"]) == (firm, "Accounts")


@pytest.mark.parametrize(("most", "state"), [(0, State.EXTENDED), (10, State.MANUAL)])
def test_options_that_one_call_does_not_hold_are_left_to_a_person(org: Any, most: int, state: State) -> None:
    org.admin.settings(options_per_call=most)
    options = tuple(f"步骤{number}" for number in range(12))
    need = FieldNeed("Status", Form.CHOICE, "Status", "处理状态", options=options, kinds=frozenset({"picklist"}))
    (found,) = org.connect(field_wait=0.0).prepare("Cases", (need,))
    assert found.state is state
    assert bool(found.steps) is (state is State.MANUAL)
