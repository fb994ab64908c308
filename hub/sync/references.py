"""References between records: native lookups become hub ids on the way in, hub ids native lookups on the way out.

A record whose parent is not bound in its system is parked, which is no error, and woken once the parent is. A reference
to a record of the same entity never parks a record: it is made without the edge, and the edge follows by itself.

A reference strays when its system shows the parent's former place, or nothing where a parent is required: that is no
edit, and the golden parent is owed to the system again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from functools import cached_property

from hub.canonical.values import Value
from hub.core.state import UNSET, Base, Fields, Kind, Observation
from hub.mapping.references import is_native_ref, native_ref, parse_ref
from hub.store import inbox, matches, merges, records, references
from hub.store.database import Connection
from hub.store.records import Stored
from hub.store.references import Awaited, Place
from hub.sync.engine import RunContext

Marks = Mapping[str, str]
"""Is field -> native reference of what is not resolved."""


@dataclass(slots=True)
class Split:
    """Is what was taken out of observations, by observation: what waits for a parent, and the fields that strayed."""

    marks: dict[str, Marks] = attribute(default_factory=dict)
    strayed: dict[str, frozenset[str]] = attribute(default_factory=dict)
    twins: dict[str, Mapping[str, str]] = attribute(default_factory=dict)
    """Fields that show a living record of a merged one, with the record that stands for it: maybe an edit."""


@dataclass(frozen=True)
class Outward:
    """Is where the parents of a batch are bound in one system: hub id -> place, and back."""

    places: Mapping[str, Place]

    def fields(self, names: Iterable[str], fields: Fields) -> tuple[dict[str, Value], tuple[str, ...]]:
        """Returns the fields with native references, and the names of those whose parent is not bound there."""
        made, missing = dict(fields), []
        for name in names:
            value = made.get(name)
            if isinstance(value, str) and not is_native_ref(value):
                place = self.places.get(value)
                if place is None:
                    del made[name]
                    missing.append(name)
                else:
                    made[name] = native_ref(*place)
        return made, tuple(missing)

    def back(self, names: Iterable[str], fields: Fields) -> dict[str, Value]:
        """Returns fields as the system shows them, with hub ids again."""
        made = dict(fields)
        for name in names:
            value = made.get(name)
            if isinstance(value, str) and is_native_ref(value):
                made[name] = self._owners.get(value, value)
        return made

    @cached_property
    def _owners(self) -> dict[str, str]:
        return {native_ref(*place): hub_id for hub_id, place in self.places.items()}


def outward(run: RunContext, conn: Connection, system: str, batch: Iterable[Stored]) -> Outward:
    """Looks up where everything that these records point at, or did at last, is bound: one query for the batch."""
    names = run.rules.references
    if not names:
        return Outward({})
    held: list[Fields] = []
    for stored in batch:
        held.append(stored.golden.fields)
        held += [{n: _last(base, n) for n in names} for base in stored.bases.values() if base is not None]
    wanted = {value for fields in held for name in names if isinstance(value := fields.get(name), str)}
    return Outward(references.places(conn, system, wanted))


def _last(base: Base, name: str) -> Value:
    known = base.get(name)
    last = None if known is None else known.last_known()
    return None if last is UNSET else last


def marks_of(run: RunContext, fields: Fields) -> dict[str, str]:
    """Returns the native references among fields: name -> reference."""
    return {n: v for n in run.rules.references if isinstance(v := fields.get(n), str) and is_native_ref(v)}


def resolve(
    run: RunContext, conn: Connection, system: str, batch: Sequence[Fields], *, former: bool = False
) -> list[dict[str, Value]]:
    """Returns the records with hub ids wherever the parent is bound in their system; the rest stays a reference.

    A reference to a record of an entity that the field does not point at is as good as none. With `former` a place that
    a record left for another one still names it.
    """
    marks = [marks_of(run, fields) for fields in batch]
    places = {parse_ref(mark) for item in marks for mark in item.values()}
    owners = references.owners(conn, system, places) if places else {}
    if former and (left := places - owners.keys()):
        owners |= references.former_owners(conn, system, left)
    made = []
    for fields, item in zip(batch, marks, strict=True):
        found = {name: owners.get(parse_ref(mark)) for name, mark in item.items()}
        known = {n: owner[0] for n, owner in found.items() if owner and owner[1] == run.rules.references[n]}
        strange = {n: None for n, owner in found.items() if owner and owner[1] != run.rules.references[n]}
        made.append({**fields, **known, **strange})
    return made


def resolve_seen(run: RunContext, system: str, seen: Sequence[Observation]) -> list[Observation]:
    """Returns what a page showed with its references resolved, as far as their parents are bound."""
    if not run.rules.references or not any(marks_of(run, item.fields) for item in seen):
        return list(seen)
    with run.store.read() as conn:
        fields = resolve(run, conn, system, [item.fields for item in seen])
    return [replace(item, fields=shown) for item, shown in zip(seen, fields, strict=True)]


def parks(run: RunContext, item: Observation) -> bool:
    """Tells whether an unknown record must wait for a parent of another entity."""
    return any(run.rules.references[name] != run.entity for name in marks_of(run, item.fields))


def orphan(run: RunContext, item: Observation) -> bool:
    """Tells whether a record lacks a parent that it must have: it is nobody's and stays out."""
    fields = run.rules.entity.fields
    return any(fields[name].required and item.fields.get(name) is None for name in run.rules.references)


