"""What the vendor's editions grant. Source: Zoho API v8 api-limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

EditionName = Literal["free", "standard", "professional", "enterprise", "ultimate"]


@dataclass(frozen=True, slots=True)
class Edition:
    """Is what an edition grants: calls at once, and credits of 24 hours: so many, so many more per user, at most."""

    at_once: int
    credits: int
    per_user: int
    most: int | None

    def credits_of(self, users: int) -> int:
        """Returns the credits of an organisation with so many user licences."""
        granted = self.credits + self.per_user * users
        return granted if self.most is None else min(granted, self.most)


EDITIONS: Mapping[str, Edition] = {
    "free": Edition(5, 5_000, 0, 5_000),
    "standard": Edition(10, 50_000, 250, 100_000),
    "professional": Edition(15, 50_000, 500, 3_000_000),
    "enterprise": Edition(20, 50_000, 1_000, 5_000_000),
    "ultimate": Edition(25, 50_000, 2_000, None),
}
SUB_CONCURRENCY = 10
"""Calls at once of the costly kinds, in every edition."""
