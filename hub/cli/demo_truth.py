"""The ground truth of the demo: who is who, known from outside, against what the hub made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from hub.cli.demo_lab import ENTITY, FXIAOKE, KINDS, OBJECTS, ZOHO, Lab
from hub.store import matches, records
from hub.store.matches import MatchQuestion

ID = {ZOHO: "id", FXIAOKE: "_id"}
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Living:
    """Is one live record of a system, as the vendor stores it."""

    system: str
    object: str
    native_id: str
    row: Row = attribute(repr=False)


@dataclass(slots=True)
class Truth:
    """Knows each person's native id per system."""

    homes: dict[str, dict[str, str]]
    people: dict[tuple[str, str], str]
    difficulty: dict[str, str]

    @classmethod
    def of(cls, lab: Lab) -> Truth:
        truth = cls({}, {}, {})
        for row in lab.simulators[ZOHO].admin.truth():
            homes = {system: str(row[kind]) for system, kind in KINDS.items() if row[kind]}
            truth.add(str(row["person_id"]), homes, str(row["difficulty"]))
        return truth

    def add(self, person: str, homes: Mapping[str, str], difficulty: str = "new") -> None:
        self.homes[person] = dict(homes)
        self.difficulty[person] = difficulty
        self.people |= dict.fromkeys(homes.items(), person)


@dataclass(slots=True)
class Graded:
    """Counts what the hub decided about one class of records, and how much of it the truth confirms."""

    right: int = 0
    wrong: int = 0

    @property
    def count(self) -> int:
        return self.right + self.wrong

    def note(self, is_right: bool) -> None:
        if is_right:
            self.right += 1
        else:
            self.wrong += 1


@dataclass(frozen=True, slots=True)
class People:
    """Is who is there after a sync: records too many, people missing somewhere, and fields that differ."""

    persons: int
    both: int
    duplicates: int
    missing: int
    unequal: tuple[tuple[str, str, int], ...]
    compared: int


def living(lab: Lab) -> Iterator[Living]:
    """Yields every record that is live in a system, read past the vendors' APIs."""
    for system, objects in OBJECTS.items():
        for object_ in objects:
            for row in lab.records(system, object_):
                yield Living(system, object_, str(row[ID[system]]), row)


def bound(lab: Lab, found: Sequence[Living]) -> dict[tuple[str, str], str]:
    """Returns which golden record each living record belongs to: (system, native id) -> hub id."""
    owners: dict[tuple[str, str], str] = {}
    with lab.hub.store.read() as conn:
        for system, objects in OBJECTS.items():
            for object_ in objects:
                ids = [item.native_id for item in found if (item.system, item.object) == (system, object_)]
                for native_id, binding in records.bindings_by_native(conn, system, object_, ids).items():
                    owners[system, native_id] = binding.hub_id
    return owners


def asked(lab: Lab) -> list[MatchQuestion]:
    """Returns the open questions of who is who."""
    with lab.hub.store.read() as conn:
        return [item for item in matches.questions(conn, ENTITY) if item.state == "open"]


def right_answer(truth: Truth, question: MatchQuestion, owners: Mapping[tuple[str, str], str]) -> str:
    """Returns what the truth says to a question: the hub id of the same person, or `new`."""
    person = truth.people[question.system, question.native_id]
    for system, native_id in truth.homes[person].items():
        owner = owners.get((system, native_id))
        if system != question.system and owner is not None:
            return owner
    return "new"


def grade_matches(lab: Lab, truth: Truth) -> dict[str, Graded]:
    """Grades the first matching by the truth: sure links, open questions, and records taken as new."""
    owners = bound(lab, list(living(lab)))
    questions = asked(lab)
    candidates = {hub_id for item in questions for hub_id in item.candidates}
    placed: dict[str, dict[str, str]] = {}
    for (system, native_id), hub_id in owners.items():
        placed.setdefault(hub_id, {})[system] = truth.people[system, native_id]
    graded = {"sure": Graded(), "unsure": Graded(), "new": Graded()}
    for hub_id, people in placed.items():
        if len(people) > 1:
            graded["sure"].note(len(set(people.values())) == 1)
        elif hub_id not in candidates:
            person = next(iter(people.values()))
            graded["new"].note(len(truth.homes[person]) == 1)
    for item in questions:
        answer = right_answer(truth, item, owners)
        graded["unsure"].note(answer == "new" or answer in item.candidates)
    return graded


def look(lab: Lab, truth: Truth, gone: frozenset[tuple[str, str]] = frozenset()) -> People:
    """Compares both systems record by record; `gone` are the (system, person) that must not be there."""
    found = list(living(lab))
    owners = bound(lab, found)
    person_of = {owners[key]: person for key, person in truth.people.items() if key in owners}
    seats: dict[str, list[Living]] = {}
    strangers = 0
    for item in found:
        key = (item.system, item.native_id)
        person = truth.people.get(key) or person_of.get(owners.get(key, ""))
        if person is None:
            strangers += 1
        else:
            seats.setdefault(person, []).append(item)
    per_place = Counter((item.system, person) for person, items in seats.items() for item in items)
    wanted = {(system, person) for person in truth.homes for system in OBJECTS} - gone
    pairs = [items for items in seats.values() if {item.system for item in items} == set(OBJECTS)]
    differing, compared = _differences(lab, pairs)
    return People(
        len(seats),
        len(pairs),
        strangers + sum(number - 1 for number in per_place.values()),
        len(wanted - per_place.keys()),
        tuple((*place, number) for place, number in sorted(differing.items())),
        compared,
    )


def _differences(lab: Lab, pairs: Sequence[Sequence[Living]]) -> tuple[Counter[tuple[str, str]], int]:
    """Compares every field that both systems can show, and every field that one may only be told."""
    links = lab.hub.links(ENTITY)
    differing: Counter[tuple[str, str]] = Counter()
    compared = 0
    for items in pairs:
        shown = {
            item.system: links[item.system].mapping.to_canonical(item.object, dict(item.row)).fields for item in items
        }
        here, there = shown[ZOHO], shown[FXIAOKE]
        for name in here.keys() & there.keys():
            compared += 1
            if here[name] != there[name]:
                differing[name, "both"] += 1
        for item in items:
            told = shown[ZOHO if item.system == FXIAOKE else FXIAOKE]
            only = {n: v for n, v in told.items() if v is not None and n not in shown[item.system]}
            patch = links[item.system].mapping.to_native(item.object, only).fields
            for name, value in patch.items():
                compared += 1
                if item.row.get(name) != value:
                    differing[name, item.system] += 1
    return differing, compared
