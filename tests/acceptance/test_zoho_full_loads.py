"""250,000 accounts: whichever way a complete listing goes, it gives the same set, in as few calls as it may."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from math import ceil
from typing import Any

import orjson
import pytest

from connectors.addresses import Egress
from connectors.base import Cursor, NativeRecord
from connectors.conformance.context import KitContext, PatientClock
from connectors.http import HttpClient, HttpPolicy
from connectors.simulation.server import RunningSimulator, start_simulator
from connectors.zoho_crm.connector import ZohoCrmConnector

pytestmark = pytest.mark.slow

ACCOUNTS = 250_000
LIST_ROWS, LIST_WALL, COQL_ROWS, COQL_CREDITS, JOB_ROWS, JOB_CREDITS = 200, 100_000, 2_000, 3, 200_000, 50
"""Rows of a list call and of all page tokens, of a COQL call and its credits, of a job and its credits."""
FIELDS = (
    "Hub_Id", "Account_Name", "Account_Number", "Phone", "Billing_Street", "Rating", "Preferred_Channel",
    "Consent_Changed_At", "Satisfaction_Score", "Loyalty_Points", "Owner", "Description", "Annual_Revenue",
    "Parent_Account",
)  # fmt: skip
SECRETS = {
    "client_id": "1000.SIMULATED",
    "client_secret": "simulated-secret",
    "refresh_token": "1000.simulated.refresh",
}
MODES: dict[str, dict[str, Any]] = {
    "bulk read": {"bulk_read_above": 50_000},
    "page tokens": {"bulk_read_above": None, "listing": "list"},
    "COQL pages": {"bulk_read_above": None, "listing": "coql"},
    "COQL ranges": {"bulk_read_above": None, "listing": "ranges", "workers": 8},
}


@dataclass(slots=True)
class Listed:
    """Is what a listing gave: its ids, and a sum over the contents of its records in which order does not matter."""

    ids: set[int] = field(default_factory=set)
    records: int = 0
    contents: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    grown: float = 0.0

    def take(self, record: NativeRecord) -> None:
        # A file and a query show a link by its id alone.
        shown = [value["id"] if isinstance(value, dict) else value for value in record.fields.values()]
        body = orjson.dumps([record.native_id, record.version, record.modified_by, list(record.fields), shown])
        self.contents = (self.contents + int.from_bytes(blake2b(body, digest_size=16).digest())) % 2**128
        self.ids.add(int(record.native_id))
        self.records += 1


class Bank:
    """Is the simulated organisation, listed once in each way."""

    def __init__(self, running: RunningSimulator) -> None:
        self.running = running
        self.listed = cache(self._listed)

    def _listed(self, mode: str) -> Listed:
        clock = PatientClock()
        client = HttpClient(HttpPolicy(Egress((), profile="lab")), clock, system="zoho")
        context, url = KitContext("zoho", client, clock, SECRETS), self.running.base_url
        settings = {"accounts_url": url, "api_url": url, "objects": ["Accounts"], **MODES[mode]}
        zoho, listed, cursor = ZohoCrmConnector(settings, context), Listed(), None
        zoho.describe("Accounts")
        self.running.admin.reset_calls()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        complete = False
        while not complete:
            cursor, complete = self._page(zoho, cursor, listed)
        listed.grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        told = self.running.admin.calls()
        listed.calls, listed.rows = told["calls"], told["rows"]
        zoho.close()
        client.close()
        return listed

    def _page(self, zoho: ZohoCrmConnector, cursor: Cursor | None, listed: Listed) -> tuple[Cursor, bool]:
        page = zoho.changes("Accounts", FIELDS, cursor, COQL_ROWS)
        for record in page.records:
            listed.take(record)
        return page.next_cursor, page.complete


@pytest.fixture(scope="module")
def bank() -> Iterator[Bank]:
    with start_simulator("zoho_crm", records=2_500, seed=5, settings={"bulk_seconds": 0}) as running:
        running.admin.post("grow", {"object": "Accounts", "to": ACCOUNTS})
        yield Bank(running)


@pytest.mark.parametrize("mode", MODES)
def test_every_way_gives_every_account_with_the_same_contents(bank: Bank, mode: str) -> None:
    listed, reference = bank.listed(mode), bank.listed("page tokens")
    assert len(listed.ids) == listed.records == ACCOUNTS
    assert listed.ids == reference.ids
    assert listed.contents == reference.contents


def test_bulk_read_takes_a_dozen_calls(bank: Bank) -> None:
    listed = bank.listed("bulk read")
    jobs = ceil(ACCOUNTS / JOB_ROWS)
    # The first page tells that more follows, the count that it is much; the metadata tell the types of the columns.
    # At the end the count is compared with what was delivered.
    assert listed.calls == {
        "list Accounts": 1,
        "count Accounts": 2,
        "settings/modules": 1,
        "settings/fields Accounts": 1,
        "bulk create Accounts": jobs,
        "bulk look Accounts": jobs,
        "bulk download Accounts": jobs,
    }
    assert listed.rows["bulk download Accounts"] == ACCOUNTS
    credits_spent = 1 + 2 + 2 + jobs * (JOB_CREDITS + 1 + 1)
    assert credits_spent == 109
    assert sum(listed.calls.values()) == 11
    # The packed files, one page of rows and this test's own set of ids.
    assert listed.grown < 250


def test_page_tokens_take_a_call_for_two_hundred_up_to_their_wall(bank: Bank) -> None:
    listed = bank.listed("page tokens")
    lists, queries = LIST_WALL // LIST_ROWS, ceil((ACCOUNTS - LIST_WALL) / COQL_ROWS)
    assert (listed.calls["list Accounts"], listed.calls["coql"]) == (lists, queries)
    assert lists + queries * COQL_CREDITS == 725


def test_queries_take_a_call_for_two_thousand(bank: Bank) -> None:
    listed = bank.listed("COQL pages")
    # At the end of a listing the count is compared with what was delivered.
    assert listed.calls == {"coql": ceil(ACCOUNTS / COQL_ROWS), "count Accounts": 1}
    assert listed.calls["coql"] * COQL_CREDITS == 375


def test_ranges_cost_little_more_than_one_chain(bank: Bank) -> None:
    listed = bank.listed("COQL ranges")
    chain = ceil(ACCOUNTS / COQL_ROWS)
    assert chain <= listed.calls["coql"] <= chain * 1.2
    assert "list Accounts" not in listed.calls
