"""One cycle at a time: a second run is turned away, and who lost the lease commits nothing any more."""

from __future__ import annotations

import pytest

from hub.kernel.errors import Busy, LeaseLost
from hub.sync.cycle import run_cycle
from tests.scenarios.invariants import check_always
from tests.scenarios.world import ENTITY, Hub, SystemSpec, World

ANNA = {"customer_kind": "individual", "full_name": "Anna Li", "code": "ID1"}


def test_two_runs_at_once() -> None:
    world = World([SystemSpec("a1"), SystemSpec("a2")])
    with world.hub.run(), pytest.raises(Busy), Hub(world).run():
        raise AssertionError("a second run was let in")
    world.create("a1", ANNA)
    world.settle()
    assert len(world.live("a2")) == 1, "a run that was turned away leaves the next one free"


def test_outcome_of_an_old_epoch_is_refused() -> None:
    world = World([SystemSpec("a1"), SystemSpec("a2")])
    world.create("a1", ANNA)
    old = world.hub
    connector = old.links["a2"].connector

    def meanwhile(operation: str) -> None:
        # While this process waits for the answer to its create, another one takes the lease over.
        if operation == "write":
            with world.hub.store.begin() as work:
                work.conn.exec_driver_sql("UPDATE lease SET epoch = epoch + 1 WHERE entity = ?", (ENTITY,))

    connector.meanwhile = meanwhile  # type: ignore[attr-defined]
    with pytest.raises(LeaseLost), old.run() as run:
        run_cycle(run)
    states = {b.system: b.state for b in world.bindings().values()}
    assert states["a2"] == "pending", "the old epoch committed no outcome"
    assert len(world.live("a2")) == 1
    world.restart()
    world.settle()
    assert len(world.live("a2")) == 1, "inv 10: the new epoch finds what the old one created"
    check_always(world)


def test_old_epoch_sends_nothing_more() -> None:
    world = World([SystemSpec("a1"), SystemSpec("a2")])
    for number in range(3):
        world.create("a1", {**ANNA, "code": f"ID{number}", "full_name": f"Anna {number}"})
    with world.hub.run() as old:
        with old.store.begin() as work:
            work.conn.exec_driver_sql("UPDATE lease SET epoch = epoch + 1 WHERE entity = ?", (ENTITY,))
        with pytest.raises(LeaseLost):
            run_cycle(old)
    assert world.live("a2") == {}, "no intent of an old epoch is committed, so nothing is sent"
