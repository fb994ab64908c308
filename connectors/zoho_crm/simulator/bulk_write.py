"""Bulk Write: files that are uploaded first, and jobs that write their rows in time. Source: Zoho API v8 bulk-write.

What a result file calls its columns, how it words a refusal and which code a file over the limits gets is from an
engineer's knowledge, not documented.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, RowRefused, answer
from connectors.zoho_crm.simulator.bulk_csv import read_rows, read_upload, unpack, value_of
from connectors.zoho_crm.simulator.oauth import ORG_ID
from connectors.zoho_crm.simulator.records import ModuleStore, Org
from connectors.zoho_crm.simulator.schema import User
from connectors.zoho_crm.simulator.writing import WriteCall, insert_row, update_row

NEVER = frozenset({"Notes", "Events", "Calls", "Attachments"})
OPERATIONS = ("insert", "update", "upsert")
_UNFIT = frozenset({"formula", "autonumber", "fileupload", "imageupload", "subform", "jsonarray"})
_RESULT = ("STATUS", "RECORD_ID", "ERRORS")


@dataclass(frozen=True, slots=True)
class Order:
    """What a request for a job asks for, checked as far as the vendor checks it at once."""

    operation: str
    module: str
    file_id: str
    find_by: str
    ignore_empty: bool
    mappings: tuple[Mapping[str, Any], ...]
    callback: Mapping[str, Any] | None
    plain: bool
    """Whether a module is named by a text, as v2 does (zcrmsdk)."""


@dataclass(slots=True)
class _Job:
    job_id: str
    user: User
    order: Order
    created: float
    outcome: str
    address: str
    header: list[str] = field(default_factory=list)
    results: list[list[str]] = field(default_factory=list, repr=False)
    counts: dict[str, int] = field(default_factory=lambda: {"ADDED": 0, "UPDATED": 0, "SKIPPED": 0})
    done: bool = False
    code: str = ""


class BulkWrites:
    """The uploaded files of the org and the jobs that write them."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._files: dict[str, tuple[str, str]] = {}
        self._jobs: dict[str, _Job] = {}

    def take(self, raw: bytes, headers: Mapping[str, str]) -> Response:
        """Answers POST /upload; raises Failure."""
        try:
            files = unpack(read_upload(raw, headers, ORG_ID))
        except Failure as failure:
            if failure.code == "INVALID_FILE_FORMAT":
                failure.status = self._org.settings.upload_refused_status
            raise
        file_id = self._org.next_id()
        self._files[file_id] = next(iter(files.items()))
        details = {"file_id": file_id, "created_time": self._org.iso(self._org.now())}
        return answer(
            {"status": "success", "code": "FILE_UPLOAD_SUCCESS", "message": "file uploaded.", "details": details}
        )

    def read(self, body: Any, version: str) -> Order:
        """Returns what a request asks for; raises Failure."""
        resource = _only(body.get("resource") if isinstance(body, dict) else None)
        operation = body.get("operation")
        if operation not in OPERATIONS:
            raise _refused("INVALID_DATA", "invalid data", {"api_name": "operation"})
        callback = body.get("callback")
        _check_callback(callback)
        plain, module = version in ("v2", "v2.1"), resource.get("module")
        name = module if plain else module.get("api_name") if isinstance(module, dict) else None
        if not isinstance(name, str) or name not in self._org.modules or name in NEVER:
            raise _refused("MODULE_NOT_AVAILABLE", "the module is not available", {"api_name": "module"})
        if resource.get("file_id") not in self._files:
            raise _refused("FILE_NOT_FOUND", "the file is not found", {"api_name": "file_id"})
        find_by = resource.get("find_by") or ""
        if set(resource.get("file_names") or ()) - {self._files[resource["file_id"]][0]}:
            raise _refused("FILE_NOT_FOUND", "the file is not found", {"api_name": "file_names"})
        if operation != "insert":
            self._check_key(self._org.modules[name], find_by)
        mappings = self._mappings(self._org.modules[name], operation, resource)
        ignores = bool(resource.get("ignore_empty", body.get("ignore_empty", False)))
        return Order(operation, name, resource["file_id"], find_by, ignores, mappings, callback, plain)

    def make(self, order: Order, user: User, address: str) -> Response:
        """Answers POST /write: its rows are written later."""
        org = self._org
        job_id = org.next_id()
        result = f"{address}/{job_id}/result"
        self._jobs[job_id] = _Job(job_id, user, order, org.clock.now(), org.settings.bulk_write_outcome, result)
        details = {"id": job_id, "created_by": user.short()}
        return answer({"status": "success", "code": "SUCCESS", "message": "success", "details": details}, 201)

    def settle(self) -> None:
        """Writes the rows of every job whose time has come: the vendor does so whether anybody looks or not."""
        for job in self._jobs.values():
            if not job.done and job.outcome == "completed" and self._passed(job) >= 1:
                self._write(job)

    def look(self, job_id: str) -> tuple[Response, str]:
        """Answers GET /write/{id}; returns the answer and the module."""
        job = self._job(job_id)
        state, order, org = self._state(job), job.order, self._org
        # The published document spells the state of a file as one word, the page that of a job as two.
        part = {"IN PROGRESS": "INPROGRESS", "FAILED": "SKIPPED"}.get(state, state)
        part = "SKIPPED" if job.code else part
        module = {"api_name": order.module, "id": org.modules[order.module].spec.module_id}
        counted = [job.counts[name] for name in ("ADDED", "UPDATED", "SKIPPED")]
        file = dict(zip(("added_count", "updated_count", "skipped_count"), counted, strict=True))
        resource: dict[str, Any] = {
            "status": part,
            "type": "data",
            "module": order.module if order.plain else module,
            "ignore_empty": order.ignore_empty,
            "field_mappings": [dict(one) for one in order.mappings],
            "file": {"status": part, "name": self._files[order.file_id][0], **file, "total_count": len(job.results)},
        } | ({"code": job.code} if job.code else {})
        shown = {
            "status": state,
            "character_encoding": "UTF-8",
            "resource": [resource],
            "id": job.job_id,
            "created_by": job.user.short(),
            "operation": order.operation,
            "created_time": org.iso(job.created),
            "callback": order.callback,
        } | ({"result": {"download_url": job.address}} if job.done else {})
        return answer(shown), order.module

    def result(self, job_id: str) -> tuple[Response, str, int]:
        """Answers GET /write/{id}/result: the rows as they were sent, and what became of each."""
        job = self._job(job_id)
        if not job.done:
            raise _gone(job_id)
        packed, text = io.BytesIO(), io.StringIO(newline="")
        csv.writer(text).writerows([[*job.header, *_RESULT], *job.results])
        with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
            archive.writestr(f"{job_id}.csv", text.getvalue().encode())
        name = {"content-disposition": f'attachment; filename="{job_id}.zip"'}
        zipped = Response(packed.getvalue(), media_type="application/octet-stream", headers=name)
        return zipped, job.order.module, len(job.results)

    def _job(self, job_id: str) -> _Job:
        if job_id not in self._jobs:
            raise _gone(job_id)
        return self._jobs[job_id]

    def _passed(self, job: _Job) -> float:
        due = self._org.settings.bulk_write_seconds
        return (self._org.clock.now() - job.created) / due if due else 1.0

    def _state(self, job: _Job) -> str:
        if job.done:
            return "SKIPPED" if job.code else "COMPLETED"
        passed = self._passed(job)
        if passed >= 1 and job.outcome == "failed":
            return "FAILED"
        return "ADDED" if passed < 1 / 3 else "IN PROGRESS"

    def _check_key(self, store: ModuleStore, find_by: str) -> None:
        if not find_by:
            raise _refused("MANDATORY_NOT_FOUND", "Required key find_by is not available")
        spec = store.visible(find_by)
        if find_by != "id" and (spec is None or find_by not in store.index or spec.lookup):
            raise _refused("INVALID_DATA", "the field finds no record", {"api_name": "find_by"})

    def _mappings(
        self, store: ModuleStore, operation: str, resource: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], ...]:
        header, _ = read_rows(self._files[resource["file_id"]][1])
        given = resource.get("field_mappings")
        if given is None:
            given = [{"api_name": name, "index": place} for place, name in enumerate(header)]
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise _refused("INVALID_DATA", "invalid data", {"api_name": "field_mappings"})
        for one in given:
            index = one.get("index")
            if "api_name" not in one or (index is None and "default_value" not in one):
                where = {"json_path": "$.resource[0].field_mappings"}
                raise _refused("MISSING_REQUIRED_KEY", "a key is missing", where)
            spec = store.visible(_name(one))
            if spec is None or spec.data_type in _UNFIT or (spec.read_only and spec.api_name != "id"):
                raise _refused("INVALID_DATA", "invalid data", {"api_name": str(one["api_name"])})
            if index is not None and not (isinstance(index, int) and 0 <= index < len(header)):
                raise _refused("INVALID_DATA", "invalid data", {"index": index})
        named = {_name(one) for one in given}
        required = {name for name, spec in store.spec.fields.items() if spec.required}
        if operation == "insert" and required - named:
            missing = {"fields": sorted(required - named)}
            raise _refused("MANDATORY_FIELDS_NOT_MAPPED", "mandatory fields are not mapped", missing)
        return tuple(given)

    def _write(self, job: _Job) -> None:
        job.done, settings, order = True, self._org.settings, job.order
        store = self._org.modules[order.module]
        job.header, rows = read_rows(self._files[order.file_id][1])
        if len(rows) > settings.bulk_write_rows or len(job.header) > settings.bulk_write_columns:
            job.code = "ROW_LIMIT_EXCEEDED" if len(rows) > settings.bulk_write_rows else "COLUMN_LIMIT_EXCEEDED"
            return
        call = WriteCall(job.user, workflows=settings.bulk_write_automates, operation="bulk write")
        for place, row in enumerate(rows):
            status, record_id, error = self._write_row(store, order, self._payload(store, order, row), place, call)
            job.counts[status] += 1
            job.results.append([*row, status, record_id, error])

    def _payload(self, store: ModuleStore, order: Order, row: list[str]) -> dict[str, Any]:
        payload: dict[str, Any] = {}
        for one in order.mappings:
            index = one.get("index")
            cell = row[index] if index is not None and index < len(row) else ""
            cell = cell or str((one.get("default_value") or {}).get("value", ""))
            if cell or not order.ignore_empty:
                payload[_name(one)] = value_of(self._org, store.visible(_name(one)), cell, one.get("format"))
        return payload

    def _write_row(
        self, store: ModuleStore, order: Order, payload: dict[str, Any], place: int, call: WriteCall
    ) -> tuple[str, str, str]:
        found = _found(store, order, payload) if order.operation != "insert" else ""
        act: Callable[..., dict[str, Any]] = update_row
        if order.operation == "insert" or (order.operation == "upsert" and not found):
            payload.pop("id", None)
            act = insert_row
        else:
            payload["id"] = found or "0"
        try:
            done = act(self._org, store, payload, place, call)
        except RowRefused as refused:
            where = refused.details.get("api_name", "")
            return "SKIPPED", "", f"{refused.code}:{where}" if where else refused.code
        return ("ADDED" if act is insert_row else "UPDATED"), str(done["details"]["id"]), ""


