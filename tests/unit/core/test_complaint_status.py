"""Every step of a complaint's status, by the shipped schema; reviews; and times that keep the earliest."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hub.canonical.schema import load_schema
from hub.canonical.shipped import shipped_folder
from hub.canonical.values import Value
from hub.core.guards import forbid
from hub.core.merge import merge
from hub.core.plan import plan_record
from hub.core.state import Conflict, Hold
from hub.kernel.settings import EntitySettings
from hub.operations.rules import rules_of
from tests.unit.core.core_records import NOW, PREFER, agreed, answer, side, snapshot

ENTITY = load_schema(shipped_folder("mappings") / "canonical").entity("complaint")
POLICY = rules_of(ENTITY, EntitySettings(systems=["a", "b"])).policy
RULES = POLICY.rules
STATUSES = ENTITY.fields["status"].values
RANKS = {
    "registered": 1,
    "accepted": 2,
    "investigating": 3,
    "awaiting_customer": 3,
    "resolved": 4,
    "responded": 5,
    "closed": 6,
    "declined": 6,
    "withdrawn": 6,
}
ANSWERED = "2026-03-02T01:00:00.000Z"
IN_TIME, TOO_LATE = "2026-04-01T15:59:59.000Z", "2026-04-01T16:00:00.000Z"
BEFORE = "2026-03-01T01:00:00.000Z"


def step(before: str, after: str | None, **record: Value) -> str | None:
    """Returns the guard that holds one system's change of the status, None where it flows."""
    stands: dict[str, Value] = {"status": before, **record}
    shown: dict[str, Value] = {"status": after}
    names = frozenset(stands)
    one = side("a", shown, agreed(stands), fields=names)
    merged = merge(snapshot(stands, one, side("b", base=agreed(stands), fields=names)), RULES, PREFER)
    assert merged.conflicts == ()
    assert merged.golden.fields["status"] == (before if merged.holds else after)
    return merged.holds[0].guard if merged.holds else None


def test_the_ranks_are_those_of_the_schema() -> None:
    assert dict(ENTITY.fields["status"].order) == RANKS


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_every_step_of_one_system(before: str, after: str) -> None:
    back = RANKS[after] < RANKS[before] and (before, after) != ("closed", "investigating")
    assert step(before, after) == ("status_back" if back else None)


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_every_step_under_a_standing_review_request(before: str, after: str) -> None:
    held = step(before, after, feedback_at=ANSWERED, review_requested_at=IN_TIME)
    back = RANKS[after] < RANKS[before] and after != "investigating"
    assert held == ("status_back" if back else None)


@pytest.mark.parametrize("before", STATUSES)
def test_a_status_is_never_emptied_by_one_system(before: str) -> None:
    assert step(before, None, feedback_at=ANSWERED, review_requested_at=IN_TIME) == "status_back"


@pytest.mark.parametrize(
    ("description", "record", "opens"),
    [
        ("none requested", {"feedback_at": ANSWERED}, False),
        ("requested without an answer", {"review_requested_at": IN_TIME}, False),
        ("requested before the answer", {"feedback_at": ANSWERED, "review_requested_at": BEFORE}, False),
        ("requested on the 30th day", {"feedback_at": ANSWERED, "review_requested_at": IN_TIME}, True),
        ("requested on the 31st day", {"feedback_at": ANSWERED, "review_requested_at": TOO_LATE}, False),
        (
            "requested and held already",
            {"feedback_at": ANSWERED, "review_requested_at": IN_TIME, "reviewed_at": TOO_LATE},
            False,
        ),
        (
            "requested anew after an earlier review",
            {"feedback_at": ANSWERED, "review_requested_at": IN_TIME, "reviewed_at": ANSWERED},
            True,
        ),
        (
            "the request has opened one step back already",
            {"feedback_at": ANSWERED, "review_requested_at": IN_TIME, "review_reopened_at": IN_TIME},
            False,
        ),
        (
            "another request after the one that opened a step back",
            {"feedback_at": ANSWERED, "review_requested_at": IN_TIME, "review_reopened_at": ANSWERED},
            True,
        ),
    ],
)
def test_which_review_request_opens_a_step_back(description: str, record: dict[str, Value], opens: bool) -> None:
    assert step("responded", "investigating", **record) == (None if opens else "status_back")


