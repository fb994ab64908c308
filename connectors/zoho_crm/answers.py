"""What Zoho's answers mean: envelopes, and every error code grouped by what to do next.

Source: Zoho API v8 status-codes, get-records, update-records, api-limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Response
from connectors.errors import (
    AuthRejected,
    ConnectorError,
    CursorExpired,
    ProtocolViolation,
    QuotaExhausted,
    RateLimited,
    RetryLater,
    SchemaDrift,
)


def _codes(names: str) -> frozenset[str]:
    return frozenset(names.split())


TOKEN_REFUSED = frozenset({"INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE", "AUTHENTICATION_FAILED"})
PERMISSION = _codes(
    "OAUTH_SCOPE_MISMATCH NO_PERMISSION AUTHORIZATION_FAILED NOT_SUPPORTED FEATURE_NOT_SUPPORTED NOT_ALLOWED "
    "LICENSE_LIMIT_EXCEEDED"
)
WALLS = _codes(
    "EXPIRED_VALUE TOKEN_BOUND_DATA_MISMATCH AMBIGUITY_DURING_PROCESSING PAGINATION_LIMIT_EXCEEDED "
    "DISCRETE_PAGINATION_LIMIT_EXCEEDED"
)
WALK_LOST = WALLS | {"INVALID_DATA"}
NOTHING_FOUND = "NO_RECORDS_FOUND"
NOT_THERE = frozenset({NOTHING_FOUND, "RESOURCE_NOT_FOUND", "NOT_FOUND"})
ABSENT = NOT_THERE | {"INVALID_DATA", "NO_PERMISSION"}
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
TOO_LARGE = frozenset({"REQUEST_ENTITY_TOO_LARGE", "FILE_TOO_LARGE"})
STOPPING = (
    (PERMISSION - {"NO_PERMISSION", "AUTHORIZATION_FAILED"})
    | TOKEN_REFUSED
    | THROTTLED
    | DRIFTED
    | _codes(
        "STORAGE_SPACE_EXCEEDED RECORD_LIMIT_EXCEEDED LIMIT_REACHED CRITERIA_LIMIT_EXCEEDED INVALID_URL_PATTERN "
        "INVALID_REQUEST_METHOD METHOD_NOT_ALLOWED REQUIRED_PARAM_MISSING EXPECTED_PARAM_MISSING "
        "MEDIA_TYPE_NOT_SUPPORTED UNSUPPORTED_MEDIA_TYPE"
    )
)
"""Codes that speak of the connection or the organisation even where a row carries them: the other rows meet them too.

A missing permission may be one record's, by its sharing; it stays that row's.
"""
ROWS_UNDER = frozenset({200, 201, 202, 207, 400, 412})
"""The statuses under which `data` holds one result per row of a write."""
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,59}")
_NAME = re.compile(r"[$A-Za-z]\w{0,99}", re.ASCII)
_GATEWAY = {"401": "AUTHENTICATION_FAILURE", "403": "NO_PERMISSION", "429": "TOO_MANY_REQUESTS"}
_THROTTLED_ROW = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Is one answer of the API: `content` is parsed JSON or None, `at` the server's clock in epoch seconds."""

    status: int
    content: Any = field(repr=False)
    at: float | None

    @property
    def ok(self) -> bool:
        return self.status < 400 and self.gateway is None

    @property
    def rows(self) -> Sequence[Any] | None:
        """Returns `data`, or None where the answer has none."""
        rows = self.content.get("data") if isinstance(self.content, Mapping) else None
        return rows if isinstance(rows, list) else None

    @property
    def gateway(self) -> str | None:
        """Returns the ERROR_CODE with which a gateway or an upload answers, under whatever status."""
        told = self.content.get("ERROR_CODE") if isinstance(self.content, Mapping) else None
        return str(told) if isinstance(told, int | str) else None

    @property
    def error(self) -> Mapping[str, Any]:
        """Returns the request-level error, top-level or wrapped in a one-row `data`; empty where there is none."""
        if not isinstance(self.content, Mapping):
            return {}
        if self.gateway is not None:
            named = "INTERNAL_ERROR" if self.gateway.startswith("5") else f"ERROR_CODE_{self.gateway}"
            return {"code": _GATEWAY.get(self.gateway, named)}
        if isinstance(self.content.get("code"), str):
            return self.content
        rows = self.rows
        return rows[0] if rows and isinstance(rows[0], Mapping) and len(rows) == 1 else {}

    @property
    def code(self) -> str:
        return code_of(self.error)

    @property
    def details(self) -> Mapping[str, Any]:
        found = self.error.get("details")
        return found if isinstance(found, Mapping) else {}


def code_of(error: Mapping[str, Any]) -> str:
    """Returns an error's code; what has not the form of one is nothing that a message may show."""
    code = error.get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def header(response: Response, name: str) -> str:
    """Returns a header by its name in any case, "" where it is absent."""
    return next((value for key, value in response.headers.items() if key.lower() == name.lower()), "")


def field_of(details: Mapping[str, Any]) -> str | None:
    """Returns the API name of the field an error speaks of: `api_name`, else the end of `json_path`."""
    name = details.get("api_name")
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    path = details.get("json_path")
    tail = path.rpartition(".")[2] if isinstance(path, str) and path.startswith("$.data[") else ""
    found = tail.partition("[")[0]
    return found if _NAME.fullmatch(found) else None


def refusal(answer: Answer, system: str, object: str, doing: str) -> ConnectorError:
    """Returns the error that a refused request means, named by what the engine does next."""
    code, where = answer.code, f"{system} {object}: {doing}"
    if answer.status >= 500 or answer.status == 408 or code in SERVER_FAILED:
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
    if code in PERMISSION | TOKEN_REFUSED or answer.status in (401, 403):
        return AuthRejected(
            f"{where} is not permitted ({code or answer.status}); grant the scope or the profile permission in Zoho "
            "and authorise again",
            f"{where}：没有权限（{code or answer.status}），请在 Zoho 中授予相应 scope 或角色权限后重新授权",
            missing=_missing(answer, doing),
            system=system,
            object=object,
        )
    if code in THROTTLED:
        return RateLimited(
            f"{where} met the limit of calls; it goes on after a pause",
            f"{where}：触及调用限制，暂停后继续",
            after=_THROTTLED_ROW,
            system=system,
            object=object,
        )
    if code in WALLS:
        return CursorExpired(
            f"{where} cannot go on from where it stood ({code}); a full listing follows",
            f"{where}：无法从原位置继续（{code}），将重新完整读取",
            system=system,
            object=object,
        )
    if code in DRIFTED | NOT_THERE or (code == "INVALID_QUERY" and "column_name" in answer.details):
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
