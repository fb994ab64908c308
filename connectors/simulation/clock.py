"""The clock of a simulated vendor: real time with an offset, or frozen."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(slots=True)
class SimClock:
    """Tells a simulator what time it is at the vendor, in epoch seconds."""

    offset: float = 0.0
    frozen_at: float | None = None

    def now(self) -> float:
        """Returns the vendor's present instant in epoch seconds."""
        if self.frozen_at is not None:
            return self.frozen_at
        return time.time() + self.offset

    def advance(self, seconds: float) -> float:
        """Moves the clock forward by some seconds and returns the new instant."""
        if self.frozen_at is not None:
            self.frozen_at += seconds
        else:
            self.offset += seconds
        return self.now()

    def set(self, instant: float) -> float:
        """Sets the clock to an epoch instant; a running clock goes on running from there."""
        if self.frozen_at is not None:
            self.frozen_at = instant
        else:
            self.offset = instant - time.time()
        return self.now()

    def freeze(self) -> float:
        """Stops the clock at the present instant."""
        self.frozen_at = self.now()
        return self.frozen_at

    def thaw(self) -> float:
        """Lets a frozen clock run on from where it stands."""
        if self.frozen_at is not None:
            self.offset = self.frozen_at - time.time()
            self.frozen_at = None
        return self.now()


def parse_instant(value: object) -> float:
    """Reads epoch seconds or an ISO 8601 time (UTC where it has no offset) as epoch seconds.

    Raises ValueError for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("an instant is epoch seconds or an ISO 8601 text")
    if not isinstance(value, str):
        return float(value)
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
