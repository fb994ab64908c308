"""Writes that come to nothing at first: creates that may exist already, and records that stay locked."""

from __future__ import annotations

from typing import Any

from connectors.base import Op, WriteRequest
from hub.sync.outcome import PATIENCE
from tests.scenarios.world import SystemSpec, World


def client(number: int, **fields: object) -> dict[str, object]:
    return {"customer_kind": "individual", "full_name": f"Person {number}", "code": f"ID{number}", **fields}


def listening(world: World, system: str) -> list[WriteRequest]:
    """Returns the list to which every write that reaches a system is added."""
    heard: list[WriteRequest] = []
    connector: Any = world.hub.connectors[system]
    write = connector.write

    def listen(requests: Any) -> Any:
        heard.extend(requests)
        return write(requests)

    connector.write = listen
    return heard


def test_only_a_create_that_was_looked_for_in_vain_may_exist_already() -> None:
    world = World([SystemSpec("a1"), SystemSpec("b1", "beta")])
    for number in range(3):
        world.create("a1", client(number))
    heard = listening(world, "b1")
    world.faults("b1").inject("before_effect", "write", times=1)
    world.cycle()
    assert [item.may_exist for item in heard] == [False] * 3
    heard.clear()
    world.create("a1", client(3))
    world.settle()
    # The three are repeated; the fourth is new.
    creates = {item.fields["IdNo"]: item.may_exist for item in heard if item.op is Op.CREATE}
    assert creates == {"ID0": True, "ID1": True, "ID2": True, "ID3": False}
    heard.clear()
    world.create("a1", client(4))
    world.settle()
    assert [item.may_exist for item in heard if item.op is Op.CREATE] == [False]
    assert len(world.live("b1")) == 5


def test_a_locked_record_is_tried_again_and_after_a_day_reported() -> None:
    world = World([SystemSpec("a1"), SystemSpec("b1", "beta")])
    native_id = world.create("a1", client(1))
    other = world.create("a1", client(2))
    world.settle()
    [there] = world.find("b1", "Person 1")
    world.systems["b1"].lock_record("Person", there)
    for one in (native_id, other):
        world.edit("a1", one, city="Wuhan")
    report = world.cycle()
    assert report.counts["deferred"] == 1
    assert not report.standing.causes, "a lock is nothing to report at first"
    assert world.shows("b1", world.find("b1", "Person 2")[0])["city"] == "Wuhan", "its neighbour is written"
    world.time.pass_(PATIENCE / 2)
    assert world.cycle().counts["deferred"] == 1
    world.time.pass_(PATIENCE / 2)
    report = world.cycle()
    assert [(cause[0], cause[1], cause[3]) for cause in report.standing.causes] == [("b1", "locked", 1)]
    world.time.pass_(600)
    report = world.cycle()
    assert (report.counts["deferred"], report.counts["deferred:locked"]) == (1, 1), "told, and tried on"
    assert len(report.standing.causes) == 1, "once"
    world.systems["b1"].lock_record("Person", there, locked=False)
    assert world.settle().reasons == (), "it goes on by itself, and nothing is left to report"
    assert world.shows("b1", there)["city"] == "Wuhan"


def test_a_lock_that_opens_in_time_is_forgotten() -> None:
    world = World([SystemSpec("a1"), SystemSpec("b1", "beta")])
    native_id = world.create("a1", client(1))
    world.settle()
    [there] = world.find("b1", "Person 1")
    for city in ("Wuhan", "Lhasa"):
        world.systems["b1"].lock_record("Person", there)
        world.edit("a1", native_id, city=city)
        assert world.cycle().counts["deferred"] == 1
        world.time.pass_(PATIENCE * 0.9)
        assert world.cycle().counts["deferred"] == 1
        world.systems["b1"].lock_record("Person", there, locked=False)
        world.settle()
        assert world.shows("b1", there)["city"] == city
