"""Says what staff, branch and region tables should hold for a system, by what the system tells of itself."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from connectors.directory import Branch, Region, Staff
from hub.mapping.lenses import LENSES
from hub.mapping.model import MappingFile
from hub.mapping.tables import Table

STAFF, BRANCHES, REGIONS = "staff", "branches", "regions"
ACTIVE = "active"
NAMES = ("name_zh", "name_en", "name")
"""Columns of a table that hold what people call a row."""
LEVELS = ("province", "city", "district")
"""Columns of the region table with the names of a region and of those it lies in, and the levels they stand for."""
_CONTACTS = ("email", "mobile")
"""Columns by which a person is found who has no staff number in the system; a table need not have them."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Use:
    """Is how the mappings of a system use a table: its columns, and the staff numbers that stand in for others."""

    table: str
    columns: tuple[str, ...]
    fallbacks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cell:
    """Is one cell that should hold something else."""

    key: str
    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """Is what a table should become: cells, whole rows, and keys that nothing in the system answers to."""

    table: Table
    cells: tuple[Cell, ...] = ()
    rows: tuple[Mapping[str, str], ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.cells and not self.rows

    def result(self) -> Table:
        """Returns the table as it would be."""
        rows = {key: dict(row) for key, row in self.table.rows.items()}
        for cell in self.cells:
            rows[cell.key][cell.column] = cell.after
        for row in self.rows:
            rows[row[self.table.columns[0]]] = dict(row)
        return replace(self.table, rows=MappingProxyType(rows))


def uses_of(mappings: Iterable[MappingFile]) -> list[Use]:
    """Returns which staff, branch and region tables these mappings use, and how."""
    found: dict[tuple[str, tuple[str, ...]], frozenset[str]] = {}
    for mapping in mappings:
        kind = mapping.spec.system_kind
        for pair in (pair for route in mapping.spec.routes for pair in route.fields):
            if pair.lens not in ("staff", "branch") and pair.params.get("table") != REGIONS:
                continue
            declared = LENSES[pair.lens].params.model_fields["table"].default
            columns = pair.params.get("columns") or kind
            place = (
                str(pair.params.get("table", declared)),
                (columns,) if isinstance(columns, str) else tuple(columns),
            )
            fallback = pair.params.get("fallback")
            found[place] = found.get(place, frozenset()) | ({str(fallback)} if fallback else frozenset())
    return [Use(table, columns, fallbacks) for (table, columns), fallbacks in found.items()]


def propose_staff(table: Table, use: Use, accounts: Sequence[Staff]) -> Proposal:
    """Returns the account of every row, who left, and a row for everybody who is in none.

    A person is found by staff number, else by e-mail or mobile number where the table has such a column; what two
    accounts share finds nobody. Who stands in for others is not said to have left: somebody else must be named first.
    """
    (column,) = use.columns
    by_number = _alone((one.number, one) for one in accounts)
    contacts = {
        "email": _alone((_plain(one.email), one) for one in accounts),
        "mobile": _alone((_plain(one.mobile), one) for one in accounts),
    }
    by_id = {one.native_id: one for one in accounts}
    cells: list[Cell] = []
    unmatched: list[str] = []
    for key, row in table.rows.items():
        met = by_number.get(key)
        for name in _CONTACTS if met is None else ():
            met = met or contacts[name].get(_plain(row.get(name)) or "")
        met = met or by_id.get(row[column])
        if met is None:
            unmatched += [key] if row.get(ACTIVE, "yes") == "yes" else []
            continue
        cells += _cell(key, column, row, met.native_id)
        if not met.active and row.get(ACTIVE) == "yes" and key not in use.fallbacks:
            cells += _cell(key, ACTIVE, row, "no")
    fresh = [one for number, one in by_number.items() if number not in table.rows and one.active]
    taken = {row[column] for row in table.rows.values()} | {cell.after for cell in cells}
    rows = [_row(table, column, one) for one in fresh if one.native_id not in taken]
    return Proposal(table, tuple(cells), tuple(rows), tuple(unmatched))


def propose_branches(table: Table, use: Use, branches: Sequence[Branch]) -> Proposal:
    """Returns the department of every row, by its code, else by a name that only one department has."""
    (column,) = use.columns
    by_code = _alone((one.code, one) for one in branches)
    by_name = _alone((one.name, one) for one in branches if one.active)
    known = {one.native_id for one in branches}
    cells: list[Cell] = []
    unmatched: list[str] = []
    for key, row in table.rows.items():
        met = by_code.get(key) or next((by_name[row[n]] for n in NAMES if row.get(n) and row[n] in by_name), None)
        if met is not None:
            cells += _cell(key, column, row, met.native_id)
        elif row[column] not in known:
            unmatched.append(key)
    return Proposal(table, tuple(cells), (), tuple(unmatched))


def propose_regions(table: Table, use: Use, kind: str, regions: Sequence[Region]) -> Proposal:
    """Returns the system's codes of every row by the names of the region and of those it lies in.

    The column named after the kind of system, where there is one, takes the code of the region itself.
    """
    inside = {(one.level, one.inside, one.name): one.code for one in regions}
    provinces = _alone((one.name, one.code) for one in regions if one.level == LEVELS[0])
    cells: list[Cell] = []
    unmatched: list[str] = []
    for key, row in table.rows.items():
        codes = _codes_of(row, provinces, inside)
        if codes is None:
            unmatched.append(key)
            continue
        filled = zip(use.columns, codes, strict=False)
        wanted = {column: code for column, code in filled if column in table.columns}
        if kind in table.columns:
            wanted[kind] = next((code for code in reversed(codes) if code), "")
        cells += [cell for column, code in wanted.items() for cell in _cell(key, column, row, code)]
    return Proposal(table, tuple(cells), (), tuple(unmatched))


def _codes_of(
    row: Mapping[str, str], provinces: Mapping[str, str], inside: Mapping[tuple[str, str | None, str], str]
) -> tuple[str, ...] | None:
    codes: list[str] = []
    for level in LEVELS:
        name = row.get(level, "")
        if not name:
            codes.append("")
            continue
        above = codes[-1] if codes else None
        code = provinces.get(name) if level == LEVELS[0] else inside.get((level, above, name))
        if code is None:
            return None
        codes.append(code)
    return tuple(codes)


def doubles(table: Table, column: str) -> list[str]:
    """Returns the keys that share their cell of a column with another."""
    counts = Counter(row[column] for row in table.rows.values() if row[column])
    return [key for key, row in table.rows.items() if counts[row[column]] > 1]


def written(table: Table) -> str:
    """Returns a table as its file holds it."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([row[name] for name in table.columns] for row in table.rows.values())
    return stream.getvalue()


def _cell(key: str, column: str, row: Mapping[str, str], after: str) -> list[Cell]:
    return [Cell(key, column, row[column], after)] if row[column] != after else []


def _row(table: Table, column: str, one: Staff) -> Mapping[str, str]:
    named = next((name for name in NAMES if name in table.columns), None)
    known = {table.columns[0]: one.number or "", column: one.native_id, ACTIVE: "yes"}
    known |= {named: one.name or ""} if named else {}
    return {name: known.get(name, "") for name in table.columns}


def _alone(pairs: Iterable[tuple[str | None, T]]) -> dict[str, T]:
    """Returns what each key stands for, without the keys that stand for more than one."""
    found: dict[str, list[T]] = {}
    for key, one in pairs:
        if key:
            found.setdefault(key, []).append(one)
    return {key: ones[0] for key, ones in found.items() if len(ones) == 1}


def _plain(contact: str | None) -> str | None:
    """Returns an address in small letters, or the last eleven digits of a number."""
    if not contact or "@" in contact:
        return contact.lower() if contact else None
    return re.sub(r"\D", "", contact)[-11:] or None


def names_of(keys: Collection[str], comma: str, most: int) -> str:
    """Returns the first keys, and a mark where there are more."""
    listed = list(keys)
    return comma.join(listed[:most]) + ("…" if len(listed) > most else "")
