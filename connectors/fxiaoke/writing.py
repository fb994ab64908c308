"""Writes records one by one: reads just before each change, compares versions, leaves every automation off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

from connectors.base import (
    ConnectorContext,
    NotVisible,
    Op,
    Refused,
    Stale,
    Unknown,
    WriteRequest,
    WriteResult,
    WriteUnclear,
    Written,
)
from connectors.errors import ConnectorError, Unsupported
from connectors.fxiaoke import bodies
from connectors.fxiaoke.checks import find_fault
from connectors.fxiaoke.client import Client
from connectors.fxiaoke.created import CreatedLookup, Nameless
from connectors.fxiaoke.descriptions import Descriptions
from connectors.fxiaoke.envelope import Answer, Rejected
from connectors.fxiaoke.links import same_value
from connectors.fxiaoke.pool import Pool
from connectors.fxiaoke.reading import Reader, Row
from connectors.fxiaoke.records import is_invalid, later, version_of
from connectors.fxiaoke.refusals import busy, refused, undeclared, wait_for_approval
from connectors.fxiaoke.settings import FxiaokeSettings

OWNER = "owner"
_FRESH = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """Is one vendor call of a write."""

    operation: str
    body: Mapping[str, Any]


class Writer:
    """Writes the objects of one connection; threads may share it."""

    def __init__(
        self,
        client: Client,
        reader: Reader,
        descriptions: Descriptions,
        pool: Pool,
        settings: FxiaokeSettings,
        context: ConnectorContext,
    ) -> None:
        self._client, self._reader, self._descriptions, self._pool = client, reader, descriptions, pool
        self._settings, self._system = settings, context.system
        self._lookup = CreatedLookup(reader, settings, context)

    def ops(self, object: str) -> frozenset[Op]:
        """Returns what may be done to the records of an object, as the settings say."""
        if object in self._settings.read_only:
            return frozenset()
        if object in self._settings.append_only:
            return frozenset({Op.CREATE})
        kept = object in self._settings.never_invalidated
        return frozenset({Op.CREATE, Op.UPDATE}) if kept else frozenset(Op)

    def write(self, requests: Sequence[WriteRequest]) -> list[WriteResult]:
        """Writes a batch, several calls at once, with one result per request in the same order.

        Raises an error of the contract only while no request has taken effect or become unclear; after that, what was
        not sent is refused for a later try, so that no outcome is lost.
        """
        self._admit(requests)
        if any(request.fields and request.op is not Op.DELETE for request in requests):
            self._descriptions.kept(requests[0].object)  # once, before the threads of the batch would each ask
        results: list[WriteResult | None] = [None] * len(requests)
        stopped = _Stop()

        def one(position: int) -> None:
            if stopped.is_set():
                return
            try:
                results[position] = self._single(requests[position])
            except ConnectorError as error:
                stopped.set(error)

        self._pool.run(one, range(len(requests)))
        if stopped.error is not None and not any(isinstance(result, Written | Unknown) for result in results):
            raise stopped.error
        return [
            busy(self._system, request, stopped.error) if result is None else result
            for request, result in zip(requests, self._named(requests, results), strict=True)
        ]

    def _named(self, requests: Sequence[WriteRequest], results: list[WriteResult | None]) -> list[WriteResult | None]:
        """Looks up, by their hub ids, the records that were created for certain but not named by the answers."""
        nameless = [request for request, result in zip(requests, results, strict=True) if isinstance(result, Nameless)]
        if not nameless:
            return results
        found = self._lookup.await_created(nameless)
        return [
            found.get(request.hub_id, Unknown(result.reason)) if isinstance(result, Nameless) else result
            for request, result in zip(requests, results, strict=True)
        ]

    def _admit(self, requests: Sequence[WriteRequest]) -> None:
        kinds = {(request.op, request.object) for request in requests}
        if len(kinds) > 1 or len(requests) > self._settings.batch_size:
            raise Unsupported(
                f"{self._system}: a batch is of one object, one op, at most {self._settings.batch_size} writes",
                f"{self._system}：一批写入只能是同一对象、同一操作，且不超过 {self._settings.batch_size} 条",
                system=self._system,
            )
        for op, name in kinds:
            if op not in self.ops(name):
                raise undeclared(self._system, name, op)

    def _single(self, request: WriteRequest) -> WriteResult:
        fault = None if request.op is Op.DELETE else self._fault(request)
        if fault is not None:
            return fault
        if request.op is Op.CREATE:
            return self._create(request)
        assert request.native_id is not None
        return self._change(request, request.native_id)

    def _fault(self, request: WriteRequest) -> Refused | None:
        """Checks the fields; a fault found with an old description is judged again by a new one."""
        if not request.fields:
            return None
        place = (self._system, request.native_id or f"hub {request.hub_id}")
        creating = request.op is Op.CREATE
        fault = find_fault(self._descriptions.kept(request.object), request.fields, place, creating=creating)
        if fault is not None and (self._descriptions.age(request.object) or 0.0) > _FRESH:
            fault = find_fault(self._descriptions.read(request.object), request.fields, place, creating=creating)
        return fault

    def _create(self, request: WriteRequest) -> WriteResult:
        fields = self._encoded(request.object, self._linked(request, {}), creating=True)
        done = self._step(request, Step("create", bodies.create(request.object, fields, self._settings)))
        if not isinstance(done, Answer):
            return done
        native_id = bodies.created_id(done.payload)
        if native_id is None:
            return Nameless(f"{self._system} {request.object}: created, but the answer holds no dataId")
        return Written(native_id, None)

    def _linked(self, request: WriteRequest, row: Row) -> Mapping[str, Any]:
        """Returns the fields with the links of a contact log as the tenant keeps them."""
        links = self._descriptions.links(request.object, request.fields)
        return request.fields if links is None else links.written(request.fields, row)

    def _change(self, request: WriteRequest, native_id: str) -> WriteResult:
        """Updates, invalidates or recovers a record that is still as the hub last saw it."""
        row = self._reader.get_row(request.object, native_id)
        if row is None:
            return Stale(NotVisible(native_id))
        version = version_of(row)
        # A record that is still invalid may be recovered whatever its version: becoming invalid has raised it unseen.
        recovering = request.op is Op.RESTORE and is_invalid(row)
        if request.expected_version not in (None, version) and not recovering:
            return self._stale(request, row)
        if request.op is Op.DELETE:
            return self._toggle(request, native_id, row, gone=True)
        if request.op is Op.RESTORE:
            return self._restore(request, native_id, row)
        if is_invalid(row):
            return self._stale(request, row)
        return self._update(request, native_id, row)

    def _update(self, request: WriteRequest, native_id: str, row: Row) -> WriteResult:
        moved = {n: v for n, v in self._linked(request, row).items() if not same_value(n, row.get(n), v)}
        version = version_of(row)
        if not moved:
            # Whether an edit without effect raises the version is unknown, and a bound too high would hide later edits.
            return Written(native_id, version, seen={name: row[name] for name in request.fields if name in row})
        deferred = self._deferred(request, row)
        if deferred is not None:
            return deferred
        owner = moved.pop(OWNER, None)
        if moved:
            fields = {"_id": native_id, **self._encoded(request.object, moved, creating=False)}
            done = self._step(request, Step("update", bodies.update(request.object, fields, self._settings)))
            if not isinstance(done, Answer):
                return done
        if owner is None:
            return Written(native_id, later(version))
        return self._change_owner(request, native_id, owner, second=bool(moved), version=version)

    def _change_owner(
        self, request: WriteRequest, native_id: str, owner: Any, *, second: bool, version: str | None
    ) -> WriteResult:
        step = Step("changeOwner", bodies.change_owner(request.object, native_id, owner))
        half = Unknown(f"{self._system} {request.object} {native_id}: the fields were written, the owner perhaps not")
        try:
            done = self._step(request, step)
        except ConnectorError:
            if second:
                return half
            raise
        if not isinstance(done, Answer):
            return half if second else done
        # Whether changeOwner raises the version is not documented, so it is read.
        return Written(native_id, self._version_now(request, native_id) or (later(version) if second else version))

    def _toggle(self, request: WriteRequest, native_id: str, row: Row, *, gone: bool) -> WriteResult:
        """Invalidates or recovers, where that is not so already. The vendor's delete is never called."""
        version = version_of(row)
        if is_invalid(row) is gone:
            return Written(native_id, version)
        deferred = self._deferred(request, row) if gone else None
        if deferred is not None:
            return deferred
        step = bodies.invalid(request.object, native_id) if gone else bodies.recover(request.object, native_id)
        done = self._step(request, Step("invalid" if gone else "recover", step))
        if not isinstance(done, Answer):
            return done
        return Written(native_id, self._version_now(request, native_id) or version)

    def _restore(self, request: WriteRequest, native_id: str, row: Row) -> WriteResult:
        """Recovers, then writes what else is to change; a half-done restore is left to recovery."""
        recovered = self._toggle(request, native_id, row, gone=False)
        if not request.fields or not isinstance(recovered, Written):
            return recovered
        try:
            now = self._reader.get_row(request.object, native_id)
            done = None if now is None else self._update(request, native_id, now)
        except ConnectorError:
            done = None
        if isinstance(done, Written):
            return done
        return Unknown(f"{self._system} {request.object} {native_id}: restored, the fields perhaps not written")

    def _version_now(self, request: WriteRequest, native_id: str) -> str | None:
        """Returns the version after a call that took effect; a failed look changes nothing about that."""
        try:
            row = self._reader.get_row(request.object, native_id)
        except ConnectorError:
            return None
        return None if row is None else version_of(row)

    def _stale(self, request: WriteRequest, row: Row) -> Stale:
        return Stale(self._reader.fetched(request.object, row, tuple(request.fields)))

    def _deferred(self, request: WriteRequest, row: Row) -> Refused | None:
        blocked = str(row.get("lock_status")) == "1" or row.get("life_status") in ("under_review", "in_change")
        if not blocked or self._settings.write_status_locked:
            return None
        return wait_for_approval(self._system, request)

    def _encoded(self, object: str, fields: Mapping[str, Any], *, creating: bool) -> dict[str, Any]:
        if creating:
            return {name: value for name, value in fields.items() if value is not None}
        if self._settings.clear_as == "null":
            return dict(fields)
        return bodies.with_empties(fields, self._descriptions.kept(object))

    def _step(self, request: WriteRequest, step: Step) -> Answer | Refused | Unknown:
        try:
            return self._client.write(request.object, step.operation, step.body)
        except WriteUnclear as unclear:
            return Unknown(str(unclear))
        except Rejected as no:
            return refused(self._system, request, no, self._descriptions.labels(request.object))


class _Stop:
    """Holds the first error that stops a batch."""

    def __init__(self) -> None:
        self.error: ConnectorError | None = None
        self._event, self._lock = Event(), Lock()
        self.is_set: Callable[[], bool] = self._event.is_set

    def set(self, error: ConnectorError) -> None:
        with self._lock:
            self.error = self.error or error
        self._event.set()
