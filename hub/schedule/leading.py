"""Who steers: one daemon of the installation leads, the others stand by and go on as soon as it is gone."""

from __future__ import annotations

from hub.operations import scheduling
from hub.operations.installation import Installation
from hub.operations.sharing import holder_name
from hub.store.lease import Lead
from hub.telemetry import logger

__all__ = ["Lead", "lead_of", "steers"]


def lead_of(hub: Installation) -> Lead:
    """Returns the lead of an opened hub, not taken yet."""
    return Lead(hub.store, holder_name())


def steers(lead: Lead, hub: Installation, *, idle: bool) -> bool:
    """Tells whether this process leads; one that is idle takes the lead as soon as nobody has it."""
    led = lead.led
    if lead.holds():
        return True
    if led:
        logger("schedule").warning("lead_lost", message="another process may go on; what runs here ends")
    elif idle and lead.take():
        # Only who steers says what the schedules are: a host that stands by may have older settings.
        logger("schedule").info("leads", schedules_changed=scheduling.adopt_settings(hub))
        return True
    return False
