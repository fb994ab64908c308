"""The context that a connector gets in these tests, and what people do in the simulated tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.addresses import Egress
from connectors.conformance.context import KitContext, PatientClock
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.fxiaoke.settings import HOSTS
from connectors.http import HttpClient, HttpPolicy
from connectors.simulation.server import RunningSimulator

FIELDS = ("name", "tel", "remark", "owner", "hub_id__c", "account_level")
SECRETS = {"app_secret": "simulated-secret", "permanent_code": "simulated-permanent"}
Make = Callable[..., FxiaokeConnector]


class Context(KitContext):
    """Is the kit's context with the real HTTP client; its secrets may be changed by a test."""

    clock: PatientClock

    def __init__(self) -> None:
        clock = PatientClock()
        policy = HttpPolicy(Egress(HOSTS, profile="lab"), read_timeout=2.0, read_attempts=2)
        self.client = HttpClient(policy, clock, system="fxiaoke")
        super().__init__("fxiaoke", self.client, clock, SECRETS)
        self.secrets = self._secrets


def create(vendor: RunningSimulator, **fields: Any) -> str:
    """Makes a customer as a person does in the vendor's screens."""
    return str(vendor.admin.post("create", {"object": "AccountObj", "fields": {"name": "示例客户", **fields}})["id"])


def edit(vendor: RunningSimulator, native_id: str, **fields: Any) -> None:
    """Edits a customer as a person does."""
    vendor.admin.post("edit", {"object": "AccountObj", "id": native_id, "fields": fields})


def stored(vendor: RunningSimulator, native_id: str) -> dict[str, Any]:
    """Returns a customer as the vendor holds it."""
    return next(row for row in vendor.admin.records("AccountObj") if row["_id"] == native_id)


def settle(vendor: RunningSimulator, context: Context, seconds: float = 5.0) -> None:
    """Lets the vendor's index catch up; both clocks move."""
    vendor.admin.advance(seconds)
    context.clock.offset += seconds
