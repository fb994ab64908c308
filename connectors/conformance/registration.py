"""Ties clause functions to their ids."""

from __future__ import annotations

from collections.abc import Callable

from connectors.conformance.clauses import CLAUSES
from connectors.conformance.kit import Kit

Check = Callable[[Kit], None]
checks: dict[str, Check] = {}


def clause(clause_id: str) -> Callable[[Check], Check]:
    """Registers the function that tests a clause."""
    if clause_id not in CLAUSES or clause_id in checks:
        raise ValueError(f"{clause_id} is not a clause, or is tested twice")

    def register(check: Check) -> Check:
        checks[clause_id] = check
        return check

    return register
