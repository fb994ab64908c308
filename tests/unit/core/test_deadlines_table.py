"""When a complaint is due: which rule is in force, what it counts, and that the hub keeps the last word on it."""

# ruff: noqa: E501 — a row of the table is one line

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from hub.canonical.values import Value
from hub.core.adoption import adopt_new
from hub.core.deadlines import Deadlines, day_of, within
from hub.core.derive import Formula, StepDerivation
from hub.core.plan import Act, Action, EntityPolicy, RecordPlan, plan_record
from hub.core.policy import FieldRule
from hub.core.state import HUB, UNSET, BindingState, FieldChange, Hold
from hub.kernel.workdays import Workdays
from hub.mapping.deadlines import DeadlineRule, Step, Unit
from tests.unit.core.core_records import NOW, agreed, answer, binding, golden, known, observation, side, snapshot

OLD, NEW = date(2020, 3, 1), date(2026, 1, 1)
RULES = (
    DeadlineRule("old", OLD, "none", 20, Unit.CALENDAR_DAY),
    DeadlineRule("new", NEW, "none", 15, Unit.WORKING_DAY),
    DeadlineRule("extended", OLD, "to_30", 30, Unit.CALENDAR_DAY),
    DeadlineRule("review", OLD, "", 30, Unit.CALENDAR_DAY, Step.REVIEW),
)


def unexpected(year: int) -> None:
    raise AssertionError(f"no holidays of {year}")


TABLE = Deadlines(RULES, Workdays(unexpected))


@pytest.mark.parametrize(
    ("description", "received", "extension", "due"),
    [
        ("the last day ends in Asia/Shanghai", "2026-03-02T01:00:00.000Z", "to_30", "2026-04-01T15:59:59.000Z"),
        ("late in the evening UTC it is the next day there", "2026-03-02T16:00:00.000Z", "to_30", "2026-04-02T15:59:59.000Z"),
        ("just before midnight there it is still that day", "2026-03-02T15:59:59.000Z", "to_30", "2026-04-01T15:59:59.000Z"),
        ("the day before the rule changes falls under the old one", "2025-12-31T15:59:59.000Z", "none", "2026-01-20T15:59:59.000Z"),
        ("the first day of the new rule", "2025-12-31T16:00:00.000Z", "none", "2026-01-22T15:59:59.000Z"),
        ("what is older than every rule falls under the oldest", "2014-11-13T04:00:00.000Z", "none", "2014-12-03T15:59:59.000Z"),
        ("the Spring Festival and its make-up days", "2026-02-12T02:00:00.000Z", "none", "2026-03-11T15:59:59.000Z"),
        ("the National Day week", "2026-09-28T02:00:00.000Z", "none", "2026-10-23T15:59:59.000Z"),
        ("an extension without a rule", "2026-03-02T01:00:00.000Z", "to_60", None),
        ("a day that no calendar reaches", "9999-12-30T01:00:00.000Z", "to_30", None),
    ],
)  # fmt: skip
def test_due_at(description: str, received: str, extension: str, due: str | None) -> None:
    assert TABLE.due_at(received, extension) == due
    assert TABLE({"received_at": received, "extension": extension}) == due


def test_without_an_extension_the_plain_rule_counts_and_without_a_receipt_none() -> None:
    received = "2026-03-02T01:00:00.000Z"
    assert TABLE({"received_at": received}) == TABLE.due_at(received, "none") is not None
    assert TABLE({"extension": "none"}) is None
    assert TABLE.counts_working_days
    assert not Deadlines(RULES[:1], Workdays(unexpected)).counts_working_days
    review = DeadlineRule("review", OLD, "", 20, Unit.WORKING_DAY, Step.REVIEW)
    assert Deadlines((RULES[0], review), Workdays(unexpected)).counts_working_days


def test_within_counts_days_of_the_bank_and_never_backwards() -> None:
    assert day_of("2026-03-02T16:00:00.000Z") == date(2026, 3, 3)
    assert within("2026-03-02T15:00:00.000Z", "2026-04-01T15:59:59.000Z", 30)
    assert not within("2026-03-02T15:00:00.000Z", "2026-04-01T16:00:00.000Z", 30)
    assert not within("2026-03-02T15:00:00.000Z", "2026-03-02T14:59:59.000Z", 30)
    assert within("2026-03-02T15:00:00.000Z", "2027-03-02T15:00:00.000Z")


def test_the_rule_is_named_and_a_review_has_a_day_of_its_own() -> None:
    received = "2026-03-02T01:00:00.000Z"
    names = [TABLE.rule_name({"received_at": received, "extension": what}) for what in (None, "to_30", "to_60")]
    assert names == ["new", "extended", None]
    assert TABLE.rule_name({}) is None
    assert TABLE.review_due_at("2024-02-28T16:00:00.000Z") == "2024-03-30T15:59:59.000Z", "over a leap day"
    assert Deadlines(RULES[:3], Workdays(unexpected)).review_due_at(received) is None


