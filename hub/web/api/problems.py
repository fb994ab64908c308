"""Every error of the API as problem+json (RFC 9457), in both languages, with its stable code and never a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.errors import ConnectorError
from hub.access.authorize import Denied, SignInRequired
from hub.access.passwords import PasswordRefused
from hub.access.refusals import ForeignPage, ProofAsked, SessionEnded, SignInRefused, StepRefused, TooSoon
from hub.crypto.passwords import TooManyHashes
from hub.kernel.errors import (
    AuditUnavailable,
    Busy,
    ConfigInvalid,
    Declined,
    HubError,
    KeyUnusable,
    NotFound,
    StoreUnavailable,
)
from hub.kernel.redaction import escape, redact
from hub.operations.oidc import ProviderAway
from hub.telemetry import logger

KIND = "application/problem+json"
# The first class that fits counts, so the narrower ones stand first.
STATUS: Final[tuple[tuple[type[HubError], int], ...]] = (
    (SignInRefused, 401),
    (SessionEnded, 401),
    (SignInRequired, 401),
    (TooSoon, 429),
    (StepRefused, 409),
    (ProofAsked, 403),
    (ForeignPage, 403),
    (PasswordRefused, 422),
    (TooManyHashes, 503),
    (ProviderAway, 503),
    (Denied, 403),
    (NotFound, 404),
    (Declined, 409),
    (Busy, 409),
    (AuditUnavailable, 503),
    (StoreUnavailable, 503),
    (KeyUnusable, 503),
    (ConfigInvalid, 503),
)
_WORDS: Final[Mapping[int, tuple[str, str, str]]] = {
    400: ("HUB-REQ-400", "the request is not one that this address takes", "请求无法处理"),
    404: ("HUB-REQ-404", "there is nothing at this address", "该地址不存在"),
    405: ("HUB-REQ-400", "this address does not take that method", "该地址不支持此方法"),
    408: ("HUB-REQ-408", "the request took too long to come", "请求传输超时"),
    413: ("HUB-REQ-413", "the request is larger than 64 KB", "请求超过 64 KB"),
    415: ("HUB-REQ-400", "send application/json", "请以 application/json 提交"),
    421: (
        "HUB-REQ-421",
        "this host is not served here; use web.public_url",
        "此主机名不在服务范围；请使用 web.public_url",
    ),
    422: ("HUB-REQ-400", "a field is missing, unknown or has a form that cannot be used", "字段缺失、未知或格式无效"),
}


def problem(status: int, code: str, en: str, zh: str, *, lang: str = "en", **more: Any) -> JSONResponse:
    """Returns one error in its form."""
    said = {"en": escape(redact(en)), "zh": escape(redact(zh))}
    body = {"type": f"urn:crmhub:{code}", "title": code, "status": status, "code": code, "detail": said[lang], **said}
    return JSONResponse({**body, **more}, status, media_type=KIND)


def plain_problem(status: int, lang: str = "en") -> JSONResponse:
    """Returns an error that only has a status."""
    code, en, zh = _WORDS.get(status, _WORDS[400])
    return problem(status, code, en, zh, lang=lang)


def language(request: Request) -> str:
    """Returns which language a browser prefers."""
    return "zh" if request.headers.get("accept-language", "").strip().lower().startswith("zh") else "en"


def problem_of(error: HubError, lang: str) -> Response:
    """Returns what an error of the hub is for who asked."""
    status = next((number for kind, number in STATUS if isinstance(error, kind)), 500)
    more = {"stage": error.stage} if isinstance(error, StepRefused) else {}
    answer = problem(status, error.code, error.en, error.zh, lang=lang, **more)
    if isinstance(error, TooSoon):
        answer.headers["Retry-After"] = str(error.after)
    if status >= 500:
        logger("web").error("request_failed", code=error.code, message=error.en)
    return answer


def install(app: FastAPI) -> None:
    """Makes an application answer every error so."""

    def hub_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HubError)
        return problem_of(error, language(request))

    def connector_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ConnectorError)
        return problem(502, error.code, error.en, error.zh, lang=language(request))

    def by_status(request: Request, error: Exception) -> Response:
        return plain_problem(error.status_code if isinstance(error, HTTPException) else 400, language(request))

    def invalid(request: Request, error: Exception) -> Response:
        # Names of fields only: what was typed into them may be a password.
        found = error.errors() if isinstance(error, RequestValidationError) else []
        fields = sorted({str(part) for each in found for part in each["loc"][1:2]})
        code, en, zh = _WORDS[422]
        return problem(422, code, en, zh, lang=language(request), fields=fields)

    def unexpected(request: Request, error: Exception) -> Response:
        logger("web").error("request_failed", exc_info=error)
        en, zh = "an unexpected error; nothing was changed, see the log", "意外错误；未作更改，请查看日志"
        return problem(500, "HUB-000", en, zh, lang=language(request))

    app.add_exception_handler(HubError, hub_error)
    app.add_exception_handler(ConnectorError, connector_error)
    app.add_exception_handler(HTTPException, by_status)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unexpected)
