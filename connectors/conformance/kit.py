"""What the clauses share: a connector, its world, and short ways to create, write, settle and drain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import count
from typing import Any

from connectors.base import (
    Capabilities,
    Connector,
    Cursor,
    Fetched,
    NativeRecord,
    Op,
    Page,
    WriteRequest,
    WriteResult,
    Written,
)
from connectors.conformance.clauses import CLAUSES
from connectors.conformance.world import NotOffered, Subject, World
from connectors.errors import ConnectorError

MOST_PAGES = 500
_numbers = count(1)


class ClauseBroken(AssertionError):
    """Says how a connector breaks a clause."""


def demand(condition: object, why: str) -> None:
    """Raises ClauseBroken unless the condition holds."""
    if not condition:
        raise ClauseBroken(why)


@dataclass(slots=True)
class Kit:
    """Serves one clause: a fresh connector, closed at the end, and the world behind it."""

    world: World
    make_connector: Callable[[], Connector]
    connector: Connector = field(init=False)
    hub_ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.connector = self.make_connector()

    @property
    def subject(self) -> Subject:
        return self.world.subject

    @property
    def object(self) -> str:
        return self.subject.object

    @property
    def can(self) -> Capabilities:
        return self.connector.capabilities(self.object)

    @property
    def fields(self) -> tuple[str, ...]:
        """Returns every field that the clauses read."""
        subject = self.subject
        typed = [name for name, _ in subject.round_trip.values()]
        return tuple(dict.fromkeys([subject.text, subject.other, *subject.required, *typed]))

    # Records.

    def filled(self, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Returns the fields of a new record, the required ones included."""
        number = next(_numbers)
        required = {
            name: value.replace("{n}", f"{number:06d}") if isinstance(value, str) else value
            for name, value in self.subject.required.items()
        }
        return {self.subject.text: f"样本{number:06d}", **required, **(fields or {})}

    def people_create(self, fields: Mapping[str, Any] | None = None) -> str:
        """Has a person create a record."""
        return self.world.create(self.filled(fields))

    def people_create_many(self, number: int) -> list[str]:
        """Has a person create several records."""
        return [self.people_create() for _ in range(number)]

    # Writing.

    def new_hub_id(self) -> str:
        return f"00000000-0000-7000-8000-{next(_numbers):012d}"

    def create_request(self, fields: Mapping[str, Any] | None = None, hub_id: str | None = None) -> WriteRequest:
        """Makes a create, with its hub id in the external key field where there is one."""
        if not self.can.can_create:
            raise NotOffered("creates are not declared; WRITE-11 asserts their refusal")
        hub_id = hub_id or self.new_hub_id()
        return self._request(Op.CREATE, None, self.filled(fields), hub_id, None)

    def request(
        self, op: Op, native_id: str | None, fields: Mapping[str, Any] | None = None, expected: str | None = None
    ) -> WriteRequest:
        """Makes a write to a record."""
        if op is Op.UPDATE and not self.can.can_update:
            raise NotOffered("updates are not declared; WRITE-11 asserts their refusal")
        hub_id = self.hub_ids.setdefault(native_id or "", self.new_hub_id())
        return self._request(op, native_id, fields or {}, hub_id, expected)

    def absent(self, op: Op, native_id: str | None, fields: Mapping[str, Any]) -> WriteRequest:
        """Makes a write that is declared absent."""
        return self._request(op, native_id, fields, self.new_hub_id(), None)

    def write(self, request: WriteRequest) -> WriteResult:
        """Writes one request and demands one result."""
        results = self.connector.write([request])
        demand(len(results) == 1, "one request did not give one result")
        return results[0]

    def created(self, fields: Mapping[str, Any] | None = None, hub_id: str | None = None) -> Written:
        """Creates a record through the connector and demands that it was written."""
        request = self.create_request(fields, hub_id)
        result = self.write(request)
        demand(isinstance(result, Written), f"a plain create ended in {type(result).__name__}")
        assert isinstance(result, Written)
        self.hub_ids[result.native_id] = request.hub_id
        return result

    def stored(self, fields: Mapping[str, Any]) -> str:
        """Writes fields through the connector into a new record, or into a person's where creates are not declared."""
        if self.can.can_create:
            return self.created(fields).native_id
        native_id = self.people_create()
        result = self.write(self.request(Op.UPDATE, native_id, fields))
        demand(isinstance(result, Written), f"a plain update ended in {type(result).__name__}")
        return native_id

    def _request(
        self, op: Op, native_id: str | None, fields: Mapping[str, Any], hub_id: str, expected: str | None
    ) -> WriteRequest:
        keyed = op in (Op.CREATE, Op.UPDATE) and self.can.external_key_field
        sent = {**fields, self.subject.key_field: hub_id} if keyed else dict(fields)
        return WriteRequest(op, self.object, native_id, sent, hub_id, f"kit-{next(_numbers)}", expected)

    # Reading.

    def settle(self) -> None:
        """Lets the index catch up."""
        self.world.advance(self.can.visibility_lag + self.can.cursor_resolution + 1.0)

    def drain(
        self, cursor: Cursor | None, limit: int | None = None, connector: Connector | None = None
    ) -> tuple[list[NativeRecord], Cursor]:
        """Reads the change stream until it says complete."""
        reader = connector or self.connector
        records: list[NativeRecord] = []
        for _ in range(MOST_PAGES):
            page = reader.changes(self.object, self.fields, cursor, limit or self.can.page_size)
            records.extend(page.records)
            cursor = page.next_cursor
            if page.complete:
                return records, cursor
        raise ClauseBroken(f"the change stream was not complete after {MOST_PAGES} pages")

    def first_page(self, limit: int) -> Page:
        """Returns the first page of a listing; while the system still prepares it, its cursor must move."""
        page = self.connector.changes(self.object, self.fields, None, limit)
        for _ in range(MOST_PAGES):
            if page.records or page.complete:
                break
            cursor = page.next_cursor
            page = self.connector.changes(self.object, self.fields, cursor, limit)
            demand(page.records or page.next_cursor != cursor, "the cursor does not move")
        return page

    def caught_up(self) -> Cursor:
        """Returns a cursor that has seen everything."""
        self.settle()
        return self.drain(None)[1]

    def polled(self, cursor: Cursor, limit: int | None = None) -> dict[str, NativeRecord]:
        """Settles, polls and returns the last state delivered of each record."""
        self.settle()
        return {record.native_id: record for record in self.drain(cursor, limit)[0]}

    def fetched(self, native_id: str) -> Fetched:
        """Reads one record strongly."""
        found = self.connector.fetch(self.object, [native_id], self.fields)
        demand(native_id in found, "fetch did not answer for the id it was asked")
        return found[native_id]

    def live(self, native_id: str) -> NativeRecord:
        """Reads one record strongly and demands that it is there."""
        found = self.fetched(native_id)
        demand(isinstance(found, NativeRecord) and not found.deleted, "a live record was not fetched as live")
        assert isinstance(found, NativeRecord)
        return found

    def find(self, *hub_ids: str) -> Sequence[NativeRecord]:
        """Finds records by hub id."""
        return self.connector.find(self.object, self.subject.key_field, hub_ids, self.fields)

    def holding(self, text: str) -> list[str]:
        """Returns the ids of the world's records whose text is this."""
        return [each for each, fields in self.world.records().items() if fields.get(self.subject.text) == text]


