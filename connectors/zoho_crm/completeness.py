"""Compares what a listing delivered with what the vendor counts. Source: Zoho API v8 record-count, get-records."""

from __future__ import annotations

import math

from connectors.zoho_crm.reading import DELETED_PAGE, Reader


class Completeness:
    """Finds out whether a listing is complete: one call where both numbers agree, three where they do not."""

    def __init__(self, reader: Reader) -> None:
        self._reader, self._settings = reader, reader.api.settings

    def differs(self, object: str, delivered: int, begun: float) -> int | None:
        """Returns the vendor's count where it differs by more than what changed while the listing went on.

        None where it does not, where the vendor does not count, and where so much changed that nobody can tell. A count
        may take in records that the hub's user cannot see, so a difference is said and stops nothing.
        """
        counted = self._reader.count(object)
        if counted is None or counted == delivered:
            return None
        moved = self._moved(object, math.floor(begun) - 1)
        return counted if moved is not None and abs(counted - delivered) > moved else None

    def _moved(self, object: str, since: int) -> int | None:
        """Returns how many records changed, came or went since a time, None where it is more than two pages show."""
        params = {"sort_by": "Modified_Time", "sort_order": "asc", "per_page": str(self._settings.page_size)}
        answer = self._reader.list_page(object, ["Modified_Time"], params, since)
        changed = self._reader.rows_of(answer, object, "count changes")
        if changed.more:
            return None
        if not self._settings.deleted_feed:
            return len(changed.rows)
        deleted = self._reader.deleted_page(object, 1, DELETED_PAGE, since)
        return None if deleted.more else len(changed.rows) + len(deleted.rows)
