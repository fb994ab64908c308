"""In which order the debts to a system are walked, and how creates, updates and deletes take turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from hub.core.parts import MAIN
from hub.core.state import Binding, BindingState
from hub.kernel.ids import id_at
from hub.store import records
from hub.sync.backfill import half_read, listed_at
from hub.sync.engine import Link, RunContext, Turn

PAGES = 5
"""Pages of debts prepared together, so that the batches of every object are full."""
STATES = (BindingState.PENDING, BindingState.ACTIVE, BindingState.DOOMED)
LAST = "\x7f"
"""Comes after every id in the order of both databases."""
Pages = Iterator[Sequence[Binding]]


def debts_of(run: RunContext, link: Link, turn: Turn) -> list[Pages]:
    """Returns the walks over every debt to one system.

    Within a turn, whatever became known after the first load has a walk of its own before the rest of the creates, so
    that it passes them; no debt is in two walks. Where a system is listed to the half, nobody is created: who a record
    is owed to may wait unmatched.
    """
    with run.store.read() as conn:
        half, since = half_read(run, conn), id_at(listed_at(run, conn))
    if half:
        return [_walk(run, link, state) for state in STATES if state is not BindingState.PENDING]
    if turn.length is None:
        return [_walk(run, link, state) for state in STATES]
    rest = [_walk(run, link, state, since if state is BindingState.PENDING else None) for state in STATES]
    return [_walk_fresh(run, link, since), *rest]


@dataclass(frozen=True, slots=True)
class Range:
    """Is a part of the debts of one state: those of the bindings after one id and until another."""

    state: BindingState
    after: str
    until: str


def ranges_of(run: RunContext, link: Link, turn: Turn, size: int) -> tuple[list[Pages], list[list[Range]]]:
    """Returns the debts to one system as `debts_of` does, cut for several hands.

    First the walks that are not cut: what passes a first load. Then groups of ranges of `size` debts, to be walked one
    group after another; within a turn all are one group, in which the states take turns.
    """
    with run.store.read() as conn:
        half, since = half_read(run, conn), id_at(listed_at(run, conn))
        ends = {
            state: records.owed_bounds(conn, run.entity, link.system, state, size, _end(state, turn, since))
            for state in STATES
            if not (half and state is BindingState.PENDING)
        }
    ranges = [[Range(state, *pair) for pair in pairwise(["", *bounds])] for state, bounds in ends.items()]
    if turn.length is None:
        return [], [group for group in ranges if group]
    mixed = [item for around in zip_longest(*ranges) for item in around if item is not None]
    return [] if half else [_walk_fresh(run, link, since)], [mixed]


def _end(state: BindingState, turn: Turn, since: str) -> str:
    return since if state is BindingState.PENDING and turn.length is not None else LAST


def walk_range(run: RunContext, link: Link, part: Range) -> Pages:
    """Yields the debts of a range."""
    return _walk(run, link, part.state, part.until, part.after)


def take_turns(walks: Sequence[Iterator[int]], turn: Turn) -> tuple[int, bool]:
    """Goes on with each walk for its share of the turn; returns what all brought and whether all came to their end.

    Without an end to the turn each goes to its own end, one after another. Each gets at least one step.
    """
    brought, left = 0, list(walks)
    while left:
        around = tuple(left)
        for place, walk in enumerate(around):
            part = turn.share(len(around) - place)
            for number in walk:
                brought += number
                if part.used_up():
                    break
            else:
                left.remove(walk)
        if turn.used_up():
            break
    return brought, not left


def _walk(
    run: RunContext,
    link: Link,
    state: BindingState,
    until: str | None = None,
    after: str = "",
    *,
    parts: bool = False,
) -> Pages:
    """Yields the debts of one state in the order in which their records became known, after one and up to another.

    Those of main records, or else those of `parts`: one of the two waits for the other.
    """
    while not run.stop.is_set() and not run.blocked(link.system):
        with run.store.read() as conn:
            page = records.dirty_page(conn, run.entity, link.system, after, run.page * PAGES, state)
        if until is not None:
            page = [item for item in page if item.binding_id <= until]
        if not page:
            return
        after = page[-1].binding_id
        if link.mapping.has_parts:
            page = [item for item in page if (item.part != MAIN) is parts]
        if page:
            yield page


def of_parts(run: RunContext, link: Link, *, going: bool) -> list[Pages]:
    """Returns the walks over the parts to delete, or over those to make and update."""
    states = [state for state in STATES if (state is BindingState.DOOMED) is going]
    with run.store.read() as conn:
        half = half_read(run, conn)
    return [_walk(run, link, state, parts=True) for state in states if not (half and state is BindingState.PENDING)]


def _walk_fresh(run: RunContext, link: Link, since: str) -> Pages:
    """Yields the creates of records that became known after `since`, the youngest page first, each in order."""
    before = None
    while not run.stop.is_set() and not run.blocked(link.system):
        with run.store.read() as conn:
            page = records.fresh_page(conn, run.entity, link.system, before, run.page, since)
        if not page:
            return
        before = page[0].binding_id
        if link.mapping.has_parts:
            page = [item for item in page if item.part == MAIN]
        if page:
            yield page
