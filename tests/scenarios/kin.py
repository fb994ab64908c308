"""Random tickets and visits for the histories of three entities, and who they may point at."""

from __future__ import annotations

from random import Random
from typing import Any

from hub.core.state import GoldenState
from hub.mapping.references import parse_ref
from tests.scenarios.world import ENTITY_OF, World, schema

TITLES = ("card", "loan", "app", "fee")
CHANNELS = ("phone", "counter", "video")
OUTCOMES = ("reached", "no_answer")
DAYS = ("2026-01-05T01:00:00Z", "2026-02-05T01:00:00Z", "2026-03-05T01:00:00Z", "2026-04-05T01:00:00Z")


def draw_child(rng: Random, entity: str, count: int) -> dict[str, Any]:
    """Draws values of some fields that are no references."""
    values: dict[str, tuple[Any, ...]] = {"title": TITLES}
    if entity == "visit":
        values = {"summary": TITLES, "outcome": OUTCOMES, "happened_at": DAYS}
    return {name: rng.choice(values[name]) for name in rng.sample(sorted(values), min(count, len(values)))}


def living(world: World, system: str, entity: str) -> list[str]:
    return sorted(key for key, (object_, _) in world.live(system).items() if ENTITY_OF[object_] == entity)


def draw_parents(world: World, rng: Random, entity: str, system: str, chance: float) -> dict[str, str]:
    """Draws whom a record of a system points at, each reference by chance but the one it must have."""
    found = {}
    for name, target in schema().entity(entity).references().items():
        there = living(world, system, target)
        if there and (rng.random() < chance or schema().entity(entity).fields[name].required):
            found[name] = rng.choice(there)
    return found


def parents(world: World) -> list[tuple[str, str, str]]:
    """Returns the clients that something points at: (system, native id of the client, of one child)."""
    found = []
    for system in sorted(world.systems):
        clients = set(living(world, system, "client"))
        for entity in world.entities[1:]:
            for child in living(world, system, entity):
                shown = world.shows(system, child).get("client_id")
                parent = None if shown is None else parse_ref(shown)[1]
                if parent in clients:
                    found.append((system, str(parent), child))
    return found


def draw_edit(world: World, rng: Random, system: str, native_id: str, entity: str) -> dict[str, Any]:
    """Draws an edit of a ticket or visit: often of what it points at."""
    fields: dict[str, Any] = draw_child(rng, entity, rng.choice((0, 1, 1, 2)))
    if rng.random() < 0.5:
        parents = draw_parents(world, rng, entity, system, 1.0)
        if parents:
            name = rng.choice(sorted(parents))
            fields[name] = parents[name]
    if rng.random() < 0.12:
        fields[{"ticket": rng.choice(("client_id", "repeat_of")), "visit": "ticket_id"}[entity]] = None
    if entity == "visit" and rng.random() < 0.12:
        fields["channel"] = rng.choice(CHANNELS)
    return fields


def draw_hub_edit(world: World, rng: Random, hub_id: str) -> dict[str, Any]:
    """Draws what a person at the hub changes of a ticket or visit; references are hub ids of live records."""
    goldens = world.goldens()
    entity = goldens[hub_id].entity
    names = schema().entity(entity).references()
    name = rng.choice(sorted(names))
    there = sorted(h for h, g in goldens.items() if g.entity == names[name] and g.state is GoldenState.LIVE)
    if there and rng.random() < 0.5:
        return {name: rng.choice(there)}
    return draw_child(rng, entity, 1)
