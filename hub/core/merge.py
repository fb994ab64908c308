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

The merge goes in three stages, so that no answer depends on the order of fields or sides: every stirred field is
decided, then the guards look at each decision beside all the others, then the golden record and the bases move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from hub.canonical.values import Value
from hub.core.base import Debt, base_field, collapse, debts, rebase, settle_base
from hub.core.guards import forbid
from hub.core.policy import FieldRule, preferred, settle, unite
from hub.core.state import (
    HUB,
    UNSET,
    BaseField,
    BindingState,
    Conflict,
    FieldChange,
    Fields,
    GoldenRecord,
    Hold,
    Kind,
    Observation,
    Side,
    Snapshot,
)

__all__ = ["Debt", "Merged", "Rules", "base_field", "collapse", "debts", "merge", "rebase", "settle_base"]

Rules = Mapping[str, FieldRule]
Routing = Mapping[str, Mapping[Value, Sequence[str]]]
"""Field -> value -> where a record with it belongs; an empty inner mapping says that every change may move it."""
EMPTY_ROUTING: Routing = MappingProxyType({})


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
class _Seat:
    """Is one side at one field: what it stood at and what it shows."""

    side: Side
    origin: str
    base: BaseField | None = field(repr=False)
    shown: Value = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Claims:
    """Are the values that compete for a field, by origin.

    `strangers` have no base, so they made no edit; the edits of `shaped` were made on a masked or tokenised value.
    """

    found: Mapping[str, Value] = field(repr=False)
    strangers: frozenset[str]
    shaped: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Decision:
    """Is what one field comes to: its value and origin, or the conflict that freezes it."""

    value: Value = field(default=None, repr=False)
    origin: str = ""
    asked: tuple[tuple[str, Value], ...] = field(default=(), repr=False)
    losers: tuple[tuple[str, Value], ...] = field(default=(), repr=False)
    conflict: Conflict | None = None
    answered: bool = False
    shaped: bool = False


def merge(
    snapshot: Snapshot,
    rules: Rules,
    prefer: Sequence[str],
    oscillation: int = 0,
    routing: Routing = EMPTY_ROUTING,
) -> Merged:
    """Merges everything observed of one record into its golden record.

    `oscillation` is how often a field may return to one earlier value within the window before it is held (0: never).
    A change of a `routing` field of a known record is asked about, whatever its policy.
    """
    speaking = _speaking(snapshot)
    stirred, echoes = _stirred(snapshot, speaking)
    if not stirred:
        return Merged(snapshot.golden, echoes=echoes)
    seats = {name: _seats(speaking, name, snapshot.golden) for name in stirred}
    decisions = {name: _decide(snapshot, rules[name], seats[name], prefer) for name in stirred}
    decided = {**snapshot.golden.fields, **{n: d.value for n, d in decisions.items() if d.conflict is None}}
    frozen: dict[str, Conflict | Hold] = {}
    for name, decision in decisions.items():
        stop = decision.conflict or _stop(snapshot, rules[name], decision, decided, oscillation, routing)
        if stop is not None:
            frozen[name] = stop
    flowing = {name: decision for name, decision in decisions.items() if name not in frozen}
    return Merged(
        *_apply(snapshot.golden, flowing),
        _moves(flowing, seats),
        tuple(item for item in frozen.values() if isinstance(item, Conflict)),
        tuple(item for item in frozen.values() if isinstance(item, Hold)),
        echoes,
    )


def _speaking(snapshot: Snapshot) -> list[tuple[Side, Observation]]:
    """Returns the sides that show their record, in an order that no caller can change."""
    found: list[tuple[Side, Observation]] = []
    for side in sorted(snapshot.sides, key=lambda s: (s.binding.part != "main", s.binding.binding_id)):
        seen = side.observation
        if seen is not None and seen.kind is Kind.UPSERT and side.binding.state is not BindingState.SUPERSEDED:
            found.append((side, seen))
    return found


