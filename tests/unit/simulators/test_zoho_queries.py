"""COQL and search on the simulated Zoho over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zoho_client import ZohoClient

from connectors.simulation.server import start_simulator


@pytest.fixture(scope="module")
def reader() -> Iterator[ZohoClient]:
    """A populated org that no test changes."""
    with start_simulator("zoho_crm", records=800, seed=7) as running:
        yield ZohoClient(running)


@pytest.fixture(scope="module")
def zoho() -> Iterator[ZohoClient]:
    """An empty org."""
    with start_simulator("zoho_crm") as running:
        yield ZohoClient(running)


def code(answer: Any) -> tuple[int, str]:
    """Returns status and error code of a refused request."""
    return answer.status_code, answer.json()["code"]


def test_coql_finds_at_once_what_search_finds_later(zoho: ZohoClient) -> None:
    record_id = zoho.insert(Hub_Id="h1", Email="find@bank.example")
    assert zoho.get("Contacts/search", email="find@bank.example").status_code == 204
    found = zoho.coql("select id, Hub_Id, Owner, Owner.id from Contacts where Hub_Id in ('h1', 'h9')").json()
    assert found["data"] == [
        {"id": record_id, "Hub_Id": "h1", "Owner": {"id": "5843104000000301000"}, "Owner.id": "5843104000000301000"}
    ]
    zoho.admin.advance(31)
    assert zoho.get("Contacts/search", criteria="(Email:equals:find@bank.example)").json()["data"][0]["id"] == record_id
    zoho.write("PUT", "Contacts", {"id": record_id, "Email": "new@bank.example"})
    assert zoho.get("Contacts/search", email="find@bank.example").status_code == 200
    assert zoho.get("Contacts/search", email="new@bank.example").status_code == 204


def test_coql_conditions_order_and_pages(reader: ZohoClient) -> None:
    def ids(where: str) -> list[str]:
        answer = reader.coql(f"select id from Contacts where {where} limit 2000")
        return [row["id"] for row in answer.json()["data"]] if answer.status_code == 200 else []

    everybody = ids("id is not null")
    assert len(everybody) == reader.get("Contacts/actions/count").json()["count"]
    tiers = [ids(f"Customer_Tier = '{tier}'") for tier in ("私人银行", "贵宾", "金卡", "普通")]
    assert sum(map(len, tiers)) == len(everybody)
    assert ids("Customer_Tier in ('贵宾', '金卡')") == sorted(tiers[1] + tiers[2], key=int)
    assert ids("((Customer_Tier = '贵宾' or Customer_Tier = '金卡') and Email is null)") == [
        one for one in ids("Email is null") if one in {*tiers[1], *tiers[2]}
    ]
    assert len(ids("Email like '%@qq.com'")) + len(ids("Email not like '%@qq.com'")) == len(ids("Email is not null"))
    middle = everybody[len(everybody) // 2]
    assert ids(f"id > '{middle}'") == everybody[len(everybody) // 2 + 1 :]
    page = reader.coql(
        "select Modified_Time from Contacts where id is not null order by Modified_Time desc limit 7 offset 3"
    )
    times = [row["Modified_Time"] for row in page.json()["data"]]
    assert len(times) == 7
    assert times == sorted(times, reverse=True)
    since = reader.coql(f"select id from Contacts where Modified_Time >= '{times[0]}' limit 2000").json()
    assert since["info"] == {"count": len(since["data"]), "more_records": False}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select id from Contacts", "SYNTAX_ERROR"),
        ("select id from Contacts where id > 1 and id > 2 and id > 3", "SYNTAX_ERROR"),
        ("select Nothing from Contacts where id is not null", "INVALID_QUERY"),
        ("select id from Nothing where id is not null", "INVALID_QUERY"),
        ("select id from Contacts where id is not null limit 2001", "LIMIT_EXCEEDED"),
        ("select id from Contacts where id is not null limit 2000 offset 98001", "LIMIT_EXCEEDED"),
        (f"select id from Contacts where Hub_Id in ({','.join(['1'] * 51)})", "LIMIT_EXCEEDED"),
        ("select id, id from Contacts where id is not null", "DUPLICATE_DATA"),
    ],
)
def test_coql_refuses(reader: ZohoClient, query: str, expected: str) -> None:
    assert code(reader.coql(query)) == (400, expected)
