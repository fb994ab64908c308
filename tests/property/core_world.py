"""A tiny pure world: systems as dicts, one record, and a hub that does with the plan exactly what the engine does.

A cycle observes what moved, plans the record, and writes what is owed under the version it knows. A confirmed write of
a golden value makes the base (agreed: that value, sent: what egress let out of it, seen: what came back).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hub.canonical.values import Value
from hub.core.base import base_field, collapse, debts, settle_base
from hub.core.plan import Act, EntityPolicy, OnDelete, RecordPlan, narrowed, plan_record
from hub.core.state import (
    HUB,
    UNSET,
    Base,
    BaseField,
    Binding,
    BindingState,
    GoldenRecord,
    Kind,
    Observation,
    Resolution,
    Side,
    Snapshot,
)
from tests.unit.core.core_records import FIELDS, HUB_ID, NOW, PREFER, RULES, agreed

TEXTS = frozenset(["name", "city", "note", "entry"])
REWRITES = {"": lambda text: text, "lower": str.lower, "upper": str.upper}


@dataclass
class System:
    """Is one system: its record (None: deleted), what it does to texts on saving, and what it hides or cannot empty."""

    name: str
    record: dict[str, Value] | None
    mapped: frozenset[str] = FIELDS
    writable: frozenset[str] = FIELDS
    clearable: frozenset[str] = FIELDS
    rewrite: str = ""
    tokenised: frozenset[str] = frozenset()
    hidden: set[str] = field(default_factory=set)
    shows_empty: bool = True
    version: int = 1
    native: int = 1
    accepted: dict[str, set[Value]] = field(default_factory=dict)

    def save(self, changes: Mapping[str, Value]) -> None:
        self.record = {**(self.record or {}), **{n: self.kept(n, v) for n, v in changes.items()}}
        self.version += 1
        for name, value in self.record.items():
            self.accepted.setdefault(name, set()).add(value)

    def kept(self, name: str, value: Value) -> Value:
        return REWRITES[self.rewrite](value) if name in TEXTS and isinstance(value, str) else value

    def sent(self, name: str, value: Value) -> Value:
        return f"tok-{value}" if name in self.tokenised and value is not None else value

    def remove(self) -> None:
        self.record = None
        self.version += 1

    def shown(self) -> dict[str, Value]:
        record = self.record or {}
        seen = {name: record.get(name) for name in self.mapped - self.hidden}
        return seen if self.shows_empty else {name: value for name, value in seen.items() if value is not None}


@dataclass
class World:
    """Is the hub and its systems. `writes` logs every remote write as (system, act, fields)."""

    systems: dict[str, System]
    golden: GoldenRecord
    bindings: dict[str, Binding]
    bases: dict[str, Base | None]
    policy: EntityPolicy
    inbox: dict[str, Observation] = field(default_factory=dict)
    edits: dict[str, Value] = field(default_factory=dict)
    resolutions: dict[str, Resolution] = field(default_factory=dict)
    questions: dict[str, tuple[tuple[str, Value], ...]] = field(default_factory=dict)
    plans: list[tuple[Snapshot, RecordPlan]] = field(default_factory=list)
    writes: list[tuple[str, Act, tuple[str, ...]]] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)
    held: dict[str, set[Value]] = field(default_factory=dict)

    def side(self, name: str) -> Side:
        system = self.systems[name]
        return Side(
            self.bindings[name],
            self.bases[name],
            self.inbox.get(name),
            system.mapped,
            system.writable & system.mapped,
            system.clearable,
            system.shows_empty,
        )

    def observe(self, name: str) -> None:
        system, bound = self.systems[name], self.bindings[name]
        if self.read.get(name) == system.version or bound.native_id is None:
            return
        self.read[name] = system.version
        kind = Kind.GONE if system.record is None else Kind.UPSERT
        shown = {} if system.record is None else system.shown()
        self.inbox[name] = Observation(
            f"o-{name}-{system.version}", "customer", name, "Things", bound.native_id, kind, shown, str(system.version)
        )

    def plan(self) -> RecordPlan | None:
        if not (self.inbox or self.edits or self.resolutions):
            return None
        sides = tuple(self.side(name) for name in self.systems)
        snapshot = Snapshot(self.golden, sides, dict(self.edits), dict(self.resolutions))
        plan = plan_record(snapshot, self.policy, NOW)
        self.plans.append((snapshot, plan))
        self.golden = plan.golden
        for name, value in plan.golden.fields.items():
            self.held.setdefault(name, {None}).add(value)
        for side, planned in zip(sides, plan.sides, strict=True):
            self.bindings[side.system], self.bases[side.system] = planned.binding, planned.base
            if side.observation is not None:
                del self.inbox[side.system]
                if not planned.consumed:
                    self.inbox[side.system] = narrowed(side.observation, plan.frozen)
        self.edits = {name: value for name, value in self.edits.items() if name in plan.frozen}
        self.resolutions = {}
        self.questions = {item.field: item.candidates for item in (*plan.conflicts, *plan.holds)}
        return plan

    def push(self, name: str) -> None:
        """Writes what one system is owed, unless its record moved since it was observed."""
        system, bound = self.systems[name], self.bindings[name]
        if bound.state is BindingState.PENDING:
            self._create(system, bound)
        elif bound.state is BindingState.DOOMED and system.record is not None and bound.version == str(system.version):
            system.remove()
            self.writes.append((name, Act.DELETE, ()))
        elif bound.state is BindingState.ACTIVE and system.record is not None and bound.version == str(system.version):
            debt = debts(self.golden, self.side(name), self.bases[name], frozenset(self.questions))
            if debt.fields:
                system.save({n: system.sent(n, v) for n, v in debt.fields.items()})
                self.writes.append((name, Act.UPDATE, tuple(debt.fields)))
                self._confirm(system, debt.fields)

    def _create(self, system: System, bound: Binding) -> None:
        fields = {n: self.golden.fields.get(n) for n in sorted(system.writable & system.mapped)}
        system.record, system.native = {}, system.native + 1
        system.save({n: system.sent(n, v) for n, v in fields.items() if v is not None})
        self.bindings[system.name] = replace(
            bound, state=BindingState.ACTIVE, native_id=f"{bound.system}-{system.native}"
        )
        self.bases[system.name] = {}
        self.writes.append((system.name, Act.CREATE, tuple(n for n, v in fields.items() if v is not None)))
        self._confirm(system, fields)

    def _confirm(self, system: System, written: Mapping[str, Value]) -> None:
        moved = {}
        for name, value in written.items():
            sent = system.sent(name, value)
            kept = (system.record or {}).get(name)
            rule = "plain" if sent == value else "token"
            moved[name] = BaseField(value, sent, UNSET if kept == sent or name in system.hidden else kept, rule)
        base = settle_base(self.bases[system.name], self.golden, system.mapped, moved)
        self.bases[system.name] = collapse(base, self.golden, system.mapped)
        self.bindings[system.name] = replace(self.bindings[system.name], version=str(system.version))

    def cycle(self) -> int:
        """Runs one cycle; returns how many remote writes it made."""
        before = len(self.writes)
        for name in self.systems:
            self.observe(name)
        self.plan()
        for name in self.systems:
            self.push(name)
        return len(self.writes) - before

    def quiesce(self, limit: int = 8) -> int:
        """Cycles until nothing is written or planned; fails past the limit."""
        for number in range(limit):
            before = self.fingerprint()
            if not self.cycle() and self.fingerprint() == before:
                return number
        raise AssertionError(f"no rest after {limit} cycles")

    def fingerprint(self) -> Any:
        states = {name: (bound.state, bound.native_id) for name, bound in self.bindings.items()}
        return (dict(self.golden.fields), states, dict(self.bases), dict(self.questions), sorted(self.inbox))

    def answer(self, name: str, value: Value) -> None:
        self.resolutions[name] = Resolution(name, value, self.questions[name])

    def differences(self) -> list[str]:
        """Returns the fields on which a live system and the golden record differ without a declared reason."""
        found = []
        for name, system in self.systems.items():
            if self.bindings[name].state is not BindingState.ACTIVE or system.record is None:
                continue
            for item in sorted(system.mapped & system.writable - system.hidden - self.questions.keys()):
                value = self.golden.fields.get(item)
                wanted = {system.kept(item, value), system.kept(item, system.sent(item, value))}
                stuck = value is None and item not in system.clearable
                if not stuck and system.record.get(item) not in wanted:
                    found.append(f"{name}.{item}")
        return found

    def known(self, name: str, item: str) -> BaseField | None:
        return base_field(self.side(name), item, self.golden)


def synced(systems: list[System], stands: Mapping[str, Value], on_delete: OnDelete = OnDelete.DETACH) -> World:
    """Makes a world at rest: every system holds what its rules make of the golden record, and the bases say so."""
    fields = {name: value for name, value in stands.items() if value is not None}
    golden = GoldenRecord(HUB_ID, "customer", fields, {"*": "a"}, 1)
    policy = EntityPolicy("customer", RULES, PREFER, on_delete=on_delete)
    bindings, bases = {}, {}
    for system in systems:
        values: dict[str, Value] = {name: fields.get(name) for name in system.mapped}
        system.record = {n: system.kept(n, system.sent(n, v)) for n, v in values.items()}
        system.accepted = {n: {v, system.sent(n, values[n])} for n, v in system.record.items()}
        base: dict[str, BaseField] = dict(agreed(values))
        for item, value in values.items():
            sent, kept = system.sent(item, value), system.record[item]
            base[item] = BaseField(value, sent, UNSET if kept == sent else kept, "plain" if sent == value else "token")
        bindings[system.name] = Binding(
            f"{HUB_ID}/{system.name}/main",
            HUB_ID,
            "customer",
            system.name,
            "Things",
            f"{system.name}-1",
            BindingState.ACTIVE,
            version="1",
        )
        bases[system.name] = collapse(base, golden, system.mapped)
    held = {name: {None, fields.get(name)} for name in FIELDS}
    read = {system.name: 1 for system in systems}
    return World({s.name: s for s in systems}, golden, bindings, bases, policy, read=read, held=held)


__all__ = ["HUB", "System", "World", "synced"]
