"""The base of one side: where it stands, when it need not be stored, and what the golden record owes the side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from hub.canonical.values import Value
from hub.core.state import EMPTY, UNSET, Base, BaseField, Fields, GoldenRecord, Kind, Maybe, Side

EMPTY_BASE: Final[Base] = MappingProxyType({})


def base_field(side: Side, name: str, golden: GoldenRecord) -> BaseField | None:
    """Returns the base of one field; a side whose base is None stands at the golden record it was loaded with."""
    if side.base is not None:
        return side.base.get(name)
    if side.binding.native_id is None or name not in side.mapped:
        return None
    value = golden.fields.get(name)
    return BaseField(value, value)


def settle_base(
    base: Base | None, golden: GoldenRecord, mapped: frozenset[str], moved: Mapping[str, BaseField]
) -> dict[str, BaseField]:
    """Returns the base with `moved` applied; a base of None stands for `golden`, the record it was loaded with."""
    full = dict(base) if base is not None else {n: BaseField(v, v) for n in mapped for v in (golden.fields.get(n),)}
    full.update(moved)
    return full


def collapse(base: Base | None, golden: GoldenRecord, mapped: frozenset[str]) -> Base | None:
    """Returns None when the base equals the golden record in every mapped field, so that it need not be stored."""
    if base is None:
        return None
    fields = golden.fields
    for name in mapped:
        known = base.get(name)
        if known is None or not _stands(known, fields.get(name)):
            return base
    return None


def _stands(known: BaseField, value: Value) -> bool:
    return (
        known.agreed == value
        and known.sent == value
        and (known.seen is UNSET or known.seen == value)
        and known.rule == "plain"
    )


def rebase(
    side: Side, before: GoldenRecord, after: GoldenRecord, changed: frozenset[str], moved: Mapping[str, BaseField]
) -> Base | None:
    """Returns a side's base against the new golden record. `changed` names the fields in which the two differ."""
    if side.base is None and side.binding.native_id is not None:
        if (changed & side.mapped) <= moved.keys() and all(_stands(b, after.fields.get(n)) for n, b in moved.items()):
            # The side moved along with the golden record: nothing to materialise.
            return None
        return settle_base(None, before, side.mapped, moved)
    base = settle_base(EMPTY_BASE if side.base is None else side.base, before, side.mapped, moved)
    for name in side.writable - side.readable:
        # What a side never shows is agreed to be empty until there is something to write.
        if name not in base and after.fields.get(name) is None:
            base[name] = BaseField(None, None)
    return collapse(base, after, side.mapped)


@dataclass(frozen=True, slots=True)
class Debt:
    """Is what one side is owed: fields to write, and base fields that advance without a write (declared limits)."""

    fields: Mapping[str, Value] = field(default_factory=dict, repr=False)
    waived: Mapping[str, BaseField] = field(default_factory=dict)


NO_DEBT = Debt()


def debts(golden: GoldenRecord, side: Side, base: Base | None, frozen: frozenset[str]) -> Debt:
    """Returns what the golden record owes one side; `base` None means the side stands at the golden record."""
    if base is None:
        return NO_DEBT
    owed: dict[str, Value] = {}
    waived: dict[str, BaseField] = {}
    fields = golden.fields
    fixed = side.fixed and side.binding.native_id is not None
    for name in side.writable:
        value, known = fields.get(name), base.get(name)
        if known is None:
            if value is not None and name not in frozen and not fixed and not _hidden(side, name):
                owed[name] = value
        elif known.agreed == value or name in frozen:
            continue
        elif _holds(side, name, known) == value:
            waived[name] = BaseField(value, value)
        elif fixed or (value is None and name not in side.clearable):
            waived[name] = replace(known, agreed=value)
        else:
            owed[name] = value
    return Debt({name: owed[name] for name in sorted(owed)}, waived) if owed or waived else NO_DEBT


def _hidden(side: Side, name: str) -> bool:
    """Tells whether the record there may hold a value that nobody ever saw, so that a write could destroy it."""
    return side.shows_empty and name in side.readable and side.binding.native_id is not None


def _holds(side: Side, name: str, known: BaseField) -> Maybe:
    """Returns the value a side certainly holds; UNSET where it may hold either the sent or the seen form."""
    shown = _shown(side).get(name, UNSET)
    if shown is not UNSET and name in side.readable and known.knows(shown):
        return shown
    last = known.last_known()
    return last if known.sent is UNSET or known.sent == last else UNSET


def _shown(side: Side) -> Fields:
    seen = side.observation
    return seen.fields if seen is not None and seen.kind is Kind.UPSERT else EMPTY
