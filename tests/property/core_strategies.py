"""What the property tests of the core draw: values, snapshots around a common base, worlds, and histories of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from hub.canonical.values import Value
from hub.core.plan import OnDelete
from hub.core.state import UNSET, Base, BaseField, BindingState, GoldenRecord, Kind, Observation, Side, Snapshot
from tests.property.core_world import System, World, synced
from tests.unit.core.core_records import FIELDS, HUB_ID, binding

EXAMPLES = int(os.environ.get("CRMHUB_HISTORIES", "100"))
thorough = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

DOMAIN: dict[str, list[Value]] = {
    "name": [None, "An", "Bo", "Cy", "A**"],
    "city": [None, "X", "x", "Y", "Z"],
    "zip": [None, "1", "2", "3"],
    "note": [None, "N", "n", "M", "O"],
    "tags": [None, ("p",), ("q",), ("p", "q"), ("q", "r")],
    "consent": [None, "granted", "unknown", "service_only", "withdrawn"],
    "status": [None, "registered", "accepted", "investigating", "awaiting", "closed"],
    "received": [None, "2026-01-01", "2026-01-02", "2026-01-03"],
    "score": [None, 1, 2, 10],
    "due": [None, "2026-02-01", "2026-02-02", "2026-03-01"],
    "extension": [None, "none", "first"],
    "kind": [None, "person", "org"],
    "entry": [None, "E", "e", "F", "G"],
}
NAMES = sorted(FIELDS)
SYSTEMS = ("a", "b", "c", "d")
PLAIN = ("city", "zip", "kind", "received", "score", "tags")
"""Fields that no guard holds."""

fields = st.sampled_from(NAMES)
values = {name: st.sampled_from(options) for name, options in DOMAIN.items()}
full = st.fixed_dictionaries(values)
subsets = st.one_of(st.just(FIELDS), st.frozensets(fields, min_size=3))
changes = st.fixed_dictionaries({}, optional=values)


def other_than(name: str, value: Value) -> st.SearchStrategy[Value]:
    return st.sampled_from([option for option in DOMAIN[name] if option != value])


@st.composite
def bases(draw: st.DrawFn, stands: dict[str, Value], mapped: frozenset[str]) -> Base | None:
    """Draws a base: at the golden record, behind it, overruled, rewritten, or missing fields."""
    if draw(st.booleans()):
        return None
    found: dict[str, BaseField] = {}
    for name in sorted(mapped):
        value = draw(values[name])
        now = stands.get(name)
        shape = draw(st.sampled_from(["stands", "stands", "stands", "behind", "overruled", "rewritten", "missing"]))
        if shape == "stands":
            found[name] = BaseField(now, now)
        elif shape == "behind":
            found[name] = BaseField(value, value)
        elif shape == "overruled":
            found[name] = BaseField(UNSET, UNSET, value)
        elif shape == "rewritten" and value != now:
            found[name] = BaseField(now, now, value)
    return found


@st.composite
def snapshots(draw: st.DrawFn, count: int | None = None) -> Snapshot:
    """Draws a record with 1–4 sides; every side shows what it last held, but for a few perturbed or hidden fields."""
    stands: dict[str, Value] = {n: v for n, v in draw(full).items() if v is not None}
    golden = GoldenRecord(HUB_ID, "customer", stands, {"*": draw(st.sampled_from(["a", "b", "hub"]))}, 3)
    sides = []
    for system in SYSTEMS[: count or draw(st.integers(1, 4))]:
        mapped = draw(subsets)
        base = draw(bases(stands, mapped))
        shown = {n: _held(base, n, stands) for n in mapped}
        shown |= {n: v for n, v in draw(changes).items() if n in mapped}
        hidden = draw(st.frozensets(fields, max_size=3))
        kind = draw(st.sampled_from([Kind.UPSERT, Kind.UPSERT, Kind.UPSERT, Kind.GONE, None]))
        seen = {n: v for n, v in shown.items() if n not in hidden} if kind is Kind.UPSERT else {}
        made = None if kind is None else Observation("o", "customer", system, "Things", f"{system}-1", kind, seen, "2")
        state = draw(st.sampled_from([BindingState.ACTIVE] * 4 + [BindingState.DOOMED, BindingState.DETACHED]))
        writable, clearable = draw(st.one_of(st.just(mapped), subsets)), draw(st.one_of(st.just(mapped), subsets))
        sides.append(
            Side(binding(system, state), base, made, mapped, writable & mapped, clearable, draw(st.booleans()))
        )
    edits = draw(st.one_of(st.just({}), changes))
    return Snapshot(golden, tuple(sides), edits)


def _held(base: Base | None, name: str, stands: dict[str, Value]) -> Any:
    known = None if base is None else base.get(name)
    held = stands.get(name) if known is None else known.last_known()
    return stands.get(name) if held is UNSET else held


@st.composite
def worlds(draw: st.DrawFn, *, plain: bool = False, rules: tuple[OnDelete, ...] = tuple(OnDelete)) -> World:
    """Draws a world at rest. `plain` systems map and write everything and change nothing on saving."""
    systems = []
    for name in SYSTEMS[: draw(st.integers(2, 4))]:
        system = System(name, None)
        if not plain:
            system.mapped = draw(subsets)
            system.writable = draw(st.one_of(st.just(FIELDS), subsets))
            system.clearable = draw(st.one_of(st.just(FIELDS), subsets))
            system.rewrite = draw(st.sampled_from(["", "", "lower", "upper"]))
            system.tokenised = draw(st.sampled_from([frozenset(), frozenset(["name"])]))
        systems.append(system)
    return synced(systems, draw(full), draw(st.sampled_from(rules)))


@dataclass(frozen=True)
class Step:
    """Is one event of a history; `act` is a person's doing or a part of a cycle."""

    act: str
    system: int = 0
    field: str = "city"
    value: Value = None


