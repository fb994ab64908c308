"""Proves a mapping against the canonical schema, its tables and, where known, the system's own description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hub.canonical.schema import Entity, Field, Kind, Schema
from hub.canonical.values import ValueRefused, compile_canon
from hub.kernel.errors import Problem
from hub.mapping.compiling import make_pair
from hub.mapping.cutoff import cut_off
from hub.mapping.describe import Description, FieldShape, ObjectShape
from hub.mapping.fitting import check_cascade, check_fitting
from hub.mapping.lenses import LENSES, BadLens
from hub.mapping.lenses.base import KNOWN_KINDS
from hub.mapping.model import MappingFile, PairSpec, PartSpec, RouteSpec
from hub.mapping.parts import check_lookup, check_parts, pairs_of
from hub.mapping.tables import Tables


@dataclass(frozen=True, slots=True)
class _Place:
    """Makes problems of one mapping file."""

    mapping: MappingFile
    path: tuple[str | int, ...] = ()

    def at(self, *path: str | int) -> _Place:
        return _Place(self.mapping, (*self.path, *path))

    def say(self, code: str, en: str, zh: str, severity: str = "error") -> Problem:
        return Problem(self.mapping.file, self.mapping.line(*self.path), code, en, zh, severity)


def check_mapping(
    mapping: MappingFile, schema: Schema, tables: Tables, describe: Description | None = None
) -> list[Problem]:
    """Returns everything that is wrong or doubtful about a mapping, each with file and line."""
    spec, top = mapping.spec, _Place(mapping)
    if spec.entity not in schema.entities:
        en, zh = f"there is no entity `{spec.entity}`", f"没有业务实体 `{spec.entity}`"
        return [top.at("entity").say("HUB-MAP-010", en, zh)]
    entity = schema.entity(spec.entity)
    found = [*_check_names(entity, top), *_check_routes(entity, top), *_check_since(entity, top)]
    for number, route in enumerate(spec.routes):
        place = top.at("routes", number)
        found += _check_pairs(route, entity, tables, place, route.when)
        found += _check_cover(route, entity, place)
        found += _check_only(route, place)
        if describe is not None:
            found += _check_object(route, entity, schema, tables, describe.get(route.object), place)
        for n, side in enumerate(route.parts):
            beside = place.at("parts", n)
            found += _check_pairs(side, entity, tables, beside, route.when)
            if describe is not None:
                found += _check_object(side, entity, schema, tables, describe.get(side.object), beside)
                found += check_lookup(mapping, side, describe.get(side.object), beside.path)
    return found + check_parts(mapping, entity)


def check_authorities(mappings: Mapping[str, MappingFile], schema: Schema) -> list[Problem]:
    """Returns a problem for each field with one authority that several systems (name -> mapping) would decide."""
    found = []
    readers: dict[tuple[str, str], str] = {}
    for system, mapping in mappings.items():
        spec = mapping.spec
        entity = schema.entity(spec.entity)
        for path, pair in pairs_of(spec):
            if not pair.reads:
                continue
            for name in pair.canonicals:
                each = entity.fields.get(name)
                if each is None or not each.one_authority:
                    continue
                first = readers.setdefault((spec.entity, name), system)
                if first != system:
                    here = _Place(mapping, path)
                    en = f"`{name}` has one authority, but both {first} and {system} are read; use direction out in one"
                    zh = f"`{name}` 只有一个权威来源，但 {first} 与 {system} 均在读取，请将其一改为 out"
                    found.append(here.say("HUB-MAP-030", en, zh))
    return found


def _check_names(entity: Entity, top: _Place) -> Iterator[Problem]:
    spec = top.mapping.spec
    used = [(name, top.at("filter", name)) for name in spec.filter]
    used += [(spec.since.field, top.at("since", "field"))] if spec.since else []
    used += [(name, top.at("match", n)) for n, rule in enumerate(spec.match) for name in rule.fields]
    used += [(name, top.at("routes", n, "when")) for n, route in enumerate(spec.routes) for name in route.when]
    for name, place in used:
        if name not in entity.fields and name != "hub_id":
            yield place.say(
                "HUB-MAP-011", f"`{name}` is not a field of {entity.name}", f"{entity.name} 没有字段 `{name}`"
            )


def _check_since(entity: Entity, top: _Place) -> Iterator[Problem]:
    since, place = top.mapping.spec.since, top.at("since")
    if since is None or since.field not in entity.fields:
        return
    name = since.field
    if cut_off(entity.fields[name], since.moment) is None:
        en = f"`{name}` cannot be compared with `{since.moment}`: a cut-off needs a datetime, or a date and a plain day"
        zh = f"`{name}` 无法与 `{since.moment}` 比较：截止须用日期时间字段，或日期字段加纯日期"
        yield place.at("from" if entity.fields[name].kind in (Kind.DATE, Kind.DATETIME) else "field").say(
            "HUB-MAP-032", en, zh
        )
    for route in top.mapping.spec.routes:
        if not any(name in pair.canonicals for pair in route.fields if pair.reads):
            en = f"`{name}` is not read from `{route.object}`, so its old records could not be told; read it there"
            zh = f"未从 `{route.object}` 读取 `{name}`，无法判断其记录的早晚；请在该路由中读取"
            yield place.at("field").say("HUB-MAP-032", en, zh)


def _check_routes(entity: Entity, top: _Place) -> Iterator[Problem]:
    routes = top.mapping.spec.routes
    seen: set[str] = set()
    for number, route in enumerate(routes):
        if route.object in seen:
            en, zh = f"object `{route.object}` has two routes", f"对象 `{route.object}` 有两条路由"
            yield top.at("routes", number).say("HUB-MAP-012", en, zh)
        seen.add(route.object)
    names = {name for route in routes for name in route.when}
    if not names and len(routes) > 1:
        yield top.at("routes").say("HUB-MAP-013", "several routes need `when`", "多条路由必须设置 when")
    for name in sorted(names & set(entity.fields)):
        takers = [value for route in routes for value in route.when.get(name, entity.fields[name].values)]
        for value in entity.fields[name].values:
            if value not in takers:
                en, zh = f"no route takes {name} = `{value}`", f"没有路由接收 {name} = `{value}`"
                yield top.at("routes").say("HUB-MAP-013", en, zh)
            elif takers.count(value) > 1 and len(names) == 1:
                en, zh = f"two routes take {name} = `{value}`", f"两条路由同时接收 {name} = `{value}`"
                yield top.at("routes").say("HUB-MAP-013", en, zh)
        for value in sorted(set(takers) - set(entity.fields[name].values)):
            en, zh = f"`{value}` is not a value of {name}", f"`{value}` 不是 {name} 的取值"
            yield top.at("routes").say("HUB-MAP-013", en, zh)


def _check_pairs(
    route: RouteSpec | PartSpec, entity: Entity, tables: Tables, place: _Place, when: Mapping[str, list[str]]
) -> Iterator[Problem]:
    read: set[str] = set()
    written: set[str] = set()
    for number, pair in enumerate(route.fields):
        here = place.at("fields", number)
        unknown = [name for name in pair.canonicals if name not in entity.fields]
        if unknown:
            en, zh = f"`{unknown[0]}` is not a field of {entity.name}", f"{entity.name} 没有字段 `{unknown[0]}`"
            yield here.say("HUB-MAP-011", en, zh)
            continue
        fields = tuple(entity.fields[name] for name in pair.canonicals)
        yield from _check_direction(pair, fields, here)
        yield from _check_lens(when, pair, fields, tables, here)
        for names, used, en, zh in (
            (pair.canonicals if pair.reads else (), read, "is read from two places", "由两处读取"),
            (written_natives(pair), written, "is written from two pairs", "由两处写入"),
        ):
            for name in names:
                if name in used:
                    yield here.say("HUB-MAP-014", f"`{name}` {en}", f"`{name}` {zh}")
                used.add(name)


def _check_direction(pair: PairSpec, fields: tuple[Field, ...], here: _Place) -> Iterator[Problem]:
    lens = LENSES.get(pair.lens)
    if lens is not None and lens.lossy and pair.direction == "both":
        en, zh = f"lens `{pair.lens}` works in one direction only", f"转换规则 `{pair.lens}` 只能单向使用"
        yield here.say("HUB-MAP-015", en, zh)
    for each in fields:
        # A computed field with guards is read too, so that an edit of it is noticed, held or put back.
        if each.computed and pair.direction != "out" and not (each.guards and pair.direction == "both"):
            en, zh = (
                f"`{each.name}` is computed by the hub: direction must be out",
                f"`{each.name}` 由中心计算，方向须为 out",
            )
            yield here.say("HUB-MAP-015", en, zh)
        if each.one_authority and pair.direction == "both":
            en = f"`{each.name}` has one authority: direction must be in or out"
            yield here.say("HUB-MAP-015", en, f"`{each.name}` 只有一个权威来源，方向须为 in 或 out")
    if pair.clearable and pair.direction == "in":
        yield here.say("HUB-MAP-015", "`clear` has no meaning with direction in", "方向为 in 时 clear 无意义")
    for name in pair.clearable:
        if name not in pair.canonicals:
            yield here.say(
                "HUB-MAP-015",
                f"`clear` names `{name}`, which the pair does not carry",
                f"clear 中的 `{name}` 不在本项中",
            )


def _check_lens(
    when: Mapping[str, list[str]], pair: PairSpec, fields: tuple[Field, ...], tables: Tables, here: _Place
) -> Iterator[Problem]:
    try:
        make_pair(pair, fields, tables, here.mapping.spec.system_kind)
    except BadLens as bad:
        en, zh = f"lens `{pair.lens}` {bad.text.en}", f"转换规则 `{pair.lens}`：{bad.text.zh}"
        if bad.file is not None:
            yield Problem(bad.file, bad.line, "HUB-MAP-016", en, zh)
        else:
            yield here.say("HUB-MAP-016", en, zh)
        return
    if pair.lens == "enum" and pair.writes:
        routed = when.get(fields[0].name, fields[0].values)
        missing = [value for value in routed if value not in pair.params.get("values", {})]
        if missing:
            names = ", ".join(missing)
            yield here.say("HUB-MAP-017", f"no native value for: {names}", f"以下取值没有对应的系统取值：{names}")
    if pair.default is not None:
        try:
            compile_canon(fields[0])(pair.default)
        except (ValueRefused, IndexError):
            yield here.say("HUB-MAP-018", "the default is not a value of the field", "默认值不是该字段的有效取值")


def _check_cover(route: RouteSpec, entity: Entity, place: _Place) -> Iterator[Problem]:
    read = {name for pair in route.fields if pair.reads for name in pair.canonicals}
    for each in entity.fields.values():
        if each.required and each.default is None and each.name not in read:
            en, zh = f"required field `{each.name}` is not read", f"必填字段 `{each.name}` 未读取"
            yield place.say("HUB-MAP-019", en, zh)


def _check_only(route: RouteSpec, place: _Place) -> Iterator[Problem]:
    """Finds fields of `only` that a record created here would not fill with one of the values."""
    for name, values in route.only.items():
        pairs = [pair for pair in route.fields if name in written_natives(pair)]
        if not any(pair.lens == "constant" and pair.params.get("value") in values for pair in pairs):
            en = f"records created in `{route.object}` would not fit `only` of `{name}`; write a constant of it"
            zh = f"在 `{route.object}` 新建的记录不符合 only 对 `{name}` 的要求；请用 constant 写入其中一个取值"
            yield place.at("only", name).say("HUB-MAP-040", en, zh)


def _check_only_options(route: RouteSpec, shape: ObjectShape, place: _Place) -> Iterator[Problem]:
    for name, values in route.only.items():
        if name not in shape.fields:
            en, zh = f"`{route.object}.{name}` does not exist in the system", f"系统中没有 `{route.object}.{name}`"
            yield place.at("only", name).say("HUB-MAP-022", en, zh)
            continue
        options = shape.fields[name].options
        for value in values if options else ():
            if value not in (options or ()):
                en, zh = f"`{name}` has no option `{value}`", f"`{name}` 没有选项 `{value}`"
                yield place.at("only", name).say("HUB-MAP-028", en, zh)


def _check_object(
    route: RouteSpec | PartSpec,
    entity: Entity,
    schema: Schema,
    tables: Tables,
    shape: ObjectShape | None,
    place: _Place,
) -> Iterator[Problem]:
    if shape is None:
        en, zh = f"the system has no object `{route.object}`", f"系统中没有对象 `{route.object}`"
        yield place.say("HUB-MAP-020", en, zh)
        return
    key = route.hub_id_field or place.mapping.spec.hub_id_field
    if key not in shape.fields:
        en = f"`{route.object}.{key}` for the hub id is missing; create it as a unique text field of 36 characters"
        zh = f"缺少存放统一编号的 `{route.object}.{key}`，请新建 36 位且唯一的文本字段"
        yield place.say("HUB-MAP-021", en, zh)
    elif not shape.fields[key].unique:
        en = f"`{route.object}.{key}` is not unique in the system; mark it unique so that a resend cannot make a twin"
        yield place.say("HUB-MAP-021", en, f"`{route.object}.{key}` 未设为唯一，请设为唯一以防重复建档", "warning")
    if isinstance(route, RouteSpec):
        yield from _check_only_options(route, shape, place)
    written = {key, route.main, *route.only} if isinstance(route, PartSpec) else {key}
    for number, pair in enumerate(route.fields):
        here = place.at("fields", number)
        written.update(written_natives(pair))
        fields = tuple(entity.fields[name] for name in pair.canonicals if name in entity.fields)
        yield from check_cascade(pair, shape.fields, tables, place.mapping.spec.system_kind)
        for native in pair.natives:
            if native.startswith("$"):  # part of the payload, not of the description
                continue
            if native not in shape.fields:
                en = f"`{route.object}.{native}` does not exist in the system; create it or remove the pair"
                yield here.say("HUB-MAP-022", en, f"系统中没有 `{route.object}.{native}`，请新建该字段或删除本项")
            else:
                yield from _check_native(pair, fields, shape.fields[native], here)
                values = native_values(pair, native, tables, here.mapping.spec.system_kind)
                yield from _check_options(pair, values, shape.fields[native], here)
                yield from _check_labels(pair, schema, fields, shape.fields[native], here)
                written_here = native in written_natives(pair)
                yield from check_fitting(pair, fields, shape.fields[native], written_here, here.say)
    for name, each in shape.fields.items():
        if each.required and each.writable and name not in written:
            en = f"`{route.object}.{name}` is required by the system and nothing is written to it"
            yield place.say("HUB-MAP-023", en, f"系统必填的 `{route.object}.{name}` 没有写入来源")


def _check_native(pair: PairSpec, fields: tuple[Field, ...], shape: FieldShape, here: _Place) -> Iterator[Problem]:
    name, lens = shape.api_name, LENSES.get(pair.lens)
    # What is written once may be open at the creation only (a creation time), which a description does not tell.
    if name in written_natives(pair) and not shape.writable and not pair.once:
        en = f"`{name}` is read-only in the system; use direction in"
        yield here.say("HUB-MAP-024", en, f"`{name}` 在系统中只读，请改用方向 in")
    if lens is not None and lens.families and shape.kind in KNOWN_KINDS and shape.kind not in lens.families:
        en = f"`{name}` is of kind {shape.kind}, which lens `{pair.lens}` does not read"
        yield here.say("HUB-MAP-025", en, f"`{name}` 的类型为 {shape.kind}，转换规则 `{pair.lens}` 不支持")
    if shape.required and pair.clearable and len(pair.natives) == 1:
        en = f"`{name}` is required by the system and cannot be cleared"
        yield here.say("HUB-MAP-026", en, f"`{name}` 为系统必填，不能清空")
    longest = max((each.length or 0 for each in fields if each.kind in (Kind.STRING, Kind.TEXT)), default=0)
    if pair.writes and len(pair.natives) == 1 and shape.length and not shape.options and shape.length < longest:
        en = f"`{name}` holds {shape.length} characters, the canonical field {longest}; longer values will be refused"
        yield here.say(
            "HUB-MAP-027", en, f"`{name}` 只容 {shape.length} 字符，标准字段为 {longest}，超长的值将被拒绝", "warning"
        )


def written_natives(pair: PairSpec) -> tuple[str, ...]:
    """Returns the native fields that a pair writes."""
    lens = LENSES.get(pair.lens)
    return pair.natives[: None if lens is None else lens.written] if pair.writes else ()


def native_values(pair: PairSpec, native: str, tables: Tables, system_kind: str) -> set[str]:
    """Returns the native values that a pair's value map or table knows for one of its native fields."""
    params = pair.params
    if pair.lens == "call_outcome":
        options = {0: params.get("types", {}), 2: params.get("values", {})}.get(pair.natives.index(native), {})
        return set(options.values())
    if pair.lens in ("enum", "option_list", "consent_opt_out"):
        return set(params.get("from") or params.get("values", {}).values())
    table = tables.get(params.get("table", "")) if pair.lens == "code_table" else None
    columns = params.get("columns") or [system_kind]
    place = pair.natives.index(native)
    if table is None or place >= len(columns):
        return set()
    return {row[columns[place]] for row in table.rows.values() if row.get(columns[place])}


