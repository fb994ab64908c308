"""The plan of one record: deletes under every rule, returns, merges in a system, routing, and what waits."""

# ruff: noqa: E501 — a row of the table is one line

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from hub.core.derive import Derivation
from hub.core.plan import Act, OnDelete, RecordPlan, narrowed, order_entities, plan_record
from hub.core.state import BindingState, Conflict, GoldenState, Hold, Kind, Side, Snapshot
from tests.unit.core.core_records import FIELDS, NOW, agreed, answer, golden, known, observation, policy, side, snapshot

X = {"city": "X"}
BASE = agreed(X)
PENDING, ACTIVE, DOOMED, DETACHED = (
    BindingState.PENDING,
    BindingState.ACTIVE,
    BindingState.DOOMED,
    BindingState.DETACHED,
)
GONE = None


def acts(plan: RecordPlan) -> set[tuple[str, str]]:
    return {(action.system, action.act.value) for action in plan.actions}


def states(plan: RecordPlan) -> dict[str, str]:
    return {planned.binding.system: planned.binding.state.value for planned in plan.sides}


@dataclass(frozen=True)
class Row:
    """Is one delete: `sides` are (system, shows, base, state), `expected` the state of every binding afterwards."""

    description: str
    rule: OnDelete
    sides: tuple[tuple[str, Any, Any, BindingState], ...]
    expected: dict[str, str]
    stands: str | None = "X"
    edits: Any = None


QUIET = ("b", "nothing", BASE, ACTIVE)
GONE_A = ("a", GONE, BASE, ACTIVE)
EDIT_B = ("b", {"city": "Y"}, BASE, ACTIVE)
ROWS = [
    Row("detach", OnDelete.DETACH, (GONE_A, QUIET), {"a": "detached", "b": "active"}),
    Row("archive", OnDelete.ARCHIVE, (GONE_A, QUIET), {"a": "detached", "b": "active"}),
    Row("propagate", OnDelete.PROPAGATE, (GONE_A, QUIET), {"a": "detached", "b": "doomed"}),
    Row("ask", OnDelete.ASK, (GONE_A, QUIET), {"a": "active", "b": "active"}),
    Row("an edit beats a delete", OnDelete.DETACH, (GONE_A, EDIT_B), {"a": "pending", "b": "active"}),
    Row("an edit beats a delete that would spread", OnDelete.PROPAGATE, (GONE_A, EDIT_B), {"a": "pending", "b": "active"}),
    Row("a person's edit beats a delete", OnDelete.PROPAGATE, (GONE_A, QUIET), {"a": "pending", "b": "active"}, edits={"city": "Y"}),
    Row("an edit not yet carried there beats a delete", OnDelete.PROPAGATE, (GONE_A, ("b", "nothing", agreed({"city": "Y"}), ACTIVE)),
        {"a": "pending", "b": "active"}, stands="Y"),
    Row("an edit on hold beats a delete that would spread", OnDelete.PROPAGATE,
        (("a", GONE, agreed({"name": "X"}), ACTIVE), ("b", {"name": "X**"}, agreed({"name": "X"}), ACTIVE)), {"a": "pending", "b": "active"}, stands=None),
    Row("both delete", OnDelete.PROPAGATE, (GONE_A, ("b", GONE, BASE, ACTIVE)), {"a": "detached", "b": "detached"}),
    Row("a place not yet created is not created any more", OnDelete.PROPAGATE, (GONE_A, ("c", "nothing", None, PENDING)),
        {"a": "detached", "c": "detached"}),
    Row("the record lives on in all systems or in none", OnDelete.PROPAGATE,
        (GONE_A, ("b", GONE, agreed({"city": "W"}), ACTIVE), ("c", "nothing", BASE, ACTIVE)),
        {"a": "pending", "b": "pending", "c": "active"}),
    Row("the condemned record is gone", OnDelete.PROPAGATE, (("a", "nothing", BASE, DETACHED), ("b", GONE, BASE, DOOMED)),
        {"a": "detached", "b": "detached"}),
    Row("an edit of a condemned record calls the delete off everywhere", OnDelete.PROPAGATE,
        (("a", "nothing", BASE, DETACHED), ("b", {"city": "Y"}, BASE, DOOMED), ("c", "nothing", BASE, DOOMED)),
        {"a": "pending", "b": "active", "c": "active"}),
    Row("a person's edit calls the delete off", OnDelete.PROPAGATE, (("a", "nothing", BASE, DETACHED), ("b", "nothing", BASE, DOOMED)),
        {"a": "pending", "b": "active"}, edits={"city": "Y"}),
    Row("a condemned record that is only touched stays condemned", OnDelete.PROPAGATE, (("b", {"city": "X"}, BASE, DOOMED),), {"b": "doomed"}),
    Row("a record that comes back is active again", OnDelete.DETACH, (("a", {"city": "X"}, BASE, DETACHED),), {"a": "active"}),
    Row("a created record that shows up before its answer is active", OnDelete.DETACH, (("a", {"city": "X"}, None, PENDING),), {"a": "active"}),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.description)
