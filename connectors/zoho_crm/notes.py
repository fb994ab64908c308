"""Notes, which are only read: by their own list, which serves administrators alone, or as those of one record.

Source: Zoho API v8 notes, get-related-records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.base import NativeRecord
from connectors.zoho_crm.answers import violation
from connectors.zoho_crm.modules import NOTES
from connectors.zoho_crm.reading import Reader, column_chunks

_PAGE = 200


def notes_of(reader: Reader, object: str, native_id: str, fields: Sequence[str]) -> Iterator[NativeRecord]:
    """Yields the notes of one record; this needs no administrator. Raises AuthRejected without notes.READ."""
    page, more, seen = 1, True, set[str]()
    columns = ",".join(column_chunks(fields)[0])
    while more:
        params = {"fields": columns, "page": str(page), "per_page": str(_PAGE)}
        answer = reader.api.get(f"/{object}/{native_id}/{NOTES}", f"notes of {object}", params)
        found = reader.rows_of(answer, NOTES, f"list the notes of one record of {object}")
        records = reader.records(NOTES, found.rows, fields)
        if found.more and not {record.native_id for record in records} - seen:
            raise violation(reader.api.system, NOTES, "a page of notes came twice", "备注列表重复返回同一页")
        seen |= {record.native_id for record in records}
        yield from records
        page, more = page + 1, found.more
