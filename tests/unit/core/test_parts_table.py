"""What becomes of the parts of a record: with their main record, alone, and whose a side record is."""

# ruff: noqa: E501 — a row of the table is one line

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from hub.core.parts import Claim, judge_claims
from hub.core.plan import Act, OnDelete, RecordPlan, plan_record
from hub.core.state import BindingState, GoldenState, Hold, Kind, Side, Snapshot
from tests.unit.core.core_records import NOW, agreed, answer, policy, side, snapshot

PENDING, ACTIVE, DOOMED, DETACHED = (
    BindingState.PENDING,
    BindingState.ACTIVE,
    BindingState.DOOMED,
    BindingState.DETACHED,
)
HERE = {"name": "N", "city": "X"}
MAIN_FIELDS, PART_FIELDS = frozenset({"name"}), frozenset({"city"})
GONE, QUIET = None, "nothing"
PART_HOLD = Hold("*", "a", "part_deleted", (("a/extra", None),))


def main(system: str, shows: Any, state: BindingState = ACTIVE, native_id: str | None = "1") -> Side:
    return side(system, shows, agreed({"name": "N"}), state=state, native_id=native_id, fields=MAIN_FIELDS)


def part(shows: Any, state: BindingState = ACTIVE, native_id: str | None = "p1", base: Any = None) -> Side:
    base = agreed({"city": "X"}) if base is None else base
    made = side("a", shows, base, state=state, native_id=native_id, fields=PART_FIELDS)
    return replace(made, binding=replace(made.binding, part="extra", binding_id="h1/a/extra", object="Extra"))


def other(shows: Any = QUIET) -> Side:
    return side("b", shows, agreed(HERE), fields=MAIN_FIELDS | PART_FIELDS)


@dataclass(frozen=True)
class Row:
    """Is what a main record, its part and the other system show, and where the three bindings stand afterwards."""

    description: str
    sides: tuple[Side, Side, Side]
    expected: tuple[str, str, str]
    rule: OnDelete = OnDelete.DETACH
    holds: tuple[Hold, ...] = ()


ROWS = [
    Row("nothing happens", (main("a", QUIET), part(QUIET), other()), ("active", "active", "active")),
    Row("gone alone: asked", (main("a", QUIET), part(GONE), other()), ("active", "active", "active"), holds=(PART_HOLD,)),
    Row("gone alone is no delete, whatever the rule", (main("a", QUIET), part(GONE), other()), ("active", "active", "active"), OnDelete.PROPAGATE, (PART_HOLD,)),
    Row("an edit of its field elsewhere brings it back", (main("a", QUIET), part(GONE), other({"city": "Y"})), ("active", "pending", "active")),
    Row("an edit of another field does not", (main("a", QUIET), part(GONE), other({"name": "M"})), ("active", "active", "active"), holds=(PART_HOLD,)),
    Row("what it is still owed brings it back", (main("a", QUIET), part(GONE, base=agreed({"city": "W"})), other()), ("active", "pending", "active")),
    Row("detached with its main", (main("a", GONE), part(QUIET), other()), ("detached", "detached", "active")),
    Row("detached with its main, gone itself", (main("a", GONE), part(GONE), other()), ("detached", "detached", "active")),
    Row("a delete there that spreads takes the living part along", (main("a", GONE), part(QUIET), other()), ("detached", "doomed", "doomed"), OnDelete.PROPAGATE),
    Row("a delete elsewhere condemns both", (main("a", QUIET), part(QUIET), other(GONE)), ("doomed", "doomed", "detached"), OnDelete.PROPAGATE),
    Row("a part not made yet is not made any more", (main("a", QUIET), part(QUIET, PENDING, None), other(GONE)), ("doomed", "detached", "detached"), OnDelete.PROPAGATE),
    Row("the condemned part is gone first", (main("a", QUIET, DOOMED), part(GONE, DOOMED), other(QUIET)), ("doomed", "detached", "active")),
    Row("the condemned main is gone, its part not yet", (main("a", GONE, DOOMED), part(QUIET, DOOMED), other(QUIET)), ("detached", "doomed", "active")),
    Row("an edit calls the delete off for both", (main("a", QUIET, DOOMED), part(GONE, DOOMED), other({"name": "M"})), ("active", "pending", "active")),
    Row("the main is asked about: its part waits with it", (main("a", GONE), part(GONE), other()), ("active", "active", "active"), OnDelete.ASK, (Hold("*", "a", "deleted", (("a", None),)),)),
    Row("an edit brings both back", (main("a", GONE), part(GONE), other({"name": "M"})), ("pending", "pending", "active")),
    Row("the main came back: its part is brought back", (main("a", {"name": "N"}, DETACHED), part(QUIET, DETACHED), other()), ("active", "pending", "active")),
    Row("both came back", (main("a", {"name": "N"}, DETACHED), part({"city": "X"}, DETACHED), other()), ("active", "active", "active")),
    Row("a part alone does not come back", (main("a", QUIET, DETACHED), part({"city": "Y"}, DETACHED), other()), ("detached", "detached", "active")),
]  # fmt: skip


