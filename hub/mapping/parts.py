"""Proves the parts of a mapping: each canonical field in one object, each side record with a way to its main one."""

from __future__ import annotations

from collections.abc import Iterator

from hub.canonical.schema import Entity
from hub.kernel.errors import Problem
from hub.mapping.describe import ObjectShape
from hub.mapping.model import MappingFile, MappingSpec, PairSpec, PartSpec, RouteSpec

MAIN = "main"
"""Is the name of the part that every record has: no side object may be called so."""
Path = tuple[str | int, ...]


def pairs_of(spec: MappingSpec) -> Iterator[tuple[Path, PairSpec]]:
    """Yields every pair of a mapping, those of the parts after those of their route, and where it stands."""
    for path, place in places_of(spec):
        for n, pair in enumerate(place.fields):
            yield (*path, "fields", n), pair


def places_of(spec: MappingSpec) -> list[tuple[Path, RouteSpec | PartSpec]]:
    """Returns everything that names an object and its pairs, each route before its parts, and where it stands."""
    return [item for number, route in enumerate(spec.routes) for item in _places(number, route)]


def _places(number: int, route: RouteSpec) -> Iterator[tuple[Path, RouteSpec | PartSpec]]:
    yield ("routes", number), route
    for n, part in enumerate(route.parts):
        yield ("routes", number, "parts", n), part


def check_parts(mapping: MappingFile, entity: Entity) -> list[Problem]:
    """Returns what is wrong about the parts of a mapping by itself, without the system's description."""
    found: list[Problem] = []
    objects = [route.object for route in mapping.spec.routes]
    for number, route in enumerate(mapping.spec.routes):
        names = {MAIN}
        for n, part in enumerate(route.parts):
            path: Path = ("routes", number, "parts", n)
            if part.object in objects:
                en = f"object `{part.object}` is a route or another part already; an object has one place in a mapping"
                zh = f"对象 `{part.object}` 已用于其他路由或部分；一个对象在映射中只能有一个位置"
                found.append(_say(mapping, (*path, "object"), "HUB-MAP-012", en, zh))
            if part.part in names:
                en, zh = f"the name `{part.part}` is taken", f"部分名称 `{part.part}` 已被占用"
                found.append(_say(mapping, (*path, "part"), "HUB-MAP-041", f"{en}; give each part its own", zh))
            objects.append(part.object)
            names.add(part.part)
        found += _check_fields(mapping, number, route, entity)
    return found


def _check_fields(mapping: MappingFile, number: int, route: RouteSpec, entity: Entity) -> Iterator[Problem]:
    """Finds canonical fields that live in two objects of one route, and references that a part would carry."""
    if not route.parts:
        return
    homes: dict[str, str] = {}
    references = dict(entity.references())
    for path, place in _places(number, route):
        for n, pair in enumerate(place.fields):
            here = (*path, "fields", n)
            for name in pair.canonicals:
                if isinstance(place, PartSpec) and name in references:
                    en = f"`{name}` points at another record; map it in `{route.object}`, not in a part"
                    zh = f"`{name}` 指向其他记录；请在 `{route.object}` 中映射，不能放在部分中"
                    yield _say(mapping, here, "HUB-MAP-041", en, zh)
                if pair.once and not pair.reads:
                    continue  # it fills a field of a new record and lives elsewhere
                home = homes.setdefault(name, place.object)
                if home != place.object:
                    en = f"`{name}` lives in `{home}` already; keep it in one object, or make this pair out and once"
                    zh = f"`{name}` 已在 `{home}` 中；一个字段只能在一个对象中，或将本项设为 out 且 once"
                    yield _say(mapping, here, "HUB-MAP-041", en, zh)


def check_lookup(mapping: MappingFile, part: PartSpec, shape: ObjectShape | None, path: Path) -> Iterator[Problem]:
    """Finds native fields by which a side record would be told that its system does not have."""
    if shape is None:
        return
    for name, step in ((part.main, "main"), *((name, "only") for name in part.only)):
        if name not in shape.fields:
            en = f"`{part.object}.{name}` does not exist in the system; correct `{step}` of the part"
            zh = f"系统中没有 `{part.object}.{name}`，请更正该部分的 {step}"
            yield _say(mapping, (*path, step), "HUB-MAP-022", en, zh)
        elif not shape.fields[name].writable:
            en = f"`{part.object}.{name}` is read-only, so a new record could not be told as a part"
            zh = f"`{part.object}.{name}` 为只读，新建的记录无法归属"
            yield _say(mapping, (*path, step), "HUB-MAP-024", en, zh)


def _say(mapping: MappingFile, path: Path, code: str, en: str, zh: str) -> Problem:
    return Problem(mapping.file, mapping.line(*path), code, en, zh, "error")
