"""A lost store, a changed mapping and a death at any moment cost questions at most, never data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.memory import Killed
from hub.store.vault import audit_rows
from tests.scenarios.invariants import check_always, check_audit, check_budget
from tests.scenarios.world import SCHEMA, SystemSpec, World, mapping_of


def client(number: int, **fields: object) -> dict[str, object]:
    return {"customer_kind": "individual", "full_name": f"Person {number}", "code": f"ID{number}", **fields}


def test_lost_store_is_bound_again_by_the_stamps_without_one_create() -> None:
    world = World([SystemSpec("a1"), SystemSpec("a2"), SystemSpec("b1", "beta")])
    for number in range(4):
        first = world.create("a1", client(number, note=f"n{number}"))
        world.settle()
        world.edit("a1", first, city="Wuhan")
    world.settle()
    # Hub ids reach the system of origin with the next update of a record there.
    for native_id in world.live("a2"):
        world.edit("a2", native_id, stage="active")
    world.settle()
    known, before = sorted(world.goldens()), world.mark()
    world.lose_store()
    report = world.settle()
    assert [commit.op for _, commit in world.writes(before) if commit.op == "create"] == [], "zero creates"
    assert sorted(world.goldens()) == known, "the stamps keep the hub ids"
    assert report.reasons == ()
    assert world.writes(before) == [], "and nothing differs, so nothing is written"


def widened(folder: Path) -> Path:
    """Copies the schema with a mapping of alpha that does not carry the city."""
    shutil.copytree(SCHEMA, folder / "schema")
    file = folder / "schema" / "alpha" / "client.core.yaml"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "canonical: city" not in line), encoding="utf-8")
    return folder / "schema"


def test_mapping_change_touches_only_its_own_fields(tmp_path: Path) -> None:
    narrow = widened(tmp_path)
    world = World([SystemSpec("a1"), SystemSpec("b1", "beta")], folder=narrow)
    system = world.systems["a1"]
    system.set_field("Client", system.table("Client").fields["note"].__class__("city", "city", "text"))
    made = [world.create("a1", client(number, note="red")) for number in range(3)]
    system.edit("Client", made[0], {"city": "Wuhan"})
    world.settle()
    world.edit("b1", world.find("b1", "Person 1")[0], city="Lhasa")
    world.settle()
    before = world.mark()
    world.folder = SCHEMA
    world.restart()
    world.settle()
    caused = {(name, commit.op, *commit.fields) for name, commit in world.writes(before)}
    assert {fields for _, op, *fields in map(tuple, caused) for fields in fields} <= {"city", "Town", "hub_id"}, (
        "inv 27"
    )
    assert {op for _, op, *_ in caused} <= {"update"}, "inv 27: a mapping edit deletes and creates nothing"
    assert world.shows("b1", world.find("b1", "Person 0")[0])["city"] == "Wuhan"
    assert world.shows("a1", made[1])["city"] == "Lhasa"
    assert len(world.goldens()) == 3
    assert mapping_of("alpha", narrow).version != mapping_of("alpha").version


def busy_world() -> World:
    """Returns a synced world in which everything is about to happen at once."""
    world = World([SystemSpec("a1"), SystemSpec("b1", "beta")], on_delete="propagate", page=2)
    made = [world.create("a1", client(number)) for number in range(4)]
    world.settle()
    other = {fields["who"]: key for key, (_, fields) in world.live("a1").items()}
    assert len(other) == 4
    world.create("b1", client(7))
    world.edit("a1", made[0], city="Wuhan", note="red")
    world.edit("b1", world.find("b1", "Person 0")[0], note="blue")
    world.edit("b1", world.find("b1", "Person 1")[0], stage="active")
    world.delete("a1", made[2])
    world.create("a1", client(8))
    return world


def ending(world: World) -> Any:
    """Returns what a world has come to: values only, since ids differ from run to run."""
    shown = [[sorted(world.shows(name, key).items(), key=str) for key in world.live(name)] for name in world.systems]
    return [sorted(each, key=str) for each in shown], sorted(
        str(sorted(record.fields.items(), key=str)) for record in world.goldens().values()
    )


def kill_at(boundary: int, act: Callable[[World], Any]) -> World | None:
    world = busy_world()
    world.hub.mortality.kill_after(boundary)
    try:
        act(world)
    except Killed:
        check_always(world)
        world.restart()
        return world
    world.close()
    return None


@pytest.mark.parametrize("part", range(6))
def test_killed_at_every_boundary_of_a_busy_cycle(part: int) -> None:
    calm = busy_world()
    calm.cycle()
    calm.settle()
    expected = ending(calm)
    boundary, killed = part + 1, 0
    while (world := kill_at(boundary, lambda world: world.cycle())) is not None:
        world.settle()
        assert ending(world) == expected, f"inv 19: killed at boundary {boundary}"
        check_audit(world)
        check_budget(world)
        world.close()
        boundary, killed = boundary + 6, killed + 1
    assert killed >= 10, "the cycle has more than sixty boundaries"


@pytest.mark.parametrize("resent", [True, False], ids=["resent", "not resent"])
def test_a_create_that_is_carried_out_after_recovery_looked_has_one_event(resent: bool) -> None:
    world = World([SystemSpec("a1"), SystemSpec("b1", "beta")])
    world.create("a1", client(1))
    # The process dies between the note of the create and its call, which a busy system carries out much later.
    world.faults("b1").inject("kill_before", "write")
    with pytest.raises(Killed):
        world.cycle()
    hub = world.restart()
    late: list[str] = []

    def meanwhile(operation: str) -> None:
        if operation == "find" and not late:
            [hub_id] = world.goldens()
            native = {"FullName": "Person 1", "IdNo": "ID1", "HubId": hub_id, "own": "own:", "who": None}
            late.append(world.systems["b1"].commit("Person", None, "create", native, "hub", hub_id=hub_id)[0])
            if not resent:
                world.faults("b1").inject("rate_limited", "write", times=1)

    hub.connectors["b1"].meanwhile = meanwhile
    world.settle()
    assert late
    assert list(world.live("b1")) == late, "no twin"
    check_always(world)
    check_audit(world)
    with world.engine.connect() as conn:
        bodies = [orjson.loads(row[2]) for row in audit_rows(conn)]
    made = [(item["outcome"], item.get("reason")) for item in bodies if item["act"] == "remote.create"]
    assert made == [("error", "recovered"), ("success", "recovered")], "not found at first, then there"
