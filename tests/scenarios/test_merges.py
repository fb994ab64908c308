"""Two golden records that a system says are one: proposed, joined by a person, and never two again (25)."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from connectors.base import Deletes
from connectors.memory import FULL, FaultKind, Killed
from hub.core.fates import APART, JOIN
from hub.core.state import BindingState, GoldenState
from hub.store import merges
from hub.store.merges import Twin
from tests.scenarios import desk
from tests.scenarios.invariants import check_always, check_audit, load_facts
from tests.scenarios.parents import Family, check_followed, check_losers, check_merges, check_references
from tests.scenarios.world import ENTITIES, ENTITY, SystemSpec, World, replace

ANNA = {"customer_kind": "individual", "full_name": "Anna Li", "code": "ID1", "city": "Xian", "tags": ("vip",)}
BERT = {"customer_kind": "individual", "full_name": "Bert Wu", "code": "ID2", "note": "red", "tags": ("loan",)}
FIRST = "2026-01-01T00:00:00Z"


def bank(*specs: SystemSpec, **settings: Any) -> World:
    return World(specs or [SystemSpec("a1"), SystemSpec("a2")], **settings)


def one(world: World, system: str, who: str) -> str:
    return next(key for key in world.find(system, who))


def pair(world: World) -> tuple[str, str]:
    """Makes Anna and Bert in the first system, brings them to the others, and returns their ids in the first."""
    anna, bert = world.create("a1", ANNA), world.create("a1", BERT)
    world.settle()
    return anna, bert


def proposed(world: World, loser: str, survivor: str, system: str = "a1") -> None:
    """Lets a system merge two that stand in all systems."""
    live = world.live(system)
    world.join(*(world.identity(system, each, live[each][1]) for each in (loser, survivor)))
    world.merge(system, loser, survivor)
    world.settle()


def reply(world: World, said: str) -> int:
    return desk.answer_questions(world, lambda question: said, ("hold",))


def goldens(world: World, state: GoldenState = GoldenState.LIVE, entity: str = ENTITY) -> list[Any]:
    return [each for each in world.goldens().values() if each.state is state and each.entity == entity]


def twins(world: World) -> list[Twin]:
    with world.hub.store.read() as conn:
        return merges.twins(conn, ENTITY)


def finish(world: World) -> None:
    check_always(world)
    check_audit(world)
    check_references(world)
    facts = load_facts(world)
    family = Family(world, facts)
    check_merges(family)
    check_losers(world, facts)
    check_followed(family)


def test_a_merge_is_proposed_and_both_go_on_until_a_person_answers() -> None:
    world = bank()
    anna, bert = pair(world)
    before = world.mark()
    proposed(world, anna, bert)
    world.edit("a2", one(world, "a2", "Anna Li"), city="Wuhan")
    report = world.settle()
    assert report.reasons == ("holds=1",)
    assert world.writes(before) == [], "nothing is written to a record that is gone, and nothing is deleted"
    (asked,) = desk.asked(world, "hold")
    assert (asked.rule, asked.system, asked.candidates[0][0]) == ("merge", "a1", "a1")
    assert {each.fields.get("city") for each in goldens(world)} == {"Wuhan", None}, "edits still flow meanwhile"


def test_an_accepted_merge_leaves_one_record_with_the_values_of_both() -> None:
    world = bank()
    anna, bert = pair(world)
    world.edit("a1", anna, consent="withdrawn")
    world.edit("a1", bert, consent="granted")
    world.settle()
    there = one(world, "a2", "Anna Li")
    proposed(world, anna, bert)
    before = world.mark()
    assert reply(world, JOIN) == 1
    report = world.settle()
    (kept,) = goldens(world)
    (lost,) = goldens(world, GoldenState.MERGED)
    assert kept.fields == {**BERT, "city": "Xian", "tags": ("loan", "vip"), "consent": "withdrawn"}
    assert {commit.op for _, commit in world.writes(before)} == {"update"}, "in the other system nothing is deleted"
    other = one(world, "a2", "Bert Wu")
    for system, native_id in (("a1", bert), ("a2", other)):
        shown = world.shows(system, native_id)
        assert (shown["city"], shown["consent"], shown["tags"]) == ("Xian", "withdrawn", ("loan", "vip"))
    assert world.shows("a2", there)["consent"] == "withdrawn", "what lives on beside it is as it was"
    assert twins(world) == [Twin("a2", "Client", there, lost.hub_id, kept.hub_id, other)]
    assert report.reasons == ("merges_there=1",)
    finish(world)


def test_nothing_flows_from_a_twin_and_merging_it_there_ends_the_matter() -> None:
    world = bank()
    anna, bert = pair(world)
    there = one(world, "a2", "Anna Li")
    proposed(world, anna, bert)
    reply(world, JOIN)
    world.settle()
    before, stood = world.mark(), goldens(world)
    world.edit("a2", there, city="Lhasa", note="blue")
    world.drop_cursors()
    report = world.settle()
    assert (world.writes(before), goldens(world)) == ([], stood), "the loser never returns"
    facts = load_facts(world)
    (lost,) = goldens(world, GoldenState.MERGED)
    assert "Lhasa" in facts.past[lost.hub_id, "city"], "inv 7: what people change there is kept"
    assert report.reasons == ("merges_there=1",)
    proposed(world, there, one(world, "a2", "Bert Wu"), "a2")
    report = world.settle()
    assert (twins(world), report.reasons, len(goldens(world))) == ([], (), 1)
    assert world.bindings()["a2", there].state is BindingState.DETACHED
    finish(world)


def test_the_twin_may_be_the_one_that_survives_in_its_system() -> None:
    world = bank()
    anna, bert = pair(world)
    there, other = one(world, "a2", "Anna Li"), one(world, "a2", "Bert Wu")
    proposed(world, anna, bert)
    reply(world, JOIN)
    world.settle()
    world.edit("a2", there, city="Lhasa")
    world.merge("a2", other, there)
    report = world.settle()
    desk.answer_questions(world, lambda question: "Lhasa", ("conflict",))
    report = world.settle()
    (kept,) = goldens(world)
    assert report.reasons == ()
    assert world.bindings()["a2", there].hub_id == kept.hub_id
    assert world.shows("a2", there)["note"] == "red"
    assert world.shows("a1", bert)["city"] == world.shows("a2", there)["city"]
    finish(world)


def test_a_refused_merge_keeps_both_apart_for_good() -> None:
    world = bank(on_delete="propagate")
    anna, bert = pair(world)
    proposed(world, anna, bert)
    before = world.mark()
    reply(world, APART)
    world.settle()
    world.drop_cursors()
    report = world.settle()
    assert (report.reasons, world.writes(before), len(goldens(world))) == ((), [], 2)
    assert world.bindings()["a1", anna].state is BindingState.DETACHED, "only the place that is gone is let go"
    world.edit("a2", one(world, "a2", "Anna Li"), city="Wuhan")
    report = world.settle()
    assert sorted(str(each.fields.get("city")) for each in goldens(world)) == ["None", "Wuhan"]
    assert world.find("a1", "Anna Li") == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0), None], ids=["first first", "last first", "at once"])
def test_a_chain_of_merges_ends_in_one(order: tuple[int, ...] | None) -> None:
    world = bank()
    anna, bert = pair(world)
    carl = world.create("a1", {"customer_kind": "individual", "full_name": "Carl Xu", "code": "ID3", "stage": "lead"})
    world.settle()
    proposed(world, anna, bert)
    proposed(world, bert, carl)
    if order is None:
        reply(world, JOIN)
    else:
        for place in order:
            questions = desk.asked(world, "hold")
            desk.answer(world, questions[min(place, len(questions) - 1)], JOIN)
            world.settle()
    world.settle()
    reply(world, JOIN)
    report = world.settle()
    (kept,) = goldens(world)
    assert (kept.fields["full_name"], kept.fields["city"], kept.fields["note"]) == ("Carl Xu", "Xian", "red")
    assert {twin.heir_id for twin in twins(world)} == {kept.hub_id}
    assert report.reasons == ("merges_there=2",)
    finish(world)


def test_two_systems_that_merge_the_other_way_round_agree_in_the_end() -> None:
    world = bank()
    anna, bert = pair(world)
    there, other = one(world, "a2", "Anna Li"), one(world, "a2", "Bert Wu")
    world.join("Anna Li", "Bert Wu")
    world.merge("a1", anna, bert)
    world.merge("a2", other, there)
    world.settle()
    desk.answer(world, desk.asked(world, "hold")[0], JOIN)
    world.settle()
    reply(world, JOIN)
    report = world.settle()
    desk.answer_questions(world, lambda question: question.candidates[0][1])
    report = world.settle()
    (kept,) = goldens(world)
    found = world.bindings()
    assert [found["a1", bert].hub_id, found["a2", there].hub_id] == [kept.hub_id] * 2
    assert (report.reasons, twins(world)) == ((), [])
    finish(world)


def test_the_survivor_takes_over_a_place_where_it_has_none() -> None:
    world = bank()
    anna, bert = pair(world)
    there = one(world, "a2", "Anna Li")
    world.delete("a2", one(world, "a2", "Bert Wu"))
    world.settle()
    proposed(world, anna, bert)
    reply(world, JOIN)
    report = world.settle()
    (kept,) = goldens(world)
    bound = world.bindings()["a2", there]
    assert (bound.hub_id, bound.state, report.reasons) == (kept.hub_id, BindingState.ACTIVE, ())
    assert world.shows("a2", there)["full_name"] == "Bert Wu"
    world.edit("a2", there, city="Wuhan")
    world.settle()
    assert world.shows("a1", bert)["city"] == "Wuhan", "it is the survivor's from now on"
    finish(world)


def test_a_merge_waits_while_a_write_to_either_is_uncertain() -> None:
    world = bank()
    anna, bert = pair(world)
    proposed(world, anna, bert)
    world.edit("a1", bert, note="green")
    world.faults("a2").inject(FaultKind.AFTER_EFFECT, "write")
    world.time.pass_(60)
    world.cycle()
    reply(world, JOIN)
    with world.hub.run() as run:
        from hub.sync.merging import carry_out

        assert carry_out(run) == 0
        assert run.tally.counts["waiting_merge"] == 1
    assert len(goldens(world)) == 2
    world.settle()
    assert len(goldens(world)) == 1
    finish(world)


@pytest.mark.parametrize("entities", [ENTITIES, ("client", "visit", "ticket"), ("visit", "client", "ticket")])
@pytest.mark.parametrize("repoints", [True, False])
def test_children_of_both_point_at_the_survivor_everywhere(entities: tuple[str, ...], repoints: bool) -> None:
    world = bank(entities=ENTITIES, repoints=repoints)
    anna, bert = pair(world)
    world.visit("a1", "V1", anna, happened_at=FIRST)
    world.ticket("a1", "T1", client_id=anna)
    world.visit("a1", "V2", bert)
    world.settle()
    proposed(world, anna, bert)
    world.visit("a2", "V3", one(world, "a2", "Anna Li"))
    reply(world, JOIN)
    for entity in entities:
        world.cycle(entity)
    # Who goes on using the twin means the survivor as well.
    world.visit("a2", "V4", one(world, "a2", "Anna Li"))
    report = world.settle()
    assert report.reasons == ("merges_there=1",)
    (kept,) = goldens(world)
    children = [each for each in world.goldens().values() if each.entity != ENTITY]
    assert {each.fields["client_id"] for each in children} == {kept.hub_id}
    for system in ("a1", "a2"):
        for who in ("V1", "V2", "V3", "V4", "T1"):
            assert world.points(system, one(world, system, who)) == one(world, system, "Bert Wu"), (system, who)
    assert kept.fields["last_visit_at"] == FIRST.replace("Z", ".000Z")
    finish(world)


def test_a_child_moved_to_the_twin_by_a_person_moves_to_the_survivor() -> None:
    world = bank(entities=ENTITIES)
    anna, bert = pair(world)
    carl = world.create("a1", {"customer_kind": "individual", "full_name": "Carl Xu", "code": "ID3"})
    world.visit("a1", "V1", carl)
    world.settle()
    proposed(world, anna, bert)
    reply(world, JOIN)
    world.settle()
    world.edit("a2", one(world, "a2", "V1"), client_id=one(world, "a2", "Anna Li"))
    world.settle()
    for system in ("a1", "a2"):
        assert world.points(system, one(world, system, "V1")) == one(world, system, "Bert Wu")
    finish(world)


@pytest.mark.parametrize("deletes", [Deletes.FEED, Deletes.FLAG])
def test_late_pages_make_nobody_of_the_loser(deletes: Deletes) -> None:
    world = bank(SystemSpec("a1", can=replace(FULL, deletes=deletes)), SystemSpec("a2"))
    anna, bert = pair(world)
    proposed(world, anna, bert)
    reply(world, JOIN)
    world.settle()
    before = len(world.goldens())
    for _ in range(3):
        world.faults("a1").rates = dict.fromkeys((FaultKind.STALE, FaultKind.DUPLICATE, FaultKind.REORDER), 0.9)
        world.drop_cursors()
        world.settle(30)
    assert len(world.goldens()) == before
    finish(world)


@pytest.mark.parametrize("part", range(4))
def test_killed_at_every_boundary_a_merge_is_whole(part: int) -> None:
    boundary = part + 1
    while True:
        world = bank(entities=ENTITIES)
        anna, bert = pair(world)
        world.visit("a1", "V1", anna, happened_at=FIRST)
        world.settle()
        proposed(world, anna, bert)
        reply(world, JOIN)
        world.hub.mortality.kill_after(boundary)
        world.time.pass_(60)
        try:
            world.cycle()
        except Killed:
            check_always(world)
            world.restart()
        else:
            world.hub.mortality.kill_after(None)
            world.close()
            break
        report = world.settle()
        (kept,) = goldens(world)
        assert (report.reasons, kept.fields["city"]) == (("merges_there=1",), "Xian")
        assert world.points("a2", one(world, "a2", "V1")) == one(world, "a2", "Bert Wu")
        finish(world)
        world.close()
        boundary += 4
    assert boundary > 20


def test_nobody_matches_to_a_merged_record() -> None:
    world = bank()
    anna, bert = pair(world)
    proposed(world, anna, bert)
    reply(world, JOIN)
    world.settle()
    (lost,) = goldens(world, GoldenState.MERGED)
    with world.engine.connect() as conn:
        owners = set(conn.execute(sa.text("SELECT owner FROM blind_index")).scalars())
    assert lost.hub_id not in owners
    stamped = world.create("a2", {**ANNA, "code": "ID9", "full_name": "Copy"}, "Anna Li")
    world.systems["a2"].edit("Client", stamped, {"hub_id": lost.hub_id})
    world.settle()
    with world.engine.connect() as conn:
        asked = conn.execute(sa.text("SELECT hub_id FROM match_candidate")).scalars().all()
    assert asked == [goldens(world)[0].hub_id], "a copy that carries the id of the loser may be the survivor"
