"""A small pool of threads for the calls of one batch; the vendor has no batch endpoint for records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class Pool:
    """Runs one function over many items, at most `workers` at once, and keeps their order."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._threads: ThreadPoolExecutor | None = None
        self._lock = Lock()

    def run(self, act: Callable[[In], Out], items: Sequence[In]) -> list[Out]:
        """Returns the results in order; the first error is raised after every started item has ended."""
        if self._workers == 1 or len(items) < 2:
            return [act(item) for item in items]
        started = [self._executor().submit(act, item) for item in items]
        errors = [error for future in started if (error := future.exception()) is not None]
        if errors:
            raise errors[0]
        return [future.result() for future in started]

    def close(self) -> None:
        """Ends the threads."""
        with self._lock:
            if self._threads is not None:
                self._threads.shutdown()
                self._threads = None

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix="fxiaoke")
            return self._threads
