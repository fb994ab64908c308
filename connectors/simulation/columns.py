"""Loads real rows from a CSV file as customers: columns are mapped by a file, what they lack is invented."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from connectors.simulation import words
from connectors.simulation.invention import Inventor
from connectors.simulation.people import CANONICAL_NAMES, Person, World

_RULE_KEYS = {"column", "constant", "template", "map", "default", "type", "minus_from"}
_TYPES = {"text", "integer", "list"}


class TableRefused(ValueError):
    """A CSV row or a column file that cannot be used; the message names file and line."""


def load_csv(path: str | Path, columns_file: str | Path, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yields one dict of canonical customer values (an individual) per CSV row, with `person_id` beside them.

    The column file is YAML or JSON: `columns: {field: {column | constant | template, map, default, type,
    minus_from}}` and `invent: [field, …]`. Raises TableRefused that names file and line for a broken row.
    """
    plan = _read_plan(Path(columns_file))
    rng = random.Random(f"table:{seed}")
    inventor = Inventor(rng)
    with Path(path).open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        header = reader.fieldnames or []
        _check_columns(plan, header, path, columns_file)
        for number, row in enumerate(_rows(reader, path), start=1):
            place = f"{path}:{reader.line_num}"
            if None in row or None in row.values():
                raise TableRefused(f"{place}: {len(header)} columns expected")
            made = inventor.individual(f"P{number:07d}").canonical()
            values = {name: made[name] for name in plan["invent"] if name in made}
            for name, rule in plan["columns"].items():
                value = _value(rule, row, f"{place}: field {name}")
                if value not in (None, "", []):
                    values[name] = value
            yield {"person_id": f"P{number:07d}", **values}


def table_world(rows: list[dict[str, Any]], seed: int, system_kind: str) -> World:
    """Returns the world of loaded rows: everybody lives in the one system they were loaded into."""
    field_of = {canonical: name for name, canonical in CANONICAL_NAMES.items()}
    places = {region[0]: region for region in words.REGIONS}
    people = []
    for row in rows:
        fields = {field_of.get(name, name): value for name, value in row.items()}
        fields.setdefault("kind", "individual")
        fields["tags"] = tuple(fields.get("tags", ()))
        if region := places.get(str(fields.get("region_code"))):
            fields |= {"province": region[1], "city": region[2], "district": region[3]}
        people.append(Person(**fields))
    homes: Mapping[str, tuple[str, ...]] = {person.person_id: (system_kind,) for person in people}
    return World(tuple(people), seed, homes, {}, frozenset())


def _rows(reader: csv.DictReader[str], path: str | Path) -> Iterator[dict[str, Any]]:
    try:
        yield from reader
    except (csv.Error, UnicodeDecodeError) as broken:
        raise TableRefused(f"{path}:{reader.line_num + 1}: {broken}") from broken


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        plan = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (YAMLError, json.JSONDecodeError) as broken:
        raise TableRefused(f"{path}: {broken}") from broken
    if not isinstance(plan, dict) or set(plan) - {"columns", "invent"}:
        raise TableRefused(f"{path}: a column file has the keys columns and invent, and no others")
    plan = {"columns": plan.get("columns") or {}, "invent": plan.get("invent") or []}
    known = set(CANONICAL_NAMES.values())
    for name in [*plan["columns"], *plan["invent"]]:
        if name not in known:
            raise TableRefused(f"{path}: unknown canonical field {name}")
    for name, rule in plan["columns"].items():
        wrong = not isinstance(rule, dict) or set(rule) - _RULE_KEYS or rule.get("type", "text") not in _TYPES
        if wrong or sum(key in rule for key in ("column", "constant", "template")) != 1:
            raise TableRefused(f"{path}: field {name} needs exactly one of column, constant, template")
    return plan


def _check_columns(plan: dict[str, Any], header: object, path: str | Path, columns_file: str | Path) -> None:
    present = set(header) if isinstance(header, list) else set()
    for name, rule in plan["columns"].items():
        wanted = {rule["column"]} if "column" in rule else set()
        if "template" in rule:
            wanted |= {key for _, key, _, _ in Formatter().parse(rule["template"]) if key}
        if missing := sorted(wanted - present):
            raise TableRefused(f"{columns_file}: field {name} reads column {missing[0]}, which {path} lacks")


def _value(rule: dict[str, Any], row: dict[str, str], place: str) -> Any:
    if "constant" in rule:
        return rule["constant"]
    if "template" in rule:
        return str(rule["template"]).format_map(row)
    value: Any = row[rule["column"]].strip()
    if "map" in rule:
        value = rule["map"].get(value, rule.get("default"))
    if value in (None, ""):
        return rule.get("default")
    if "minus_from" in rule:  # an age becomes a year of birth
        return f"{int(rule['minus_from']) - _whole(value, place):04d}-01-01"
    if rule.get("type") == "integer":
        return _whole(value, place)
    return [value] if rule.get("type") == "list" else value


def _whole(value: object, place: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise TableRefused(f"{place}: a whole number is expected") from None
