"""Fields the hub computes itself, once a batch: from what a merge changed, or from what the record says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute

from hub.canonical.values import Value
from hub.core.state import HUB, UNSET, FieldChange, Fields, GoldenRecord, Maybe


@dataclass(frozen=True, slots=True)
class Derivation:
    """Says that `target` takes the moment at which `watched` last changed."""

    target: str
    watched: str

    def answer(self, change: FieldChange, fields: Fields, now: str) -> Maybe:
        """Returns what the target takes after a change of `watched`, UNSET when it stays as it is.

        `fields` are those of the merged record.
        """
        return now


@dataclass(frozen=True, slots=True)
class StepDerivation(Derivation):
    """Says that `target` counts those changes of `watched` that are `steps`, or copies `source` at each of them."""

    steps: frozenset[tuple[str, str]]
    source: str | None = None

    def answer(self, change: FieldChange, fields: Fields, now: str) -> Maybe:
        if (str(change.before), str(change.after)) not in self.steps:
            return UNSET
        if self.source is None:
            return int(str(fields.get(self.target) or 0)) + 1
        value = fields.get(self.source)
        return UNSET if value is None else value


@dataclass(frozen=True, slots=True)
class Formula(Derivation):
    """Says that `target` is what `compute` makes of the record, whoever wrote something else into it.

    `compute` is pure and returns None while it cannot tell; then the target is a field like any other.
    """

    compute: Callable[[Fields], Value] = attribute(repr=False)

    def answer(self, change: FieldChange, fields: Fields, now: str) -> Maybe:
        return UNSET


def derive(
    golden: GoldenRecord, changes: Sequence[FieldChange], derivations: Sequence[Derivation], now: str
) -> tuple[GoldenRecord, tuple[FieldChange, ...]]:
    """Returns the golden record with the fields that follow a change, and what this changed.

    `now` is a canonical datetime. Formulas are none of them: see `computed`.
    """
    changed = {change.field: change for change in changes if change.before != change.after}
    extra: list[FieldChange] = []
    fields: dict[str, Value] = {}
    for rule in derivations:
        change = changed.get(rule.watched)
        if change is None or rule.target in changed:
            continue
        value = rule.answer(change, golden.fields, now)
        if value is not UNSET:
            extra.append(FieldChange(rule.target, golden.fields.get(rule.target), value, HUB))
            fields[rule.target] = value
    if not fields:
        return golden, ()
    merged: Fields = {**golden.fields, **fields}
    origins: Mapping[str, str] = {**golden.origins, **dict.fromkeys(fields, HUB)}
    return replace(golden, fields=merged, origins=origins), tuple(extra)


def computed(fields: Fields, derivations: Sequence[Derivation]) -> dict[str, Value]:
    """Returns what the formulas say of a record, those left out that cannot tell."""
    found: dict[str, Value] = {}
    for rule in derivations:
        if isinstance(rule, Formula):
            value = rule.compute(fields)
            if value is not None:
                found[rule.target] = value
    return found
