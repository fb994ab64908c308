"""An optional part of the contract: what writes would cost at their system, said before any of them is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from connectors.base import Op


@dataclass(frozen=True, slots=True)
class Price:
    """Is what a number of writes costs: `calls` with the reads that precede them, and `units` of the vendor's quota.

    `unit` names in English and Chinese what the vendor counts. `alone` is how many rows go by a call of their own,
    because somebody else may be writing them too; the connector may find fewer once it looks.
    """

    calls: int
    units: int
    unit: tuple[str, str]
    alone: int = 0

    def __add__(self, other: Price) -> Price:
        return Price(self.calls + other.calls, self.units + other.units, self.unit, self.alone + other.alone)


@runtime_checkable
class Estimating(Protocol):
    """Is the part of a connector that knows what a first load takes of its allowance. It calls nobody."""

    def estimate(self, object: str, reads: int, creates: int) -> int:
        """Returns the units that listing so many records of an object, and creating so many, takes at least."""


@runtime_checkable
class Pricing(Protocol):
    """Is the part of a connector that knows what its vendor charges. It calls nobody."""

    def price(self, object: str, op: Op, versions: Sequence[str | None]) -> Price:
        """Returns the price of one write per entry, each the version that its request would expect."""
