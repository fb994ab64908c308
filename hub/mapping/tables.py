"""Loads the code, staff and branch tables that stand as CSV beside the mappings."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from hub.kernel.errors import ConfigInvalid, Problem, problem

_CODE = "HUB-TABLE-001"


@dataclass(frozen=True, slots=True)
class Table:
    """Is one table; the first column is its key. `lines` says where each key stands."""

    name: str
    file: str
    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, str]]
    lines: Mapping[str, int]
    digest: str


Tables = Mapping[str, Table]


def load_tables(folder: Path) -> Tables:
    """Loads every CSV file of the folder; raises ConfigInvalid with all problems, each with file and line."""
    problems: list[Problem] = []
    tables = {path.stem: _load(path, problems) for path in sorted(folder.glob("*.csv"))}
    if problems:
        raise ConfigInvalid(problems)
    return MappingProxyType({name: table for name, table in tables.items() if table is not None})


def _load(path: Path, problems: list[Problem]) -> Table | None:
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        problems.append(problem(path, None, _CODE, "cannot be read as UTF-8", "无法以 UTF-8 读取"))
        return None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: dict[str, Mapping[str, str]] = {}
    lines: dict[str, int] = {}
    columns: tuple[str, ...] = ()
    try:
        columns = tuple(cell.strip() for cell in next(reader, []))
        if not columns or "" in columns or len(set(columns)) < len(columns):
            problems.append(problem(path, 1, _CODE, "needs one header row of distinct names", "首行应为互不相同的列名"))
            return None
        for cells in reader:
            _add(path, columns, cells, reader.line_num, rows, lines, problems)
    except csv.Error:
        line = reader.line_num
        problems.append(problem(path, line, _CODE, "is not valid CSV; check the quotes", "CSV 格式错误，请检查引号"))
    digest = hashlib.sha256(raw).hexdigest()
    return Table(path.stem, str(path), columns, MappingProxyType(rows), MappingProxyType(lines), digest)


def _add(
    path: Path,
    columns: tuple[str, ...],
    cells: Iterable[str],
    line: int,
    rows: dict[str, Mapping[str, str]],
    lines: dict[str, int],
    problems: list[Problem],
) -> None:
    values = [cell.strip() for cell in cells]
    if not any(values):
        return
    if len(values) != len(columns):
        en = f"has {len(values)} cells, the header has {len(columns)}"
        problems.append(problem(path, line, _CODE, en, f"有 {len(values)} 格，表头有 {len(columns)} 格"))
    elif not values[0]:
        problems.append(problem(path, line, _CODE, "the key in the first column is empty", "首列的键为空"))
    elif values[0] in rows:
        en = f"the key `{values[0]}` stands in line {lines[values[0]]} already"
        problems.append(problem(path, line, _CODE, en, f"键 `{values[0]}` 已出现在第 {lines[values[0]]} 行"))
    else:
        rows[values[0]] = MappingProxyType(dict(zip(columns, values, strict=True)))
        lines[values[0]] = line
