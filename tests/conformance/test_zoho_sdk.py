"""The Zoho CRM connector with `backend: zcrmsdk` passes the same kit: real zcrmsdk against the simulator's API v2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from test_zoho_crm import SUBJECTS, WAYS, ZohoWorld

from connectors.base import Connector
from connectors.conformance.suite import ConnectorSuite
from connectors.simulation.server import start_simulator
from connectors.zoho_crm.backends import open_connector

# As for the other backend, without what only API v8 has.
CHOICES = ({"visibility_lag": 3.0}, {"visibility_lag": 0.0, "listing": "coql", "rich_text_fields": ["Description", "Solution"]})


class TestZohoCrmThroughSdk(ConnectorSuite):
    @pytest.fixture(scope="class", params=(0, 1), ids=["documented", "otherwise"])
    @classmethod
    def way(cls, request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
        return WAYS[request.param][0], CHOICES[request.param]

    @pytest.fixture(scope="class", params=SUBJECTS)
    @classmethod
    def world(cls, request: pytest.FixtureRequest, way: tuple[dict[str, Any], dict[str, Any]]) -> Iterator[ZohoWorld]:
        switches, choices = way
        with start_simulator("zoho_crm", limits="fast", settings=switches) as running:
            world = ZohoWorld(running, request.param, overlap=10.0, objects=[request.param], **choices)
            yield world
            world.client.close()

    def make_connector(self, world: ZohoWorld) -> Connector:
        urls = {"accounts_url": world.running.base_url, "api_url": world.running.base_url}
        return open_connector({"backend": "zcrmsdk", **urls, **world.choices}, world.context)
