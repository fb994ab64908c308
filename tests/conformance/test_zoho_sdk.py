"""The Zoho CRM connector with `backend: zcrmsdk` passes the same kit: real zcrmsdk against the simulator's API v2."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from test_zoho_crm import SUBJECTS, WAYS, ZohoWorld

from connectors.base import Connector
from connectors.conformance.suite import ConnectorSuite
from connectors.simulation.server import start_simulator
from connectors.zoho_crm.backends import open_connector

# As for the other backend, without what only API v8 has.
RICH = ["Description", "Solution"]
CHOICES = ({"visibility_lag": 3.0}, {"visibility_lag": 0.0, "listing": "coql", "rich_text_fields": RICH})
CASES = [(0, subject) for subject in SUBJECTS] + [(1, subject) for subject in ("Contacts", "Calls")]


class TestZohoCrmThroughSdk(ConnectorSuite):
    @pytest.fixture(
        scope="class", params=CASES, ids=[f"{('documented', 'otherwise')[way]}-{name}" for way, name in CASES]
    )
    @classmethod
    def world(cls, request: pytest.FixtureRequest) -> Iterator[ZohoWorld]:
        way, subject = request.param
        with start_simulator("zoho_crm", limits="fast", settings=WAYS[way][0]) as running:
            world = ZohoWorld(running, subject, overlap=10.0, objects=[subject], **CHOICES[way])
            yield world
            world.client.close()

    def make_connector(self, world: ZohoWorld) -> Connector:
        urls = {"accounts_url": world.running.base_url, "api_url": world.running.base_url}
        return open_connector({"backend": "zcrmsdk", **urls, **world.choices}, world.context)
