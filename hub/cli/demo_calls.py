"""What the calls of a sync should cost at least: a calculation of its own, from what the simulators counted.

Counted per cycle and object, so that no saving of one pays for the waste of another:
- a poll is one call, or as many pages as the rows that are new since the last cycle fill;
- creates and updates go in batches as large as the vendor takes (Zoho 100 rows, Fxiaoke one);
- a record that a feed calls deleted is looked for once, before it is believed to be gone;
- every change of a record is preceded by one read of its version (Zoho 100 rows a call, Fxiaoke one), but that one or
  two rows of Zoho go without, each by a call of its own under a condition that the vendor checks.
A sign-in per system comes on top. Feeds of deleted records and descriptions keep intervals of their own, and a first
load asks once how many records an object has: counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hub.cli.demo_lab import FXIAOKE, OBJECTS, OBJECTS_OF, ZOHO, Lab

PAGE = {ZOHO: 200, FXIAOKE: 100}
BATCH = {ZOHO: 100, FXIAOKE: 1}
ALONE = 2
CREATES = {ZOHO: "insert", FXIAOKE: "create"}
SEPARATE = {FXIAOKE: ("changeOwner",)}
"""Writes that the vendor takes by a call of their own."""
APART = ("deleted ", "describe ", "settings/", "count ")


@dataclass(slots=True)
class Account:
    """Counts the calls of one system: used, needed at least, and those that keep an interval of their own."""

    used: int = 0
    minimum: int = 0
    apart: int = 0
    polls: int = 0
    writes: int = 0
    parts: Counter[str] = field(default_factory=Counter)

    @property
    def ratio(self) -> float:
        return self.used / self.minimum if self.minimum else 1.0


@dataclass(frozen=True, slots=True)
class Cycle:
    """Is one cycle of an entity as the simulators saw it, per system: calls and rows by operation."""

    entity: str
    calls: Mapping[str, Mapping[str, int]]
    rows: Mapping[str, Mapping[str, int]]


class CallBook:
    """Keeps the simulators' ledgers cycle by cycle; `expect` says how many rows people changed in between."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.fresh: Counter[tuple[str, str]] = Counter()
        self.accounts = {system: Account(minimum=1) for system in OBJECTS}
        self.accounts[ZOHO].parts["sign-in"] = self.accounts[FXIAOKE].parts["sign-in"] = 1
        for places in OBJECTS_OF.values():
            for system, objects in places.items():
                for object_ in objects:
                    self.expect(system, object_, len(lab.records(system, object_)))
        self.entities = tuple(
            entity
            for entity, places in OBJECTS_OF.items()
            if any(self.fresh[system, object_] for system, objects in places.items() for object_ in objects)
        )
        self._reset()

    def expect(self, system: str, object: str, rows: int = 1) -> None:
        self.fresh[system, object] += rows

    def expect_proof(self, system: str) -> None:
        """Allows one read that looks for a record which a feed calls deleted, before it is believed to be gone."""
        self.accounts[system].minimum += 1
        self.accounts[system].parts["proof"] += 1

    def close_cycle(self, entity: str) -> Cycle:
        """Books what was called since the last cycle, one of this entity, beside what it needed at least."""
        calls, rows = {}, {}
        for system, simulator in self._lab.simulators.items():
            ledger = simulator.admin.calls()
            calls[system], rows[system] = ledger["calls"], ledger["rows"]
        cycle = Cycle(entity, calls, rows)
        for system, objects in OBJECTS_OF[entity].items():
            self._book(system, objects, cycle)
        self._reset()
        return cycle

    def _reset(self) -> None:
        for simulator in self._lab.simulators.values():
            simulator.admin.reset_calls()

    def _book(self, system: str, objects: Sequence[str], cycle: Cycle) -> None:
        account, calls, rows = self.accounts[system], cycle.calls[system], cycle.rows[system]
        apart = sum(number for name, number in calls.items() if name.startswith(APART))
        account.apart += apart
        account.used += sum(calls.values()) - apart
        for object_ in objects:
            created = rows.get(f"{CREATES[system]} {object_}", 0)
            updated = rows.get(f"update {object_}", 0)
            parts = {
                "poll": max(1, _batches(self.fresh[system, object_], PAGE[system])),
                "create": _batches(created, BATCH[system]),
            }
            parts["read before write"], parts["update"] = _changes(updated, BATCH[system])
            parts |= {name: calls.get(f"{name} {object_}", 0) for name in SEPARATE.get(system, ())}
            account.parts.update(parts)
            account.minimum += sum(parts.values())
            account.writes += created + updated
            # What was written now comes back with the next poll.
            self.fresh[system, object_] = created + updated


def polls(cycle: Cycle) -> dict[str, int]:
    """Returns how many change polls a cycle made per system and object."""
    wanted = {ZOHO: "list {}", FXIAOKE: "query {}"}
    return {
        f"{system}.{object_}": cycle.calls[system].get(wanted[system].format(object_), 0)
        for system, objects in OBJECTS_OF[cycle.entity].items()
        for object_ in objects
    }


def written(cycle: Cycle) -> int:
    """Returns how many rows a cycle wrote."""
    reads = ("list ", "query ", "get ", "token", "coql ", *APART)
    return sum(n for rows in cycle.rows.values() for name, n in rows.items() if not name.startswith(reads))


def _changes(rows: int, size: int) -> tuple[int, int]:
    """Returns the reads and the writes that changes need at least."""
    full, rest = divmod(rows, size)
    return (full, full + rest) if rest <= ALONE else (full + 1, full + 1)


def _batches(rows: int, size: int) -> int:
    return -(-rows // size)
