"""Takes schedules that are due, each once among all hosts, and says which of them come late."""

from __future__ import annotations

from hub.operations import scheduling
from hub.operations.installation import Installation
from hub.operations.scheduling import Start
from hub.telemetry import logger


def claim(hub: Installation, starts: list[Start]) -> list[Start]:
    """Returns the starts that this process may carry out; a catch-up is logged once, with what was missed."""
    taken = scheduling.claim(hub, starts)
    for start in taken:
        if start.catch_up:
            words = {"late_seconds": round(start.late), "missed": start.missed}
            logger("schedule").warning("schedule_catch_up", schedule=start.row.schedule_id, **words)
    return taken
