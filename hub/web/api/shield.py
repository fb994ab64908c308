"""What stands before every route: which hosts are served, how much may be sent, what every answer tells a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.web.api.problems import language, plain_problem

MOST_BODY, SECONDS = 64 * 1024, 10.0
"""Bytes of a body at most, and seconds that it may take to come."""
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
STRICT: Final = "max-age=63072000; includeSubDomains"
_CREDENTIAL = re.compile(r"(?i)csh_|(?:^|&)(?:access_token|api_key|token|password|authorization)=")


class Shield:
    """Wraps an application. `hosts` are the names under which it is served, `secure` that it is reached by TLS."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], *, secure: bool) -> None:
        self._app, self._hosts, self._secure = app, hosts, secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)

        async def armed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                for name, value in HEADERS.items():
                    headers[name] = value
                if self._secure:
                    headers["strict-transport-security"] = STRICT
            await send(message)

        refused, body = self._refused(request), b""
        if refused is None:
            try:
                body = await asyncio.wait_for(_read(receive), SECONDS)
            except (TimeoutError, ClientDisconnect):
                refused = 408
            except OverflowError:
                refused = 413
        if refused is not None:
            answer = plain_problem(refused, language(request))
            # Of a body that was not read to its end the rest must not be taken for the next request.
            answer.headers["connection"] = "close"
            await answer(scope, receive, armed)
            return
        await self._app(scope, _again(body, receive), armed)

    def _refused(self, request: Request) -> int | None:
        """Returns the status of what is refused before anything of it is read."""
        if request.headers.get("host", "").lower() not in self._hosts:
            return 421
        # A credential in an address ends up in the log of every proxy on the way: it is not read there.
        if _CREDENTIAL.search(request.url.query):
            return 400
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BODY:
            return 413
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        return 415 if kind != "application/json" else None


async def _read(receive: Receive) -> bytes:
    """Returns a whole body. Raises OverflowError where it is longer than any request may be, ClientDisconnect."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MOST_BODY:
            raise OverflowError
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Returns a way to read a body that was read already."""
    given = False

    async def reading() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return reading