def _stirred(snapshot: Snapshot, speaking: Sequence[tuple[Side, Observation]]) -> tuple[list[str], int]:
    """Returns the fields about which somebody says something new, and how many shown values said nothing new."""
    values = snapshot.golden.fields
    stirred = {*snapshot.edits, *snapshot.resolutions} - {"*"}
    echoes = 0
    for side, seen in speaking:
        base, readable = side.base, side.readable
        bound = side.binding.native_id is not None
        for name, shown in seen.fields.items():
            if name not in readable:
                continue
            now = values.get(name)
            if base is None:
                quiet = bound and shown == now
            else:
                known = base.get(name)
                quiet = known is not None and known.agreed == now and (shown == known.sent or shown == known.seen)
            if quiet:
                echoes += 1
            else:
                stirred.add(name)
    return sorted(stirred), echoes


def _seats(speaking: Sequence[tuple[Side, Observation]], name: str, golden: GoldenRecord) -> list[_Seat]:
    """Returns who shows a field, each under the name of its system; a second part of one has a name of its own."""
    seats: list[_Seat] = []
    origins: set[str] = set()
    for side, seen in speaking:
        if name in seen.fields and name in side.readable:
            origin = side.system if side.system not in origins else side.binding.binding_id
            origins.add(origin)
            seats.append(_Seat(side, origin, base_field(side, name, golden), seen.fields[name]))
    return seats


def _decide(snapshot: Snapshot, rule: FieldRule, seats: Sequence[_Seat], prefer: Sequence[str]) -> _Decision:
    golden, name = snapshot.golden, rule.name
    claims = _claims(snapshot, name, seats)
    candidates = claims.found
    if not candidates:
        return _Decision(golden.fields.get(name), golden.origin(name))
    asked = tuple(sorted(candidates.items()))
    answer = snapshot.resolutions.get(name)
    if answer is not None and answer.candidates == asked:
        origin = next((origin for origin, value in asked if value == answer.value), HUB)
        return _Decision(answer.value, origin, asked, _losers(asked, answer.value), answered=True)
    if rule.policy == "union":
        return _Decision(_united(snapshot, name, seats), preferred(candidates, prefer), asked)
    winner = _winner(rule, golden, claims, prefer)
    if winner is None:
        return _Decision(asked=asked, conflict=Conflict(name, rule.policy, asked))
    value = candidates[winner]
    shaped = bool(claims.shaped) and all(origin in claims.shaped for origin, other in asked if other == value)
    return _Decision(value, winner, asked, _losers(asked, value), shaped=shaped)


def _claims(snapshot: Snapshot, name: str, seats: Sequence[_Seat]) -> _Claims:
    """Returns who asks for another value than the golden one, and the golden value itself where it competes."""
    golden = snapshot.golden
    now = golden.fields.get(name)
    found: dict[str, Value] = {}
    strangers: dict[str, Value] = {}
    blind = informed = False
    shaped = set()
    for seat in seats:
        base, shown = seat.base, seat.shown
        if base is None:
            changed, ahead = shown is not None and shown != now, now is not None
            if shown is not None:
                strangers[seat.origin] = shown
        else:
            changed, ahead = shown != now and not base.knows(shown), base.agreed is UNSET or base.agreed != now
        if changed:
            found[seat.origin] = shown
            blind, informed = blind or ahead, informed or not ahead
            if base is not None and base.rule != "plain":
                shaped.add(seat.origin)
    if name in snapshot.edits:
        found[HUB] = snapshot.edits[name]
        informed = True
    if strangers and None in found.values():
        # A record that is only now being joined must not be emptied unasked, so its value competes.
        found = {**strangers, **found}
    # An edit made by someone who had seen the golden value replaces it; then only the edits compete.
    if blind and not informed and now not in found.values():
        origin = golden.origin(name) or "golden"
        found[origin if origin not in found else f"golden:{origin}"] = now
    return _Claims(found, frozenset(strangers), frozenset(shaped))


def _winner(rule: FieldRule, golden: GoldenRecord, claims: _Claims, prefer: Sequence[str]) -> str | None:
    candidates = claims.found
    if len(candidates) == 1:
        return next(iter(candidates))
    if len(set(candidates.values())) == 1:
        return preferred(candidates, prefer)
    winner = _kept(rule, golden, candidates, prefer) if rule.policy == "append" else settle(rule, candidates, prefer)
    if winner is not None and candidates[winner] is None and claims.strangers:
        return preferred({o: v for o, v in candidates.items() if v is not None}, prefer)
    return winner


