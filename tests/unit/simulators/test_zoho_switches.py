"""The switches for what is not verified about the vendor: each way is tried once over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zoho_client import ZohoClient

from connectors.simulation.server import RunningSimulator, start_simulator


@pytest.fixture(scope="module")
def empty_org() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm") as running:
        yield running


@pytest.fixture
def zoho(empty_org: RunningSimulator) -> ZohoClient:
    """An empty org, started over for each test."""
    empty_org.admin.reset()
    return ZohoClient(empty_org)


def code(answer: Any) -> tuple[int, str]:
    """Returns status and error code of a refused request."""
    return answer.status_code, answer.json()["code"]


def test_external_id_is_a_switch(zoho: ZohoClient) -> None:
    record_id = zoho.insert(Hub_Id="h1")
    header = {"X-EXTERNAL": "Contacts.Hub_Id"}
    assert code(zoho.get("Contacts/h1", headers=header)) == (400, "INVALID_DATA")
    zoho.admin.settings(external_field="Hub_Id")
    assert zoho.get("Contacts/h1", headers=header).json()["data"][0]["id"] == record_id


def test_hub_id_need_not_be_unique_everywhere() -> None:
    with start_simulator("zoho_crm", settings={"hub_id_unique": False}) as running:
        zoho = ZohoClient(running)
        assert zoho.insert(Hub_Id="h1") != zoho.insert(Hub_Id="h1")
        assert zoho.coql("select id from Contacts where Hub_Id = 'h1'").json()["info"]["count"] == 2


def test_unknown_fields_are_ignored_or_refused(zoho: ZohoClient) -> None:
    zoho.insert(No_Such="x")
    zoho.admin.settings(unknown_field="reject")
    refused = zoho.write("POST", "Contacts", {"Last_Name": "甲", "No_Such": "x"})
    assert refused.json()["data"][0]["details"]["api_name"] == "No_Such"


def test_unlisted_picklist_values_may_be_accepted(zoho: ZohoClient) -> None:
    zoho.admin.settings(unlisted_picklist="accept")
    record_id = zoho.insert(Customer_Tier="白金")
    assert zoho.get(f"Contacts/{record_id}").json()["data"][0]["Customer_Tier"] == "白金"


def test_lists_cut_rich_text_and_the_full_call_does_not(zoho: ZohoClient) -> None:
    record_id = zoho.insert(Need_Summary="长" * 900)
    assert len(zoho.list(fields="Need_Summary").json()["data"][0]["Need_Summary"]) == 900
    zoho.admin.settings(rich_text_fields="Need_Summary")
    assert len(zoho.list(fields="Need_Summary").json()["data"][0]["Need_Summary"]) == 500
    full = zoho.get(f"Contacts/{record_id}/actions/fetch_full_data", fields="Need_Summary")
    assert len(full.json()["data"][0]["Need_Summary"]) == 900


def test_since_and_page_token_may_not_go_together(zoho: ZohoClient) -> None:
    for _ in range(3):
        zoho.insert()
    since = {"If-Modified-Since": "2020-01-01T00:00:00+08:00"}
    token = zoho.list(headers=since, per_page=2).json()["info"]["next_page_token"]
    assert len(zoho.list(headers=since, per_page=2, page_token=token).json()["data"]) == 1
    zoho.admin.settings(since_with_page_token=False)
    assert code(zoho.list(headers=since, per_page=2, page_token=token)) == (400, "INVALID_DATA")


def test_lists_may_lag_behind_writes(zoho: ZohoClient) -> None:
    zoho.admin.post("lag", {"list": 5})
    record_id = zoho.insert()
    assert zoho.list().status_code == 204
    assert zoho.get(f"Contacts/{record_id}").status_code == 200
    zoho.admin.advance(6)
    assert len(zoho.list().json()["data"]) == 1


def test_hidden_records_may_look_absent(zoho: ZohoClient) -> None:
    record_id = zoho.insert()
    zoho.admin.post("hide", {"object": "Contacts", "id": record_id})
    zoho.admin.settings(hidden_get="absent")
    assert zoho.get(f"Contacts/{record_id}").status_code == 204


def test_deleted_without_news_is_204_or_304(zoho: ZohoClient) -> None:
    later = {"If-Modified-Since": "2099-01-01T00:00:00+08:00"}
    assert zoho.get("Contacts/deleted", headers=later).status_code == 204
    zoho.admin.settings(deleted_none_status=304)
    assert zoho.get("Contacts/deleted", headers=later).status_code == 304


def test_an_equal_time_may_count_as_changed(zoho: ZohoClient) -> None:
    record_id = zoho.insert()
    header = {"If-Unmodified-Since": zoho.get(f"Contacts/{record_id}").json()["data"][0]["Modified_Time"]}
    zoho.admin.settings(conditional_equal_passes=False)
    assert code(zoho.write("PUT", f"Contacts/{record_id}", {"Title": "x"}, headers=header)) == (412, "ALREADY_MODIFIED")


def test_a_merge_may_leave_no_trace_and_a_restore_no_new_time(zoho: ZohoClient) -> None:
    zoho.admin.post("clock", {"freeze": True})
    master, loser, other = zoho.insert(), zoho.insert(), zoho.insert()
    zoho.admin.settings(merge_lists_loser=False, restore_bumps_modified=False)
    zoho.admin.post("merge", {"object": "Contacts", "id": master, "losers": [loser]})
    assert zoho.get("Contacts/deleted").status_code == 204
    before = zoho.get(f"Contacts/{other}").json()["data"][0]["Modified_Time"]
    zoho.admin.post("delete", {"object": "Contacts", "id": other})
    zoho.admin.advance(9)
    zoho.admin.post("restore", {"object": "Contacts", "id": other})
    assert zoho.get(f"Contacts/{other}").json()["data"][0]["Modified_Time"] == before


def test_names_are_joined_in_either_order(zoho: ZohoClient) -> None:
    zoho.admin.settings(given_name_first=False)
    record_id = zoho.insert(First_Name="小明")
    assert zoho.get(f"Contacts/{record_id}").json()["data"][0]["Full_Name"] == "测试 小明"
