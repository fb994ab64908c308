"""The first sync links what is certainly one, asks about the rest, and makes no twin of either."""

from __future__ import annotations

from hub.kernel.settings import Guards
from tests.scenarios import desk
from tests.scenarios.world import OPEN, SystemSpec, World


def client(name: str, **fields: object) -> dict[str, object]:
    return {"customer_kind": "individual", "full_name": name, **fields}


def world_of(*people: tuple[str, str, dict[str, object]], guards: Guards = OPEN) -> World:
    """Returns a world in which each (system, who, fields) stands already."""
    world = World([SystemSpec("a1"), SystemSpec("a2")], guards=guards)
    for system, who, fields in people:
        world.create(system, fields, who)
    return world


def counts(world: World) -> tuple[int, int, int]:
    return len(world.goldens()), len(world.live("a1")), len(world.live("a2"))


def test_sure_by_code_links_and_fills() -> None:
    world = world_of(
        ("a1", "Anna", client("Anna Li", code="ID1", note="red")),
        ("a2", "Anna", client("Anna Li", code="ID1", city="Wuhan")),
    )
    report = world.settle()
    assert counts(world) == (1, 1, 1), "inv 15: no twin of an unambiguous match"
    assert report.reasons == ()
    for system in ("a1", "a2"):
        shown = world.shows(system, world.find(system, "Anna")[0])
        assert (shown["note"], shown["city"]) == ("red", "Wuhan"), "inv 15: empty is filled, nothing is emptied"


def test_sure_link_with_different_values_asks_or_prefers() -> None:
    world = world_of(
        ("a1", "Anna", client("Anna Li", code="ID1", note="red", city="Xian")),
        ("a2", "Anna", client("Anna Li", code="ID1", note="blue", city="Wuhan")),
    )
    report = world.settle()
    assert report.reasons == ("conflicts=1",)
    assert world.golden("Anna")["city"] == "Xian", "prefer: the first system"
    assert [world.shows(s, world.find(s, "Anna")[0])["note"] for s in ("a1", "a2")] == ["red", "blue"], "inv 26: frozen"
    desk.answer_questions(world, lambda question: "blue")
    world.settle()
    assert {world.shows(s, world.find(s, "Anna")[0])["note"] for s in ("a1", "a2")} == {"blue"}


def test_mobile_and_name_are_sure() -> None:
    phone = "+8613800000001"
    world = world_of(("a1", "Anna", client("Anna Li", mobile=phone)), ("a2", "Anna", client("Anna Li", mobile=phone)))
    world.settle()
    assert counts(world) == (1, 1, 1)


def test_same_mobile_and_another_name_is_unsure_and_waits() -> None:
    phone = "+8613800000001"
    world = world_of(("a1", "Anna", client("Anna Li", mobile=phone)), ("a2", "Anna", client("A. Li", mobile=phone)))
    report = world.settle()
    assert "match_questions=1" in report.reasons
    assert counts(world) == (1, 1, 1), "inv 15: no twin while the question is open"
    desk.answer_matches(world)
    world.settle()
    assert counts(world) == (1, 1, 1), "the person linked them"


def test_shared_phone_of_two_people_is_answered_new() -> None:
    phone = "+8613800000001"
    world = world_of(("a1", "Anna", client("Anna Li", mobile=phone)), ("a2", "Bo", client("Bo Li", mobile=phone)))
    world.settle()
    assert counts(world) == (1, 1, 1), "inv 15: nothing is created while the question is open"
    desk.answer_matches(world)
    world.settle()
    assert counts(world) == (2, 2, 2)


def test_namesakes_are_two_people() -> None:
    world = world_of(
        ("a1", "Wei 1", client("Wang Wei", mobile="+8613800000001")),
        ("a2", "Wei 2", client("Wang Wei", mobile="+8613800000002")),
    )
    report = world.settle()
    assert report.reasons == ()
    assert counts(world) == (2, 2, 2)


def test_contradicting_code_is_never_sure() -> None:
    phone = "+8613800000001"
    world = world_of(
        ("a1", "Anna", client("Anna Li", mobile=phone, code="ID1")),
        ("a2", "Other", client("Anna Li", mobile=phone, code="ID2")),
    )
    report = world.settle()
    assert "match_questions=1" in report.reasons
    desk.answer_matches(world)
    world.settle()
    assert counts(world) == (2, 2, 2)


def test_twin_in_one_system_is_not_unique_so_a_person_decides() -> None:
    world = world_of(
        ("a1", "Anna", client("Anna Li", code="ID1")),
        ("a2", "Anna", client("Anna Li", code="ID1")),
        ("a2", "Anna", client("Anna Li", code="ID1", note="twin")),
    )
    report = world.settle()
    assert report.standing.waiting["match_questions"] >= 1, "two candidates, so none is sure"
    assert len(world.live("a1")) == 1, "inv 15: no twin is made while somebody is asked"
    desk.answer_matches(world)
    world.settle()
    linked = {b.native_id for b in world.bindings().values() if b.hub_id == world.bindings()["a1", "a1-000001"].hub_id}
    assert len(linked & set(world.live("a2"))) == 1, "inv 11: one of the two is bound to her"


def test_first_sync_waits_for_its_release() -> None:
    guards = OPEN.model_copy(update={"first_sync_needs_release": True})
    world = world_of(
        ("a1", "Anna", client("Anna Li", code="ID1")), ("a2", "Bo", client("Bo Li", code="ID2")), guards=guards
    )
    for _ in range(3):
        report = world.cycle()
        assert world.writes() == [], "inv 28: report, approve, run"
        assert report.outcome == "blocked"
    desk.release_guards(world)
    world.settle()
    assert counts(world) == (2, 2, 2)
