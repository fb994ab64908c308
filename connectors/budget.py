"""Budgets: what keeps the calls of one account within what its vendor allows."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from threading import Lock

from connectors.base import Clock, Resting


class Unlimited:
    """Grants everything at once."""

    def take(self, cost: int, operation: str) -> None:
        """Grants the call."""

    def pause(self, seconds: float) -> None:
        """Pauses nothing."""


@dataclass(slots=True)
class Bucket:
    """Is what a token bucket holds, and its last pause: when it began and how long it is. Times in seconds."""

    tokens: float
    filled_at: float
    paused_at: float = 0.0
    paused_for: float = 0.0

    def take(self, cost: int, now: float, rate: float, burst: float) -> float:
        """Takes tokens, going into debt; returns how long to sleep it off. Raises Resting while it is paused."""
        if (left := self._rests(now)) > 0:
            raise Resting(left)
        gained = max(0.0, now - self.filled_at) * rate
        self.tokens = min(burst, self.tokens + gained) - cost
        self.filled_at = now
        return -self.tokens / rate

    def pause(self, seconds: float, now: float) -> None:
        """Grants nothing for a while; a pause that lasts longer stays."""
        if self._rests(now) < seconds:
            self.paused_at, self.paused_for = now, seconds

    def _rests(self, now: float) -> float:
        # A clock that was set back must not extend a pause.
        return min(self.paused_at + self.paused_for - now, self.paused_for)


class RateBudget:
    """Is a token bucket of one process: `rate` units a second on average, at most `burst` at once."""

    def __init__(self, rate: float, burst: float, clock: Clock) -> None:
        if rate <= 0 or burst <= 0:
            raise ValueError("rate and burst must be positive")
        self._rate, self._burst, self._clock = rate, burst, clock
        self._bucket = Bucket(burst, clock.now())
        self._lock = Lock()

    def pause(self, seconds: float) -> None:
        """Grants nothing for a while."""
        with self._opened() as bucket:
            bucket.pause(seconds, self._clock.now())

    def take(self, cost: int, operation: str) -> None:
        """Takes tokens, going into debt and sleeping it off, so that callers are served in order. Raises Resting."""
        with self._opened() as bucket:
            wait = bucket.take(cost, self._clock.now(), self._rate, self._burst)
        if wait > 0:
            self._clock.sleep(wait)

    @contextmanager
    def _opened(self) -> Iterator[Bucket]:
        with self._lock:
            yield self._bucket


_FORM = struct.Struct("<4d")


class FileBudget(RateBudget):
    """Is a token bucket in a file, from which all processes of one machine take.

    The kernel frees the file's lock when its holder dies, and whoever comes next finds what was taken.
    """

    def __init__(self, file: Path, rate: float, burst: float, clock: Clock) -> None:
        super().__init__(rate, burst, clock)
        self._file = file
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def _opened(self) -> Iterator[Bucket]:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            raw = os.pread(descriptor, _FORM.size, 0)
            whole = len(raw) == _FORM.size
            bucket = Bucket(*_FORM.unpack(raw)) if whole else Bucket(self._burst, self._clock.now())
            yield bucket
            os.pwrite(descriptor, _FORM.pack(*astuple(bucket)), 0)
        finally:
            os.close(descriptor)
