"""How a clash over one field is settled: by a rule that is deterministic, total and blind to the order of arrival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.canonical.values import Value
from hub.core.state import HUB


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Is what the canonical schema says about clashes and guards of one field.

    `ranks` orders the values of lattice and strictest policies: the higher rank wins.
    """

    name: str
    policy: str = "prefer"
    guards: tuple[str, ...] = ()
    ranks: Mapping[str, int] | None = None
    reopens: tuple[tuple[str, str], ...] = ()
    is_set: bool = False


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
    filled = {origin: str(value) for origin, value in candidates.items() if value is not None}
    best = max(filled.values()) if largest else min(filled.values())
    return preferred({origin: value for origin, value in filled.items() if value == best}, prefer)


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
