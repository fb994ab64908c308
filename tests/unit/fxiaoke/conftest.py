"""A simulated Fxiaoke tenant over real HTTP, and connectors of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fxiaoke_tenant import Context, Make

from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.simulation.server import RunningSimulator, start_simulator


@pytest.fixture(scope="module")
def tenant() -> Iterator[RunningSimulator]:
    """Starts one simulated tenant for the tests of a module; each test makes its own records."""
    with start_simulator("fxiaoke", limits="fast") as running:
        yield running


@pytest.fixture
def vendor(tenant: RunningSimulator) -> Iterator[RunningSimulator]:
    """Gives the tenant without faults, rules and counted calls."""
    defaults = tenant.admin.settings()
    tenant.admin.reset_calls()
    yield tenant
    tenant.admin.faults([])
    tenant.admin.post("rules", {"rules": []})
    tenant.admin.settings(**{name: value for name, value in defaults.items() if value is not None})


@pytest.fixture
def context() -> Iterator[Context]:
    made = Context()
    yield made
    made.client.close()


@pytest.fixture
def make(vendor: RunningSimulator, context: Context) -> Iterator[Make]:
    """Makes connectors of the simulated tenant; keyword arguments are settings."""
    made: list[FxiaokeConnector] = []

    def connect(**settings: Any) -> FxiaokeConnector:
        chosen: dict[str, Any] = {
            "base_url": vendor.base_url,
            "app_id": "FSAID_simulated",
            "operator_id": "1000",
            "rate_per_second": 1000.0,
            "rate_burst": 1000,
            "index_lag": 1.0,
            "overlap": 2.0,
            "external_key_unique": True,
        }
        made.append(FxiaokeConnector({**chosen, **settings}, context))
        return made[-1]

    yield connect
    for connector in made:
        connector.close()


@pytest.fixture
def connector(make: Make) -> FxiaokeConnector:
    return make()
