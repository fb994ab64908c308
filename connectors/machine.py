"""What the processes of one machine share without a server: locks by name, call budgets, places."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from connectors.base import Budget, Clock
from connectors.budget import FileBudget, disk_errors, open_locked


class FileLocks:
    """Gives locks by name: a thread lock inside the process, a kernel file lock between processes of one machine.

    The kernel frees a file lock when its holder dies, however it dies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Holds the lock of a name. Raises DiskUnusable."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            with disk_errors(self._folder):
                descriptor = open_locked(self._folder / f"{file_name(name)}.lock")
            try:
                yield
            finally:
                os.close(descriptor)


def file_name(name: str) -> str:
    """Returns a name for a file that people recognise and no other name shares."""
    shown = re.sub(r"[^a-z0-9_]+", "-", name.lower())[:40]
    return f"{shown}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


class OneMachine:
    """Shares locks and budgets among the processes of one machine, and places within this process."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.lock = FileLocks(folder)
        self._folder, self._clock = folder, clock
        self._guard = threading.Lock()
        self._budgets: dict[tuple[str, float, float], Budget] = {}
        self._places: dict[tuple[str, int], threading.BoundedSemaphore] = {}

    def budget(self, name: str, rate: float, burst: float) -> Budget:
        """Returns the token bucket of a name."""
        with self._guard:
            key = (name, rate, burst)
            if key not in self._budgets:
                file = self._folder / f"{file_name(name)}.pace"
                self._budgets[key] = FileBudget(file, rate, burst, self._clock)
            return self._budgets[key]

    def places(self, name: str, number: int) -> Callable[[], AbstractContextManager[object]]:
        """Returns what admits a number of holders at once."""
        with self._guard:
            admitted = self._places.setdefault((name, number), threading.BoundedSemaphore(number))
        return lambda: admitted
