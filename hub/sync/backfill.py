"""How far the first load has come: complete listings, and the creates that are owed because of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from connectors.base import Bound, Cursor, Page
from connectors.listing import Counting
from hub.audit.event import Event
from hub.core.state import Binding, BindingState, GoldenState
from hub.store import backfills, records
from hub.store.backfills import WRITES, Backfill
from hub.store.database import Connection
from hub.store.records import Write, rewrite
from hub.store.unit_of_work import UnitOfWork
from hub.sync.engine import Link, RunContext

LISTING_DIFFERS = "listing_differs"
"""Counts the records by which a listing and the count of its system differ."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Is a complete listing that goes on; `fresh` until its first page is kept."""

    scope: str
    bound: Bound | None
    fresh: bool = True
    total: int | None = None
    ended: bool = False
    counted: int | None = None
    """Is what the system counts at the end, where the listing delivered another number."""

    def after(self, page: Page, link: Link, object_: str) -> Listing:
        """Returns the listing as it stands with a page; one that goes on is counted once, where its system can."""
        total = None
        if self.fresh and not page.complete and isinstance(link.connector, Counting):
            total = link.connector.count(object_, self.bound)
        return replace(self, ended=page.complete, total=total, counted=page.counted)

    def rest(self) -> Listing:
        """Returns the listing as its next page continues it."""
        return replace(self, fresh=False, total=None)


def listing_of(run: RunContext, link: Link, object_: str, cursor: Cursor | None) -> Listing | None:
    """Returns the listing that a stream is in at this cursor, or None where it was read to its end before."""
    scope = link.stream_scope(object_)
    with run.store.read() as conn:
        stands = backfills.find(conn, (run.entity, link.system, object_))
        if cursor is None:
            return Listing(scope, _bound(conn, link, object_, stands))
    if stands is None or stands.scope != scope or stands.ended_at is not None:
        return None
    return Listing(scope, link.bound_of(object_) if stands.bound else None, fresh=False)


def _bound(conn: Connection, link: Link, object_: str, stands: Backfill | None) -> Bound | None:
    """Returns the bound below which the system may leave records out of a new listing.

    None where records may be bound that lie before it: they must be seen, so that they ask to be unbound.
    """
    cut_off, bound = link.mapping.cut_off, link.bound_of(object_)
    if cut_off is None or bound is None:
        return None
    known = stands is not None and stands.bound is not None and stands.bound >= cut_off.earliest
    return bound if known or not records.binds_any(conn, link.system, object_) else None


def bound_listed(run: RunContext, link: Link, object_: str) -> Bound | None:
    """Returns the bound under which an object was last listed: what lies before it is no difference to look into."""
    with run.store.read() as conn:
        stands = backfills.find(conn, (run.entity, link.system, object_))
    return link.bound_of(object_) if stands is not None and stands.bound is not None else None


def note_page(run: RunContext, work: UnitOfWork, link: Link, object_: str, listing: Listing, read: int) -> None:
    """Notes a page of a listing, in the commit that keeps what it brought."""
    place = (run.entity, link.system, object_)
    if listing.fresh:
        cut_off = link.mapping.cut_off
        bound = cut_off.earliest if listing.bound is not None and cut_off is not None else None
        backfills.begin(work, place, listing.scope, bound=bound, total=listing.total)
    backfills.advance(work, place, read, ended=listing.ended)
    if listing.counted is not None:
        _tell_difference(run, work, place, listing.counted)


def _tell_difference(run: RunContext, work: UnitOfWork, place: tuple[str, str, str], counted: int) -> None:
    """Says that a listing ended with another number of records than the system counts; reconciliation looks into it."""
    found = backfills.find(work.conn, place)
    listed = 0 if found is None else found.done
    run.tally.add(LISTING_DIFFERS, abs(counted - listed))
    counts = {"counted": counted, "listed": listed}
    _, system, object_ = place
    work.audit(Event("listing.differs", run.entity, object_, connection=system, counts=counts, corr=run.run_id))


def half_read(run: RunContext, conn: Connection) -> list[str]:
    """Returns the systems whose listing began and did not come to its end: who is who cannot be told with them."""
    begun = {
        (row.system, row.object): row
        for row in backfills.load(conn, run.entity)
        if row.object != WRITES and row.system in run.links and _same_scope(run.links[row.system], row)
    }
    found = []
    for system, link in run.links.items():
        rows = [begun.get((system, object_)) for object_ in link.objects]
        if any(rows) and any(row is None or row.ended_at is None for row in rows):
            found.append(system)
    return found


def _same_scope(link: Link, row: Backfill) -> bool:
    return row.object in link.objects and row.scope == link.stream_scope(row.object)


def listed_at(run: RunContext, conn: Connection) -> float:
    """Returns when the last listing of the entity ended: what is younger is no part of a first load."""
    ends = [row.ended_at for row in backfills.load(conn, run.entity) if row.object != WRITES and row.ended_at]
    return max(ends, default=0.0)


def reopen(run: RunContext) -> None:
    """Owes a system again what its former mapping left out and the present one takes."""
    for system in run.systems():
        if run.blocked(system):
            continue
        after = ""
        while not run.stop.is_set():
            version = run.links[system].mapping.version
            with run.store.read() as conn:
                page = records.unrouted_page(conn, run.entity, system, version, after, run.page)
                stored = records.load(conn, run.ring, [item.hub_id for item in page])
            if not page:
                break
            after = page[-1].binding_id
            with run.store.begin(run.held) as work:
                records.write(work, [_judged(run.links[system], stored[item.hub_id], item) for item in page])


def _judged(link: Link, stored: records.Stored, item: Binding) -> Write:
    fields = stored.golden.fields
    taken = stored.golden.state is GoldenState.LIVE and link.mapping.admits(fields) and link.mapping.route(fields)
    if taken:
        return rewrite(stored, replace(item, state=BindingState.PENDING, mapping_version=None, dirty=True))
    return rewrite(stored, replace(item, mapping_version=link.mapping.version))


def note_writes(run: RunContext, owed: Mapping[str, Mapping[str, int]]) -> None:
    """Notes at the end of a cycle how far the creates that are owed to each system have come.

    Not before everything is listed: until then nobody knows what will be owed.
    """
    with run.store.read() as conn:
        if half_read(run, conn):
            return
        known = {row.system: row for row in backfills.load(conn, run.entity) if row.object == WRITES}
    due = []
    for system, counts in owed.items():
        left, made = counts.get("creates", 0), run.tally.counts[f"creates:{system}"]
        begun = system in known and known[system].ended_at is None
        if left and not begun:
            due.append((system, made, True, False))
        elif begun and (made or not left):
            due.append((system, made, False, not left))
    if due:
        with run.store.begin(run.held) as work:
            for system, made, fresh, ended in due:
                if fresh:
                    backfills.begin(work, (run.entity, system, WRITES), "", done=made)
                else:
                    backfills.advance(work, (run.entity, system, WRITES), made, ended=ended)
