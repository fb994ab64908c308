"""One signed call to the API: the token renewed once, throttling told apart from a spent quota."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import ConnectorContext, Response, WriteUnclear
from connectors.errors import AuthRejected, ConnectorError, ProtocolViolation, QuotaExhausted, RateLimited
from connectors.zoho_crm.answers import THROTTLED, TOKEN_REFUSED, Answer, header
from connectors.zoho_crm.auth import Tokens
from connectors.zoho_crm.settings import ZohoSettings
from connectors.zoho_crm.times import server_time

API = "/crm/v8"
_LONGEST_WAIT = 60.0


class Api:
    """Calls the API of one connection; threads may share it."""

    root = API

    def __init__(self, settings: ZohoSettings, context: ConnectorContext) -> None:
        self.settings, self.context = settings, context
        self.tokens = Tokens(settings, context)
        self._pace = context.budget("api", settings.rate, settings.rate) if settings.rate else None
        self._place = context.places("api", settings.workers)
        self._throttled_since: float | None = None
        self._throttled = 0
        self._spent_until = 0.0

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
    ) -> Answer:
        """Sends one request and returns its answer, refusals of the request itself included.

        A write is sent again only after an answer that proves it was not looked at (401). Raises WriteUnclear.
        """
        self._check_quota()
        rejected: str | None = None
        while True:
            token = self.tokens.current(rejected)
            signed = {**(headers or {}), "Authorization": f"Zoho-oauthtoken {token.value}"}
            if self._pace:
                self._pace.take(1, operation)
            with self._place():
                response = self.context.http.send(
                    method,
                    f"{self.settings.api_origin}{self.root}{path}",
                    operation=operation,
                    read=read,
                    headers=signed,
                    params=params,
                    json=body,
                    cost=cost,
                )
            answer = _parse(response, read)
            if response.status != 401 or answer.code == "OAUTH_SCOPE_MISMATCH":
                break
            if rejected is not None or answer.code not in TOKEN_REFUSED | {""}:
                raise self._unauthorised(answer)
            rejected = token.value
        self._watch_limits(response, answer)
        return answer

    def _check_quota(self) -> None:
        if self.context.clock.now() < self._spent_until:
            raise self._exhausted()

    def _watch_limits(self, response: Response, answer: Answer) -> None:
        now = self.context.clock.now()
        if header(response, "X-API-CREDITS-REMAINING").strip() == "0":
            # This answer stands; the next call would be refused, so it is not made.
            self._spent_until = now + self.settings.quota_pause
        if response.status != 429 and answer.code not in THROTTLED:
            self._throttled_since, self._throttled = None, 0
            return
        raise self._slow_down(response, answer, now)

    def _slow_down(self, response: Response, answer: Answer, now: float) -> ConnectorError:
        since = self._throttled_since if self._throttled_since is not None else now
        self._throttled_since = since
        self._throttled += 1
        message = str(answer.error.get("message", "")).lower()
        spent = now < self._spent_until or "24 hour" in message or "credit" in message
        if spent or now - since >= self.settings.quota_pause:
            self._spent_until = now + self.settings.quota_pause
            return self._exhausted()
        told = header(response, "Retry-After").strip()
        after = float(told) if told.isdigit() else min(_LONGEST_WAIT, 2.0**self._throttled)
        return RateLimited(
            f"{self.system}: Zoho admits no more calls at once; waiting {after:.0f} s. Lower workers if it recurs",
            f"{self.system}：Zoho 并发调用受限，等待 {after:.0f} 秒；如反复出现请调低 workers",
            after=after,
            system=self.system,
        )

    def _exhausted(self) -> QuotaExhausted:
        return QuotaExhausted(
            f"{self.system}: the organisation's API credits of the last 24 hours are used up; work resumes by itself",
            f"{self.system}：最近 24 小时的 API 额度已用完，恢复后自动继续",
            resets_at=self._spent_until,
            system=self.system,
        )

    def _unauthorised(self, answer: Answer) -> AuthRejected:
        named = answer.code or "401"
        return AuthRejected(
            f"{self.system}: Zoho refused a fresh token ({named}); check data_center and authorise again",
            f"{self.system}：Zoho 拒绝了新令牌（{named}），请检查 data_center 并重新授权",
            missing="access token",
            system=self.system,
        )


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
