"""Compares one pair with what a system describes beyond names and kinds: cascades, links, decimals, masks, groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hub.canonical.schema import Field, Kind
from hub.kernel.errors import Problem
from hub.mapping.describe import FieldShape
from hub.mapping.model import PairSpec
from hub.mapping.tables import Table, Tables

Say = Callable[..., Problem]
"""Makes a problem at the pair's line: code, English, Chinese, severity."""
_LINKS = frozenset({"reference", "reference_either", "activity_links"})


def link_target(pair: PairSpec, place: int) -> str | None:
    """Returns the object that a native link of a pair must point at, None where the pair holds no link."""
    params = pair.params
    if pair.lens not in _LINKS:
        return None
    if pair.lens == "reference_either":
        objects = params.get("objects") or []
        return str(objects[place]) if place < len(objects) else None
    if pair.lens == "activity_links":
        return str(params["persons"] if place == 0 else params["complaints"])
    return str(params["object"]) if "object" in params else None


def check_fitting(
    pair: PairSpec, fields: tuple[Field, ...], shape: FieldShape, writes: bool, say: Say
) -> Iterator[Problem]:
    """Returns what keeps a native field from serving: a group, a mask, another target, too few decimals."""
    name = shape.api_name
    if shape.members:
        listed = ", ".join(shape.members)
        en = f"`{name}` is a group; map its members instead: {listed}"
        yield say("HUB-MAP-036", en, f"`{name}` 是字段组，请改为映射其成员：{listed}")
    if shape.masked and pair.reads:
        en = f"`{name}` is shown masked to the hub's user: its values are never taken over; grant the role that sees it"
        yield say("HUB-MAP-035", en, f"`{name}` 对集成用户脱敏显示，其值不会被采用；请授予可查看明文的角色", "warning")
    target = link_target(pair, pair.natives.index(name))
    if target is not None and shape.lookup is not None and shape.lookup != target:
        en = f"`{name}` points at {shape.lookup} in the system, the mapping says {target}"
        yield say("HUB-MAP-037", en, f"系统中 `{name}` 关联的是 {shape.lookup}，映射为 {target}")
    scale = max((each.scale or 0 for each in fields if each.kind is Kind.DECIMAL), default=0)
    if writes and shape.decimals is not None and shape.decimals < scale:
        en = f"`{name}` keeps {shape.decimals} decimal places, the canonical field {scale}; the rest would be lost"
        yield say("HUB-MAP-034", en, f"`{name}` 保留 {shape.decimals} 位小数，标准字段为 {scale} 位，其余会丢失")


def check_cascade(
    pair: PairSpec, shapes: Mapping[str, FieldShape], tables: Tables, system_kind: str
) -> Iterator[Problem]:
    """Returns every row of the pair's table whose value does not belong to the value above it, at the row's line."""
    table = tables.get(str(pair.params.get("table", ""))) if pair.lens == "code_table" else None
    columns = pair.params.get("columns") or [system_kind]
    if table is None or not pair.writes or len(columns) != len(pair.natives):
        return
    for place, native in enumerate(pair.natives):
        shape = shapes.get(native)
        if shape is not None and shape.by_parent is not None and shape.parent in pair.natives:
            above = columns[pair.natives.index(shape.parent)]
            yield from _misplaced(table, shape, above, columns[place])


def _misplaced(table: Table, shape: FieldShape, above: str, column: str) -> Iterator[Problem]:
    admitted = shape.by_parent or {}
    for key, row in table.rows.items():
        value, parent = row.get(column), row.get(above)
        if value and parent and value not in admitted.get(parent, ()):
            en = f"`{shape.api_name}` has no option `{value}` under `{parent}` of `{shape.parent}`"
            zh = f"`{shape.api_name}` 的选项 `{value}` 不属于 `{shape.parent}` 的 `{parent}`"
            yield Problem(table.file, table.lines[key], "HUB-MAP-033", en, zh)
