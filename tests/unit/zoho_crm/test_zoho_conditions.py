"""Who is guarded how against another writer, what that costs, and creates that may exist already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Op, Refused, Stale, WriteRequest, Written
from connectors.pricing import Price, Pricing
from connectors.zoho_crm.conditions import CREDITS, price
from connectors.zoho_crm.settings import ZohoSettings
from connectors.zoho_crm.times import version_at

MODES = ("automatic", "batch_read_before_write", "single_row_if_unmodified_since")
NOW = 1_780_000_000.0
OLD, YOUNG = version_at(NOW - 86_400), version_at(NOW - 60)


def observed(org: Any, zoho: Any = None) -> dict[str, str]:
    return {record.native_id: str(record.version) for record in org.drain(zoho=zoho).records}


def people(org: Any, count: int) -> tuple[list[str], dict[str, str]]:
    ids = [org.create(f"王{n}") for n in range(count)]
    org.advance(3600)
    return ids, observed(org)


def renamed(org: Any, ids: Sequence[str], versions: dict[str, str]) -> list[WriteRequest]:
    return [org.update_request(one, versions[one], Short_Name="简称") for one in ids]


def vendor_calls(org: Any) -> dict[str, int]:
    """Returns what the vendor counted since the last reset, sign-in left out."""
    return {name: number for name, number in org.admin.calls()["calls"].items() if name != "token"}


# --- who goes alone ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_go_alone_without_a_read_before(org: Any, count: int) -> None:
    ids, versions = people(org, count)
    org.admin.reset_calls()
    assert all(isinstance(result, Written) for result in org.zoho.write(renamed(org, ids, versions)))
    assert vendor_calls(org) == {"update Contacts": count}


def test_whom_a_person_edited_of_late_goes_alone_and_the_rest_together(org: Any) -> None:
    ids, _ = people(org, 20)
    for one in ids[:3]:
        org.edit(one, Mobile="+8613900000001")
    versions = observed(org)
    org.admin.reset_calls()
    assert all(isinstance(result, Written) for result in org.zoho.write(renamed(org, ids, versions)))
    assert vendor_calls(org) == {"list Contacts": 1, "update Contacts": 4}
    # The hub wrote last now, and as whom it learned from the answers: nobody is contested.
    org.admin.reset_calls()
    assert all(isinstance(result, Written) for result in org.zoho.write(renamed(org, ids, observed(org))))
    assert vendor_calls(org)["update Contacts"] == 1


def test_an_edit_between_the_read_and_the_write_of_a_contested_record_is_kept(org: Any) -> None:
    ids, _ = people(org, 4)
    org.edit(ids[1], Mobile="+8613900000001")
    versions = observed(org)
    # The read before the write shows what stood before; the edit comes just after it.
    match = {"method": "GET", "path_regex": "/Contacts$"}
    org.admin.faults([{"match": match, "action": "stale_read", "nth": 2}])
    org.zoho.fetch("Contacts", ids, ())
    org.advance(2)
    org.edit(ids[1], Short_Name="我的")
    results = org.zoho.write(renamed(org, ids, versions))
    assert [type(result) for result in results] == [Written, Stale, Written, Written]
    assert org.stored(ids[1])["Short_Name"] == "我的"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("batches", ["whole", "per_row", "ignored", "refused"])
@pytest.mark.parametrize("style", ["top", "data"])
def test_however_the_vendor_takes_a_condition(org: Any, mode: str, equal: bool, batches: str, style: str) -> None:
    zoho = org.connect(conditional_updates=mode)
    ids, versions = people(org, 5)
    versions = observed(org, zoho)
    org.admin.settings(conditional_equal_passes=equal, conditional_batch=batches, error_style=style)
    org.edit(ids[2], Short_Name="我的")
    results = zoho.write(renamed(org, ids, versions))
    kinds = [type(result) for result in results]
    assert kinds == [Written, Written, Stale, Written, Written]
    assert org.stored(ids[2])["Short_Name"] == "我的"
    # A second turn meets what the first one learned.
    versions = observed(org, zoho)
    org.admin.reset_calls()
    assert all(isinstance(result, Written) for result in zoho.write(renamed(org, ids, versions)))
    assert vendor_calls(org).get("update Contacts", 0) <= len(ids)


def test_a_bad_row_does_not_end_the_condition_on_batches(org: Any) -> None:
    ids, versions = people(org, 4)
    bad = {"code": "INVALID_DATA", "details": {}, "message": "m", "status": "error"}
    org.fault("PUT", "/Contacts$", "vendor_error", status=400, body=bad, times=2)
    assert all(isinstance(result, Written) for result in org.zoho.write(renamed(org, ids, versions)))
    versions = observed(org)
    match = {"method": "GET", "path_regex": "/Contacts$"}
    org.admin.faults([{"match": match, "action": "stale_read", "nth": 2}])
    org.zoho.fetch("Contacts", ids, ())
    org.advance(2)
    org.edit(ids[1], Short_Name="我的")
    assert isinstance(org.zoho.write(renamed(org, ids, versions))[1], Stale)


# --- what it costs ----------------------------------------------------------------------------------------------------


def settings(mode: str) -> ZohoSettings:
    return ZohoSettings.model_validate({"conditional_updates": mode})


@pytest.mark.parametrize(
    ("op", "mode", "versions", "calls", "units", "alone"),
    [
        (Op.CREATE, "automatic", [None] * 0, 0, 0, 0),
        (Op.CREATE, "automatic", [None] * 1, 1, 1, 0),
        (Op.CREATE, "automatic", [None] * 100, 1, 10, 0),
        (Op.CREATE, "automatic", [None] * 101, 2, 11, 0),
        (Op.DELETE, "automatic", [None] * 30, 2, 2, 0),
        (Op.UPDATE, "automatic", [OLD], 1, 1, 1),
        (Op.UPDATE, "automatic", [OLD] * 2, 2, 2, 2),
        # One read and one write of three rows.
        (Op.UPDATE, "automatic", [OLD] * 3, 2, 2, 0),
        (Op.UPDATE, "automatic", [OLD] * 100, 2, 11, 0),
        (Op.UPDATE, "automatic", [OLD] * 97 + [YOUNG] * 3, 5, 14, 3),
        (Op.UPDATE, "automatic", [YOUNG] * 10, 11, 11, 10),
        # So many at once are an import.
        (Op.UPDATE, "automatic", [YOUNG] * 11, 2, 3, 0),
        (Op.UPDATE, "automatic", [OLD] * 202, 6, 24, 2),
        (Op.UPDATE, "automatic", [None] * 10, 1, 1, 0),
        (Op.UPDATE, "batch_read_before_write", [YOUNG] * 100, 2, 11, 0),
        (Op.UPDATE, "batch_read_before_write", [OLD], 2, 2, 0),
        (Op.UPDATE, "single_row_if_unmodified_since", [OLD] * 100, 100, 100, 100),
    ],
)
def test_the_price_of_writes(op: Op, mode: str, versions: list[str | None], calls: int, units: int, alone: int) -> None:
    assert price(op, versions, NOW, settings(mode)) == Price(calls, units, CREDITS, alone)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("count", "young"), [(1, 0), (2, 1), (12, 0), (12, 3), (12, 12)])
def test_the_price_is_what_the_vendor_counts(org: Any, mode: str, count: int, young: int) -> None:
    zoho = org.connect(conditional_updates=mode)
    assert isinstance(zoho, Pricing)
    ids, _ = people(org, count)
    for one in ids[:young]:
        org.edit(one, Mobile="+8613900000001")
    versions = observed(org, zoho)
    said = zoho.price("Contacts", Op.UPDATE, [versions[one] for one in ids])
    org.admin.reset_calls()
    assert all(isinstance(result, Written) for result in zoho.write(renamed(org, ids, versions)))
    assert sum(vendor_calls(org).values()) == said.calls


# --- creates that may exist already -----------------------------------------------------------------------------------


def repeated(org: Any, count: int = 1, **fields: Any) -> list[WriteRequest]:
    return [replace(request, may_exist=True) for request in org.create_requests(count, **fields)]


def test_a_repeated_create_is_an_upsert_on_the_hub_id_and_nothing_else(org: Any) -> None:
    stranger = org.create("李0", Email="a@bank.example")
    results = org.zoho.write(repeated(org, 3, Email="a@bank.example"))
    assert all(isinstance(result, Written) for result in results)
    assert vendor_calls(org)["upsert Contacts"] == 1
    # Contacts with one e-mail address are one record to Zoho unless the hub id is named as the only field to check.
    assert stranger not in [result.native_id for result in results]
    assert org.stored(stranger)["Hub_Id"] is None
    assert org.admin.calls()["remarks"] == {"upsert Contacts trigger=[]": 1}


def test_a_repeated_create_whose_first_came_late_names_it(org: Any) -> None:
    late = org.create("李0", Hub_Id="hub-0", Mobile="+8613900000001")
    results = org.zoho.write(repeated(org, 2, Mobile="+8613700000000"))
    assert isinstance(results[0], Refused)
    assert (results[0].existing_id, results[0].field) == (late, "Hub_Id")
    assert isinstance(results[1], Written)
    assert org.stored(late)["Mobile"] == "+8613900000001"


def test_a_create_that_came_late_after_the_last_look_is_taken_up(org: Any) -> None:
    match = {"method": "POST", "path_regex": "/coql$"}
    org.admin.faults([{"match": match, "action": "stale_read", "nth": 2}])
    assert org.zoho.find("Contacts", "Hub_Id", ["hub-0"], ()) == []
    late = org.create("李0", Hub_Id="hub-0")
    assert org.zoho.write(repeated(org))[0].native_id == late
    assert len(org.admin.records("Contacts")) == 1


def test_a_repeated_create_with_another_unique_field_is_inserted(org: Any) -> None:
    # An upsert would find the stranger by that field, listed or not, and write over it.
    stranger = org.create("张", Hub_Id="other", Customer_No="C-1")
    org.admin.post("unique", {"object": "Contacts", "field": "Customer_No"})
    (result,) = org.zoho.write(repeated(org, Customer_No="C-1"))
    assert isinstance(result, Refused)
    assert (result.code, result.field) == ("DUPLICATE_DATA", "Customer_No")
    assert org.stored(stranger)["Hub_Id"] == "other"
    assert "upsert Contacts" not in vendor_calls(org)


@pytest.mark.parametrize("upserts", [False, True])
def test_activities_are_upserted_only_where_that_was_tried(org: Any, upserts: bool) -> None:
    org.admin.settings(upsert_activities=upserts)
    zoho = org.connect(upsert_activities=upserts)
    zoho.describe("Tasks")
    assert zoho.capabilities("Tasks").upsert is upserts
    request = WriteRequest(
        Op.CREATE, "Tasks", None, {"Subject": "回访", "Hub_Id": "hub-0"}, "hub-0", "key", may_exist=True
    )
    assert isinstance(zoho.write([request])[0], Written)
    assert ("upsert Tasks" in vendor_calls(org)) is upserts
    (again,) = zoho.write([request])
    assert isinstance(again, Refused)
    assert again.existing_id
    assert len(org.admin.records("Tasks")) == 1


def test_without_a_unique_hub_id_nothing_is_upserted(org: Any) -> None:
    zoho = org.connect(repeat_creates="insert")
    assert not zoho.capabilities("Contacts").upsert
    assert isinstance(zoho.write(repeated(org))[0], Written)
    assert "upsert Contacts" not in vendor_calls(org)
    org.admin.post("unique", {"object": "Contacts", "field": "Hub_Id", "unique": False})
    other = {"Last_Name": "李", "Hub_Id": "hub-9"}
    (result,) = org.zoho.write([replace(repeated(org)[0], hub_id="hub-9", fields=other)])
    assert isinstance(result, Written)
    assert "upsert Contacts" not in vendor_calls(org)
