"""Credits per rolling day and simultaneous calls, both answered with 429 when used up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request

from connectors.zoho_crm.simulator.answers import Failure
from connectors.zoho_crm.simulator.records import Org

_DAY = 86_400
_MANY_ROWS = 10
"""Rows above which a write is costly (Zoho api-limits)."""


class Gate:
    """Counts credits and calls in flight for the whole org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._spent: deque[tuple[int, int]] = deque()
        self._used = 0
        self._running = 0
        self._running_heavy = 0
        self.total = 0
        """Credits spent since the start."""

    def remaining(self) -> int:
        """Returns the credits left in the rolling day, counted by the second."""
        now = int(self._org.clock.now())
        while self._spent and self._spent[0][0] < now - _DAY:
            self._used -= self._spent.popleft()[1]
        return max(0, self._org.settings.credits - self._used)

    def spend(self, credits_needed: int) -> None:
        """Takes credits; raises Failure 429 when they are used up."""
        if self.remaining() < credits_needed:
            raise Failure(429, "TOO_MANY_REQUESTS", "You have reached your 24 hour API credit limit")
        self._used += credits_needed
        self.total += credits_needed
        now = int(self._org.clock.now())
        if self._spent and self._spent[-1][0] == now:
            self._spent[-1] = (now, self._spent[-1][1] + credits_needed)
        else:
            self._spent.append((now, credits_needed))

    def headers(self) -> dict[str, str]:
        """Returns X-API-CREDITS-REMAINING, which the vendor sends once half of the credits are used."""
        left = self.remaining()
        return {"X-API-CREDITS-REMAINING": str(left)} if left * 2 <= self._org.settings.credits else {}

    @contextmanager
    def call(self, heavy: bool) -> Iterator[None]:
        """Holds a place while a call runs; raises Failure 429 when no place is free.

        `heavy` calls also count against the sub-concurrency of 10 (Zoho api-limits).
        """
        settings = self._org.settings
        if self._running >= settings.at_once:
            raise Failure(429, "TOO_MANY_REQUESTS", "You have exceeded the concurrency limit")
        if heavy and self._running_heavy >= settings.sub_concurrency:
            raise Failure(429, "TOO_MANY_REQUESTS", "You have exceeded the sub-concurrency limit")
        self._running += 1
        self._running_heavy += heavy
        try:
            yield
        finally:
            self._running -= 1
            self._running_heavy -= heavy


def is_heavy(request: Request, parts: list[str], body: Any) -> bool:
    """Tells whether a call counts against the sub-concurrency (Zoho api-limits).

    Those are COQL, lists by a custom view or sorted, and writes of more than ten rows.
    """
    params = request.query_params
    rows = body.get("data") if isinstance(body, dict) else None
    many = len(rows) if isinstance(rows, list) else len([one for one in params.get("ids", "").split(",") if one])
    writes = request.method in ("POST", "PUT", "DELETE") and many > _MANY_ROWS
    ordered = request.method == "GET" and len(parts) == 1 and bool({"sort_by", "cvid"} & set(params))
    return parts[0] == "coql" or writes or ordered
