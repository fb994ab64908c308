"""Contact logs and complaints in the demo: synchronised after their customers, and compared record by record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from hub.canonical.values import Value
from hub.cli.demo_lab import CHILDREN, KINDS, OBJECTS_OF, Lab, complaint_twins
from hub.mapping.references import is_native_ref, parse_ref
from hub.operations.matching import decide_match
from hub.store import matches, references
from hub.store.records import bindings_by_native, load_golden

T = TypeVar("T")
ROUNDS = 4
CHUNK = 500
IDS = {"zoho": "id", "fxiaoke": "_id"}


@dataclass(frozen=True, slots=True)
class Equal:
    """Counts what stands in both systems, what in one only, the field values compared, and those that differ."""

    entity: str
    both: int
    alone: int
    compared: int
    differing: Mapping[str, int]


@dataclass(slots=True)
class Children:
    """Knows from outside which complaints of the two systems are one."""

    lab: Lab
    twins: dict[tuple[str, str], tuple[str, str]]

    @classmethod
    def of(cls, lab: Lab) -> Children:
        return cls(lab, complaint_twins(lab))

    def answer(self) -> int:
        """Answers the match questions about both entities from the truth; returns how many there were."""
        return sum(self._answer(entity) for entity in CHILDREN)

    def _answer(self, entity: str) -> int:
        with self.lab.hub.store.read() as conn:
            asked = [item for item in matches.questions(conn, entity) if item.state == "open"]
        for item in asked:
            owner = self._owner(self.twins.get((item.system, item.native_id)))
            if owner in item.candidates:
                decide_match(self.lab.hub, item.question_id, link=owner)
            else:
                decide_match(self.lab.hub, item.question_id, new=True)
        return len(asked)

    def _owner(self, twin: tuple[str, str] | None) -> str | None:
        if twin is None:
            return None
        system, native_id = twin
        with self.lab.hub.store.read() as conn:
            for object_ in OBJECTS_OF["complaint"][system]:
                if found := bindings_by_native(conn, system, object_, [native_id]).get(native_id):
                    return found.hub_id
        return None


def compare(lab: Lab, entity: str) -> Equal:
    """Compares what both systems show of an entity, read past the vendors' APIs, with the golden records.

    A field that nobody filled is left out: what a system shows there is its own declared default.
    """
    seats: dict[str, list[Mapping[str, Value]]] = {}
    for system, objects in OBJECTS_OF[entity].items():
        mapping = lab.hub.links(entity)[system].mapping
        for object_ in objects:
            rows = {str(row[IDS[system]]): row for row in lab.records(system, object_)}
            fields: dict[str, dict[str, Value]] = {
                key: mapping.to_canonical(object_, dict(row)).fields for key, row in rows.items()
            }
            with lab.hub.store.read() as conn:
                owners = _in_chunks(list(rows), partial(bindings_by_native, conn, system, object_))
            _resolve(lab, system, fields)
            once = mapping.once_fields(object_)
            for key, record in fields.items():
                hub_id = owners[key].hub_id if key in owners else f"{system}:{key}"
                seats.setdefault(hub_id, []).append({n: v for n, v in record.items() if n not in once})
    pairs = {hub_id: shown for hub_id, shown in seats.items() if len(shown) == len(KINDS)}
    with lab.hub.store.read() as conn:
        golden = _in_chunks(list(pairs), partial(load_golden, conn, lab.hub.store.ring))
    differing: Counter[str] = Counter()
    compared = 0
    for hub_id, shown in pairs.items():
        truth = {name: value for name, value in golden[hub_id].fields.items() if value is not None}
        for seat in shown:
            compared += len(truth.keys() & seat.keys())
            differing.update(name for name in truth.keys() & seat.keys() if seat[name] != truth[name])
    return Equal(entity, len(pairs), len(seats) - len(pairs), compared, dict(differing))


def _in_chunks(keys: Sequence[str], look_up: Callable[[Sequence[str]], Mapping[str, T]]) -> dict[str, T]:
    found: dict[str, T] = {}
    for start in range(0, len(keys), CHUNK):
        found |= look_up(keys[start : start + CHUNK])
    return found


def _resolve(lab: Lab, system: str, fields: Mapping[str, dict[str, Value]]) -> None:
    """Replaces native references by hub ids, so that both systems can be compared."""
    marks = {value for record in fields.values() for value in record.values() if is_native_ref(value)}
    with lab.hub.store.read() as conn:
        owners = references.owners(conn, system, [parse_ref(mark) for mark in marks])
    for record in fields.values():
        for name, value in list(record.items()):
            if is_native_ref(value):
                record[name] = owners.get(parse_ref(value), (None, ""))[0]
