"""Lenses that look values up: in the mapping file itself or in a table beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field as Rule

from hub.canonical.refusal import ValueRefused
from hub.canonical.schema import Kind
from hub.canonical.values import Value, compile_canon
from hub.kernel.errors import Text
from hub.mapping.lenses.base import (
    ABSENT,
    CHOICES,
    NOT_IN_TABLE,
    TEXTS,
    BadLens,
    Fields,
    Joint,
    Lens,
    NoParams,
    NotObserved,
    Setting,
    Simple,
)
from hub.mapping.lenses.plain import ShapeParams, same, unwrap_id, unwrap_list, wrap_id, wrap_list
from hub.mapping.tables import Table


class EnumParams(NoParams):
    """`values` maps canonical to native; for direction `in` it maps native to canonical under `from`.

    `when_empty` is the canonical value of an empty native field; `ignore` lists native options left out on purpose.
    """

    values: dict[str, str] = Rule(default_factory=dict)
    read: dict[str, str] = Rule(default_factory=dict, alias="from")
    when_empty: str | None = None
    ignore: list[str] = Rule(default_factory=list)


def _enum(setting: Setting, params: EnumParams) -> Simple:
    known = set(setting.field.values)
    stray = ({*params.values, *params.read.values()} | ({params.when_empty} if params.when_empty else set())) - known
    if stray:
        names = ", ".join(sorted(stray))
        raise BadLens(f"`{names}` is not a value of the enumeration", f"`{names}` 不在枚举中")
    if bool(params.values) == bool(params.read):
        raise BadLens("needs either `values` or `from`", "须填写 values 或 from 之一")
    if params.read and not setting.one_way:
        raise BadLens("`from` is for direction `in` only", "from 仅用于方向 in")
    back = {native: value for value, native in params.values.items()} | dict(params.read)
    if len(back) < len(params.values):
        raise BadLens("two canonical values share one native value", "两个标准取值对应同一系统取值")
    return Simple(back.__getitem__, _looker(params.values, setting.field.name), empty=params.when_empty)


def _looker(table: Mapping[str, Any], name: str) -> Any:
    def put(value: Any) -> Any:
        try:
            return table[value]
        except KeyError:
            raise ValueRefused(name, NOT_IN_TABLE) from None

    return put


class OptionListParams(NoParams):
    """`values` maps each text of the set to the native option."""

    values: dict[str, str]


def _option_list(setting: Setting, params: OptionListParams) -> Simple:
    back = {native: value for value, native in params.values.items()}
    if len(back) < len(params.values):
        raise BadLens("two texts share one native option", "两个文本对应同一选项")
    canon, values, name = compile_canon(setting.field), params.values, setting.field.name

    def get(raw: Any) -> Value:
        return canon([back[item] for item in raw])

    def put(value: Any) -> Any:
        try:
            return [values[item] for item in value]
        except KeyError:
            raise ValueRefused(name, NOT_IN_TABLE) from None

    return Simple(get, put, cleared=[])


class TableParams(ShapeParams):
    """`table` names the CSV file; `columns` its columns, one per native field (default: the kind of system)."""

    table: str
    columns: list[str] | str | None = None


def _columns(setting: Setting, table_name: str, wanted: list[str] | str | None, count: int) -> tuple[Table, list[str]]:
    table = setting.tables.get(table_name)
    if table is None:
        raise BadLens(f"there is no table `{table_name}`", f"没有对照表 `{table_name}`")
    columns = [wanted or setting.system_kind] if not isinstance(wanted, list) else wanted
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise BadLens(
            f"table `{table_name}` has no column `{missing[0]}`", f"对照表 `{table_name}` 没有列 `{missing[0]}`"
        )
    if len(columns) != count:
        raise BadLens("`columns` must name one column per native field", "columns 须与系统字段一一对应")
    return table, columns


def _invert(table: Table, columns: list[str]) -> dict[tuple[str | None, ...], str]:
    back: dict[tuple[str | None, ...], str] = {}
    for key, row in table.rows.items():
        cells = tuple(row[column] or None for column in columns)
        if not any(cells):
            continue
        if cells in back:
            en = f"the keys `{back[cells]}` and `{key}` have the same {', '.join(columns)}"
            zh = f"键 `{back[cells]}` 与 `{key}` 的 {', '.join(columns)} 相同"
            raise BadLens(en, zh, table.file, table.lines[key])
        back[cells] = key
    return back


def _code_table(setting: Setting, params: TableParams) -> Simple | Joint:
    table, columns = _columns(setting, params.table, params.columns, len(setting.natives))
    back, name, natives = _invert(table, columns), setting.field.name, setting.natives
    forth = {key: cells for cells, key in back.items()}
    if len(natives) == 1:
        single = {cells[0]: key for cells, key in back.items() if cells[0] is not None}
        return _shaped_look_up(single, {key: cells[0] for key, cells in forth.items()}, name, params.shape)
    empty: tuple[str | None, ...] = (None,) * len(natives)
    shown: dict[tuple[str | None, ...], tuple[Value, ...]] = {cells: (key,) for cells, key in back.items()}
    shown[empty] = (None,)

    def get(raws: tuple[Any, ...]) -> tuple[Value, ...]:
        found = shown.get(raws)
        return shown[tuple(raw or None for raw in raws)] if found is None else found

    def put(fields: Fields, _: Fields) -> dict[str, Any]:
        value = fields[name]
        if value is not None and value not in forth:
            raise ValueRefused(name, NOT_IN_TABLE)
        return dict(zip(natives, empty if value is None else forth[str(value)], strict=True))

    return Joint(get, put)


def _shaped_look_up(back: Mapping[str, str], forth: Mapping[str, Any], name: str, shape: str) -> Simple:
    look = _looker(forth, name)
    if shape == "plain":
        return Simple(back.__getitem__, look)
    cleared: list[str] | None = [] if shape == "list" else None
    unwrap, wrap = (unwrap_list, wrap_list) if shape == "list" else (unwrap_id, wrap_id)

    def get(raw: Any) -> Value:
        inner = unwrap(raw, name)
        return None if inner is None else back[inner]

    return Simple(get, lambda value: wrap(look(value)), cleared=cleared)


class BranchParams(ShapeParams):
    """Is a code table with the branch table chosen."""

    table: str = "branches"
    columns: str | None = None


class StaffParams(ShapeParams):
    """`fallback` is the staff number whose account stands in for one that the system no longer accepts."""

    table: str = "staff"
    columns: str | None = None
    fallback: str


def _staff(setting: Setting, params: StaffParams) -> Joint:
    table, columns = _columns(setting, params.table, params.columns, 1)
    name, column, natives = setting.field.name, columns[0], setting.natives
    back = {cells[0]: key for cells, key in _invert(table, columns).items() if cells[0] is not None}
    active = {key: row[column] for key, row in table.rows.items() if row[column] and row.get("active", "yes") == "yes"}
    stand_in = active.get(params.fallback)
    if stand_in is None:
        en = f"the fallback `{params.fallback}` is not an active row of table `{params.table}` with a `{column}`"
        raise BadLens(en, f"后备负责人 `{params.fallback}` 不是对照表 `{params.table}` 中有 `{column}` 的在职人员")
    unwrap = {"list": unwrap_list, "id_object": unwrap_id}.get(params.shape)
    wrap = {"list": wrap_list, "id_object": wrap_id}.get(params.shape, same)
    keeps_text = len(natives) == 2
    shown: dict[str | None, tuple[Value, ...]] = {owner: (key,) for owner, key in back.items()} | {None: (None,)}

    def get(raws: tuple[Any, ...]) -> tuple[Value, ...]:
        owner = raws[0] if unwrap is None or raws[0] is None else unwrap(raws[0], name)
        if owner is None:
            return (None,)
        noted = raws[1] if keeps_text else None
        if noted is ABSENT:
            if owner == stand_in:
                raise NotObserved
            noted = None
        # Someone who left is written as the fallback owner; the text field keeps who it was.
        if noted and owner == stand_in and noted not in active:
            return (str(noted),)
        return shown[owner]

    def put(fields: Fields, _: Fields) -> dict[str, Any]:
        value = fields[name]
        if value is None:
            return {natives[1]: None} if keeps_text else {}
        patch = {natives[0]: wrap(active.get(str(value), stand_in))}
        return patch | {natives[1]: value} if keeps_text else patch

    def stands_in(fields: Fields) -> bool:
        value = fields[name]
        return value is not None and str(value) not in active

    return Joint(get, put, needed=1, stands_in=stands_in)


_STRINGS = frozenset({Kind.STRING})
CODED = (
    Lens(
        "enum",
        Text("Value table of an enumeration", "枚举码值对照"),
        EnumParams,
        frozenset({Kind.ENUM}),
        _enum,
        CHOICES | TEXTS,
    ),
    Lens(
        "option_list",
        Text("Set of options", "选项集合"),
        OptionListParams,
        frozenset({Kind.LIST}),
        _option_list,
        frozenset({"multiselectpicklist", "select_many"}),
    ),
    Lens(
        "code_table",
        Text("Code table", "码值对照表"),
        TableParams,
        _STRINGS,
        _code_table,
        CHOICES | TEXTS,
        parts=(1, 4),
    ),
    Lens(
        "branch",
        Text("Branch table", "机构对照表"),
        BranchParams,
        _STRINGS,
        _code_table,
        CHOICES | TEXTS | {"department"},
    ),
    Lens(
        "staff",
        Text("Staff table with a fallback owner", "员工对照表（含后备负责人）"),
        StaffParams,
        _STRINGS,
        _staff,
        TEXTS | {"ownerlookup", "userlookup", "employee"},
        parts=(1, 2),
    ),
)
