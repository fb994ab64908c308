"""The only place where the hub asks for the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Returns epoch seconds, UTC."""

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """Reads the machine's clock."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def iso(instant: float) -> str:
    """Formats epoch seconds as ISO 8601 UTC with milliseconds."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
