"""The delete feed, read from a mark on; it has no page tokens and shows at most 2,000 rows.

Source: Zoho API v8 get-deleted-records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from connectors.base import Cursor, NativeRecord, Page
from connectors.errors import CursorExpired, Unsupported
from connectors.zoho_crm.reading import DELETED_PAGE, Reader, Row
from connectors.zoho_crm.times import instant, version

_DAY = 86_400


class Deletions:
    """Reads the delete feed of one connection."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._settings, self._system = reader.api.settings, reader.api.system

    def read(self, object: str, cursor: Cursor | None, limit: int) -> Page:
        """Reads the next page; the first walk takes what the feed still holds. Raises CursorExpired past its wall."""
        if not self._settings.deleted_feed:
            raise Unsupported(
                f"{self._system} {object}: the delete feed is switched off (deleted_feed)",
                f"{self._system} {object}：删除记录读取已关闭（deleted_feed）",
                system=self._system,
                object=object,
            )
        place = self._open(object, cursor)
        self._refuse_gap(object, place)
        per_page = place["per_page"] or min(limit, DELETED_PAGE)
        found = self._reader.deleted_page(object, place["page"], per_page, place["since"])
        records = tuple(self._record(object, row) for row in found.rows)
        seen = [math.floor(record.modified_at) for record in records if record.modified_at is not None]
        high = max([*seen, *([] if place["high"] is None else [place["high"]])], default=None)
        begun = place["begun"] if place["begun"] is not None else found.at
        past_wall = (place["page"] + 1) * per_page > self._settings.deleted_window_rows
        if found.more and past_wall and place["since"] is not None:
            raise self._expired(object)
        # Without a mark nothing older is bound yet; what lies past the wall is left to the reconciliation.
        if found.more and not past_wall:
            place |= {"page": place["page"] + 1, "per_page": per_page, "high": high, "begun": begun}
            return Page(records, self._cursor(object, place), False)
        since = self._next(place["since"], high, begun)
        # To the day, so that an idle poll leaves the cursor as it is.
        return Page(records, self._cursor(object, _start(since, begun // _DAY * _DAY)), True)

    def _open(self, object: str, cursor: Cursor | None) -> dict[str, Any]:
        if cursor is None:
            return _start(None)
        mine = cursor.get("object") == object and cursor.get("origin") == self._settings.api_origin
        place = cursor.get("deleted")
        if not mine or not isinstance(place, Mapping) or {"read_at", *place} != _start(None).keys():
            raise self._expired(object)
        return {"read_at": None, **place}

    def _refuse_gap(self, object: str, place: Mapping[str, Any]) -> None:
        """Raises CursorExpired where the feed may have forgotten what was deleted since it was last read.

        The recycle bin keeps 60 days, traces of permanent deletes last 120 days (Zoho API v8 get-deleted-records).
        """
        read_at, kept = place["read_at"], self._settings.deleted_retention_days
        if read_at is None or self._reader.api.context.clock.now() - read_at <= kept * _DAY:
            return
        raise CursorExpired(
            f"{self._system} {object}: the delete feed was last read more than {kept:g} days ago and may have "
            "forgotten deletes; they are read from what it still shows, reconciliation finds the rest",
            f"{self._system} {object}：距上次读取删除记录已超过 {kept:g} 天，可能已有缺失；"
            "将读取现存部分，其余由对账查出",
            system=self._system,
            object=object,
        )

    def _cursor(self, object: str, place: Mapping[str, Any]) -> dict[str, Any]:
        return {"object": object, "origin": self._settings.api_origin, "deleted": dict(place)}

    def _next(self, since: int | None, high: int | None, begun: float) -> int | None:
        if high is None:
            return since
        settled = math.floor(begun - self._settings.visibility_lag - self._settings.overlap)
        return max(since if since is not None else 0, min(high + 1, settled))

    def _record(self, object: str, row: Row) -> NativeRecord:
        by = row.get("deleted_by")
        return NativeRecord(
            object=object,
            native_id=str(row["id"]),
            fields={},
            version=version(row.get("deleted_time")),
            modified_at=instant(row.get("deleted_time")),
            modified_by=str(by["id"]) if isinstance(by, Mapping) and by.get("id") else None,
            deleted=True,
        )

    def _expired(self, object: str) -> CursorExpired:
        return CursorExpired(
            f"{self._system} {object}: more was deleted than the delete feed shows; reconciliation finds the rest",
            f"{self._system} {object}：删除数量超过删除记录可显示的上限，其余由对账查出",
            system=self._system,
            object=object,
        )


def _start(since: int | None, read_at: float | None = None) -> dict[str, Any]:
    return {"read_at": read_at, "since": since, "page": 1, "per_page": None, "begun": None, "high": None}
