"""One request to the CRM, as the simulator's routes take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from connectors.zoho_crm.simulator import listing
from connectors.zoho_crm.simulator.schema import User


@dataclass(slots=True)
class Call:
    """One request to the CRM, read and authorised."""

    request: Request
    version: str
    parts: list[str]
    body: Any
    raw: bytes
    user: User
    scopes: str

    @property
    def params(self) -> dict[str, str]:
        """Returns the query parameters."""
        return dict(self.request.query_params)

    @property
    def workflows(self) -> bool:
        """Tells whether a write runs the org's automations: `trigger` and `wf_trigger` may take them away."""
        trigger = self.body.get("trigger") if isinstance(self.body, dict) else None
        return (not isinstance(trigger, list) or "workflow" in trigger) and self.params.get("wf_trigger") != "false"

    def reading(self) -> listing.ListCall:
        """Returns the request as a read."""
        since = listing.read_since(self.request.headers.get("if-modified-since"))
        return listing.ListCall(self.user, self.version, self.params, since)
