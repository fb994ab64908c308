"""The reference connector passes the kit with every capability, and with each one honestly absent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from memory_world import LAGGING, MemoryWorld

from connectors.base import Capabilities, Connector, Deletes
from connectors.conformance import broken_clauses
from connectors.conformance.suite import ConnectorSuite
from connectors.memory import MemoryConnector

ABSENT: dict[str, Capabilities] = {
    "incremental": replace(LAGGING, incremental=False),
    "sorted_by_cursor": replace(LAGGING, sorted_by_cursor=False),
    "coarse": replace(LAGGING, cursor_resolution=60.0),
    "no lag": replace(LAGGING, visibility_lag=0.0),
    "deletes flag": replace(LAGGING, deletes=Deletes.FLAG),
    "deletes none": replace(LAGGING, deletes=Deletes.NONE, merge_feed=False),
    "merge_feed": replace(LAGGING, merge_feed=False),
    "conditional_write": replace(LAGGING, conditional_write=False),
    "external_key_field": replace(
        LAGGING, external_key_field=False, external_key_unique=False, strong_read_by_key=False
    ),
    "external_key_unique": replace(LAGGING, external_key_unique=False),
    "strong_read_by_key": replace(LAGGING, strong_read_by_key=False),
    "partial_update": replace(LAGGING, partial_update=False),
    "can_clear": replace(LAGGING, can_clear=False),
    "can_create": replace(LAGGING, can_create=False),
    "can_update": replace(LAGGING, can_update=False),
    "can_delete": replace(LAGGING, can_delete=False),
    "can_restore": replace(LAGGING, can_restore=False),
    "returns_nulls": replace(LAGGING, returns_nulls=False),
    "shows_actor": replace(LAGGING, shows_actor=False),
    "ordered_versions": replace(LAGGING, ordered_versions=False),
    "single writes": replace(LAGGING, batch_size=1),
    "nothing": Capabilities(external_key_field=False, can_delete=False, can_clear=False),
}


class TestMemory(ConnectorSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def world(cls) -> MemoryWorld:
        return MemoryWorld()

    def make_connector(self, world: MemoryWorld) -> Connector:
        return MemoryConnector(world.settings, world.context)


@pytest.mark.parametrize("name", list(ABSENT))
def test_an_absent_capability_is_refused_honestly(name: str) -> None:
    capabilities = ABSENT[name]
    broken = broken_clauses(
        lambda: MemoryWorld(capabilities), lambda world: MemoryConnector(world.settings, world.context)
    )
    assert broken == {}
