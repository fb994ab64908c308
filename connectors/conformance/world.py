"""What the kit needs from the other side: people who edit there, a clock that moves and faults that strike.

A world is a memory system or a simulator's admin path. It may be shared by all clauses and may hold other records.
Field names and values are native, as the connector shows them. Whatever a world cannot do raises NotOffered; the
clauses that need it are then skipped with that reason, never passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class NotOffered(Exception):
    """Says that a world cannot do what a clause needs."""


class WorldFault(StrEnum):
    """Names a fault on the way between connector and vendor.

    RATE_LIMITED     the vendor answers that calls come too fast (429 or its own code)
    SERVER_ERROR     status 500 with the vendor's body; a write is not applied
    TIMEOUT_BEFORE   the connection breaks before the vendor acts
    TIMEOUT_AFTER    the connection breaks after the vendor acted
    HTML_PAGE        a proxy's page: status 200 or 502 with HTML; a write was applied
    TRUNCATED_JSON   the answer breaks off inside its JSON; a write was applied
    TOKEN_EXPIRED    the access token is not accepted any more; a fresh one would be
    CREDENTIALS      nothing is accepted any more until a person authorises again
    """

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    HTML_PAGE = "html_page"
    TRUNCATED_JSON = "truncated_json"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    CREDENTIALS = "credentials"


@dataclass(frozen=True, slots=True)
class Subject:
    """Is the object that the clauses work on, and the fields they may use.

    `text` and `other` are two writable, independent text fields of at least 40 characters that the vendor does not
    rewrite; `other` is optional. `required` are further values that every create needs; `{n}` in a text becomes a
    running number. `refused` is a field and a value that the vendor refuses. `round_trip` maps a kind (`instant`,
    `date`, `decimal`, `flag`, `choice`…) to a field and the native values that must survive writing and reading;
    instants belong in several zones and on both sides of a clock change.
    """

    object: str
    key_field: str
    text: str
    other: str
    required: Mapping[str, Any] = field(default_factory=dict)
    refused: tuple[str, Any] | None = None
    round_trip: Mapping[str, tuple[str, Sequence[Any]]] = field(default_factory=dict)


class World(Protocol):
    """Is the vendor's side of a conformance run."""

    subject: Subject

    def create(self, fields: Mapping[str, Any]) -> str:
        """Creates a record as a person does and returns its native id."""

    def edit(self, native_id: str, fields: Mapping[str, Any]) -> None:
        """Edits a record as a person does: its modified time and version move."""

    def delete(self, native_id: str) -> None:
        """Deletes a record as a person does."""

    def restore(self, native_id: str) -> None:
        """Takes a deleted record back, as a person does."""

    def merge(self, loser: str, survivor: str) -> None:
        """Merges two records, as a person does."""

    def hide_record(self, native_id: str) -> None:
        """Takes the connector's permission on a record."""

    def show_record(self, native_id: str) -> None:
        """Gives that permission back."""

    def hide_field(self, name: str) -> None:
        """Takes the connector's permission on a field."""

    def show_field(self, name: str) -> None:
        """Gives that permission back."""

    def records(self) -> Mapping[str, Mapping[str, Any]]:
        """Returns the true live records of the object by native id, hidden ones included, without empty fields."""

    def advance(self, seconds: float) -> None:
        """Moves the vendor's clock forward. The clock that the connector was given moves along where it must."""

    def freeze(self) -> None:
        """Stops the vendor's clock, so that edits share one instant; `advance` still moves it."""

    def thaw(self) -> None:
        """Lets the vendor's clock run again."""

    def fail(self, fault: WorldFault, *, reads: bool, times: int = 1) -> None:
        """Makes the next `times` reads of records (writes where `reads` is False) meet a fault; 0 is until `heal`."""

    def heal(self) -> None:
        """Ends every fault."""

    def secrets(self) -> Sequence[str]:
        """Returns every secret that the connector holds or is given: client secrets, refresh and access tokens."""
