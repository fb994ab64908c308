"""Budgets: what keeps the calls of one account within what its vendor allows."""

from __future__ import annotations

from threading import Lock

from connectors.base import Clock, Resting


class Unlimited:
    """Grants everything at once."""

    def take(self, cost: int, operation: str) -> None:
        """Grants the call."""

    def pause(self, seconds: float) -> None:
        """Pauses nothing."""


class RateBudget:
    """Is a token bucket: `rate` units a second on average, at most `burst` at once."""

    def __init__(self, rate: float, burst: float, clock: Clock) -> None:
        if rate <= 0 or burst <= 0:
            raise ValueError("rate and burst must be positive")
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._filled_at, self._paused_until = burst, clock.now(), 0.0
        self._lock = Lock()

    def pause(self, seconds: float) -> None:
        """Grants nothing for a while."""
        with self._lock:
            self._paused_until = self._clock.now() + seconds

    def take(self, cost: int, operation: str) -> None:
        """Takes tokens, going into debt and sleeping it off, so that callers are served in order. Raises Resting."""
        with self._lock:
            now = self._clock.now()
            if now < self._paused_until:
                raise Resting(self._paused_until - now)
            gained = max(0.0, now - self._filled_at) * self._rate
            self._tokens = min(self._burst, self._tokens + gained) - cost
            self._filled_at = now
            wait = -self._tokens / self._rate
        if wait > 0:
            self._clock.sleep(wait)
