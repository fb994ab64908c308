"""Parents before children: what points at somebody waits for them, follows them, and never points at anyone else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from connectors.memory import FULL, FaultKind, Killed
from hub.core.state import BindingState, GoldenState
from hub.sync.cycle import Outcome
from tests.scenarios import desk
from tests.scenarios.invariants import check_always, check_audit
from tests.scenarios.parents import check_references
from tests.scenarios.world import ENTITIES, SystemSpec, World

ANNA = {"customer_kind": "individual", "full_name": "Anna Li", "code": "ID1"}
BERT = {"customer_kind": "individual", "full_name": "Bert Wu", "code": "ID2"}
FIRST, LATER, LAST = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"


def bank(*specs: SystemSpec, **settings: object) -> World:
    return World(specs or [SystemSpec("a1"), SystemSpec("a2")], entities=ENTITIES, **settings)  # type: ignore[arg-type]


def one(world: World, system: str, who: str) -> str:
    (found,) = world.find(system, who)
    return found


def visited(**settings: object) -> tuple[World, str, str]:
    """Returns a synced world of two systems with Anna and a visit to her, and their ids in the first."""
    world = bank(**settings)
    anna = world.create("a1", ANNA)
    visit = world.visit("a1", "V1", anna, summary="red", happened_at=FIRST)
    world.settle()
    return world, anna, visit


def target(world: World, system: str, who: str, field: str = "client_id") -> str:
    """Returns whom a record really points at in a system."""
    pointed = world.points(system, one(world, system, who), field)
    assert pointed is not None, f"{who} points at nobody in {system}"
    return world.identity(system, pointed, world.live(system)[pointed][1])


def parked(world: World) -> int:
    with world.engine.connect() as conn:
        return int(conn.execute(sa.text("SELECT count(*) FROM observation WHERE state = 'parked'")).scalar_one())


def finish(world: World) -> None:
    check_always(world)
    check_audit(world)
    check_references(world)


def test_records_of_three_entities_arrive_with_their_parents_in_another_kind_of_system() -> None:
    world = bank(SystemSpec("a1"), SystemSpec("b1", "beta"))
    anna = world.create("a1", ANNA)
    firm = world.create("a1", {"customer_kind": "organization", "full_name": "Firm", "code": "ID9"})
    ticket = world.ticket("a1", "T1", client_id=firm)
    world.visit("a1", "V1", anna, ticket_id=ticket)
    world.visit("a1", "V2", firm, channel="video")
    report = world.settle()
    assert (report.reasons, report.outcome) == ((), Outcome.CONVERGED)
    assert [target(world, "b1", who) for who in ("T1", "V1", "V2")] == ["Firm", "Anna Li", "Firm"]
    assert target(world, "b1", "V1", "ticket_id") == "T1"
    assert world.object_of("b1", one(world, "b1", "V2")) == "Meeting"
    before = world.mark()
    world.settle()
    assert world.writes(before) == [], "inv 1: a synced world is quiet"
    finish(world)


def test_child_seen_before_its_parent_is_parked_and_woken() -> None:
    world = bank()
    anna = world.create("a1", ANNA)
    world.visit("a1", "V1", anna)
    report = world.cycle("visit")
    assert "parked=1" in report.reasons
    assert (parked(world), world.live("a2")) == (1, {}), "inv 24: an orphan is never written"
    world.cycle("visit")
    assert parked(world) == 1, "waiting costs no retry and is not forgotten"
    world.cycle("client")
    report = world.cycle("visit")
    assert report.counts["woken"] == 1
    world.settle()
    assert target(world, "a2", "V1") == "Anna Li"
    finish(world)


def test_parked_records_survive_restarts_and_take_their_newest_content_along() -> None:
    world = bank()
    anna = world.create("a1", ANNA)
    visit = world.visit("a1", "V1", anna, summary="red")
    world.cycle("visit")
    world.restart()
    world.edit("a1", visit, summary="blue")
    world.time.pass_(60)
    world.cycle("visit")
    world.restart()
    assert parked(world) == 1, "the newer page replaced the older one"
    world.settle()
    assert world.shows("a2", one(world, "a2", "V1"))["summary"] == "blue"
    finish(world)


def test_parked_record_that_is_deleted_is_forgotten() -> None:
    world = bank()
    visit = world.visit("a1", "V1", world.create("a1", ANNA))
    world.cycle("visit")
    world.delete("a1", visit)
    world.time.pass_(60)
    world.cycle("visit")
    assert parked(world) == 0
    world.settle()
    assert world.find("a2", "V1") == []


def test_reference_to_an_unbound_parent_waits_while_other_fields_flow() -> None:
    world, _, visit = visited()
    bert = world.create("a1", BERT)
    world.edit("a1", visit, client_id=bert, summary="blue")
    world.time.pass_(60)
    report = world.cycle("visit")
    assert "parked=1" in report.reasons
    there = one(world, "a2", "V1")
    assert world.shows("a2", there)["summary"] == "blue", "other fields flow"
    assert target(world, "a2", "V1") == "Anna Li", "the reference waits"
    # Meanwhile somebody changes it elsewhere: nothing is written over what waits.
    carl = world.create("a2", {**BERT, "full_name": "Carl Xu", "code": "ID3"})
    world.edit("a2", there, summary="grey")
    world.time.pass_(60)
    world.cycle("visit")
    assert world.points("a1", visit) == bert, "what waits is not overwritten"
    assert world.shows("a1", visit)["summary"] == "grey"
    world.settle()
    assert parked(world) == 0
    assert (target(world, "a1", "V1"), target(world, "a2", "V1")) == ("Bert Wu", "Bert Wu")
    assert carl in world.live("a2")
    finish(world)


def test_change_elsewhere_meets_the_reference_that_waits_once_it_is_woken() -> None:
    world, _, visit = visited(prefer=("a2", "a1"))
    carl = world.create("a2", {**BERT, "full_name": "Carl Xu", "code": "ID3"})
    world.cycle("client")
    bert = world.create("a1", BERT)
    world.edit("a1", visit, client_id=bert)
    world.edit("a2", one(world, "a2", "V1"), client_id=carl)
    world.time.pass_(60)
    world.cycle("visit")
    assert world.points("a1", visit) == bert, "nothing is written over it"
    world.settle()
    assert {target(world, s, "V1") for s in ("a1", "a2")} == {"Carl Xu"}, (
        "two words of the same time: the policy decides"
    )
    finish(world)


def test_child_is_not_written_before_its_parent_is_bound_there() -> None:
    world = bank()
    anna = world.create("a1", ANNA)
    world.visit("a1", "V1", anna)
    world.systems["a2"].refuse("Client", "name", lambda value: True)
    report = world.settle()
    assert world.live("a2") == {}, "inv 24: neither the parent nor the child"
    assert "waiting_parent=1" in report.reasons
    assert report.outcome is Outcome.BLOCKED, "it is said aloud"
    world.systems["a2"].accept("Client")
    desk.retry_quarantine(world)
    report = world.settle()
    assert (report.reasons, target(world, "a2", "V1")) == ((), "Anna Li")
    finish(world)


def test_optional_parent_that_is_not_bound_there_holds_a_new_child_back_too() -> None:
    world = bank()
    anna = world.create("a1", ANNA)
    world.visit("a1", "V1", anna, ticket_id=world.ticket("a1", "T1"))
    world.cycle("client")
    world.cycle("ticket", write=False)
    world.cycle("visit")
    assert world.find("a2", "V1") == [], "inv 24"
    world.settle()
    assert target(world, "a2", "V1", "ticket_id") == "T1"


def test_update_leaves_out_the_reference_whose_parent_is_not_bound_there() -> None:
    world, anna, visit = visited()
    ticket = world.ticket("a1", "T1", client_id=anna)
    world.edit("a1", visit, ticket_id=ticket, summary="blue")
    world.time.pass_(60)
    world.cycle("ticket", write=False)
    report = world.cycle("visit")
    shown = world.shows("a2", one(world, "a2", "V1"))
    assert (shown["summary"], shown["ticket_id"]) == ("blue", None), "the rest flows"
    assert "waiting_parent=1" in report.reasons
    world.settle()
    assert target(world, "a2", "V1", "ticket_id") == "T1"
    finish(world)


@pytest.mark.parametrize("kind", ["alpha", "beta"])
def test_two_that_point_at_each_other_arrive_without_the_edge_and_get_it_by_a_second_write(kind: str) -> None:
    world = bank(SystemSpec("a1"), SystemSpec("x", kind))
    first = world.ticket("a1", "T1")
    second = world.ticket("a1", "T2", repeat_of=first)
    world.edit("a1", first, repeat_of=second)
    report = world.settle()
    assert report.reasons == ()
    assert (target(world, "x", "T1", "repeat_of"), target(world, "x", "T2", "repeat_of")) == ("T2", "T1")
    edge = {"alpha": "repeats", "beta": "RepeatRef"}[kind]
    written = [(commit.op, edge in commit.fields) for name, commit in world.writes() if name == "x"]
    assert sorted(written) == [("create", False), ("create", False), ("update", True), ("update", True)]
    finish(world)


def test_record_that_points_at_itself_arrives() -> None:
    world = bank()
    first = world.ticket("a1", "T1")
    world.edit("a1", first, repeat_of=first)
    world.settle()
    assert target(world, "a2", "T1", "repeat_of") == "T1"


@pytest.mark.parametrize("rule", ["propagate", "archive", "ask"])
@pytest.mark.parametrize(("reply", "left"), [("restore", 1), ("detach", 0)])
def test_parent_with_live_children_is_not_deleted_silently(rule: str, reply: str, left: int) -> None:
    world, anna, _ = visited(on_delete=rule)
    world.delete("a1", anna)
    report = world.settle()
    assert "holds=1" in report.reasons
    assert [question.rule for question in desk.asked(world, "hold")] == ["children"]
    assert len(world.find("a2", "Anna Li")) == 1, "nothing is deleted while the question is open"
    assert {record.state for record in world.goldens().values()} == {GoldenState.LIVE}
    desk.answer_questions(world, lambda question: reply)
    world.settle()
    assert len(world.find("a1", "Anna Li")) == left
    assert len(world.find("a2", "Anna Li")) == 1
    assert target(world, "a2", "V1") == "Anna Li", "the children keep their parent"
    finish(world)


def test_parent_whose_children_are_gone_is_deleted_by_the_rule() -> None:
    world, anna, visit = visited(on_delete="propagate")
    world.delete("a1", visit)
    world.settle()
    assert world.find("a2", "V1") == []
    world.delete("a1", anna)
    report = world.settle()
    assert report.reasons == ()
    assert world.live("a2") == {}, "nobody points at it any more"
    finish(world)


def test_child_that_comes_while_its_parent_is_condemned_stops_the_delete() -> None:
    world, _, visit = visited(on_delete="propagate")
    for native_id in (visit, one(world, "a1", "Anna Li")):
        world.delete("a1", native_id)
        world.time.pass_(60)
        world.cycle("visit")
    world.cycle("client", write=False)
    there = one(world, "a2", "Anna Li")
    world.visit("a2", "V2", there)
    world.cycle("visit")
    report = world.settle()
    assert "holds=1" in report.reasons
    assert one(world, "a2", "Anna Li") == there, "it is not deleted"
    desk.answer_questions(world, lambda question: "detach")
    world.settle()
    assert one(world, "a2", "Anna Li") == there
    finish(world)


def test_visit_of_nobody_is_passed_over_and_counted() -> None:
    world = bank()
    visit = world.visit("a1", "V1")
    report = world.cycle()
    assert report.counts["unlinked"] == 1
    assert (report.reasons, world.goldens(), world.live("a2")) == ((), {}, {}), "counted, and no question"
    world.edit("a1", visit, client_id=world.create("a1", ANNA))
    world.settle()
    assert target(world, "a2", "V1") == "Anna Li", "once it is somebody's it is taken in"


@pytest.mark.parametrize("known", [True, False])
def test_reference_to_an_object_of_another_entity_is_none(known: bool) -> None:
    world = bank(SystemSpec("a1"), SystemSpec("b1", "beta"))
    ticket = world.ticket("b1", "T1")
    if known:
        world.settle()
    world.visit("b1", "V1", ticket)
    if not known:
        world.cycle("visit")
        assert parked(world) == 1, "nobody knows yet what stands there"
    world.time.pass_(60)
    counts = [world.cycle().counts.get("unlinked", 0) for _ in range(2)]
    assert sum(counts) == 1
    assert (parked(world), world.find("a1", "V1")) == (0, [])


def test_lost_parent_of_a_known_record_is_written_again() -> None:
    world, anna, visit = visited()
    world.systems["a1"].edit("Visit", visit, {"client": None, "summary": "blue"})
    report = world.settle()
    assert world.points("a1", visit) == anna, "a visit of nobody is none: the parent is owed to it"
    assert world.shows("a2", one(world, "a2", "V1"))["summary"] == "blue"
    assert report.reasons == ()
    finish(world)


def test_once_fields_are_read_from_strangers_and_written_at_creation_only() -> None:
    world = bank(SystemSpec("a1"), SystemSpec("b1", "beta"))
    ticket = world.ticket("a1", "T1", opened_by="Bo", title="red")
    world.settle()
    there = one(world, "b1", "T1")
    assert world.shows("b1", there)["opened_by"] == "Bo", "written at creation"
    before = world.mark()
    world.systems["b1"].edit("Case", there, {"OpenedBy": "Cy"})
    world.edit("a1", ticket, opened_by="Di", title="blue")
    world.settle()
    assert world.golden("T1")["opened_by"] == "Bo", "a known record is not asked again"
    assert [tuple(c.fields) for _, c in world.writes(before)] == [("Subject",)], "and it is never written again"
    meeting = world.create("b1", {"customer_kind": "individual", "full_name": "Anna Li"})
    world.visit("b1", "V1", meeting, channel="video")
    world.settle()
    assert world.golden("V1")["channel"] == "counter", "what a meeting is said to be when it is first seen"


def test_channel_that_stays_in_its_object_flows_and_another_asks() -> None:
    world = bank(SystemSpec("a1"), SystemSpec("b1", "beta"))
    visit = world.visit("a1", "V1", world.create("a1", ANNA), channel="counter")
    world.settle()
    there = one(world, "b1", "V1")
    world.edit("a1", visit, channel="video")
    assert world.settle().reasons == ()
    assert world.golden("V1")["channel"] == "video"
    world.edit("a1", visit, channel="phone", summary="red")
    assert world.settle().reasons == ("conflicts=1",), "a record is never moved silently"
    assert [question.rule for question in desk.asked(world, "conflict")] == ["route"]
    assert world.shows("b1", there)["summary"] == "red", "other fields flow"
    assert (world.golden("V1")["channel"], world.object_of("b1", there)) == ("video", "Meeting")


def test_child_waits_where_its_parent_was_detached() -> None:
    world, anna, _ = visited()
    world.delete("a2", one(world, "a2", "Anna Li"))
    world.settle()
    world.visit("a1", "V2", anna)
    report = world.settle()
    assert "waiting_parent=1" in report.reasons
    assert world.find("a2", "V2") == [], "inv 24: never written without its parent"
    finish(world)


def test_reference_to_a_detached_parent_still_names_it() -> None:
    world, anna, visit = visited()
    world.delete("a1", anna)
    world.settle()
    world.edit("a1", visit, summary="blue")
    world.visit("a1", "V2", anna)
    report = world.settle()
    assert (report.reasons, parked(world)) == ((), 0), "who it was is known"
    assert world.shows("a2", one(world, "a2", "V1"))["summary"] == "blue"
    assert target(world, "a2", "V2") == "Anna Li"
    finish(world)


@pytest.mark.parametrize("repoints", [True, False])
@pytest.mark.parametrize("touched", [True, False])
def test_children_of_a_merged_client_point_at_the_survivor(repoints: bool, touched: bool) -> None:
    world, anna, visit = visited(repoints=repoints)
    survivor = world.create("a1", ANNA)
    world.merge("a1", anna, survivor)
    if touched:
        world.edit("a1", visit, summary="blue")
    report = world.settle()
    assert report.reasons == ()
    assert world.points("a1", visit) == survivor, "inv 25: children point at the survivor"
    assert target(world, "a2", "V1") == "Anna Li"
    assert len([g for g in world.goldens().values() if g.entity == "client"]) == 1
    late = world.visit("a1", "V2", survivor)
    world.settle()
    assert target(world, "a2", "V2") == "Anna Li"
    assert late in world.live("a1")
    finish(world)


def test_child_that_waits_for_a_loser_finds_the_survivor() -> None:
    world = bank(repoints=False)
    anna = world.create("a1", ANNA)
    world.settle()
    visit = world.visit("a1", "V1", anna)
    survivor = world.create("a1", ANNA)
    world.merge("a1", anna, survivor)
    world.settle()
    assert target(world, "a2", "V1") == "Anna Li"
    assert world.points("a1", visit) == survivor


def test_children_follow_a_parent_that_was_created_anew() -> None:
    world = bank(SystemSpec("a1"), SystemSpec("a2", can=replace(FULL, can_restore=False)), on_delete="propagate")
    anna = world.create("a1", ANNA)
    world.visit("a1", "V1", anna)
    world.settle()
    there, visit = one(world, "a2", "Anna Li"), one(world, "a2", "V1")
    world.delete("a2", there)
    world.edit("a1", anna, city="Wuhan")
    report = world.settle()
    again = one(world, "a2", "Anna Li")
    assert again != there, "inv 13: the edit beats the delete, under a new id"
    assert world.points("a2", visit) == again, "and the children follow"
    assert report.reasons == ()
    finish(world)


@pytest.mark.parametrize("op", ["create", "update"])
@pytest.mark.parametrize("fault", [FaultKind.AFTER_EFFECT, FaultKind.BEFORE_EFFECT])
def test_write_that_carries_a_reference_is_recovered(op: str, fault: FaultKind) -> None:
    world, _, visit = visited()
    bert = world.create("a1", BERT)
    world.settle()
    if op == "create":
        world.visit("a1", "V2", bert)
    else:
        world.edit("a1", visit, client_id=bert)
    world.faults("a2").inject(fault, "write")
    world.time.pass_(60)
    report = world.cycle("visit")
    assert report.standing.waiting["uncertain_writes"] == 1
    before = world.mark()
    world.restart()
    report = world.settle()
    who = "V2" if op == "create" else "V1"
    assert (report.reasons, target(world, "a2", who)) == ((), "Bert Wu")
    sent = [commit for _, commit in world.writes(before) if commit.object == "Visit"]
    assert len(sent) == (fault is FaultKind.BEFORE_EFFECT), "what arrived is not sent again"
    finish(world)


def crossing(**settings: object) -> World:
    """Returns a world in which records of every entity are about to arrive, two of them pointing at each other."""
    world = bank(page=2, **settings)
    anna = world.create("a1", ANNA)
    first = world.ticket("a1", "T1", client_id=anna)
    second = world.ticket("a1", "T2", repeat_of=first)
    world.edit("a1", first, repeat_of=second)
    world.visit("a1", "V1", anna, ticket_id=first)
    world.visit("a2", "V2", world.create("a2", BERT))
    return world


@pytest.mark.parametrize("part", range(4))
def test_killed_at_every_boundary_the_references_are_whole(part: int) -> None:
    boundary, killed = part + 1, 0
    while True:
        world = crossing()
        world.hub.mortality.kill_after(boundary)
        try:
            world.cycle()
        except Killed:
            check_always(world)
            world.restart()
        else:
            break
        report = world.settle()
        assert report.reasons == (), f"killed at boundary {boundary}"
        assert [target(world, "a2", who) for who in ("T1", "V1", "V2")] == ["Anna Li", "Anna Li", "Bert Wu"]
        assert (target(world, "a2", "T1", "repeat_of"), target(world, "a2", "T2", "repeat_of")) == ("T2", "T1")
        assert (target(world, "a2", "V1", "ticket_id"), target(world, "a1", "V2")) == ("T1", "Bert Wu")
        finish(world)
        world.close()
        boundary, killed = boundary + 4, killed + 1
    assert killed >= 20, "three cycles pass many boundaries"


def test_reconcile_finds_references_that_no_stream_showed() -> None:
    world, _, visit = visited()
    bert = world.create("a1", BERT)
    world.settle()
    system = world.systems["a1"]
    row = system.table("Visit").rows[visit][-1]
    # A bulk tool re-points the visit without touching its modified time.
    system.table("Visit").rows[visit].append(
        replace(row, fields={**row.fields, "client": bert}, version=row.version + 1000)
    )
    world.settle()
    assert target(world, "a2", "V1") == "Anna Li", "no stream shows it"
    world.hub.reconcile()
    report = world.settle()
    assert (report.reasons, target(world, "a2", "V1")) == ((), "Bert Wu")


def test_reconcile_of_a_synced_world_finds_nothing() -> None:
    world = crossing()
    world.settle()
    before = world.mark()
    found = world.hub.reconcile()
    assert [(item.missing, item.extra, item.gone) for item in found] == [(0, 0, 0)] * len(found)
    world.settle()
    assert world.writes(before) == []


def test_lost_store_finds_every_parent_again() -> None:
    world = crossing()
    world.settle()
    # Hub ids reach the systems of origin with the next update of a record there.
    for system, other in (("a1", "a2"), ("a2", "a1")):
        for native_id, (object_, _) in list(world.live(other).items()):
            field = {"Client": "note", "Ticket": "title", "Visit": "summary"}[object_]
            world.edit(other, native_id, **{field: f"seen in {system}"})
        world.settle()
    known, before = sorted(world.goldens()), world.mark()
    world.lose_store()
    # Children come first: they must wait until it is known again who their parents are.
    assert world.cycle("visit").standing.waiting["parked"] == 4
    report = world.settle()
    assert sorted(world.goldens()) == known, "the stamps keep the hub ids"
    assert (world.writes(before), report.reasons) == ([], ()), "and nothing differs, so nothing is written"
    check_always(world)
    check_references(world)


def test_restored_store_takes_references_up_again() -> None:
    world, anna, visit = visited()
    bert = world.create("a1", BERT)
    world.settle()
    raw = world.engine.raw_connection()
    taken = raw.driver_connection.serialize()  # type: ignore[union-attr]
    raw.close()
    world.edit("a1", visit, client_id=bert)
    world.visit("a1", "V2", anna)
    world.settle()
    for native_id in world.find("a2", "V2"):
        world.edit("a2", native_id, summary="seen")
    world.settle()
    before = world.mark()
    raw = world.engine.raw_connection()
    raw.driver_connection.deserialize(taken)  # type: ignore[union-attr]
    raw.close()
    world.restart()
    world.drop_cursors()
    report = world.settle()
    assert report.reasons == ()
    assert (target(world, "a1", "V1"), target(world, "a2", "V1")) == ("Bert Wu", "Bert Wu")
    assert (target(world, "a2", "V2"), len(world.find("a2", "V2"))) == ("Anna Li", 1), "no twin of a child"
    assert [commit.op for _, commit in world.writes(before) if commit.op == "create"] == []
    check_references(world)


def test_last_visit_of_a_client_is_rolled_up_and_written_once_a_batch() -> None:
    world = bank()
    anna = world.create("a1", ANNA)
    world.settle()
    before = world.mark()
    for number, moment in enumerate((FIRST, LAST, LATER)):
        world.visit("a1", f"V{number}", anna, happened_at=moment)
    world.visit("a1", "V8", anna, happened_at="2027-01-01T00:00:00Z", channel="counter")
    world.visit("a1", "V9", anna, happened_at="2026-04-01T00:00:00Z", outcome="no_answer")
    report = world.settle()
    assert report.reasons == ()
    assert str(world.golden("Anna Li")["last_visit_at"])[:10] == LAST[:10], "neither planned nor missed ones count"
    written = [name for name, commit in world.writes(before) if commit.object == "Client"]
    assert sorted(written) == ["a1", "a2"], "three visits come to one write per system"
    shown = {name: world.live(name)[one(world, name, "Anna Li")][1]["last_visit"] for name in ("a1", "a2")}
    assert len(set(shown.values())) == 1
    before = world.mark()
    world.visit("a1", "V3", anna, happened_at=LATER)
    world.settle()
    assert [c.object for _, c in world.writes(before)] == ["Visit"], "an earlier visit changes nothing"
    finish(world)


def test_what_the_hub_computes_does_not_save_a_deleted_client() -> None:
    world, anna, _ = visited()
    world.visit("a2", "V2", one(world, "a2", "Anna Li"), happened_at=LAST)
    world.cycle("visit")
    world.delete("a1", anna)
    world.settle()
    assert world.find("a1", "Anna Li") == [], "a computed field is no edit"
    states = {b.state for b in world.bindings().values() if b.native_id == anna}
    assert states == {BindingState.DETACHED}
