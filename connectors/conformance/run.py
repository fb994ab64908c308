"""Runs clauses without a test framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from connectors.base import Connector
from connectors.conformance import deletes, failures, hygiene, identity, reading, values, writing
from connectors.conformance.clauses import CLAUSES
from connectors.conformance.kit import ClauseBroken, Kit, describe_clause
from connectors.conformance.registration import checks
from connectors.conformance.world import NotOffered, World
from connectors.errors import ConnectorError

W = TypeVar("W", bound=World)
GROUPS = (reading, writing, identity, deletes, values, failures, hygiene)
_untested = set(CLAUSES) - set(checks)
if _untested:
    raise RuntimeError(f"clauses without a test: {sorted(_untested)}")


def run_clause(clause_id: str, world: World, make_connector: Callable[[], Connector]) -> None:
    """Runs one clause and heals the world afterwards. Raises ClauseBroken, or NotOffered by the world."""
    kit = Kit(world, make_connector)
    try:
        checks[clause_id](kit)
    except ClauseBroken as broken:
        raise ClauseBroken(f"{describe_clause(clause_id)} — {broken}") from broken
    except ConnectorError as error:
        raise ClauseBroken(f"{describe_clause(clause_id)} — {type(error).__name__} was raised: {error}") from error
    finally:
        _heal(world, kit)
        kit.connector.close()


def broken_clauses(
    make_world: Callable[[], W],
    make_connector: Callable[[W], Connector],
    clause_ids: Iterable[str] = CLAUSES,
) -> dict[str, str]:
    """Runs clauses, each on a world of its own, and returns those that broke with the reason."""
    broken: dict[str, str] = {}
    for clause_id in clause_ids:
        world = make_world()
        try:
            run_clause(clause_id, world, partial(make_connector, world))
        except NotOffered:
            continue
        except ClauseBroken as error:
            broken[clause_id] = str(error)
    return broken


def _heal(world: World, kit: Kit) -> None:
    for mend in (world.heal, world.thaw, lambda: world.show_field(kit.subject.other)):
        try:
            mend()
        except NotOffered:
            continue
