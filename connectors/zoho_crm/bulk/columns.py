"""Which fields a file can show, and how its rows become what a list would show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import FieldDescription
from connectors.zoho_crm.bulk.reasons import Damaged
from connectors.zoho_crm.bulk.values import Reading, reading_of
from connectors.zoho_crm.reading import SYSTEM_COLUMNS, Row, columns_of

NEEDED = ("id", *SYSTEM_COLUMNS)
Described = Mapping[str, FieldDescription]


def _readings(fields: Sequence[str], described: Described, unreadable: Sequence[str]) -> dict[str, Reading | None]:
    """Returns what reads each field that the module has, None for one that a file cannot show."""
    names = [name for name in columns_of(fields) if name in described]
    return {name: None if name in unreadable else reading_of(described[name].kind) for name in names}


def columns_for(fields: Sequence[str], described: Described, unreadable: Sequence[str], most: int) -> list[str]:
    """Returns the columns to ask a file for: identity and times, then what it can show, up to a number."""
    shown = [name for name, read in _readings(fields, described, unreadable).items() if read]
    return list(dict.fromkeys([*NEEDED, *shown]))[:most]


@dataclass(frozen=True, slots=True)
class Layout:
    """Is how the columns of one file are read; `missing` are fields that its rows do not show."""

    identity: int
    cells: tuple[tuple[int, str, Reading], ...]
    missing: tuple[str, ...]

    def row_of(self, cells: Sequence[str]) -> Row:
        """Returns a row as a list would show it: an empty text as None, one that cannot be read left out.

        Raises Damaged for a row without its id or its Modified_Time.
        """
        row: dict[str, Any] = {"id": cells[self.identity]}
        for place, name, read in self.cells:
            text = cells[place]
            try:
                row[name] = read(text) if text else None
            except ValueError:
                continue
        if not (row["id"].isascii() and row["id"].isdigit()) or not row.get("Modified_Time"):
            raise Damaged("a row has no id or no Modified_Time", "记录缺少 id 或 Modified_Time")
        return row


def layout_of(header: Sequence[str], fields: Sequence[str], described: Described, unreadable: Sequence[str]) -> Layout:
    """Returns how a file with this header is read; a column that nobody asked for is passed over. Raises Damaged."""
    places = {name: place for place, name in enumerate(header)}
    identity = places.get("id", places.get("Id"))
    if identity is None or "Modified_Time" not in places or len(places) != len(header):
        raise Damaged("its header does not name id and Modified_Time, or a column twice", "表头缺少 id 或系统字段")
    readings = _readings(fields, described, unreadable)
    cells = tuple((places[name], name, read) for name, read in readings.items() if read and name in places)
    shown = {name for _, name, _ in cells}
    return Layout(identity, cells, tuple(name for name in readings if name not in shown))


def lacking(rows: Sequence[Row], layout: Layout) -> tuple[str, ...]:
    """Returns the fields to complete by id: those that no row shows, and those that a row could not be read for."""
    odd = [name for _, name, _ in layout.cells if any(name not in row for row in rows)]
    return (*layout.missing, *odd)
