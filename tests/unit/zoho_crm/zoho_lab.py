"""A connection to a simulated Zoho CRM over real HTTP: the shipped transport, tokens in memory, a clock that moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from connectors.addresses import Egress
from connectors.conformance.context import KitContext, MemoryTokens, PatientClock
from connectors.http import HttpClient, HttpPolicy
from connectors.simulation.reset import Resettable
from connectors.simulation.server import SimulatorOptions
from connectors.zoho_crm.connector import ZohoCrmConnector
from connectors.zoho_crm.simulator.app import make_app
from tests.served import serve_here

CREDENTIALS = {
    "client_id": "1000.SIMULATED",
    "client_secret": "simulated-secret",
    "refresh_token": "1000.simulated.refresh",
}


class LabContext(KitContext):
    """Is the kit's context with the shipped transport, which counts its calls."""

    http: HttpClient
    clock: PatientClock

    def __init__(self, tokens: MemoryTokens | None = None, credentials: Mapping[str, str] = CREDENTIALS) -> None:
        clock = PatientClock()
        policy = HttpPolicy(Egress((), profile="lab"), read_timeout=30.0, read_attempts=2)
        super().__init__("zoho", HttpClient(policy, clock, system="zoho"), clock, credentials)
        self.tokens = tokens or MemoryTokens()


def connect(base_url: str, context: LabContext | None = None, **settings: Any) -> ZohoCrmConnector:
    """Returns a connector to the simulator at `base_url`; without lag, for the simulator's lists have none.

    Listings go by pages unless a test asks for bulk read: the call that decides about it has tests of its own.
    """
    urls = {"accounts_url": base_url, "api_url": base_url}
    return ZohoCrmConnector(
        {"visibility_lag": 0.0, "bulk_read_above": None, **urls, **settings}, context or LabContext()
    )


@contextmanager
def simulator(**settings: Any) -> Iterator[str]:
    """Serves a fresh empty org from a thread of this process and yields its base URL."""
    options = SimulatorOptions(limits="fast", settings=tuple(settings.items()))
    with serve_here(Resettable(lambda: make_app(options))) as url:
        yield url
