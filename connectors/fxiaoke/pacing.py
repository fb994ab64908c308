"""Keeps calls within what the vendor allows per interface, per day, and after it has asked to wait."""

from __future__ import annotations

import json
from threading import Lock

from connectors.base import Budget, ConnectorContext, Resting
from connectors.errors import QuotaExhausted, RateLimited
from connectors.fxiaoke.settings import FxiaokeSettings

_CHINA = 8 * 3600
_DAY = 86400
_SAVE_EVERY = 25


def next_reset(now: float) -> float:
    """Returns the next midnight in China, when the daily quota starts anew. Source: Fxiaoke 调用限制, zone inferred."""
    return ((now + _CHINA) // _DAY + 1) * _DAY - _CHINA


class Pace:
    """Admits calls: a token bucket per path, a count per day of China, and a pause per path that was refused."""

    def __init__(self, settings: FxiaokeSettings, context: ConnectorContext) -> None:
        self._settings, self._context, self._clock = settings, context, context.clock
        self._buckets: dict[str, Budget] = {}
        self._day, self._calls, self._saved = -1, 0, 0
        self._lock = Lock()

    def take(self, path: str) -> None:
        """Waits for the call's turn. Raises RateLimited while the path is paused, QuotaExhausted at the day's stop."""
        try:
            self._bucket(path).take(1, path)
        except Resting as resting:
            raise self._limited(resting.left) from None
        with self._lock:
            self._count()

    def pause(self, path: str) -> RateLimited:
        """Stops a path for the vendor's window, on every host, and returns the error that says so."""
        wait = self._settings.rate_limit_wait
        self._bucket(path).pause(wait)
        return self._limited(wait)

    def exhausted(self) -> QuotaExhausted:
        """Returns the error of a used-up day."""
        system = self._context.system
        return QuotaExhausted(
            f"{system}: the day's Fxiaoke calls are used up; they start anew at 00:00 China time, or buy a larger pack",
            f"{system}：纷享销客当日接口调用额度已用完；北京时间 0 点恢复，或增购调用包",
            resets_at=next_reset(self._clock.now()),
            system=system,
        )

    def _bucket(self, path: str) -> Budget:
        with self._lock:
            if path not in self._buckets:
                settings = self._settings
                self._buckets[path] = self._context.budget(path, settings.rate_per_second, settings.rate_burst)
            return self._buckets[path]

    def save(self) -> None:
        """Keeps the day's count for the processes beside this one and after it."""
        with self._lock:
            self._save()

    def _limited(self, after: float) -> RateLimited:
        system = self._context.system
        return RateLimited(
            f"{system}: Fxiaoke asks to slow down; the work goes on by itself in {after:.0f} s",
            f"{system}：纷享销客提示调用过于频繁；约 {after:.0f} 秒后自动继续",
            after=after,
            system=system,
        )

    def _count(self) -> None:
        if self._settings.daily_calls is None:
            return
        today = int((self._clock.now() + _CHINA) // _DAY)
        if today != self._day:
            self._day, self._calls = today, self._load(today)
            self._saved = self._calls
        if self._calls >= self._settings.daily_calls * self._settings.daily_stop:
            raise self.exhausted()
        self._calls += 1
        if self._calls - self._saved >= _SAVE_EVERY:
            self._save()

    def _load(self, today: int) -> int:
        kept = self._context.tokens.get("day")
        if kept is None:
            return 0
        day, calls = json.loads(kept)
        return int(calls) if day == today else 0

    def _save(self) -> None:
        """Adds the calls made since the last time to those of all; each process knows the others' up to a few."""
        if self._calls != self._saved:
            with self._context.lock("day"):
                self._calls = self._saved = self._load(self._day) + self._calls - self._saved
                self._context.tokens.put("day", json.dumps([self._day, self._saved]).encode())
