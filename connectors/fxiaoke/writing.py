"""Writes records one by one: reads just before each change, compares versions, leaves every automation off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from threading import Event, Lock
from typing import Any

from connectors.base import (
    ConnectorContext,
    NotVisible,
    ObjectDescription,
    Op,
    Refused,
    Stale,
    Unknown,
    WriteRequest,
    WriteResult,
    Written,
)
from connectors.errors import ConnectorError, Unsupported
from connectors.fxiaoke import bodies
from connectors.fxiaoke.calls import Calls
from connectors.fxiaoke.checks import find_fault, find_misplaced
from connectors.fxiaoke.client import Client
from connectors.fxiaoke.created import CreatedLookup, Nameless
from connectors.fxiaoke.descriptions import CREATED_AT, Descriptions
from connectors.fxiaoke.envelope import Answer
from connectors.fxiaoke.owning import OWNER as OWNER
from connectors.fxiaoke.owning import Owners, is_pooled
from connectors.fxiaoke.pool import Pool
from connectors.fxiaoke.reading import Reader, Row
from connectors.fxiaoke.records import is_invalid, later, version_of
from connectors.fxiaoke.refusals import busy, in_pool, own_call, undeclared, wait_for_approval
from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.fxiaoke.values import encoded, same

_FRESH = 60.0


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
        self._reader, self._descriptions, self._pool = reader, descriptions, pool
        self._settings, self._system = settings, context.system
        self._calls = Calls(client, descriptions, context.system)
        self._owners = Owners(self._calls, settings, context.system)
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
        """Looks up by hub id the records that answers did not name: those created, and those in a create's way."""
        pairs = list(zip(requests, results, strict=True))
        sought = [one for one, result in pairs if isinstance(result, Nameless) or self._is_taken(one, result)]
        if not sought:
            return results
        found = self._lookup.await_created(sought)
        made: list[WriteResult | None] = []
        for request, result in pairs:
            held = found.get(request.hub_id)
            if isinstance(result, Nameless):
                made.append(held or Unknown(result.reason))
            elif isinstance(result, Refused) and held is not None and self._is_taken(request, result):
                made.append(replace(result, existing_id=held.native_id))
            else:
                made.append(result)
        return made

    def _is_taken(self, request: WriteRequest, result: WriteResult | None) -> bool:
        """Tells whether a create was refused because a record with its hub id is there."""
        if not isinstance(result, Refused) or request.op is not Op.CREATE:
            return False
        return result.code == "fxiaoke.duplicate" and result.field == self._settings.external_key

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
        if OWNER in request.fields and len(request.fields) > 1:
            return own_call(self._system, request, OWNER)
        assert request.native_id is not None
        return self._change(request, request.native_id)

    def _fault(self, request: WriteRequest) -> Refused | None:
        """Checks the fields; a fault found with an old description is judged again by a new one."""
        if not request.fields:
            return None
        creating = request.op is Op.CREATE

        def find(known: ObjectDescription, place: tuple[str, str]) -> Refused | None:
            fault = find_fault(known, request.fields, place, creating=creating)
            # What a change leaves beside it is known once the record is read.
            return fault or (
                find_misplaced(known, request.fields, request.fields, request.fields, place) if creating else None
            )

        return self._judged(request, find)

    def _judged(
        self, request: WriteRequest, find: Callable[[ObjectDescription, tuple[str, str]], Refused | None]
    ) -> Refused | None:
        place = (self._system, request.native_id or f"hub {request.hub_id}")
        fault = find(self._descriptions.kept(request.object), place)
        if fault is not None and (self._descriptions.age(request.object) or 0.0) > _FRESH:
            fault = find(self._descriptions.read(request.object), place)
        return fault

    def _create(self, request: WriteRequest) -> WriteResult:
        fields = self._encoded(request.object, self._linked(request, {}), creating=True)
        done = self._calls.make(request, "create", bodies.create(request.object, fields, self._settings))
        if not isinstance(done, Answer):
            return done
        native_id = bodies.created_id(done.payload)
        if native_id is None:
            return Nameless(f"{self._system} {request.object}: created, but the answer holds no dataId")
        row = self._row_now(request, native_id) if self._settings.read_back else None
        if row is None or row.get("last_modified_time") != row.get(CREATED_AT):
            return Written(native_id, None)
        return Written(native_id, version_of(row), self._shown(request, row))

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
        moved = self._moved(request, row)
        version = version_of(row)
        if not moved:
            # Whether an edit without effect raises the version is unknown, and a bound too high would hide later edits.
            return Written(native_id, version, seen=self._shown(request, row))
        held = {**row, **request.fields}
        stopped = self._deferred(request, row) or self._judged(
            request, lambda known, place: find_misplaced(known, request.fields, moved, held, place)
        )
        if stopped is not None:
            return stopped
        if OWNER in moved:
            done = self._owners.change(request, native_id, moved[OWNER], row)
            return self._known(request, native_id, version) if isinstance(done, Answer) else done
        fields = {"_id": native_id, **self._encoded(request.object, moved, creating=False)}
        done = self._calls.make(request, "update", bodies.update(request.object, fields, self._settings))
        if isinstance(done, Refused) and done.code == "fxiaoke.permission" and is_pooled(request.object, row):
            return in_pool(self._system, request)
        if not isinstance(done, Answer):
            return done
        return self._updated(request, native_id, later(version))

    def _updated(self, request: WriteRequest, native_id: str, bound: str | None) -> WriteResult:
        """Returns an accepted update, as the vendor holds it where the connection reads it back.

        One that started an approval has not taken effect yet; it is compared again once the approval has ended.
        """
        wanted = self._settings.read_back or self._settings.trigger_approvals
        now = self._row_now(request, native_id) if wanted else None
        if now is None:
            return Written(native_id, bound)
        if now.get("life_status") == "in_change":
            return wait_for_approval(self._system, request, locked=False)
        # A version above that is somebody else's work beside ours, which the next poll will tell.
        return Written(native_id, bound, self._shown(request, now) if version_of(now) == bound else None)

    def _moved(self, request: WriteRequest, row: Row) -> dict[str, Any]:
        """Returns the fields of a request that the record does not show already."""
        known = self._descriptions.kept(request.object).fields
        linked = self._linked(request, row)
        return {name: value for name, value in linked.items() if not same(name, known.get(name), row.get(name), value)}

    def _shown(self, request: WriteRequest, row: Row) -> dict[str, Any]:
        return {name: row[name] for name in request.fields if name in row}

    def _known(self, request: WriteRequest, native_id: str, before: str | None) -> Written:
        """Returns a write after which the version is read: whether such calls raise it is not documented."""
        row = self._row_now(request, native_id)
        if row is None:
            return Written(native_id, before)
        version = version_of(row)
        ours = self._settings.read_back and version in (before, later(before))
        return Written(native_id, version or before, self._shown(request, row) if ours and request.fields else None)

    def _toggle(self, request: WriteRequest, native_id: str, row: Row, *, gone: bool) -> WriteResult:
        """Invalidates or recovers, where that is not so already. The vendor's delete is never called."""
        version = version_of(row)
        if is_invalid(row) is gone:
            return Written(native_id, version)
        deferred = self._deferred(request, row) if gone else None
        if deferred is not None:
            return deferred
        if gone:
            done = self._calls.make(request, "invalid", bodies.invalid(request.object, native_id, self._settings))
        else:
            done = self._calls.make(request, "recover", bodies.recover(request.object, native_id, self._settings))
        return self._known(request, native_id, version) if isinstance(done, Answer) else done

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

    def _row_now(self, request: WriteRequest, native_id: str) -> Row | None:
        """Returns the record after a call that took effect; a failed look changes nothing about that."""
        try:
            return self._reader.get_row(request.object, native_id)
        except ConnectorError:
            return None

    def _stale(self, request: WriteRequest, row: Row) -> Stale:
        return Stale(self._reader.fetched(request.object, row, tuple(request.fields)))

    def _deferred(self, request: WriteRequest, row: Row) -> Refused | None:
        locked = str(row.get("lock_status")) == "1"
        in_approval = row.get("life_status") in ("under_review", "in_change")
        if self._settings.write_status_locked or not (locked or in_approval):
            return None
        return wait_for_approval(self._system, request, locked=not in_approval)

    def _encoded(self, object: str, fields: Mapping[str, Any], *, creating: bool) -> dict[str, Any]:
        described = self._descriptions.kept(object)
        made = {name: encoded(described.fields.get(name), value) for name, value in fields.items()}
        if creating:
            return {name: value for name, value in made.items() if value is not None}
        return made if self._settings.clear_as == "null" else bodies.with_empties(made, described)


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
