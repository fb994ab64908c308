"""Writes batches of rows and says of each what became of it.

Source: Zoho API v8 insert-records, update-records, delete-records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from connectors.zoho_crm.answers import RECORD, SERVER_FAILED, Answer, refusal
from connectors.zoho_crm.reading import Reader
from connectors.zoho_crm.rows import Moved, outcome, postponed, refusal_of
from connectors.zoho_crm.times import instant, stamp

Batch = Sequence[tuple[int, WriteRequest]]
Results = dict[int, WriteResult | Moved]


class Writer:
    """Writes rows of one connection with every automation of the vendor off, unless `triggers` names some."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._api = reader, reader.api
        self._settings = reader.api.settings

    def write(self, requests: Sequence[WriteRequest]) -> list[WriteResult]:
        """Writes at most `batch_size` rows of one object and one op; one result each, in the same order.

        Raises only while nothing of the batch was written; later the rest of the rows are refused for a later try.
        """
        if not requests:
            return []
        self._admit(requests)
        results: Results = {}
        try:
            self._run(list(enumerate(requests)), results)
        except ConnectorError as stopped:
            if not any(isinstance(result, Written | Unknown) for result in results.values()):
                raise
            for index in range(len(requests)):
                results.setdefault(index, postponed(stopped))
        self._look(requests, results)
        return [result for index in range(len(requests)) if not isinstance(result := results[index], Moved)]

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

    def _run(self, batch: Batch, results: Results) -> None:
        versioned = [item for item in batch if item[1].expected_version and item[1].op is not Op.CREATE]
        by_header = self._settings.conditional_updates == "single_row_if_unmodified_since"
        if by_header and versioned and batch[0][1].op is Op.UPDATE:
            self._send_each(versioned, results)
        elif versioned:
            self._compare(versioned, results)
            versioned = []
        done = {index for index, _ in versioned} | results.keys()
        self._send([item for item in batch if item[0] not in done], results)

    def _compare(self, batch: Batch, results: Results) -> None:
        """Reads the versions of a batch in one call and takes out the rows whose records have moved."""
        name, ids = batch[0][1].object, [str(request.native_id) for _, request in batch]
        current: dict[str, Fetched] = dict(self._reader.by_ids(name, ids, ()))
        if missing := [native_id for native_id in ids if native_id not in current]:
            # A list may not show a row yet that was written a moment ago; reads of one record do.
            current |= self._reader.fetch(name, missing, ())
        for index, request in batch:
            record = current.get(str(request.native_id))
            if not isinstance(record, NativeRecord):
                results[index] = Moved(refusal_of("NOT_VISIBLE", {}, request, self._api.system))
            elif record.version != request.expected_version:
                results[index] = Moved(refusal_of("ALREADY_MODIFIED", {}, request, self._api.system))

    def _send_each(self, batch: Batch, results: Results) -> None:
        """Sends one row a call, each under its own If-Unmodified-Since."""

        def send(item: tuple[int, WriteRequest]) -> tuple[Results, ConnectorError | None]:
            mine: Results = {}
            try:
                self._send([item], mine, conditional=True)
            except ConnectorError as stopped:
                return mine, stopped
            return mine, None

        with ThreadPoolExecutor(max_workers=self._settings.workers) as pool:
            outcomes = list(pool.map(send, batch))
        for mine, _ in outcomes:
            results.update(mine)
        if stopped := next((error for _, error in outcomes if error), None):
            raise stopped

    def _send(self, batch: Batch, results: Results, conditional: bool = False) -> None:
        if not batch:
            return
        try:
            answer = self._call(batch, conditional)
        except WriteUnclear as unclear:
            results.update({index: Unknown(str(unclear)) for index, _ in batch})
            return
        rows = answer.rows
        if rows is not None and len(rows) == len(batch):
            pairs = zip(batch, rows, strict=True)
            results.update({index: outcome(row, request, self._api.system) for (index, request), row in pairs})
        elif answer.ok or answer.status >= 500 or answer.code in SERVER_FAILED:
            reason = f"Zoho's answer ({answer.code or answer.status}) does not say what became of this row"
            results.update({index: Unknown(reason) for index, _ in batch})
        elif answer.code not in RECORD | {"ALREADY_MODIFIED"}:
            raise refusal(answer, self._api.system, batch[0][1].object, f"write ({batch[0][1].op})")
        elif len(batch) == 1:
            index, request = batch[0]
            results[index] = outcome(answer.error, request, self._api.system)
        else:
            # The request was refused as a whole for one bad row: nothing was written, halves find the row.
            middle = len(batch) // 2
            self._send(batch[:middle], results)
            self._send(batch[middle:], results)

    def _call(self, batch: Batch, conditional: bool) -> Answer:
        op, name = batch[0][1].op, batch[0][1].object
        if op is Op.DELETE:
            ids = ",".join(str(request.native_id) for _, request in batch)
            params = {"ids": ids, "wf_trigger": "true" if "workflow" in self._settings.triggers else "false"}
            return self._api.call("DELETE", f"/{name}", f"delete {name}", read=False, params=params)
        headers: Mapping[str, str] = {}
        path, method = f"/{name}", "POST" if op is Op.CREATE else "PUT"
        if conditional:
            request = batch[0][1]
            path = f"{path}/{request.native_id}"
            headers = {"If-Unmodified-Since": stamp(instant(request.expected_version))}
        return self._api.call(
            method,
            path,
            f"{op} {name}",
            read=False,
            headers=headers,
            body={"data": [_row(request) for _, request in batch], "trigger": list(self._settings.triggers)},
            cost=-(-len(batch) // 10),
        )

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
            request, now = requests[index], found.get(str(requests[index].native_id))
            if request.op is Op.DELETE and isinstance(now, Gone):
                results[index] = Written(now.native_id, None)
            elif isinstance(now, NativeRecord) and result.refused.code == "INVALID_DATA":
                results[index] = result.refused
            elif isinstance(now, NativeRecord) and fields is None:
                results[index] = Stale(None)
            else:
                results[index] = Stale(now)


def _row(request: WriteRequest) -> dict[str, Any]:
    return dict(request.fields) if request.op is Op.CREATE else {"id": request.native_id, **request.fields}
