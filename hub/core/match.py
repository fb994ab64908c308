"""Which records of two systems are the same customer: sure, unsure with reasons, or new.

A link is made without asking only when the evidence is unique on both sides and nothing contradicts it. Everything
else that shares a key is a question for a person, and nobody creates a twin of it meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import StrEnum

from hub.canonical.schema import MatchRule
from hub.canonical.values import Value
from hub.core.state import Fields


class Certainty(StrEnum):
    SURE = "sure"
    UNSURE = "unsure"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Is one golden record that shares a key with the record in question.

    `shared` says per rule how many records of the asking system hold the key, the asking one included, and how many
    golden records hold it. `bound` says that the golden record already has a record in the asking system.
    """

    hub_id: str
    fields: Fields = attribute(repr=False)
    shared: Mapping[str, tuple[int, int]]
    bound: bool = False


@dataclass(frozen=True, slots=True)
class MatchVerdict:
    certainty: Certainty
    hub_id: str | None = None
    rule: str | None = None
    reasons: Mapping[str, tuple[str, ...]] = attribute(default_factory=dict)
    """hub id -> why it was considered and why it is not sure"""


def judge(
    fields: Fields, candidates: Sequence[Candidate], rules: Sequence[MatchRule], identifying: Sequence[str]
) -> MatchVerdict:
    """Decides whose record this is. `identifying` fields contradict a link when both sides hold different values."""
    reasons: dict[str, tuple[str, ...]] = {}
    sure: list[tuple[str, str]] = []
    weighty = [c for c in candidates if not (c.bound and _only_weak(c, rules))]
    for candidate in weighty:
        against = contradictions(fields, candidate.fields, identifying)
        strong = [r.name for r in rules if r.strong and r.name in candidate.shared]
        doubts = [f"not_unique:{name}" for name, counts in candidate.shared.items() if counts != (1, 1)]
        doubts += [f"differs:{name}" for name in against]
        doubts += ["bound_already"] if candidate.bound else []
        shared = [f"same:{r.name}" for r in rules if r.name in candidate.shared]
        reasons[candidate.hub_id] = tuple(shared + doubts)
        if strong and not against and not candidate.bound and all(candidate.shared[n] == (1, 1) for n in strong):
            sure.append((candidate.hub_id, strong[0]))
    if not weighty:
        return MatchVerdict(Certainty.NEW)
    if len(sure) == 1 and all(c.hub_id == sure[0][0] or _only_weak(c, rules) for c in weighty):
        return MatchVerdict(Certainty.SURE, sure[0][0], sure[0][1], reasons)
    return MatchVerdict(Certainty.UNSURE, reasons=reasons)


def _only_weak(candidate: Candidate, rules: Sequence[MatchRule]) -> bool:
    return not any(rule.strong and rule.name in candidate.shared for rule in rules)


def contradictions(one: Fields, other: Fields, identifying: Sequence[str]) -> tuple[str, ...]:
    """Returns the identifying fields that are set on both sides and differ."""
    return tuple(name for name in identifying if _differ(one.get(name), other.get(name)))


def _differ(one: Value, other: Value) -> bool:
    return one is not None and other is not None and one != other
