"""Budgets: what keeps the calls of one account within what its vendor allows."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Protocol

from connectors.base import Clock


class Budget(Protocol):
    """Is asked before every call that leaves, retries included."""

    def take(self, cost: int, operation: str) -> None:
        """Takes `cost` units, sleeping on the clock while the rate is used up. Raises QuotaExhausted."""


class Unlimited:
    """Grants everything at once."""

    def take(self, cost: int, operation: str) -> None:
        """Grants the call."""


class RateBudget:
    """Is a token bucket: `rate` units a second on average, at most `burst` at once."""

    def __init__(self, rate: float, burst: float, clock: Clock) -> None:
        if rate <= 0 or burst <= 0:
            raise ValueError("rate and burst must be positive")
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._filled_at = burst, clock.now()
        self._lock = Lock()

    def take(self, cost: int, operation: str) -> None:
        """Takes tokens, going into debt and sleeping it off, so that callers are served in order."""
        with self._lock:
            now = self._clock.now()
            gained = max(0.0, now - self._filled_at) * self._rate
            self._tokens = min(self._burst, self._tokens + gained) - cost
            self._filled_at = now
            wait = -self._tokens / self._rate
        if wait > 0:
            self._clock.sleep(wait)


class WindowBudget:
    """Admits at most `calls` units in any window of `seconds`, exactly, as vendors count calls per window."""

    def __init__(self, calls: int, seconds: float, clock: Clock) -> None:
        if calls <= 0 or seconds <= 0:
            raise ValueError("calls and seconds must be positive")
        self._seconds, self._clock = seconds, clock
        self._granted: deque[float] = deque(maxlen=calls)
        self._lock = Lock()

    def take(self, cost: int, operation: str) -> None:
        """Books the earliest instant that the window allows and sleeps until it."""
        with self._lock:
            now = at = self._clock.now()
            for _ in range(cost):
                if len(self._granted) == self._granted.maxlen:
                    at = max(at, self._granted[0] + self._seconds)
                self._granted.append(at)
        if at > now:
            self._clock.sleep(at - now)
