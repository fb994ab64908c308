"""Compares a complete listing with what is bound and repairs what the streams missed; absence is proven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.base import Cursor, IdPage, NotVisible
from connectors.errors import ConnectorError
from connectors.listing import Bounded
from hub.audit.event import Event
from hub.core.guards import guard_listing
from hub.store import sweeps
from hub.sync.backfill import bound_listed
from hub.sync.engine import Link, RunContext
from hub.sync.looking import learn_versions
from hub.sync.rebuild import resume
from hub.sync.stage import Stream, proven, stage

CHUNK = 100
NAMED = 20
"""How many records out of sight are named one by one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Is what a complete listing of one object showed against what is bound there.

    `missing` were bound and not listed: `gone` are proven deleted, `unseen` only out of sight, of which the system
    says of `hidden` that they may not be shown; `unseen_ids` names the first. `extra` were listed and unknown, `moved`
    carry another version. `stopped` says why the listing is not believed.
    """

    system: str
    object: str
    known: int
    listed: int
    missing: int = 0
    gone: int = 0
    unseen: int = 0
    extra: int = 0
    moved: int = 0
    stopped: str | None = None
    hidden: int = 0
    unseen_ids: tuple[str, ...] = ()


def reconcile(run: RunContext) -> tuple[Difference, ...]:
    """Reconciles every object of every system and stages what differs; the next cycle takes it in."""
    run = resume(run)
    found: list[Difference] = []
    for system in run.systems():
        link = run.links[system]
        try:
            found += [_reconcile_object(run, link, object_) for object_ in link.objects]
        except ConnectorError as error:
            run.block(system, error)
    with run.store.begin(run.held) as work:
        for item in found:
            counts = {"known": item.known, "listed": item.listed, "missing": item.missing, "extra": item.extra}
            counts |= {"unseen": item.unseen, "hidden": item.hidden}
            work.audit(
                Event(
                    "reconcile",
                    run.entity,
                    item.object,
                    connection=item.system,
                    counts={**counts, "moved": item.moved, "gone": item.gone},
                    reason=item.stopped,
                    corr=run.run_id,
                )
            )
    return tuple(found)


def _reconcile_object(run: RunContext, link: Link, object_: str) -> Difference:
    with run.store.begin(run.held) as work:
        sweeps.begin_sweep(work, link.system, object_)
    listed = extra = moved = 0
    strangers: list[str] = []
    for ids in _listing(run, link, object_):
        listed += len(ids)
        with run.store.begin(run.held) as work:
            unknown, newer = sweeps.sweep(work, link.system, object_, dict(ids))
        # Unknown side records are left to their stream: there are many more of them than there are parts.
        strangers += newer if link.mapping.part(object_) else [*unknown, *newer]
        extra, moved = extra + len(unknown), moved + len(newer)
        while len(strangers) >= CHUNK:
            _look(run, link, object_, strangers[:CHUNK])
            del strangers[:CHUNK]
        run.progress("reconcile", link.system, len(ids))
    if strangers:
        _look(run, link, object_, strangers)
    with run.store.read() as conn:
        known, missing = sweeps.swept(conn, link.system, object_)
    stopped = guard_listing(known, listed, len(missing), run.rules.limits)
    if stopped is not None:
        run.tally.add("listing_refused")
        return Difference(link.system, object_, known, listed, len(missing), 0, 0, extra, moved, stopped)
    gone, unseen = _prove(run, link, object_, missing)
    hidden, named = sum(item.refused for item in unseen), tuple(item.native_id for item in unseen[:NAMED])
    return Difference(
        link.system, object_, known, listed, len(missing), gone, len(unseen), extra, moved, None, hidden, named
    )


def _listing(run: RunContext, link: Link, object_: str) -> Iterator[Sequence[tuple[str, str | None]]]:
    cursor: Cursor | None = None
    bound, limit = bound_listed(run, link, object_), link.can(object_).page_size
    while True:
        page: IdPage
        if bound is not None and isinstance(link.connector, Bounded):
            page = link.connector.list_ids_from(object_, cursor, limit, bound)
        else:
            page = link.connector.list_ids(object_, cursor, limit)
        yield page.ids
        if page.complete or run.stop.is_set():
            return
        cursor = page.next_cursor


def _look(run: RunContext, link: Link, object_: str, ids: Sequence[str]) -> None:
    learn_versions(run, link, object_, link.connector.fetch(object_, ids, link.native_fields(object_)))


def _prove(run: RunContext, link: Link, object_: str, missing: Sequence[str]) -> tuple[int, list[NotVisible]]:
    """Reads every missing record directly; only a positive answer counts as gone, the others are returned."""
    gone, unseen = 0, list[NotVisible]()
    for start in range(0, len(missing), CHUNK):
        ids = missing[start : start + CHUNK]
        found = link.connector.fetch(object_, ids, link.native_fields(object_))
        records_there = [record for each in ids if (record := proven(object_, found[each])) is not None]
        unseen += [look for each in ids if isinstance(look := found[each], NotVisible)]
        gone += sum(1 for record in records_there if record.deleted)
        stage(run, link, Stream(object_, "reconcile", None), records_there, strong=True)
    run.tally.add("unseen", len(unseen))
    return gone, unseen
