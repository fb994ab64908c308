"""How far first loads have come, and how long the rest takes at the pace of the last minutes."""

from __future__ import annotations

from dataclasses import dataclass

from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import backfills, records
from hub.store.backfills import WRITES
from hub.store.database import Connection

MANY = 200
"""Creates owed to a system from which on they count as a backfill."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Is one unfinished listing of an object, or the creates owed to a system where `object` is empty.

    None is what nobody knows: the system does not count, or nothing moved lately. `quota_seconds` is how long the rest
    must wait for what its vendor grants, 0 where what is left now suffices.
    """

    entity: str
    system: str
    object: str
    done: int
    remaining: int | None
    seconds_left: float | None
    quota_seconds: float | None = None


def progress_of(conn: Connection, entity: str, now: float) -> tuple[Progress, ...]:
    """Returns what a first load of an entity still has before it; nothing once it came to its end."""
    found = []
    owed = records.tally(conn, entity)
    for row in backfills.load(conn, entity):
        if row.ended_at is not None:
            continue
        if row.object == WRITES:
            remaining: int | None = owed.get(row.system, {}).get("creates", 0)
            if row.done + (remaining or 0) < MANY:
                continue
        else:
            # A system that counted fewer than it shows did not count truly.
            remaining = None if row.total is None or row.total < row.done else row.total - row.done
        found.append(Progress(entity, row.system, row.object, row.done, remaining, row.left(now, remaining)))
    return tuple(found)


@permit("status.read")
def progress(hub: Installation, entity: str) -> tuple[Progress, ...]:
    """Returns how far the first load of an entity has come; reads the store only."""
    with hub.store.read() as conn:
        return progress_of(conn, entity, hub.store.clock.now())


@permit("status.read")
def to_be_read(hub: Installation, entity: str, system: str) -> int | None:
    """Returns how many records the listings of a system still have before them, None where it cannot say."""
    with hub.store.read() as conn:
        rows = {row.object: row for row in backfills.load(conn, entity) if row.system == system}
    left = 0
    for object_ in hub.links(entity)[system].objects:
        row = rows.get(object_)
        if row is None or (row.ended_at is None and (row.total is None or row.total < row.done)):
            return None
        left += 0 if row.ended_at is not None else (row.total or 0) - row.done
    return left or None
