"""An optional part of the contract: who may own records in a system, and who left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Staff:
    """Is the account of one person in a system; who left is not active and cannot be given a record."""

    native_id: str
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    active: bool = True


@runtime_checkable
class Directory(Protocol):
    """Is offered by connectors that can say who works with their system."""

    def staff(self) -> Sequence[Staff]:
        """Returns the account of every person, of those too who left."""
