"""Budgets: what keeps the calls of one account within what its vendor allows."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from threading import Lock

from connectors.base import Clock, Resting
from connectors.errors import DiskUnusable


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

    @contextmanager
    def _opened(self) -> Iterator[Bucket]:
        """Opens the bucket for one change. Raises DiskUnusable: what cannot be noted is not granted."""
        with disk_errors(self._file.parent):
            descriptor = open_locked(self._file)
            try:
                raw = os.pread(descriptor, _FORM.size, 0)
                whole = len(raw) == _FORM.size
                bucket = Bucket(*_FORM.unpack(raw)) if whole else Bucket(self._burst, self._clock.now())
                yield bucket
                if os.pwrite(descriptor, _FORM.pack(*astuple(bucket)), 0) != _FORM.size:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(descriptor)


def open_locked(file: Path) -> int:
    """Opens a file that the processes of one machine share, making it and its folder, and waits for its lock."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turns what a file system refuses in a folder into DiskUnusable."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DiskUnusable(
            f"the folder {folder} cannot be written ({reason}): free space there, or correct its rights or mount; "
            "nothing was sent, and the work goes on by itself",
            f"目录 {folder} 无法写入（{reason}）：请清理空间，或更正其权限、挂载；未发送任何请求，之后自动继续",
        ) from None
