"""Optional parts of the contract: who may own records in a system and who left, its branches, its codes of regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Staff:
    """Is the account of one person in a system; who left is not active and cannot be given a record.

    `number` is the staff number that the system keeps, where it keeps one.
    """

    native_id: str
    name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    active: bool = True
    number: str | None = None
    mobile: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Branch:
    """Is one department of a system that records may belong to; `code` is what the system keeps of ours."""

    native_id: str
    name: str
    code: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Region:
    """Is one region by the system's own code; `inside` is the code of the region it lies in."""

    code: str
    name: str
    level: str
    inside: str | None = None


@runtime_checkable
class Directory(Protocol):
    """Is offered by connectors that can say who works with their system."""

    def staff(self) -> Sequence[Staff]:
        """Returns the account of every person, of those too who left."""


@runtime_checkable
class Branches(Protocol):
    """Is offered by connectors that can say which departments their system has."""

    def branches(self) -> Sequence[Branch]:
        """Returns every department, of those too which were closed."""


@runtime_checkable
class Regions(Protocol):
    """Is offered by connectors whose system has codes of its own for regions."""

    def regions(self) -> Sequence[Region]:
        """Returns every region that the system knows, level `province`, `city` and `district` at least."""