def test_fate_of_a_deleted_record(row: Row) -> None:
    sides = [
        side(name, shows, base, state=state, native_id=None if state is PENDING else f"{name}-1")
        for name, shows, base, state in row.sides
    ]
    shot = snapshot({"city": row.stands} if row.stands else {"name": "X"}, *sides, edits=row.edits or {})
    plan = plan_record(shot, policy(on_delete=row.rule), NOW)
    assert states(plan) == row.expected
    assert all(planned.binding.dirty for planned in plan.sides if planned.binding.state in (PENDING, DOOMED))
    back = plan_record(replace(shot, sides=shot.sides[::-1]), policy(on_delete=row.rule), NOW)
    assert states(back) == row.expected


def test_archive_archives_the_golden_record_and_a_return_revives_it() -> None:
    shot = snapshot(X, side("a", GONE, BASE), side("b", base=BASE))
    plan = plan_record(shot, policy(on_delete=OnDelete.ARCHIVE), NOW)
    assert plan.golden.state is GoldenState.ARCHIVED
    assert plan.golden.revision == shot.golden.revision + 1
    back = Snapshot(plan.golden, (side("a", X, BASE, state=DETACHED),))
    assert plan_record(back, policy(on_delete=OnDelete.ARCHIVE), NOW).golden.state is GoldenState.LIVE


def test_ask_asks_one_question_for_all_systems_and_takes_its_answer() -> None:
    sides = (side("a", GONE, BASE), side("b", GONE, BASE), side("c", base=BASE))
    asking = policy(on_delete=OnDelete.ASK)
    plan = plan_record(snapshot(X, *sides), asking, NOW)
    assert plan.holds == (Hold("*", "a", "deleted", (("a", None), ("b", None))),)
    assert [planned.consumed for planned in plan.sides] == [False, False, True]
    for reply, state in (("restore", "pending"), ("detach", "detached")):
        answered = snapshot(X, *sides, resolutions=answer("*", reply, a=None, b=None))
        assert states(plan_record(answered, asking, NOW)) == {"a": state, "b": state, "c": "active"}
    stale = snapshot(X, *sides, resolutions=answer("*", "detach", a=None))
    assert plan_record(stale, asking, NOW).holds == plan.holds


def test_a_deleted_record_is_restored_under_its_native_id_where_the_system_can() -> None:
    shot = snapshot(X, side("a", GONE, BASE), side("b", {"city": "Y"}, BASE))
    anew, revived = (plan_record(shot, policy(restorable=frozenset(s)), NOW).sides[0] for s in ((), ("a",)))
    assert (anew.binding.native_id, anew.base) == (None, {})
    assert revived.binding.native_id == "a-1"
    assert revived.base == BASE
    assert {action.act for action in (*anew.actions, *revived.actions)} == {Act.RESTORE}


def merged_away(system: str, survivor: str = "9") -> Side:
    lost = observation(system, {}, kind=Kind.MERGED, survivor=f"{system}-{survivor}")
    return side(system, base=BASE, observation=lost)


def test_a_merge_into_a_record_of_nobody_moves_the_binding_which_is_owed_a_look() -> None:
    plan = plan_record(snapshot(X, merged_away("a")), policy(), NOW)
    bound = plan.sides[0].binding
    assert (bound.native_id, bound.dirty, plan.sides[0].base) == ("a-9", True, {})
    assert acts(plan) == {("a", "rebind")}


SURVIVORS = {("a", "Things", "a-9"): "h2", ("b", "Things", "b-9"): "h2", ("c", "Things", "c-9"): "h3"}


