"""A record is created exactly once, whatever happens to the call or to the process that makes it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from connectors.memory import FULL, FaultKind, Killed
from tests.scenarios import desk
from tests.scenarios.invariants import check_always, check_audit
from tests.scenarios.world import SystemSpec, World

ANNA = {"customer_kind": "individual", "full_name": "Anna Li", "mobile": "+8613800000001", "note": "red"}

SENT = {"kind": "p", "name": "Anna Li", "mobile": "+8613800000001", "note": "red"}
COMBINATIONS = list(product((True, False), (True, False), (0.0, 30.0)))


def world_with(unique: bool, strong: bool, lag: float) -> World:
    can = replace(FULL, external_key_unique=unique, strong_read_by_key=strong, visibility_lag=lag)
    world = World([SystemSpec("a1"), SystemSpec("a2", can=can)])
    world.create("a1", ANNA)
    return world


@pytest.mark.parametrize(("unique", "strong", "lag"), COMBINATIONS)
def test_create_times_out_after_its_commit(unique: bool, strong: bool, lag: float) -> None:
    world = world_with(unique, strong, lag)
    world.faults("a2").inject(FaultKind.AFTER_EFFECT, "write")
    first = world.cycle()
    assert first.standing.waiting["uncertain_writes"] == 1
    report = world.settle(step=0.5)
    assert len(world.live("a2")) == 1, "inv 10: exactly one record"
    assert report.reasons == (), "the record is found by its hub id, so nobody is asked"
    check_always(world)
    check_audit(world)


@pytest.mark.parametrize(("unique", "strong", "lag"), COMBINATIONS)
def test_create_times_out_before_its_commit(unique: bool, strong: bool, lag: float) -> None:
    world = world_with(unique, strong, lag)
    world.faults("a2").inject(FaultKind.BEFORE_EFFECT, "write")
    world.cycle()
    report = world.settle(step=0.5)
    if not (unique or strong):
        assert report.standing.waiting["asked_writes"] == 1, "inv 29: absence cannot be proven, so a person is asked"
        assert world.live("a2") == {}
        for _ in range(2):
            world.cycle()
        assert world.live("a2") == {}, "inv 29: nothing is sent while the question is open"
        assert desk.look_into_writes(world) == 1
        report = world.settle()
    assert len(world.live("a2")) == 1, "inv 10: exactly one record"
    assert report.standing.waiting["asked_writes"] == 0
    check_always(world)
    check_audit(world)


def test_a_key_that_is_no_longer_unique_is_noticed_before_a_create_is_repeated() -> None:
    world = world_with(unique=True, strong=False, lag=0.0)
    world.faults("a2").inject(FaultKind.BEFORE_EFFECT, "write")
    world.cycle()
    table = world.systems["a2"].table("Client")
    table.capabilities = replace(table.capabilities, external_key_unique=False)
    report = world.settle(step=0.5)
    assert report.standing.waiting["asked_writes"] == 1
    assert world.live("a2") == {}


def test_asked_create_that_did_happen_is_adopted_after_the_answer() -> None:
    world = world_with(unique=False, strong=False, lag=0.0)
    world.faults("a2").inject(FaultKind.BEFORE_EFFECT, "write")
    world.cycle()
    world.settle()
    hub_id = next(iter(world.goldens()))
    # The request was only delayed: it arrives after everybody stopped looking.
    late = world.systems["a2"].create("Client", {**SENT, "hub_id": hub_id}, by="hub")
    desk.look_into_writes(world)
    world.settle()
    assert list(world.live("a2")) == [late], "inv 10: the late record is adopted, not doubled"
    assert world.shows("a2", late)["note"] == "red"


@pytest.mark.parametrize("unique", [True, False])
def test_killed_at_every_boundary_of_a_create(unique: bool) -> None:
    boundary = 0
    while True:
        boundary += 1
        world = world_with(unique, True, 10.0)
        world.hub.mortality.kill_after(boundary)
        try:
            world.cycle()
        except Killed:
            world.restart()
            world.settle()
            assert len(world.live("a2")) == 1, f"inv 10: killed at boundary {boundary}"
            check_always(world)
            check_audit(world)
            world.close()
            continue
        assert boundary > 20, "the cycle passes its boundaries"
        return


def test_create_refused_for_a_key_that_is_taken_adopts_the_holder() -> None:
    world = world_with(unique=True, strong=True, lag=0.0)
    world.cycle(write=False)
    hub_id = next(iter(world.goldens()))
    old = {"kind": "p", "name": "Anna Li", "city": "Wuhan", "hub_id": hub_id}
    holder = world.systems["a2"].create("Client", old, by="hub")
    world.systems["a2"].hide_record("Client", holder)
    world.cycle()
    world.systems["a2"].show_record("Client", holder)
    world.drop_cursors("a2")
    world.settle()
    assert list(world.live("a2")) == [holder], "inv 10: the holder of the key is ours"
    shown = world.shows("a2", holder)
    assert (shown["note"], shown["city"]) == ("red", "Wuhan"), "inv 20: it never took what we sent"
    check_audit(world)


def test_twins_with_one_hub_id_stop_and_ask() -> None:
    world = world_with(unique=False, strong=True, lag=0.0)
    world.faults("a2").inject(FaultKind.AFTER_EFFECT, "write")
    world.cycle()
    hub_id = next(iter(world.goldens()))
    world.systems["a2"].create("Client", {"kind": "p", "name": "Anna Li", "hub_id": hub_id})
    report = world.settle()
    assert "quarantine:HUB-TWIN-001:a2=1" in report.reasons
    assert len(world.live("a2")) == 2, "nobody guesses which of the two is right"
