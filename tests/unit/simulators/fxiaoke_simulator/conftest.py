"""One running simulator for all these tests; each test leaves it as it found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fxiaoke_client import Client

from connectors.simulation.server import RunningSimulator, start_simulator


@pytest.fixture(scope="session")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator("fxiaoke", limits="fast", settings={"index_lag_seconds": 0, "token_latency_ms": 0}) as running:
        yield running


@pytest.fixture
def api(simulator: RunningSimulator) -> Iterator[Client]:
    """Gives a signed-in client and puts the switches back afterwards."""
    simulator.admin.advance(10)
    before = simulator.admin.settings()
    client = Client(simulator)
    client.sign_in()
    yield client
    simulator.admin.settings(**before)
    simulator.admin.faults([])
    simulator.admin.post("rules", {"rules": []})
    simulator.admin.reset_calls()
    for name in ("ActiveRecordObj", "complaint__c", "ContactObj", "AccountObj"):
        for record in simulator.admin.records(name):
            place = {"object": name, "id": record["_id"]}
            simulator.admin.post("hide", {**place, "hidden": False})
            simulator.admin.post("delete", {**place, "physical": True})
