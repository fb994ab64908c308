"""Takes in callbacks: bounded, answered at once and alike, whatever they say. The daemon judges them at its next look.

No answer depends on whether a path or a token is right, so none can be found out by asking. What the vendor learns is
that its call arrived. A call to a `signed` address waits for its verdict, for its system repeats what gets no signed
answer. What proves to be nothing is answered as anywhere else.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.kernel.clock import Clock
from hub.operations.hearing import Call
from hub.operations.signing import PART

MOST_BODY = 256 * 1024
MOST_PATH = 80
MOST_CALLS, MOST_BYTES = 2000, 16 * 1024 * 1024
"""What waits at most for the daemon to look."""
RATE, BURST = 100.0, 1000.0
"""Calls a second on average, and at once; more are refused, and the poll reads what they were about."""
SECONDS = 10.0
"""How long a body may take."""
PATIENCE = 0.9
"""Seconds that a signed call waits for its verdict; then it is refused, and its repetition finds it known."""
BOUNDS: Mapping[str, object] = {"http": "h11", "limit_concurrency": 200, "timeout_keep_alive": 30, "log_level": "error"}
"""h11 bounds the head of a request; the server's own warnings are for whoever sends nonsense to read."""
ACCEPTED, NOT_HERE, TOO_SLOW, TOO_LARGE, TOO_MANY = 200, 404, 408, 413, 503
Answer = tuple[int, bytes]


class Inbox:
    """Keeps calls until the daemon takes them; threads may share it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rung = threading.Event()
        """Is set while somebody waits for a verdict."""
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque()
        self._bytes = 0
        self._allowed, self._filled_at = BURST, clock.now()
        self._refused: Counter[str] = Counter()

    def put(self, call: Call) -> bool:
        """Keeps a call; False where too many came, or too many wait."""
        with self._lock:
            now = self._clock.now()
            # A clock that was set back fills nothing, one that leapt no more than a burst.
            self._allowed = min(BURST, self._allowed + max(0.0, now - self._filled_at) * RATE)
            self._filled_at = now
            full = len(self._calls) >= MOST_CALLS or self._bytes + len(call.body) > MOST_BYTES
            if full or self._allowed < 1:
                self._refused["too_many"] += 1
                return False
            self._allowed -= 1
            self._calls.append(call)
            self._bytes += len(call.body)
        if call.answer is not None:
            self.rung.set()
        return True

    def refuse(self, why: str) -> None:
        """Counts a call that was not kept."""
        with self._lock:
            self._refused[why] += 1

    def take(self) -> tuple[list[Call], Mapping[str, int]]:
        """Returns the calls that wait, and how many were refused since the last look, by reason."""
        with self._lock:
            calls, refused = list(self._calls), self._refused
            self._calls.clear()
            self._bytes, self._refused = 0, Counter()
        return calls, refused


def make_receiver(inbox: Inbox) -> ASGIApp:
    """Makes the application that takes callbacks at any path: only POST, and a body within the bounds."""

    async def receiver(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            status, content = await asyncio.wait_for(_take(request, inbox), SECONDS)
        except (TimeoutError, ClientDisconnect):
            inbox.refuse("too_slow")
            status, content = TOO_SLOW, b""
        # Of a body that was not read to its end the rest must not be taken for the next request.
        headers = {} if status == ACCEPTED else {"connection": "close"}
        kind = "application/json" if content else None
        await Response(content, status, headers, kind)(scope, receive, send)

    return receiver


async def _take(request: Request, inbox: Inbox) -> Answer:
    if request.method != "POST":
        inbox.refuse("not_here")
        return NOT_HERE, b""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY:
            inbox.refuse("too_large")
            return TOO_LARGE, b""
    # The last part of the path is compared; a longer one is as good as any other wrong one.
    before, _, last = request.scope["path"].rpartition("/")
    path = last[:MOST_PATH]
    if before.rpartition("/")[2] == PART:
        return await _ask(path, bytes(body), inbox)
    return (ACCEPTED if inbox.put(Call(path, bytes(body))) else TOO_MANY), b""


async def _ask(path: str, body: bytes, inbox: Inbox) -> Answer:
    """Keeps a signed call and waits until it is judged and what it says is kept, or not believed."""
    loop = asyncio.get_running_loop()
    verdict: asyncio.Future[bytes | None] = loop.create_future()

    def settle(content: bytes | None) -> None:
        if not verdict.done():
            verdict.set_result(content)

    def answer(content: bytes | None) -> None:
        # The listener may have been closed meanwhile: then nobody waits any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, content)

    if not inbox.put(Call(path, body, answer)):
        return TOO_MANY, b""
    try:
        return ACCEPTED, await asyncio.wait_for(verdict, PATIENCE) or b""
    except TimeoutError:
        inbox.refuse("not_judged")
        return TOO_MANY, b""
