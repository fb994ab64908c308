"""An update of a field that a system takes by a call of its own: two writes, two intents, and a death between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.memory import FULL, Killed
from tests.scenarios.invariants import check_always, check_audit
from tests.scenarios.world import SystemSpec, World

OWN = replace(FULL, own_call_fields=("Phase",))


def started() -> World:
    """Returns a world with one person in both systems."""
    made = World([SystemSpec("a1"), SystemSpec("b1", "beta", can=OWN)])
    made.create("a1", {"customer_kind": "individual", "full_name": "Person 1", "code": "ID1", "stage": "lead"})
    made.settle()
    return made


@pytest.fixture
def world() -> Iterator[World]:
    made = started()
    yield made
    check_always(made)
    check_audit(made)
    made.close()


def edit(world: World, **fields: Any) -> str:
    """Edits the person in the one system and returns its record in the other."""
    world.edit("a1", next(iter(world.live("a1"))), **fields)
    return str(next(iter(world.live("b1"))))


def written(world: World, mark: dict[str, int]) -> list[set[str]]:
    """Returns the fields of each write to the other system."""
    return [set(commit.fields) for name, commit in world.writes(mark) if name == "b1"]


def intents(world: World) -> list[tuple[str, str]]:
    with world.engine.connect() as conn:
        query = "SELECT op, outcome FROM intent WHERE system = 'b1' AND op = 'update' ORDER BY intent_id"
        return [(str(row[0]), str(row[1])) for row in conn.execute(sa.text(query))]


def test_the_rest_is_written_first_and_both_within_one_cycle(world: World) -> None:
    there, mark = edit(world, stage="active", note="red"), world.mark()
    world.time.pass_(60)
    world.cycle()
    assert written(world, mark) == [{"Remark"}, {"Phase"}]
    assert intents(world) == [("update", "written")] * 2
    assert {"stage": "active", "note": "red"}.items() <= world.shows("b1", there).items()
    world.settle()
    assert len(written(world, mark)) == 2, "nothing is owed any more"


def test_alone_it_is_one_write(world: World) -> None:
    edit(world, stage="active")
    mark = world.mark()
    world.settle()
    assert written(world, mark) == [{"Phase"}]


def test_a_refused_first_step_is_not_followed(world: World) -> None:
    there, mark = edit(world, stage="active", note="red"), world.mark()
    world.systems["b1"].lock_record("Person", there)
    world.time.pass_(60)
    world.cycle()
    assert written(world, mark) == []
    assert [said for _, said in intents(world)] == ["deferred"]
    world.systems["b1"].lock_record("Person", there, locked=False)
    world.settle()
    assert written(world, mark) == [{"Remark"}, {"Phase"}]


def test_a_death_anywhere_leaves_neither_step_lost_nor_done_twice() -> None:
    boundary, between, died = 8, 0, True
    while died:
        world = started()
        edit(world, stage="active", note="red")
        mark = world.mark()
        world.time.pass_(60)
        world.hub.mortality.kill_after(boundary)
        try:
            world.cycle()
            died = False
            world.hub.mortality.kill_after(None)
        except Killed:
            between += written(world, mark) == [{"Remark"}]
            world.restart()
        world.settle()
        [there] = world.live("b1")
        assert {"stage": "active", "note": "red"}.items() <= world.shows("b1", there).items()
        assert written(world, mark) == [{"Remark"}, {"Phase"}], f"killed at boundary {boundary}"
        check_always(world)
        world.close()
        boundary += 2
    assert between >= 2, "some deaths lay between the two steps"