def states(plan: RecordPlan) -> tuple[str, ...]:
    return tuple(planned.binding.state.value for planned in plan.sides)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.description)
def test_fate_of_a_part(row: Row) -> None:
    decided = replace(policy(on_delete=row.rule), restorable=frozenset({"a"}))
    plan = plan_record(snapshot(HERE, *row.sides), decided, NOW)
    assert states(plan) == row.expected
    assert plan.holds == row.holds
    assert plan.golden.fields["city"] == (
        "Y" if row.sides[2].observation and "Y" in row.sides[2].observation.fields.values() else "X"
    )
    back = plan_record(snapshot(HERE, *row.sides[::-1]), decided, NOW)
    assert states(back)[::-1] == row.expected


@pytest.mark.parametrize(("said", "state"), [("restore", "pending"), ("detach", "detached")])
def test_a_person_says_what_becomes_of_a_part(said: str, state: str) -> None:
    shot = snapshot(HERE, main("a", QUIET), part(GONE), other())
    shot = replace(shot, resolutions=answer("*", said, **dict(PART_HOLD.candidates)))
    plan = plan_record(shot, replace(policy(), restorable=frozenset({"a"})), NOW)
    assert states(plan) == ("active", state, "active")
    assert plan.golden.fields == HERE
    assert plan.holds == ()
    assert plan.sides[1].binding.native_id == "p1"


def test_a_part_is_owed_when_it_first_has_a_value() -> None:
    waiting = part(QUIET, PENDING, None, base={})
    empty = plan_record(snapshot({"name": "N"}, main("a", QUIET), waiting, other({"name": "M"})), policy(), NOW)
    assert (empty.sides[1].binding.dirty, empty.sides[1].actions) == (False, ())
    told = side("b", {"city": "Y"}, agreed({"name": "N", "city": None}), fields=MAIN_FIELDS | PART_FIELDS)
    filled = plan_record(snapshot({"name": "N"}, main("a", QUIET), waiting, told), policy(), NOW)
    assert filled.sides[1].binding.dirty
    assert [action.act for action in filled.sides[1].actions] == [Act.CREATE]
    assert not filled.sides[0].binding.dirty


def test_an_edit_in_a_part_is_owed_to_the_other_system_and_not_to_the_main_record() -> None:
    plan = plan_record(snapshot(HERE, main("a", {"name": "N"}), part({"city": "Y"}), other()), policy(), NOW)
    assert [(change.field, change.origin) for change in plan.changes] == [("city", "a")]
    assert [planned.binding.dirty for planned in plan.sides] == [False, False, True]


def test_a_part_of_an_archived_record_revives_nobody() -> None:
    archived = replace(snapshot(HERE).golden, state=GoldenState.ARCHIVED)
    plan = plan_record(Snapshot(archived, (main("a", QUIET, DETACHED), part({"city": "X"}, DETACHED))), policy(), NOW)
    assert plan.golden.state is GoldenState.ARCHIVED


@pytest.mark.parametrize(("bound", "expected"), [(None, "active"), ("h1", "active"), ("h2", "asked")])
def test_a_part_that_was_merged_into_another_one_takes_its_place(bound: str | None, expected: str) -> None:
    gone = part(GONE)
    assert gone.observation is not None
    merged = replace(gone, observation=replace(gone.observation, kind=Kind.MERGED, survivor="p2", object="Extra"))
    known = {} if bound is None else {("a", "Extra", "p2"): bound}
    plan = plan_record(snapshot(HERE, main("a", QUIET), merged, other()), replace(policy(), survivors=known), NOW)
    assert plan.sides[1].binding.native_id == ("p2" if expected == "active" else "p1")
    assert bool(plan.holds) is (expected == "asked")


@pytest.mark.parametrize(
    ("bound", "claimants", "answers", "expected"),
    [
        (False, ("p1",), {}, Claim("p1")),
        (False, ("p1", "p2"), {}, Claim(asked=("p1", "p2"))),
        (False, ("p1", "p2"), {"p2": True}, Claim("p2", ("p1",))),
        (False, ("p1", "p2"), {"p1": False}, Claim("p2", ("p1",))),
        (False, ("p1", "p2"), {"p1": False, "p2": False}, Claim(spare=("p1", "p2"))),
        (False, ("p1", "p2"), {"p1": True, "p2": True}, Claim(asked=("p1", "p2"))),
        (False, ("p1", "p2", "p3"), {"p1": False}, Claim(None, ("p1",), ("p2", "p3"))),
        (True, ("p1", "p2"), {"p2": True}, Claim(spare=("p1", "p2"))),
        (False, (), {}, Claim()),
    ],
)
def test_whose_side_record_it_is(
    bound: bool, claimants: tuple[str, ...], answers: dict[str, bool], expected: Claim
) -> None:
    assert judge_claims(bound, claimants, answers) == expected
