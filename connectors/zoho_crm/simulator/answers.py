"""Answers and errors in the vendor's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


class Failure(Exception):
    """A refused request, with the status, code, message and details that the vendor would send."""

    def __init__(self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})

    def body(self, style: str = "top") -> dict[str, Any]:
        """Returns the error body; style `data` wraps it in data[] as the published documents do."""
        error = {"code": self.code, "details": self.details, "message": self.message, "status": "error"}
        return {"data": [error]} if style == "data" else error


class RowRefused(Exception):
    """One refused row of a write."""

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.details = dict(details or {})

    def result(self) -> dict[str, Any]:
        """Returns the row's result."""
        return {"code": self.code, "details": self.details, "message": self.message, "status": "error"}


def invalid(message: str, **details: Any) -> Failure:
    """Returns the refusal INVALID_DATA, status 400."""
    return Failure(400, "INVALID_DATA", message, details)


def answer(content: object, status: int = 200) -> Response:
    """Returns a JSON answer."""
    return Response(orjson.dumps(content), status, media_type="application/json;charset=UTF-8")


def empty(status: int) -> Response:
    """Returns an answer without a body: 204 or 304."""
    return Response(b"", status)


def whole_number(params: Mapping[str, str], name: str, default: int) -> int:
    """Returns a whole number among the parameters; raises Failure 400 for anything else."""
    text = params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise invalid("invalid data", param_name=name, expected_data_type="integer")
    return int(text)


def vendor_error(fault: dict[str, Any]) -> Response:
    """Renders an injected error as the vendor would."""
    known = {
        "http_500": (500, "INTERNAL_ERROR", "Internal Server Error"),
        "http_503": (503, "SERVICE_UNAVAILABLE", "The service is unavailable"),
        "http_429": (429, "TOO_MANY_REQUESTS", "You have exceeded the concurrency limit"),
        "auth_expired": (401, "INVALID_TOKEN", "invalid oauth token"),
    }
    status, code, message = known.get(fault["action"], (400, "INVALID_DATA", "invalid data"))
    if isinstance(fault.get("body"), str):
        return Response(fault["body"], int(fault.get("status", status)), media_type="text/html")
    if "body" in fault:
        return answer(fault["body"], int(fault.get("status", status)))
    failure = Failure(int(fault.get("status", status)), fault.get("code", code), fault.get("message", message))
    return answer(failure.body(), failure.status)