def _name(mapping: Mapping[str, Any]) -> str:
    """Returns the field that a mapping means: a lookup may be written with the key that finds its record."""
    return str(mapping["api_name"]).removesuffix(".id")


def _found(store: ModuleStore, order: Order, payload: Mapping[str, Any]) -> str:
    value = payload.get(order.find_by)
    if value in (None, ""):
        return ""
    if order.find_by == "id":
        return str(value) if store.live(str(value)) else ""
    return min(store.holders(order.find_by, value), default="")


def _only(resources: Any) -> Mapping[str, Any]:
    if not isinstance(resources, list) or len(resources) != 1 or not isinstance(resources[0], dict):
        raise _refused("INVALID_REQUEST", "the request is not valid", {"api_name": "resource"})
    if resources[0].get("type") != "data":
        raise _refused("MISSING_REQUIRED_KEY", "a key is missing", {"json_path": "$.resource[0].type"})
    return resources[0]


def _check_callback(callback: Any) -> None:
    if callback is None:
        return
    if not isinstance(callback, dict) or not str(callback.get("url", "")).startswith("https://"):
        raise _refused("INVALID_CALLBACK_URL", "the callback URL is not valid")
    if callback.get("method") != "post":
        details = {"supported_callback_methods": ["post"]}
        raise _refused("INVALID_CALLBACK_METHOD", "the callback method is not valid", details)


def _refused(code: str, message: str, details: Mapping[str, Any] | None = None) -> Failure:
    return Failure(400, code, message, details)


def _gone(job_id: str) -> Failure:
    return Failure(404, "RESOURCE_NOT_FOUND", "the requested resource does not exist", {"resource": job_id})
