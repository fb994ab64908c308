"""Invariants of one plan: no order matters, a base that is not stored means the same, a question freezes one field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from hub.canonical.schema import MatchRule
from hub.canonical.values import Value
from hub.core.adoption import adopt_new
from hub.core.base import collapse, settle_base
from hub.core.guards import Limits, Load, guard_intake, guard_listing, guard_writes
from hub.core.match import Candidate, Certainty, contradictions, judge
from hub.core.plan import EntityPolicy, OnDelete, RecordPlan, SidePlan, narrowed, plan_record
from hub.core.policy import settle
from hub.core.state import EMPTY, BindingState, GoldenRecord, Kind, Observation, Side, Snapshot
from tests.property.core_strategies import fields, full, snapshots, subsets, thorough, values
from tests.unit.core.core_records import HUB_ID, NOW, PREFER, RULES, binding

rules = st.sampled_from(list(OnDelete))


def planned(snapshot: Snapshot, on_delete: OnDelete = OnDelete.DETACH, prefer: tuple[str, ...] = PREFER) -> RecordPlan:
    return plan_record(snapshot, EntityPolicy("customer", RULES, prefer, {"kind": {}}, on_delete=on_delete), NOW)


def meaning(plan: RecordPlan) -> Any:
    """Returns everything a plan says, whatever the order its sides came in."""
    sides = {side.binding.binding_id: side for side in plan.sides}
    return plan.golden, plan.changes, sides, set(plan.conflicts), set(plan.holds), plan.echoes


@thorough
@given(snapshots(), rules, st.data())
def test_18_order_independence(snapshot: Snapshot, on_delete: OnDelete, data: st.DataObject) -> None:
    shuffled = []
    for side in data.draw(st.permutations(snapshot.sides)):
        seen = side.observation
        if seen is not None:
            rows = data.draw(st.permutations(sorted(seen.fields.items(), key=lambda item: item[0])))
            side = replace(side, observation=replace(seen, fields=dict(rows)))
        shuffled.append(side)
    edits = dict(data.draw(st.permutations(list(snapshot.edits.items()))))
    other = planned(replace(snapshot, sides=tuple(shuffled), edits=edits), on_delete)
    assert meaning(other) == meaning(planned(snapshot, on_delete))


@thorough
@given(st.sampled_from(sorted(RULES)), st.lists(st.sampled_from("abcdefg"), min_size=2, unique=True), st.data())
def test_18_a_clash_is_settled_alike_in_any_order(name: str, origins: list[str], data: st.DataObject) -> None:
    """Systems that the order of preference does not name still win or lose alike, whoever comes first."""
    candidates = [(origin, data.draw(values[name])) for origin in origins]
    assume(len({value for _, value in candidates}) > 1)
    prefer = data.draw(st.sampled_from([(), ("c", "b")]))
    winners = {
        settle(RULES[name], dict(order), prefer) for order in (candidates, data.draw(st.permutations(candidates)))
    }
    assert len(winners) == 1


@thorough
@given(snapshots(), rules)
def test_lazy_base_means_the_materialised_one(snapshot: Snapshot, on_delete: OnDelete) -> None:
    golden = snapshot.golden
    full_bases = tuple(replace(s, base=settle_base(s.base, golden, s.mapped, {})) for s in snapshot.sides)
    lazy_bases = tuple(replace(s, base=collapse(s.base, golden, s.mapped)) for s in snapshot.sides)
    lazy = planned(replace(snapshot, sides=lazy_bases), on_delete)
    stored = planned(replace(snapshot, sides=full_bases), on_delete)
    assert meaning(lazy) == meaning(stored)


@thorough
@given(snapshots(), rules)
def test_a_plan_taken_in_is_silence(snapshot: Snapshot, on_delete: OnDelete) -> None:
    """Planning again with what still waits changes nothing, asks the same and owes the same."""
    first = planned(snapshot, on_delete)
    sides = tuple(
        replace(side, binding=after.binding, base=after.base, observation=_waiting(side.observation, after, first))
        for side, after in zip(snapshot.sides, first.sides, strict=True)
    )
    assume(not any(side.binding.state is BindingState.DOOMED for side in sides))
    edits = {n: v for n, v in snapshot.edits.items() if n in first.frozen}
    again = planned(Snapshot(first.golden, sides, edits), on_delete)
    assert again.golden is first.golden
    assert again.changes == ()
    assert (again.conflicts, again.holds) == (first.conflicts, first.holds)
    assert [side.base for side in again.sides] == [side.base for side in first.sides]
    for before, after in zip(first.sides, again.sides, strict=True):
        if before.binding.state is BindingState.ACTIVE:
            assert after.debt.fields == before.debt.fields


def _waiting(seen: Observation | None, after: SidePlan, plan: RecordPlan) -> Observation | None:
    return None if seen is None or after.consumed else narrowed(seen, plan.frozen)


@thorough
@given(snapshots(), st.data())
def test_21_an_absent_field_is_not_observed(snapshot: Snapshot, data: st.DataObject) -> None:
    """What no side shows and nobody edits keeps its golden value and every base of it."""
    name = data.draw(fields)
    sides = []
    for side in snapshot.sides:
        seen = side.observation
        if seen is not None:
            seen = replace(seen, fields={n: v for n, v in seen.fields.items() if n != name})
        sides.append(replace(side, observation=seen))
    edits = {n: v for n, v in snapshot.edits.items() if n != name}
    plan = planned(replace(snapshot, sides=tuple(sides), edits=edits))
    assert plan.golden.fields.get(name) == snapshot.golden.fields.get(name)
    assert name not in plan.frozen | {change.field for change in plan.changes}
    for side, after in zip(sides, plan.sides, strict=True):
        stood = settle_base(side.base, snapshot.golden, side.mapped, {}).get(name)
        stands = settle_base(after.base, plan.golden, side.mapped, {}).get(name)
        if after.binding.native_id == side.binding.native_id and name not in after.debt.waived:
            assert stands == stood


@thorough
@given(snapshots(), st.data())
def test_26_a_question_freezes_only_its_field(snapshot: Snapshot, data: st.DataObject) -> None:
    plan = planned(snapshot)
    for name in plan.frozen - {"*"}:
        assert plan.golden.fields.get(name) == snapshot.golden.fields.get(name)
        for side, after in zip(snapshot.sides, plan.sides, strict=True):
            assert name not in after.debt.fields
            if after.base is not None and side.base is not None and after.base:
                assert after.base.get(name) == side.base.get(name)
    flat = [replace(s, observation=_without(s.observation, plan.frozen)) for s in snapshot.sides]
    edits = {n: v for n, v in snapshot.edits.items() if n not in plan.frozen}
    rest = planned(replace(snapshot, sides=tuple(flat), edits=edits))
    guarded = {"due", "status"}
    assume(not guarded & (plan.frozen | rest.frozen))
    assert {n: v for n, v in rest.golden.fields.items() if n not in plan.frozen} == {
        n: v for n, v in plan.golden.fields.items() if n not in plan.frozen
    }


def _without(seen: Observation | None, names: frozenset[str]) -> Observation | None:
    return seen and replace(seen, fields={n: v for n, v in seen.fields.items() if n not in names})


numbers = st.integers(0, 400)
loads = st.builds(
    Load,
    st.just("a"),
    numbers,
    seen_changed=numbers,
    seen_gone=numbers,
    creates=numbers,
    updates=numbers,
    deletes=numbers,
    first_sync_done=st.booleans(),
)
percents = st.sampled_from([0.0, 5.0, 50.0, 100.0])
limits = st.builds(
    Limits,
    deletes=st.integers(0, 50),
    deletes_percent=percents,
    changes=st.integers(0, 50),
    changes_percent=percents,
    creates=st.integers(0, 50),
    creates_percent=percents,
)


def written(load: Load, allowed: Limits, released: bool) -> int:
    """Writes a batch as the engine does: not one row while a guard is tripped and nobody released it."""
    return 0 if guard_writes(load, allowed) and not released else load.creates + load.updates + load.deletes


@thorough
@given(loads, limits, st.sampled_from(["creates", "updates", "deletes"]))
def test_28_guard(load: Load, allowed: Limits, kind: str) -> None:
    """Above a threshold nothing at all is written until the release; more of the same never helps."""
    count, percent = {
        "creates": (allowed.creates, allowed.creates_percent),
        "updates": (allowed.changes, allowed.changes_percent),
        "deletes": (allowed.deletes, allowed.deletes_percent),
    }[kind]
    owed = getattr(load, kind)
    above = owed > max(count, load.bound * percent / 100)
    if above or (owed and not load.first_sync_done):
        assert written(load, allowed, released=False) == 0
        assert written(load, allowed, released=True) == load.creates + load.updates + load.deletes
    if guard_writes(load, allowed):
        assert guard_writes(replace(load, **{kind: owed + 1}), allowed)
    for trip in (*guard_writes(load, allowed), *guard_intake(load, allowed)):
        assert trip.count > trip.allowed
    if kind == "deletes" and load.seen_gone > max(count, load.bound * percent / 100):
        assert guard_intake(load, allowed)


@thorough
@given(st.integers(1, 300), st.integers(0, 300), limits)
def test_14_a_listing_that_shrank_is_not_believed(known: int, missing: int, allowed: Limits) -> None:
    missing = min(missing, known)
    verdict = guard_listing(known, known - missing, missing, allowed)
    assert (verdict == "empty") is (missing == known)
    if missing > max(allowed.deletes, known * allowed.shrink_percent / 100):
        assert verdict is not None


ID, WEAK = MatchRule("id", ("id",), True), MatchRule("mobile", ("mobile",), False)
counts = st.tuples(st.integers(1, 2), st.integers(1, 2))
people = st.fixed_dictionaries({"birth": st.sampled_from([None, "1990", "1991"])})
found = st.lists(
    st.tuples(people, st.dictionaries(st.sampled_from(["id", "mobile"]), counts, min_size=1), st.booleans()), max_size=4
)


@thorough
@given(people, found, st.randoms(use_true_random=False))
def test_15_no_twin_of_an_unambiguous_match(asking: dict[str, Value], rows: Any, random: Any) -> None:
    """A unique, uncontradicted strong match is linked, and nothing that shares such a key becomes a new record."""
    candidates = [Candidate(f"g{place}", *row) for place, row in enumerate(rows)]
    verdict = judge(asking, candidates, (ID, WEAK), ["birth"])
    strong = [c for c in candidates if "id" in c.shared]
    perfect = [
        c
        for c in strong
        if c.shared["id"] == (1, 1) and not c.bound and not contradictions(asking, c.fields, ["birth"])
    ]
    if strong:
        assert verdict.certainty is not Certainty.NEW
    if len(strong) == len(perfect) == 1:
        assert (verdict.certainty, verdict.hub_id) == (Certainty.SURE, perfect[0].hub_id)
    if verdict.certainty is Certainty.SURE:
        assert verdict.hub_id in [c.hub_id for c in perfect]
    random.shuffle(candidates)
    again = judge(asking, candidates, (ID, WEAK), ["birth"])
    assert (again.certainty, again.hub_id) == (verdict.certainty, verdict.hub_id)


@thorough
@given(full, subsets, subsets, st.frozensets(fields, max_size=3), st.booleans())
def test_adopting_a_new_record_is_planning_it(
    shown: dict[str, Value], readable: frozenset[str], writable: frozenset[str], hidden: frozenset[str], stamped: bool
) -> None:
    seen = {name: value for name, value in shown.items() if name not in hidden}
    assume(any(seen[name] is not None for name in seen.keys() & readable))
    stamp = HUB_ID if stamped else None
    observation = Observation("o", "customer", "a", "Things", "a-1", Kind.UPSERT, seen, "7", stamp, digest=b"d")
    bound = binding("a")
    snapshot = Snapshot(
        GoldenRecord(HUB_ID, "customer", EMPTY, subject_id=HUB_ID),
        (Side(bound, {}, observation, readable, writable, writable),),
    )
    plan, fast = planned(snapshot), adopt_new(observation, bound, readable, writable, HUB_ID)
    assert fast.golden == replace(plan.golden, origins={"*": "a"})
    assert {fast.golden.origin(name) for name in fast.golden.fields} == {
        plan.golden.origin(name) for name in plan.golden.fields
    }
    assert fast.sides == plan.sides
    assert (fast.conflicts, fast.holds, fast.actions) == (plan.conflicts, plan.holds, plan.actions)
