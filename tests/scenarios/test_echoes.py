"""Our own writes come back and mean nothing; stale reads and rewriting vendors start no loop."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.memory import FULL, FaultKind
from tests.scenarios import desk
from tests.scenarios.world import SystemSpec, World

ANNA = {"customer_kind": "individual", "full_name": "Anna Li", "mobile": "+8613800000001", "city": "Xian"}


def pair(**changes: object) -> tuple[World, str, str]:
    """Returns a synced world of two systems and the record's ids; `changes` are what the second cannot do."""
    world = World([SystemSpec("a1"), SystemSpec("a2", can=replace(FULL, **changes))])  # type: ignore[arg-type]
    first = world.create("a1", ANNA)
    world.settle()
    return world, first, next(iter(world.live("a2")))


def test_stale_read_after_our_write() -> None:
    world, first, second = pair(visibility_lag=60.0)
    world.edit("a2", second, note="red")
    world.time.pass_(55)
    world.cycle()
    world.edit("a1", first, city="Wuhan")
    world.cycle()
    assert world.shows("a2", second)["city"] == "Wuhan"
    world.faults("a2").inject(FaultKind.STALE, "changes", times=3)
    counts = [world.cycle().counts for _ in range(3)]
    assert world.golden("Anna Li")["city"] == "Wuhan", "inv 7: a stale read is no edit"
    assert world.shows("a1", first)["city"] == "Wuhan"
    assert all(count["stale"] for count in counts), "each page showed the record as it was before our write"


def test_stale_read_where_versions_are_not_ordered_is_read_again() -> None:
    world, first, second = pair(visibility_lag=60.0, ordered_versions=False)
    world.edit("a2", second, note="red")
    world.time.pass_(55)
    world.cycle()
    world.edit("a1", first, city="Wuhan")
    world.cycle()
    world.faults("a2").inject(FaultKind.STALE, "changes", times=3)
    before = world.mark()
    for _ in range(3):
        world.cycle()
    assert world.golden("Anna Li")["city"] == "Wuhan", "inv 7: a stale read is no edit"
    assert world.writes(before) == [], "inv 9: and it causes no write"


def test_one_edit_causes_one_write_per_other_system_naming_only_its_field() -> None:
    world = World([SystemSpec("a1"), SystemSpec("a2"), SystemSpec("b1", "beta")])
    first = world.create("a1", ANNA)
    world.settle()
    before = world.mark()
    world.edit("a1", first, city="Wuhan")
    world.settle()
    caused = world.writes(before)
    assert sorted((name, *commit.fields) for name, commit in caused) == [("a2", "city"), ("b1", "Town")], "inv 9"


def test_touching_a_record_causes_no_write() -> None:
    world, first, _ = pair()
    before = world.mark()
    world.edit("a1", first, city="Xian")
    world.systems["a1"].edit("Client", first, {"own": "own:Anna Li"})
    world.settle()
    assert world.writes(before) == [], "inv 1: nothing changed, nothing is written"


@pytest.mark.parametrize("shown", [True, False])
def test_rewriting_vendor_settles(shown: bool) -> None:
    world = World([SystemSpec("a1"), SystemSpec("a2", shows_written=shown)])
    world.systems["a2"].rewrite("Client", "city", lambda value: value and value.upper())
    world.create("a1", ANNA)
    world.settle()
    before = world.mark()
    world.settle()
    assert world.writes(before) == [], "inv 3: a rewriting vendor starts no loop"
    second = next(iter(world.live("a2")))
    assert world.shows("a2", second)["city"] == "XIAN"


def test_two_rules_that_fight_are_frozen() -> None:
    world = World([SystemSpec("a1"), SystemSpec("a2")], oscillation=3)
    first = world.create("a1", ANNA)
    world.settle()
    second = next(iter(world.live("a2")))
    for _ in range(6):
        # Each side's automation puts back its own value whenever it sees the other's.
        if world.shows("a1", first)["city"] == "Xian":
            world.edit("a1", first, city="Wuhan")
        world.time.pass_(60)
        world.cycle()
        if world.shows("a2", second)["city"] == "Wuhan":
            world.edit("a2", second, city="Xian")
        world.time.pass_(60)
        world.cycle()
    holds = desk.asked(world, "hold")
    assert [(hold.field, hold.rule) for hold in holds] == [("city", "oscillation")]
    before = world.mark()
    world.settle()
    assert world.writes(before) == [], "inv 3: a frozen field is written no more"
    desk.answer_questions(world, lambda question: "Wuhan")
    world.settle()
    assert world.golden("Anna Li")["city"] == "Wuhan"


def test_record_edited_during_our_write_keeps_both_edits() -> None:
    world, first, second = pair()
    world.edit("a1", first, city="Wuhan")

    def meanwhile(operation: str) -> None:
        if operation == "write":
            world.hub.links["a2"].connector.meanwhile = None  # type: ignore[attr-defined]
            world.edit("a2", second, note="green")

    world.hub.links["a2"].connector.meanwhile = meanwhile  # type: ignore[attr-defined]
    world.cycle()
    world.settle()
    for system, native_id in (("a1", first), ("a2", second)):
        shown = world.shows(system, native_id)
        assert (shown["city"], shown["note"]) == ("Wuhan", "green"), "inv 5/7: both edits live"


def test_golden_record_edited_during_our_write_is_written_afterwards() -> None:
    world, first, second = pair()
    world.edit("a1", first, city="Wuhan")

    def meanwhile(operation: str) -> None:
        if operation == "write":
            world.hub.links["a2"].connector.meanwhile = None  # type: ignore[attr-defined]
            world.edit("a1", first, city="Lhasa")

    world.hub.links["a2"].connector.meanwhile = meanwhile  # type: ignore[attr-defined]
    world.cycle()
    world.settle()
    assert world.shows("a2", second)["city"] == "Lhasa", "inv 7: the base is what was written, not what is true now"


def test_record_that_moved_since_it_was_read_is_read_again_before_it_is_written() -> None:
    world, first, second = pair(visibility_lag=30.0)
    world.edit("a1", first, city="Wuhan")
    world.edit("a2", second, city="Lhasa", note="blue")
    # The index of a2 does not show its edit yet, so the write meets a version that the hub does not know.
    world.cycle()
    world.settle()
    shown = world.shows("a2", second)
    assert shown["note"] == "blue", "inv 7"
    assert {world.shows("a1", first)["city"], shown["city"]} == {"Wuhan"}, "both edited: the preferred system wins"
