"""The outermost layer of a simulator: latency, faults and the ledger around every vendor call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.simulation.clock import SimClock
from connectors.simulation.faults import FaultPlan
from connectors.simulation.ledger import CallNotes, Ledger

HTML_502 = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"
)
LOGIN_PAGE = (
    b"<!DOCTYPE html>\r\n<html><head><title>Sign in</title></head>\r\n"
    b"<body>Please sign in to the proxy.</body></html>\r\n"
)
_PAGES = {"http_502_html": (HTML_502, 502), "html_200": (LOGIN_PAGE, 200)}
_REPLACING = {"http_500", "http_502_html", "http_503", "http_429", "auth_expired", "vendor_error", "html_200"}
_SILENT = {"timeout_before_commit": False, "timeout_after_commit": True,
           "reset_before_commit": False, "reset_after_commit": True}  # fmt: skip

VendorError = Callable[[dict[str, Any]], Response]
"""Renders http_500, http_503, http_429, auth_expired and vendor_error in the vendor's own error form."""


def notes_of(request: Request) -> CallNotes:
    """Returns the notes of the call that a handler is answering."""
    notes: CallNotes = request.scope["simulation"]
    return notes


@dataclass(slots=True)
class _Captured:
    """An answer kept back, so that a fault may spoil or drop it."""

    start: Message | None = None
    body: bytes = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")

    async def send(self, send: Send, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        """Sends the answer on; `headers` replace its own of the same name."""
        assert self.start is not None
        await send({**self.start, "headers": _replaced(self.start["headers"], headers or [])})
        await send({"type": "http.response.body", "body": self.body})


class CallLayer:
    """Wraps a simulator's application; paths under /__admin/ pass through untouched.

    With a clock, answers carry a Date header that tells the vendor's time. Query parameters in `passing` differ from
    call to call and make no other call of it.
    """

    def __init__(
        self,
        app: ASGIApp,
        faults: FaultPlan,
        ledger: Ledger,
        vendor_error: VendorError,
        latency_ms: float = 0.0,
        clock: SimClock | None = None,
        passing: frozenset[str] = frozenset(),
    ) -> None:
        self.app = app
        self.faults = faults
        self.ledger = ledger
        self.vendor_error = vendor_error
        self.latency_ms = latency_ms
        self.clock = clock
        self.passing = passing
        self._shown: dict[bytes, _Captured] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one call and notes it in the ledger."""
        if scope["type"] != "http" or scope["path"].startswith("/__admin/"):
            await self.app(scope, receive, send)
            return
        notes = CallNotes()
        scope["simulation"] = notes
        status = 0
        tape = self.ledger.tape
        hear, say, end = tape.follow(scope, receive, send) if tape.on else (receive, send, None)

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                if self.clock is not None:
                    date = formatdate(self.clock.now(), usegmt=True).encode()
                    message = {**message, "headers": [*message["headers"], (b"date", date)]}
            await say(message)

        try:
            if self.latency_ms:
                await asyncio.sleep(self.latency_ms / 1000)
            fault = self.faults.strike(scope["method"], scope["path"])
            if self.faults.replays(scope["method"], scope["path"]):
                await self._show(fault, notes, scope, hear, watch, send)
            elif fault is None:
                await self.app(scope, hear, watch)
            else:
                await self._spoil(fault, notes, scope, hear, watch, send)
        finally:
            if end is not None:
                end(notes.fault["action"] if notes.fault else None)
            if notes.counted:
                self.ledger.note(scope["method"], scope["path"], status, notes)

    async def _show(
        self,
        fault: dict[str, Any] | None,
        notes: CallNotes,
        scope: Scope,
        receive: Receive,
        watch: Send,
        send: Send,
    ) -> None:
        """Answers a call that a stale replica may answer too: with what the same call was told the last time."""
        body, again = await _buffered(receive)
        asked = [pair for pair in parse_qsl(scope["query_string"].decode("latin-1")) if pair[0] not in self.passing]
        key = b"\0".join([scope["method"].encode(), scope["path"].encode(), urlencode(asked).encode(), body])
        kept = self._shown.get(key)
        if fault is not None and fault["action"] == "stale_read" and kept is not None:
            notes.fault = fault
            await kept.send(watch)
        elif fault is not None and fault["action"] != "stale_read":
            await self._spoil(fault, notes, scope, again, watch, send)
        else:
            captured = self._shown[key] = _Captured()
            await self.app(scope, again, captured.take)
            await captured.send(watch)

    async def _spoil(
        self, fault: dict[str, Any], notes: CallNotes, scope: Scope, receive: Receive, watch: Send, send: Send
    ) -> None:
        action = fault["action"]
        notes.fault = fault
        if action == "slow":
            await asyncio.sleep(float(fault.get("ms", 1000)) / 1000)
            await self.app(scope, receive, watch)
        elif action in _SILENT:
            if _SILENT[action]:
                await self.app(scope, receive, _Captured().take)
            if action.startswith("timeout"):
                await _stay_silent(receive, float(fault.get("seconds", 60)))
            _cut(send)
        elif action in _REPLACING:
            if fault.get("after_commit"):
                await self.app(scope, receive, _Captured().take)
            page = _PAGES.get(action)
            answer = Response(*page, media_type="text/html") if page else self.vendor_error(fault)
            await answer(scope, receive, watch)
        elif action in _CHANGING:
            captured = _Captured()
            await self.app(scope, receive, captured.take)
            await _CHANGING[action](captured, watch, fault)
        else:  # row_error: the handler reads it from its notes; stale_read: nothing was shown before
            await self.app(scope, receive, watch)


async def _stay_silent(receive: Receive, seconds: float) -> None:
    """Keeps the connection open without a byte until the client gives up or the time is over."""

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(until_gone(), seconds)
    except TimeoutError:
        return


def _cut(send: Send) -> None:
    """Aborts the TCP connection; uvicorn's `send` is bound to the cycle that holds the transport."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise RuntimeError("faults that cut the connection need uvicorn")
    cycle.disconnected = True  # type: ignore[union-attr]
    transport.abort()


async def _send_half(captured: _Captured, send: Send, fault: dict[str, Any]) -> None:
    """Sends the first half of a body as a complete answer, so that only parsing can notice."""
    assert captured.start is not None
    half = captured.body[: len(captured.body) // 2]
    kept = [(name, value) for name, value in captured.start["headers"] if name.lower() != b"content-length"]
    headers = [*kept, (b"content-length", str(len(half)).encode())]
    await send({"type": "http.response.start", "status": captured.start["status"], "headers": headers})
    await send({"type": "http.response.body", "body": half})


async def _drip(captured: _Captured, send: Send, fault: dict[str, Any]) -> None:
    """Sends the head and the first half of a body at once, and the rest after a while."""
    assert captured.start is not None
    await send(captured.start)
    middle = len(captured.body) // 2
    await send({"type": "http.response.body", "body": captured.body[:middle], "more_body": True})
    await asyncio.sleep(float(fault.get("ms", 1000)) / 1000)
    await send({"type": "http.response.body", "body": captured.body[middle:]})


async def _mislabel(captured: _Captured, send: Send, fault: dict[str, Any]) -> None:
    """Sends an answer under the type of a web page, as some proxies do."""
    await captured.send(send, [(b"content-type", b"text/html;charset=UTF-8")])


_CHANGING = {"truncated_json": _send_half, "slow_body": _drip, "wrong_content_type": _mislabel}


async def _buffered(receive: Receive) -> tuple[bytes, Receive]:
    """Reads a request's body and returns it with a `receive` that gives it once more."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    first = [True]

    async def again() -> Message:
        if first:
            first.clear()
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return body, again


def _replaced(headers: Any, others: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in others}
    return [*((name, value) for name, value in headers if name.lower() not in names), *others]
