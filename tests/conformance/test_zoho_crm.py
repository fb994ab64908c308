"""The Zoho CRM connector passes the kit against its simulator, as documented and as it may be otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.addresses import Egress
from connectors.base import Connector
from connectors.conformance import NotOffered, Subject, WorldFault
from connectors.conformance.context import KitContext, PatientClock
from connectors.conformance.suite import ConnectorSuite
from connectors.http import HttpClient, HttpPolicy
from connectors.simulation.server import RunningSimulator, start_simulator
from connectors.zoho_crm.connector import ZohoCrmConnector
from connectors.zoho_crm.simulator.recycling import MERGEABLE

SECRETS = {
    "client_id": "1000.SIMULATED",
    "client_secret": "simulated-secret",
    "refresh_token": "1000.simulated.refresh",
}
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
Way = tuple[dict[str, Any], dict[str, Any]]
WAYS: tuple[Way, ...] = (
    (
        {"list_lag": 3.0},
        {"visibility_lag": 3.0, "conditional_updates": "batch_read_before_write", "upsert_activities": True},
    ),
    (
        {
            "error_style": "data",
            "absent_get_status": 400,
            "hidden_get": "absent",
            "all_failed_status": 202,
            "duplicate_details": "duplicate_record",
            "deleted_none_status": 304,
            "throttle_status": 200,
            "se_module_in_lists": False,
            "se_module_described": True,
            "upsert_activities": False,
            "missed_call_length": "zero",
            "rich_text_fields": "Description,Solution",
        },
        {
            "visibility_lag": 0.0,
            "conditional_updates": "single_row_if_unmodified_since",
            "listing": "coql",
            "rich_text_fields": ["Description", "Solution"],
        },
    ),
)

RANGED: tuple[Way, ...] = (
    ({}, {"visibility_lag": 0.0, "listing": "ranges", "coql_page_size": 2, "workers": 3}),
    (
        {"error_style": "data", "se_module_in_lists": False, "rich_text_fields": "Description,Need_Summary"},
        {"visibility_lag": 0.0, "listing": "ranges", "coql_page_size": 5, "workers": 10, "coql_unreadable": []},
    ),
)

# Pages so small that every listing is a bulk load, in jobs of a few rows each.
BULK: Way = (
    {"bulk_seconds": 0.0, "bulk_rows": 40, "bulk_id_header": "Id", "se_module_in_lists": False},
    {"visibility_lag": 0.0, "listing": "list", "page_size": 3, "bulk_read_above": 3},
)


INSTANTS = ("2026-03-29T02:30:00+08:00", "2026-03-29T00:59:59+00:00", "2026-10-25T01:30:00+01:00")
LONG_TEXTS = ("第一行\n第二行\t制表", "满" * 32_000)
SUBJECTS = {
    "Contacts": Subject(
        object="Contacts",
        key_field="Hub_Id",
        text="Short_Name",
        other="Customer_No",
        required={"Last_Name": "样本{n}"},
        refused=("Customer_Kind", "外星人"),
        round_trip={
            "instant": ("Next_Follow_Up_At", INSTANTS),
            "date": ("Date_of_Birth", ("1960-02-29", "2000-01-01")),
            "number": ("Loyalty_Points", (0, 1200, -7)),
            "flag": ("Email_Opt_Out", (True, False)),
            "choice": ("Customer_Tier", ("贵宾", "普通")),
            "long text": ("Need_Summary", LONG_TEXTS),
        },
    ),
    "Calls": Subject(
        object="Calls",
        key_field="Hub_Id",
        text="Subject",
        other="Product_Code",
        required={
            "Call_Type": "Outbound",
            "Call_Start_Time": "2026-03-01T09:00:00+08:00",
            "Call_Duration": "03:25",
            "Who_Id": "Contacts",
            "What_Id": "Accounts",
            "$se_module": "Accounts",
        },
        refused=("Call_Purpose", "外星人"),
        round_trip={
            "instant": ("Next_Follow_Up_At", INSTANTS),
            "length": ("Call_Duration", ("00:01", "65:10")),
            "choice": ("Call_Purpose", ("回访", "其他")),
            "long text": ("Description", LONG_TEXTS),
        },
    ),
    "Events": Subject(
        object="Events",
        key_field="Hub_Id",
        text="Event_Title",
        other="Product_Code",
        required={
            "Start_DateTime": "2026-03-01T09:00:00+08:00",
            "End_DateTime": "2026-03-01T09:30:00+08:00",
            "Who_Id": "Contacts",
        },
        refused=("Purpose", "外星人"),
        round_trip={
            "instant": ("Planned_At", INSTANTS),
            "flag": ("All_day", (True, False)),
            "choice": ("Channel", ("上门拜访", "视频")),
            "long text": ("Description", LONG_TEXTS),
        },
    ),
    "Tasks": Subject(
        object="Tasks",
        key_field="Hub_Id",
        text="Subject",
        other="Product_Code",
        required={"Who_Id": "Contacts"},
        refused=("Status", "外星人"),
        round_trip={
            "instant": ("Started_At", INSTANTS),
            "date": ("Due_Date", ("2026-02-28", "2026-12-31")),
            "number": ("Duration_Seconds", (0, 3600)),
            "choice": ("Status", ("Completed", "Deferred")),
            "long text": ("Description", LONG_TEXTS),
        },
    ),
    "Cases": Subject(
        object="Cases",
        key_field="Hub_Id",
        text="Subject",
        other="Product_Code",
        required={"Status": "已登记", "Case_Origin": "Phone", "Related_To": "Contacts"},
        refused=("Priority", "外星人"),
        round_trip={
            "instant": ("Feedback_At", INSTANTS),
            "date": ("Corrective_Due_On", ("2026-02-28", "2026-12-31")),
            "number": ("Satisfaction_Score", (1, 5)),
            "choice": ("Status", ("调查处理", "已结案")),
            "long text": ("Solution", LONG_TEXTS),
        },
    ),
}
"""A link among the required values names the module of the record that the world makes for it."""
LINKS = ("Who_Id", "What_Id", "Related_To")
PARENTS = {"Contacts": {"Last_Name": "样本客户"}, "Accounts": {"Account_Name": "样本单位"}}


class ZohoWorld:
    """Implements connectors.conformance.World over the simulator's admin path."""

    def __init__(self, running: RunningSimulator, object_name: str, **choices: Any) -> None:
        self.running, self.admin, self.choices = running, running.admin, choices
        self.object = object_name
        self.subject = self._linked(SUBJECTS[object_name])
        self.clock = PatientClock()
        self.client = HttpClient(HttpPolicy(Egress((), profile="lab"), read_attempts=2), self.clock)
        self.context = KitContext("zoho", self.client, self.clock, SECRETS)

    def _linked(self, subject: Subject) -> Subject:
        required = dict(subject.required)
        for name in LINKS:
            if module := required.get(name):
                made = self.admin.post("create", {"object": module, "fields": PARENTS[module]})
                required[name] = {"name": next(iter(PARENTS[module].values())), "id": made["id"]}
        return replace(subject, required=required)

    def create(self, fields: Mapping[str, Any]) -> str:
        return str(self.admin.post("create", {"object": self.object, "fields": dict(fields)})["id"])

    def edit(self, native_id: str, fields: Mapping[str, Any]) -> None:
        self.admin.post("edit", {"object": self.object, "id": native_id, "fields": dict(fields)})

    def delete(self, native_id: str) -> None:
        self.admin.post("delete", {"object": self.object, "id": native_id})

    def restore(self, native_id: str) -> None:
        self.admin.post("restore", {"object": self.object, "id": native_id})

    def merge(self, loser: str, survivor: str) -> None:
        if self.object not in MERGEABLE:
            raise NotOffered(f"Zoho merges no {self.object}")
        self.admin.post("merge", {"object": self.object, "id": survivor, "losers": [loser]})

    def hide_record(self, native_id: str) -> None:
        self.admin.post("hide", {"object": self.object, "id": native_id})

    def show_record(self, native_id: str) -> None:
        self.admin.post("hide", {"object": self.object, "id": native_id, "hidden": False})

    def hide_field(self, name: str) -> None:
        self.admin.post("hide_field", {"object": self.object, "field": name, "hidden": True})

    def show_field(self, name: str) -> None:
        self.admin.post("hide_field", {"object": self.object, "field": name, "hidden": False})

    def records(self) -> Mapping[str, Mapping[str, Any]]:
        live = (row for row in self.admin.records(self.object) if row["_state"] == "live")
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
        path = f"/{self.object}"
        reading = (("GET", path), ("POST", "/coql$"), ("GET", "/bulk/"), ("POST", "/bulk/"))
        calls = reading if reads else tuple((method, path) for method in ("POST", "PUT", "DELETE"))
        matches = [{"method": method, "path_regex": path} for method, path in calls]
        self.admin.faults([{"match": match, "times": times, **FAULTS[fault]} for match in matches])

    def heal(self) -> None:
        self.admin.faults([])

    def secrets(self) -> Sequence[str]:
        kept = self.context.tokens.get("access_token")
        return [*SECRETS.values(), *([json.loads(kept)["value"]] if kept else [])]


