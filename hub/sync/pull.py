"""Reads every change stream of every system and stages it; each page commits with its cursor."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass

from connectors.base import Cursor, Deletes, Page
from connectors.errors import ConnectorError, CursorExpired
from connectors.listing import Bounded
from hub.store import runs
from hub.sync.backfill import Listing, listing_of
from hub.sync.engine import CUT_SHORT, Link, RunContext
from hub.sync.rebuild import note_listed
from hub.sync.stage import Stream, stage

CHANGES, DELETIONS = "changes", "deletions"
DEPTH = 2
"""Pages read ahead per system while the one before is being committed."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    link: Link
    stream: Stream
    page: Page


@dataclass(frozen=True, slots=True)
class _Ended:
    link: Link
    error: BaseException | None


def pull(run: RunContext) -> int:
    """Pulls all systems, in parallel where the run allows threads; returns how many observations are new.

    A system that fails is blocked for this run and keeps the pages that it delivered; the others go on.
    """
    links = [run.links[name] for name in run.systems() if not run.blocked(name)]
    if not run.threads:
        return sum(_pull_here(run, link) for link in links)
    return _pull_apart(run, links)


def pull_object(run: RunContext, link: Link, object_: str) -> int:
    """Pulls the streams of one object of a system; returns how many observations are new."""
    narrowed = copy(link)
    narrowed.objects = (object_,)
    return _pull_apart(run, [narrowed]) if run.threads else _pull_here(run, narrowed)


def _pull_here(run: RunContext, link: Link) -> int:
    staged = 0
    try:
        for arrival in _pages(run, link):
            staged += stage(run, link, arrival.stream, arrival.page.records)
            note_listed(run, link, arrival.stream.object, arrival.stream.name, arrival.page)
            run.progress("pull", link.system, len(arrival.page.records))
    except ConnectorError as error:
        run.block(link.system, error)
    return staged


def _pull_apart(run: RunContext, links: Sequence[Link]) -> int:
    arrivals: queue.Queue[_Arrival | _Ended] = queue.Queue(maxsize=DEPTH * len(links) or 1)
    stop = threading.Event()
    readers = [
        threading.Thread(target=_read, args=(run, link, arrivals, stop), name=f"pull-{link.system}", daemon=True)
        for link in links
    ]
    for reader in readers:
        reader.start()
    staged, reading = 0, len(readers)
    try:
        while reading:
            item = arrivals.get()
            if isinstance(item, _Ended):
                reading -= 1
                if isinstance(item.error, ConnectorError):
                    run.block(item.link.system, item.error)
                elif item.error is not None:
                    raise item.error
                continue
            try:
                staged += stage(run, item.link, item.stream, item.page.records)
                note_listed(run, item.link, item.stream.object, item.stream.name, item.page)
            except ConnectorError as error:
                run.block(item.link.system, error)
            run.progress("pull", item.link.system, len(item.page.records))
    finally:
        stop.set()
        _drain(arrivals)
    for reader in readers:
        reader.join()
    return staged


def _drain(arrivals: queue.Queue[_Arrival | _Ended]) -> None:
    with suppress(queue.Empty):
        while True:
            arrivals.get_nowait()


def _read(run: RunContext, link: Link, arrivals: queue.Queue[_Arrival | _Ended], stop: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for arrival in _pages(run, link):
            if not _put(arrivals, arrival, stop) or run.blocked(link.system):
                return
    except BaseException as caught:  # noqa: BLE001 - handed to the thread that waits, which raises it
        error = caught
    finally:
        _put(arrivals, _Ended(link, error), stop)


def _put(arrivals: queue.Queue[_Arrival | _Ended], item: _Arrival | _Ended, stop: threading.Event) -> bool:
    while not stop.is_set():
        with suppress(queue.Full):
            arrivals.put(item, timeout=0.2)
            return True
    return False


def _pages(run: RunContext, link: Link) -> Iterator[_Arrival]:
    for object_ in link.objects:
        if not (yield from _stream(run, link, object_, CHANGES)):
            if (link.system, object_) in run.left:
                continue
            return
        # On the safe path deletes are off: what was deleted is read when everything is bound again.
        if run.rebuild is None and link.can(object_).deletes is Deletes.FEED and _due(run, link, object_):
            yield from _stream(run, link, object_, DELETIONS)


def _due(run: RunContext, link: Link, object_: str) -> bool:
    with run.store.read() as conn:
        moved_at = runs.cursor_moved_at(conn, run.entity, link.system, object_, DELETIONS)
    return moved_at is None or run.clock.now() - moved_at >= link.deletions_every


def _stream(run: RunContext, link: Link, object_: str, name: str) -> Generator[_Arrival, None, bool]:
    """Yields a stream's pages; returns False where it is not read to its end here.

    A complete listing may be left for the next run. Where the run is spread, what one page does not hold is left to a
    share: an idle poll costs nothing more.
    """
    cursor = _stored(run, link, object_, name)
    listing = listing_of(run, link, object_, cursor) if name == CHANGES else None
    restarted = False
    while not run.stop.is_set():
        try:
            page = _page(link, object_, name, cursor, listing)
        except CursorExpired:
            if restarted or cursor is None:
                raise
            # A full listing follows; this stream never reports deletes, so none can come of the gap.
            cursor, restarted = None, True
            listing = listing_of(run, link, object_, None)
            run.tally.add("relisted")
            continue
        run.tally.add(f"pages:{link.system}")
        moved = page.next_cursor if page.next_cursor != cursor else None
        step = None if listing is None else listing.after(page, link, object_)
        yield _Arrival(link, Stream(object_, name, moved, step), page)
        if page.complete:
            return True
        cursor = page.next_cursor
        if run.spread is not None and run.rebuild is None:
            run.left.append((link.system, object_))
            return False
        if listing is not None:
            listing = listing.rest()
            if run.turn.used_up():
                break
    if listing is not None:
        run.tally.add(CUT_SHORT)
    return listing is None


def _stored(run: RunContext, link: Link, object_: str, name: str) -> Cursor | None:
    with run.store.read() as conn:
        return runs.load_cursor(conn, run.entity, link.system, object_, name, link.stream_scope(object_))


def _page(link: Link, object_: str, name: str, cursor: Cursor | None, listing: Listing | None) -> Page:
    limit = link.can(object_).page_size
    if name == DELETIONS:
        return link.connector.deletions(object_, cursor, limit)
    if listing is not None and listing.bound is not None and isinstance(link.connector, Bounded):
        return link.connector.changes_from(object_, link.native_fields(object_), cursor, limit, listing.bound)
    return link.connector.changes(object_, link.native_fields(object_), cursor, limit)
