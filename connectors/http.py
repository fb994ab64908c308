"""Sends the HTTP requests of connectors; nothing else in the code base imports requests."""

from __future__ import annotations

import logging
import re
import ssl
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any
from zlib import crc32

import orjson
import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.exceptions import HTTPError as TransportError
from urllib3.exceptions import SSLError as ProxyTlsError

from connectors.base import Budget, Clock, WriteUnclear
from connectors.budget import Unlimited
from connectors.errors import ProtocolViolation, RetryLater, SettingsInvalid, TooLarge
from connectors.wire import HttpPolicy, new_session

__all__ = ["HttpClient", "HttpPolicy", "HttpResponse", "retry_after"]

# urllib3 logs request lines with their query values, and URLs in warnings.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

_CHUNK = 1 << 16
_IDENTIFIER = re.compile(r"(?<=/)(?=[^/]*\d)[^/]{8,}(?=/|$)|(?<=/)\d+(?=/|$)")


class HttpResponse:
    """Is an answer with a status below 500; `headers` are case-insensitive and the body is decoded bytes."""

    __slots__ = ("_where", "body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes, where: str) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self._where = where

    def __repr__(self) -> str:
        return f"HttpResponse({self.status}, {len(self.body)} bytes, {self._where})"

    def json(self) -> Any:
        """Parses the body. Raises ProtocolViolation when it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            pass
        raise ProtocolViolation(
            f"{self._where} answered {self.status} with something that is not JSON; see the vendor's status page",
            f"{self._where} 返回 {self.status},内容不是 JSON,请查看厂商的服务状态",
        )


class _Failed(Exception):
    """Says that an attempt gave no usable answer.

    `sent` tells whether the vendor may have seen the request, `final` that another attempt would end the same way.
    """

    def __init__(self, reason: str, *, sent: bool, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.final = final


class HttpClient:
    """Implements `connectors.base.Http` over one session; threads may share it."""

    def __init__(self, policy: HttpPolicy, clock: Clock, budget: Budget | None = None, system: str = "") -> None:
        self._policy, self._clock, self._system = policy, clock, system
        self._budget: Budget = budget or Unlimited()
        self._session = new_session(policy)
        self._calls: Counter[str] = Counter()
        self._lock = Lock()
        self._retrying = Retrying(
            stop=stop_after_attempt(policy.read_attempts),
            retry=retry_if_exception(lambda error: isinstance(error, _Failed) and not error.final),
            wait=self._backoff,
            sleep=clock.sleep,
            reraise=True,
        )

    def __repr__(self) -> str:
        return f"HttpClient({self._system})"

    def calls(self) -> Mapping[str, int]:
        """Returns how many calls left, by operation."""
        with self._lock:
            return dict(self._calls)

    def close(self) -> None:
        """Closes every kept connection."""
        self._session.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        read: bool,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        cost: int = 1,
        max_body: int | None = None,
        deadline: float | None = None,
        budget: Budget | None = None,
    ) -> HttpResponse:
        """Sends a request, a read up to four times and a write once; `content` is a body as it stands.

        `max_body` (bytes) and `deadline` (seconds) replace those of the policy, for a download. Raises RetryLater (a
        read that failed, or a write that never left), WriteUnclear, TooLarge (an answer beyond the cap),
        ProtocolViolation (a certificate that does not hold), SettingsInvalid (a forbidden address), QuotaExhausted.
        """
        parts = self._policy.egress.admit(url)
        where = f"{method} {parts.hostname}{_IDENTIFIER.sub('{id}', parts.path)}"
        prepared = self._prepare(method, url, where, headers, params, json, form if content is None else content)
        own, spent = self._policy, budget or self._budget
        caps = replace(own, max_body=max_body or own.max_body, deadline=deadline or own.deadline)
        try:
            if read:
                return self._retrying(self._attempt, prepared, where, operation, cost, caps, spent)
            return self._attempt(prepared, where, operation, cost, caps, spent)
        except _Failed as failed:
            outcome = failed
        # Raised outside the handler, so that no library exception with a full URL hangs on it as context.
        if outcome.sent and not read:
            raise WriteUnclear(f"{where}: {outcome.reason}")
        if outcome.final:
            raise TooLarge(
                f"{where}: {outcome.reason}; ask for smaller pages or see the vendor's status page",
                f"{where}:{outcome.reason};请减小每页条数或查看厂商的服务状态",
                system=self._system,
            )
        raise RetryLater(
            f"{where}: {outcome.reason}; nothing was changed, it will be tried again",
            f"{where}:{outcome.reason};未作任何更改,稍后重试",
            system=self._system,
        )

    def _prepare(
        self,
        method: str,
        url: str,
        where: str,
        headers: Mapping[str, str] | None,
        params: Mapping[str, str] | None,
        json: Any,
        body: bytes | Mapping[str, str] | None,
    ) -> requests.PreparedRequest:
        sent_headers = dict(headers or {})
        if json is not None:
            body = orjson.dumps(json)
            sent_headers["Content-Type"] = "application/json"
        try:
            request = requests.Request(method, url, headers=sent_headers, params=params, data=body)
            return self._session.prepare_request(request)
        except (requests.RequestException, ValueError):
            pass
        raise SettingsInvalid(
            f"{where}: an address or header cannot be sent; check the connection's settings and credentials",
            f"{where}:地址或请求头无法发送,请检查连接配置与凭据",
            system=self._system,
        )

    def _attempt(
        self,
        prepared: requests.PreparedRequest,
        where: str,
        operation: str,
        cost: int,
        caps: HttpPolicy,
        budget: Budget,
    ) -> HttpResponse:
        budget.take(cost, operation)
        with self._lock:
            self._calls[operation] += 1
        give_up_at = self._clock.now() + caps.deadline
        timeout = (caps.connect_timeout, caps.read_timeout)
        try:
            answer = self._session.send(prepared, stream=True, timeout=timeout, allow_redirects=False)
        except requests.RequestException as error:
            failure = _classify(error)
        else:
            return self._receive(answer, where, give_up_at, caps)
        if failure is None:
            raise ProtocolViolation(
                f"{where}: the server's certificate does not hold; check ca_bundle and the address",
                f"{where}:服务器证书无效,请检查 ca_bundle 与地址",
                system=self._system,
            )
        raise failure

    def _receive(self, answer: requests.Response, where: str, give_up_at: float, caps: HttpPolicy) -> HttpResponse:
        problem, body = "", b""
        try:
            body = self._read_body(answer, give_up_at, caps)
        except (TransportError, OSError) as error:
            problem = f"the answer broke off ({type(error).__name__})"
        except _Failed:
            answer.close()
            raise
        if problem or answer.status_code >= 500:
            answer.close()
            raise _Failed(problem or f"status {answer.status_code}", sent=True)
        return HttpResponse(answer.status_code, answer.headers, body, where)

    def _read_body(self, answer: requests.Response, give_up_at: float, caps: HttpPolicy) -> bytes:
        limit = caps.max_body
        chunks: list[bytes] = []
        size = 0
        # read1 returns what has come, so that a server that drips bytes cannot outlast the deadline.
        while chunk := answer.raw.read1(_CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise _Failed(f"the answer is larger than {limit} bytes", sent=True, final=True)
            if self._clock.now() > give_up_at:
                raise _Failed(f"no complete answer within {caps.deadline:g} s", sent=True)
        return b"".join(chunks)

    def _backoff(self, state: RetryCallState) -> float:
        limit = min(self._policy.backoff_limit, self._policy.backoff * 2.0**state.attempt_number)
        seed = f"{self._system}|{state.attempt_number}|{self._clock.now()!r}"
        return limit * (0.5 + crc32(seed.encode()) / 2**33)


def retry_after(response: HttpResponse, default: float) -> float:
    """Returns the seconds that a Retry-After header asks for, a date measured against the answer's own Date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(response.headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError, IndexError):
        return default


def _classify(error: requests.RequestException) -> _Failed | None:
    """Returns the failure, or None where the certificate did not hold."""
    if isinstance(error, requests.exceptions.SSLError):
        reason = getattr(error.args[0], "reason", None) if error.args else None
        if isinstance(getattr(reason, "args", (None,))[0], ssl.SSLCertVerificationError):
            return None
        return _Failed("TLS failed", sent=True)
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.ConnectTimeout) or isinstance(cause, ConnectTimeoutError | NewConnectionError):
        return _Failed("cannot connect", sent=False)
    # urllib3 also blames the proxy where a tunnel broke after the request had gone through it.
    if isinstance(getattr(cause, "original_error", None), ConnectTimeoutError | NewConnectionError | ProxyTlsError):
        return _Failed("the proxy opened no tunnel", sent=False)
    if isinstance(error, requests.Timeout):
        return _Failed("no answer in time", sent=True)
    return _Failed(f"the connection broke ({type(error).__name__})", sent=True)
