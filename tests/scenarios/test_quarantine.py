"""What a system refuses, or nobody can read, is held out; all else goes on, and it comes back once it is cured."""

from __future__ import annotations

from dataclasses import replace

from connectors.memory import FULL, FaultKind
from tests.scenarios import desk
from tests.scenarios.invariants import check_audit
from tests.scenarios.world import SystemSpec, World


def client(number: int, **fields: object) -> dict[str, object]:
    return {"customer_kind": "individual", "full_name": f"Person {number}", "code": f"ID{number}", **fields}


def trio() -> tuple[World, list[str]]:
    world = World([SystemSpec("a1"), SystemSpec("a2"), SystemSpec("b1", "beta")])
    made = [world.create("a1", client(number)) for number in range(3)]
    world.settle()
    return world, made


def test_one_refused_field_is_held_out_and_the_others_flow() -> None:
    world, made = trio()
    world.systems["a2"].refuse("Client", "note", lambda value: value == "forbidden")
    world.edit("a1", made[0], note="forbidden", city="Wuhan")
    report = world.settle()
    second = world.find("a2", "Person 0")[0]
    assert report.reasons == ("quarantine:validation:a2=1",)
    assert (world.shows("a2", second)["note"], world.shows("a2", second)["city"]) == (None, "Wuhan")
    assert world.shows("b1", world.find("b1", "Person 0")[0])["note"] == "forbidden", "inv 23"
    before = world.mark()
    asked = world.ledgers["a2"].spent["write"]
    world.settle()
    assert (world.writes(before), world.ledgers["a2"].spent["write"]) == ([], asked), "inv 29: not sent again unchanged"
    world.edit("a1", made[0], note="allowed")
    report = world.settle()
    assert report.reasons == ()
    assert world.shows("a2", second)["note"] == "allowed", "inv 2: the corrected value is released"
    check_audit(world)


def test_refused_field_is_sent_again_when_a_person_says_so() -> None:
    world, made = trio()
    world.systems["a2"].refuse("Client", "note", lambda value: value == "forbidden")
    world.edit("a1", made[0], note="forbidden")
    world.settle()
    world.systems["a2"].accept("Client")
    desk.retry_quarantine(world)
    report = world.settle()
    assert report.reasons == ()
    assert world.shows("a2", world.find("a2", "Person 0")[0])["note"] == "forbidden"


def test_refused_create_holds_out_one_record() -> None:
    world = World([SystemSpec("a1"), SystemSpec("a2")])
    world.systems["a2"].refuse("Client", "name", lambda value: value == "Person 1")
    made = [world.create("a1", client(number)) for number in range(3)]
    report = world.settle()
    assert [fields["name"] for _, fields in world.live("a2").values()] == ["Person 0", "Person 2"], "inv 23"
    assert report.standing.owed["a2"]["creates"] == 1, "what is owed stays visible"
    world.edit("a1", made[1], full_name="Person 1b")
    world.settle()
    assert len(world.live("a2")) == 3
    check_audit(world)


def test_unreadable_record_is_held_out_and_cured() -> None:
    world, made = trio()
    state = world.golden("Person 1")
    world.systems["a1"].edit("Client", made[0], {"born": "31.12.1990", "note": "unread"})
    world.edit("a1", made[1], note="read")
    report = world.settle()
    assert report.reasons == ("quarantine:HUB-VALUE-001:a1=1",)
    assert world.golden("Person 1")["note"] == "read", "inv 23: the page goes on"
    assert world.golden("Person 0") == {**state, "full_name": "Person 0", "code": "ID0"}, "inv 21"
    world.systems["a1"].edit("Client", made[0], {"born": "1990-12-31"})
    report = world.settle()
    assert report.reasons == ()
    assert (world.golden("Person 0")["birth_date"], world.golden("Person 0")["note"]) == ("1990-12-31", "unread")


def test_unreadable_new_record_is_held_out_and_cured() -> None:
    world, _ = trio()
    native = {"kind": "p", "name": "Person 9", "born": "?", "who": "Person 9", "own": "own:Person 9"}
    made = world.systems["a1"].create("Client", native)
    world.settle()
    assert world.find("a2", "Person 9") == []
    world.systems["a1"].edit("Client", made, {"born": None})
    world.settle()
    assert len(world.find("a2", "Person 9")) == 1


def outcome_of(poisoned: bool, dead: bool) -> dict[str, object]:
    """Runs the same edits with and without a poisoned record and a dead system; returns the other records."""
    specs = [SystemSpec("a1"), SystemSpec("a2", can=replace(FULL, batch_size=2)), SystemSpec("b1", "beta")]
    world = World(specs)
    made = [world.create("a1", client(number)) for number in range(4)]
    world.settle()
    if poisoned:
        world.systems["a2"].refuse("Client", "city", lambda value: value == "Poison")
        world.edit("a1", made[0], city="Poison")
        world.systems["a1"].edit("Client", made[1], {"met": "yesterday"})
    if dead:
        world.faults("b1").inject(FaultKind.RETRY_LATER, times=1000)
    for number in (2, 3):
        world.edit("a1", made[number], city="Wuhan", note=f"n{number}")
    for _ in range(3):
        world.time.pass_(60)
        world.cycle()
    return {name: world.shows("a2", world.find("a2", name)[0]) for name in ("Person 2", "Person 3")}


def test_a_poisoned_record_or_a_dead_system_changes_no_other_record() -> None:
    calm = outcome_of(poisoned=False, dead=False)
    assert outcome_of(poisoned=True, dead=False) == calm, "inv 23: poison"
    assert outcome_of(poisoned=False, dead=True) == calm, "inv 23: a dead system"
    assert outcome_of(poisoned=True, dead=True) == calm, "inv 23: both"


def test_dead_system_gets_what_it_is_owed_when_it_is_back() -> None:
    world, made = trio()
    world.faults("b1").inject(FaultKind.QUOTA_EXHAUSTED, times=1000)
    world.edit("a1", made[0], city="Wuhan")
    report = world.cycle()
    assert "system:b1:HUB-QUOTA-001" in report.reasons, "silence must not look like success"
    assert world.ledgers["b1"].late_calls == [], "inv 29: a system that said stop is left alone"
    assert report.standing.owed["b1"]["updates"] == 1
    world.faults("b1").off()
    world.settle()
    assert world.shows("b1", world.find("b1", "Person 0")[0])["city"] == "Wuhan"
