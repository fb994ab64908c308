"""Deletes need evidence, merges keep one record, and guards stop a mass before the first write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.base import Deletes
from connectors.memory import FULL, FaultKind
from hub.core.state import BindingState, GoldenState
from hub.kernel.settings import Guards, Threshold
from hub.store.tables import binding
from tests.scenarios import desk
from tests.scenarios.invariants import check_audit
from tests.scenarios.world import OPEN, SystemSpec, World

FEWEST = Threshold(count=2, percent=20.0)


def client(number: int, **fields: object) -> dict[str, object]:
    return {
        "customer_kind": "individual",
        "full_name": f"Person {number}",
        "mobile": f"+861380000{number:04d}",
        **fields,
    }


def crowd(count: int, *, on_delete: str = "detach", guards: Guards = OPEN, **changes: object) -> World:
    """Returns a synced world of two systems with `count` people, made in the first."""
    can = replace(FULL, **changes)  # type: ignore[arg-type]
    world = World([SystemSpec("a1", can=can), SystemSpec("a2")], on_delete=on_delete, guards=OPEN)
    for number in range(count):
        world.create("a1", client(number))
    world.settle()
    if guards is not OPEN:
        world.rules = replace(world.rules, limits=_limits(guards))
    return world


def _limits(guards: Guards) -> object:
    made = World([SystemSpec("a1")], guards=guards)
    made.close()
    return made.rules.limits


def one(world: World, system: str, number: int = 0) -> str:
    return world.find(system, f"Person {number}")[0]


@pytest.mark.parametrize("deletes", [Deletes.FEED, Deletes.FLAG])
def test_delete_of_an_unchanged_record_detaches_it(deletes: Deletes) -> None:
    world = crowd(2, deletes=deletes)
    world.delete("a1", one(world, "a1"))
    before = world.mark()
    world.settle()
    assert world.writes(before) == [], "inv 12: detach deletes nothing anywhere"
    assert len(world.live("a2")) == 2
    states = [b.state for b in world.bindings().values() if b.system == "a1"]
    assert sorted(states) == [BindingState.ACTIVE, BindingState.DETACHED]


def test_delete_spreads_where_the_rule_says_so() -> None:
    world = crowd(2, on_delete="propagate")
    world.delete("a1", one(world, "a1"))
    world.settle()
    assert [fields["name"] for _, fields in world.live("a2").values()] == ["Person 1"]
    check_audit(world)


@pytest.mark.parametrize("on_delete", ["detach", "propagate"])
def test_delete_on_one_side_and_edit_on_the_other(on_delete: str) -> None:
    world = crowd(1, on_delete=on_delete)
    first, second = one(world, "a1"), one(world, "a2")
    world.delete("a1", first)
    world.edit("a2", second, city="Wuhan")
    world.settle()
    assert world.shows("a2", second)["city"] == "Wuhan", "inv 13: the edit is not lost"
    again = world.find("a1", "Person 0")
    assert len(again) == 1, "inv 13: the record is restored"
    assert world.shows("a1", again[0])["city"] == "Wuhan"
    check_audit(world)


def test_edit_that_meets_a_spreading_delete_on_its_way_calls_it_off() -> None:
    world = crowd(1, on_delete="propagate")
    first, second = one(world, "a1"), one(world, "a2")
    world.delete("a1", first)
    connector = world.hub.links["a2"].connector

    def meanwhile(operation: str) -> None:
        # After a2 was read and before the delete reaches it, somebody there edits the record.
        if operation == "deletions":
            connector.meanwhile = None  # type: ignore[attr-defined]
            world.edit("a2", second, city="Wuhan")

    connector.meanwhile = meanwhile  # type: ignore[attr-defined]
    world.settle()
    assert world.shows("a2", second)["city"] == "Wuhan", "inv 13: the edit is not lost"
    assert len(world.find("a1", "Person 0")) == 1, "inv 13: and the record lives on everywhere"


def test_archive_keeps_the_other_side() -> None:
    world = crowd(1, on_delete="archive")
    world.delete("a1", one(world, "a1"))
    world.settle()
    assert [record.state for record in world.goldens().values()] == [GoldenState.ARCHIVED]
    assert len(world.live("a2")) == 1


@pytest.mark.parametrize(("reply", "left"), [("restore", 1), ("detach", 0)])
def test_asked_delete(reply: str, left: int) -> None:
    world = crowd(1, on_delete="ask")
    world.delete("a1", one(world, "a1"))
    report = world.settle()
    assert "holds=1" in report.reasons
    desk.answer_questions(world, lambda question: reply)
    world.settle()
    assert len(world.find("a1", "Person 0")) == left
    assert len(world.live("a2")) == 1, "nothing is ever deleted on the other side"


def test_merge_of_a_bound_loser_moves_its_binding() -> None:
    world = crowd(1)
    loser = one(world, "a1")
    world.faults("a1").inject(FaultKind.RETRY_LATER, "changes")
    survivor = world.create("a1", client(0, city="Lhasa"), "Person 0")
    world.merge("a1", loser, survivor)
    world.settle()
    desk.answer_matches(world)
    world.settle()
    assert len(world.live("a1")) == 1, "inv 25: the loser never returns"
    bound = world.bindings()["a1", survivor]
    assert bound.state is BindingState.ACTIVE
    assert bound.hub_id == world.bindings()["a2", one(world, "a2")].hub_id, "inv 25: one live golden record"
    assert world.shows("a2", one(world, "a2"))["city"] == "Lhasa"


def test_merge_of_two_bound_records_deletes_nothing_elsewhere() -> None:
    world = crowd(2)
    loser, survivor = one(world, "a1", 0), one(world, "a1", 1)
    before = world.mark()
    world.join("Person 0", "Person 1")
    world.merge("a1", loser, survivor)
    world.settle()
    assert world.writes(before) == [], "inv 25: the other system gets a proposal, never a delete"
    assert list(world.live("a1")) == [survivor]
    (asked,) = desk.asked(world, "hold")
    assert asked.candidates == (("a1", world.bindings()["a1", survivor].hub_id),), "and a person is asked"
    desk.answer(world, asked, "apart")
    world.settle()
    assert (world.writes(before), world.bindings()["a1", loser].state) == ([], BindingState.DETACHED)


def test_two_losers_of_one_unknown_survivor() -> None:
    world = crowd(2)
    losers = [one(world, "a1", 0), one(world, "a1", 1)]
    # It shares a phone with one of them, so it waits in the inbox until everybody is known.
    survivor = world.create("a1", client(7, mobile="+8613800000000"), "Person 7")
    for number, loser in enumerate(losers):
        world.join(f"Person {number}", "Person 7")
        world.merge("a1", loser, survivor)
    world.settle()
    (asked,) = desk.asked(world, "hold")
    assert asked.hub_id != world.bindings()["a1", survivor].hub_id, "inv 25: one of them hands its binding on, one asks"
    desk.answer(world, asked, "join")
    world.settle()
    bound = [b for b in world.bindings().values() if b.system == "a1" and b.state is BindingState.ACTIVE]
    assert [b.native_id for b in bound] == [survivor], "inv 11: one record, one active binding"
    assert len(world.live("a2")) == 2, "the other system is left alone"


def test_survivor_that_somebody_was_asked_about_keeps_its_values() -> None:
    world = crowd(2)
    world.edit("a2", one(world, "a2", 0), mobile="+8613800000099")
    world.settle()
    # Shares only a phone with Person 1, who stands in a1 already: nobody knows yet who this is.
    survivor = world.create("a1", client(8, mobile="+8613800000001", city="Lhasa", note="blue"), "Person 8")
    world.cycle()
    loser = one(world, "a1", 0)
    world.join("Person 0", "Person 8")
    world.edit("a2", one(world, "a2", 0), stage="active")
    world.merge("a1", loser, survivor)
    world.settle()
    desk.answer_questions(world, lambda question: question.candidates[0][1])
    world.settle()
    assert world.shows("a1", survivor)["city"] == "Lhasa", "inv 7: what the survivor held is not overwritten unseen"


def test_mass_delete_stops_before_the_first_write() -> None:
    guards = OPEN.model_copy(update={"max_deletes": FEWEST})
    world = crowd(6, on_delete="propagate", guards=guards)
    for number in range(4):
        world.delete("a1", one(world, "a1", number))
    before = world.mark()
    for _ in range(3):
        report = world.cycle()
        assert world.writes(before) == [], "inv 28: zero writes until release"
        assert "guard:mass_gone:a1=4" in report.reasons
    assert desk.release_guards(world) == 1
    world.settle()
    desk.release_guards(world)
    world.settle()
    assert len(world.live("a2")) == 2


def test_nobody_is_created_where_newcomers_wait_behind_a_guard() -> None:
    world = crowd(6, guards=OPEN.model_copy(update={"max_changes": FEWEST}))
    for number in range(5):
        world.edit("a2", one(world, "a2", number), city="Wuhan")
    newcomer = {"customer_kind": "individual", "full_name": "Newcomer", "code": "ID99"}
    for system in ("a1", "a2"):
        world.create(system, newcomer)
    for _ in range(3):
        report = world.cycle()
        assert "guard:mass_change:a2=5" in report.reasons
        assert len(world.live("a2")) == 7, "the newcomer is there already, unread behind the guard"
    desk.release_guards(world)
    world.settle()
    desk.release_guards(world)
    world.settle()
    assert (len(world.live("a1")), len(world.live("a2")), len(world.goldens())) == (7, 7, 7)


@pytest.mark.parametrize("recognised", [True, False], ids=["as_ever", "after_a_new_digest_key"])
def test_mass_change_stops_before_the_first_write(recognised: bool) -> None:
    guards = OPEN.model_copy(update={"max_changes": FEWEST})
    world = crowd(6, guards=guards)
    if not recognised:
        with world.engine.begin() as conn:
            conn.execute(binding.update().values(obs_digest=b""))
        for number in range(6):
            world.systems["a1"].edit("Client", one(world, "a1", number), {"own": f"own:Person {number}"})
        before = world.mark()
        report = world.cycle()
        assert report.counts["read"] >= 6
        assert not report.counts.get("changed"), "what is equal when opened did not change"
        assert world.writes(before) == []
    for number in range(5):
        world.edit("a1", one(world, "a1", number), city="Wuhan")
    before = world.mark()
    for _ in range(3):
        report = world.cycle()
        assert world.writes(before) == [], "inv 28: zero writes until release"
        assert "guard:mass_change:a1=5" in report.reasons
    desk.release_guards(world)
    world.settle()
    desk.release_guards(world)
    world.settle()
    assert [world.shows("a2", native_id)["city"] for native_id in world.live("a2")].count("Wuhan") == 5


@pytest.mark.parametrize("fault", ["empty", "truncated"])
def test_bad_listing_deletes_nothing(fault: str) -> None:
    guards = OPEN.model_copy(update={"max_shrink_percent": 20.0, "max_deletes": FEWEST})
    world = crowd(8, on_delete="propagate", guards=guards)
    if fault == "truncated":
        world.faults("a1").inject(FaultKind.TRUNCATED, "list_ids")
    else:
        for native_id in world.live("a1"):
            world.systems["a1"].hide_record("Client", native_id)
    before, state = world.mark(), world.goldens()
    found = world.hub.reconcile()
    assert {item.stopped for item in found if item.system == "a1"} == {"shrank" if fault == "truncated" else "empty"}
    world.settle()
    assert world.writes(before) == [], "inv 14: a bad listing causes no write"
    assert world.goldens() == state, "inv 14: and changes nothing here"


def test_lost_permission_is_no_delete() -> None:
    world = crowd(4, on_delete="propagate")
    lost = one(world, "a1")
    world.systems["a1"].hide_record("Client", lost)
    before, state = world.mark(), world.goldens()
    found = world.hub.reconcile()
    assert [item.unseen for item in found if item.system == "a1"] == [1]
    world.settle()
    assert (world.writes(before), world.goldens()) == ([], state), "inv 14/21: out of sight is not deleted"


def test_hidden_field_is_no_clear() -> None:
    world = crowd(2)
    first = one(world, "a1")
    world.edit("a1", first, city="Wuhan", note="red")
    world.settle()
    world.systems["a1"].hide_field("Client", "city")
    world.edit("a1", first, note="blue")
    world.settle()
    shown = world.shows("a2", one(world, "a2"))
    assert (shown["city"], shown["note"]) == ("Wuhan", "blue"), "inv 21: a hidden field changes nothing"


def test_reconcile_proves_a_delete_that_no_stream_told() -> None:
    world = crowd(3, on_delete="propagate", deletes=Deletes.FLAG)
    world.delete("a1", one(world, "a1"))
    world.drop_cursors("a1")
    world.settle()
    assert len(world.live("a2")) == 3, "a listing that lacks a record proves nothing"
    world.hub.reconcile()
    world.settle()
    assert len(world.live("a2")) == 2, "inv 16: the direct read proves it"


def test_write_that_meets_a_deleted_record_learns_of_the_delete() -> None:
    world = crowd(2, deletes=Deletes.FLAG, merge_feed=False)
    world.delete("a1", one(world, "a1"))
    world.drop_cursors("a1")
    world.settle()
    world.edit("a2", one(world, "a2"), city="Wuhan")
    world.settle()
    again = world.find("a1", "Person 0")
    assert len(again) == 1, "inv 13/16: the write was told `gone`; the edit restores the record"
    assert world.shows("a1", again[0])["city"] == "Wuhan"


def test_edit_restores_a_record_that_was_deleted_for_good_by_making_it_anew() -> None:
    world = crowd(1, deletes=Deletes.FLAG, external_key_unique=False)
    first = one(world, "a1")
    world.delete("a1", first)
    world.edit("a2", one(world, "a2"), city="Wuhan")
    world.faults("a1").inject(FaultKind.RETRY_LATER, "write")
    world.cycle()
    world.systems["a1"].hide_record("Client", first)  # purged before the restore arrives
    world.settle()
    (again,) = world.live("a1")
    assert again != first
    assert world.shows("a1", again)["city"] == "Wuhan", "inv 13: the edit is not lost, and the record lives on"
    check_audit(world)
