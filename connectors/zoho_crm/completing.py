"""Completes rows with what a list leaves out, by single reads, for mapped fields only.

Subforms, multi-select and multi-user lookups come with single records, texts longer than 500 characters by
`fetch_full_data`, the module of What_Id in lists or not. Source: Zoho API v8 get-records, get-rich-text-records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.zoho_crm.abreast import abreast

if TYPE_CHECKING:
    from connectors.zoho_crm.reading import Reader

Row = Mapping[str, Any]

LINK, LINK_MODULE = "What_Id", "$se_module"
"""An activity's link to any module, and the name of that module; COQL selects no field whose name begins with $."""
HAS_MORE = "$has_more"
LISTED_CHARACTERS = 500
"""What a list shows of a rich text."""
_SUSPECT = LISTED_CHARACTERS // 2
"""Shorter texts have no 500 characters however they are counted."""


@dataclass(frozen=True, slots=True)
class _Need:
    """Says what one row lacks: fields of a single read, texts to be read whole, the module that it links to."""

    row: Row
    single: tuple[str, ...]
    texts: tuple[str, ...]
    module: bool


class Completion:
    """Reads what lists leave out; a row that lacks nothing costs no call."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._settings, self._catalogue = reader.api.settings, reader.catalogue

    def complete(self, object: str, rows: Sequence[Row], fields: Sequence[str]) -> Sequence[Row]:
        """Returns the rows with what lists leave out; what could not be read counts as not seen."""
        if not rows:
            return rows
        single = self._single(object, rows, fields)
        linked = LINK_MODULE in fields
        found = (self._need(object, row, fields, single, linked) for row in rows)
        needs = {str(need.row["id"]): need for need in found if need is not None}
        if not needs:
            return rows
        read = abreast(self._settings.workers, lambda need: self._completed(object, need), list(needs.values()))
        whole = dict(zip(needs, read, strict=True))
        return [whole.get(str(row["id"]), row) for row in rows]

    def _single(self, object: str, rows: Sequence[Row], fields: Sequence[str]) -> tuple[str, ...]:
        """Returns the mapped fields of single reads; metadata are asked only where a row lacks one of its fields."""
        known = self._catalogue.known(object)
        if known is None and any(name not in rows[0] for name in fields if name[0] != "$" and name != "id"):
            known = self._catalogue.learn(object)
        named = {*self._settings.single_read_fields, *(known.single if known else ())}
        return tuple(name for name in fields if name in named)

    def _need(
        self, object: str, row: Row, fields: Sequence[str], single: tuple[str, ...], linked: bool
    ) -> _Need | None:
        long = [name for name, value in row.items() if value.__class__ is str and len(value) >= _SUSPECT]
        texts = tuple(
            name for name in long if name in fields and name not in single and self._is_cut(object, name, row)
        )
        module = linked and bool(row.get(LINK)) and LINK_MODULE not in row
        return _Need(row, single, texts, module) if single or texts or module else None

    def _is_cut(self, object: str, name: str, row: Row) -> bool:
        """Tells whether a list may have cut a text: a named or rich one that is long, any other of that very length.

        The vendor does not say whether it counts characters outside the basic plane once or twice; both are taken.
        """
        value = row[name]
        units = len(value.encode("utf-16-le")) // 2
        if units < LISTED_CHARACTERS - 1:
            return False
        if name in self._settings.rich_text_fields:
            return True
        at_the_cut = len(value) == LISTED_CHARACTERS or units in (LISTED_CHARACTERS - 1, LISTED_CHARACTERS)
        known = self._catalogue.known(object) or (self._catalogue.learn(object) if at_the_cut else None)
        if known is None:
            return at_the_cut
        return name in known.rich or (at_the_cut and name not in known.plain)

    def _completed(self, object: str, need: _Need) -> Row:
        """Returns one row completed; it keeps its own Modified_Time, so that an edit made in between is read again."""
        row, native_id = dict(need.row), str(need.row["id"])
        if need.single:
            whole = self._reader.row(object, native_id) or {}
            more = whole.get(HAS_MORE)
            part = {name for name, is_part in more.items() if is_part} if isinstance(more, Mapping) else set()
            for name in need.single:
                # A part of the rows is no value: the rest would look removed.
                row.pop(name, None)
                if name in whole and name not in part:
                    row[name] = whole[name]
            if need.module and LINK_MODULE in whole:
                row |= {LINK: whole.get(LINK), LINK_MODULE: whole[LINK_MODULE]}
        elif need.module:
            linked = self._reader.row(object, native_id, [LINK, LINK_MODULE])
            if linked is not None and LINK_MODULE in linked:
                row |= {LINK: linked.get(LINK), LINK_MODULE: linked[LINK_MODULE]}
        if need.texts:
            self._read_texts(object, row, need.texts)
        return row

    def _read_texts(self, object: str, row: dict[str, Any], names: Sequence[str]) -> None:
        """Reads texts whole; where that is refused, a single read tells a text of that very length from a cut one."""
        native_id = str(row["id"])
        texts = self._reader.row(object, native_id, names, "/actions/fetch_full_data")
        known = self._catalogue.known(object)
        rich = {*self._settings.rich_text_fields, *(known.rich if known else ())}
        if texts is None and not rich.issuperset(names):
            whole = self._reader.row(object, native_id) or {}
            texts = {name: value for name, value in whole.items() if name not in rich}
        for name in names:
            row.pop(name, None)
            if texts is not None and name in texts:
                row[name] = texts[name]