# --- the hub has the last word ------------------------------------------------------------------------------------

RECEIVED = "2026-03-02T01:00:00.000Z"
DUE, EXTENDED = str(TABLE.due_at(RECEIVED)), str(TABLE.due_at(RECEIVED, "to_30"))
EARLIER, LATER = "2026-03-05T15:59:59.000Z", "2026-06-01T15:59:59.000Z"
FIELDS = frozenset({"received_at", "extension", "due_at", "status", "review_requested_at"})
STANDS = {"received_at": RECEIVED, "due_at": DUE}
POLICY = EntityPolicy(
    "complaint",
    {
        "received_at": FieldRule("received_at", "min", ("later_than_earliest",)),
        "extension": FieldRule("extension", "ask"),
        "due_at": FieldRule("due_at", "ask", ("later_without_extension",)),
        "status": FieldRule("status", "lattice", ("status_back",), {"investigating": 3, "closed": 6}, (("closed", "investigating"),)),
        "review_requested_at": FieldRule("review_requested_at", "ask"),
    },
    ("a", "b"),
    derivations=(
        Formula("due_at", "received_at", TABLE),
        StepDerivation("reopened_count", "status", frozenset({("closed", "investigating")})),
        StepDerivation("review_reopened_at", "status", frozenset({("closed", "investigating")}), "review_requested_at"),
    ),
)  # fmt: skip


def plan(stands: Mapping[str, Value], shows: Mapping[str, Value], other: Any = "nothing", **changes: Any) -> RecordPlan:
    base = agreed({name: stands.get(name) for name in FIELDS})
    sides = side("a", shows, base, fields=FIELDS), side("b", other, base, fields=FIELDS)
    return plan_record(snapshot(stands, *sides, **changes), POLICY, NOW)


@pytest.mark.parametrize(
    ("description", "stands", "shows", "due"),
    [
        ("an extension granted moves it", STANDS, {"extension": "to_30"}, EXTENDED),
        ("an extension taken back moves it back", {**STANDS, "extension": "to_30", "due_at": EXTENDED}, {"extension": None}, DUE),
        ("an earlier receipt moves it", STANDS, {"received_at": "2026-02-27T01:00:00.000Z"}, TABLE.due_at("2026-02-27T01:00:00.000Z")),
        ("an earlier date written by a system is put back", STANDS, {"due_at": EARLIER}, DUE),
        ("a later one with an extension becomes that of the extension", STANDS, {"extension": "to_30", "due_at": LATER}, EXTENDED),
        ("a golden date that is wrong is put right", {**STANDS, "due_at": LATER}, {}, DUE),
        ("a missing one is filled", {"received_at": RECEIVED}, {}, DUE),
        ("without a receipt a date is a field like any other", {}, {"due_at": LATER}, LATER),
    ],
)  # fmt: skip
def test_the_due_date_is_what_the_table_says(
    description: str, stands: dict[str, Value], shows: dict[str, Value], due: str
) -> None:
    made = plan(stands, shows)
    assert made.golden.fields.get("due_at") == due
    assert made.holds == made.conflicts == ()
    for planned in made.sides:
        shown = shows.get("due_at", stands.get("due_at")) if planned.binding.system == "a" else stands.get("due_at")
        assert planned.debt.fields.get("due_at") == (None if shown == due else due)


def test_what_a_system_wrote_into_it_is_kept_as_a_loser() -> None:
    made = plan(STANDS, {"due_at": EARLIER})
    assert made.changes == (FieldChange("due_at", DUE, DUE, HUB, (("a", EARLIER),)),)
    assert made.sides[0].base is not None
    assert made.sides[0].base["due_at"] == known(seen=EARLIER)
    assert made.golden.revision == 3


def test_a_later_date_without_an_extension_is_held_and_no_answer_moves_it() -> None:
    held = plan(STANDS, {"due_at": LATER})
    assert held.holds == (Hold("due_at", "a", "later_without_extension", (("a", LATER),)),)
    assert held.golden.fields["due_at"] == DUE
    assert held.sides[0].debt.fields == {}
    for reply in (LATER, DUE):
        answered = plan(STANDS, {"due_at": LATER}, resolutions=answer("due_at", reply, a=LATER))
        assert answered.holds == ()
        assert answered.golden.fields["due_at"] == DUE
        assert answered.sides[0].debt.fields == {"due_at": DUE}
    extended = plan(STANDS, {"due_at": LATER}, {"extension": "to_30"})
    assert extended.holds == ()
    assert extended.golden.fields["due_at"] == EXTENDED