@contextmanager
def refusal(expected: type[ConnectorError] | tuple[type[ConnectorError], ...]) -> Iterator[list[ConnectorError]]:
    """Demands that the block raises one of these errors, with its message in both languages."""
    caught: list[ConnectorError] = []
    names = " or ".join(each.__name__ for each in (expected if isinstance(expected, tuple) else (expected,)))
    try:
        yield caught
    except ConnectorError as error:
        demand(isinstance(error, expected), f"{type(error).__name__} was raised, {names} was due")
        demand(error.en and error.zh, f"{type(error).__name__} has no message in both languages")
        caught.append(error)
        return
    raise ClauseBroken(f"nothing was raised, {names} was due")


@contextmanager
def captured_logs() -> Iterator[list[str]]:
    """Collects every log line, exceptions and the fields beside its text included."""
    lines: list[str] = []
    formatter = logging.Formatter()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{formatter.format(record)} {vars(record)!r}")

    handler, root = Collector(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def same_value(one: Any, two: Any) -> bool:
    """Tells whether two native values mean the same: equal, or the same number, instant or set of choices."""
    if one == two:
        return True
    if isinstance(one, list | tuple) and isinstance(two, list | tuple):
        return sorted(map(str, one)) == sorted(map(str, two))
    if isinstance(one, bool) or isinstance(two, bool) or one is None or two is None:
        return False
    return _number(one) == _number(two) if _number(one) is not None else _same_instant(one, two)


def moment(value: Any) -> float:
    """Returns when a native instant is: a text with its offset, or milliseconds since 1970."""
    return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value) / 1000


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _same_instant(one: Any, two: Any) -> bool:
    try:
        left, right = datetime.fromisoformat(str(one)), datetime.fromisoformat(str(two))
        return left.tzinfo is not None and right.tzinfo is not None and left == right
    except ValueError:
        return False


def describe_clause(clause_id: str) -> str:
    """Returns a clause as one line for a report."""
    return f"{clause_id}: {CLAUSES[clause_id]}"