def test_a_merge_of_two_bound_records_is_proposed_and_writes_nothing_to_the_dead() -> None:
    shot = snapshot(X, merged_away("a"), side("b", {"city": "Y"}, BASE))
    plan = plan_record(shot, policy(survivors=SURVIVORS), NOW)
    assert plan.holds == (Hold("*", "a", "merge", (("a", "h2"),)),)
    lost, other = plan.sides
    assert (lost.binding.state, lost.binding.dirty, lost.consumed) == (ACTIVE, False, False)
    assert (other.consumed, plan.golden.fields) == (True, {"city": "Y"})
    assert acts(plan) == set()


@pytest.mark.parametrize(
    ("reply", "seen", "states_", "asked"),
    [
        ("join", {"a": "h2", "b": "h2"}, {"a": "active", "b": "active", "c": "active"}, (("a", "h2"), ("b", "h2"))),
        ("apart", {"a": "h2", "b": "h2"}, {"a": "detached", "b": "detached", "c": "active"}, (("c", "h3"),)),
        ("join", {"a": "h2"}, {"a": "active", "b": "active", "c": "active"}, (("a", "h2"), ("b", "h2"))),
        ("apart", {"a": "h7"}, {"a": "active", "b": "active", "c": "active"}, (("a", "h2"), ("b", "h2"))),
    ],
    ids=[
        "joined: stands until it is carried out",
        "apart: then the next survivor",
        "one more system",
        "moved-survivor",
    ],
)
def test_an_answer_to_a_proposed_merge(
    reply: str, seen: dict[str, str], states_: dict[str, str], asked: tuple[tuple[str, str], ...]
) -> None:
    sides = [merged_away(name) for name in ("a", "b", "c")]
    shot = snapshot(X, *sides, resolutions=answer("*", reply, **seen))
    for rule in OnDelete:
        plan = plan_record(shot, policy(survivors=SURVIVORS, on_delete=rule), NOW)
        assert states(plan) == states_, "a refused merge spreads to no other system, whatever the rule for deletes"
        assert [hold.candidates for hold in plan.holds] == [asked]
        assert (
            plan_record(replace(shot, sides=tuple(sides[::-1])), policy(survivors=SURVIVORS), NOW).holds == plan.holds
        )


def test_nothing_flows_back_from_a_record_that_was_merged_away() -> None:
    ended = replace(snapshot(X).golden, state=GoldenState.MERGED)
    shown = (
        side("a", {"city": "Y"}, BASE, state=BindingState.SUPERSEDED),
        side("b", {"city": "X"}, None, state=DETACHED),
        side("c", GONE, BASE, state=BindingState.SUPERSEDED),
    )
    plan = plan_record(Snapshot(ended, shown, edits={"city": "Z"}), policy(on_delete=OnDelete.PROPAGATE), NOW)
    assert plan.golden == ended
    assert states(plan) == {"a": "superseded", "b": "superseded", "c": "detached"}
    assert [(c.field, c.before, c.after, c.losers) for c in plan.changes] == [("city", "X", "X", (("a", "Y"),))]
    assert not any(planned.binding.dirty or planned.debt.fields for planned in plan.sides)
    again = replace(shown[0], base=plan.sides[0].base)
    assert plan_record(Snapshot(ended, (again,)), policy(), NOW).changes == (), "what was kept once is not kept again"


def test_a_routing_field_is_never_moved_silently() -> None:
    moved = side("a", {"kind": "org", "city": "Y"}, agreed({"kind": "person", "city": "X"}))
    stands = {"kind": "person", "city": "X"}
    asking = policy(routing={"kind": {}})
    plan = plan_record(snapshot(stands, moved), asking, NOW)
    assert plan.conflicts == (Conflict("kind", "route", (("a", "org"),)),)
    assert plan.golden.fields == {"kind": "person", "city": "Y"}
    agreed_to = snapshot(stands, moved, resolutions=answer("kind", "org", a="org"))
    assert plan_record(agreed_to, asking, NOW).golden.fields["kind"] == "org"


def test_a_stale_answer_does_not_move_a_routing_field() -> None:
    moved = side("a", {"kind": "org"}, agreed({"kind": "person"}))
    shot = snapshot({"kind": "person"}, moved, resolutions=answer("kind", "trust", a="trust"))
    assert plan_record(shot, policy(routing={"kind": {}}), NOW).golden.fields == {"kind": "person"}


RULES = (Derivation("received", "city"),)


def test_a_computed_field_follows_a_change_and_is_owed() -> None:
    base = agreed({"city": "X", "received": None})
    plan = plan_record(snapshot(X, side("a", {"city": "Y"}, base)), policy(derivations=RULES), NOW)
    assert plan.golden.fields == {"city": "Y", "received": NOW}
    assert plan.sides[0].debt.fields == {"received": NOW}


