"""Keeps how far the first load of each object, and the writes that came of it, have come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.store.backfill_tables import backfill
from hub.store.database import Prepared, bulk_insert
from hub.store.unit_of_work import UnitOfWork

WRITES = ""
"""Stands in the place of the object for the creates that are owed to a system."""
WINDOW = 300.0
"""Seconds of the younger of two windows over which a rate is measured."""
GRACE = 120.0
"""Seconds between two pages or slices that are no standstill."""

Place = tuple[str, str, str]
"""Is (entity, system, object)."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """Is how far one listing, or the creates owed to one system, have come; instants in epoch seconds.

    `bound` is the cut-off under which a system left old records out. `mark_*` is where it stood 5 to 10 minutes ago.
    """

    entity: str
    system: str
    object: str
    scope: str
    bound: str | None
    done: int
    total: int | None
    begun_at: float
    ended_at: float | None
    moved_at: float
    mark_at: float
    mark_done: int
    next_at: float
    next_done: int

    def left(self, now: float, remaining: int | None) -> float | None:
        """Returns how many seconds the rest takes at the pace of the last minutes, None without evidence.

        What stands still for longer than others may have their turn counts as time too, so that it never comes nearer.
        """
        passed, made = max(self.moved_at, now - GRACE) - self.mark_at, self.done - self.mark_done
        if remaining is None or self.ended_at is not None or now < self.mark_at or passed <= 0 or made <= 0:
            return None
        return max(0, remaining) * passed / made


_HERE = sa.and_(*[backfill.c[name] == sa.bindparam(f"at_{name}") for name in ("entity", "system", "object")])
_FIND = Prepared(sa.select(backfill).where(_HERE))
_EVERY = sa.select(backfill).order_by(backfill.c.entity, backfill.c.system, backfill.c.object)
_ALL, _OF = Prepared(_EVERY), Prepared(_EVERY.where(backfill.c.entity == sa.bindparam("of")))
_MOVING = ("done", "ended_at", "moved_at", "mark_at", "mark_done", "next_at", "next_done")
_MOVE = Prepared(backfill.update().where(_HERE).values({name: sa.bindparam(f"new_{name}") for name in _MOVING}))
_DROP = Prepared(backfill.delete().where(_HERE))


def load(conn: sa.Connection, entity: str | None = None) -> list[Backfill]:
    """Returns the backfills of an entity, or of all of them."""
    rows = _ALL.run(conn) if entity is None else _OF.run(conn, {"of": entity})
    return [Backfill(*row) for row in rows]


def find(conn: sa.Connection, place: Place) -> Backfill | None:
    """Returns the backfill of one object."""
    row = _FIND.run(conn, _key(place)).one_or_none()
    return None if row is None else Backfill(*row)


def begin(
    work: UnitOfWork, place: Place, scope: str, *, bound: str | None = None, total: int | None = None, done: int = 0
) -> None:
    """Starts a backfill over; `done` is what was done before anybody could tell how fast."""
    now = work.now
    entity, system, object_ = place
    row: dict[str, Any] = {"entity": entity, "system": system, "object": object_, "scope": scope, "bound": bound}
    row |= {"done": done, "total": total, "begun_at": now, "ended_at": None, "moved_at": now}
    row |= {"mark_at": now, "mark_done": done, "next_at": now, "next_done": done}
    _DROP.run(work.conn, _key(place))
    bulk_insert(work.conn, backfill, [row])


def advance(work: UnitOfWork, place: Place, number: int, *, ended: bool) -> None:
    """Notes that a backfill came further, and whether it came to its end."""
    found = find(work.conn, place)
    if found is None:
        return
    now, done = work.now, found.done + number
    new: dict[str, Any] = {"done": done, "ended_at": now if ended else None, "moved_at": now}
    marks = (found.mark_at, found.mark_done), (found.next_at, found.next_done)
    if not 0 <= now - found.next_at < WINDOW:
        # The window that ends becomes the older mark. After a clock was set back, or a long stop, evidence starts anew.
        fresh = (now, done)
        marks = (marks[1], fresh) if 0 <= now - found.next_at < 2 * WINDOW else (fresh, fresh)
    new |= dict(zip(("mark_at", "mark_done", "next_at", "next_done"), (*marks[0], *marks[1]), strict=True))
    _MOVE.run(work.conn, {**_key(place), **{f"new_{name}": value for name, value in new.items()}})


def _key(place: Place) -> Mapping[str, str]:
    return dict(zip(("at_entity", "at_system", "at_object"), place, strict=True))
