"""Each test gets an empty simulated organisation of its own, with default switches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zoho_lab import LabContext, connect, simulator

from connectors.allowance import MemoryBooks
from connectors.base import Cursor, NativeRecord, Op, WriteRequest, WriteResult
from connectors.conformance.context import MemoryTokens
from connectors.simulation.server import Admin
from connectors.zoho_crm.connector import ZohoCrmConnector

FIELDS = ("Hub_Id", "Last_Name", "First_Name", "Mobile", "Email", "Description", "Owner")


class Org:
    """The simulated organisation of one test, with a connector to it."""

    def __init__(self, url: str) -> None:
        self.url, self.admin = url, Admin(url)
        self.context = LabContext()
        self.zoho = connect(self.url, self.context)

    def emptied(self) -> Org:
        """Returns itself as it was at the start, connected anew; only the transport is kept, which is slow to make."""
        self.admin.reset()
        self.context.tokens, self.context.books = MemoryTokens(), MemoryBooks()
        self.context.clock.offset = 0.0
        self.zoho = self.connect()
        return self

    def connect(self, context: LabContext | None = None, **settings: Any) -> ZohoCrmConnector:
        return connect(self.url, context or self.context, **settings)

    def create(self, name: str = "王", **fields: Any) -> str:
        return str(self.admin.post("create", {"object": "Contacts", "fields": {"Last_Name": name, **fields}})["id"])

    def edit(self, native_id: str, **fields: Any) -> None:
        self.admin.post("edit", {"object": "Contacts", "id": native_id, "fields": fields})

    def delete(self, native_id: str) -> None:
        self.admin.post("delete", {"object": "Contacts", "id": native_id})

    def stored(self, native_id: str) -> dict[str, Any]:
        return next(row for row in self.admin.records("Contacts") if row["id"] == native_id)

    def advance(self, seconds: float) -> None:
        self.admin.advance(seconds)
        self.context.clock.offset += seconds

    def fault(self, method: str, path: str, action: str, **details: Any) -> None:
        self.faulted = {"method": method, "path_regex": path}
        self.admin.faults([{"match": self.faulted, "action": action, "times": 1, **details}])

    def calls(self) -> dict[str, int]:
        """Returns how many calls reached the vendor since the last reset, sign-in left out."""
        counted = dict(self.context.http.calls())
        return {name: count for name, count in counted.items() if name != "token"}

    def drain(self, cursor: Cursor | None = None, limit: int = 200, zoho: ZohoCrmConnector | None = None) -> Drained:
        drained = Drained()
        while True:
            page = (zoho or self.zoho).changes("Contacts", FIELDS, cursor, limit)
            assert len(page.records) <= limit
            drained.records += page.records
            drained.pages += 1
            cursor = drained.cursor = page.next_cursor
            if page.complete:
                return drained

    def create_requests(self, count: int, **fields: Any) -> list[WriteRequest]:
        return [
            WriteRequest(
                Op.CREATE,
                "Contacts",
                None,
                {"Last_Name": f"李{n}", "Hub_Id": f"hub-{n}", **fields},
                f"hub-{n}",
                f"k{n}",
            )
            for n in range(count)
        ]

    def update(self, native_id: str, version: str | None = None, **fields: Any) -> WriteResult:
        return self.zoho.write([self.update_request(native_id, version, **fields)])[0]

    def update_request(self, native_id: str, version: str | None = None, **fields: Any) -> WriteRequest:
        return WriteRequest(Op.UPDATE, "Contacts", native_id, fields, "hub", "key", version)


class Drained:
    """What one run of the change stream gave."""

    def __init__(self) -> None:
        self.records: list[NativeRecord] = []
        self.pages = 0
        self.cursor: Cursor = {}

    @property
    def ids(self) -> list[str]:
        return [record.native_id for record in self.records]


@pytest.fixture
def org() -> Iterator[Org]:
    with simulator() as url:
        made = Org(url)
        yield made
        made.context.http.close()


@pytest.fixture(scope="module")
def served_org() -> Iterator[Org]:
    """Is one organisation for a module of many small cases; `org` overridden there empties it for each."""
    with simulator() as url:
        made = Org(url)
        yield made
        made.context.http.close()
