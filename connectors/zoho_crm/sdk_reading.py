"""Reads rows through zcrmsdk: lists of API v2 have no page tokens, so a walk is continued by what it has shown.

A walk over changes goes on from the last Modified_Time that a page has shown (`from:`). Where one second fills a whole
page, COQL reads the rest of that second by id (`tie:`). Page numbers are not used: rows move between pages while a walk
lasts. Rows come more than once, none is passed over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.zoho_crm.answers import Answer
from connectors.zoho_crm.reading import DELETED_PAGE, IDS_PER_CALL, Reader, Row
from connectors.zoho_crm.times import instant, stamp

_FROM, _TIE = "from", "tie"


class SdkReader(Reader):
    """Reads rows of one connection through the SDK."""

    def count(self, object: str) -> int | None:
        """Says that nobody knows: the SDK has no call for it."""
        return None

    def list_page(self, object: str, columns: Sequence[str], params: Mapping[str, str], since: int | None) -> Answer:
        """Asks for one page of the list; one of a walk over changes has a token where more follows."""
        kept = {name: value for name, value in params.items() if name != "page_token"}
        mode, _, place = params.get("page_token", "").partition(":")
        if mode == _TIE:
            second, _, last_id = place.partition(":")
            return self._tie_page(object, columns, int(second), last_id, int(kept["per_page"]))
        start = int(place) if mode == _FROM else since
        answer = super().list_page(object, columns, kept, start)
        if start is None or not answer.ok or answer.rows is None or "ids" in kept:
            return answer
        return self._continued(object, answer, start)

    def _continued(self, object: str, answer: Answer, start: int) -> Answer:
        page = self.rows_of(answer, object, "list changes")
        if not page.more:
            return answer
        last = max(math.floor(instant(row.get("Modified_Time"))) for row in page.rows)
        return _with_token(answer, page.rows, f"{_FROM}:{last}" if last > start else f"{_TIE}:{start}:")

    def _tie_page(self, object: str, columns: Sequence[str], second: int, last_id: str, limit: int) -> Answer:
        """Reads rows that share one Modified_Time, by id; after the last of them the walk goes on a second later."""
        condition = f"Modified_Time = '{stamp(second)}'"
        if last_id:
            condition = f"({condition}) and (id > '{last_id}')"
        found = self.query(object, ["id"], condition, min(limit, IDS_PER_CALL))
        ids = [str(row["id"]) for row in found.rows]
        rows: Sequence[Row] = ()
        if ids:
            params = {"ids": ",".join(ids), "per_page": str(DELETED_PAGE)}
            answer = super().list_page(object, columns, params, None)
            if not answer.ok:
                return answer
            rows = answer.rows or ()
        token = f"{_TIE}:{second}:{ids[-1]}" if found.more and ids else f"{_FROM}:{second + 1}"
        return _with_token(Answer(200, None, found.at), rows, token)


def _with_token(answer: Answer, rows: Sequence[Row], token: str) -> Answer:
    content: dict[str, Any] = {"data": list(rows), "info": {"more_records": True, "next_page_token": token}}
    return Answer(answer.status, content, answer.at)
