"""Asks `query` for one page, and believes the answer only if it is a list of records in the order asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from connectors.base import ConnectorContext
from connectors.errors import ConnectorError, ProtocolViolation
from connectors.fxiaoke.client import Client, record_path
from connectors.fxiaoke.descriptions import Descriptions, field_absent
from connectors.fxiaoke.envelope import Call, Reason, Rejected, protocol_violation
from connectors.fxiaoke.links import LOG, read_links
from connectors.fxiaoke.records import SYSTEM_FIELDS
from connectors.fxiaoke.settings import FxiaokeSettings

Filter = Mapping[str, Any]
Row = Mapping[str, Any]
OFFSET_CODE = 10013
"""Means "offset out of range" where an offset was sent, beside its meaning in the table. Source: data/query, offset."""


def condition(field: str, operator: str, values: list[Any]) -> Filter:
    """Returns one condition of a search; all of them must hold."""
    return {"field_name": field, "operator": operator, "field_values": values}


@dataclass(frozen=True, slots=True)
class Search:
    """Is one page to ask for: behind the id `after`, or at `offset`; `counted` asks for the total."""

    columns: Sequence[str]
    filters: Sequence[Filter]
    limit: int
    after: str = ""
    offset: int = 0
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """Is a page as the vendor showed it; `total` is its count, where it told one."""

    rows: Sequence[Row] = field(repr=False)
    total: int | None
    server_at: float | None


class OutOfReach(Exception):
    """Says that an offset lies behind the vendor's wall."""


class Queries:
    """Searches the objects of one connection; threads may share it."""

    def __init__(
        self, client: Client, descriptions: Descriptions, settings: FxiaokeSettings, context: ConnectorContext
    ) -> None:
        self._client, self._descriptions = client, descriptions
        self._settings, self._system = settings, context.system
        self.by_key = settings.paging == "keyset"

    def ask(self, object: str, search: Search) -> Shown:
        """Asks for one page. Raises OutOfReach beside the errors of the contract."""
        path = record_path(object, "query")
        columns = list(search.columns)
        links = self._descriptions.links(object, columns)
        columns = columns if links is None else links.asked(columns)
        filters = [*search.filters, *([condition("_id", "GT", [search.after])] if search.after else [])]
        info = {
            "limit": search.limit,
            "offset": search.offset,
            "filters": filters,
            "orders": [{"fieldName": "_id", "isAsc": True}],
            "fieldProjection": columns,
        }
        inner = {"dataObjectApiName": object, "find_explicit_total_num": search.counted, "search_query_info": info}
        try:
            answer = self._client.read(path, object, {"includeNull": self._settings.include_null, "data": inner})
        except Rejected as no:
            if no.code == OFFSET_CODE and search.offset:
                raise OutOfReach from None
            raise self._rejected(path, object, no, columns, filters) from None
        found = answer.payload.get("data") or {}
        return Shown(self._rows(path, object, found, search), _whole(found.get("total")), answer.server_at)

    def _rejected(
        self, path: str, object: str, no: Rejected, columns: Sequence[str], filters: Sequence[Filter]
    ) -> ConnectorError:
        """Returns SchemaDrift where the description explains the rejection, which the vendor's codes do not."""
        violation = protocol_violation(Call(self._system, path, object, read=True), no)
        if no.reason is not Reason.PERMISSION:
            described = self._descriptions.read(object).fields
            named = {*columns, *(each["field_name"] for each in filters)}
            absent = sorted(named - described.keys() - set(SYSTEM_FIELDS))
            if absent:
                return field_absent(self._system, object, absent)
        return violation

    def _rows(self, path: str, object: str, found: Mapping[str, Any], search: Search) -> list[Row]:
        rows = found.get("dataList")
        if not isinstance(rows, list) or any(not isinstance(row, Mapping) or not row.get("_id") for row in rows):
            raise self.violation(path, object, "the answer holds no list of records", "返回内容没有记录列表")
        if len(rows) > search.limit:
            raise self.violation(path, object, "the page is longer than asked for", "返回的记录多于请求的条数")
        ids = [search.after, *(str(row["_id"]) for row in rows)]
        if self.by_key and any(later <= earlier for earlier, later in pairwise(ids)):
            # Unsorted or repeated ids would make the keyset skip records or turn in circles.
            raise self.violation(
                path,
                object,
                "the records are not in the order of their ids (if that stays so, set paging: offset)",
                "记录未按 _id 排序（若一直如此，请设置 paging: offset）",
            )
        return [read_links(row) for row in rows] if object == LOG else rows

    def violation(self, path: str, object: str, en: str, zh: str) -> ProtocolViolation:
        """Returns the error of an answer that follows no protocol."""
        where = f"{self._system} {object} {Call(self._system, path, object, read=True).operation}"
        return ProtocolViolation(
            f"{where}: {en}; report it to the vendor, nothing was taken from this page",
            f"{where}：{zh}；请反馈厂商，本页内容未采用",
            system=self._system,
            object=object,
        )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
