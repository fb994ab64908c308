"""The pytest face of the kit: subclass ConnectorSuite, give it a world and a connector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.base import Connector
from connectors.conformance.clauses import CLAUSES
from connectors.conformance.kit import describe_clause
from connectors.conformance.run import run_clause
from connectors.conformance.world import NotOffered, World


class ConnectorSuite:
    """Runs every clause against one connector and its world.

    A subclass overrides the class-scoped fixture `world` (it may yield and tear down) and the method `make_connector`.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls) -> World | Iterator[World]:
        """Gives the vendor's side; one serves all clauses of the class."""
        raise NotImplementedError

    def make_connector(self, world: Any) -> Connector:
        """Returns a fresh connector bound to the world; the kit closes it."""
        raise NotImplementedError

    @pytest.mark.parametrize("clause_id", list(CLAUSES))
    def test_clause(self, clause_id: str, world: World) -> None:
        """Runs one clause; what the world cannot do is skipped with its reason."""
        reason = ""
        try:
            run_clause(clause_id, world, lambda: self.make_connector(world))
        except NotOffered as missing:
            reason = str(missing) or "the world does not offer it"
        if reason:
            pytest.skip(f"{describe_clause(clause_id)} — {reason}")
