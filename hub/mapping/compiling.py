"""Makes the lenses of a mapping and gathers them, per object, into what reading and writing need."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from pydantic import BaseModel, ValidationError

from hub.canonical.schema import Field, Schema
from hub.canonical.values import Value, compile_canon
from hub.mapping.describe import FieldShape, ObjectShape
from hub.mapping.lenses import LENSES, BadLens, Constant, Joint, Made, Setting, Simple
from hub.mapping.lenses.base import ABSENT
from hub.mapping.model import MappingFile, PairSpec, PartSpec, RouteSpec
from hub.mapping.parts import places_of
from hub.mapping.tables import Tables


@dataclass(frozen=True, slots=True)
class Limit:
    """Is what a native field can hold, as far as the system described it."""

    length: int | None
    options: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Writer:
    """Is one pair on its way out."""

    canonicals: tuple[str, ...]
    natives: tuple[str, ...]
    made: Simple | Joint
    clearable: frozenset[str]
    default: Value
    limits: Mapping[str, Limit]
    once: bool = False


SimpleReader = tuple[str, str, Callable[[Any], Value], Value]
TIMED = frozenset({"date", "datetime", "epoch_ms", "epoch_day", "event_span", "instant_else"})
"""Lenses whose first native field orders records as the canonical one does, wherever it is filled."""
Picker = Callable[[Mapping[str, Any]], tuple[Any, ...]]
JointGet = Callable[[tuple[Any, ...]], tuple[Value, ...]]
JointReader = tuple[tuple[str, ...], Picker, JointGet, bool, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Part:
    """Says what a side object is: a part of the records of `main_object`, at which its `lookup` points."""

    name: str
    object: str
    main_object: str
    lookup: str
    only: Mapping[str, tuple[str | bool, ...]]
    shape: str = "id"

    def pointing_at(self, native_id: str) -> Any:
        """Returns what the lookup of a record that points at a main record holds."""
        return {"id": native_id} if self.shape == "id_object" else native_id


@dataclass(slots=True)
class ObjectPlan:
    """Is everything needed to translate records of one object."""

    object: str
    when: Mapping[str, frozenset[str]]
    hub_id_field: str
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    constants: dict[str, Value] = field(default_factory=dict)
    on_create: dict[str, Any] = field(default_factory=dict)
    simple: list[SimpleReader] = field(default_factory=list)
    guarded: list[SimpleReader] = field(default_factory=list)
    prose: list[SimpleReader] = field(default_factory=list)
    joint: list[JointReader] = field(default_factory=list)
    writers: dict[str, Writer] = field(default_factory=dict)
    once: set[str] = field(default_factory=set)
    timed: dict[str, tuple[str, Simple | Joint]] = field(default_factory=dict)
    part: Part | None = None

    @property
    def singles(self) -> list[SimpleReader]:
        return [*self.simple, *self.guarded, *self.prose]


def make_pair(pair: PairSpec, fields: tuple[Field, ...], tables: Tables, system_kind: str) -> tuple[Made, BaseModel]:
    """Makes the lens of one pair; raises BadLens with the reason when it cannot be made."""
    lens = LENSES.get(pair.lens)
    if lens is None:
        raise BadLens(f"there is no lens `{pair.lens}`", f"没有名为 `{pair.lens}` 的转换规则")
    for count, (low, high), en, zh in (
        (len(fields), lens.canonicals, "canonical", "标准"),
        (len(pair.natives), lens.parts, "native", "系统"),
    ):
        if not low <= count <= high:
            raise BadLens(
                f"takes {low} to {high} {en} fields, not {count}", f"需要 {low}–{high} 个{zh}字段，而不是 {count} 个"
            )
    for each in fields:
        if each.kind not in lens.kinds:
            raise BadLens(f"cannot carry the type of `{each.name}`", f"不能用于 `{each.name}` 的类型")
    try:
        params = lens.params.model_validate(pair.params)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(step) for step in first["loc"]) or "parameters"
        raise BadLens(f"parameter `{key}`: {first['msg']}", f"参数 `{key}` 有误：{first['msg']}") from None
    one_way = pair.direction != "both"
    return lens.make(Setting(fields, pair.natives, tables, system_kind, one_way), params), params


def plan_object(
    mapping: MappingFile, route: RouteSpec | PartSpec, schema: Schema, tables: Tables, shape: ObjectShape | None
) -> ObjectPlan:
    """Gathers the pairs of one object; a pair whose native field the system does not describe is left out."""
    spec = mapping.spec
    entity = schema.entity(spec.entity)
    when, only = (route.when, route.only) if isinstance(route, RouteSpec) else ({}, {})
    plan = ObjectPlan(
        route.object,
        {name: frozenset(values) for name, values in when.items()},
        route.hub_id_field or spec.hub_id_field,
        {name: frozenset(values) for name, values in only.items()},
    )
    for pair in route.fields:
        described = [native for native in pair.natives if not native.startswith("$")]  # $: of the payload alone
        if shape is not None and any(native not in shape.fields for native in described):
            continue
        fields = tuple(entity.fields[name] for name in pair.canonicals)
        made, _ = make_pair(pair, fields, tables, spec.system_kind)
        _add(plan, pair, fields, made, shape)
    return plan


def plan_part(
    mapping: MappingFile, main: RouteSpec, side: PartSpec, schema: Schema, tables: Tables, shape: ObjectShape | None
) -> ObjectPlan:
    """Gathers the pairs of one part of a route."""
    plan = plan_object(mapping, side, schema, tables, shape)
    only = {name: tuple(values) for name, values in side.only.items()}
    plan.part = Part(side.part, side.object, main.object, side.main, only, side.shape)
    plan.on_create.update({name: values[0] for name, values in only.items()})
    return plan


def _add(plan: ObjectPlan, pair: PairSpec, fields: tuple[Field, ...], made: Made, shape: ObjectShape | None) -> None:
    names = pair.canonicals
    if pair.once:
        plan.once.update(names)
    if isinstance(made, Constant):
        if fields:
            plan.constants[names[0]] = made.value
        else:
            plan.on_create.update(dict.fromkeys(pair.natives, made.value))
        return
    if pair.reads:
        if pair.lens in TIMED:
            plan.timed[names[0]] = pair.natives[0], made
        maskable = any(each.maskable for each in fields) if pair.maskable is None else pair.maskable
        if isinstance(made, Simple):
            kept = plan.guarded if maskable else plan.prose if fields[0].free_text else plan.simple
            kept.append((names[0], pair.natives[0], made.get, made.empty))
        else:
            plan.joint.append((names, _picker(pair.natives, made.needed), made.get, maskable, pair.natives))
    if pair.writes:
        default = compile_canon(fields[0])(pair.default) if pair.default is not None else None
        known = {} if shape is None else shape.fields
        limits = {name: _limit(known[name]) for name in pair.natives if name in known}
        writer = Writer(names, pair.natives, made, frozenset(pair.clearable), default, limits, pair.once)
        plan.writers.update(dict.fromkeys(names, writer))


def _limit(shape: FieldShape) -> Limit:
    return Limit(shape.length, frozenset(shape.options) if shape.options else None)


def _picker(natives: tuple[str, ...], needed: int | None) -> Picker:
    """Returns what takes the native values of a joint pair; it raises KeyError when a needed one is absent."""
    if len(natives) == 1:
        only = natives[0]
        return lambda native: (native[only],)
    if needed == 1 and len(natives) == 2:
        first, second = natives
        return lambda native: (native[first], native.get(second, ABSENT))
    if needed is None or needed >= len(natives):
        return itemgetter(*natives)
    always, perhaps = itemgetter(*natives[:needed]), natives[needed:]
    return lambda native: (*always(native), *(native.get(name, ABSENT) for name in perhaps))


def content_version(mapping: MappingFile, schema: Schema, tables: Tables) -> str:
    """Returns a digest of everything that decides how values are translated."""
    used = set()
    for _, place in places_of(mapping.spec):
        for pair in place.fields:
            declared = LENSES[pair.lens].params.model_fields.get("table")
            table = pair.params.get("table", declared.default) if declared is not None else None
            if isinstance(table, str) and table in tables:
                used.add(f"{table}={tables[table].digest}")
    text = "\n".join([mapping.digest, schema.version, *sorted(used)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
