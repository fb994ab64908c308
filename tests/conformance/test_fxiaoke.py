"""The Fxiaoke connector passes the kit against its simulator: every object with both generations of signing in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from connectors.addresses import Egress
from connectors.base import Connector
from connectors.conformance import Subject, WorldFault
from connectors.conformance.context import KitContext, PatientClock
from connectors.conformance.suite import ConnectorSuite
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.fxiaoke.settings import HOSTS
from connectors.http import HttpClient, HttpPolicy
from connectors.simulation.server import Admin, RunningSimulator, start_simulator

SECRETS = {"app_secret": "simulated-secret", "permanent_code": "simulated-permanent"}
OPERATORS = {"bearer": "1000", "legacy": "FSUID_simulated"}
INSTANTS = (1_774_742_399_999, 1_792_890_000_000, 0)
FAULTS: dict[WorldFault, dict[str, Any]] = {
    WorldFault.RATE_LIMITED: {"action": "http_429"},
    WorldFault.SERVER_ERROR: {"action": "http_500"},
    WorldFault.TIMEOUT_BEFORE: {"action": "reset_before_commit"},
    WorldFault.TIMEOUT_AFTER: {"action": "reset_after_commit"},
    WorldFault.HTML_PAGE: {"action": "http_502_html", "after_commit": True},
    WorldFault.TRUNCATED_JSON: {"action": "truncated_json"},
    WorldFault.TOKEN_EXPIRED: {"action": "auth_expired"},
    WorldFault.CREDENTIALS: {"action": "vendor_error", "code": 20021, "message": "应用已停用"},
}


def made(admin: Admin, object: str, **fields: Any) -> str:
    return str(admin.post("create", {"object": object, "fields": fields})["id"])


def customers(admin: Admin) -> Subject:
    return Subject(
        object="AccountObj",
        key_field="hub_id__c",
        text="short_name__c",
        other="customer_no__c",
        required={"name": "样本客户{n}", "owner": ["1001"]},
        refused=("remark", "禁止录入"),
        round_trip={
            "instant": ("next_follow_up_at__c", INSTANTS),
            "date": ("birth_date__c", (-315_648_000_000, 951_753_600_000)),
            "number": ("loyalty_points__c", ("0", "1200", "-7")),
            "choice": ("account_level", ("1", "4")),
            "choices": ("behavior_tags__c", (["tag01", "tag08"],)),
            "long text": ("need_summary__c", ("第一行\n第二行\t制表", "满" * 5000)),
        },
    )


def logs(admin: Admin) -> Subject:
    customer = made(admin, "AccountObj", name="有沟通记录的客户")
    complaint = made(admin, "complaint__c", name="WT-1", account_id=customer)
    links = [
        {"describe_api_name": "AccountObj", "id": customer},
        {"describe_api_name": "complaint__c", "id": complaint},
    ]
    return Subject(
        object="ActiveRecordObj",
        key_field="hub_id__c",
        text="subject__c",
        other="location__c",
        required={"owner": ["1001"], "account_id": customer},
        refused=("next_action__c", "禁止录入"),
        round_trip={
            "instant": ("contact_time__c", INSTANTS),
            "number": ("duration_seconds__c", ("0", "95")),
            "choice": ("interactive_types", ("1", "other")),
            "scenario": ("interactive_scenario", ("11",)),
            "links": ("related_object_data", (links,)),
            "long text": ("active_record_content", ("第一行\n第二行\t制表", "满" * 5000)),
        },
    )


def complaints(admin: Admin) -> Subject:
    customer = made(admin, "AccountObj", name="投诉过的客户")
    earlier = made(admin, "complaint__c", name="WT-0", account_id=customer)
    return Subject(
        object="complaint__c",
        key_field="hub_id__c",
        text="title__c",
        other="complainant_name__c",
        required={"name": "WT-{n}", "owner": ["1001"], "account_id": customer},
        refused=("root_cause__c", "禁止录入"),
        round_trip={
            "instant": ("received_at__c", INSTANTS),
            "date": ("corrective_due_on__c", (951_753_600_000,)),
            "number": ("satisfaction_score__c", ("1", "5")),
            "choice": ("status__c", ("option1", "option9")),
            "phone": ("complainant_phone__c", ("13800000000", "02150000000")),
            "lookup": ("repeat_of__c", (earlier,)),
            "long text": ("description__c", ("第一行\n第二行\t制表", "满" * 5000)),
        },
    )


class FxiaokeWorld:
    """Implements connectors.conformance.World over the simulator's admin path."""

    def __init__(self, running: RunningSimulator, subject_of: Callable[[Admin], Subject], auth_style: str) -> None:
        self.running, self.admin = running, running.admin
        self.auth_style = auth_style
        self.clock = PatientClock()
        self.client = HttpClient(HttpPolicy(Egress(HOSTS, profile="lab"), read_attempts=2), self.clock)
        self.context = KitContext("fxiaoke", self.client, self.clock, SECRETS)
        self.subject = subject_of(running.admin)
        assert self.subject.refused is not None
        field, value = self.subject.refused
        forbidden = {"object": self.subject.object, "field": field, "values": [value], "refuse": "内容不符合规定"}
        self.admin.post("rules", {"rules": [forbidden]})

    def create(self, fields: Mapping[str, Any]) -> str:
        return made(self.admin, self.subject.object, **fields)

    def edit(self, native_id: str, fields: Mapping[str, Any]) -> None:
        self._act("edit", native_id, fields=dict(fields))

    def delete(self, native_id: str) -> None:
        self._act("delete", native_id)

    def restore(self, native_id: str) -> None:
        self._act("restore", native_id)

    def merge(self, loser: str, survivor: str) -> None:
        self._act("merge", survivor, losers=[loser])

    def hide_record(self, native_id: str) -> None:
        self._act("hide", native_id)

    def show_record(self, native_id: str) -> None:
        self._act("hide", native_id, hidden=False)

    def hide_field(self, name: str) -> None:
        self._field(name, active=False)

    def show_field(self, name: str) -> None:
        self._field(name, active=True)

    def records(self) -> Mapping[str, Mapping[str, Any]]:
        live = (row for row in self.admin.records(self.subject.object) if not row.get("is_deleted"))
        return {row["_id"]: {name: value for name, value in row.items() if value is not None} for row in live}

    def advance(self, seconds: float) -> None:
        self.admin.advance(seconds)
        self.clock.offset += seconds

    def freeze(self) -> None:
        self.admin.post("clock", {"freeze": True})

    def thaw(self) -> None:
        self.admin.post("clock", {"freeze": False})

    def fail(self, fault: WorldFault, *, reads: bool, times: int = 1) -> None:
        operations = "query|get" if reads else "create|update|changeOwner|invalid|recover"
        self.admin.faults([{"match": {"path_regex": f"/data/({operations})$"}, "times": times, **FAULTS[fault]}])

    def heal(self) -> None:
        self.admin.faults([])

    def secrets(self) -> Sequence[str]:
        kept = self.context.tokens.get("access")
        return [*SECRETS.values(), *([json.loads(kept)[1]] if kept else [])]

    def _act(self, action: str, native_id: str, **more: Any) -> None:
        self.admin.post(action, {"object": self.subject.object, "id": native_id, **more})

    def _field(self, name: str, **changes: Any) -> None:
        self.admin.post("schema", {"object": self.subject.object, "field": name, "changes": changes})


