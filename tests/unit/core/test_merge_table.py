"""The merge, row by row. Read a row as: with this base and this golden value, when the sides show this, that follows.

`base` is what every side last agreed to (None: the side has no base); `golden` what the hub holds; `observations` what
each system shows; `expected` the golden value afterwards, or the question that freezes the field.
"""

# ruff: noqa: E501 — a row of the table is one line

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from hub.core.merge import debts, merge
from hub.core.policy import preferred
from hub.core.state import HUB, UNSET, BaseField, Conflict, FieldChange, Hold
from tests.unit.core.core_records import PREFER, RULES, agreed, answer, known, side, snapshot

NONE = "no base"


@dataclass(frozen=True)
class Row:
    description: str
    field: str
    base: Any
    golden: Any
    observations: dict[str, Any]
    expected: Any
    edit: Any = NONE
    origin: str = "a"


ROWS = [
    # silence and one-sided changes
    Row("nobody changed anything", "city", "X", "X", {"a": "X", "b": "X"}, "X"),
    Row("one side edits", "city", "X", "X", {"a": "Y", "b": "X"}, "Y"),
    Row("one side clears", "city", "X", "X", {"a": None, "b": "X"}, None),
    Row("one side fills", "city", None, None, {"a": "Y", "b": None}, "Y"),
    Row("a side that lags behind the hub is no change", "city", "X", "Y", {"b": "X"}, "Y"),
    Row("both sides edit alike", "name", "X", "X", {"a": "Y", "b": "Y"}, "Y"),
    Row("a side arrives where the hub already stands", "name", "X", "Y", {"b": "Y"}, "Y"),
    # a clash asks the policy, over all candidates
    Row("prefer takes the first system", "city", "X", "X", {"a": "Y", "b": "Z"}, "Y"),
    Row("prefer puts an unknown system last", "city", "X", "X", {"b": "Z", "c": "Y"}, "Z"),
    Row("prefer orders unknown systems by name", "city", "X", "X", {"z": "Z", "c": "Y"}, "Y"),
    Row("prefer takes a person's edit first", "city", "X", "X", {"a": "Y"}, "Z", edit="Z"),
    Row("hub lets the console win", "note", "X", "X", {"a": "Y", "b": "W"}, "Z", edit="Z"),
    Row("hub falls back on the order of systems", "note", "X", "X", {"a": "Y", "b": "W"}, "Y"),
    Row("ask asks", "name", "X", "X", {"a": "Y", "b": "Z"}, ("ask", (("a", "Y"), ("b", "Z")))),
    Row("ask asks about a clear", "name", "X", "X", {"a": None, "b": "Z"}, ("ask", (("a", None), ("b", "Z")))),
    Row("ask asks a person's edit against a system's", "name", "X", "X", {"a": "Y"}, ("ask", (("a", "Y"), (HUB, "Z"))), edit="Z"),
    Row("min keeps the earliest", "received", "2026-02-02", "2026-02-02", {"a": "2026-01-09", "b": "2026-01-10"}, "2026-01-09"),
    Row("min prefers a value to none", "received", "2026-02-02", "2026-02-02", {"a": None, "b": "2026-01-10"}, "2026-01-10"),
    Row("max compares numbers as numbers", "score", 1, 1, {"a": 9, "b": 10}, 10),
    Row("max compares decimals as decimals", "score", "1.00", "1.00", {"a": "9.50", "b": "10.00"}, "10.00"),
    Row("strictest takes the withdrawal", "consent", "granted", "granted", {"a": "service_only", "b": "withdrawn"}, "withdrawn"),
    Row("lattice takes the state further along", "status", "registered", "registered", {"a": "accepted", "b": "investigating"}, "investigating"),
    Row("lattice asks inside one rank", "status", "registered", "registered", {"a": "awaiting", "b": "investigating"},
        ("lattice", (("a", "awaiting"), ("b", "investigating")))),
    Row("append keeps the entry that stands", "entry", None, "E", {"b": "F"}, "E"),
    Row("append takes one of two new ones", "entry", "E", "E", {"a": "F", "b": "G"}, "F"),
    # sets are united element by element
    Row("union adds both", "tags", ("x",), ("x",), {"a": ("x", "y"), "b": ("x", "z")}, ("x", "y", "z")),
    Row("union removes what one removed", "tags", ("x", "y"), ("x", "y"), {"a": ("x",), "b": ("x", "y", "z")}, ("x", "z")),
    Row("union keeps what one adds and another removes", "tags", ("x",), ("x", "y"), {"a": ("x", "y"), "b": None}, ("y",)),
    Row("union ends empty as None", "tags", ("x",), ("x",), {"a": None, "b": ("x",)}, None),
    Row("union of two records that meet", "tags", NONE, ("x",), {"b": ("y",)}, ("x", "y")),
    # the golden value competes with an edit that had not seen it
    Row("an edit that missed the hub's value meets it", "name", "X", "Y", {"b": "Z"}, ("ask", (("a", "Y"), ("b", "Z")))),
    Row("prefer may keep the hub's value", "city", "X", "Y", {"b": "Z"}, "Y"),
    Row("a person's earlier edit beats a system that missed it", "city", "X", "Y", {"a": "Z"}, "Y", origin=HUB),
    # no base is not an edit
    Row("no base, equal: adopted", "name", NONE, "X", {"b": "X"}, "X"),
    Row("no base, the hub is empty: filled from there", "name", NONE, None, {"b": "X"}, "X"),
    Row("no base, the side is empty: the hub stays", "name", NONE, "X", {"b": None}, "X"),
    Row("no base, different: asks", "name", NONE, "X", {"b": "Y"}, ("ask", (("a", "X"), ("b", "Y")))),
    Row("no base, different: the order of systems decides", "city", NONE, "X", {"b": "Y"}, "X"),
    # field guards hold a one-sided change
    Row("consent loosened", "consent", "withdrawn", "withdrawn", {"a": "granted"}, "consent_loosened"),
    Row("consent cleared", "consent", "withdrawn", "withdrawn", {"a": None}, "consent_loosened"),
    Row("consent tightened flows", "consent", "granted", "granted", {"a": "withdrawn"}, "withdrawn"),
    Row("consent loosened by both", "consent", "withdrawn", "withdrawn", {"a": "granted", "b": "granted"}, "consent_loosened"),
    Row("a person may loosen consent", "consent", "withdrawn", "withdrawn", {}, "granted", edit="granted"),
    Row("status steps back", "status", "closed", "closed", {"a": "accepted"}, "status_back"),
    Row("status reopens", "status", "closed", "closed", {"a": "investigating"}, "investigating"),
    Row("a masked value comes back edited", "name", "Zhang", "Zhang", {"a": "Z**"}, "masked"),
    Row("due date moves later", "due", "2026-01-01", "2026-01-01", {"a": "2026-02-01"}, "later_without_extension"),
    Row("an extension that needs no approval", "extension", "none", "none", {"a": "first"}, "first"),
    Row("an extension that nobody approved", "extension", "none", "none", {"a": "more"}, "extension_unapproved"),
    Row("an extension out of nothing", "extension", None, None, {"a": "more"}, "extension_unapproved"),
    Row("an extension taken back", "extension", "more", "more", {"a": "first"}, "first"),
    Row("an extension by a person in the hub", "extension", "none", "none", {}, "more", edit="more"),
    Row("due date moves earlier", "due", "2026-01-02", "2026-01-02", {"a": "2026-01-01"}, "2026-01-01"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.description)
def test_merge_of_one_field(row: Row) -> None:
    base = {} if row.base == NONE else agreed({row.field: row.base})
    sides = [side(name, {row.field: shown}, base) for name, shown in row.observations.items()]
    edits = {} if row.edit == NONE else {row.field: row.edit}
    merged = merge(snapshot({row.field: row.golden}, *sides, edits=edits, origins={"*": row.origin}), RULES, PREFER)
    stops = {item.field: item for item in (*merged.conflicts, *merged.holds)}
    if isinstance(row.expected, tuple) and row.field != "tags":
        policy, candidates = row.expected
        assert stops == {row.field: Conflict(row.field, policy, candidates)}
    elif row.expected in (
        "consent_loosened",
        "status_back",
        "masked",
        "later_without_extension",
        "extension_unapproved",
    ):
        held = stops[row.field]
        assert isinstance(held, Hold)
        assert held.guard == row.expected
    else:
        assert stops == {}
        assert merged.golden.fields.get(row.field) == row.expected
    if stops:
        assert merged.golden.fields.get(row.field) == row.golden
        assert merged.bases == {}


def test_an_overruled_side_is_owed_the_winner_and_its_value_is_kept() -> None:
    b = side("b", {"city": "Z"}, agreed({"city": "X"}))
    merged = merge(snapshot({"city": "X"}, side("a", {"city": "Y"}, agreed({"city": "X"})), b), RULES, PREFER)
    assert merged.changes == (FieldChange("city", "X", "Y", "a", (("b", "Z"),)),)
    assert merged.bases["h1/b/main"]["city"] == known(seen="Z")
    assert debts(merged.golden, b, {"city": known(seen="Z")}, frozenset()).fields == {"city": "Y"}


def test_a_record_that_is_being_joined_is_never_emptied_by_a_clear_elsewhere() -> None:
    cleared, joining = side("a", {"city": None}, agreed({"city": "X"})), side("b", {"city": "X"}, {})
    merged = merge(snapshot({"city": "X"}, cleared, joining), RULES, PREFER)
    assert merged.golden.fields == {"city": "X"}
    assert [change.losers for change in merged.changes] == [(("a", None),)]


def test_a_side_that_joins_with_the_hubs_value_does_not_contest_an_edit_of_it() -> None:
    editing, joining = side("b", {"name": "Y"}, agreed({"name": "X"})), side("a", {"name": "X"}, {})
    merged = merge(snapshot({"name": "X"}, editing, joining), RULES, PREFER)
    assert merged.golden.fields == {"name": "Y"}
    assert merged.conflicts == ()


def test_a_guard_sees_the_record_as_all_fields_would_make_it_in_any_order_of_sides() -> None:
    base = agreed({"due": "2026-01-01", "extension": None})
    late = side("a", {"due": "2026-02-01", "extension": None}, base)
    extended = side("b", {"due": "2026-01-01", "extension": "first"}, base)
    for sides in ((late, extended), (extended, late)):
        merged = merge(snapshot({"due": "2026-01-01"}, *sides), RULES, PREFER)
        assert merged.holds == ()
        assert merged.golden.fields == {"due": "2026-02-01", "extension": "first"}


def test_a_value_that_was_sent_masked_and_is_edited_there_is_held_even_without_mask_marks() -> None:
    base = {"city": known("Lisbon", "tok-1", rule="token")}
    merged = merge(snapshot({"city": "Lisbon"}, side("b", {"city": "Porto"}, base)), RULES, PREFER)
    assert [(hold.guard, hold.system) for hold in merged.holds] == [("masked", "b")]
    assert merge(snapshot({"city": "Lisbon"}, side("b", {"city": "tok-1"}, base)), RULES, PREFER).holds == ()


def test_a_value_that_keeps_coming_back_is_held() -> None:
    shot = snapshot({"city": "X"}, side("a", {"city": "Y"}, agreed({"city": "X"})), returns={("city", "Y"): 3})
    assert [hold.guard for hold in merge(shot, RULES, PREFER, oscillation=3).holds] == ["oscillation"]
    assert merge(shot, RULES, PREFER, oscillation=4).holds == ()


def test_a_set_that_keeps_coming_back_is_held_too() -> None:
    shot = snapshot(
        {"tags": ("x",)}, side("a", {"tags": ("y",)}, agreed({"tags": ("x",)})), returns={("tags", ("y",)): 3}
    )
    assert [hold.guard for hold in merge(shot, RULES, PREFER, oscillation=3).holds] == ["oscillation"]


def test_an_answer_settles_the_question_it_quotes_and_no_other() -> None:
    base = agreed({"name": "X"})
    sides = (side("a", {"name": "Y"}, base), side("b", {"name": "Z"}, base))
    settled = merge(snapshot({"name": "X"}, *sides, resolutions=answer("name", "Z", a="Y", b="Z")), RULES, PREFER)
    assert settled.golden.fields == {"name": "Z"}
    assert settled.golden.origin("name") == "b"
    stale = merge(snapshot({"name": "X"}, *sides, resolutions=answer("name", "Z", a="W", b="Z")), RULES, PREFER)
    assert stale.golden.fields == {"name": "X"}
    assert [conflict.field for conflict in stale.conflicts] == ["name"]


def test_an_answer_may_keep_the_hubs_value_against_a_held_change() -> None:
    held = side("a", {"consent": "granted"}, agreed({"consent": "withdrawn"}))
    resolutions = answer("consent", "withdrawn", a="granted")
    merged = merge(snapshot({"consent": "withdrawn"}, held, resolutions=resolutions), RULES, PREFER)
    assert merged.holds == ()
    assert merged.golden.fields == {"consent": "withdrawn"}
    assert merged.bases["h1/a/main"]["consent"] == known(seen="granted")


def test_an_answer_about_the_whole_record_is_no_field() -> None:
    assert merge(snapshot({}, resolutions=answer("*", "restore", a=None)), RULES, PREFER).changes == ()


DEBTS = [
    ("agreed is not owed", "X", known("X", "X"), {}, None),
    ("ahead is owed", "Y", known("X", "X"), {"city": "Y"}, None),
    ("overruled is owed", "X", known(seen="Y"), {"city": "X"}, None),
    ("what the side was seen to hold is not written again", "Y", known(seen="Y"), {}, known("Y", "Y")),
    ("a rewritten form is no proof that the side holds it", "x", known("X", "X", "x"), {"city": "x"}, None),
    ("a clear is owed", None, known("X", "X"), {"city": None}, None),
    ("never seen, a value is owed", "X", None, {"city": "X"}, None),
    ("never seen, an empty one is not", None, None, {}, None),
]


@pytest.mark.parametrize(("description", "value", "base", "owed", "waived"), DEBTS, ids=[row[0] for row in DEBTS])
def test_debts_of_one_field(
    description: str, value: Any, base: BaseField | None, owed: Any, waived: BaseField | None
) -> None:
    debt = debts(snapshot({"city": value}).golden, side("b"), {} if base is None else {"city": base}, frozenset())
    assert debt.fields == owed
    assert debt.waived == ({} if waived is None else {"city": waived})
    assert (
        debts(snapshot({"city": value}).golden, side("b"), {"city": base} if base else {}, frozenset(["city"])).fields
        == {}
    )


def test_a_clear_that_a_side_cannot_take_is_a_declared_limit() -> None:
    stuck = side("b", clearable=frozenset())
    assert debts(snapshot({}).golden, stuck, {"city": known("X", "X")}, frozenset()).waived == {
        "city": known(None, "X")
    }


def test_a_field_that_a_side_hides_is_not_written_blindly() -> None:
    stands = snapshot({"city": "X"}).golden
    assert debts(stands, side("b", shows_empty=True), {}, frozenset()).fields == {}
    assert debts(stands, side("b", shows_empty=False), {}, frozenset()).fields == {"city": "X"}


def test_unset_is_no_value() -> None:
    assert not known().knows(None)
    assert known().last_known() is UNSET


def test_without_a_preference_the_first_by_name_wins_in_any_order() -> None:
    assert preferred({"b": "2", "a": "1"}, ()) == preferred({"a": "1", "b": "2"}, ()) == "a"
    assert preferred({"b": "2", "z": "1"}, ("z",)) == "z"
    assert preferred({"b": "2", HUB: "1", "a": "0"}, ("b",)) == HUB
