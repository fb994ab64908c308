"""Random histories of one complaint: its due date is what the table says, and never later, whoever writes what."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hub.canonical.schema import load_schema
from hub.canonical.shipped import shipped_folder
from hub.canonical.values import Value
from hub.core.adoption import adopt_new
from hub.core.deadlines import Deadlines
from hub.core.plan import plan_record
from hub.core.state import Binding, BindingState, Kind, Observation, Side, Snapshot
from hub.kernel.settings import EntitySettings
from hub.kernel.workdays import Workdays
from hub.mapping.deadlines import read_deadlines
from hub.mapping.tables import load_tables
from hub.operations.rules import rules_of
from tests.property.core_strategies import thorough
from tests.property.core_world import System, World, synced
from tests.unit.core.core_records import HUB_ID, NOW, golden

TABLES = shipped_folder("mappings") / "tables"
ENTITY = load_schema(shipped_folder("mappings") / "canonical").entity("complaint")
EXTENSIONS = ENTITY.fields["extension"].values
DEADLINES = Deadlines(read_deadlines(load_tables(TABLES), EXTENSIONS, TABLES, []), Workdays(lambda year: None))
POLICY = rules_of(ENTITY, EntitySettings(systems=["a", "b"]), DEADLINES).policy
INSTANTS = [None, *(f"2026-{month:02}-{day:02}T{hour:02}:30:00.000Z" for month, day, hour in (
    (1, 5, 1), (1, 5, 15), (1, 5, 16), (2, 10, 3), (2, 25, 3), (3, 20, 3), (4, 6, 3), (6, 30, 3),
))]  # fmt: skip
DOMAIN: dict[str, list[Value]] = {
    "received_at": list(INSTANTS),
    "extension": [None, *EXTENSIONS],
    "due_at": [*INSTANTS, *(DEADLINES.due_at(str(moment), each) for moment in INSTANTS[1:4] for each in EXTENSIONS)],
    "status": [None, *ENTITY.fields["status"].values],
    "feedback_at": list(INSTANTS),
    "closed_at": list(INSTANTS),
    "review_requested_at": list(INSTANTS),
}
NAMES = tuple(DOMAIN)
FIELDS = frozenset(NAMES)
values = st.fixed_dictionaries({name: st.sampled_from(options) for name, options in DOMAIN.items()})
kept_apart = st.sampled_from([FIELDS, FIELDS, FIELDS - {"due_at"}, FIELDS - {"extension"}, FIELDS - {"received_at"}])

Step = tuple[str, int, str, Value]


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    found: list[Step] = []
    for _ in range(draw(st.integers(2, 14))):
        act = draw(st.sampled_from(["edit", "edit", "edit", "hub", "answer", "cycle", "plan", "observe", "push"]))
        name = draw(st.sampled_from(["due_at", "due_at", "extension", "received_at", *NAMES]))
        found.append((act, draw(st.integers(0, 1)), name, draw(st.sampled_from(DOMAIN[name]))))
    return found


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draws two systems that agree, but for a due date that may be wrong: the state before the first plan."""
    systems = []
    for name in ("a", "b"):
        system = System(name, None, mapped=draw(kept_apart), clearable=FIELDS)
        system.writable = draw(st.sampled_from([FIELDS, FIELDS, FIELDS - {"due_at"}]))
        systems.append(system)
    world = synced(systems, draw(values))
    world.policy = POLICY
    return world


def play(world: World, step: Step) -> None:
    act, place, name, value = step
    system = world.systems["ab"[place]]
    if act == "edit" and name in system.mapped:
        system.save({name: value})
    elif act == "hub" and not ENTITY.fields[name].computed:
        world.edits[name] = value
    elif act == "answer" and world.questions:
        item = sorted(world.questions)[place % len(world.questions)]
        world.answer(item, world.questions[item][0][1] if place else world.golden.fields.get(item))
    elif act in ("cycle", "plan"):
        getattr(world, act)()
    elif act in ("observe", "push"):
        getattr(world, act)(system.name)


@thorough
@given(worlds(), steps())
def test_the_due_date_is_never_later_than_its_policy_and_never_missing(world: World, history: list[Step]) -> None:
    for step in [*history, ("cycle", 0, "", None)]:
        play(world, step)
        if not world.plans:
            continue
        fields = world.golden.fields
        if fields.get("received_at") is not None:
            assert fields.get("due_at") == DEADLINES(fields), step
            assert str(fields["due_at"]) >= str(fields["received_at"])


@thorough
@given(worlds(), steps())
def test_a_complaint_comes_to_rest_and_both_systems_show_what_the_hub_holds(world: World, history: list[Step]) -> None:
    for step in history:
        play(world, step)
    world.quiesce()
    assert world.differences() == []


@thorough
@given(worlds(), steps())
def test_nothing_that_keeps_the_earliest_moves_on_but_by_a_person(world: World, history: list[Step]) -> None:
    for step in history:
        before, told = dict(world.golden.fields), {*world.edits, *world.resolutions}
        play(world, step)
        for name in ("received_at", "feedback_at", "closed_at"):
            now = world.golden.fields.get(name)
            if before.get(name) is not None and name not in told:
                assert now is not None
                assert str(now) <= str(before[name])


@thorough
@given(values, kept_apart, kept_apart, st.frozensets(st.sampled_from(NAMES), max_size=3), st.booleans())
def test_adopting_a_new_complaint_is_planning_it(
    shown: dict[str, Value], readable: frozenset[str], writable: frozenset[str], hidden: frozenset[str], empty: bool
) -> None:
    seen = {name: value for name, value in shown.items() if name not in hidden}
    if all(seen.get(name) is None for name in readable):
        return
    observation = Observation("o", "complaint", "a", "Things", "a-1", Kind.UPSERT, seen, "7", digest=b"d")
    bound = Binding(f"{HUB_ID}/a/main", HUB_ID, "complaint", "a", "Things", "a-1", BindingState.ACTIVE)
    place = Side(bound, {}, observation, readable, writable, shows_empty=empty)
    plan = plan_record(Snapshot(replace(golden({}, 0), entity="complaint"), (place,)), POLICY, NOW)
    fast = adopt_new(observation, bound, readable, writable, derivations=POLICY.derivations, shows_empty=empty)
    assert fast.golden.fields == plan.golden.fields
    assert {n: fast.golden.origin(n) for n in fast.golden.fields} == {
        n: plan.golden.origin(n) for n in plan.golden.fields
    }
    assert fast.sides == plan.sides
    assert (fast.conflicts, fast.holds, fast.actions) == (plan.conflicts, plan.holds, plan.actions)
