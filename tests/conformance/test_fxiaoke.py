"""The Fxiaoke connector passes the kit against its simulator, in both generations of sign-in."""

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
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.fxiaoke.settings import HOSTS
from connectors.http import HttpClient, HttpPolicy
from connectors.simulation.server import RunningSimulator, start_simulator

OBJECT = "AccountObj"
SECRETS = {"app_secret": "simulated-secret", "permanent_code": "simulated-permanent"}
FORBIDDEN = {"object": OBJECT, "field": "remark", "values": ["禁止录入"], "refuse": "备注不符合规定"}
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


class FxiaokeWorld:
    """Implements connectors.conformance.World over the simulator's admin path."""

    subject = Subject(
        object=OBJECT,
        key_field="hub_id__c",
        text="short_name__c",
        other="customer_no__c",
        required={"name": "样本客户{n}", "owner": ["1001"]},
        refused=("remark", "禁止录入"),
        round_trip={
            "instant": ("next_follow_up_at__c", (1_774_742_399_999, 1_792_890_000_000, 0)),
            "date": ("birth_date__c", (-315_648_000_000, 951_753_600_000)),
            "number": ("loyalty_points__c", ("0", "1200", "-7")),
            "choice": ("account_level", ("1", "4")),
            "choices": ("behavior_tags__c", (["tag01", "tag08"],)),
            "long text": ("need_summary__c", ("第一行\n第二行\t制表", "满" * 5000)),
        },
    )

    def __init__(self, running: RunningSimulator, auth_style: str, operator_id: str) -> None:
        self.running, self.admin = running, running.admin
        self.auth_style, self.operator_id = auth_style, operator_id
        self.clock = PatientClock()
        self.client = HttpClient(HttpPolicy(Egress(HOSTS, profile="lab"), read_attempts=2), self.clock)
        self.context = KitContext("fxiaoke", self.client, self.clock, SECRETS)
        self.admin.post("rules", {"rules": [FORBIDDEN]})

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
        self._field(name, active=False)

    def show_field(self, name: str) -> None:
        self._field(name, active=True)

    def records(self) -> Mapping[str, Mapping[str, Any]]:
        live = (row for row in self.admin.records(OBJECT) if not row.get("is_deleted"))
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

    def _field(self, name: str, **changes: Any) -> None:
        self.admin.post("schema", {"object": OBJECT, "field": name, "changes": changes})


class TestFxiaoke(ConnectorSuite):
    @pytest.fixture(scope="class", params=[("bearer", "1000"), ("legacy", "FSUID_simulated")], ids=["bearer", "legacy"])
    @classmethod
    def world(cls, request: pytest.FixtureRequest) -> Iterator[FxiaokeWorld]:
        with start_simulator("fxiaoke", limits="fast") as running:
            world = FxiaokeWorld(running, *request.param)
            yield world
            world.client.close()

    def make_connector(self, world: FxiaokeWorld) -> Connector:
        settings = {
            "base_url": world.running.base_url,
            "auth_style": world.auth_style,
            "app_id": "FSAID_simulated",
            "operator_id": world.operator_id,
            "external_key_unique": True,
            "sign_ins_per_minute": 10_000,
            "rate_per_second": 5000.0,
            "rate_burst": 5000,
            "rate_limit_wait": 1.0,
            "index_lag": 1.0,
            "overlap": 2.0,
        }
        return FxiaokeConnector(settings, world.context)
