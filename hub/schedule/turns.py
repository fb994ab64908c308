"""Whose turn it is: parents first, one cycle per entity, what was cut short after every sync that is due. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hub.operations.scheduling import BACKFILL, RECONCILE

TOGETHER = 60.0
"""Seconds within which several that are due count as due together, so that the parent goes first."""
PATIENCE = 3600.0
"""Seconds after which what yields no longer does, so that a busy day starves neither backfill nor reconciliation."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Is something that is due: a sync, what the last one was cut short of, or the next slice of a reconciliation."""

    act: str
    entity: str
    due_at: float


def choose(
    waiting: Sequence[Candidate],
    running: Collection[str],
    ancestors: Mapping[str, Collection[str]],
    order: Sequence[str],
    now: float,
) -> Candidate | None:
    """Returns who starts next, None where all must wait; `order` names the entities parents first."""
    syncs = [item for item in waiting if item.act not in (BACKFILL, RECONCILE) or now - item.due_at > PATIENCE]
    rest = [item for item in waiting if item.act == BACKFILL] or waiting
    ready = [item for item in (syncs or rest) if _may_start(item, syncs, running, ancestors, now)]
    places = {name: place for place, name in enumerate(order)}

    def rank(item: Candidate) -> tuple[float, int, str]:
        # The backfill of a parent comes to its end before that of its children: they wait for it anyway.
        due_at = 0.0 if item.act == BACKFILL else item.due_at
        return due_at, places.get(item.entity, len(places)), item.act

    return min(ready, key=rank, default=None)


def _may_start(
    item: Candidate,
    syncs: Sequence[Candidate],
    running: Collection[str],
    ancestors: Mapping[str, Collection[str]],
    now: float,
) -> bool:
    parents = ancestors.get(item.entity, ())
    if item.entity in running or any(parent in running for parent in parents):
        return False
    return not any(other.entity in parents and _goes_first(other, item, now) for other in syncs)


def _goes_first(parent: Candidate, child: Candidate, now: float) -> bool:
    # A child that has waited goes before a parent that came later, or a busy parent would starve it.
    slack = TOGETHER if now - child.due_at <= TOGETHER else 0.0
    return parent.due_at <= child.due_at + slack


def ancestors_of(references: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """Returns every entity's parents and their parents; one that refers to itself is not its own parent."""

    def climb(name: str, seen: frozenset[str]) -> frozenset[str]:
        fresh = [parent for parent in references.get(name, ()) if parent in references and parent not in seen]
        for parent in fresh:
            seen = climb(parent, seen | {parent})
        return seen

    above = {name: climb(name, frozenset()) for name in references}
    # In a circle nobody is the parent: all of it would wait for itself.
    return {name: frozenset(up for up in found if name not in above[up]) for name, found in above.items()}
