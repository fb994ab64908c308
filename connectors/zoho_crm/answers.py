"""What Zoho's answers mean: envelopes, and every error code grouped by what to do next.

Source: Zoho API v8 status-codes, get-records, update-records, api-limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Response
from connectors.errors import AuthRejected, ConnectorError, ProtocolViolation, QuotaExhausted, RetryLater, SchemaDrift


def _codes(names: str) -> frozenset[str]:
    return frozenset(names.split())


TOKEN_REFUSED = frozenset({"INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE", "AUTHENTICATION_FAILED"})
PERMISSION = _codes(
    "OAUTH_SCOPE_MISMATCH NO_PERMISSION AUTHORIZATION_FAILED NOT_SUPPORTED FEATURE_NOT_SUPPORTED NOT_ALLOWED "
    "LICENSE_LIMIT_EXCEEDED"
)
WALK_LOST = _codes(
    "EXPIRED_VALUE TOKEN_BOUND_DATA_MISMATCH AMBIGUITY_DURING_PROCESSING PAGINATION_LIMIT_EXCEEDED "
    "DISCRETE_PAGINATION_LIMIT_EXCEEDED INVALID_DATA"
)
ABSENT = frozenset({"INVALID_DATA", "NO_RECORDS_FOUND", "RESOURCE_NOT_FOUND", "NOT_FOUND", "NO_PERMISSION"})
THROTTLED = frozenset({"TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED"})
SERVER_FAILED = _codes(
    "DEPENDENT_SERVICE_ERROR INTERNAL_ERROR INTERNAL_SERVER_ERROR BAD_GATEWAY SERVICE_UNAVAILABLE ALREADY_SCHEDULED"
)
DRIFTED = frozenset({"INVALID_MODULE", "FIELD_NOT_AVAILABLE", "MODULE_NOT_AVAILABLE", "MODULE_NOT_SUPPORTED"})
RECORD = _codes(
    "INVALID_DATA PATTERN_NOT_MATCHED UNABLE_TO_PARSE_DATA_TYPE INVALID_REQUEST MANDATORY_NOT_FOUND "
    "DEPENDENT_FIELD_MISSING EXPECTED_FIELD_MISSING DEPENDENT_MISMATCH MAPPING_MISMATCH DATA_MISMATCH "
    "MULTIPLE_OR_MULTI_ERRORS DUPLICATE_DATA DUPLICATE_LINKING_DATA RECORD_LOCKED CANNOT_PROCESS NOT_APPROVED "
    "RECORD_IN_BLUEPRINT ID_ALREADY_CONVERTED CONVERTED_RECORD CANNOT_PERFORM_ACTION"
)
SCOPE_MISMATCH = "OAUTH_SCOPE_MISMATCH"
LOCKED = frozenset({"RECORD_LOCKED", "CANNOT_PROCESS"})


@dataclass(frozen=True, slots=True)
class Answer:
    """Is one answer of the API: `content` is parsed JSON or None, `at` the server's clock in epoch seconds."""

    status: int
    content: Any = field(repr=False)
    at: float | None

    @property
    def ok(self) -> bool:
        return self.status < 400

    @property
    def rows(self) -> Sequence[Any] | None:
        """Returns `data`, or None where the answer has none."""
        rows = self.content.get("data") if isinstance(self.content, Mapping) else None
        return rows if isinstance(rows, list) else None

    @property
    def error(self) -> Mapping[str, Any]:
        """Returns the request-level error, top-level or wrapped in a one-row `data`; empty where there is none."""
        if not isinstance(self.content, Mapping):
            return {}
        if isinstance(self.content.get("code"), str):
            return self.content
        rows = self.rows
        return rows[0] if rows and isinstance(rows[0], Mapping) and len(rows) == 1 else {}

    @property
    def code(self) -> str:
        return str(self.error.get("code", ""))

    @property
    def details(self) -> Mapping[str, Any]:
        found = self.error.get("details")
        return found if isinstance(found, Mapping) else {}


def header(response: Response, name: str) -> str:
    """Returns a header by its name in any case, "" where it is absent."""
    return next((value for key, value in response.headers.items() if key.lower() == name.lower()), "")


def field_of(details: Mapping[str, Any]) -> str | None:
    """Returns the API name of the field an error speaks of: `api_name`, else the end of `json_path`."""
    name = details.get("api_name")
    if isinstance(name, str) and name:
        return name
    path = details.get("json_path")
    tail = path.rpartition(".")[2] if isinstance(path, str) and path.startswith("$.data[") else ""
    return tail.partition("[")[0] or None


def refusal(answer: Answer, system: str, object: str, doing: str) -> ConnectorError:
    """Returns the error that a refused request means, named by what the engine does next."""
    code, where = answer.code, f"{system} {object}: {doing}"
    if answer.status >= 500 or code in SERVER_FAILED:
        return RetryLater(
            f"{where} failed at Zoho ({code or answer.status}); it is tried again later",
            f"{where}：Zoho 服务端出错（{code or answer.status}），稍后重试",
            system=system,
            object=object,
        )
    if code == SCOPE_MISMATCH:
        return AuthRejected(
            f"{where} needs a scope that was not granted ({code}); `crmhub check {system}` names it: add it to `scopes`"
            f" and authorise again with `crmhub connect {system}`",
            f"{where}：缺少所需的 scope（{code}）；`crmhub check {system}` 会指出是哪一个，请加入 scopes 后用 "
            f"`crmhub connect {system}` 重新授权",
            missing=f"{code} ({doing})",
            system=system,
            object=object,
        )
    if code in PERMISSION or answer.status in (401, 403):
        return AuthRejected(
            f"{where} is not permitted ({code or answer.status}); grant the scope or the profile permission in Zoho "
            "and authorise again",
            f"{where}：没有权限（{code or answer.status}），请在 Zoho 中授予相应 scope 或角色权限后重新授权",
            missing=_missing(answer, doing),
            system=system,
            object=object,
        )
    if code in DRIFTED or (code == "INVALID_QUERY" and "column_name" in answer.details):
        return SchemaDrift(
            f"{where}: the module or a field is not available ({code}); compare the mapping with Zoho's fields",
            f"{where}：模块或字段不可用（{code}），请核对映射与 Zoho 字段设置",
            system=system,
            object=object,
        )
    if code == "STORAGE_SPACE_EXCEEDED":
        return QuotaExhausted(
            f"{where}: the Zoho organisation's storage is full; free space or buy more",
            f"{where}：Zoho 组织存储空间已满，请清理或扩容",
            resets_at=None,
            system=system,
            object=object,
        )
    return ProtocolViolation(
        f"{where} was refused in an unforeseen way (status {answer.status}, code {code or 'none'}); "
        "report it with this message",
        f"{where}：被 Zoho 以意外方式拒绝（状态 {answer.status}，代码 {code or '无'}），请附本消息报告问题",
        system=system,
        object=object,
    )


def _missing(answer: Answer, doing: str) -> str:
    permissions = answer.details.get("permissions")
    if isinstance(permissions, list) and permissions:
        return ", ".join(str(name) for name in permissions)
    return f"{answer.code or answer.status} ({doing})"


def violation(system: str, object: str, en: str, zh: str) -> ProtocolViolation:
    """Returns the error for an answer that breaks the protocol."""
    return ProtocolViolation(
        f"{system} {object}: {en}; the stream stops, report it",
        f"{system} {object}：{zh}，已停止读取，请报告问题",
        system=system,
        object=object,
    )