def test_one_request_opens_one_step_back() -> None:
    stands: dict[str, Value] = {"status": "responded", "feedback_at": ANSWERED, "review_requested_at": IN_TIME}
    for held in (False, True):
        fields = frozenset(stands)
        shot = snapshot(stands, side("a", {"status": "investigating"}, agreed(stands), fields=fields))
        plan = plan_record(shot, POLICY, NOW)
        assert bool(plan.holds) is held
        stands = {**plan.golden.fields, "status": "responded"}
    assert stands["reopened_count"] == 1


def test_a_request_that_arrives_with_the_step_counts() -> None:
    stands: dict[str, Value] = {"status": "responded", "feedback_at": ANSWERED, "review_requested_at": None}
    shown = {"status": "investigating", "review_requested_at": IN_TIME}
    plan = plan_record(snapshot(stands, side("a", shown, agreed(stands), fields=frozenset(stands))), POLICY, NOW)
    assert plan.holds == ()
    assert plan.golden.fields["status"] == "investigating"


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("one", STATUSES)
@pytest.mark.parametrize("other", STATUSES)
def test_a_clash_takes_the_further_one_and_asks_inside_a_rank(before: str, one: str, other: str) -> None:
    base = agreed({"status": before})
    only = frozenset({"status"})
    sides = side("a", {"status": one}, base, fields=only), side("b", {"status": other}, base, fields=only)
    merged = merge(snapshot({"status": before}, *sides), RULES, PREFER)
    candidates = {value for value in (one, other) if value != before}
    if len(candidates) == 2 and RANKS[one] == RANKS[other]:
        assert merged.conflicts == (Conflict("status", "lattice", (("a", one), ("b", other))),)
        return
    wins = max(candidates, key=RANKS.__getitem__, default=before)
    held = RANKS[wins] < RANKS[before] and (before, wins) != ("closed", "investigating")
    assert [hold.guard for hold in merged.holds] == (["status_back"] if held else [])
    assert merged.golden.fields["status"] == (before if held else wins)


# --- times that keep the earliest ---------------------------------------------------------------------------------

EARLY, MIDDLE, LATE = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"
EARLIEST = ("received_at", "accepted_at", "feedback_at", "closed_at")


def test_exactly_these_times_keep_the_earliest() -> None:
    assert tuple(name for name, rule in RULES.items() if "later_than_earliest" in rule.guards) == EARLIEST
    assert {rule.policy for rule in RULES.values() if rule.name in EARLIEST} == {"min"}


@pytest.mark.parametrize("name", EARLIEST)
@pytest.mark.parametrize(
    ("before", "shows", "expected"),
    [
        (MIDDLE, {"a": EARLY}, EARLY),
        (None, {"a": LATE}, LATE),
        (MIDDLE, {"a": LATE}, None),
        (MIDDLE, {"a": None}, None),
        (MIDDLE, {"a": LATE, "b": LATE}, None),
        (MIDDLE, {"a": None, "b": None}, None),
        (MIDDLE, {"a": LATE, "b": EARLY}, EARLY),
        (MIDDLE, {"a": None, "b": EARLY}, EARLY),
        (EARLY, {"a": LATE, "b": MIDDLE}, None),
    ],
)
def test_a_later_time_or_none_is_asked(
    name: str, before: str | None, shows: Mapping[str, str | None], expected: str | None
) -> None:
    only, base = frozenset({name}), agreed({name: before})
    sides = [side(system, {name: value}, base, fields=only) for system, value in shows.items()]
    merged = merge(snapshot({name: before}, *sides), RULES, PREFER)
    if expected is None:
        assert [(hold.field, hold.guard) for hold in merged.holds] == [(name, "later_than_earliest")]
        assert merged.golden.fields[name] == before
    else:
        assert merged.holds == ()
        assert merged.golden.fields[name] == expected


def test_a_person_may_correct_an_earliest_time() -> None:
    base = agreed({"received_at": EARLY})
    one = side("a", {"received_at": LATE}, base, fields=frozenset({"received_at"}))
    shot = snapshot({"received_at": EARLY}, one)
    assert isinstance(merge(shot, RULES, PREFER).holds[0], Hold)
    accepted = snapshot({"received_at": EARLY}, one, resolutions=answer("received_at", LATE, a=LATE))
    assert merge(accepted, RULES, PREFER).golden.fields["received_at"] == LATE
    edited = snapshot({"received_at": EARLY}, edits={"received_at": LATE})
    assert merge(edited, RULES, PREFER).golden.fields["received_at"] == LATE


def test_numbers_keep_the_smallest() -> None:
    rule = RULES["received_at"]
    assert forbid(rule, 9, 10, {}) == "later_than_earliest"
    assert forbid(rule, 10, 9, {}) is None