def serve(object_name: str, way: Way) -> Iterator[ZohoWorld]:
    """Yields the world of one way for one object."""
    switches, choices = way
    with start_simulator("zoho_crm", limits="fast", settings=switches) as running:
        world = ZohoWorld(running, object_name, overlap=10.0, objects=[object_name], **choices)
        yield world
        world.client.close()


class TestZohoCrm(ConnectorSuite):
    @pytest.fixture(scope="class", params=WAYS, ids=["documented", "otherwise"])
    @classmethod
    def way(cls, request: pytest.FixtureRequest) -> Way:
        chosen: Way = request.param
        return chosen

    @pytest.fixture(scope="class", params=SUBJECTS)
    @classmethod
    def world(cls, request: pytest.FixtureRequest, way: Way) -> Iterator[ZohoWorld]:
        yield from serve(request.param, way)

    def make_connector(self, world: ZohoWorld) -> Connector:
        urls = {"accounts_url": world.running.base_url, "api_url": world.running.base_url}
        return ZohoCrmConnector({**urls, **world.choices}, world.context)


class TestZohoCrmByRanges(TestZohoCrm):
    """Lists in ranges of ids, with pages so small that there are several."""

    @pytest.fixture(scope="class", params=RANGED, ids=["documented", "otherwise"])
    @classmethod
    def way(cls, request: pytest.FixtureRequest) -> Way:
        chosen: Way = request.param
        return chosen

    @pytest.fixture(scope="class", params=["Contacts", "Calls"])
    @classmethod
    def world(cls, request: pytest.FixtureRequest, way: Way) -> Iterator[ZohoWorld]:
        yield from serve(request.param, way)


class TestZohoCrmInBulk(TestZohoCrm):
    """Lists every module by bulk read as soon as it has more than a page, in several jobs."""

    @pytest.fixture(scope="class", params=[BULK], ids=["bulk"])
    @classmethod
    def way(cls, request: pytest.FixtureRequest) -> Way:
        chosen: Way = request.param
        return chosen

    @pytest.fixture(scope="class", params=["Contacts", "Calls"])
    @classmethod
    def world(cls, request: pytest.FixtureRequest, way: Way) -> Iterator[ZohoWorld]:
        switches, choices = way
        with start_simulator("zoho_crm", limits="fast", settings=switches) as running:
            world = ZohoWorld(running, request.param, overlap=10.0, objects=[request.param], **choices)
            yield world
            jobs = running.admin.calls()["calls"].get(f"bulk create {request.param}", 0)
            world.client.close()
        assert jobs > 0, "no listing of this run went by bulk read"
