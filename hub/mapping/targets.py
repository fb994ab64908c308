"""Proves that the mappings of one system fit together: a reference points where the system keeps what it refers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hub.canonical.schema import Schema
from hub.kernel.errors import Problem
from hub.mapping.model import MappingFile, PairSpec
from hub.mapping.parts import pairs_of

CODE = "HUB-MAP-042"
_NAMED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "reference": (("object",),),
    "reference_either": (("objects",),),
    "activity_links": (("persons", "organizations"), ("complaints",)),
    "related_objects": (("customers",), ("complaints",)),
}
"""Per lens and canonical field: the parameters that name the objects at which it may point."""


def check_targets(system: str, mappings: Mapping[str, MappingFile], schema: Schema) -> Iterator[Problem]:
    """Returns a problem for every reference of a system's mappings (entity -> mapping) that leads past its records.

    An error where none of the named objects holds the entity, so that nothing can be read or written; a warning where
    the entity lives in others too, links to which are refused record by record.
    """
    for entity, mapping in mappings.items():
        fields = schema.entities[entity].fields
        for path, pair in pairs_of(mapping.spec):
            for name, named in _named(pair):
                target = fields[name].target if name in fields else None
                kept = mappings.get(target or "")
                if kept is None or not named:
                    continue
                objects = list(dict.fromkeys(route.object for route in kept.spec.routes))
                lacking = [each for each in objects if each not in named]
                if lacking and (pair.writes or len(lacking) == len(objects)):
                    severity = "error" if len(lacking) == len(objects) else "warning"
                    told = _told(system, name, named, kept, lacking)
                    yield Problem(mapping.file, mapping.line(*path), CODE, *told, severity)


def _named(pair: PairSpec) -> Iterator[tuple[str, list[str]]]:
    for name, parameters in zip(pair.canonicals, _NAMED.get(pair.lens, ()), strict=False):
        found = [pair.params.get(each) for each in parameters]
        listed = [value for each in found for value in (each if isinstance(each, list) else [each])]
        yield name, [str(value) for value in listed if value is not None]


def _told(system: str, name: str, named: list[str], kept: MappingFile, lacking: list[str]) -> tuple[str, str]:
    spec, points, lives = kept.spec, ", ".join(named), ", ".join(lacking)
    en = (
        f"`{name}` points at {points}, but {system} keeps {spec.entity} in {lives} by its mapping set `{spec.set}`: "
        f"such links would be held out (HUB-VALUE-002); write {lives} in this pair, or choose sets that go together "
        "(mapping_sets)"
    )
    zh = (
        f"`{name}` 指向 {points}，而 {system} 按映射集 `{spec.set}` 将 {spec.entity} 存放在 {lives}：此类关联将列为异常"
        f"（HUB-VALUE-002）；请在此项中改为 {lives}，或选用相互配套的映射集（mapping_sets）"
    )
    return en, zh
