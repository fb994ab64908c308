"""Writing: one result per row, never a blind resend, never over somebody's edit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Gone, NativeRecord, NotVisible, Op, Refused, Stale, Unknown, WriteRequest, Written
from connectors.errors import AuthRejected, RateLimited, SchemaDrift, Unsupported


def test_a_batch_is_one_call_with_automations_off(org: Any) -> None:
    results = org.zoho.write(org.create_requests(100, Mobile="+8613800000000"))
    assert all(isinstance(result, Written) for result in results)
    assert org.calls() == {"create Contacts": 1}
    rows = {row["id"]: row for row in org.admin.records("Contacts")}
    assert [rows[result.native_id]["Hub_Id"] for result in results] == [f"hub-{n}" for n in range(100)]
    fetched = org.zoho.fetch("Contacts", [results[0].native_id], ("Mobile",))[results[0].native_id]
    assert fetched.version == results[0].version


def test_rows_are_told_apart_in_order(org: Any) -> None:
    requests = org.create_requests(4)
    broken = [
        requests[0],
        replace(requests[1], fields={"Hub_Id": "hub-1"}),
        replace(requests[2], fields={"Last_Name": "长" * 81, "Hub_Id": "hub-2"}),
        requests[3],
    ]
    results = org.zoho.write(broken)
    assert [type(result) for result in results] == [Written, Refused, Refused, Written]
    assert [result.field for result in results if isinstance(result, Refused)] == ["Last_Name", "Last_Name"]
    assert "长" not in results[2].en + results[2].zh


@pytest.mark.parametrize("status", [400, 202, 207])
def test_all_rows_refused_is_read_under_any_status(org: Any, status: int) -> None:
    org.admin.settings(all_failed_status=status)
    requests = [replace(request, fields={"Hub_Id": "x"}) for request in org.create_requests(2)]
    assert [result.code for result in org.zoho.write(requests)] == ["MANDATORY_NOT_FOUND"] * 2


@pytest.mark.parametrize("details", ["id", "duplicate_record"])
def test_a_hub_id_that_is_taken_names_its_holder(org: Any, details: str) -> None:
    org.admin.settings(duplicate_details=details)
    holder = org.create("王", Hub_Id="hub-0")
    (result,) = org.zoho.write(org.create_requests(1))
    assert isinstance(result, Refused)
    assert (result.code, result.field, result.existing_id) == ("DUPLICATE_DATA", "Hub_Id", holder)


def test_an_update_touches_its_own_fields_and_none_clears(org: Any) -> None:
    native_id = org.create("王", Mobile="+8613800000000", Email="a@bank.example")
    before = org.stored(native_id)
    result = org.update(native_id, Email=None)
    assert isinstance(result, Written)
    after = org.stored(native_id)
    changed = {name for name in after if after[name] != before.get(name)}
    assert "Email" in changed
    assert changed <= {"Email", "Modified_Time", "Modified_By"}
    assert after.get("Email") is None


@pytest.mark.parametrize("mode", ["batch_read_before_write", "single_row_if_unmodified_since"])
def test_a_record_that_moved_is_stale_and_shown_as_it_is(org: Any, mode: str) -> None:
    zoho = org.connect(conditional_updates=mode)
    moved, still, free = org.create("王"), org.create("李"), org.create("赵")
    seen = {r.native_id: r.version for r in zoho.changes("Contacts", ("Mobile", "Last_Name"), None, 200).records}
    org.advance(5)
    org.edit(moved, Mobile="+8613900000001")
    org.edit(free, Mobile="+8613900000003")
    results = zoho.write(
        [
            org.update_request(moved, seen[moved], Mobile="+8613700000000"),
            org.update_request(still, seen[still], Mobile="+8613700000000"),
            org.update_request(free, None, Mobile="+8613700000000"),
        ]
    )
    assert [type(result) for result in results] == [Stale, Written, Written]
    assert isinstance(results[0].current, NativeRecord)
    assert results[0].current.fields == {"Mobile": "+8613900000001", "Last_Name": "王"}
    assert org.stored(moved)["Mobile"] == "+8613900000001"
    assert org.stored(still)["Mobile"] == org.stored(free)["Mobile"] == "+8613700000000"


def test_a_conditional_batch_costs_two_calls(org: Any) -> None:
    ids = [org.create(f"王{n}") for n in range(20)]
    seen = {r.native_id: r.version for r in org.drain().records}
    before = sum(org.calls().values())
    results = org.zoho.write([org.update_request(one, seen[one], Mobile="+8613700000000") for one in ids])
    assert all(isinstance(result, Written) for result in results)
    assert sum(org.calls().values()) - before == 2


@pytest.mark.parametrize("mode", ["batch_read_before_write", "single_row_if_unmodified_since"])
@pytest.mark.parametrize("versioned", [True, False])
def test_an_update_of_a_deleted_or_hidden_record_is_stale(org: Any, mode: str, versioned: bool) -> None:
    zoho = org.connect(conditional_updates=mode)
    gone, never = org.create("王"), "5843104000009999999"
    version = org.drain(zoho=zoho).records[0].version if versioned else None
    org.delete(gone)
    results = zoho.write(
        [org.update_request(gone, version, Mobile="1"), org.update_request(never, version, Mobile="1")]
    )
    assert results == [Stale(Gone(gone)), Stale(NotVisible(never))]


def test_a_stale_row_before_anything_was_read_leaves_the_look_to_the_engine(org: Any) -> None:
    native_id = org.create()
    assert org.update(native_id, "2020-01-01T00:00:00Z", Mobile="1") == Stale(None)


def test_a_bad_lookup_is_refused_by_its_field_not_taken_for_a_missing_record(org: Any) -> None:
    native_id = org.create()
    result = org.update(native_id, Owner={"id": "5843104000000301007"})
    assert isinstance(result, Refused)
    assert (result.code, result.field) == ("INVALID_DATA", "Owner")


@pytest.mark.parametrize(
    ("action", "happened"),
    [
        ("timeout_after_commit", True),
        ("timeout_before_commit", False),
        ("reset_after_commit", True),
        ("http_500", False),
        ("http_502_html", False),
    ],
)
def test_an_unclear_write_is_unknown_and_never_sent_again(org: Any, action: str, happened: bool) -> None:
    org.fault("POST", "/Contacts$", action, seconds=0, times=0)
    results = org.zoho.write(org.create_requests(2))
    assert all(isinstance(result, Unknown) for result in results)
    assert org.calls() == {"create Contacts": 1}
    assert len(org.admin.records("Contacts")) == (2 if happened else 0)
    org.admin.faults([])
    found = org.zoho.find("Contacts", "Hub_Id", ["hub-0", "hub-1"], ("Last_Name",))
    assert len(found) == (2 if happened else 0)


@pytest.mark.parametrize("body", ["<html>", {"data": []}, {"data": [{"code": "SUCCESS"}]}, {}])
def test_an_answer_that_does_not_name_every_row_is_unknown(org: Any, body: object) -> None:
    org.fault("POST", "/Contacts$", "vendor_error", status=200, body=body)
    assert [type(result) for result in org.zoho.write(org.create_requests(2))] == [Unknown, Unknown]


def test_a_locked_row_is_refused_for_later(org: Any) -> None:
    native_id = org.create()
    org.fault("PUT", "/Contacts", "row_error", row=0, code="RECORD_LOCKED")
    result = org.update(native_id, Mobile="+8613900000001")
    assert isinstance(result, Refused)
    assert (result.code, result.retry_later) == ("RECORD_LOCKED", True)


def test_one_bad_row_that_refuses_the_whole_request_is_found_by_halves(org: Any) -> None:
    body = {"code": "INVALID_DATA", "details": {}, "message": "body", "status": "error"}
    org.fault("POST", "/Contacts$", "vendor_error", status=400, body=body, times=2)
    results = org.zoho.write(org.create_requests(4))
    # The whole and its first half were refused; each row was then sent in a request that was looked at.
    assert all(isinstance(result, Written) for result in results)
    assert len(org.admin.records("Contacts")) == 4


def test_limits_and_rights_are_raised_while_nothing_was_written(org: Any) -> None:
    zoho = org.connect(throttle_patience=0)
    org.fault("POST", "/Contacts$", "http_429")
    with pytest.raises(RateLimited):
        zoho.write(org.create_requests(2))
    body = {"code": "NO_PERMISSION", "details": {"permissions": ["Crm_Create"]}, "message": "m", "status": "error"}
    org.fault("POST", "/Contacts$", "vendor_error", status=403, body=body)
    with pytest.raises(AuthRejected) as refused:
        org.zoho.write(org.create_requests(2))
    assert refused.value.missing == "Crm_Create"
    assert org.admin.records("Contacts") == []


def test_what_was_written_before_a_limit_is_reported(org: Any) -> None:
    ids = [org.create(f"王{n}") for n in range(3)]
    zoho = org.connect(conditional_updates="single_row_if_unmodified_since", workers=1, throttle_patience=0)
    seen = {r.native_id: r.version for r in org.drain(zoho=zoho).records}
    match = {"method": "PUT", "path_regex": "/Contacts"}
    org.admin.faults([{"match": match, "action": "http_429", "nth": 2}])
    results = zoho.write([org.update_request(one, seen[one], Mobile="+8613700000000") for one in ids])
    assert [type(result) for result in results] == [Written, Refused, Written]
    assert results[1].retry_later


def test_deletes_go_to_the_recycle_bin_and_a_missing_one_is_done(org: Any) -> None:
    first, second = org.create("王"), org.create("李")
    version = {r.native_id: r.version for r in org.drain().records}

    def request(one: str, expected: str | None) -> WriteRequest:
        return WriteRequest(Op.DELETE, "Contacts", one, {}, "hub", "key", expected)

    org.advance(3)
    org.edit(second, Mobile="+8613900000001")
    results = org.zoho.write([request(first, version[first]), request(second, version[second])])
    assert results[0] == Written(first, None)
    assert isinstance(results[1], Stale)
    assert org.zoho.write([request(first, None)]) == [Written(first, None)]
    assert isinstance(org.zoho.fetch("Contacts", [second], ())[second], NativeRecord)


def test_what_a_batch_may_not_be(org: Any) -> None:
    mixed = [org.create_requests(1)[0], org.update_request("1", Mobile="1")]
    restore = [WriteRequest(Op.RESTORE, "Contacts", "1", {}, "hub", "key")]
    for requests in (org.create_requests(101), mixed, restore):
        with pytest.raises(Unsupported):
            org.zoho.write(requests)
    with pytest.raises(SchemaDrift):
        org.zoho.write([replace(org.create_requests(1)[0], object="Deals")])
    assert org.zoho.write([]) == []
    assert org.calls() == {}
