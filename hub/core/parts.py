"""What becomes of the parts of a record, its side objects in one system: they share the fate of the main record there.

A part is a side like any other while it is read and written. It differs where a record comes and goes: it stands only
beside a main record that stands, it goes before it, and its own end is a question and no delete of the customer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hub.core.base import debts
from hub.core.fates import Act, EntityPolicy, Fate, OnDelete, decide_fates, edits_of
from hub.core.merge import Merged
from hub.core.state import BindingState, GoldenRecord, Hold, Kind, Side, Snapshot

MAIN: Final = "main"
PART_DELETED: Final = "part_deleted"
"""Is the guard of a hold about a part that is gone while its main record stands."""
_NOTHING: frozenset[str] = frozenset()


def is_part(side: Side) -> bool:
    return side.binding.part != MAIN


def holds_anything(side: Side, golden: GoldenRecord) -> bool:
    """Tells whether the golden record has a value to keep in this side; a part is not made before it has."""
    return any(golden.fields.get(name) is not None for name in side.writable)


def hush(snapshot: Snapshot) -> Snapshot:
    """Returns the snapshot without what is shown of parts whose main record does not stand: nobody reads them."""
    if not any(is_part(side) for side in snapshot.sides):
        return snapshot
    standing = {side.system for side in snapshot.sides if not is_part(side) and _stands(side)}
    sides = tuple(
        replace(side, observation=None) if is_part(side) and side.system not in standing else side
        for side in snapshot.sides
    )
    return replace(snapshot, sides=sides)


def _stands(main: Side) -> bool:
    left = main.binding.state in (BindingState.DETACHED, BindingState.SUPERSEDED)
    return not left or _is(main, Kind.UPSERT)


def _is(side: Side, *kinds: Kind) -> bool:
    return side.observation is not None and side.observation.kind in kinds


def decide_all(snapshot: Snapshot, merged: Merged, policy: EntityPolicy) -> dict[str, Fate]:
    """Returns the fate of every side that has one, by binding id: of the main records first, then of their parts."""
    parts = [side for side in snapshot.sides if is_part(side)]
    if not parts:
        return decide_fates(snapshot, merged, policy)
    mains = {side.system: side for side in snapshot.sides if not is_part(side)}
    fates = decide_fates(replace(snapshot, sides=tuple(mains.values())), merged, policy)
    alone: list[Side] = []
    found: dict[str, Fate] = {}
    for side in parts:
        main = mains.get(side.system)
        fate = None if main is None else fates.get(main.binding.binding_id)
        followed = _follow(side, main, fate)
        if followed is _ALONE:
            alone.append(side)
        elif followed is not None:
            found[side.binding.binding_id] = followed
    asked = next((fate for fate in fates.values() if isinstance(fate, Hold)), None)
    return fates | found | _judge_alone(snapshot, merged, policy, alone, asked)


_ALONE: Final = Act.PARK
"""Stands for a part that is gone while its main record stays as it is."""
_LEFT = (OnDelete.DETACH, OnDelete.ARCHIVE, OnDelete.PROPAGATE)


def _follow(side: Side, main: Side | None, fate: Fate) -> Fate:
    """Returns what the fate of the main record makes of a part."""
    state, gone = side.binding.state, _is(side, Kind.GONE, Kind.MERGED)
    if state is BindingState.SUPERSEDED:
        return None
    if fate is Act.DELETE:
        return _leave(side, gone, spreads=True)
    if fate in _LEFT:
        condemned = main is not None and main.binding.state is BindingState.DOOMED
        if state is BindingState.DOOMED:
            return OnDelete.DETACH if gone else None
        return _leave(side, gone, spreads=fate is OnDelete.PROPAGATE and not condemned)
    if isinstance(fate, Hold):
        return fate if gone and state is BindingState.ACTIVE else None
    if fate in (Act.RESTORE, Act.ADOPT) or (main is not None and _came_back(main)):
        return _bring_back(side, gone)
    if state is BindingState.DOOMED:
        return OnDelete.DETACH if gone else None
    return _ALONE if gone and state is BindingState.ACTIVE else None


def _leave(side: Side, gone: bool, *, spreads: bool) -> Fate:
    if side.binding.state is BindingState.ACTIVE:
        return Act.DELETE if spreads and not gone else OnDelete.DETACH
    return OnDelete.DETACH if side.binding.state is BindingState.PENDING else None


def _came_back(main: Side) -> bool:
    return main.binding.state is BindingState.DETACHED and _is(main, Kind.UPSERT)


def _bring_back(side: Side, gone: bool) -> Fate:
    """Brings a part back with its main record; one that never existed waits for its first value as before."""
    state = side.binding.state
    if side.binding.native_id is None:
        return Act.RESTORE if state is BindingState.DETACHED else None
    if state is BindingState.DOOMED:
        return Act.RESTORE if gone else Act.ADOPT
    if state is BindingState.DETACHED:
        return None if _is(side, Kind.UPSERT) else Act.RESTORE
    return Act.RESTORE if gone and state is BindingState.ACTIVE else None


def _judge_alone(
    snapshot: Snapshot, merged: Merged, policy: EntityPolicy, alone: Sequence[Side], asked: Hold | None
) -> dict[str, Fate]:
    """Decides about parts that are gone alone: an edit elsewhere brings one back, of the others a person is asked.

    While another question about the whole record is open, theirs waits for its turn.
    """
    if not alone:
        return {}
    fates: dict[str, Fate] = {}
    edits = {(name, origin) for name, origin in edits_of(snapshot, merged) if name not in policy.computed}
    left: list[Side] = []
    for side in alone:
        if (heir := _heir(side, snapshot, policy)) is not None:
            fates[side.binding.binding_id] = heir
        elif _edited(snapshot, side, edits, policy):
            fates[side.binding.binding_id] = Act.RESTORE
        else:
            left.append(side)
    if left:
        fate = asked or _ask(snapshot, left)
        fates |= {side.binding.binding_id: fate for side in left}
    return fates


def _heir(side: Side, snapshot: Snapshot, policy: EntityPolicy) -> Fate:
    """Binds a part to the record that it was merged into, unless that one is somebody else's."""
    seen = side.observation
    if seen is None or seen.kind is not Kind.MERGED:
        return None
    bound = policy.survivors.get((side.system, seen.object, seen.survivor or ""))
    return Act.REBIND if bound in (None, snapshot.golden.hub_id) else None


