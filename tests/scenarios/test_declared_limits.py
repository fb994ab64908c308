"""Systems that let nobody create, change or delete: what they do not take is counted, and nothing waits for it."""

from __future__ import annotations

from dataclasses import replace

from connectors.memory import FULL
from hub.core.state import BindingState
from tests.scenarios.test_deletes import client
from tests.scenarios.world import SystemSpec, World


def limited(on_delete: str = "detach", **absent: bool) -> World:
    can = replace(FULL, **absent)  # type: ignore[arg-type]
    return World([SystemSpec("a1"), SystemSpec("b1"), SystemSpec("a2", can=can)], on_delete=on_delete)


def test_a_system_whose_records_nobody_may_change_is_owed_nothing_and_still_heard() -> None:
    world = limited(can_update=False)
    here = world.create("a1", client(1, city="Wuhan"))
    world.settle()
    there = world.find("a2", "Person 1")[0]
    before = world.mark()
    world.edit("a1", here, city="Xian")
    report = world.cycle()
    assert report.counts["not_taken"] == 1
    assert (world.settle().reasons, report.counts.get("quarantined", 0)) == ((), 0)
    assert {system for system, _ in world.writes(before)} == {"b1"}
    assert (world.golden("Person 1")["city"], world.shows("a2", there)["city"]) == ("Xian", "Wuhan")
    # What people change there themselves is an edit like any other.
    world.edit("a2", there, city="Lhasa")
    world.settle()
    assert {world.shows(name, world.find(name, "Person 1")[0])["city"] for name in ("a1", "b1", "a2")} == {"Lhasa"}
    world.edit("a1", here, city="Wuhan")
    world.settle()
    assert {(item.missing, item.extra, item.moved) for item in world.hub.reconcile()} == {(0, 0, 0)}
    assert world.golden("Person 1")["city"] == "Wuhan"


def test_a_delete_that_cannot_go_everywhere_goes_nowhere() -> None:
    world = limited("propagate", can_delete=False)
    here = world.create("a1", client(1))
    world.settle()
    before = world.mark()
    world.delete("a1", here)
    report = world.settle()
    assert (report.reasons, world.writes(before)) == ((), [])
    assert [len(world.live(name)) for name in ("a1", "b1", "a2")] == [0, 1, 1]
    states = {system: bound.state for (system, _), bound in world.bindings().items()}
    assert states == {"a1": BindingState.DETACHED, "b1": BindingState.ACTIVE, "a2": BindingState.ACTIVE}


def test_a_system_that_makes_its_records_itself_gets_none() -> None:
    world = limited(can_create=False, can_update=False, can_delete=False)
    world.create("a1", client(1))
    world.create("a2", client(2))
    report = world.settle()
    assert (report.reasons, len(world.live("a2"))) == ((), 1)
    assert (len(world.live("a1")), len(world.live("b1"))) == (2, 2)
    assert world.cycle().standing.debts == 0
