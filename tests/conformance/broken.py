"""Connectors that are broken on purpose, each in one way that a real one has been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from memory_world import TOKEN

from connectors.base import (
    Bound,
    Capabilities,
    Cursor,
    Fetched,
    Gone,
    NativeRecord,
    NotVisible,
    Op,
    Page,
    Refused,
    Unknown,
    WriteRequest,
    WriteResult,
    Written,
)
from connectors.errors import CursorExpired, ProtocolViolation, RateLimited, RetryLater
from connectors.memory import MemoryConnector


class ClaimsUpsert(MemoryConnector):
    """Declares that it repeats creates safely, and makes a second record."""

    def capabilities(self, object: str) -> Capabilities:
        return replace(super().capabilities(object), upsert=True)


class SkipsTies(MemoryConnector):
    """Resumes a page after the last time it saw, not inside the tie."""

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        page = super().changes(object, fields, cursor, limit)
        after = page.next_cursor["after"]
        if after is None or len(after) == 1:
            return page
        return replace(page, next_cursor={**page.next_cursor, "after": [after[0], "\U0010ffff"]})


class PassesServerTime(MemoryConnector):
    """Moves the cursor to the present instant, past what the index still has to show."""

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        page = super().changes(object, fields, cursor, limit)
        if not page.complete or page.next_cursor["since"] is None:
            return page
        lag = self.capabilities(object).visibility_lag
        return replace(page, next_cursor={**page.next_cursor, "since": page.next_cursor["since"] + lag})


class TakesAnyCursor(MemoryConnector):
    """Treats a cursor that it did not make as the start."""

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        try:
            return super().changes(object, fields, cursor, limit)
        except CursorExpired:
            return super().changes(object, fields, None, limit)


class ForgetsToEnd(MemoryConnector):
    """Ends a listing with its first page."""

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        page = super().changes(object, fields, cursor, limit)
        return page if cursor is not None or limit > 2 else replace(page, complete=True)


class DropsFields(MemoryConnector):
    """Leaves a field out of change pages."""

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        page = super().changes(object, fields, cursor, limit)
        return replace(page, records=tuple(self._without(record) for record in page.records))

    @staticmethod
    def _without(record: NativeRecord) -> NativeRecord:
        return replace(record, fields={n: v for n, v in record.fields.items() if n != "note" or v is None})


class NullsAsAbsent(MemoryConnector):
    """Leaves empty fields out although it declares to show them."""

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        page = super().changes(object, fields, cursor, limit)
        return replace(
            page,
            records=tuple(
                replace(each, fields={n: v for n, v in each.fields.items() if v is not None}) for each in page.records
            ),
        )


class HiddenFieldsAsEmpty(MemoryConnector):
    """Shows a field that permissions hide as empty."""

    def fetch(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Fetched]:
        found = super().fetch(object, ids, fields)
        blank = dict.fromkeys(fields)
        return {
            key: replace(each, fields={**blank, **each.fields}) if isinstance(each, NativeRecord) else each
            for key, each in found.items()
        }


class ForgetsIds(MemoryConnector):
    """Does not answer for ids that it does not find."""

    def fetch(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Fetched]:
        hidden = self.system.table(object).hidden_records
        found = super().fetch(object, ids, fields)
        return {key: each for key, each in found.items() if not isinstance(each, NotVisible) or key in hidden}


class HiddenAsGone(MemoryConnector):
    """Reports a record that it may not see as deleted."""

    def fetch(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Fetched]:
        hidden = self.system.table(object).hidden_records
        return {key: Gone(key) if key in hidden else each for key, each in super().fetch(object, ids, fields).items()}


class EmptyPageForRubbish(MemoryConnector):
    """Takes an unreadable answer for a page without records."""

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        try:
            return super().changes(object, fields, cursor, limit)
        except ProtocolViolation:
            return Page((), cursor or {}, True)


class ResendsUnclear(MemoryConnector):
    """Sends a write again when nobody knows whether it took effect."""

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        results = super().write(requests)
        return super().write(requests) if any(isinstance(each, Unknown) for each in results) else results


class ReversesResults(MemoryConnector):
    """Returns a batch's results in another order."""

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        return list(reversed(super().write(requests)))