class FxiaokeSuite(ConnectorSuite):
    def make_connector(self, world: FxiaokeWorld) -> Connector:
        settings = {
            "base_url": world.running.base_url,
            "auth_style": world.auth_style,
            "app_id": "FSAID_simulated",
            "operator_id": OPERATORS[world.auth_style],
            "objects": [world.subject.object],
            "external_key_unique": True,
            "sign_ins_per_minute": 10_000,
            "rate_per_second": 5000.0,
            "rate_burst": 5000,
            "rate_limit_wait": 1.0,
            "index_lag": 1.0,
            "overlap": 2.0,
        }
        return FxiaokeConnector(settings, world.context)


def worlds(
    subject_of: Callable[[Admin], Subject], auth_style: str = "bearer", **switches: Any
) -> Iterator[FxiaokeWorld]:
    with start_simulator("fxiaoke", limits="fast", settings=switches) as running:
        world = FxiaokeWorld(running, subject_of, auth_style)
        yield world
        world.client.close()


class TestFxiaoke(FxiaokeSuite):
    @pytest.fixture(scope="class", params=["bearer", "legacy"])
    @classmethod
    def world(cls, request: pytest.FixtureRequest) -> Iterator[FxiaokeWorld]:
        yield from worlds(customers, request.param)


class TestFxiaokeContactLogs(FxiaokeSuite):
    @pytest.fixture(
        scope="class",
        params=[{}, {"log_account_lookup": False, "auth_style": "legacy"}, {"log_links_mirrored": False}],
        ids=["lookup-and-list", "list-alone", "unmirrored"],
    )
    @classmethod
    def world(cls, request: pytest.FixtureRequest) -> Iterator[FxiaokeWorld]:
        yield from worlds(logs, **request.param)


class TestFxiaokeComplaints(FxiaokeSuite):
    @pytest.fixture(
        scope="class",
        params=[{"auth_style": "legacy"}, {"custom_create_returns_id": False, "index_lag_seconds": 0}],
        ids=["named", "nameless"],
    )
    @classmethod
    def world(cls, request: pytest.FixtureRequest) -> Iterator[FxiaokeWorld]:
        yield from worlds(complaints, **request.param)
