"""Translation by a compiled mapping against functions written for the same fields."""

from __future__ import annotations

from connectors.base import NativeRecord
from hub.mapping.translate import CompiledMapping
from hub.operations.installation import Installation

from .byhand import ByHand, Canonical
from .byhand_fxiaoke import fxiaoke
from .byhand_zoho import zoho
from .lab import ENTITY, FXIAOKE, ZOHO, Lab, opened
from .measure import Result, Took, compare, stopwatch

Records = list[NativeRecord]
_MOST = 1_000
"""Records of each object: turns this short find moments in which nobody else disturbs them."""
_ROUNDS = 40


def by_system(hub: Installation, system: str) -> tuple[CompiledMapping, Records]:
    """Returns a system's mapping and its customers as they are read."""
    link = hub.link(system, ENTITY)
    found: Records = []
    for object_ in link.objects:
        cursor, complete, enough = None, False, len(found) + _MOST
        while not complete and len(found) < enough:
            page = link.connector.changes(object_, link.native_fields(object_), cursor, link.can(object_).page_size)
            found += page.records
            cursor, complete = page.next_cursor, page.complete
    return link.mapping, found


def hand_written(system: str) -> dict[str, ByHand]:
    """Returns the functions by object."""
    return zoho() if system == ZOHO else fxiaoke()


def translate(mapping: CompiledMapping, records: Records) -> list[Canonical]:
    """Translates by the mapping. Raises ValueError for a record that it refuses."""
    made = []
    for record in records:
        translated = mapping.to_canonical(record.object, record.fields)
        if translated.refusals:
            raise ValueError(f"{record.object} {record.native_id}: {translated.refusals[0]}")
        made.append(translated.fields)
    return made


def translate_by_hand(functions: dict[str, ByHand], records: Records) -> list[Canonical]:
    return [functions[record.object](record.fields) for record in records]


def results(lab: Lab) -> list[Result]:
    """Compares both systems' full mappings; raises AssertionError where the results differ."""
    with opened(lab.home()) as hub:
        worlds = {system: by_system(hub, system) for system in (ZOHO, FXIAOKE)}
    made = []
    for system, (mapping, records) in worlds.items():
        functions = hand_written(system)
        same(mapping, functions, records)

        def ours(mapping: CompiledMapping = mapping, records: Records = records) -> Took:
            with stopwatch() as took:
                translate(mapping, records)
            return took

        def other(functions: dict[str, ByHand] = functions, records: Records = records) -> Took:
            with stopwatch() as took:
                translate_by_hand(functions, records)
            return took

        rounds = _ROUNDS if lab.rounds > 1 else 1
        name = f"translation, {system}"
        made.append(compare(name, 0.65, len(records), ours, other, rounds, "processor time", by_cpu=True))
    return made


def same(mapping: CompiledMapping, functions: dict[str, ByHand], records: Records) -> None:
    """Raises AssertionError naming the record and the fields, never the values, in which the two differ."""
    pairs = zip(records, translate(mapping, records), translate_by_hand(functions, records), strict=True)
    for record, ours, theirs in pairs:
        names = {name for name in ours.keys() | theirs.keys() if ours.get(name, ...) != theirs.get(name, ...)}
        assert not names, f"{record.object} {record.native_id}: {', '.join(sorted(names))}"