def _edited(snapshot: Snapshot, side: Side, edits: Collection[tuple[str, str]], policy: EntityPolicy) -> bool:
    if any(origin != side.system and name in side.mapped for name, origin in edits):
        return True
    return bool(debts(snapshot.golden, side, side.base, _NOTHING).fields.keys() - policy.computed)


def _ask(snapshot: Snapshot, left: Sequence[Side]) -> Fate:
    asked = tuple(sorted((f"{side.system}/{side.binding.part}", None) for side in left))
    answer = snapshot.resolutions.get("*")
    if answer is None or answer.candidates != asked:
        return Hold("*", left[0].system, PART_DELETED, asked)
    return Act.RESTORE if answer.value == "restore" else OnDelete.DETACH


@dataclass(frozen=True, slots=True)
class Claim:
    """Is what becomes of the records that point at one main record: which is its part, which are not, who is asked."""

    taken: str | None = None
    spare: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


def judge_claims(bound: bool, claimants: Sequence[str], answers: Mapping[str, bool]) -> Claim:
    """Decides whose record the part is. `answers` says of a native id whether a person said that it is the part.

    A bound part is never changed for another record. Without one the only claimant is the part; of several a person
    is asked, about all of them at once.
    """
    chosen = [each for each in claimants if answers.get(each)]
    open_ = [each for each in claimants if each not in answers]
    if bound:
        return Claim(spare=tuple(claimants))
    if len(chosen) == 1 or (not chosen and len(open_) == 1):
        taken = (chosen or open_)[0]
        return Claim(taken, tuple(each for each in claimants if each != taken))
    refused = tuple(each for each in claimants if answers.get(each) is False)
    return Claim(None, refused, tuple(each for each in claimants if each not in refused))
