"""The kit that every connector passes; an outside connector installs and subclasses it too."""

from __future__ import annotations

from connectors.conformance.clauses import CLAUSES
from connectors.conformance.kit import ClauseBroken
from connectors.conformance.run import broken_clauses, run_clause
from connectors.conformance.world import NotOffered, Subject, World, WorldFault

__all__ = ["CLAUSES", "ClauseBroken", "NotOffered", "Subject", "World", "WorldFault", "broken_clauses", "run_clause"]