class SwallowsRefusals(MemoryConnector):
    """Says written where the vendor refused."""

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        results = super().write(requests)
        return [
            Written("none", None) if isinstance(each, Refused) and each.code == "validation" else each
            for each in results
        ]


class FailsWholeBatches(MemoryConnector):
    """Gives up the whole batch when the vendor would refuse one row."""

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        if any(each.fields.get("tier") == "forbidden" for each in requests):
            return [Refused("validation", "tier", "refused", "被拒绝") for _ in requests]
        return super().write(requests)


class IgnoresVersions(MemoryConnector):
    """Declares conditional_write and overwrites all the same."""

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        return super().write([replace(each, expected_version=None) for each in requests])


class CutsTexts(MemoryConnector):
    """Cuts texts to the field's length."""

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        return super().write([replace(each, fields=self._cut(each.fields)) for each in requests])

    @staticmethod
    def _cut(fields: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value[:60] if isinstance(value, str) else value for name, value in fields.items()}


class CutsBatches(MemoryConnector):
    """Sends what fits and forgets the rest."""

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        return super().write(requests[: self.capabilities(requests[0].object).batch_size])


class WritesWide(MemoryConnector):
    """Sends every field it knows with an update, empty ones included."""

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        wide = {"note": None}
        return super().write(
            [replace(each, fields={**wide, **each.fields}) if each.op == Op.UPDATE else each for each in requests]
        )


class ClaimsStrongFind(MemoryConnector):
    """Declares strong_read_by_key and searches the lagging index."""

    def find(self, object: str, field: str, values: Sequence[str], fields: Sequence[str]) -> Sequence[NativeRecord]:
        shown = {each for each in self.system.table(object).rows if self.system.indexed(object, each) is not None}
        return [each for each in super().find(object, field, values, fields) if each.native_id in shown]


class FindsTheFirst(MemoryConnector):
    """Returns one record per hub id however many there are."""

    def find(self, object: str, field: str, values: Sequence[str], fields: Sequence[str]) -> Sequence[NativeRecord]:
        first = {each.fields.get(field): each for each in super().find(object, field, values, fields)}
        return list(first.values())


class LosesTheUndated(MemoryConnector):
    """Leaves records without a date out of a bounded listing, as a plain comparison does."""

    def changes_from(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int, bound: Bound) -> Page:
        page = super().changes_from(object, (*fields, bound.field), cursor, limit, bound)
        dated = [record for record in page.records if record.fields.get(bound.field) is not None]
        return replace(page, records=tuple(dated)) if cursor is None or cursor["since"] is None else page


class SelectsForAll(MemoryConnector):
    """Narrows itself, so that everybody who reads with it misses the records of other sorts."""

    def selecting(self, object: str, only: Mapping[str, Sequence[str]]) -> MemoryConnector:
        self._only = {object: only}
        return self


class CountsTheHidden(MemoryConnector):
    """Counts what it cannot list."""

    def count(self, object: str, bound: Bound | None) -> int | None:
        return len(self.system.table(object).rows) + 1


class LeaksSecrets(MemoryConnector):
    """Writes its token into an error."""

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        try:
            return super().changes(object, fields, cursor, limit)
        except RateLimited:
            raise
        except RetryLater as error:
            error.__cause__ = OSError(f"GET /records?token={TOKEN}")
            raise


class LeaksValues(MemoryConnector):
    """Quotes the refused row in its refusal."""

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        results = super().write(requests)
        return [
            replace(result, en=f"{result.en} in {dict(request.fields)}") if isinstance(result, Refused) else result
            for request, result in zip(requests, results, strict=True)
        ]
