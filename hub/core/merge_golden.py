"""Makes one golden record of two, once a person said that they are the same.

The survivor's values stand. What it lacks is filled from the loser, sets are united, and a field whose policy knows an
order (min, max, lattice, strictest) takes the value that wins by it, so that a withdrawal of consent is never lost.
Whatever loses is kept in the history of the survivor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hub.canonical.values import Value
from hub.core.derive import computed, derive
from hub.core.fates import EntityPolicy
from hub.core.plan import RecordPlan, settle_sides
from hub.core.policy import FieldRule, settle, unite
from hub.core.state import HUB, FieldChange, GoldenRecord, GoldenState, Snapshot

Asked = Mapping[str, tuple[tuple[str, Value], ...]]
"""Is field -> candidates of what people were asked about the loser: no answer will come any more."""
_ORDERED = ("min", "max", "lattice", "strictest")
_SURVIVOR, _LOSER = "survivor", "loser"


def merge_golden(
    snapshot: Snapshot,
    loser: GoldenRecord,
    policy: EntityPolicy,
    now: str,
    *,
    asked: Asked | None = None,
    frozen: frozenset[str] = frozenset(),
    references: frozenset[str] = frozenset(),
) -> RecordPlan:
    """Decides what the survivor comes to. Its sides carry the places that it takes over, with the loser's bases.

    `frozen` are the survivor's own open questions, `references` the fields that may name one of the two. A survivor
    that was archived lives again if the loser lived.
    """
    survivor = snapshot.golden
    told = asked or {}
    changes = []
    for name in sorted({*survivor.fields, *loser.fields, *told} & policy.rules.keys()):
        change = _field(survivor, loser, policy, name, told.get(name, ()), references)
        if change is not None:
            changes.append(change)
    golden = _changed(survivor, changes)
    if loser.state is GoldenState.LIVE and golden.state is GoldenState.ARCHIVED:
        golden = replace(golden, state=GoldenState.LIVE)
    golden, derived = derive(golden, changes, policy.derivations, now)
    says = computed(golden.fields, policy.derivations)
    wrong = [_overruled(golden, name, value) for name, value in says.items() if golden.fields.get(name) != value]
    golden = replace(_changed(golden, wrong), revision=survivor.revision + 1)
    return settle_sides(snapshot, golden, (*changes, *derived, *wrong), frozen, policy)


def _field(
    survivor: GoldenRecord,
    loser: GoldenRecord,
    policy: EntityPolicy,
    name: str,
    asked: tuple[tuple[str, Value], ...],
    references: frozenset[str],
) -> FieldChange | None:
    rule = policy.rules[name]
    stands, other = survivor.fields.get(name), loser.fields.get(name)
    kept, lost = (None if name in references and value in (survivor.hub_id, loser.hub_id) else value
                  for value in (stands, other))  # fmt: skip
    winner = _winner(rule, kept, lost, policy)
    value = unite(kept, [(_set(lost), frozenset())]) if rule.policy == "union" else lost if winner == _LOSER else kept
    origin = loser.origin(name) if winner == _LOSER else survivor.origin(name)
    competed = dict.fromkeys([(survivor.origin(name) or HUB, kept), (loser.origin(name) or HUB, lost), *asked])
    losers = tuple((who, each) for who, each in competed if each is not None and each != value)
    if value == stands and not losers:
        return None
    return FieldChange(name, stands, value, origin, losers)


def _winner(rule: FieldRule, kept: Value, lost: Value, policy: EntityPolicy) -> str:
    if kept is None or lost is None:
        return _LOSER if kept is None and lost is not None else _SURVIVOR
    if kept != lost and rule.name in policy.computed:
        # What the hub computed from the children of either is the latest of both.
        return _LOSER if str(lost) > str(kept) else _SURVIVOR
    if kept != lost and rule.policy in _ORDERED:
        return settle(rule, {_SURVIVOR: kept, _LOSER: lost}, (_SURVIVOR, _LOSER)) or _SURVIVOR
    return _SURVIVOR


def _set(value: Value) -> frozenset[str]:
    return frozenset(value) if isinstance(value, tuple) else frozenset()


def _overruled(golden: GoldenRecord, name: str, value: Value) -> FieldChange:
    stood = golden.fields.get(name)
    losers = () if stood is None else ((golden.origin(name) or HUB, stood),)
    return FieldChange(name, stood, value, HUB, losers)


def _changed(golden: GoldenRecord, changes: list[FieldChange]) -> GoldenRecord:
    fields, origins = dict(golden.fields), dict(golden.origins)
    for change in changes:
        if change.before != change.after:
            origins[change.field] = change.origin
            fields[change.field] = change.after
            if change.after is None:
                del fields[change.field]
    return replace(golden, fields=fields, origins=origins)
