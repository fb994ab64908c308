"""The contract between the hub and a system: records, pages, writes, capabilities and the context a connector gets.

RECORD    what a system says about one thing, in the system's own field names and values.
CURSOR    opaque JSON that says where a stream stands; only the connector that made it reads it.
CONTEXT   everything a connector may touch outside itself: clock, ids, HTTP, secrets, locks and the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from connectors.allowance import Allowance, Terms
from connectors.description import CheckLine as CheckLine
from connectors.description import FieldDescription as FieldDescription
from connectors.description import ObjectDescription as ObjectDescription

Cursor = Mapping[str, Any]


class Op(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class NativeRecord:
    """Is one record as a system showed it.

    `fields` holds only what was present: an absent key was not observed, a None was shown empty.
    `version` orders observations of one record where `Capabilities.ordered_versions` says so (integers compare as
    numbers, anything else as text). `modified_at` is epoch seconds by the system's clock.
    """

    object: str
    native_id: str
    fields: Mapping[str, Any] = field(repr=False)
    version: str | None = None
    modified_at: float | None = None
    modified_by: str | None = None
    deleted: bool = False
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Is one page of a stream; `complete` says that nothing more was there when it was read.

    `counted` stands on the last page of a complete listing, and only where the system counts another number of records
    than the listing delivered, by more than what changed meanwhile.
    """

    records: tuple[NativeRecord, ...]
    next_cursor: Cursor
    complete: bool
    counted: int | None = None


@dataclass(frozen=True, slots=True)
class IdPage:
    """Is one page of a complete enumeration: (native id, version or None) pairs."""

    ids: tuple[tuple[str, str | None], ...]
    next_cursor: Cursor
    complete: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """Is the earliest native value of a date or time field with which a record is of use to the hub."""

    field: str
    earliest: Any


@dataclass(frozen=True, slots=True)
class Gone:
    """Is positive proof that a record was deleted in its system; `merged_into` names the survivor where known."""

    native_id: str
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class NotVisible:
    """Says that a record cannot be seen now: deleted or hidden, nobody can tell. It is never evidence of a delete.

    `refused`: the system said that it may not be shown, so that it is hidden rather than deleted.
    """

    native_id: str
    refused: bool = field(default=False, compare=False)


Fetched = NativeRecord | Gone | NotVisible


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """Is one remote write. `fields` are native fields and values, only those that change.

    `expected_version` is what the hub last saw; None on an update says that it knows no version and accepts any.
    `hub_id` goes into the external key field on every create and update (already part of `fields`). `may_exist` on a
    create says that an earlier one of this hub id was looked for in vain and may still take effect late.
    """

    op: Op
    object: str
    native_id: str | None
    fields: Mapping[str, Any] = field(repr=False)
    hub_id: str
    idempotency_key: str
    expected_version: str | None = None
    may_exist: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """Says that a write took effect. `seen` holds native fields as the system stored them, where its answer shows them.

    `version` is exact or a lower bound, so that an older observation is recognised as stale; None when unknown.
    """

    native_id: str
    version: str | None
    seen: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Stale:
    """Says that the record moved since it was observed and was not written; `current` is the record as it is now."""

    current: Fetched | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Says that the system rejected this row and nothing changed. `field` is the native field where known.

    `existing_id` names the record that already holds a unique value.
    """

    code: str
    field: str | None
    en: str
    zh: str
    existing_id: str | None = None
    retry_later: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Says that nobody knows whether the write took effect; recovery looks before anything is sent again."""

    reason: str


WriteResult = Written | Stale | Refused | Unknown


class Deletes(StrEnum):
    FEED = "feed"
    FLAG = "flag"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Declares what one object of a system can do. A capability may be absent; it may not be wrong.

    Times in seconds. `conditional_write`: `expected_version` is honoured, by the vendor or by a read just before.
    `external_key_unique`: the vendor refuses a second record with the same hub id.
    `strong_read_by_key`: `find` by hub id sees every committed record at once.
    `upsert`: a create that may exist already never makes a second record: it is written to the one that holds the hub
    id, or refused with its id.
    `own_call_fields`: an update of them is a request without any other field, so that it has an intent of its own; a
    create takes them with the rest.
    `rows_per_call`: how many rows of a batch one call of the vendor takes; None where a batch is one call.
    """

    incremental: bool = True
    sorted_by_cursor: bool = False
    cursor_resolution: float = 1.0
    visibility_lag: float = 0.0
    deletes: Deletes = Deletes.NONE
    merge_feed: bool = False
    conditional_write: bool = False
    external_key_field: bool = True
    external_key_unique: bool = False
    strong_read_by_key: bool = False
    upsert: bool = False
    partial_update: bool = True
    own_call_fields: tuple[str, ...] = ()
    can_clear: bool = True
    can_create: bool = True
    can_update: bool = True
    can_delete: bool = True
    can_restore: bool = False
    returns_nulls: bool = False
    shows_actor: bool = False
    ordered_versions: bool = False
    batch_size: int = 1
    rows_per_call: int | None = None
    page_size: int = 100
    max_window_rows: int | None = None


class Clock(Protocol):
    def now(self) -> float:
        """Returns epoch seconds, UTC."""

    def sleep(self, seconds: float) -> None: ...


class Response(Protocol):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Parses the body. Raises ProtocolViolation when it is not JSON."""


