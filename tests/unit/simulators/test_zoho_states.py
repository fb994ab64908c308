"""What keeps a simulated record from being changed, and the faults that spoil an answer, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zoho_client import ZohoClient

from connectors.simulation.server import RunningSimulator, start_simulator

LOCKS = "Locking_Information__s"
REASON = "Locked_Reason__s"


@pytest.fixture(scope="module")
def empty_org() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm") as running:
        yield running


@pytest.fixture
def zoho(empty_org: RunningSimulator) -> ZohoClient:
    """An empty org, started over for each test."""
    empty_org.admin.reset()
    return ZohoClient(empty_org)


def row_codes(answer: Any) -> list[str]:
    return [row["code"] for row in answer.json()["data"]]


def test_a_lock_is_put_on_read_and_taken_off(zoho: ZohoClient) -> None:
    record_id, other = zoho.insert(), zoho.insert()
    assert zoho.get(f"Contacts/{record_id}/{LOCKS}").status_code == 204
    assert zoho.write("POST", f"Contacts/{record_id}/{LOCKS}", {}).json()["code"] == "MANDATORY_NOT_FOUND"
    locked = zoho.write("POST", f"Contacts/{record_id}/{LOCKS}", {REASON: "核对中"})
    assert locked.status_code == 201
    lock_id = locked.json()["data"][0]["details"]["id"]
    assert zoho.get(f"Contacts/{record_id}/{LOCKS}").json()["data"][0][REASON] == "核对中"
    assert zoho.write("POST", f"Contacts/{record_id}/{LOCKS}", {REASON: "再锁"}).status_code == 400
    mixed = zoho.write("PUT", "Contacts", {"id": record_id, "Title": "x"}, {"id": other, "Title": "x"})
    assert (mixed.status_code, row_codes(mixed)) == (207, ["RECORD_LOCKED", "SUCCESS"])
    assert row_codes(zoho.call("DELETE", f"Contacts?ids={record_id},{other}")) == ["RECORD_LOCKED", "SUCCESS"]
    assert zoho.write("PUT", f"Contacts/{record_id}/{LOCKS}/{lock_id}", {REASON: "仍在核对"}).status_code == 200
    assert zoho.call("DELETE", f"Contacts/{record_id}/{LOCKS}/1").status_code == 404
    assert zoho.call("DELETE", f"Contacts/{record_id}/{LOCKS}/{lock_id}").status_code == 200
    assert row_codes(zoho.write("PUT", "Contacts", {"id": record_id, "Title": "x"})) == ["SUCCESS"]


def test_approval_and_blueprint_forbid_changes(zoho: ZohoClient) -> None:
    record_id = zoho.insert()
    zoho.admin.post("state", {"object": "Contacts", "id": record_id, "awaits_approval": True})
    assert row_codes(zoho.write("PUT", "Contacts", {"id": record_id, "Title": "x"})) == ["NOT_APPROVED"]
    zoho.admin.post("state", {"object": "Contacts", "id": record_id, "blueprint": ["Lead_Source"]})
    assert row_codes(zoho.write("PUT", "Contacts", {"id": record_id, "Title": "x"})) == ["SUCCESS"]
    refused = zoho.write("PUT", "Contacts", {"id": record_id, "Lead_Source": "Partner"})
    assert row_codes(refused) == ["RECORD_IN_BLUEPRINT"]


def test_a_field_becomes_unique_and_loses_it(zoho: ZohoClient) -> None:
    zoho.insert(Customer_No="C-1")
    zoho.admin.post("unique", {"object": "Contacts", "field": "Customer_No"})
    again = {"Last_Name": "李", "Customer_No": "C-1"}
    assert row_codes(zoho.write("POST", "Contacts", again)) == ["DUPLICATE_DATA"]
    zoho.admin.post("unique", {"object": "Contacts", "field": "Customer_No", "unique": False})
    assert row_codes(zoho.write("POST", "Contacts", again)) == ["SUCCESS"]


@pytest.mark.parametrize(
    ("way", "status", "codes"),
    [
        ("whole", 412, None),
        ("per_row", 207, ["SUCCESS", "ALREADY_MODIFIED"]),
        ("ignored", 200, ["SUCCESS", "SUCCESS"]),
        ("refused", 400, None),
    ],
)
def test_a_condition_on_several_rows_is_a_switch(zoho: ZohoClient, way: str, status: int, codes: Any) -> None:
    zoho.admin.settings(conditional_batch=way)
    other, moved = zoho.insert(), zoho.insert()
    seen = zoho.get(f"Contacts/{moved}").json()["data"][0]["Modified_Time"]
    zoho.admin.advance(2)
    zoho.admin.post("edit", {"object": "Contacts", "id": moved, "fields": {"Title": "人改"}})
    rows = [{"id": other, "Title": "三"}, {"id": moved, "Title": "三"}]
    answer = zoho.write("PUT", "Contacts", *rows, headers={"If-Unmodified-Since": seen})
    assert answer.status_code == status
    if codes:
        assert row_codes(answer) == codes


@pytest.mark.parametrize("equal", [True, False])
def test_the_very_time_of_a_record_is_a_switch(zoho: ZohoClient, equal: bool) -> None:
    zoho.admin.settings(conditional_equal_passes=equal)
    record_id = zoho.insert()
    seen = zoho.get(f"Contacts/{record_id}").json()["data"][0]["Modified_Time"]
    answer = zoho.write("PUT", f"Contacts/{record_id}", {"Title": "x"}, headers={"If-Unmodified-Since": seen})
    assert answer.status_code == (200 if equal else 412)


def test_an_old_answer_comes_again_and_the_next_is_true(zoho: ZohoClient) -> None:
    record_id = zoho.insert(Title="旧")
    match = {"method": "GET", "path_regex": f"/Contacts/{record_id}$"}
    zoho.admin.faults([{"match": match, "action": "stale_read", "nth": 2}])
    shown = []
    for title in ("一", "二", "三"):
        zoho.admin.post("edit", {"object": "Contacts", "id": record_id, "fields": {"Title": title}})
        shown.append(zoho.get(f"Contacts/{record_id}").json()["data"][0]["Title"])
    assert shown == ["一", "一", "三"]


def test_bodies_are_slow_mislabelled_or_a_proxys_own(zoho: ZohoClient) -> None:
    record_id = zoho.insert()
    path = f"Contacts/{record_id}"
    match = {"method": "GET", "path_regex": f"/{path}$"}
    zoho.admin.faults([{"match": match, "action": "slow_body", "ms": 30}])
    assert zoho.get(path).json()["data"][0]["id"] == record_id
    zoho.admin.faults([{"match": match, "action": "wrong_content_type"}])
    answer = zoho.get(path)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.json()["data"][0]["id"] == record_id
    zoho.admin.faults([{"match": match, "action": "html_200"}])
    page = zoho.get(path)
    assert (page.status_code, page.text[:9]) == (200, "<!DOCTYPE")
