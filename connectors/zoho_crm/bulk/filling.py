"""Fills rows of a file with what files do not show, by reads of their ids."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.zoho_crm.completing import LINK, LINK_MODULE, LISTED_CHARACTERS
from connectors.zoho_crm.reading import Reader, Row, column_chunks


def fill(
    reader: Reader, object: str, rows: Sequence[Row], fields: Sequence[str], names: Sequence[str]
) -> Sequence[Row]:
    """Adds some of the fields to rows, a hundred a call; what not even a list shows is read record by record.

    The module of a link is asked for only where there is a link. A text that may be cut is read whole.
    """
    plain, linked = [name for name in names if name != LINK_MODULE], LINK_MODULE in names
    if linked:
        rows = [row if row.get(LINK) or LINK_MODULE in row else {**row, LINK_MODULE: None} for row in rows]
    wanted = [*plain, LINK_MODULE] if linked else plain
    if short := [row for row in rows if any(name not in row for name in wanted)]:
        chunks = column_chunks([*wanted, LINK] if linked else wanted)
        rows = _replaced(rows, reader.join(object, short, chunks))
    odd = [row for row in rows if any(name not in row for name in wanted) or any(map(_may_be_cut, row.values()))]
    return _replaced(rows, reader.finish(object, odd, fields)) if odd else rows


def _replaced(rows: Sequence[Row], better: Sequence[Row]) -> Sequence[Row]:
    whole = {str(row["id"]): row for row in better}
    return [whole.get(str(row["id"]), row) for row in rows]


def _may_be_cut(value: object) -> bool:
    """Tells whether a text has the very length at which lists cut, however characters are counted."""
    if not isinstance(value, str) or not LISTED_CHARACTERS // 2 <= len(value) <= LISTED_CHARACTERS:
        return False
    units = len(value.encode("utf-16-le")) // 2
    return len(value) == LISTED_CHARACTERS or units in (LISTED_CHARACTERS - 1, LISTED_CHARACTERS)
