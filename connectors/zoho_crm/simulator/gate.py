"""Credits per rolling day and simultaneous calls, both answered with 429 when used up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from connectors.zoho_crm.simulator.answers import Failure
from connectors.zoho_crm.simulator.records import Org

_DAY = 86_400


class Gate:
    """Counts credits and calls in flight for the whole org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._spent: deque[tuple[int, int]] = deque()
        self._used = 0
        self._running = 0
        self._running_heavy = 0

    def remaining(self) -> int:
        """Returns the credits left in the rolling day."""
        minute = int(self._org.clock.now()) // 60
        while self._spent and self._spent[0][0] <= minute - _DAY // 60:
            self._used -= self._spent.popleft()[1]
        return max(0, self._org.settings.credits_per_day - self._used)

    def spend(self, credits_needed: int) -> None:
        """Takes credits; raises Failure 429 when they are used up."""
        if self.remaining() < credits_needed:
            raise Failure(429, "TOO_MANY_REQUESTS", "You have reached your 24 hour API credit limit")
        self._used += credits_needed
        minute = int(self._org.clock.now()) // 60
        if self._spent and self._spent[-1][0] == minute:
            self._spent[-1] = (minute, self._spent[-1][1] + credits_needed)
        else:
            self._spent.append((minute, credits_needed))

    def used(self) -> int:
        """Returns the credits spent in the rolling day."""
        return self._org.settings.credits_per_day - self.remaining()

    def headers(self) -> dict[str, str]:
        """Returns X-API-CREDITS-REMAINING, which the vendor sends once half of the credits are used."""
        left = self.remaining()
        return {"X-API-CREDITS-REMAINING": str(left)} if left * 2 <= self._org.settings.credits_per_day else {}

    @contextmanager
    def call(self, heavy: bool) -> Iterator[None]:
        """Holds a place while a call runs; raises Failure 429 when no place is free.

        `heavy` calls also count against the sub-concurrency of 10 (Zoho api-limits).
        """
        settings = self._org.settings
        if self._running >= settings.concurrency:
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