def _kept(rule: FieldRule, golden: GoldenRecord, candidates: Mapping[str, Value], prefer: Sequence[str]) -> str:
    """Returns the entry that stands, for entries are immutable, or the first of several new ones."""
    now = golden.fields.get(rule.name)
    return preferred({o: v for o, v in candidates.items() if v == now} or candidates, prefer)


def _losers(asked: tuple[tuple[str, Value], ...], winner: Value) -> tuple[tuple[str, Value], ...]:
    return tuple([(origin, value) for origin, value in asked if value != winner])


def _united(snapshot: Snapshot, name: str, seats: Sequence[_Seat]) -> Value:
    """Adds what each side added and removes what each side removed, against what that side last held."""
    now = snapshot.golden.fields.get(name)
    deltas = []
    for seat in seats:
        base = seat.base
        if base is not None and base.knows(seat.shown):
            continue
        before, after = _set(UNSET if base is None else base.last_known()), _set(seat.shown)
        deltas.append((after - before, before - after))
    if name in snapshot.edits:
        before, after = _set(now), _set(snapshot.edits[name])
        deltas.append((after - before, before - after))
    return unite(now, deltas)


def _set(value: object) -> frozenset[str]:
    return frozenset(value) if isinstance(value, tuple) else frozenset()


def _stop(
    snapshot: Snapshot,
    rule: FieldRule,
    decision: _Decision,
    decided: Fields,
    oscillation: int,
    routing: Routing,
) -> Conflict | Hold | None:
    """Returns the question that keeps a decision back. `decided` is the record as all decisions would make it."""
    golden, name, value = snapshot.golden, rule.name, decision.value
    now = golden.fields.get(name)
    if decision.answered or value == now:
        return None
    if name in routing and golden.revision and now is not None and _relocates(routing[name], now, value):
        return Conflict(name, "route", decision.asked)
    if decision.origin == HUB:
        return None
    guard = forbid(rule, now, value, decided) if golden.revision and rule.guards else None
    if guard is None and decision.shaped:
        guard = "masked"
    if guard is None and oscillation and snapshot.returns.get((name, value), 0) >= oscillation:
        guard = "oscillation"
    return None if guard is None else Hold(name, decision.origin, guard, decision.asked)


def _relocates(places: Mapping[Value, Sequence[str]], now: Value, value: Value) -> bool:
    """Tells whether a record with the new value belongs elsewhere; without places every change might move it."""
    return not places or places.get(now) != places.get(value)


def _apply(golden: GoldenRecord, flowing: Mapping[str, _Decision]) -> tuple[GoldenRecord, tuple[FieldChange, ...]]:
    fields, origins = dict(golden.fields), dict(golden.origins)
    changes: list[FieldChange] = []
    moved = False
    for name, decision in flowing.items():
        before, after = golden.fields.get(name), decision.value
        if before != after:
            moved = True
            origins[name] = decision.origin
            fields[name] = after
            if after is None:
                del fields[name]
        if before != after or decision.losers:
            changes.append(FieldChange(name, before, after, decision.origin, decision.losers))
    if moved:
        golden = replace(golden, fields=fields, origins=origins, revision=golden.revision + 1)
    return golden, tuple(changes)


def _moves(
    flowing: Mapping[str, _Decision], seats: Mapping[str, Sequence[_Seat]]
) -> dict[str, Mapping[str, BaseField]]:
    bases: dict[str, dict[str, BaseField]] = {}
    for name, decision in flowing.items():
        for seat in seats[name]:
            moved = _advance(seat.base, seat.shown, decision.value)
            if moved is not None:
                bases.setdefault(seat.side.binding.binding_id, {})[name] = moved
    return dict(bases)


def _advance(base: BaseField | None, shown: Value, value: Value) -> BaseField | None:
    """Returns the base after the field came to `value` while the side showed `shown`; None when it stays."""
    if base is not None and base.knows(shown) and (shown != value or base.agreed == value):
        return None
    if shown == value:
        return BaseField(value, value)
    return BaseField(UNSET, UNSET, shown, "plain" if base is None else base.rule)