_EDITS = st.sampled_from(["edit", "edit", "edit", "edit", "hub_edit", "hide"])
_EVENTS = ["cycle", "plan", "observe", "observe", "push", "show", "answer", "delete"]


@st.composite
def histories(draw: st.DrawFn, *, deletes: bool = True) -> list[Step]:
    """Draws a history around one to three fields, so that edits meet."""
    pool = draw(st.lists(fields, min_size=1, max_size=3, unique=True))
    events = st.sampled_from(_EVENTS if deletes else _EVENTS[:-1])
    history = []
    for _ in range(draw(st.integers(3, 16))):
        name, place = draw(st.sampled_from(pool)), draw(st.integers(0, 3))
        if draw(st.booleans()):
            history.append(Step(draw(_EDITS), place, name, draw(values[name])))
        else:
            history.append(Step(draw(events), place, name))
    return history


def play(world: World, step: Step) -> None:
    """Lets one event happen, where it can."""
    names = list(world.systems)
    system = world.systems[names[step.system % len(names)]]
    alive = system.record is not None
    if step.act == "edit" and alive and step.field in system.mapped and step.field not in system.hidden:
        system.save({step.field: step.value})
    elif step.act == "hub_edit":
        world.edits[step.field] = step.value
    elif step.act == "hide" and alive:
        system.hidden.add(step.field)
        system.version += 1
    elif step.act == "show" and alive and system.hidden:
        system.hidden.discard(sorted(system.hidden)[0])
        system.version += 1
    elif step.act == "delete" and alive:
        system.remove()
    elif step.act == "answer" and world.questions:
        item = sorted(world.questions)[0]
        world.answer(item, "restore" if item == "*" else world.questions[item][0][1])
    elif step.act in ("plan", "cycle"):
        getattr(world, step.act)()
    elif step.act in ("observe", "push"):
        getattr(world, step.act)(system.name)
