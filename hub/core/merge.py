"""Three-way merge of one record, field by field, against what each side last agreed to.

Reading guide. For a field f and a side s with observation O, base B and golden record G:

    changed (c)   O.f equals neither B.f.sent nor B.f.seen
    ahead (g)     G.f differs from B.f.agreed: the golden record moved since s agreed

    c no,  g no    silence
    c yes, g no    one-sided: G.f := O.f, unless a field guard holds it
    c no,  g yes   owed: s.f := G.f (see `debts`), unless s already shows it
    c yes, g yes   equal: only the base advances; different: the policy decides over all candidates of the batch

A side without a base (first sync, new mapping) is no evidence of an edit: equal adopts, empty is filled, two different
values ask the policy. A frozen field (conflict or hold) leaves G, B and every side as they are; other fields flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hub.canonical.values import Value
from hub.core.guards import forbid
from hub.core.policy import FieldRule, preferred, settle, unite
from hub.core.state import (
    HUB,
    UNSET,
    Base,
    BaseField,
    Conflict,
    FieldChange,
    Fields,
    GoldenRecord,
    Hold,
    Kind,
    Side,
    Snapshot,
)

Rules = Mapping[str, FieldRule]
FILL = BaseField(UNSET, UNSET, None)


@dataclass(frozen=True, slots=True)
class Merged:
    """Is the outcome of one merge: the new golden record and, per binding, the base fields that moved."""

    golden: GoldenRecord
    changes: tuple[FieldChange, ...] = ()
    bases: Mapping[str, Mapping[str, BaseField]] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    holds: tuple[Hold, ...] = ()
    echoes: int = 0


@dataclass(frozen=True, slots=True)
class _Decision:
    """Is what one field comes to: its value and origin, or the question that freezes it."""

    value: Value = None
    origin: str = ""
    frozen: Conflict | Hold | None = None
    losers: tuple[tuple[str, Value], ...] = ()


def merge(snapshot: Snapshot, rules: Rules, prefer: Sequence[str], oscillation: int = 0) -> Merged:
    """Merges everything observed of one record into its golden record.

    `oscillation` is how often a field may return to one earlier value within the window before it is held (0: never).
    """
    golden = snapshot.golden
    fields, origins = dict(golden.fields), dict(golden.origins)
    changes: list[FieldChange] = []
    frozen: list[Conflict | Hold] = []
    bases: dict[str, dict[str, BaseField]] = {side.binding.binding_id: {} for side in snapshot.sides}
    echoes = 0
    for name in _touched(snapshot):
        rule = rules[name]
        sides = _observed(snapshot, name)
        decision = _decide(snapshot, rule, sides, prefer, oscillation)
        if decision.frozen is not None:
            frozen.append(decision.frozen)
            continue
        before = golden.fields.get(name)
        if decision.value != before:
            fields[name] = decision.value
            origins[name] = decision.origin
        if decision.value != before or decision.losers:
            changes.append(FieldChange(name, before, decision.value, decision.origin, decision.losers))
        for side, shown in sides:
            moved = _advance(base_field(side, name, golden), shown, decision.value)
            if moved is not None:
                bases[side.binding.binding_id][name] = moved
            else:
                echoes += 1
    moved_golden = golden
    if any(change.before != change.after for change in changes):
        moved_golden = replace(golden, fields=fields, origins=origins, revision=golden.revision + 1)
    return Merged(
        moved_golden,
        tuple(changes),
        {key: moved for key, moved in bases.items() if moved},
        tuple(item for item in frozen if isinstance(item, Conflict)),
        tuple(item for item in frozen if isinstance(item, Hold)),
        echoes,
    )


def base_field(side: Side, name: str, golden: GoldenRecord) -> BaseField | None:
    """Returns the base of one field; a side whose base is None stands at the golden record it was loaded with."""
    if side.base is not None:
        return side.base.get(name)
    value = golden.fields.get(name)
    return BaseField(value, value) if name in side.mapped else None


def _touched(snapshot: Snapshot) -> Iterator[str]:
    names = set(snapshot.edits) | set(snapshot.resolutions)
    for side in snapshot.sides:
        if side.observation is not None and side.observation.kind is Kind.UPSERT:
            names |= side.observation.fields.keys() & side.readable
    return iter(sorted(names))


def _observed(snapshot: Snapshot, name: str) -> list[tuple[Side, Value]]:
    """Returns the sides that showed this field now, or hold a known value of it while it is asked about."""
    found: list[tuple[Side, Value]] = []
    for side in snapshot.sides:
        seen = side.observation
        if seen is not None and seen.kind is Kind.UPSERT and name in side.readable and name in seen.fields:
            found.append((side, seen.fields[name]))
    return found


def _decide(
    snapshot: Snapshot, rule: FieldRule, sides: list[tuple[Side, Value]], prefer: Sequence[str], oscillation: int
) -> _Decision:
    golden, name = snapshot.golden, rule.name
    now = golden.fields.get(name)
    candidates, contested = _candidates(snapshot, name, sides)
    if contested:
        candidates = {**candidates, _golden_origin(golden, name, candidates): now}
    if not candidates:
        return _Decision(now, golden.origin(name))
    if rule.policy == "union":
        return _united(golden, rule, sides, candidates, prefer)
    answer = snapshot.resolutions.get(name)
    asked = tuple(sorted(candidates.items()))
    if answer is not None and answer.candidates == asked:
        return _Decision(answer.value, _source(answer.value, candidates), losers=_losers(asked, answer.value))
    if len(set(candidates.values())) > 1:
        winner = _winner(rule, golden, candidates, prefer)
        if winner is None:
            return _Decision(frozen=Conflict(name, rule.policy, asked))
    else:
        winner = preferred(candidates, prefer)
    value = candidates[winner]
    guard = _held(snapshot, rule, value, winner, oscillation)
    if guard is not None:
        return _Decision(frozen=Hold(name, winner, guard, asked))
    return _Decision(value, winner, losers=_losers(asked, value))


def _candidates(snapshot: Snapshot, name: str, sides: list[tuple[Side, Value]]) -> tuple[dict[str, Value], bool]:
    """Returns the changed values by origin, and whether the golden value itself is a competitor."""
    golden = snapshot.golden
    now = golden.fields.get(name)
    found: dict[str, Value] = {}
    blind = informed = False
    for side, shown in sides:
        base = base_field(side, name, golden)
        if base is None:
            changed, ahead = shown is not None, now is not None
        else:
            changed, ahead = not base.knows(shown), base.agreed is UNSET or base.agreed != now
        if changed:
            found[_key(side, found)] = shown
            blind = blind or (ahead and shown != now)
            informed = informed or not ahead
    if name in snapshot.edits:
        found[HUB] = snapshot.edits[name]
        informed = True
    # An edit made by someone who had seen the golden value replaces it; then only the edits compete.
    return found, blind and not informed and now not in found.values()


def _key(side: Side, found: Mapping[str, Value]) -> str:
    return side.system if side.system not in found else side.binding.binding_id


def _golden_origin(golden: GoldenRecord, name: str, candidates: Mapping[str, Value]) -> str:
    origin = golden.origin(name) or "golden"
    return origin if origin not in candidates else f"golden:{origin}"


def _winner(
    rule: FieldRule, golden: GoldenRecord, candidates: Mapping[str, Value], prefer: Sequence[str]
) -> str | None:
    if rule.policy == "append":
        kept = [origin for origin, value in candidates.items() if value == golden.fields.get(rule.name)]
        return kept[0] if kept else preferred(candidates, prefer)
    return settle(rule, candidates, prefer)


def _source(value: Value, candidates: Mapping[str, Value]) -> str:
    return next((origin for origin, candidate in sorted(candidates.items()) if candidate == value), HUB)


def _losers(candidates: tuple[tuple[str, Value], ...], winner: Value) -> tuple[tuple[str, Value], ...]:
    return tuple((origin, value) for origin, value in candidates if value != winner)


def _held(snapshot: Snapshot, rule: FieldRule, value: Value, winner: str, oscillation: int) -> str | None:
    golden = snapshot.golden
    now = golden.fields.get(rule.name)
    if value == now or winner == HUB:
        return None
    if golden.revision and (guard := forbid(rule, now, value, {**golden.fields, **_shown(snapshot)})):
        return guard
    if oscillation and snapshot.returns.get((rule.name, value), 0) >= oscillation:
        return "oscillation"
    return None


def _shown(snapshot: Snapshot) -> Fields:
    shown: dict[str, Value] = {}
    for side in snapshot.sides:
        if side.observation is not None:
            shown.update(side.observation.fields)
    return shown


def _united(
    golden: GoldenRecord,
    rule: FieldRule,
    sides: list[tuple[Side, Value]],
    candidates: Mapping[str, Value],
    prefer: Sequence[str],
) -> _Decision:
    """Adds what each side added and removes what each side removed, against what that side last held."""
    now = golden.fields.get(rule.name)
    deltas = []
    for side, shown in sides:
        base = base_field(side, rule.name, golden)
        if base is not None and base.knows(shown):
            continue
        known = UNSET if base is None else base.last_known()
        before, after = _set(known), _set(shown)
        deltas.append((after - before, before - after))
    if HUB in candidates:
        before, after = _set(now), _set(candidates[HUB])
        deltas.append((after - before, before - after))
    value = unite(now, deltas)
    return _Decision(value, golden.origin(rule.name) if value == now else preferred(candidates, prefer))


def _set(value: object) -> frozenset[str]:
    return frozenset(value) if isinstance(value, tuple) else frozenset()


def _advance(base: BaseField | None, shown: Value, value: Value) -> BaseField | None:
    """Returns the base after the field came to `value` while the side showed `shown`; None when it stays."""
    if shown == value:
        if base is not None and base.agreed == value and base.knows(shown):
            return None
        return BaseField(value, value)
    if base is not None and base.knows(shown):
        return None
    return BaseField(UNSET, UNSET, shown)


@dataclass(frozen=True, slots=True)
class Debt:
    """Is what one side is owed: fields to write, and base fields that advance without a write (declared limits)."""

    fields: Mapping[str, Value] = field(default_factory=dict, repr=False)
    waived: Mapping[str, BaseField] = field(default_factory=dict)


def debts(golden: GoldenRecord, side: Side, base: Base | None, frozen: frozenset[str]) -> Debt:
    """Returns what the golden record owes one side; `base` None means the side stands at the golden record."""
    if base is None:
        return Debt()
    owed: dict[str, Value] = {}
    waived: dict[str, BaseField] = {}
    for name in sorted(side.writable - frozen):
        value, known = golden.fields.get(name), base.get(name)
        if known is None:
            if value is not None:
                owed[name] = value
        elif known.agreed is UNSET or known.agreed != value:
            if known.last_known() == value:
                waived[name] = BaseField(value, value)
            elif value is None and name not in side.clearable:
                waived[name] = replace(known, agreed=None)
            else:
                owed[name] = value
    return Debt(owed, waived)


def settle_base(
    base: Base | None, golden: GoldenRecord, mapped: frozenset[str], moved: Mapping[str, BaseField]
) -> Base | None:
    """Returns the base with `moved` applied, or None again when it equals the golden record in every mapped field.

    `golden` is the record the base was loaded with; a base of None stands for it.
    """
    full = dict(base) if base is not None else {n: BaseField(v, v) for n in mapped for v in (golden.fields.get(n),)}
    full.update(moved)
    return full


def collapse(base: Base | None, golden: GoldenRecord, mapped: frozenset[str]) -> Base | None:
    """Returns None when the base equals the golden record in every mapped field, so that it need not be stored."""
    if base is None:
        return None
    for name in mapped:
        known, value = base.get(name), golden.fields.get(name)
        if known is None or known.agreed != value or known.sent != value or known.rule != "plain":
            return base
        if known.seen is not UNSET and known.seen != value:
            return base
    return None
