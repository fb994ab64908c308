"""Clients who stand in three objects of one system: who waits for whom, what moves and merges, and a later start."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.core.fates import JOIN
from hub.core.state import BindingState
from hub.sync.cycle import Outcome
from tests.scenarios import desk
from tests.scenarios.world import SCHEMA, SystemSpec, World

PERSON = {"customer_kind": "individual", "consent": "granted"}


@pytest.fixture
def world() -> Iterator[World]:
    made = World([SystemSpec("home", "parted"), SystemSpec("other", "alpha")], seed=5)
    yield made
    made.close()


def holder(world: World, who: str) -> str:
    return world.create("home", {**PERSON, "full_name": who, "code": who}, who)


def contact(world: World, main: str, mobile: str) -> str:
    fields = {"holder": main, "mobile": mobile, "primary": "yes", "label": "x"}
    return world.systems["home"].create("Contact", fields)


def mobile(world: World, who: str) -> Any:
    [native_id] = world.find("other", who)
    return world.shows("other", native_id)["mobile"]


def parts(world: World) -> dict[str, tuple[str, BindingState]]:
    """Returns the bindings of contacts: native id -> (hub id, state)."""
    found = world.bindings().values()
    return {str(b.native_id): (b.hub_id, b.state) for b in found if b.object == "Contact" and b.native_id}


def test_a_contact_waits_for_its_main_record_and_is_nobody_until_then(world: World) -> None:
    early = contact(world, "home-000002", "13800000001")
    assert world.settle().outcome is not Outcome.CONVERGED
    assert world.goldens() == {}
    assert holder(world, "Ann") == "home-000002"
    report = world.settle()
    assert (report.outcome, mobile(world, "Ann")) == (Outcome.CONVERGED, "+8613800000001")
    assert len(world.goldens()) == 1
    assert list(parts(world)) == [early]


def test_a_contact_that_vendors_repoint_after_a_merge_goes_on_with_the_survivor(world: World) -> None:
    main = holder(world, "Ann")
    contact(world, main, "13800000001")
    world.settle()
    survivor = world.create("home", {**PERSON, "full_name": "Ann B", "code": "Ann B"}, "Ann")
    world.merge("home", main, survivor)
    world.settle()
    desk.answer_questions(world, lambda q: JOIN if q.field == "*" else q.candidates[0][1])
    # The other system had both by then: people are to merge them there.
    assert world.settle().reasons == ("merges_there=1",)
    [(hub_id, state)] = parts(world).values()
    places = {b.native_id for b in world.bindings().values() if b.hub_id == hub_id and b.state is BindingState.ACTIVE}
    assert (state, survivor in places) == (BindingState.ACTIVE, True)


@pytest.mark.parametrize("both", [False, True])
def test_two_clients_that_become_one_keep_one_contact(world: World, both: bool) -> None:
    first, second = holder(world, "Ann"), holder(world, "Bob")
    lost = contact(world, first, "13800000001")
    kept = contact(world, second, "13800000002") if both else lost
    world.settle()
    world.join("Ann", "Bob")
    world.merge("home", first, second)
    for _ in range(3):
        world.settle()
        desk.answer_questions(world, lambda q: JOIN if q.field == "*" else q.candidates[0][1])
    report = world.settle()
    live = [record for record in world.goldens().values() if record.state == "live"]
    assert len(live) == 1
    bound = parts(world)
    if both:
        assert bound[kept] == (live[0].hub_id, BindingState.ACTIVE)
        assert bound[lost][1] is BindingState.SUPERSEDED
    assert not [reason for reason in report.reasons if "PART" in reason]
    assert not [b for b in world.bindings().values() if b.dirty]
    world.edit("home", kept, mobile="+8613800000009")
    world.settle()
    if both:
        assert live[0].hub_id in world.goldens()
        assert world.goldens()[live[0].hub_id].fields["mobile"] == "+8613800000009"


def test_a_contact_that_people_moved_is_neither_read_nor_written(world: World) -> None:
    first, second = holder(world, "Ann"), holder(world, "Bob")
    moved = contact(world, first, "13800000001")
    world.settle()
    world.systems["home"].edit("Contact", moved, {"holder": second, "mobile": "13800000009"})
    assert world.settle().reasons == ("quarantine:HUB-PART-001:home=1",)
    world.edit("other", world.find("other", "Ann")[0], mobile="+8613800000002")
    assert world.settle().counts["waiting_main"] == 1
    assert world.systems["home"].records("Contact")[moved]["mobile"] == "13800000009"
    assert (mobile(world, "Ann"), mobile(world, "Bob")) == ("+8613800000002", None)
    world.systems["home"].edit("Contact", moved, {"holder": first, "mobile": "13800000001"})
    assert world.settle().outcome is Outcome.CONVERGED
    assert world.systems["home"].records("Contact")[moved]["mobile"] == "+8613800000002"


def test_nothing_is_written_to_a_contact_that_points_at_a_place_nobody_knows(world: World) -> None:
    main = holder(world, "Ann")
    moved = contact(world, main, "13800000001")
    world.settle()
    world.systems["home"].edit("Contact", moved, {"holder": "home-999999"})
    assert world.settle().reasons == ("parked=1",)
    world.edit("other", world.find("other", "Ann")[0], mobile="+8613800000002", note="n")
    assert world.settle().counts["waiting_main"] == 1
    assert world.systems["home"].records("Contact")[moved]["mobile"] == "13800000001"
    assert world.systems["home"].records("Holder")[main]["note"] == "n"
    world.systems["home"].edit("Contact", moved, {"holder": main})
    assert world.settle().outcome is Outcome.CONVERGED
    assert world.systems["home"].records("Contact")[moved]["mobile"] == "+8613800000002"


def test_a_contact_that_left_the_part_goes_on_as_anybodys(world: World) -> None:
    main = holder(world, "Ann")
    left = contact(world, main, "13800000001")
    world.settle()
    world.systems["home"].edit("Contact", left, {"primary": "no"})
    assert world.settle().reasons == ("quarantine:HUB-FILTER-001:home=1",)
    assert mobile(world, "Ann") == "+8613800000001"


def test_an_update_goes_to_the_object_that_has_the_field(world: World) -> None:
    native_id = world.create("other", {**PERSON, "full_name": "Ann", "city": "Xian", "mobile": "+8613800000001"}, "Ann")
    world.settle()
    for name, value, object_ in (
        ("note", "n", "Holder"),
        ("birth_date", "1990-07-01", "Contact"),
        ("city", "Wuhan", "Address"),
    ):
        mark = world.mark()
        world.edit("other", native_id, **{name: value})
        world.settle()
        assert [commit.object for _, commit in world.writes(mark)] == [object_]


def test_parts_switched_on_later_take_the_contacts_up_that_are_there(world: World, tmp_path: Path) -> None:
    shutil.copytree(SCHEMA, tmp_path / "schema")
    file = tmp_path / "schema" / "parted" / "client.core.yaml"
    file.write_text(file.read_text(encoding="utf-8").split("    parts:")[0], encoding="utf-8")
    contact(world, holder(world, "Ann"), "13800000001")
    holder(world, "Bob")
    world.folder = tmp_path / "schema"
    world.restart()
    world.settle()
    world.edit("other", world.find("other", "Bob")[0], mobile="+8613800000002")
    world.settle()
    assert parts(world) == {}
    world.folder = SCHEMA
    world.restart()
    assert world.settle().outcome is Outcome.CONVERGED
    found = world.systems["home"].records("Contact")
    assert sorted(row["mobile"] for row in found.values()) == ["+8613800000002", "13800000001"]
    assert len(parts(world)) == 2
    assert mobile(world, "Ann") == "+8613800000001"
    # Switched off again, the side records stay as they are and nothing is written to them.
    world.folder = tmp_path / "schema"
    world.restart()
    world.edit("other", world.find("other", "Bob")[0], mobile="+8613800000003")
    assert world.settle().outcome is Outcome.CONVERGED
    assert world.systems["home"].records("Contact") == found
