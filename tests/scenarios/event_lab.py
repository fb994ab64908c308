"""The laboratory of callbacks with Fxiaoke's events switched on in its console and at the connection."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import orjson
from hook_lab import HookLab

from connectors.fxiaoke.callbacks import make_key
from connectors.fxiaoke.simulator.events import encrypt, sign
from connectors.simulation.server import Admin
from tests.catcher import wait_for

KEY = make_key(bytes(range(7, 39)))
ENV = "LAB_EVENT_KEY"
EVENTS = """\
      events: {enterprise_account: simulated, tenant_id: 700001}
    credentials: {event_key: env:LAB_EVENT_KEY, app_secret"""
ORDER = ("timestamp", "nonce", "messageId", "retryTimes", "enterpriseAccount", "encryptedContent")


@dataclass
class EventLab(HookLab):
    """Is a hub that Fxiaoke's events reach."""

    def __post_init__(self) -> None:
        os.environ[ENV] = KEY
        super().__post_init__()
        self.fxiaoke.settings(event_timeout_seconds=120.0)
        self.fxiaoke.post("events", {"url": self.address, "key": KEY, "objects": ["AccountObj"]})

    @property
    def fxiaoke(self) -> Admin:
        return self.simulators.running["fxiaoke"].admin

    @property
    def address(self) -> str:
        return f"{self.url}/hooks/signed/fxiaoke"

    def write(self, on: bool = True) -> None:
        if EVENTS not in self.plain:
            self.plain = self.plain.replace("    credentials: {app_secret", EVENTS)
        assert EVENTS in self.plain
        super().write(on)

    # What happens in Fxiaoke.

    def change(self, native_id: str, text: str) -> None:
        self.fxiaoke.post("edit", {"object": "AccountObj", "id": native_id, "fields": {"remark": text}})

    def sent_events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.fxiaoke.post("events")["sent"]
        return found

    def heard(self, number: int) -> list[dict[str, Any]]:
        """Waits until the vendor has called so often in all, and returns what it called."""
        wait_for(lambda: len(self.sent_events()) >= number)
        return self.sent_events()

    def arrived(self) -> list[str]:
        rows = self.simulators.rows("zoho", "Contacts")
        return sorted(f"{row['Last_Name']}{row.get('First_Name') or ''}" for row in rows)

    def texts(self) -> list[str]:
        return sorted(str(row.get("Description") or "") for row in self.simulators.rows("zoho", "Contacts"))

    # What anybody may send.

    def event(
        self, native_id: str, key: str = KEY, inside: dict[str, Any] | None = None, **outside: Any
    ) -> dict[str, Any]:
        """Returns an event as the vendor would sign it with that key, changed inside and outside."""
        plain = {
            "tenantId": 700001,
            "eventType": "update",
            "apiName": "AccountObj",
            "dataId": native_id,
            "messageId": f"M{len(self.sent_events())}",
            **(inside or {}),
        }
        body = {
            "timestamp": int(self.clock.now() * 1000),
            "nonce": "nonce",
            "messageId": plain["messageId"],
            "enterpriseAccount": "simulated",
            "encryptedContent": encrypt(key, orjson.dumps(plain)),
            **outside,
        }
        return {**body, "signature": sign(key, *(body[name] for name in ORDER if name in body))}
