"""Optional parts of the contract about complete listings: leaving out what is of no use, and counting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from connectors.base import Bound, Connector, Cursor, IdPage, Page


@runtime_checkable
class Bounded(Protocol):
    """Is an optional part of the contract: complete listings that leave out what is too old to be of use.

    Both answer like their namesakes of `Connector` and share their cursors. Left out are at most records whose field
    is filled and earlier than the bound; where a system cannot tell, nothing is. What changed after a listing is
    delivered whatever its age, so that a record that becomes too old is noticed.
    """

    def changes_from(
        self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int, bound: Bound
    ) -> Page: ...

    def list_ids_from(self, object: str, cursor: Cursor | None, limit: int, bound: Bound) -> IdPage: ...


@runtime_checkable
class Selective(Protocol):
    """Is an optional part of the contract: complete listings that leave out records of another sort."""

    def selecting(self, object: str, only: Mapping[str, Sequence[str]]) -> Connector:
        """Returns this connector for which an object is the records whose fields each hold one of the values.

        Listings, enumerations and counts leave out the others; a field that the system cannot ask for leaves out
        nothing. Polls deliver every change, so that a record which becomes one of the others is noticed.
        Whoever selects closes the connector that was asked, not the one returned.
        """


@runtime_checkable
class Counting(Protocol):
    """Is an optional part of the contract: how many records there are."""

    def count(self, object: str, bound: Bound | None) -> int | None:
        """Returns how many records a complete listing has before it, or None where the system cannot say."""
