"""Looks every few minutes which complaints come due, says so in the log and shows how many there are."""

from __future__ import annotations

from hub.operations import complaints
from hub.operations.installation import Installation
from hub.operations.reminding import remind
from hub.schedule.metrics import Meters
from hub.telemetry import logger

EVERY = 600.0
"""Seconds between two looks."""


class Reminders:
    """Is what the leading daemon does about due dates between cycles."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._looked_at = float("-inf")

    def look(self, hub: Installation, now: float) -> None:
        """Warns once of every complaint that passed a threshold. Raises what the store may raise."""
        if now - self._looked_at < EVERY:
            return
        for made in remind(hub):
            logger("deadlines").warning(
                "complaints_due", threshold=made.threshold, number=made.number, hub_ids=list(made.hub_ids)
            )
        self._meters.complaints(complaints.counts(hub))
        self._looked_at = now