class Http(Protocol):
    """Sends one request inside the connection's allow-list, TLS rules, caps and budget.

    A read (`read=True`) is retried on network errors and 5xx with jitter and ends in RetryLater. A write is sent once;
    an unclear outcome raises WriteUnclear. Statuses below 500 are returned, never raised. `max_body` (bytes) and
    `deadline` (seconds an attempt) replace the connection's own caps; an answer beyond the cap raises TooLarge.
    `budget` is asked for `cost` before each attempt; what it raises comes through.
    """

    def send(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        read: bool,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        cost: int = 1,
        max_body: int | None = None,
        deadline: float | None = None,
        budget: Budget | None = None,
    ) -> Response: ...


class WriteUnclear(Exception):
    """Is raised by `Http.send(read=False)` when nobody can tell whether the vendor acted on the request."""


class Budget(Protocol):
    """Is asked before every call that leaves, retries included; all that act for one connection share it."""

    def take(self, cost: int, operation: str) -> None:
        """Takes `cost` units, sleeping on the clock while the rate is used up. Raises Resting while it is paused."""

    def pause(self, seconds: float) -> None:
        """Grants nothing to anybody for a while, because the vendor asked to wait."""


class Resting(Exception):
    """Is raised by a budget that is paused; `left` is in seconds."""

    def __init__(self, left: float) -> None:
        super().__init__(f"{left:.0f} s")
        self.left = left


class TokenStore(Protocol):
    """Keeps sealed secrets of a connection (access tokens) shared by all threads and processes."""

    def get(self, name: str) -> bytes | None: ...

    def put(self, name: str, value: bytes) -> None: ...


class ConnectorContext(Protocol):
    """Is everything outside itself that a connector may touch."""

    system: str
    clock: Clock
    http: Http
    tokens: TokenStore

    def new_id(self) -> str:
        """Returns a fresh random identifier, 32 hex digits."""

    def secret(self, name: str) -> str:
        """Resolves a credential by its name in the settings. Raises SettingsInvalid when absent."""

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Admits one holder per name over all threads, processes and hosts of the installation (single flight)."""

    def budget(self, name: str, rate: float, burst: float) -> Budget:
        """Returns the token bucket of this name: `rate` units a second on average, at most `burst` at once.

        Where several hosts act for the installation they share it.
        """

    def allowance(self, name: str, terms: Terms) -> Allowance:
        """Returns what is left of a rolling window that all who act for the installation use up together.

        Work that no person asked for stops at its reserve.
        """

    def places(self, name: str, number: int) -> Callable[[], AbstractContextManager[object]]:
        """Returns what admits at most `number` holders of a name at once, on all hosts together."""


@runtime_checkable
class Connector(Protocol):
    """Reads and writes one system. Every method may raise the errors of `connectors.errors` and nothing else.

    `fields` arguments are the native fields to project; identity, version and system times always come along.
    """

    kind: str

    def capabilities(self, object: str) -> Capabilities: ...

    def check(self) -> Sequence[CheckLine]:
        """Proves the credentials, scope by scope; never writes."""

    def describe(self, object: str) -> ObjectDescription: ...

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        """Reads the next page of the change stream; cursor None starts with a complete listing.

        Delivers every record visible since the cursor at least once; duplicates are expected. The cursor never passes
        the server's time less the visibility lag. Raises CursorExpired.
        A page without records that is not complete says that the system still prepares them: its cursor moved, and the
        call slept on the clock for a few seconds at most.
        """

    def deletions(self, object: str, cursor: Cursor | None, limit: int) -> Page:
        """Reads the delete feed (`deletes == FEED`), records with `deleted=True`; else raises Unsupported."""

    def fetch(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Fetched]:
        """Reads records strongly by native id; answers for every id asked."""

    def find(self, object: str, field: str, values: Sequence[str], fields: Sequence[str]) -> Sequence[NativeRecord]:
        """Finds records whose `field` equals one of `values` (hub ids, for recovery); returns all of them."""

    def list_ids(self, object: str, cursor: Cursor | None, limit: int) -> IdPage:
        """Enumerates every visible record of the object."""

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        """Writes a batch of at most `batch_size` requests of one object and one op; one result each, in the same order.

        Runs no automation of the vendor. Never resends an unclear write.
        """

    def close(self) -> None: ...


ConnectorFactory = Callable[[Mapping[str, Any], ConnectorContext], Connector]
"""Makes a connector from its settings (without secrets) and its context. Raises SettingsInvalid."""
