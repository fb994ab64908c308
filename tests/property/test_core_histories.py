"""Invariants of the engine's meaning on a pure world: any history, then rest, then what must hold."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from hub.canonical.values import Value
from hub.core.base import base_field
from hub.core.plan import Act, OnDelete, RecordPlan
from hub.core.state import UNSET, BaseField, BindingState, Kind, Snapshot
from tests.property.core_strategies import (
    PLAIN,
    Step,
    changes,
    fields,
    full,
    histories,
    other_than,
    play,
    thorough,
    values,
    worlds,
)
from tests.property.core_world import System, World, synced
from tests.unit.core.core_records import FIELDS


def run(world: World, history: list[Step]) -> None:
    for step in history:
        play(world, step)
    world.quiesce()


def at_all(value: Value) -> frozenset[Value]:
    """Returns what a value is made of: the elements of a set, or itself."""
    return frozenset(value) if isinstance(value, tuple) else frozenset([value])


@thorough
@given(worlds())
def test_01_stability(world: World) -> None:
    assert world.quiesce() == 0
    for system in world.systems.values():
        system.version += 1
    assert world.cycle() == 0
    for _, plan in world.plans:
        assert plan.changes == plan.actions == plan.conflicts == plan.holds == ()
        assert plan.golden is world.golden


@thorough
@given(worlds(rules=(OnDelete.DETACH,)), histories(deletes=False))
def test_02_convergence(world: World, history: list[Step]) -> None:
    run(world, history)
    assert world.differences() == []


@thorough
@given(worlds(), histories())
def test_03_termination(world: World, history: list[Step]) -> None:
    run(world, history)
    assert world.cycle() == 0
    assert world.plan() is None or world.questions


@thorough
@given(worlds(plain=True), st.data())
def test_04_one_sided_edit(world: World, data: st.DataObject) -> None:
    editor = world.systems[data.draw(st.sampled_from(sorted(world.systems)))]
    edits = data.draw(changes)
    stood = dict(world.golden.fields)
    editor.save(edits)
    world.quiesce()
    held = {hold.field for _, plan in world.plans for hold in plan.holds}
    assert held.isdisjoint(PLAIN)
    for name, value in edits.items():
        for system in world.systems.values():
            assert system.record is not None
            expected = stood.get(name) if name in held and system is not editor else value
            assert system.record[name] == expected
    assert not world.differences()


@thorough
@given(worlds(plain=True), st.permutations(PLAIN), st.data())
def test_05_disjoint_edits(world: World, names: list[str], data: st.DataObject) -> None:
    made: dict[str, Value] = {}
    for system, name in zip(world.systems.values(), names, strict=False):
        made[name] = data.draw(values[name])
        system.save({name: made[name]})
    world.quiesce()
    for system in world.systems.values():
        assert system.record is not None
        assert {name: system.record[name] for name in made} == made


@thorough
@given(worlds(plain=True), changes)
def test_06_same_edit_on_all_sides(world: World, edits: dict[str, Value]) -> None:
    for system in world.systems.values():
        system.save(edits)
    world.quiesce()
    assert world.writes == []
    for _, plan in world.plans:
        assert plan.conflicts == ()


@thorough
@given(worlds(), histories())
def test_07_no_lost_update(world: World, history: list[Step]) -> None:
    """Every replaced golden value was seen by whoever replaced it, or is kept; every edit seen by the hub is kept."""
    run(world, history)
    for shot, plan in world.plans:
        for change in plan.changes:
            assert (
                change.before == change.after
                or change.before in dict(change.losers).values()
                or informed(shot, change.field, change.before)
            )
        for side in shot.sides:
            seen = side.observation
            for name, shown in ({} if seen is None else seen.fields).items():
                known = _base(shot, side.system, name)
                if known is not None and not known.knows(shown):
                    assert accounted(shot, plan, name, shown)
        for name, value in shot.edits.items():
            assert accounted(shot, plan, name, value)


def informed(shot: Snapshot, name: str, before: Value) -> bool:
    """Tells whether someone who changed the field had the value before them, or the field's rule unites."""
    if name == "tags" or name in shot.edits or before is None:
        return True
    for side in shot.sides:
        seen, known = side.observation, _base(shot, side.system, name)
        if seen is None or name not in seen.fields or known is None or known.knows(seen.fields[name]):
            continue
        if known.agreed == before:
            return True
    return False


def _base(shot: Snapshot, system: str, name: str) -> BaseField | None:
    return base_field(next(s for s in shot.sides if s.system == system), name, shot.golden)


