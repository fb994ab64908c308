"""What may leave for which region: decided field by field, the strictest rule wins, and nobody can loosen it. Pure.

Mainland China and this machine take everything that is mapped. What lies abroad takes nothing without an approved
basis; with one it takes what is not personal, and what is personal masked where a mask keeps its form, else not at all.
Source: PIPL art. 38 and 39; JR/T 0171-2020 for the classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

from connectors.regions import LAB, MAINLAND
from hub.access.masking import can_mask, mask
from hub.canonical.schema import Entity, Field
from hub.canonical.values import Value
from hub.core.state import Fields

PLAIN = "plain"
NO_BASIS, DEFAULT = "no_basis", "abroad"


class Verdict(IntEnum):
    """Says what becomes of a value on its way out, the stricter the higher."""

    ALLOW = 0
    MASK = 1
    BLOCK = 2


@dataclass(frozen=True, slots=True)
class Rule:
    """Is one rule of `config/egress.yaml`; an empty set stands for all. A rule never loosens."""

    name: str
    verdict: Verdict
    systems: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    entities: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()

    def concerns(self, system: str, region: str, entity: str, field: Field) -> bool:
        """Tells whether the rule is about a field on its way to a system; `abroad` is every region but the mainland."""
        here = {region} if region in (MAINLAND, LAB) else {region, "abroad"}
        return (
            (not self.systems or system in self.systems)
            and (not self.regions or bool(here & self.regions))
            and (not self.classes or field.klass in self.classes)
            and (not self.entities or entity in self.entities)
            and (not self.fields or field.name in self.fields)
        )


@dataclass(frozen=True, slots=True)
class Basis:
    """Is the approved ground on which a system abroad is sent to: its number, its last day, how many persons a year."""

    id: str
    until: date
    persons: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Is what becomes of one field, and by which rule."""

    verdict: Verdict
    rule: str = PLAIN


ALLOWED = Decision(Verdict.ALLOW)


def decide(
    field: Field, entity: str, system: str, region: str, basis: Basis | None, rules: Sequence[Rule], today: date
) -> Decision:
    """Returns what becomes of a field on its way to a system. A mask that cannot keep a value's form is a block."""
    found = _built_in(field, region, basis, today)
    for rule in rules:
        if rule.verdict > found.verdict and rule.concerns(system, region, entity, field):
            found = Decision(rule.verdict, rule.name)
    if found.verdict is Verdict.MASK and not can_mask(field):
        return Decision(Verdict.BLOCK, found.rule)
    return found


def _built_in(field: Field, region: str, basis: Basis | None, today: date) -> Decision:
    if field.klass not in ("C1", "C2", "-"):
        return Decision(Verdict.BLOCK, "unclassified")
    if region in (MAINLAND, LAB):
        return ALLOWED
    if basis is None or today > basis.until:
        return Decision(Verdict.BLOCK, NO_BASIS)
    return Decision(Verdict.MASK, DEFAULT) if field.klass == "C2" else ALLOWED


class Shaper:
    """Is the policy of one entity on its way to one system."""

    def __init__(self, region: str, basis: Basis | None, fields: Mapping[str, Field], decided: Mapping[str, Decision]):
        self.region, self.basis, self.decided = region, basis, decided
        self.blocked = frozenset(name for name, made in decided.items() if made.verdict is Verdict.BLOCK)
        self._masked = {name: fields[name] for name, made in decided.items() if made.verdict is Verdict.MASK}

    @property
    def counts(self) -> bool:
        """Tells whether persons whose values are sent there are counted."""
        return self.region not in (MAINLAND, LAB)

    def shape(self, fields: Fields) -> Fields:
        """Returns values as they may leave: blocked ones left out, masked ones masked."""
        if self.blocked.isdisjoint(fields) and self._masked.keys().isdisjoint(fields):
            return fields
        return {name: self.shaped(name, value) for name, value in fields.items() if name not in self.blocked}

    def shaped(self, name: str, value: Value) -> Value:
        """Returns one value as it may leave."""
        field = self._masked.get(name)
        return value if field is None or value is None else mask(field, value)

    def masks(self, name: str) -> bool:
        return name in self._masked

    def rule(self, name: str) -> str:
        """Returns the rule that shapes a field, `plain` for one that leaves as it is."""
        return self.decided[name].rule if name in self._masked else PLAIN


OPEN = Shaper(LAB, None, {}, {})
"""Lets everything out: for worlds without regions."""


def shaper_of(
    entity: Entity, system: str, region: str, basis: Basis | None, rules: Sequence[Rule], today: date
) -> Shaper:
    """Returns the policy of an entity on its way to a system."""
    fields = entity.fields
    decided = {n: decide(f, entity.name, system, region, basis, rules, today) for n, f in fields.items()}
    return Shaper(region, basis, fields, decided)
