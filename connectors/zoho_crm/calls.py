"""One signed call to the API: the token renewed once, credits taken before it leaves, throttling waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.base import ConnectorContext, Response, WriteUnclear
from connectors.errors import AuthRejected, ProtocolViolation
from connectors.zoho_crm.answers import TOKEN_REFUSED, Answer, header
from connectors.zoho_crm.auth import Tokens
from connectors.zoho_crm.limits import Limits
from connectors.zoho_crm.settings import ZohoSettings
from connectors.zoho_crm.times import server_time

API = "/crm/v8"
BULK_API = "/crm/bulk/v8"


@dataclass(frozen=True, slots=True)
class FileCaps:
    """Bounds a download: bytes, and seconds for one attempt."""

    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Request:
    """Is one call as it is sent, but for its token."""

    method: str
    path: str
    operation: str
    read: bool
    params: Mapping[str, str] | None = field(repr=False)
    headers: Mapping[str, str] | None
    body: Any = field(repr=False)
    cost: int
    base: str
    file: FileCaps | None


class Api:
    """Calls the API of one connection; threads may share it."""

    root = API

    def __init__(self, settings: ZohoSettings, context: ConnectorContext) -> None:
        self.settings, self.context = settings, context
        self.tokens = Tokens(settings, context)
        self.limits = Limits(settings, context)
        self._pace = context.budget("api", settings.rate, settings.rate) if settings.rate else None
        self._place = context.places("api", settings.workers)

    @property
    def system(self) -> str:
        return self.context.system

    def get(
        self,
        path: str,
        operation: str,
        params: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        cost: int = 1,
    ) -> Answer:
        """Reads; retried by the transport. Raises RetryLater, RateLimited, QuotaExhausted, AuthRejected."""
        return self.call("GET", path, operation, read=True, params=params, headers=headers, cost=cost)

    def call(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        read: bool,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        cost: int = 1,
        base: str | None = None,
        file: FileCaps | None = None,
    ) -> Answer:
        """Sends one request of `cost` credits and returns its answer, refusals of the request itself included.

        A write is sent again only after an answer that proves it was not looked at (401, 429). Raises WriteUnclear.
        With `file` an accepted answer is a file, whose bytes become the content. Raises TooLarge.
        """
        request = _Request(method, path, operation, read, params, headers, body, cost, base or self.root, file)
        waited = 0.0
        while True:
            answer, after = self._signed(request)
            if after is None:
                return answer
            if waited + after > self.settings.throttle_patience:
                raise self.limits.limited(after)
            self.context.clock.sleep(after)
            waited += after

    def _signed(self, request: _Request) -> tuple[Answer, float | None]:
        """Sends a request, once more where its token is refused; returns how long to wait where it was throttled."""
        rejected: str | None = None
        while True:
            token = self.tokens.current(rejected)
            response, entered = self._send(request, token.value)
            accepted = request.file is not None and response.status == 200
            answer = _file(response) if accepted else _parse(response, request.read)
            unauthorised = response.status == 401 or answer.gateway == "401"
            if not unauthorised or answer.code not in TOKEN_REFUSED | {""}:
                return answer, self.limits.judge(response, answer, entered)
            if rejected is not None:
                raise self._unauthorised(answer)
            rejected = token.value

    def _send(self, request: _Request, token: str) -> tuple[Response, int]:
        if self._pace:
            self._pace.take(1, request.operation)
        with self.limits.crowd.place() as entered, self._place():
            response = self.context.http.send(
                request.method,
                f"{self.settings.api_origin}{request.base}{request.path}",
                operation=request.operation,
                read=request.read,
                headers={**(request.headers or {}), "Authorization": f"Zoho-oauthtoken {token}"},
                params=request.params,
                json=request.body,
                cost=request.cost,
                budget=self.limits.credits,
                max_body=request.file.size if request.file else None,
                deadline=request.file.seconds if request.file else None,
            )
        return response, entered

    def _unauthorised(self, answer: Answer) -> AuthRejected:
        named, settings = answer.code or "401", self.settings
        return AuthRejected(
            f"{self.system}: Zoho signs the hub in and refuses the fresh token ({named}). First see that environment "
            f"({settings.environment}) and data_center ({settings.data_center}) are those of the organisation, then "
            f"that the hub's user is active there; then authorise again with `crmhub connect {self.system}`",
            f"{self.system}：登录成功，但新令牌被拒（{named}）。请先核对 environment（{settings.environment}）与 "
            f"data_center（{settings.data_center}）是否与组织一致，再确认集成用户处于启用状态，然后用 "
            f"`crmhub connect {self.system}` 重新授权",
            missing="access token",
            system=self.system,
        )


def _file(response: Response) -> Answer:
    return Answer(response.status, response.body, server_time(header(response, "Date")))


def _parse(response: Response, read: bool) -> Answer:
    at = server_time(header(response, "Date"))
    if response.status in (204, 304) or not response.body:
        return Answer(response.status, None, at)
    try:
        return Answer(response.status, response.json(), at)
    except ProtocolViolation:
        if response.status < 400 and read:
            raise
        if response.status < 400:
            raise WriteUnclear("Zoho's answer to the write is not readable") from None
        # Gateways answer errors in HTML; the status says enough.
        return Answer(response.status, None, at)
