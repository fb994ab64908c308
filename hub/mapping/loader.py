"""Reads mapping files and finds them by system kind, entity and set."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from hub.kernel.errors import ConfigInvalid, Problem, problem
from hub.kernel.yaml_file import load_yaml, schema_problems
from hub.mapping.model import MappingFile, MappingSpec

_CODE = "HUB-MAP-001"


def mapping_path(root: Path, system_kind: str, entity: str, chosen_set: str) -> Path:
    """Returns where the mapping of an entity in a kind of system stands; raises ConfigInvalid when it is absent."""
    path = root / system_kind / f"{entity}.{chosen_set}.yaml"
    if not path.is_file():
        en = f"there is no mapping of {entity} ({chosen_set}) for {system_kind}; add this file or choose another set"
        zh = f"没有 {system_kind} 的 {entity}（{chosen_set}）映射文件，请添加该文件或改用其他映射集"
        raise ConfigInvalid([problem(path, None, _CODE, en, zh)])
    return path


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
