"""Reads mapping files and finds them by system kind, entity and set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from hub.kernel.errors import ConfigInvalid, Problem, problem
from hub.kernel.settings import SystemSettings
from hub.kernel.yaml_file import load_yaml, schema_problems
from hub.mapping.model import MappingFile, MappingSpec, PartSpec, RouteSpec
from hub.mapping.parts import places_of

_CODE = "HUB-MAP-001"


def mapping_path(root: Path, system_kind: str, entity: str, chosen_set: str) -> Path:
    """Returns where the mapping of an entity in a kind of system stands; raises ConfigInvalid when it is absent."""
    path = root / system_kind / f"{entity}.{chosen_set}.yaml"
    if not path.is_file():
        en = f"there is no mapping of {entity} ({chosen_set}) for {system_kind}; add this file or choose another set"
        zh = f"没有 {system_kind} 的 {entity}（{chosen_set}）映射文件，请添加该文件或改用其他映射集"
        raise ConfigInvalid([problem(path, None, _CODE, en, zh)])
    return path


def load_chosen(root: Path, configured: SystemSettings, entity: str) -> MappingFile:
    """Reads the mapping of an entity that a system's settings choose; raises ConfigInvalid."""
    mapping = load_mapping(mapping_path(root, configured.kind, entity, configured.set_of(entity)))
    return with_hub_id_fields(mapping, configured.hub_id_field)


def with_hub_id_fields(mapping: MappingFile, named: Callable[[str], str | None]) -> MappingFile:
    """Returns a mapping with the hub id fields that a connection names for its objects."""
    spec = mapping.spec

    def name_of(place: RouteSpec | PartSpec) -> str:
        return named(place.object) or place.hub_id_field or spec.hub_id_field

    places = [place for _, place in places_of(spec)]
    names = [name_of(place) for place in places]
    if names == [place.hub_id_field or spec.hub_id_field for place in places]:
        return mapping
    routes = []
    for route in spec.routes:
        parts = [part.model_copy(update={"hub_id_field": name_of(part)}) for part in route.parts]
        routes.append(route.model_copy(update={"hub_id_field": name_of(route), "parts": parts}))
    digest = hashlib.sha256("\n".join([mapping.digest, *names]).encode()).hexdigest()
    return replace(mapping, spec=spec.model_copy(update={"routes": routes}), digest=digest)


def load_mapping(path: Path) -> MappingFile:
    """Reads one mapping file; raises ConfigInvalid with every problem of its form, each with file and line."""
    problems: list[Problem] = []
    mapping = read_mapping(path, problems)
    if mapping is None:
        raise ConfigInvalid(problems)
    return mapping


def read_mapping(path: Path, problems: list[Problem]) -> MappingFile | None:
    """Reads one mapping file, or returns None after adding what is wrong with its form to `problems`."""
    tree = load_yaml(path, problems)
    if tree is None:
        return None
    try:
        spec = MappingSpec.model_validate(tree)
    except ValidationError as error:
        problems.extend(schema_problems(path, tree, error, _CODE))
        return None
    return MappingFile(spec, str(path), hashlib.sha256(path.read_bytes()).hexdigest(), tree)