def _check_options(pair: PairSpec, mapped: set[str], shape: FieldShape, here: _Place) -> Iterator[Problem]:
    if not mapped or not shape.options:
        return
    options, retired = set(shape.options), set(shape.retired or ())
    for value in sorted(mapped - options):
        if value in retired and not pair.writes:  # old records still show it
            continue
        severity = "error" if pair.writes else "warning"
        en, zh = f"`{shape.api_name}` has no option `{value}`", f"`{shape.api_name}` 没有选项 `{value}`"
        if value in retired:
            en, zh = f"{en} any more: it is retired, writing it is refused", f"{zh}：已停用，写入会被拒绝"
        yield here.say("HUB-MAP-028", en, zh, severity)
    ignored = {*pair.params.get("ignore", ()), "-None-", ""}
    for value in sorted((options | retired) - mapped - ignored):
        if pair.reads:
            kind = ("retired option", "已停用选项") if value in retired else ("option", "选项")
            en = f"{kind[0]} `{value}` of `{shape.api_name}` has no canonical value; it will not be read"
            zh = f"`{shape.api_name}` 的{kind[1]} `{value}` 没有对应的标准取值，含该值的字段将无法读取"
            yield here.say("HUB-MAP-029", en, zh, "warning")


def _check_labels(
    pair: PairSpec, schema: Schema, fields: tuple[Field, ...], shape: FieldShape, here: _Place
) -> Iterator[Problem]:
    """Finds options that are mapped to one canonical value and labelled as another."""
    values: Mapping[str, str] = pair.params.get("values") or {}
    if not values or not shape.options or not fields or fields[0].enum is None:
        return
    labels = schema.enums[fields[0].enum]
    named = {text: value for value, label in labels.items() for text in (label.zh, label.en)}
    for value, native in values.items():
        other = named.get(shape.options.get(native, ""), value)
        if other != value:
            en = f"`{value}` is mapped to option `{native}` of `{shape.api_name}`, whose label says `{other}`"
            zh = f"`{value}` 映射到 `{shape.api_name}` 的选项 `{native}`，但其标签是 `{other}`"
            yield here.say("HUB-MAP-031", en, zh, "warning")
