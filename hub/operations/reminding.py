"""Warnings that complaints come due: once for each complaint and each threshold, whoever looks and however often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.audit.event import Event
from hub.canonical.values import write_instant
from hub.kernel.clock import iso
from hub.operations.complaints import SOON, going_of
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import complaints
from hub.store.complaints import ENTITY, Faceted, Filter

OVERDUE = "overdue"
MOST = 500
"""More warnings of one threshold than this make one report with their number."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """Is what one threshold came to: `T-5`, `T-2`, `T-0` or `overdue`, how many complaints, and the first of them."""

    threshold: str
    number: int
    hub_ids: tuple[str, ...]


@permit("daemon.run")
def remind(hub: Installation) -> list[Reminder]:
    """Audits and returns which complaints passed a threshold since the last look; nothing where none did.

    A complaint passes T-n as the n-th day before its last one begins in Asia/Shanghai, and becomes overdue as the last
    one ends. What was overdue before the first look of all is not reported: `crmhub complaint list --overdue` shows it.
    """
    rules = hub.rules.get(ENTITY)
    if rules is None:
        return []
    going, now = going_of(rules.entity), iso(hub.clock.now())
    with hub.store.begin() as work:
        before = complaints.warned_until(work.conn)
        if (before is not None and before >= now) or not complaints.note_warned(work, before, now):
            return []
        made = []
        for threshold, since, until in _spans(before, now):
            found = complaints.listing(work.conn, Filter(going, due=(since, until)), MOST + 1)
            if found:
                made.append(_told(threshold, found))
                for event in _events(threshold, found):
                    work.audit(event)
    return made


def _spans(before: str | None, now: str) -> Iterator[tuple[str, str, str]]:
    """Yields every threshold with the due dates that have come under it: after the first instant, up to the second."""
    end = datetime.fromisoformat(now)
    last = None if before is None else datetime.fromisoformat(before)
    nearest = end
    for days in sorted(SOON):
        # The last second of the last day: its n-th day before begins n days and that day's length earlier.
        ahead = timedelta(days=days + 1) - timedelta(seconds=1)
        # What passed several thresholds since the last look, as after a weekend off, is warned of once, by the nearest.
        since = nearest if last is None else max(nearest, last + ahead)
        nearest = end + ahead
        if since < nearest:
            yield f"T-{days}", write_instant(since), write_instant(nearest)
    if before is not None:
        yield OVERDUE, before, now


def _told(threshold: str, found: list[Faceted]) -> Reminder:
    return Reminder(threshold, len(found), tuple(item.hub_id for item in found[:20]))


def _events(threshold: str, found: list[Faceted]) -> Iterator[Event]:
    if len(found) > MOST:
        yield Event("complaint.warn", ENTITY, code=threshold, counts={"at_least": len(found)})
        return
    for item in found:
        branch = item.facets.get("branch_code")
        shown = branch if isinstance(branch, str) else None
        yield Event("complaint.warn", ENTITY, item.hub_id, code=threshold, branch=shown)