def test_a_hold_does_not_keep_a_due_date_that_no_longer_is_one() -> None:
    earlier = "2026-02-27T01:00:00.000Z"
    made = plan(STANDS, {"due_at": LATER, "received_at": earlier})
    assert made.holds == ()
    assert made.golden.fields["due_at"] == TABLE.due_at(earlier)
    assert made.sides[0].debt.fields["due_at"] == TABLE.due_at(earlier)


def test_two_systems_that_write_two_due_dates_are_both_put_back() -> None:
    made = plan(STANDS, {"due_at": EARLIER}, {"due_at": "2026-03-06T15:59:59.000Z"})
    assert made.conflicts == ()
    assert [planned.debt.fields for planned in made.sides] == [{"due_at": DUE}, {"due_at": DUE}]


def test_putting_right_is_no_edit_that_saves_a_deleted_record() -> None:
    base = agreed({**STANDS, "due_at": LATER})
    sides = side("a", None, base, fields=FIELDS), side("b", base=base, fields=FIELDS)
    made = plan_record(snapshot({**STANDS, "due_at": LATER}, *sides), POLICY, NOW)
    assert made.golden.fields["due_at"] == DUE
    assert made.sides[0].binding.state is BindingState.DETACHED


def test_a_record_seen_for_the_first_time_has_its_due_date_at_once() -> None:
    shown: dict[str, Value] = {"received_at": RECEIVED, "due_at": LATER, "extension": None}
    seen = observation("a", shown)
    arrived = plan_record(snapshot({}, side("a", shown, {}, fields=FIELDS), revision=0), POLICY, NOW)
    fast = adopt_new(seen, binding("a"), FIELDS, FIELDS, derivations=POLICY.derivations)
    assert fast.golden.fields == arrived.golden.fields == STANDS
    assert fast.sides == arrived.sides
    assert fast.sides[0].binding.dirty
    assert fast.actions == (Action(Act.UPDATE, "a", "behind_golden", ("due_at",)),)
    assert fast.changes == (FieldChange("due_at", None, DUE, HUB, (("a", LATER),)),)
    assert fast.golden.origin("due_at") == HUB


@pytest.mark.parametrize("shown", [{"received_at": RECEIVED}, {"received_at": RECEIVED, "due_at": None}])
@pytest.mark.parametrize("readable", [FIELDS, FIELDS - {"due_at"}])
@pytest.mark.parametrize("writable", [FIELDS, FIELDS - {"due_at"}])
@pytest.mark.parametrize("shows_empty", [False, True])
def test_adopting_is_planning_whatever_the_system_maps(
    shown: dict[str, Value], readable: frozenset[str], writable: frozenset[str], shows_empty: bool
) -> None:
    whole = {**dict.fromkeys(readable & FIELDS - {"due_at"}), **shown}
    place = side("a", whole, {}, fields=readable, writable=writable, clearable=frozenset(), shows_empty=shows_empty)
    arrived = plan_record(snapshot({}, place, revision=0), POLICY, NOW)
    assert place.observation is not None
    fast = adopt_new(
        place.observation, binding("a"), readable, writable, derivations=POLICY.derivations, shows_empty=shows_empty
    )
    assert fast.golden.fields == arrived.golden.fields == STANDS
    assert fast.sides == arrived.sides
    assert fast.actions == arrived.actions


def test_nothing_is_computed_into_a_record_that_needs_nothing() -> None:
    shown: dict[str, Value] = {**STANDS, "extension": None, "status": "closed", "review_requested_at": None}
    fast = adopt_new(observation("a", shown), binding("a"), FIELDS, FIELDS, derivations=POLICY.derivations)
    assert fast.changes == ()
    assert fast.sides[0].base is None
    assert not fast.sides[0].binding.dirty


# --- reopenings are counted ---------------------------------------------------------------------------------------


def test_a_reopening_is_counted_and_notes_the_request_that_opened_it() -> None:
    asked = "2026-03-20T01:00:00.000Z"
    stands = {**STANDS, "status": "closed", "review_requested_at": asked}
    first = plan(stands, {"status": "investigating"})
    assert first.golden.fields["reopened_count"] == 1
    assert first.golden.fields["review_reopened_at"] == asked
    assert {c.field: c.origin for c in first.changes} == {
        "status": "a",
        "reopened_count": HUB,
        "review_reopened_at": HUB,
    }
    again = plan({**first.golden.fields, "status": "closed"}, {"status": "investigating"})
    assert again.golden.fields["reopened_count"] == 2


def test_a_step_on_is_no_reopening_and_no_request_leaves_none() -> None:
    on = plan({**STANDS, "status": "investigating"}, {"status": "closed"})
    assert "reopened_count" not in on.golden.fields
    bare = plan({**STANDS, "status": "closed"}, {"status": "investigating"})
    assert bare.golden.fields["reopened_count"] == 1
    assert "review_reopened_at" not in bare.golden.fields
    assert UNSET not in golden(bare.golden.fields).fields.values()
