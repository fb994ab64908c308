"""The Zoho CRM connector passes the kit against its simulator, as documented and as it may be otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from connectors.addresses import Egress
from connectors.base import Connector
from connectors.conformance import Subject, WorldFault
from connectors.conformance.context import KitContext, PatientClock
from connectors.conformance.suite import ConnectorSuite
from connectors.http import HttpClient, HttpPolicy
from connectors.simulation.server import RunningSimulator, start_simulator
from connectors.zoho_crm.connector import ZohoCrmConnector

OBJECT = "Contacts"
SECRETS = {
    "client_id": "1000.SIMULATED",
    "client_secret": "simulated-secret",
    "refresh_token": "1000.simulated.refresh",
}
READS, WRITES = (("GET", f"/{OBJECT}"), ("POST", "/coql$")), tuple((m, f"/{OBJECT}") for m in ("POST", "PUT", "DELETE"))
FAULTS: dict[WorldFault, dict[str, Any]] = {
    WorldFault.RATE_LIMITED: {"action": "http_429"},
    WorldFault.SERVER_ERROR: {"action": "http_500"},
    WorldFault.TIMEOUT_BEFORE: {"action": "reset_before_commit"},
    WorldFault.TIMEOUT_AFTER: {"action": "reset_after_commit"},
    WorldFault.HTML_PAGE: {"action": "http_502_html", "after_commit": True},
    WorldFault.TRUNCATED_JSON: {"action": "truncated_json"},
    WorldFault.TOKEN_EXPIRED: {"action": "auth_expired"},
}
SIGN_IN_REFUSED = {
    "match": {"path_regex": "/oauth/v2/token$"},
    "action": "vendor_error",
    "status": 200,
    "body": {"error": "invalid_code"},
}


# How the vendor may behave where its documents leave it open, and how the connector is then set.
WAYS: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"list_lag": 3.0}, {"visibility_lag": 3.0, "conditional_updates": "batch_read_before_write"}),
    (
        {
            "error_style": "data",
            "absent_get_status": 400,
            "hidden_get": "absent",
            "all_failed_status": 202,
            "duplicate_details": "duplicate_record",
            "deleted_none_status": 304,
            "throttle_status": 200,
        },
        {"visibility_lag": 0.0, "conditional_updates": "single_row_if_unmodified_since", "listing": "coql"},
    ),
)


class ZohoWorld:
    """Implements connectors.conformance.World over the simulator's admin path."""

    subject = Subject(
        object=OBJECT,
        key_field="Hub_Id",
        text="Short_Name",
        other="Customer_No",
        required={"Last_Name": "样本{n}"},
        refused=("Customer_Kind", "外星人"),
        round_trip={
            "instant": (
                "Next_Follow_Up_At",
                ("2026-03-29T02:30:00+08:00", "2026-03-29T00:59:59+00:00", "2026-10-25T01:30:00+01:00"),
            ),
            "date": ("Date_of_Birth", ("1960-02-29", "2000-01-01")),
            "number": ("Loyalty_Points", (0, 1200, -7)),
            "flag": ("Email_Opt_Out", (True, False)),
            "choice": ("Customer_Tier", ("贵宾", "普通")),
            "long text": ("Need_Summary", ("第一行\n第二行\t制表", "满" * 32_000)),
        },
    )

    def __init__(self, running: RunningSimulator, **choices: Any) -> None:
        self.running, self.admin, self.choices = running, running.admin, choices
        self.clock = PatientClock()
        self.client = HttpClient(HttpPolicy(Egress((), profile="lab"), read_attempts=2), self.clock)
        self.context = KitContext("zoho", self.client, self.clock, SECRETS)

    def create(self, fields: Mapping[str, Any]) -> str:
        return str(self.admin.post("create", {"object": OBJECT, "fields": dict(fields)})["id"])

    def edit(self, native_id: str, fields: Mapping[str, Any]) -> None:
        self.admin.post("edit", {"object": OBJECT, "id": native_id, "fields": dict(fields)})

    def delete(self, native_id: str) -> None:
        self.admin.post("delete", {"object": OBJECT, "id": native_id})

    def restore(self, native_id: str) -> None:
        self.admin.post("restore", {"object": OBJECT, "id": native_id})

    def merge(self, loser: str, survivor: str) -> None:
        self.admin.post("merge", {"object": OBJECT, "id": survivor, "losers": [loser]})

    def hide_record(self, native_id: str) -> None:
        self.admin.post("hide", {"object": OBJECT, "id": native_id})

    def show_record(self, native_id: str) -> None:
        self.admin.post("hide", {"object": OBJECT, "id": native_id, "hidden": False})

    def hide_field(self, name: str) -> None:
        self.admin.post("hide_field", {"object": OBJECT, "field": name, "hidden": True})

    def show_field(self, name: str) -> None:
        self.admin.post("hide_field", {"object": OBJECT, "field": name, "hidden": False})

    def records(self) -> Mapping[str, Mapping[str, Any]]:
        live = (row for row in self.admin.records(OBJECT) if row["_state"] == "live")
        return {row["id"]: {name: value for name, value in row.items() if value is not None} for row in live}

    def advance(self, seconds: float) -> None:
        self.admin.advance(seconds)
        self.clock.offset += seconds

    def freeze(self) -> None:
        self.admin.post("clock", {"freeze": True})

    def thaw(self) -> None:
        self.admin.post("clock", {"freeze": False})

    def fail(self, fault: WorldFault, *, reads: bool, times: int = 1) -> None:
        if fault is WorldFault.CREDENTIALS:
            self.admin.post("tokens", {"expire": True})
            self.admin.faults([SIGN_IN_REFUSED])
            return
        calls = READS if reads else WRITES
        matches = [{"method": method, "path_regex": path} for method, path in calls]
        self.admin.faults([{"match": match, "times": times, **FAULTS[fault]} for match in matches])

    def heal(self) -> None:
        self.admin.faults([])

    def secrets(self) -> Sequence[str]:
        kept = self.context.tokens.get("access_token")
        return [*SECRETS.values(), *([json.loads(kept)["value"]] if kept else [])]


class TestZohoCrm(ConnectorSuite):
    @pytest.fixture(scope="class", params=WAYS, ids=["documented", "otherwise"])
    @classmethod
    def world(cls, request: pytest.FixtureRequest) -> Iterator[ZohoWorld]:
        switches, choices = request.param
        with start_simulator("zoho_crm", limits="fast", settings=switches) as running:
            world = ZohoWorld(running, overlap=10.0, **choices)
            yield world
            world.client.close()

    def make_connector(self, world: ZohoWorld) -> Connector:
        urls = {"accounts_url": world.running.base_url, "api_url": world.running.base_url}
        return ZohoCrmConnector({**urls, **world.choices}, world.context)
