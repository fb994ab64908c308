"""What becomes of a side whose record is gone, merged or condemned: the entity's rule, unless an edit wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import StrEnum
from typing import Final

from hub.core.base import debts
from hub.core.derive import Derivation
from hub.core.merge import Merged, Routing, Rules
from hub.core.state import BindingState, Conflict, Hold, Kind, Side, Snapshot


class Act(StrEnum):
    ADOPT = "adopt"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"
    DETACH = "detach"
    ARCHIVE = "archive"
    REBIND = "rebind"
    MERGE_GOLDEN = "merge_golden"
    PARK = "park"
    NOTHING = "nothing"


class OnDelete(StrEnum):
    DETACH = "detach"
    ARCHIVE = "archive"
    PROPAGATE = "propagate"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class EntityPolicy:
    """Is everything the engine may decide by for one entity; made once from schema and settings."""

    entity: str
    rules: Rules
    prefer: tuple[str, ...]
    routing: Routing = attribute(default_factory=dict)
    derivations: tuple[Derivation, ...] = ()
    on_delete: OnDelete = OnDelete.DETACH
    oscillation: int = 0
    restorable: frozenset[str] = frozenset()
    """Systems in which a deleted record can be restored under its native id."""
    computed: frozenset[str] = frozenset()
    """Fields that the hub computes: what it writes into them is no edit that could save a deleted record."""
    survivors: Mapping[tuple[str, str, str], str] = attribute(default_factory=dict)


MERGE: Final = "merge"
"""Is the guard of a hold that proposes to make one golden record of two; its candidates name the survivor."""
JOIN: Final = "join"
APART: Final = "apart"
"""Are the answers that accept it and refuse it."""
Fate = OnDelete | Hold | Act | None
Edits = frozenset[tuple[str, str]]
_NOTHING: frozenset[str] = frozenset()


def decide_fates(snapshot: Snapshot, merged: Merged, policy: EntityPolicy) -> dict[str, Fate]:
    """Returns the fate of every side that has one, by binding id."""
    sides = snapshot.sides
    stricken = any(s.observation is not None and s.observation.kind in (Kind.GONE, Kind.MERGED) for s in sides)
    doomed = any(s.binding.state is BindingState.DOOMED for s in sides)
    if not stricken and not doomed:
        return {}
    edits = frozenset((name, origin) for name, origin in edits_of(snapshot, merged) if name not in policy.computed)
    if doomed and edits:
        return _spare(snapshot)
    if doomed and snapshot.children:
        return _reprieve(snapshot)
    fates: dict[str, Fate] = {}
    gone: list[Side] = []
    merged_away: list[tuple[Side, str]] = []
    for side in sides:
        seen, state = side.observation, side.binding.state
        if seen is None or state not in (BindingState.ACTIVE, BindingState.DOOMED):
            continue
        if seen.kind is Kind.MERGED:
            bound = policy.survivors.get((side.system, seen.object, seen.survivor or ""))
            if bound is None or bound == snapshot.golden.hub_id:
                fates[side.binding.binding_id] = Act.REBIND
            else:
                merged_away.append((side, bound))
        elif seen.kind is Kind.GONE and state is BindingState.DOOMED:
            fates[side.binding.binding_id] = OnDelete.DETACH
        elif seen.kind is Kind.GONE:
            gone.append(side)
    return fates | _propose(snapshot, merged_away) | _rule(snapshot, gone, edits, policy)


def _propose(snapshot: Snapshot, merged_away: Sequence[tuple[Side, str]]) -> dict[str, Fate]:
    """Asks before two golden records become one, about one survivor at a time.

    Whoever keeps them apart detaches the place that is gone. An answer that joins them is not carried out here, since
    it moves two records at once: the question stands, answered, until that is done.
    """
    if not merged_away:
        return {}
    heir = min((side.system, bound) for side, bound in merged_away)[1]
    asked = tuple(sorted((side.system, bound) for side, bound in merged_away if bound == heir))
    answer = snapshot.resolutions.get("*")
    fate: Fate = Hold("*", asked[0][0], MERGE, asked)
    if answer is None or answer.candidates != asked or answer.value == JOIN:
        return {side.binding.binding_id: fate for side, _ in merged_away}
    apart: dict[str, Fate] = {side.binding.binding_id: OnDelete.DETACH for side, bound in merged_away if bound == heir}
    return apart | _propose(snapshot, [(side, bound) for side, bound in merged_away if bound != heir])


def edits_of(snapshot: Snapshot, merged: Merged) -> Edits:
    """Returns (field, origin) of every edit of this batch: carried out, overruled or waiting for a person."""
    found = {(c.field, c.origin) for c in merged.changes if c.before != c.after}
    found |= {(c.field, origin) for c in merged.changes if c.before != c.after for origin, _ in c.losers}
    questions: tuple[Conflict | Hold, ...] = (*merged.conflicts, *merged.holds)
    for asked in questions:
        now = snapshot.golden.fields.get(asked.field)
        found |= {(asked.field, origin) for origin, value in asked.candidates if value != now}
    return frozenset(found)


def _rule(snapshot: Snapshot, gone: list[Side], edits: Edits, policy: EntityPolicy) -> dict[str, Fate]:
    """Applies the rule of the entity to the sides that are gone, and to the others where the delete spreads."""
    rule = policy.on_delete
    if snapshot.children and rule in (OnDelete.PROPAGATE, OnDelete.ARCHIVE):
        # What others point at does not go silently.
        rule = OnDelete.ASK
    if rule is OnDelete.PROPAGATE and any(_lasts(side) for side in snapshot.sides if side not in gone):
        # It cannot go everywhere, so it stays wherever it is.
        rule = OnDelete.DETACH
    spreads = rule is OnDelete.PROPAGATE
    edited = [side for side in gone if _edited_elsewhere(snapshot, side, edits, policy.computed, spreads)]
    if edited and spreads:
        # The record lives on, so it lives on everywhere.
        edited = gone
    fates: dict[str, Fate] = {side.binding.binding_id: Act.RESTORE for side in edited}
    left = [side for side in gone if side.binding.binding_id not in fates]
    fate: Fate = _ask(snapshot, left) if left and rule is OnDelete.ASK else rule
    fates |= {side.binding.binding_id: fate for side in left}
    if left and spreads:
        for side in snapshot.sides:
            if side.binding.state is BindingState.ACTIVE:
                fates.setdefault(side.binding.binding_id, Act.DELETE)
            elif side.binding.state is BindingState.PENDING:
                fates[side.binding.binding_id] = OnDelete.DETACH
    return fates


def _lasts(side: Side) -> bool:
    return side.lasting and side.binding.state is BindingState.ACTIVE


def _edited_elsewhere(snapshot: Snapshot, side: Side, edits: Edits, computed: frozenset[str], spreads: bool) -> bool:
    mapped = side.mapped
    if any(origin != side.system and (spreads or name in mapped) for name, origin in edits):
        return True
    return bool(debts(snapshot.golden, side, side.base, _NOTHING).fields.keys() - computed)


def _ask(snapshot: Snapshot, left: list[Side]) -> Fate:
    asked = tuple(sorted((side.system, None) for side in left))
    answer = snapshot.resolutions.get("*")
    if answer is None or answer.candidates != asked:
        return Hold("*", asked[0][0], "children" if snapshot.children else "deleted", asked)
    return Act.RESTORE if answer.value == "restore" else OnDelete.DETACH


def _reprieve(snapshot: Snapshot) -> dict[str, Fate]:
    """Asks before the condemned sides of a record go at which somebody points meanwhile."""
    condemned = [side for side in snapshot.sides if side.binding.state is BindingState.DOOMED]
    answer = _ask(snapshot, condemned)
    if answer is Act.RESTORE:
        return _spare(snapshot)
    fate: Fate = answer if isinstance(answer, Hold) else Act.ADOPT
    return {side.binding.binding_id: fate for side in condemned}


def _spare(snapshot: Snapshot) -> dict[str, Fate]:
    """Lets an edit call a spreading delete off: the condemned sides stay, the deleted ones come back."""
    fates: dict[str, Fate] = {}
    for side in snapshot.sides:
        state, seen = side.binding.state, side.observation
        alive = seen is not None and seen.kind is Kind.UPSERT
        gone = seen is not None and seen.kind is Kind.GONE
        if state is BindingState.DOOMED:
            fates[side.binding.binding_id] = Act.RESTORE if gone else Act.ADOPT
        elif (state is BindingState.DETACHED and not alive) or (gone and state is BindingState.ACTIVE):
            fates[side.binding.binding_id] = Act.RESTORE
    return fates