def test_nothing_is_computed_from_the_arrival_of_a_record_or_while_a_question_stands() -> None:
    arrived = plan_record(snapshot({}, side("a", X, {}), revision=0), policy(derivations=RULES), NOW)
    assert arrived.golden.fields == X
    base = agreed({"name": "X", "consent": "withdrawn"})
    held = side("a", {"name": "Y", "consent": "granted"}, base)
    shot = snapshot({"name": "X", "consent": "withdrawn"}, held)
    plan = plan_record(shot, policy(derivations=(Derivation("consent", "name"),)), NOW)
    assert plan.golden.fields == {"name": "Y", "consent": "withdrawn"}


def test_a_question_freezes_its_field_and_keeps_the_observation_narrowed_to_it() -> None:
    held = side("a", {"consent": "granted", "city": "Y"}, agreed({"consent": "withdrawn", "city": "X"}))
    other = side("b", base=agreed({"consent": "granted", "city": "X"}), fields=frozenset(["consent", "city"]))
    plan = plan_record(snapshot({"consent": "withdrawn", "city": "X"}, held, other), policy(), NOW)
    assert not plan.sides[0].consumed
    assert plan.sides[1].debt.fields == {"city": "Y"}
    assert plan.frozen == {"consent"}
    assert held.observation is not None
    assert narrowed(held.observation, plan.frozen).fields == {"consent": "granted"}


def test_a_place_that_waits_to_be_created_keeps_no_base_of_its_own() -> None:
    waiting = side("b", state=PENDING, native_id=None)
    plan = plan_record(snapshot(X, side("a", {"city": "Y"}, BASE), waiting), policy(), NOW)
    assert plan.sides[1].base is None
    assert acts(plan) == {("b", "create")}


def test_a_record_found_for_a_waiting_place_is_no_edit() -> None:
    found = side("b", {"city": "Z"}, None, state=PENDING, native_id=None)
    plan = plan_record(snapshot(X, found), policy(), NOW)
    assert plan.golden.fields == X
    assert plan.sides[0].binding.native_id == "b-1"
    assert plan.sides[0].debt.fields == X


def test_a_superseded_binding_says_nothing() -> None:
    plan = plan_record(snapshot(X, side("a", {"city": "Y"}, BASE, state=BindingState.SUPERSEDED)), policy(), NOW)
    assert plan.golden.fields == X


def test_two_parts_of_one_system_compete_alike_in_any_order() -> None:
    def part(name: str, value: str) -> Side:
        made = side("a", {"name": value}, agreed({"name": "X"}))
        return replace(made, binding=replace(made.binding, part=name, binding_id=f"h1/a/{name}"))

    main, extra = part("main", "Y"), part("extra", "Z")
    asked = {
        plan_record(snapshot({"name": "X"}, *sides), policy(), NOW).conflicts
        for sides in ((main, extra), (extra, main))
    }
    assert asked == {(Conflict("name", "ask", (("a", "Y"), ("h1/a/extra", "Z"))),)}


def test_a_side_that_moved_along_needs_no_stored_base() -> None:
    only = frozenset(["city", "zip"])
    mover, other = side("a", {"city": "Y", "zip": "1"}, fields=only), side("b", fields=only)
    plan = plan_record(snapshot({"city": "X", "zip": "1"}, mover, other), policy(), NOW)
    assert plan.sides[0].base is None
    assert plan.sides[1].base == agreed({"city": "X", "zip": "1"})


def test_a_rewritten_value_is_silence() -> None:
    base = {"city": known("X", "X", "x")}
    shown = (plan_record(snapshot(X, side("a", {"city": form}, base)), policy(), NOW) for form in ("x", "X"))
    assert [(plan.changes, plan.actions) for plan in shown] == [((), ()), ((), ())]


def test_entities_come_parents_first() -> None:
    graph = {"contact_log": ["customer", "complaint"], "complaint": ["customer"], "customer": ["customer"]}
    assert order_entities(graph) == ("customer", "complaint", "contact_log")


def test_a_golden_record_keeps_no_empty_fields() -> None:
    plan = plan_record(snapshot(X, side("a", {"city": None}, BASE)), policy(), NOW)
    assert plan.golden == replace(golden({}, 4), origins={"*": "a", "city": "a"})
    assert plan.sides[0].base == {"city": known(None, None)}
    assert frozenset(plan.golden.fields) <= FIELDS
