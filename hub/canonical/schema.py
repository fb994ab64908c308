"""Loads the canonical schema: entities, fields, enumerations and what the engine may do with them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from ruamel.yaml.comments import CommentedMap

from hub.canonical.schema_file import NAME, EntitySpec, EnumSpec, FieldSpec
from hub.kernel.errors import ConfigInvalid, Problem, Text, problem
from hub.kernel.yaml_file import line_of, load_yaml, schema_problems


class Kind(StrEnum):
    """Names the canonical types."""

    STRING = "string"
    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    ENUM = "enum"
    LIST = "list"
    REF = "ref"
    UUID = "uuid"


@dataclass(frozen=True, slots=True)
class Field:
    """Is one canonical field. `order` ranks enum values: further along (lattice) or stricter (strictest) is higher."""

    name: str
    label: Text
    kind: Kind
    klass: str
    policy: str
    length: int | None = None
    scale: int | None = None
    enum: str | None = None
    values: tuple[str, ...] = ()
    target: str | None = None
    required: bool = False
    index: bool = False
    prefer: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    order: Mapping[str, int] = attribute(default_factory=dict)
    transitions: Mapping[str, tuple[str, ...]] = attribute(default_factory=dict)
    format: str | None = None
    resolution: str = "s"
    computed: bool = False
    one_authority: bool = False
    default: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    max_items: int | None = None
    deprecated: bool = False
    line: int | None = None

    @property
    def maskable(self) -> bool:
        return "masked" in self.guards

    @property
    def free_text(self) -> bool:
        return self.kind is Kind.TEXT or (
            self.kind is Kind.STRING and self.format is None and (self.length or 0) >= 200
        )


@dataclass(frozen=True, slots=True)
class MatchRule:
    """Is one piece of evidence that two records are one: all its fields equal. `hub_id` stands for the binding id."""

    name: str
    fields: tuple[str, ...]
    strong: bool


@dataclass(frozen=True, slots=True)
class Entity:
    """Is one record type; `key` names its hub id, which is not among `fields`."""

    name: str
    label: Text
    key: str
    key_label: Text
    version: int
    fields: Mapping[str, Field]
    match: tuple[MatchRule, ...]
    contradicts: tuple[str, ...]
    on_delete: str
    file: str
    find: Mapping[str, tuple[str, ...]] = attribute(default_factory=dict)
    """What a record may be looked up by -> the fields that are asked, without any of them standing in plaintext."""

    def references(self) -> Mapping[str, str]:
        """Returns field -> entity for every reference."""
        return {f.name: f.target for f in self.fields.values() if f.target is not None}


@dataclass(frozen=True, slots=True)
class Schema:
    """Is the whole canonical schema; `version` changes with any content."""

    entities: Mapping[str, Entity]
    enums: Mapping[str, Mapping[str, Text]]
    version: str

    def entity(self, name: str) -> Entity:
        """Returns an entity; raises KeyError when there is none of that name."""
        return self.entities[name]


_TYPE = re.compile(
    r"(?P<plain>text|integer|boolean|date|datetime|uuid)$|string\((?P<length>[1-9]\d{0,5})\)$"
    r"|decimal\((?P<digits>[1-9]\d?),\s*(?P<scale>\d)\)$|(?P<named>enum|ref)\((?P<name>[a-z][a-z0-9_]{0,63})\)$"
    r"|list<string\((?P<item>[1-9]\d{0,5})\)>$"
)
_RANKED = ("lattice", "strictest")


def load_schema(folder: Path) -> Schema:
    """Loads every YAML file of the folder; raises ConfigInvalid with all problems, each with file and line."""
    problems: list[Problem] = []
    files = sorted(folder.glob("*.yaml"))
    enums = _load_enums(folder / "enums.yaml", problems) if folder / "enums.yaml" in files else {}
    entities: dict[str, Entity] = {}
    trees: dict[str, CommentedMap] = {}
    for path in files:
        if path.name == "enums.yaml":
            continue
        tree = load_yaml(path, problems)
        entity = _load_entity(path, tree, enums, problems) if tree is not None else None
        if entity is None or tree is None:
            continue
        if entity.name in entities:
            problems.append(
                _say(path, line_of(tree, ["entity"]), f"entity `{entity.name}` is defined twice", "实体重复定义")
            )
        entities[entity.name] = entity
        trees[entity.name] = tree
    for entity in entities.values():
        _check_references(entity, trees[entity.name], entities, problems)
    if not entities and not problems:
        problems.append(_say(folder, None, "holds no entity file (*.yaml)", "目录中没有实体文件（*.yaml）"))
    if problems:
        raise ConfigInvalid(problems)
    digest = hashlib.sha256(b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in files))
    return Schema(MappingProxyType(entities), MappingProxyType(enums), digest.hexdigest()[:16])


def _say(path: Path | str, line: int | None, en: str, zh: str) -> Problem:
    return problem(path, line, "HUB-SCHEMA-001", en, zh)


def _load_enums(path: Path, problems: list[Problem]) -> dict[str, Mapping[str, Text]]:
    tree = load_yaml(path, problems)
    if tree is None:
        return {}
    try:
        spec = EnumSpec.model_validate(tree)
    except ValidationError as error:
        problems.extend(schema_problems(path, tree, error, "HUB-SCHEMA-001"))
        return {}
    return {
        name: MappingProxyType({value: Text(item.en, item.zh) for value, item in items.items()})
        for name, items in spec.root.items()
    }


def _load_entity(
    path: Path, tree: CommentedMap, enums: Mapping[str, Mapping[str, Text]], problems: list[Problem]
) -> Entity | None:
    try:
        spec = EntitySpec.model_validate(tree)
    except ValidationError as error:
        problems.extend(schema_problems(path, tree, error, "HUB-SCHEMA-001"))
        return None
    fields: dict[str, Field] = {}
    for name, item in spec.fields.items():
        line = line_of(tree, ["fields", name])
        if not re.fullmatch(NAME, name) or name == "hub_id":
            problems.append(_say(path, line, f"`{name}` is not a usable field name", f"字段名 `{name}` 不可用"))
        made = _make_field(name, item, enums, line)
        if isinstance(made, Field):
            fields[name] = made
        else:
            problems.extend(
                _say(path, line, f"field `{name}`: {text.en}", f"字段 `{name}`：{text.zh}") for text in made
            )
    return Entity(
        name=spec.entity,
        label=Text(spec.en, spec.zh),
        key=spec.key.name,
        key_label=Text(spec.key.en, spec.key.zh),
        version=spec.version,
        fields=MappingProxyType(fields),
        match=tuple(MatchRule(rule.name, tuple(rule.fields), rule.strength == "strong") for rule in spec.match),
        contradicts=tuple(spec.contradicts),
        on_delete=spec.on_delete,
        file=str(path),
        find=MappingProxyType({kind: tuple(names) for kind, names in spec.find.items()}),
    )


def _make_field(
    name: str, item: FieldSpec, enums: Mapping[str, Mapping[str, Text]], line: int | None
) -> Field | list[Text]:
    shape = _shape(item.type)
    if shape is None:
        return [Text(f"unknown type `{item.type}`", f"未知的类型 `{item.type}`")]
    enum = shape.get("enum")
    if enum is not None and enum not in enums:
        return [Text(f"enumeration `{enum}` is not in enums.yaml", f"enums.yaml 中没有枚举 `{enum}`")]
    field = Field(
        name=name,
        label=Text(item.en, item.zh),
        klass=item.class_,
        policy=item.policy,
        values=tuple(enums[enum]) if enum is not None else (),
        required=item.required,
        index=item.index,
        prefer=tuple(item.prefer),
        guards=tuple(item.guards),
        order=MappingProxyType(dict(item.order)),
        transitions=MappingProxyType({k: tuple(v) for k, v in item.transitions.items()}),
        format=item.format,
        resolution=item.resolution,
        computed=item.computed,
        one_authority=item.one_authority,
        default=item.default,
        minimum=item.min,
        maximum=item.max,
        max_items=item.max_items,
        deprecated=item.deprecated,
        line=line,
        **shape,
    )
    return _contradictions(field) or field


def _shape(text: str) -> dict[str, Any] | None:
    found = _TYPE.match(text)
    if found is None:
        return None
    if found["plain"]:
        return {"kind": Kind(found["plain"])}
    if found["length"]:
        return {"kind": Kind.STRING, "length": int(found["length"])}
    if found["item"]:
        return {"kind": Kind.LIST, "length": int(found["item"])}
    if found["digits"]:
        return {"kind": Kind.DECIMAL, "length": int(found["digits"]), "scale": int(found["scale"])}
    key = "enum" if found["named"] == "enum" else "target"
    return {"kind": Kind(found["named"]), key: found["name"]}


def _contradictions(field: Field) -> list[Text]:
    found = []
    if field.index and (field.klass == "C2" or field.kind in (Kind.TEXT, Kind.LIST)):
        found.append(
            Text("`index: true` is for coded fields of class C1 or `-` only", "仅 C1 与 “-” 类的编码字段可设 index")
        )
    if field.policy in _RANKED and set(field.order) != set(field.values):
        found.append(Text("`order` must rank every value of the enumeration", "order 须为枚举的每个取值排序"))
    if field.policy == "union" and field.kind is not Kind.LIST:
        found.append(Text("policy `union` needs a list", "union 策略仅用于列表"))
    if field.policy in ("min", "max") and field.kind not in (Kind.DATE, Kind.DATETIME, Kind.INTEGER):
        found.append(Text(f"policy `{field.policy}` needs a date or an integer", "min、max 策略仅用于日期或整数"))
    if field.format is not None and field.kind is not Kind.STRING:
        found.append(Text("`format` is for string(n) only", "format 仅用于 string(n)"))
    if field.default is not None and field.kind is Kind.ENUM and field.default not in field.values:
        found.append(Text("the default is not a value of the enumeration", "默认值不在枚举中"))
    unknown = {*field.transitions, *(v for to in field.transitions.values() for v in to)} - set(field.values)
    if unknown:
        found.append(Text("`transitions` name an unknown value", "transitions 中有未知的取值"))
    return found


def _check_references(
    entity: Entity, tree: CommentedMap, entities: Mapping[str, Entity], problems: list[Problem]
) -> None:
    for field in entity.fields.values():
        if field.target is not None and field.target not in entities:
            text = f"field `{field.name}`: there is no entity `{field.target}`"
            problems.append(_say(entity.file, field.line, text, f"字段 `{field.name}`：没有实体 `{field.target}`"))
    named: list[tuple[str, list[str | int]]] = [
        (name, ["match", place]) for place, rule in enumerate(entity.match) for name in rule.fields
    ]
    named += [(name, ["contradicts"]) for name in entity.contradicts]
    named += [(name, ["find", kind]) for kind, names in entity.find.items() for name in names]
    for name, place in named:
        if name != "hub_id" and name not in entity.fields:
            en, zh = f"`{place[0]}` names the unknown field `{name}`", f"`{place[0]}` 引用了未知字段 `{name}`"
            problems.append(_say(entity.file, line_of(tree, place), en, zh))
