"""How a clash over one field is settled: by a rule that is deterministic, total and blind to the order of arrival."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hub.canonical.values import Value
from hub.core.state import HUB


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Is what the canonical schema says about clashes and guards of one field.

    `ranks` orders the values of lattice and strictest policies: the higher rank wins. `approved` are the values that no
    system sets by itself: a second person must agree.
    """

    name: str
    policy: str = "prefer"
    guards: tuple[str, ...] = ()
    ranks: Mapping[str, int] | None = None
    reopens: tuple[tuple[str, str], ...] = ()
    is_set: bool = False
    approved: frozenset[str] = frozenset()


Candidates = Mapping[str, Value]


def settle(rule: FieldRule, candidates: Candidates, prefer: Sequence[str]) -> str | None:
    """Returns the origin whose value wins, or None when a person must decide.

    `candidates` maps origin to value and holds at least two different values.
    """
    if rule.policy == "hub" and HUB in candidates:
        return HUB
    if rule.policy in ("prefer", "hub"):
        return preferred(candidates, prefer)
    if rule.policy in ("min", "max"):
        return _extreme(candidates, prefer, largest=rule.policy == "max")
    if rule.policy in ("lattice", "strictest"):
        return _ranked(rule, candidates, prefer)
    return None


def preferred(candidates: Candidates, prefer: Sequence[str]) -> str:
    """Returns the first origin in the configured order; a person's edit comes first, unknown origins last, by name."""
    order = {HUB: -1, **{system: place for place, system in enumerate(prefer)}}
    return min(candidates, key=lambda origin: (order.get(origin, len(order)), origin))


def _extreme(candidates: Candidates, prefer: Sequence[str], *, largest: bool) -> str:
    filled = {origin: value for origin, value in candidates.items() if value is not None}
    ranked = _comparable(filled)
    best = max(ranked.values()) if largest else min(ranked.values())
    return preferred({origin: filled[origin] for origin, rank in ranked.items() if rank == best}, prefer)


_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _comparable(filled: Candidates) -> Mapping[str, tuple[Decimal, str]]:
    """Orders numbers by size, and everything else (dates, instants) by its text."""
    texts = {origin: str(value) for origin, value in filled.items()}
    if all(_NUMBER.fullmatch(text) for text in texts.values()):
        return {origin: (Decimal(text), "") for origin, text in texts.items()}
    return {origin: (Decimal(0), text) for origin, text in texts.items()}


def _ranked(rule: FieldRule, candidates: Candidates, prefer: Sequence[str]) -> str | None:
    ranks = rule.ranks or {}
    ranked = {origin: ranks.get(str(value), -1) for origin, value in candidates.items()}
    top = max(ranked.values())
    best = {origin: candidates[origin] for origin, rank in ranked.items() if rank == top}
    if len(set(best.values())) > 1:
        return None
    return preferred(best, prefer)


def unite(current: Value, deltas: Sequence[tuple[frozenset[str], frozenset[str]]]) -> Value:
    """Applies (added, removed) of every side to a set; an element one side adds and another removes stays."""
    before = frozenset(current) if isinstance(current, tuple) else frozenset()
    added = frozenset[str]().union(*(delta[0] for delta in deltas))
    removed = frozenset[str]().union(*(delta[1] for delta in deltas))
    after = (before - removed) | added
    return tuple(sorted(after)) if after else None
