"""Bulk Read: jobs that make files of whole modules, in time. Source: Zoho API v8 bulk-read."""

from __future__ import annotations

import io
import secrets
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile
from zlib import crc32

from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, answer
from connectors.zoho_crm.simulator.bulk_columns import columns_of, write_calendar, write_csv
from connectors.zoho_crm.simulator.bulk_criteria import read_criteria
from connectors.zoho_crm.simulator.records import ModuleStore, Org
from connectors.zoho_crm.simulator.schema import User

_NEVER = frozenset({"Notes", "Attachments", "Emails"})
_MINUTE = 60.0
_MOST_PAGES = 500


@dataclass(slots=True)
class _Job:
    """One export: what was asked for, and the records as they were when it was asked for."""

    job_id: str
    user: User
    store: ModuleStore
    query: dict[str, Any]
    columns: tuple[str, ...]
    page: int
    created: float
    rows: list[dict[str, Any]] = field(repr=False)
    more: bool
    token: str | None
    outcome: str
    kind: str
    file: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Token:
    """What a token of a next page stands for."""

    user_id: str
    module: str
    criteria: str
    after: int
    page: int
    expires: float


class BulkReads:
    """The export jobs of the org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._jobs: dict[str, _Job] = {}
        self._tokens: dict[str, _Token] = {}
        self._downloads: deque[float] = deque()

    def module_of(self, body: Any) -> str:
        """Returns the module that a request names; raises Failure where it cannot be exported."""
        query = body.get("query") if isinstance(body, dict) else None
        module = query.get("module") if isinstance(query, dict) else None
        name = module.get("api_name") if isinstance(module, dict) else None
        if not isinstance(name, str):
            raise _refused("INVALID_REQUEST", "the request does not name a module")
        exported = self._org.settings.bulk_modules.split(",")
        if name in _NEVER or (name in self._org.modules and name not in exported):
            raise _refused("MODULE_NOT_SUPPORTED", "the module is not supported in bulk read")
        if name not in self._org.modules:
            details = {"module": name, "reason": "INVALID_MODULE", "api_name": "module"}
            raise _refused("MODULE_NOT_AVAILABLE", "the module is not available", details)
        return name

    def make(self, body: dict[str, Any], user: User) -> Response:
        """Answers POST /read."""
        org, store, query = self._org, self._org.modules[self.module_of(body)], body["query"]
        kind = _check_form(body, store)
        columns = columns_of(org, store, query.get("fields"))
        matches = read_criteria(org, store, query.get("criteria"))
        after, page = self._page(query, store, user)
        keys = store.by_id[bisect_right(store.by_id, after) if after else 0 :]
        pending = org.settings.approval_in_lists
        live = (row for key in keys if (row := store.rows[str(key)]).is_listed(pending) and matches(row))
        most = org.settings.bulk_rows if kind == "csv" else org.settings.bulk_ics_rows
        skipped = 0 if after else (page - 1) * most
        found = list(islice(live, skipped, skipped + most + 1))
        more, rows = len(found) > most, found[:most]
        token = self._give(query, store, user, rows[-1].number, page + 1) if more else None
        # Nothing is said about the order of a file (bulk-read limitations: no sort).
        rows.sort(key=lambda row: crc32(row.record_id.encode()))
        shown = [row.fields for row in rows]
        job = _Job(
            org.next_id(),
            user,
            store,
            {**query, "page": page},
            columns,
            page,
            org.clock.now(),
            shown,
            more,
            token if org.settings.bulk_page_tokens else None,
            org.settings.bulk_outcome,
            kind,
        )
        self._jobs[job.job_id] = job
        details = {
            "id": job.job_id,
            "operation": "read",
            "state": "ADDED",
            "created_by": user.short(),
            "created_time": org.iso(job.created),
        }
        made = {"status": "success", "code": "ADDED_SUCCESSFULLY", "message": "Added successfully.", "details": details}
        return answer({"data": [made], "info": {}}, 201)

    def look(self, job_id: str) -> tuple[Response, str]:
        """Answers GET /read/{id}; returns the answer and the module."""
        job = self._job(job_id)
        state = self._state(job)
        shown: dict[str, Any] = {
            "id": job.job_id,
            "operation": "read",
            "state": state,
            "query": _query_shown(job),
            "created_by": job.user.short(),
            "created_time": self._org.iso(job.created),
            "file_type": job.kind,
        }
        if state == "COMPLETED":
            shown["result"] = {
                "page": job.page,
                "per_page": self._org.settings.bulk_rows if job.kind == "csv" else self._org.settings.bulk_ics_rows,
                "count": len(job.rows),
                "download_url": f"/crm/bulk/v8/read/{job.job_id}/result",
                "more_records": job.more,
            } | ({"next_page_token": job.token} if job.token else {})
        if state == "FAILURE":
            shown["result"] = {"error_message": {"code": "INTERNAL_SERVER_ERROR", "message": "the export failed"}}
        return answer({"data": [shown]}), job.store.spec.api_name

    def result(self, job_id: str) -> tuple[Response, str, int]:
        """Answers GET /read/{id}/result; returns the answer, the module and the number of rows."""
        job, settings, now = self._job(job_id), self._org.settings, self._org.clock.now()
        if self._state(job) != "COMPLETED" or now - job.created > settings.bulk_seconds + settings.bulk_result_lifetime:
            raise _gone(job_id)
        while self._downloads and self._downloads[0] <= now - _MINUTE:
            self._downloads.popleft()
        if len(self._downloads) >= settings.bulk_downloads:
            raise Failure(429, "TOO_MANY_REQUESTS", "only a number of downloads is allowed in a minute")
        self._downloads.append(now)
        if job.file is None:
            job.file = self._pack(job)
        name = f'attachment; filename="{job.job_id}.zip"'
        zipped = Response(job.file, media_type="application/zip", headers={"content-disposition": name})
        return zipped, job.store.spec.api_name, len(job.rows)

    def _job(self, job_id: str) -> _Job:
        if job_id not in self._jobs:
            raise _gone(job_id)
        return self._jobs[job_id]

    def _state(self, job: _Job) -> str:
        passed, due = self._org.clock.now() - job.created, self._org.settings.bulk_seconds
        if passed < due / 3:
            return "ADDED"
        if passed < due * 2 / 3:
            return "QUEUED"
        if passed < due or job.outcome == "stuck":
            return "IN PROGRESS"
        return "FAILURE" if job.outcome == "failure" else "COMPLETED"

    def _page(self, query: Mapping[str, Any], store: ModuleStore, user: User) -> tuple[int, int]:
        """Returns the id after which the page begins (0 for the start of the module) and its number."""
        text, page = query.get("page_token"), query.get("page")
        if text is not None and page is not None:
            raise _refused("INVALID_REQUEST", "page and page_token cannot be used together")
        if text is None:
            page = 1 if page is None else page
            if not isinstance(page, int) or not 1 <= page <= _MOST_PAGES:
                raise _refused("PAGE_RANGE_EXCEEDED", "the page is out of range", {"max_limit": _MOST_PAGES})
            return 0, page
        token = self._tokens.get(str(text)) if self._org.settings.bulk_page_tokens else None
        mine = token is not None and token.user_id == user.user_id and token.module == store.spec.api_name
        if token is None or not mine or token.criteria != _told(query):
            details = {"api_name": "page_token", "supported_values": []}
            raise _refused("INVALID_DATA", "the page_token is invalid", details)
        if token.expires <= self._org.clock.now():
            raise _refused("EXPIRED_VALUE", "the page_token is expired")
        return token.after, token.page

    def _give(self, query: Mapping[str, Any], store: ModuleStore, user: User, after: int, page: int) -> str:
        text, expires = secrets.token_hex(48), self._org.clock.now() + self._org.settings.bulk_token_lifetime
        self._tokens[text] = _Token(user.user_id, store.spec.api_name, _told(query), after, page, expires)
        return text

    def _pack(self, job: _Job) -> bytes:
        packed = io.BytesIO()
        with (
            ZipFile(packed, "w", ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open(f"{job.job_id}.{job.kind}", "w") as member,
        ):
            text = io.TextIOWrapper(member, encoding="utf-8", newline="")
            if job.kind == "ics":
                text.write(write_calendar(job.rows))
            else:
                write_csv(self._org, job.store, job.columns, job.rows, text)
            text.flush()
            text.detach()
        return packed.getvalue()


def _check_form(body: Mapping[str, Any], store: ModuleStore) -> str:
    """Returns the type of the file, which for events alone may be a calendar; raises Failure."""
    kind, kinds = body.get("file_type", "csv"), ["csv", *(["ics"] if store.spec.api_name == "Events" else [])]
    if kind not in kinds:
        details = {"api_name": "file_type", "supported_values": kinds}
        raise _refused("INVALID_DATA", "the file type is not supported", details)
    callback = body.get("callback")
    if callback is None:
        return str(kind)
    if not isinstance(callback, dict) or not str(callback.get("url", "")).startswith("https://"):
        raise _refused("INVALID_CALLBACK_URL", "the callback URL is not valid")
    if callback.get("method") != "post":
        details = {"supported_callback_methods": ["post"]}
        raise _refused("INVALID_CALLBACK_METHOD", "the callback method is not valid", details)
    return str(kind)


def _query_shown(job: _Job) -> dict[str, Any]:
    shown = {"module": {"api_name": job.store.spec.api_name, "id": job.store.spec.module_id}, "page": job.page}
    return shown | ({"fields": list(job.columns)} if "fields" in job.query else {})


def _told(query: Mapping[str, Any]) -> str:
    return repr(query.get("criteria"))


def _refused(code: str, message: str, details: Mapping[str, Any] | None = None) -> Failure:
    return Failure(400, code, message, details)


def _gone(job_id: str) -> Failure:
    return Failure(404, "RESOURCE_NOT_FOUND", "the requested resource does not exist", {"resource": job_id})
