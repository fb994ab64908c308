"""An optional part of the contract: what a vendor leaves open, tried out on the system at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Settled:
    """Is what a system did about one open question: never a value of a record.

    `setting` is what the connection should say for it, empty where nothing depends on it; `agrees`: it says so.
    """

    question: str
    en: str
    zh: str
    setting: str = ""
    agrees: bool = True


@runtime_checkable
class Settles(Protocol):
    """Tries open questions out. Every method may raise the errors of `connectors.errors` and nothing else."""

    def questions(self) -> Mapping[str, bool]:
        """Returns the questions by name, and whether each needs a test record."""

    def settle(self, object: str, question: str | None, write: bool) -> Iterator[Settled]:
        """Tries one question, or all, on an object. Only with `write` is a test record made there, and taken back."""