def accounted(shot: Snapshot, plan: RecordPlan, name: str, value: Value) -> bool:
    if plan.golden.fields.get(name) == value or shot.golden.fields.get(name) == value or name == "tags":
        return True
    asked = [item.candidates for item in (*plan.conflicts, *plan.holds) if item.field == name]
    lost = [change.losers for change in plan.changes if change.field == name]
    return any(value == candidate for group in (*asked, *lost) for _, candidate in group)


@thorough
@given(worlds(), histories())
def test_08_no_invention(world: World, history: list[Step]) -> None:
    stood = dict(world.golden.fields)
    run(world, history)
    known: dict[str, set[Value]] = {name: {None} for name in FIELDS}
    for name in FIELDS:
        sources = [stood.get(name)]
        sources += [step.value for step in history if step.field == name]
        sources += [value for system in world.systems.values() for value in system.accepted.get(name, ())]
        known[name] |= {part for value in sources for part in at_all(value)}
    for name, value in world.golden.fields.items():
        assert at_all(value) <= known[name]


@thorough
@given(worlds(), fields, st.data())
def test_09_echo_bound(world: World, name: str, data: st.DataObject) -> None:
    editors = [s for s in world.systems.values() if name in s.mapped and name not in s.tokenised]
    assume(editors)
    editor = data.draw(st.sampled_from(editors))
    assert editor.record is not None
    editor.save({name: data.draw(other_than(name, editor.record.get(name)))})
    world.quiesce()
    assert len(world.writes) <= len(world.systems) - 1
    assert {written for _, _, written in world.writes} <= {(name,)}


@thorough
@given(worlds(), histories())
def test_12_delete_evidence(world: World, history: list[Step]) -> None:
    for step in [*history, *[Step("cycle")] * 6]:
        before = len(world.writes)
        absent = {name for name, system in world.systems.items() if system.record is None}
        play(world, step)
        deleted = [name for name, act, _ in world.writes[before:] if act is Act.DELETE]
        if deleted:
            assert world.policy.on_delete is OnDelete.PROPAGATE
            assert absent - set(deleted)
    for shot, plan in world.plans:
        for planned, side in zip(plan.sides, shot.sides, strict=True):
            if planned.binding.state is BindingState.DOOMED and side.binding.state is not BindingState.DOOMED:
                assert side.binding.state is BindingState.ACTIVE
                assert any(s.observation is not None and s.observation.kind is Kind.GONE for s in shot.sides)


@thorough
@given(worlds(plain=True), fields, st.data())
def test_13_edit_beats_delete(world: World, name: str, data: st.DataObject) -> None:
    names = sorted(world.systems)
    deleter, editor = (world.systems[item] for item in data.draw(st.permutations(names))[:2])
    assert editor.record is not None
    stood = editor.record[name]
    value = data.draw(other_than(name, stood))
    deleter.remove()
    if data.draw(st.booleans()):
        editor.save({name: value})
        # A delete that had already spread meets the edit when it tries to write.
    else:
        for item in names:
            world.observe(item)
        world.plan()
        editor.save({name: value})
    world.quiesce()
    late = world.policy.on_delete in (OnDelete.DETACH, OnDelete.ARCHIVE)
    assert editor.record is not None
    assert editor.record[name] == value
    if name in world.questions:
        assert value in dict(world.questions[name]).values()
    else:
        assert world.golden.fields.get(name) == value
    if not late:
        assert deleter.record is not None


@thorough
@given(worlds(), st.data())
def test_14_bad_listings(world: World, data: st.DataObject) -> None:
    """A page that shows less than there is, or nothing, clears nothing and deletes nothing."""
    stood = dict(world.golden.fields)
    for system in world.systems.values():
        system.hidden |= data.draw(st.one_of(st.just(FIELDS), st.frozensets(fields)))
        system.version += 1
    world.quiesce()
    assert world.writes == []
    assert world.golden.fields == stood


@thorough
@given(full, st.lists(full, min_size=1, max_size=3), st.data())
def test_15_first_sync(first: dict[str, Value], others: list[dict[str, Value]], data: st.DataObject) -> None:
    """Records that meet for the first time lose nothing: nothing is deleted, no value is replaced by emptiness."""
    world = synced([System(name, None) for name in "abcd"[: len(others) + 1]], first)
    for name, values_there in zip("bcd", others, strict=False):
        world.systems[name].save(values_there)
        world.bases[name] = {}
    if data.draw(st.booleans()):
        world.systems["a"].save(data.draw(changes))
    had = {
        name: {n for n, v in (s.record or {}).items() if v is not None}
        for name, s in world.systems.items()
        if name != "a"
    }
    world.quiesce()
    assert {act for _, act, _ in world.writes} <= {Act.UPDATE}
    for name, filled in had.items():
        record = world.systems[name].record or {}
        assert {n for n in filled - {"tags"} if record[n] is None} == set()
        assert filled <= {"tags"} | {n for n, v in record.items() if v is not None}
    assert world.differences() == []


