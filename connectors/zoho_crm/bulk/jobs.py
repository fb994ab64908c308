"""The three calls of Bulk Read: make a job, look at it, fetch its file. Source: Zoho API v8 bulk-read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import Bound, WriteUnclear
from connectors.errors import RateLimited, RetryLater
from connectors.zoho_crm.answers import PERMISSION, Answer, refusal, violation
from connectors.zoho_crm.bulk.reasons import NotOffered, TokenLost
from connectors.zoho_crm.calls import BULK_API, Api, FileCaps

COMPLETED, FAILURE = "COMPLETED", "FAILURE"
_PENDING = frozenset({"ADDED", "QUEUED", "IN PROGRESS"})
_GONE = frozenset({"RESOURCE_NOT_FOUND", "NOT_FOUND", "EXPIRED_VALUE"})
_NOT_OFFERED = frozenset(
    [
        "MODULE_NOT_SUPPORTED",
        "MODULE_NOT_AVAILABLE",
        "FIELD_NOT_SUPPORTED",
        "FIELD_NOT_AVAILABLE",
        "LIMIT_EXCEEDED",
        "JOIN_LIMIT_EXCEEDED",
        "QUERY_NOT_SUPPORTED",
        "JOB_NOT_SUPPORTED",
        "NOT_SUPPORTED_FEATURE",
        "PAGE_NOT_SUPPORTED",
        "PAGE_RANGE_EXCEEDED",
        "CRITERIA_LIMIT_EXCEEDED",
        "CRITERIA_NOT_SUPPORTED",
        "INVALID_CRITERIA",
        "AMBIGUOUS_CRITERIA",
        "FIELD_IN_CRITERIA_NOT_SUPPORTED",
        "FIELD_IN_CRITERIA_NOT_AVAILABLE",
        "FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED",
        "FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE",
        "FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE",
        "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE",
        "COMPARATOR_AND_ENCRYPTED_VALUE_IN_CRITERIA_NOT_COMPATIBLE",
        "VALUE_IN_CRITERIA_NOT_SUPPORTED",
        "VALUE_TYPE_NOT_SUPPORTED",
    ]
)
_BARRED = frozenset({403, 404, 405})
"""What a gateway answers that lets the path not through, whatever its body."""
_EMPTY = "${EMPTY}"
_MOST_ROWS = 10_000_000
_FILE_SECONDS = 900.0
_AFTER_DOWNLOADS = 60.0
"""Seconds until a download is answered again after the tenth within a minute (Zoho API bulk-read limitations)."""


@dataclass(frozen=True, slots=True)
class Made:
    """Is a job that was accepted; `at` is the server's clock."""

    job: str
    at: float


@dataclass(frozen=True, slots=True)
class State:
    """Is what became of a job; with COMPLETED the rows of its file, and how a next job goes on, if there is more."""

    name: str
    count: int = 0
    more: bool = False
    token: str | None = None


class Jobs:
    """Makes and follows the jobs of one connection."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def make(
        self, object: str, columns: Sequence[str], bound: Bound | None, page: int, token: str | None = None
    ) -> Made:
        """Has a file made of one page of a module.

        Raises NotOffered where the vendor makes none of these, TokenLost, RetryLater where nobody can tell whether a
        job was made (it is left to itself), and what any other refusal means.
        """
        query: dict[str, Any] = {"module": {"api_name": object}, "fields": list(columns)}
        query |= {"page_token": token} if token else {"page": page}
        if bound is not None:
            query["criteria"] = _criteria(bound)
        answer = self._create(object, query)
        if not answer.ok and token and answer.code in _GONE | {"INVALID_DATA"}:
            raise TokenLost
        if not answer.ok and (answer.code in _NOT_OFFERED | PERMISSION or answer.status in _BARRED):
            raise NotOffered(f"Zoho refuses the job ({answer.code or answer.status})")
        if not answer.ok:
            raise refusal(answer, self._api.system, object, "bulk read")
        details = answer.error.get("details")
        job = details.get("id") if isinstance(details, Mapping) else None
        if not _is_id(job) or answer.at is None:
            raise violation(
                self._api.system, object, "a bulk read job has no id or no Date", "批量读取任务缺少编号或时间"
            )
        return Made(str(job), answer.at)

    def _create(self, object: str, query: Mapping[str, Any]) -> Answer:
        try:
            return self._api.call(
                "POST",
                "/read",
                f"bulk create {object}",
                read=False,
                body={"query": query, "file_type": "csv"},
                cost=self._api.settings.bulk_job_credits,
                base=BULK_API,
            )
        except WriteUnclear:
            pass
        raise RetryLater(
            f"{self._api.system} {object}: no answer to a bulk read job; another one is made later",
            f"{self._api.system} {object}：批量读取任务未得到应答，稍后重新建立",
            system=self._api.system,
            object=object,
        )

    def look(self, object: str, job: str) -> State | None:
        """Returns what became of a job, None where the vendor no longer knows it."""
        answer = self._api.call("GET", f"/read/{job}", f"bulk look {object}", read=True, base=BULK_API)
        if not answer.ok and (answer.code in _GONE or answer.status == 404):
            return None
        if not answer.ok:
            raise refusal(answer, self._api.system, object, "look at a bulk read job")
        rows = answer.rows
        shown = rows[0] if rows and isinstance(rows[0], Mapping) else {}
        name = shown.get("state")
        if shown.get("id") != job or name not in _PENDING | {COMPLETED, FAILURE}:
            raise violation(self._api.system, object, "a bulk read job has no known state", "批量读取任务状态无法识别")
        return self._completed(object, shown.get("result")) if name == COMPLETED else State(str(name))

    def _completed(self, object: str, result: Any) -> State:
        result = result if isinstance(result, Mapping) else {}
        count, more, token = result.get("count"), result.get("more_records"), result.get("next_page_token")
        counted = isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= _MOST_ROWS
        if not counted or not isinstance(more, bool):
            raise violation(
                self._api.system,
                object,
                "a bulk read job does not say how many rows it has",
                "批量读取任务未说明记录数",
            )
        return State(COMPLETED, count, more, token if isinstance(token, str) and token else None)

    def download(self, object: str, job: str) -> bytes | None:
        """Returns the ZIP file of a job, None where the vendor no longer keeps it. Raises TooLarge, RateLimited.

        The path is made of the job's id: no answer chooses where to go.
        """
        caps = FileCaps(self._api.settings.bulk_file_bytes, _FILE_SECONDS)
        path = f"/read/{job}/result"
        try:
            answer = self._api.call("GET", path, f"bulk download {object}", read=True, base=BULK_API, file=caps)
        except RateLimited as limited:
            limited.after = max(limited.after, _AFTER_DOWNLOADS)
            raise
        if not answer.ok and (answer.code in _GONE or answer.status in (404, 410)):
            return None
        if not answer.ok:
            raise refusal(answer, self._api.system, object, "fetch a bulk read file")
        return answer.content if isinstance(answer.content, bytes) else b""


def _is_id(job: object) -> bool:
    return isinstance(job, str) and job.isascii() and job.isdigit() and len(job) <= 30


def _criteria(bound: Bound) -> dict[str, Any]:
    """Leaves out what is filled and earlier than a bound."""
    field = {"api_name": bound.field}
    tests = [("greater_equal", str(bound.earliest)), ("equal", _EMPTY)]
    group = [{"field": field, "comparator": comparator, "value": value} for comparator, value in tests]
    return {"group_operator": "or", "group": group}
