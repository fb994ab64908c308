"""Fields the hub computes itself, once a batch, from what a merge changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hub.canonical.values import Value
from hub.core.state import HUB, FieldChange, Fields, GoldenRecord


@dataclass(frozen=True, slots=True)
class Derivation:
    """Says that `target` takes the moment at which `watched` last changed."""

    target: str
    watched: str


def derive(
    golden: GoldenRecord, changes: Sequence[FieldChange], derivations: Sequence[Derivation], now: str
) -> tuple[GoldenRecord, tuple[FieldChange, ...]]:
    """Returns the golden record with its computed fields, and the changes this made. `now` is a canonical datetime."""
    changed = {change.field for change in changes if change.before != change.after}
    extra: list[FieldChange] = []
    fields: dict[str, Value] = {}
    for rule in derivations:
        if rule.watched in changed and rule.target not in changed:
            extra.append(FieldChange(rule.target, golden.fields.get(rule.target), now, HUB))
            fields[rule.target] = now
    if not fields:
        return golden, ()
    merged: Fields = {**golden.fields, **fields}
    origins: Mapping[str, str] = {**golden.origins, **dict.fromkeys(fields, HUB)}
    return replace(golden, fields=merged, origins=origins), tuple(extra)
