"""Keeps what was sent to a simulator and what it answered, once a tester asks for it.

Simulators hold invented people only; the header that signs a call is not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from starlette.types import Message, Receive, Scope, Send

_SECRET = (b"authorization", b"cookie")
MOST = 200_000
"""Exchanges kept at most; a tester who wants more takes them earlier."""


@dataclass(slots=True)
class Exchange:
    """Is one call and its answer. Bodies are text, those that are none are left out; status 0 means no answer."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    sent: str | None = None
    status: int = 0
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer: str | None = None
    fault: str | None = None
    """The fault that struck the call, by its action."""


class Tape:
    """Records exchanges while it is on."""

    def __init__(self) -> None:
        self.on = False
        self._kept: list[Exchange] = []

    def take(self) -> list[dict[str, Any]]:
        """Returns what was recorded and forgets it."""
        taken, self._kept = self._kept, []
        return [asdict(exchange) for exchange in taken]

    def follow(self, scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send, Callable[[str | None], None]]:
        """Returns the two ends of a call with the recorder between them, and what ends its record."""
        raw_sent, raw_answer = bytearray(), bytearray()
        made = Exchange(
            scope["method"], scope["path"], scope["query_string"].decode("latin-1"), _texts(scope["headers"])
        )

        async def hear() -> Message:
            message = await receive()
            raw_sent.extend(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                made.status, made.answer_headers = message["status"], _texts(message["headers"])
            raw_answer.extend(message.get("body", b""))
            await send(message)

        def end(fault: str | None) -> None:
            made.sent, made.answer, made.fault = _text(raw_sent), _text(raw_answer), fault
            if len(self._kept) < MOST:
                self._kept.append(made)

        return hear, say, end


def _texts(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in headers
        if name.lower() not in _SECRET
    }


def _text(raw: bytearray) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
