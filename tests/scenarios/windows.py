"""What a vendor's limit per interface allows, and how many calls came within any window by the vendor's own log."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW = 20.0


@dataclass(frozen=True, slots=True)
class Limit:
    """Is what an interface grants within any window of 20 seconds, and the bucket that keeps below it."""

    calls: int
    rate: float
    burst: int = 5

    def seconds(self, calls: int) -> float:
        """Returns how long so many calls take at least."""
        return max(0.0, calls - self.burst) / self.rate


VENDOR = Limit(100, 4.7)


def most_within(times: Sequence[float], seconds: float = WINDOW) -> int:
    """Returns the most calls within any window of so many seconds."""
    return max(number + 1 - bisect_right(times, at - seconds) for number, at in enumerate(times))
