"""What the daemon does between cycles: warns of complaints that come due, and carries on replacing keys."""

from __future__ import annotations

from hub.operations import complaints, rotating
from hub.operations.installation import Installation
from hub.operations.reminding import remind
from hub.schedule.metrics import Meters
from hub.telemetry import logger

EVERY = 600.0
"""Seconds between two looks at due dates."""
ROTATE_SECONDS = 0.5
"""Seconds of each look round in which rows are sealed anew under a key that is replaced."""


class Chores:
    """Does a little of each at every look round."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._looked_at = float("-inf")
        self._rotating = True

    def ask_about_keys(self, leading: bool) -> None:
        """Lets the next look round see whether a key is being replaced."""
        self._rotating = leading

    def keep(self, hub: Installation, now: float) -> None:
        """Raises what the store may raise; what was left off is taken up by the next look round."""
        self._rotating = self._rotating and bool(rotating.carry_on(hub, ROTATE_SECONDS))
        self.look(hub, now)

    def look(self, hub: Installation, now: float) -> None:
        """Warns once of every complaint that passed a threshold, in the log, and shows how many there are."""
        if now - self._looked_at < EVERY:
            return
        for made in remind(hub):
            logger("deadlines").warning(
                "complaints_due", threshold=made.threshold, number=made.number, hub_ids=list(made.hub_ids)
            )
        self._meters.complaints(complaints.counts(hub))
        self._looked_at = now
