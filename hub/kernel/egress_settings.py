"""What may leave for which region: `config/egress.yaml`. Without the file the built-in rules hold alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from hub.kernel.errors import ConfigInvalid, Problem, problem
from hub.kernel.settings_forms import Name, Section
from hub.kernel.yaml_file import line_of, load_yaml, plain, schema_problems

FILE = Path("config") / "egress.yaml"
CODE = "HUB-CONF-006"
Names = Annotated[tuple[str, ...], Field(strict=False)]


class BasisSettings(Section):
    """Is an approved ground for sending abroad: its number, its last day, and how many persons a calendar year."""

    id: Annotated[str, Field(min_length=1, max_length=120)]
    until: date
    persons: int = Field(ge=0)


class RuleSettings(Section):
    """Is one rule; what is left out stands for all."""

    name: Name
    decision: Literal["mask", "block"]
    systems: Names = ()
    regions: Names = ()
    classes: Annotated[tuple[Literal["C1", "C2", "-"], ...], Field(strict=False)] = ()
    entities: Names = ()
    fields: Names = ()


class EgressFile(Section):
    """Is the whole file."""

    bases: Mapping[Name, BasisSettings] = Field(default_factory=dict)
    rules: Annotated[tuple[RuleSettings, ...], Field(strict=False)] = ()


def load_egress(home: Path, systems: Mapping[str, object], entities: Mapping[str, frozenset[str]]) -> EgressFile:
    """Reads and checks the file. `entities` are the canonical fields by entity. Raises ConfigInvalid."""
    path = home / FILE
    if not path.is_file():
        return EgressFile()
    problems: list[Problem] = []
    tree = load_yaml(path, problems)
    if tree is None:
        raise ConfigInvalid(problems)
    try:
        found = EgressFile.model_validate(plain(tree))
    except ValidationError as error:
        raise ConfigInvalid(schema_problems(path, tree, error, CODE)) from None
    for place, name, known in _unknown(found, systems, entities):
        there = ", ".join(sorted(known))
        en, zh = f"{name} is not known here; known: {there}", f"未知的 {name}；已有：{there}"
        problems.append(problem(path, line_of(tree, place), CODE, en, zh))
    if problems:
        raise ConfigInvalid(problems)
    return found


def _unknown(
    file: EgressFile, systems: Mapping[str, object], entities: Mapping[str, frozenset[str]]
) -> list[tuple[tuple[str | int, ...], str, set[str]]]:
    """Returns names of systems, entities and fields that are none, each with its place and what is known."""
    found: list[tuple[tuple[str | int, ...], str, set[str]]] = []
    found += [(("bases", name), name, set(systems)) for name in file.bases if name not in systems]
    for number, rule in enumerate(file.rules):
        asked = [name for name in rule.entities or entities if name in entities]
        fields = {field for name in asked for field in entities[name]}
        for key, names, known in (
            ("systems", rule.systems, set(systems)),
            ("entities", rule.entities, set(entities)),
            ("fields", rule.fields, fields),
        ):
            found += [(("rules", number, key), name, known) for name in names if name not in known]
    return found
