"""The context that a connector gets in these tests, and what people do in the simulated tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.addresses import Egress
from connectors.base import Op, WriteRequest
from connectors.conformance.context import KitContext, PatientClock
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.fxiaoke.settings import HOSTS
from connectors.http import HttpClient, HttpPolicy
from connectors.simulation.server import RunningSimulator

FIELDS = ("name", "tel", "remark", "owner", "hub_id__c", "account_level")
SECRETS = {"app_secret": "simulated-secret", "permanent_code": "simulated-permanent"}
Make = Callable[..., FxiaokeConnector]
SERIAL = iter(range(10_000))


class Context(KitContext):
    """Is the kit's context with the real HTTP client; its secrets may be changed by a test."""

    clock: PatientClock

    def __init__(self) -> None:
        clock = PatientClock()
        policy = HttpPolicy(Egress(HOSTS, profile="lab"), read_timeout=30.0, read_attempts=2)
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


def make_in(vendor: RunningSimulator, object: str, **fields: Any) -> str:
    """Makes a record of an object as a person does."""
    return str(vendor.admin.post("create", {"object": object, "fields": fields})["id"])


def row_of(vendor: RunningSimulator, object: str, native_id: str) -> dict[str, Any]:
    """Returns a record of an object as the vendor holds it."""
    return next(row for row in vendor.admin.records(object) if row["_id"] == native_id)


def linked(**ids: str) -> list[dict[str, str]]:
    """Returns what a contact log is about: ids by object, in that order."""
    return [{"describe_api_name": name, "id": native_id} for name, native_id in ids.items()]


def request(
    op: Op, native_id: str | None = None, version: str | None = None, object: str = "AccountObj", **fields: Any
) -> WriteRequest:
    """Makes a write with a hub id of its own."""
    n = next(SERIAL)
    return WriteRequest(op, object, native_id, fields, fields.get("hub_id__c", f"hub-{n}"), f"key-{n}", version)


def writes(vendor: RunningSimulator) -> dict[str, int]:
    """Returns the counted calls by operation, other than listings, descriptions and sign-ins."""
    calls = vendor.admin.calls()["calls"]
    return {name.split()[0]: n for name, n in calls.items() if name.split()[0] not in ("query", "token", "describe")}