@thorough
@given(worlds(), histories(deletes=False))
def test_20_base_truth(world: World, history: list[Step]) -> None:
    for step in [*history, *[Step("cycle")] * 4]:
        play(world, step)
        for system in world.systems.values():
            base = world.bases[system.name]
            for item in base or ():
                known = world.known(system.name, item)
                assert known is not None
                assert known.agreed is UNSET or known.agreed in world.held[item]
                if known.sent is not UNSET and known.agreed is not None:
                    assert known.sent == system.sent(item, known.agreed) or known.sent == known.agreed  # type: ignore[arg-type]
                for form in (known.sent, known.seen):
                    accepted = {*system.accepted.get(item, ()), None}
                    assert (
                        form is UNSET
                        or form in accepted | {system.kept(item, v) for v in accepted}
                        or (form == known.sent and system.kept(item, form) in accepted)
                    )
    world.quiesce()
    for system in world.systems.values():
        for item, shown in system.shown().items():
            known = world.known(system.name, item)
            if item not in world.questions and known is not None and system.record is not None:
                assert known.knows(shown)


@thorough
@given(worlds(), st.sets(fields, min_size=1), histories())
def test_21_absence(world: World, hidden: set[str], history: list[Step]) -> None:
    """What no system shows never changes, whatever else happens."""
    for system in world.systems.values():
        system.hidden |= hidden
    stood = {name: world.golden.fields.get(name) for name in hidden}
    run(
        world,
        [s for s in history if s.act not in ("show", "delete") and not (s.act == "hub_edit" and s.field in hidden)],
    )
    assert {name: world.golden.fields.get(name) for name in hidden} == stood
    assert all(hidden.isdisjoint(written) for _, _, written in world.writes)


@thorough
@given(worlds(plain=True), st.data())
def test_26_conflict_lifecycle(world: World, data: st.DataObject) -> None:
    """A question freezes its field only; a stale answer is asked again; a true one converges."""
    one, two = list(world.systems.values())[:2]
    stood = world.golden.fields.get("name")
    first = data.draw(other_than("name", stood))
    second = data.draw(other_than("name", stood).filter(lambda value: value != first))
    one.save({"name": first, "zip": data.draw(values["zip"])})
    two.save({"name": second})
    world.quiesce()
    assert world.questions == {"name": (("a", first), ("b", second))}
    assert world.golden.fields.get("name") == stood
    assert world.differences() == []
    world.answer("name", second)
    moved = data.draw(st.booleans())
    third = data.draw(other_than("name", stood).filter(lambda value: value not in (first, second)))
    if moved:
        one.save({"name": third})
    world.quiesce()
    if moved:
        assert world.questions == {"name": (("a", third), ("b", second))}
        assert world.golden.fields.get("name") == stood
        world.answer("name", second)
        world.quiesce()
    assert world.questions == {}
    assert world.golden.fields.get("name") == second
    assert world.differences() == []
    assert ("a", third if moved else first) in [
        lost for _, plan in world.plans for c in plan.changes for lost in c.losers
    ]


@thorough
@given(worlds(plain=True), st.data())
def test_26_hold_lifecycle(world: World, data: st.DataObject) -> None:
    """A held change waits with its field; the answer carries it out or takes it back."""
    world = synced(list(world.systems.values()), {**world.golden.fields, "consent": "withdrawn"})
    editor = data.draw(st.sampled_from(sorted(world.systems)))
    world.systems[editor].save({"consent": "granted", "zip": data.draw(values["zip"])})
    world.quiesce()
    assert world.questions == {"consent": ((editor, "granted"),)}
    assert world.differences() == []
    answer = data.draw(st.sampled_from(["granted", "withdrawn"]))
    world.answer("consent", answer)
    world.quiesce()
    assert world.questions == {}
    assert {(s.record or {}).get("consent") for s in world.systems.values()} == {answer}


@thorough
@given(worlds(plain=True), st.data())
def test_26_a_waiting_observation_takes_nothing_back(world: World, data: st.DataObject) -> None:
    """What was taken in beside a held field may move on; the waiting page must not be read as an edit of it."""
    world = synced(list(world.systems.values()), {**world.golden.fields, "consent": "withdrawn"})
    one, two = list(world.systems.values())[:2]
    one.save({"consent": "granted"})
    world.quiesce()
    city = data.draw(other_than("city", world.golden.fields.get("city")))
    two.save({"city": city})
    world.observe(two.name)
    world.plan()
    world.push(one.name)
    world.answer("consent", "withdrawn")
    world.plan()
    assert world.golden.fields.get("city") == city
    world.quiesce()
    assert world.golden.fields.get("city") == city
    assert world.differences() == []
