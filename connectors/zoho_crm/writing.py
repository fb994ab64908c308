"""Writes batches of rows and says of each what became of it.

Source: Zoho API v8 insert-records, update-records, upsert-records, delete-records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from typing import Any

from connectors.base import (
    Fetched,
    Gone,
    NativeRecord,
    Op,
    Stale,
    Unknown,
    WriteRequest,
    WriteResult,
    WriteUnclear,
    Written,
)
from connectors.errors import ConnectorError, Unsupported
from connectors.zoho_crm.answers import (
    NOT_THERE,
    RECORD,
    ROWS_UNDER,
    SERVER_FAILED,
    STOPPING,
    TOO_LARGE,
    Answer,
    code_of,
    refusal,
)
from connectors.zoho_crm.conditions import ALONE, MOST_ALONE, ROWS_PER_CREDIT, TOGETHER, goes_alone, is_contested
from connectors.zoho_crm.reading import Reader
from connectors.zoho_crm.rows import Moved, outcome, postponed, refusal_of, version_of
from connectors.zoho_crm.times import instant, stamp

Batch = Sequence[tuple[int, WriteRequest]]
Results = dict[int, WriteResult | Moved]
ACTIVITIES = ("Calls", "Events", "Tasks")


class _Way(Enum):
    """Says how rows are sent: as they are, one under its own condition, many under a common one, or as upserts."""

    PLAIN = auto()
    ALONE = auto()
    TOGETHER = auto()
    UPSERT = auto()


_CONDITIONAL = (_Way.ALONE, _Way.TOGETHER)


class Writer:
    """Writes rows of one connection with every automation of the vendor off, unless `triggers` names some.

    `unique_fields` asks which fields of a module admit no duplicates now.
    """

    def __init__(self, reader: Reader, unique_fields: Callable[[str], frozenset[str]]) -> None:
        self._reader, self._api = reader, reader.api
        self._settings = reader.api.settings
        self._unique_fields = unique_fields
        self._own_user: str | None = None
        self._equal_refused = False
        self._guard_batches = self._settings.condition_batches

    def write(self, requests: Sequence[WriteRequest]) -> list[WriteResult]:
        """Writes at most `batch_size` rows of one object and one op; one result each, in the same order.

        Raises only while nothing of the batch was written; later the rest of the rows are refused for a later try.
        """
        if not requests:
            return []
        self._admit(requests)
        results: Results = {}
        try:
            if batch := [item for item in enumerate(requests) if not self._keeps_back(*item, results)]:
                self._run(batch, results)
        except ConnectorError as stopped:
            if not any(isinstance(result, Written | Unknown) for result in results.values()):
                raise
            for index in range(len(requests)):
                results.setdefault(index, postponed(stopped))
        self._look(requests, results)
        return [result for index in range(len(requests)) if not isinstance(result := results[index], Moved)]

    def upserts(self, object: str) -> bool:
        """Tells whether creates that may exist already are repeated as upserts in a module."""
        return self._settings.repeat_creates == "upsert" and (
            object not in ACTIVITIES or self._settings.upsert_activities
        )

    def _admit(self, requests: Sequence[WriteRequest]) -> None:
        first = requests[0]
        one_kind = all(r.op is first.op and r.object == first.object for r in requests)
        if len(requests) > self._settings.batch_size or not one_kind or first.op is Op.RESTORE:
            raise Unsupported(
                f"{self._api.system} {first.object}: a batch holds at most {self._settings.batch_size} rows of one "
                "object and one operation, and Zoho restores no record over its API",
                f"{self._api.system} {first.object}：每批最多 {self._settings.batch_size} 行，须为同一对象、同一操作；"
                "Zoho 不支持通过接口恢复记录",
                system=self._api.system,
                object=first.object,
            )

    def _keeps_back(self, index: int, request: WriteRequest, results: Results) -> bool:
        """Refuses an update that empties a field where null is known not to do so, and tells whether it did."""
        emptied = next((name for name, value in request.fields.items() if value is None), None)
        if self._settings.clears or request.op is not Op.UPDATE or emptied is None:
            return False
        results[index] = refusal_of("NULL_KEEPS", {"api_name": emptied}, request, self._api.system)
        return True

    def _run(self, batch: Batch, results: Results) -> None:
        op, mode = batch[0][1].op, self._settings.conditional_updates
        if op is Op.CREATE:
            self._repeat([item for item in batch if item[1].may_exist], results)
            self._send([item for item in batch if not item[1].may_exist], results)
            return
        versioned = [item for item in batch if item[1].expected_version]
        if op is Op.UPDATE:
            self._send([item for item in batch if not item[1].expected_version], results)
            if mode == ALONE or (mode != TOGETHER and goes_alone(len(versioned))):
                self._send_each(versioned, results)
                return
        contested = self._compare(versioned, results) if versioned else set()
        if op is Op.UPDATE and mode != TOGETHER and len(contested) <= MOST_ALONE:
            self._send_each([item for item in versioned if item[0] in contested], results)
        way = _Way.TOGETHER if op is Op.UPDATE else _Way.PLAIN
        self._send([item for item in batch if item[0] not in results], results, way)

    # --- updates and deletes under a condition --------------------------------------------------------------------

    def _compare(self, batch: Batch, results: Results) -> set[int]:
        """Reads the versions of a batch in one call and takes out the rows whose records have moved.

        Returns which of the others somebody else wrote of late.
        """
        name, ids = batch[0][1].object, [str(request.native_id) for _, request in batch]
        current: dict[str, Fetched] = dict(self._reader.by_ids(name, ids, ()))
        if missing := [native_id for native_id in ids if native_id not in current]:
            # A list may not show a row yet that was written a moment ago; reads of one record do.
            current |= self._reader.fetch(name, missing, ())
        now, within = self._api.context.clock.now(), self._settings.contested_within
        contested = set()
        for index, request in batch:
            record = current.get(str(request.native_id))
            if not isinstance(record, NativeRecord):
                results[index] = Moved(refusal_of("NOT_VISIBLE", {}, request, self._api.system))
            elif record.version != request.expected_version:
                results[index] = Moved(refusal_of("ALREADY_MODIFIED", {}, request, self._api.system))
            elif is_contested(record, now, within, self._own_user):
                contested.add(index)
        return contested

    def _send_each(self, batch: Batch, results: Results) -> None:
        """Sends one row a call, each under its own If-Unmodified-Since."""
        if not batch:
            return
        with ThreadPoolExecutor(max_workers=min(len(batch), self._settings.workers)) as pool:
            outcomes = list(pool.map(self._send_alone, batch))
        for mine, _ in outcomes:
            results.update(mine)
        if stopped := next((error for _, error in outcomes if error), None):
            raise stopped

    def _send_alone(self, item: tuple[int, WriteRequest]) -> tuple[Results, ConnectorError | None]:
        mine: Results = {}
        try:
            self._send([item], mine, _Way.ALONE)
        except ConnectorError as stopped:
            return mine, stopped
        return mine, None

    # --- creates that may exist already ---------------------------------------------------------------------------

    def _repeat(self, batch: Batch, results: Results) -> None:
        """Sends creates again whose first outcome nobody knows: as upserts on the hub id, after one more look.

        An upsert finds records by every unique field it carries, so with one beside the hub id it could change a
        stranger. Such rows are inserted, which Zoho refuses where the hub id is taken (Zoho API v8 upsert-records).
        """
        if not batch:
            return
        name, key = batch[0][1].object, self._settings.external_key
        unique = self._unique_fields(name) if self.upserts(name) else frozenset()
        if key not in unique:
            self._send(batch, results)
            return
        found = self._reader.find(name, key, [request.hub_id for _, request in batch], ())
        holders = {str(record.fields.get(key)): record.native_id for record in found}
        for index, request in batch:
            if holder := holders.get(request.hub_id):
                details = {"api_name": key, "id": holder}
                results[index] = refusal_of("DUPLICATE_DATA", details, request, self._api.system)
        left = [item for item in batch if item[0] not in results]
        risky = {index for index, request in left if any(request.fields.get(n) is not None for n in unique - {key})}
        self._send([item for item in left if item[0] in risky], results)
        self._send([item for item in left if item[0] not in risky], results, _Way.UPSERT)

    # --- one request ----------------------------------------------------------------------------------------------

    def _send(self, batch: Batch, results: Results, way: _Way = _Way.PLAIN) -> bool:
        """Sends rows and takes what became of them; tells whether the answer had a result for each."""
        if not batch:
            return False
        strict = self._equal_refused
        try:
            answer = self._call(batch, way)
        except WriteUnclear as unclear:
            results.update({index: Unknown(str(unclear)) for index, _ in batch})
            return False
        rows = answer.rows if answer.status in ROWS_UNDER else None
        if way in _CONDITIONAL and not strict and _refuses_own_time(answer, batch):
            # Nobody wrote since: this organisation refuses a record's own time, so nothing was written either.
            self._equal_refused = True
            return self._send(batch, results, way)
        if rows is not None and len(rows) == len(batch):
            self._take(batch, rows, answer, results, way)
            again = [item for item in batch if way in _CONDITIONAL and not strict and _stood_still(item, results)]
            if again:
                self._equal_refused = True
                self._send(again, results, way)
            return True
        if answer.ok or answer.status == 408 or answer.status >= 500 or answer.code in SERVER_FAILED:
            reason = f"Zoho's answer ({answer.code or answer.status}) does not say what became of this row"
            results.update({index: Unknown(reason) for index, _ in batch})
            return False
        guarded = way is _Way.TOGETHER and self._guard_batches
        if guarded and answer.status == 400 and answer.code != "ALREADY_MODIFIED":
            # A condition on several rows is not documented: where it is the reason, it is not sent again.
            if self._send(batch, results, _Way.PLAIN):
                self._guard_batches = False
        else:
            self._part(batch, answer, results, way)
        return False

    def _part(self, batch: Batch, answer: Answer, results: Results, way: _Way) -> None:
        """Takes a request that was refused as a whole, so that nothing was written; halves find the row it was for."""
        if not self._is_of_a_row(answer, len(batch)):
            raise self._refusal(answer, batch)
        if len(batch) == 1:
            index, request = batch[0]
            error = answer.error if answer.code else {"code": "REQUEST_ENTITY_TOO_LARGE"}
            results[index] = outcome(error, request, self._api.system)
            return
        middle = len(batch) // 2
        self._send(batch[:middle], results, way)
        self._send(batch[middle:], results, way)

    def _is_of_a_row(self, answer: Answer, size: int) -> bool:
        """Tells whether a refused request was refused for what one of its rows holds or is."""
        if answer.status == 413 or answer.code in RECORD | TOO_LARGE | {"ALREADY_MODIFIED"}:
            return True
        return size == 1 and answer.code in NOT_THERE

    def _take(self, batch: Batch, rows: Sequence[Any], answer: Answer, results: Results, way: _Way) -> None:
        """Takes the results of the rows. Raises what one says of the whole connection, last."""
        stopped: ConnectorError | None = None
        for (index, request), row in zip(batch, rows, strict=True):
            told = row if isinstance(row, Mapping) else {}
            if code_of(told) in STOPPING:
                stopped = stopped or self._refusal(Answer(400, told, answer.at), batch)
                continue
            results[index] = outcome(row, request, self._api.system)
            if isinstance(results[index], Written):
                self._learn_user(told)
                matched = told.get("duplicate_field")
                if way is _Way.UPSERT and matched not in (None, self._settings.external_key):
                    results[index] = Unknown("Zoho matched this row with a record by another field than the hub id")
        if stopped is not None:
            raise stopped

    def _refusal(self, answer: Answer, batch: Batch) -> ConnectorError:
        return refusal(answer, self._api.system, batch[0][1].object, f"write ({batch[0][1].op})")

    def _learn_user(self, row: Mapping[str, Any]) -> None:
        by = row["details"].get("Modified_By")
        if isinstance(by, Mapping) and isinstance(by.get("id"), str):
            self._own_user = by["id"]

    def _call(self, batch: Batch, way: _Way) -> Answer:
        op, name = batch[0][1].op, batch[0][1].object
        triggers = list(self._settings.triggers)
        if op is Op.DELETE:
            ids = ",".join(str(request.native_id) for _, request in batch)
            params = {"ids": ids, "wf_trigger": "true" if "workflow" in triggers else "false"}
            return self._api.call("DELETE", f"/{name}", f"delete {name}", read=False, params=params)
        headers: dict[str, str] = {}
        body: dict[str, Any] = {"data": [_row(request) for _, request in batch], "trigger": triggers}
        path, method, operation = f"/{name}", "POST" if op is Op.CREATE else "PUT", f"{op} {name}"
        if way is _Way.ALONE:
            path = f"{path}/{batch[0][1].native_id}"
        if way is _Way.ALONE or (way is _Way.TOGETHER and self._guard_batches):
            latest = max(instant(request.expected_version) for _, request in batch)
            # Where a record's own time is refused the next second is not: Modified_Time resolves one second.
            headers["If-Unmodified-Since"] = stamp(latest + self._equal_refused)
        if way is _Way.UPSERT:
            path, operation = f"{path}/upsert", f"upsert {name}"
            body["duplicate_check_fields"] = [self._settings.external_key]
        cost = -(-len(batch) // ROWS_PER_CREDIT)
        return self._api.call(method, path, operation, read=False, headers=headers, body=body, cost=cost)

    # --- what moved -----------------------------------------------------------------------------------------------

    def _look(self, requests: Sequence[WriteRequest], results: Results) -> None:
        """Replaces every moved row by what its record is now; one read for all of them."""
        moved = {index: result for index, result in results.items() if isinstance(result, Moved)}
        if not moved:
            return
        name = requests[0].object
        fields = self._reader.projection(name)
        try:
            found = self._reader.fetch(name, [str(requests[index].native_id) for index in moved], fields or ())
        except ConnectorError:
            # The row was certainly not written; the engine observes the record itself.
            found = {}
        for index, result in moved.items():
            results[index] = self._now(requests[index], result, found.get(str(requests[index].native_id)), fields)

    def _now(
        self, request: WriteRequest, result: Moved, now: Fetched | None, fields: Sequence[str] | None
    ) -> WriteResult:
        if request.op is Op.DELETE and isinstance(now, Gone):
            return Written(now.native_id, None)
        if not isinstance(now, NativeRecord):
            return Stale(now)
        if result.refused.code in NOT_THERE | {"INVALID_DATA"}:
            return result.refused
        if result.answered and now.version == request.expected_version:
            # The answer did not say so, the record does: nobody wrote since, its own time was refused.
            self._equal_refused = True
        return Stale(now if fields is not None else None)


def _row(request: WriteRequest) -> dict[str, Any]:
    return dict(request.fields) if request.op is Op.CREATE else {"id": request.native_id, **request.fields}


def _refuses_own_time(answer: Answer, batch: Batch) -> bool:
    """Tells whether a condition was refused for a record that stands as it was expected."""
    told = (answer.details.get("id"), version_of(answer.details))
    return answer.code == "ALREADY_MODIFIED" and any(told == (r.native_id, r.expected_version) for _, r in batch)


def _stood_still(item: tuple[int, WriteRequest], results: Results) -> bool:
    told = results.get(item[0])
    return isinstance(told, Moved) and told.answered and told.version == item[1].expected_version
