"""The simulated API v2 is that of its time: shapes, walls and what it has not, beside v8 on the same organisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zoho_client import ZohoClient

from connectors.simulation.server import RunningSimulator, start_simulator


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm") as simulator:
        yield simulator


@pytest.fixture
def zoho(running: RunningSimulator) -> ZohoClient:
    """An empty org, started over for each test."""
    running.admin.reset()
    return ZohoClient(running)


def described(zoho: ZohoClient, version: str, module: str) -> dict[str, dict[str, Any]]:
    fields = zoho.get("settings/fields", version=version, module=module).json()["fields"]
    return {field["api_name"]: field for field in fields}


def test_fields_are_optional_and_there_are_no_page_tokens(zoho: ZohoClient) -> None:
    ids = sorted(zoho.insert(Hub_Id=f"h{n}") for n in range(3))
    listed = zoho.get("Contacts", version="v2", per_page=2, sort_by="id", sort_order="asc").json()
    assert listed["info"] == {"per_page": 2, "count": 2, "page": 1, "more_records": True}
    assert {"Last_Name", "Hub_Id", "$approval", "$editable"} <= listed["data"][0].keys()
    again = zoho.get("Contacts", version="v2", per_page=2, sort_by="id", sort_order="asc", page=2).json()
    assert [row["id"] for row in listed["data"] + again["data"]] == ids
    assert zoho.get("Contacts", per_page=2).status_code == 400
    named = zoho.get("Contacts", version="v2", fields="Hub_Id").json()["data"][0]
    assert named.keys() == {"Hub_Id", "id"}


def test_more_than_fifty_fields_may_be_named(zoho: ZohoClient) -> None:
    zoho.insert()
    names = ",".join(described(zoho, "v2", "Contacts"))
    assert names.count(",") > 50
    assert zoho.get("Contacts", version="v2", fields=names).status_code == 200
    assert zoho.get("Contacts", fields=names).json()["code"] == "LIMIT_EXCEEDED"


@pytest.mark.parametrize("wall", [0, 2])
def test_how_far_plain_pages_go_is_a_switch(zoho: ZohoClient, wall: int) -> None:
    for n in range(3):
        zoho.insert(Hub_Id=f"h{n}")
    zoho.admin.settings(v2_discrete_rows=wall)
    answer = zoho.get("Contacts", version="v2", per_page=2, page=2)
    assert answer.status_code == (400 if wall else 200)


def test_metadata_name_lookups_and_uniqueness_in_their_old_words(zoho: ZohoClient) -> None:
    old, new = described(zoho, "v2", "Calls"), described(zoho, "v8", "Calls")
    assert (old["Who_Id"]["lookup"]["module"], old["What_Id"]["lookup"]["module"]) == ("Contacts", "se_module")
    assert new["Who_Id"]["lookup"]["module"]["api_name"] == "Contacts"
    assert (old["Hub_Id"]["unique"], new["Hub_Id"]["unique"]) == ({"casesensitive": "false"}, {"case_sensitive": False})
    assert old["Subject"]["unique"] == new["Subject"]["unique"] == {}
    assert ("id" in old, "id" in new) == (False, True)


@pytest.mark.parametrize(
    ("version", "limit", "status"), [("v2", 200, 200), ("v2", 201, 400), ("v3", 201, 400), ("v8", 201, 200)]
)
def test_a_query_returns_two_hundred_rows_at_most(zoho: ZohoClient, version: str, limit: int, status: int) -> None:
    zoho.insert()
    query = {"select_query": f"select id from Contacts where id is not null limit {limit}"}
    answer = zoho.call("POST", "coql", version, json=query)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "LIMIT_EXCEEDED"


def test_rows_are_written_as_in_v8_and_a_condition_is_ignored_unless_switched_on(zoho: ZohoClient) -> None:
    native_id = zoho.insert(Hub_Id="h1")
    rows = [{"id": native_id, "Department": "零售部"}, {"id": native_id, "Customer_Tier": "外星人"}]
    answer = zoho.call("PUT", "Contacts", "v2", json={"data": rows, "trigger": []})
    assert answer.status_code == 207
    assert [row["code"] for row in answer.json()["data"]] == ["SUCCESS", "INVALID_DATA"]
    body, long_ago = {"data": rows[:1], "trigger": []}, {"If-Unmodified-Since": "2001-01-01T00:00:00+00:00"}
    assert zoho.call("PUT", "Contacts", "v2", json=body, headers=long_ago).status_code == 200
    zoho.admin.settings(conditional_v2=True)
    assert zoho.call("PUT", "Contacts", "v2", json=body, headers=long_ago).status_code == 412


@pytest.mark.parametrize("style", ["top", "data"])
def test_errors_have_the_form_that_is_switched_on(zoho: ZohoClient, style: str) -> None:
    zoho.admin.settings(error_style=style)
    content = zoho.get("NoModule", version="v2").json()
    error = content["data"][0] if style == "data" else content
    assert (error["code"], error["status"]) == ("INVALID_MODULE", "error")
