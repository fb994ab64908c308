"""The kit's world over a memory system: its clock ticks with every edit unless it is frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.addresses import Egress
from connectors.base import Capabilities, FieldDescription
from connectors.conformance import Subject, WorldFault
from connectors.conformance.context import KitContext
from connectors.http import HttpClient, HttpPolicy
from connectors.memory import FULL, FaultKind, MemorySystem, worlds

OBJECT = "Account"
TOKEN = "planted-memory-token"
ROUND_TRIP = {
    "instant": ("met_at", ("2026-03-29T00:59:59+00:00", "2026-10-25T02:30:00+01:00", "2026-11-23T08:00:00+08:00")),
    "decimal": ("balance", ("0.10", "-12345678901234.56", "1E+2")),
    "flag": ("vip", (True, False)),
}
READ_FAULTS = {
    WorldFault.RATE_LIMITED: FaultKind.RATE_LIMITED,
    WorldFault.SERVER_ERROR: FaultKind.RETRY_LATER,
    WorldFault.TIMEOUT_BEFORE: FaultKind.RETRY_LATER,
    WorldFault.TIMEOUT_AFTER: FaultKind.RETRY_LATER,
    WorldFault.HTML_PAGE: FaultKind.PROTOCOL,
    WorldFault.TRUNCATED_JSON: FaultKind.PROTOCOL,
    WorldFault.CREDENTIALS: FaultKind.AUTH_REJECTED,
}
WRITE_FAULTS = {
    **READ_FAULTS,
    WorldFault.SERVER_ERROR: FaultKind.BEFORE_EFFECT,
    WorldFault.TIMEOUT_BEFORE: FaultKind.BEFORE_EFFECT,
    WorldFault.TIMEOUT_AFTER: FaultKind.AFTER_EFFECT,
    WorldFault.HTML_PAGE: FaultKind.AFTER_EFFECT,
    WorldFault.TRUNCATED_JSON: FaultKind.AFTER_EFFECT,
}


LAGGING = replace(FULL, visibility_lag=20.0, page_size=20)


class TickingClock:
    def __init__(self) -> None:
        self.at = 1_790_000_000.0
        self.frozen = False

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def tick(self) -> None:
        if not self.frozen:
            self.at += 1.0


HTTP = HttpClient(HttpPolicy(Egress(())), TickingClock())  # may reach nothing, and a memory system asks for nothing


class MemoryWorld:
    """Implements connectors.conformance.World."""

    def __init__(self, capabilities: Capabilities = LAGGING) -> None:
        self.clock = TickingClock()
        self.system = MemorySystem(self.clock, "kit", seed=7, token=TOKEN)
        fields = [FieldDescription("name", "name", "text", length=60), "note", "met_at", "balance", "vip", "tier"]
        self.system.add_object(OBJECT, fields, capabilities)
        self.system.refuse(OBJECT, "tier", lambda value: value == "forbidden")
        self.subject = Subject(OBJECT, "hub_id", "name", "note", {}, ("tier", "forbidden"), ROUND_TRIP)
        worlds["kit"] = self.system
        self.context = KitContext("kit", HTTP, self.clock, {"token": TOKEN})
        self.settings = {"world": "kit", "credential": "token"}

    def create(self, fields: Mapping[str, Any]) -> str:
        self.clock.tick()
        return self.system.create(OBJECT, fields)

    def edit(self, native_id: str, fields: Mapping[str, Any]) -> None:
        self.clock.tick()
        self.system.edit(OBJECT, native_id, fields)

    def delete(self, native_id: str) -> None:
        self.clock.tick()
        self.system.delete(OBJECT, native_id)

    def restore(self, native_id: str) -> None:
        self.clock.tick()
        self.system.restore(OBJECT, native_id)

    def merge(self, loser: str, survivor: str) -> None:
        self.clock.tick()
        self.system.merge(OBJECT, loser, survivor)

    def hide_record(self, native_id: str) -> None:
        self.system.hide_record(OBJECT, native_id)

    def show_record(self, native_id: str) -> None:
        self.system.show_record(OBJECT, native_id)

    def hide_field(self, name: str) -> None:
        self.system.hide_field(OBJECT, name)

    def show_field(self, name: str) -> None:
        self.system.show_field(OBJECT, name)

    def records(self) -> Mapping[str, Mapping[str, Any]]:
        return self.system.records(OBJECT)

    def advance(self, seconds: float) -> None:
        self.clock.at += seconds

    def freeze(self) -> None:
        self.clock.frozen = True

    def thaw(self) -> None:
        self.clock.frozen = False

    def fail(self, fault: WorldFault, *, reads: bool, times: int = 1) -> None:
        if fault == WorldFault.TOKEN_EXPIRED:
            self.system.expire_sessions()
            return
        kind = (READ_FAULTS if reads else WRITE_FAULTS)[fault]
        operations = ("changes", "fetch", "find", "deletions", "list_ids") if reads else ("write",)
        for operation in operations:
            self.system.faults.inject(kind, operation, times=times or 1_000)

    def heal(self) -> None:
        self.system.faults.off()

    def secrets(self) -> Sequence[str]:
        return (TOKEN,)
