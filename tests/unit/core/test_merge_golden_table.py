"""What the survivor of two golden records comes to, field by field, and what that owes to every system."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from hub.core.derive import Derivation, Formula
from hub.core.merge_golden import merge_golden
from hub.core.plan import RecordPlan
from hub.core.policy import FieldRule
from hub.core.state import BindingState, GoldenRecord, GoldenState, Side
from tests.unit.core.core_records import NOW, RULES, agreed, golden, policy, side, snapshot

LOSER = "h2"


def loser(fields: dict[str, Any], **changes: Any) -> GoldenRecord:
    return replace(golden(fields, origins={"*": "b"}, **changes), hub_id=LOSER)


def merged(stands: dict[str, Any], lost: dict[str, Any], *sides: Side, **settings: Any) -> RecordPlan:
    known = {name: settings.pop(name) for name in ("asked", "frozen", "references") if name in settings}
    return merge_golden(snapshot(stands, *sides), loser(lost), policy(**settings), NOW, **known)


@dataclass(frozen=True)
class Row:
    description: str
    field: str
    survivor: Any
    loser: Any
    value: Any
    losers: tuple[tuple[str, Any], ...] = ()


ROWS = [
    Row("the survivor's value stands, the other is kept", "city", "X", "Y", "X", (("b", "Y"),)),
    Row("also where a person would be asked about a clash", "name", "X", "Y", "X", (("b", "Y"),)),
    Row("an empty field is filled", "city", None, "Y", "Y"),
    Row("what the loser lacks stays", "city", "X", None, "X"),
    Row("equal values need nothing", "city", "X", "X", "X"),
    Row("sets are united", "tags", ("a", "b"), ("b", "c"), ("a", "b", "c"), (("a", ("a", "b")), ("b", ("b", "c")))),
    Row("an empty set is filled", "tags", None, ("c",), ("c",)),
    Row("the loser's withdrawal wins", "consent", "granted", "withdrawn", "withdrawn", (("a", "granted"),)),
    Row("the survivor's withdrawal stands", "consent", "withdrawn", "granted", "withdrawn", (("b", "granted"),)),
    Row("a withdrawal fills an unknown", "consent", None, "withdrawn", "withdrawn"),
    Row("the higher status wins", "status", "accepted", "closed", "closed", (("a", "accepted"),)),
    Row("of one rank: the survivor's", "status", "awaiting", "investigating", "awaiting", (("b", "investigating"),)),
    Row("the earliest", "received", "2026-02-01", "2026-01-01", "2026-01-01", (("a", "2026-02-01"),)),
    Row("the greatest", "score", 3, 11, 11, (("a", 3),)),
    Row("an immutable entry stands", "entry", "X", "Y", "X", (("b", "Y"),)),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.description.replace(" ", "-"))
def test_field_of_the_survivor(row: Row) -> None:
    plan = merged({row.field: row.survivor}, {row.field: row.loser})
    assert plan.golden.fields.get(row.field) == row.value
    kept = {change.field: change for change in plan.changes}
    assert (kept[row.field].losers if row.field in kept else ()) == row.losers
    assert plan.golden.revision == 4, "every merge is a revision of its own"
    back = merged({row.field: row.loser}, {row.field: row.survivor})
    if RULES[row.field].policy in ("strictest", "min", "max", "union"):
        assert back.golden.fields == plan.golden.fields, (
            "where a policy knows an order, it does not matter who survives"
        )


def test_what_a_taken_value_comes_from_is_told() -> None:
    plan = merged({"city": None, "zip": "1"}, {"city": "Y", "zip": "2"})
    assert (plan.golden.origin("city"), plan.golden.origin("zip")) == ("b", "a")


def test_what_was_asked_about_the_loser_is_kept() -> None:
    plan = merged({"name": "X"}, {"name": "Y"}, asked={"name": (("a", "Z"), ("b", "X")), "note": (("b", "W"),)})
    kept = {change.field: change.losers for change in plan.changes}
    assert kept == {"name": (("b", "Y"), ("a", "Z")), "note": (("b", "W"),)}


def test_neither_of_the_two_points_at_the_other_afterwards() -> None:
    names = frozenset(["city"])
    assert merged({"city": LOSER}, {}, references=names).golden.fields == {}
    assert merged({}, {"city": "h1"}, references=names).golden.fields == {}
    assert merged({}, {"city": "h9"}, references=names).golden.fields == {"city": "h9"}


def test_every_side_is_owed_what_the_survivor_came_to() -> None:
    only = frozenset(["city", "zip"])
    own = side("a", fields=only)
    taken_over = side("b", base=agreed({"city": "Y", "zip": "1"}), fields=only)
    waiting = side("c", base=agreed({"city": "W", "zip": "1"}), fields=only)
    plan = merged({"city": "X", "zip": None}, {"city": "Y", "zip": "1"}, own, taken_over, waiting, frozen={"city"})
    assert plan.golden.fields == {"city": "X", "zip": "1"}
    assert [dict(planned.debt.fields) for planned in plan.sides] == [{"zip": "1"}, {}, {}]
    plan = merged({"city": "X", "zip": None}, {"city": "Y", "zip": "1"}, own, taken_over)
    assert [dict(planned.debt.fields) for planned in plan.sides] == [{"zip": "1"}, {"city": "X"}]
    assert [planned.binding.dirty for planned in plan.sides] == [True, True]
    assert plan.sides[1].base == agreed({"city": "Y", "zip": "1"}), "what was agreed there still is"


def test_a_place_not_yet_created_stays_owed() -> None:
    pending = side("b", state=BindingState.PENDING, native_id=None)
    (planned,) = merged({"city": "X"}, {"zip": "1"}, pending).sides
    assert (planned.binding.state, planned.binding.dirty) == (BindingState.PENDING, True)


def test_computed_fields_are_those_of_both() -> None:
    rules = {**RULES, "latest": FieldRule("latest", "prefer")}
    known = {"rules": rules, "computed": frozenset(["latest"])}
    assert merged({"latest": "2026-01"}, {"latest": "2026-02"}, **known).golden.fields == {"latest": "2026-02"}
    assert merged({"latest": "2026-02"}, {"latest": "2026-01"}, **known).golden.fields == {"latest": "2026-02"}
    follows = Derivation("received", "consent")
    withdrawn = merged({"consent": "granted"}, {"consent": "withdrawn"}, derivations=(follows,))
    assert withdrawn.golden.fields == {"consent": "withdrawn", "received": NOW}
    formula = Formula("score", "*", lambda fields: len(fields))
    put_right = merged({"city": "X", "score": 9}, {"score": 8}, derivations=(formula,))
    assert put_right.golden.fields == {"city": "X", "score": 2}
    assert [(c.field, c.after) for c in put_right.changes if c.before != c.after] == [("score", 2)]


def test_an_archived_survivor_lives_again_only_with_a_living_loser() -> None:
    for state, left in ((GoldenState.LIVE, GoldenState.LIVE), (GoldenState.ARCHIVED, GoldenState.ARCHIVED)):
        archived = replace(snapshot({"city": "X"}), golden=golden({"city": "X"}, state=GoldenState.ARCHIVED))
        assert merge_golden(archived, loser({}, state=state), policy(), NOW).golden.state is left