def awaits(run: RunContext, item: Observation, marks: Marks, *, known: bool) -> list[Awaited]:
    """Returns what one observation waits for.

    An unknown record waits for parents of other entities only: two of one entity may point at each other.
    """
    targets = run.rules.references
    return [
        Awaited(item.obs_id, name, targets[name], item.system, *parse_ref(mark))
        for name, mark in marks.items()
        if known or targets[name] != run.entity
    ]


def split(run: RunContext, system: str, conn: Connection, items: list[Observation], *, known: bool) -> Split:
    """Resolves the observations of one system in place, and takes out of them what cannot be resolved.

    Of `known` records what strayed is taken out as well; of others a parent's former place names the parent.
    """
    found = Split()
    for place in _resolve_here(run, conn, system, items):
        item = items[place]
        marks = marks_of(run, item.fields)
        if not marks:
            continue
        former = references.former_owners(conn, system, [parse_ref(mark) for mark in marks.values()])
        left = {name: former[parse_ref(mark)][0] for name, mark in marks.items() if parse_ref(mark) in former}
        _take_out(items, place, frozenset(left), found.strayed)
        if left and known:
            alive = merges.twin_places(conn, system, [parse_ref(marks[name]) for name in left])
            found.twins[item.obs_id] = {n: heir for n, heir in left.items() if parse_ref(marks[n]) in alive}
        if left and not known:
            items[place] = replace(items[place], fields={**items[place].fields, **left})
        waiting = {name: mark for name, mark in marks.items() if name not in left}
        if waiting:
            found.marks[item.obs_id] = waiting
            _take_out(items, place, frozenset(waiting), {})
    if known:
        _lacking(run, system, items, found)
    return found


def follow_heirs(run: RunContext, conn: Connection, items: Sequence[Observation]) -> list[Observation]:
    """Returns observations that name records which still stand: what was merged meanwhile is its heir."""
    names = run.rules.pointers
    heirs = merges.heirs(conn, [v for item in items for n in names if isinstance(v := item.fields.get(n), str)])
    if not heirs:
        return list(items)
    made = []
    for item in items:
        moved = {n: heirs[str(v)] for n in names if (v := item.fields.get(n)) in heirs}
        made.append(replace(item, fields={**item.fields, **moved}) if moved else item)
    return made


def _lacking(run: RunContext, system: str, items: list[Observation], found: Split) -> None:
    """Takes out a parent that is shown empty where one is required."""
    spec = run.rules.entity.fields
    needed = [name for name in run.rules.references if spec[name].required]
    for place, item in enumerate(items):
        if item.system == system and item.kind is Kind.UPSERT:
            empty = frozenset(name for name in needed if name in item.fields and item.fields[name] is None)
            _take_out(items, place, empty, found.strayed)


def _take_out(items: list[Observation], place: int, names: frozenset[str], kept: dict[str, frozenset[str]]) -> None:
    if names:
        item = items[place]
        items[place] = replace(item, fields={n: v for n, v in item.fields.items() if n not in names})
        kept[item.obs_id] = kept.get(item.obs_id, frozenset()) | names


def _resolve_here(
    run: RunContext, conn: Connection, system: str, items: list[Observation], *, former: bool = False
) -> list[int]:
    """Resolves the observations of one system in place; returns the places of those that held a reference."""
    places = [place for place, item in enumerate(items) if item.system == system and marks_of(run, item.fields)]
    resolved = resolve(run, conn, system, [items[place].fields for place in places], former=former)
    for place, fields in zip(places, resolved, strict=True):
        items[place] = replace(items[place], fields=fields)
    return places


def wake(run: RunContext) -> int:
    """Puts parked observations back into the queue once all their parents are bound; returns how many."""
    if not run.rules.references:
        return 0
    woken, after = 0, ""
    while True:
        with run.store.read() as conn:
            rows = [inbox.queued_of(row) for row in references.ripe(conn, run.entity, after, run.page)]
            records.load_subjects(conn, run.ring, [row.hub_id for row in rows if row.hub_id])
            opened = [inbox.open_row(run.ring, row) for row in rows]
            shown = [item for row, item in zip(rows, opened, strict=True) if row.hub_id is None]
            for system in sorted({item.system for item in shown}):
                _resolve_here(run, conn, system, shown, former=True)
        if not rows:
            return woken
        after = rows[-1].obs_id
        lost = {item.obs_id for item in shown if orphan(run, item)}
        run.tally.add("unlinked", len(lost))
        shown = [item for item in shown if item.obs_id not in lost]
        alone = {item.obs_id for item in shown}
        strangers = [item for item in opened if item.obs_id in alone]
        # What waited says nothing of the version any more, since we may have written since.
        known = [
            (replace(item, version=None), row) for row, item in zip(rows, opened, strict=True) if row.hub_id is not None
        ]
        with run.store.begin(run.held) as work:
            now = work.now
            made = [inbox.seal_row(run.ring, i, None, None, run.run_id, now) for i in strangers]
            made += [inbox.seal_row(run.ring, i, row.hub_id, row.subject_id, run.run_id, now) for i, row in known]
            inbox.consume(work, [row.obs_id for row in rows])
            inbox.stage(work, made)
            for system in sorted({item.system for item in shown}):
                keys = {i.obs_id: run.rules.keys(run.ring, i.fields) for i in shown if i.system == system}
                matches.put_keys(work, run.entity, system, keys)
        woken += len(made)
        run.tally.add("woken", len(made))
