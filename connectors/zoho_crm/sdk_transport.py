"""The only way out of zcrmsdk: what its modules call `requests` sends through the connection's own transport.

So timeouts, TLS, allow list, caps, redaction, budget and the renewal of tokens are those of every other call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from connectors.base import WriteUnclear
from connectors.errors import ConnectorError, ProtocolViolation
from connectors.zoho_crm.answers import Answer


class Broken(Exception):
    """Is all that the SDK is told of a call that failed: it may write what it is told into its log."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """Says what a call is for: its name in the counts, whether it reads, and what it costs in credits."""

    operation: str
    read: bool
    cost: int = 1


class Send(Protocol):
    """Is `calls.Api.call`."""

    def __call__(
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
    ) -> Answer: ...


class Reply:
    """Is as much of a `requests.Response` as the SDK looks at."""

    def __init__(self, status: int, content: Any) -> None:
        self.status_code = status
        self.headers = {} if content is None else {"Content-Type": "application/json"}
        self._content = content

    def json(self) -> Any:
        """Returns the parsed body."""
        return self._content


class Line:
    """Carries the SDK's calls for one connection and keeps what became of the last one.

    `answer` is None until something was sent; `failure` is what our own transport raised, for the SDK buries errors.
    """

    def __init__(
        self, root: str, sign_in_url: str, send: Send, sign_in: Callable[[Mapping[str, str]], Mapping[str, Any] | None]
    ) -> None:
        self._root, self._sign_in_url = root, sign_in_url
        self._send, self._sign_in = send, sign_in
        self._purpose = Purpose("zcrmsdk", read=False)
        self.answer: Answer | None = None
        self.failure: Exception | None = None

    def begin(self, purpose: Purpose) -> None:
        """Says what the next call is for."""
        self._purpose, self.answer, self.failure = purpose, None, None

    def exchange(self, method: str, url: str, call: Mapping[str, Any]) -> Reply:
        """Sends one request of the SDK. Raises Broken."""
        if url == self._sign_in_url:
            content = self._sign_in(call["data"])
            if content is None:
                raise Broken
            return Reply(200, content)
        try:
            self.answer = self._sent(method, url, call)
            return Reply(self.answer.status, self.answer.content)
        except (ConnectorError, WriteUnclear) as failure:
            self.failure = failure
        except Exception as mistake:
            # One of ours: the SDK would make it look like an answer that cannot be read.
            self.failure = mistake
            raise
        raise Broken

    def _sent(self, method: str, url: str, call: Mapping[str, Any]) -> Answer:
        path = url.removeprefix(self._root)
        if path == url or call.get("files"):
            raise ProtocolViolation(
                "zcrmsdk asked for an address outside the API of the connection; nothing was sent, report it",
                "zcrmsdk 请求了该连接接口之外的地址，未发送，请报告问题",
            )
        told, data = call.get("headers") or {}, call.get("data")
        return self._send(
            method,
            path,
            self._purpose.operation,
            read=self._purpose.read,
            params=call.get("params") or None,
            # The transport signs by itself, with the same token, and again with a fresh one after a 401.
            headers={name: value for name, value in told.items() if name != "Authorization"},
            body=orjson.loads(data) if data else None,
            cost=self._purpose.cost,
        )


class Requests:
    """Stands where the SDK's modules say `requests`; `line` belongs to the connection whose turn it is."""

    line: Line | None = None

    def get(self, url: str, **call: Any) -> Reply:
        """Sends a GET."""
        return self._exchange("GET", url, call)

    def post(self, url: str, **call: Any) -> Reply:
        """Sends a POST."""
        return self._exchange("POST", url, call)

    def put(self, url: str, **call: Any) -> Reply:
        """Sends a PUT."""
        return self._exchange("PUT", url, call)

    def patch(self, url: str, **call: Any) -> Reply:
        """Sends a PATCH."""
        return self._exchange("PATCH", url, call)

    def delete(self, url: str, **call: Any) -> Reply:
        """Sends a DELETE."""
        return self._exchange("DELETE", url, call)

    def _exchange(self, method: str, url: str, call: Mapping[str, Any]) -> Reply:
        if self.line is None:
            raise Broken
        return self.line.exchange(method, url, call)
