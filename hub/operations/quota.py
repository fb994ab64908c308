"""How long a first load takes at the quota that was bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.errors import ConnectorError
from connectors.pricing import Estimating
from hub.operations.installation import Installation
from hub.operations.progress import Progress
from hub.store.allowances import Remaining


def with_quota(
    hub: Installation, found: Sequence[Progress], windows: Mapping[str, Remaining], now: float
) -> tuple[Progress, ...]:
    """Returns how far first loads have come, each with how long its rest waits for its system's quota."""
    return tuple(replace(item, quota_seconds=_seconds(hub, item, windows.get(item.system), now)) for item in found)


def wait_for(units: int, window: Remaining, now: float) -> float | None:
    """Returns the seconds until so many units are granted to what can wait; None where it is granted none."""
    granted = window.size - window.reserve - window.spare
    missing = units - max(0, window.left - window.reserve - window.spare)
    if missing <= 0:
        return 0.0
    if granted <= 0:
        return None
    if window.ends_at is None:
        return missing / granted * window.seconds
    return window.ends_at - now + ((missing - 1) // granted) * window.seconds


def _seconds(hub: Installation, item: Progress, window: Remaining | None, now: float) -> float | None:
    if window is None or item.remaining is None:
        return None
    try:
        connector = hub.connect(item.system)
    except ConnectorError:
        return None
    if not isinstance(connector, Estimating):
        return None
    reads, creates = (item.remaining, 0) if item.object else (0, item.remaining)
    return wait_for(connector.estimate(item.object, reads, creates), window, now)
