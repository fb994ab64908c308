"""Who stands for records that were merged away, while a batch of the inbox is taken in, and whose place is whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.core.state import Binding, BindingState, GoldenRecord, GoldenState, Kind, Observation
from hub.store import merges, references
from hub.store.database import Connection
from hub.sync.batch import Loaded, Outcome
from hub.sync.engine import RunContext
from hub.sync.references import Split


def survivors_of(conn: Connection, loaded: Loaded) -> dict[tuple[str, str, str], str]:
    """Returns whose record each survivor of a vendor's merge is; what a merged record holds is its heir's."""
    merged = [item for items in loaded.seen.values() for item in items if item.kind is Kind.MERGED and item.survivor]
    found: dict[tuple[str, str, str], str] = {}
    for system in {item.system for item in merged}:
        places = {(item.object, str(item.survivor)) for item in merged if item.system == system}
        owners = references.owners(conn, system, places)
        former = references.former_owners(conn, system, places - owners.keys())
        # A place that a merged record holds can be taken over; one that was left before is nobody's any more.
        held = merges.held_places(conn, system, former)
        loaded.inherited |= {(system, *place) for place in held}
        for place, (hub_id, _) in {**former, **owners}.items():
            found[system, *place] = hub_id
    # Of several losers of one unbound survivor only the first can hand its binding on.
    for hub_id, items in loaded.seen.items():
        for item in items:
            if item.kind is Kind.MERGED and item.survivor:
                found.setdefault((item.system, item.object, item.survivor), hub_id)
    return found


def taken_over(outcomes: Sequence[Outcome], loaded: Loaded) -> set[tuple[str, str, str]]:
    """Returns the places of merged records that their heirs are bound to now."""
    if not loaded.inherited:
        return set()
    live = (item.plan for item in outcomes if item.plan.golden.state is not GoldenState.MERGED)
    return {place_of(side.binding) for plan in live for side in plan.sides} & loaded.inherited


def given_up(bound: Binding, golden: GoldenRecord) -> Binding:
    """Returns a binding whose place changed hands: a merged record gives it up, its heir keeps it."""
    merged = golden.state is GoldenState.MERGED
    return replace(bound, native_id=None, state=BindingState.DETACHED) if merged else bound


def place_of(bound: Binding) -> tuple[str, str, str]:
    """Returns system, object and native id of a binding."""
    return bound.system, bound.object or "", bound.native_id or ""


def untwin(loaded: Loaded, hub_id: str, item: Observation, found: Split) -> Observation:
    """Takes a reference to a living twin of the parent for what it is: an edit, unless it was the parent before.

    Either way it is reminded of, so that the record comes to show the place where the parent itself stands.
    """
    stored = loaded.stored.get(hub_id)
    heirs = found.twins.get(item.obs_id, {}) if stored is not None else {}
    chosen = {name: heir for name, heir in heirs.items() if stored and stored.golden.fields.get(name) != heir}
    if not chosen:
        return item
    loaded.twins[item.obs_id] = frozenset(chosen)
    loaded.strayed[item.obs_id] = loaded.strayed.get(item.obs_id, frozenset()) - chosen.keys()
    return replace(item, fields={**item.fields, **chosen})


def silence_merged(run: RunContext, loaded: Loaded) -> None:
    """Lets what is shown of records that were merged into others wait for no parent."""
    for hub_id, items in loaded.seen.items():
        stored = loaded.stored.get(hub_id)
        if stored is not None and stored.golden.state is GoldenState.MERGED:
            names = run.rules.pointers
            loaded.seen[hub_id] = [
                replace(i, fields={n: v for n, v in i.fields.items() if n not in names}) for i in items
            ]
            for item in items:
                loaded.marks.pop(item.obs_id, None)
