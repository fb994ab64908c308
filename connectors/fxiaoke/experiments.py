"""Tries out on a tenant what no source tells for certain, by reading alone; what came of it, with codes, never values.

Source of the questions: the acceptance list of the first tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from connectors.base import ConnectorContext
from connectors.errors import AuthRejected
from connectors.fxiaoke.client import OBJECT_DESCRIBE, OBJECT_LIST, Client, record_path
from connectors.fxiaoke.envelope import Reason, Rejected
from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.fxiaoke.trying import NOBODY
from connectors.settling import Settled

Row = Mapping[str, Any]
_DEPARTMENTS = "/cgi/department/list"
_WHOLE_COMPANY = 999_999
_MOST_CALLS = 150
ASKED_ALONE = frozenset({"rate"})
"""Questions that cost something, and are tried only where they are named."""
_STABLE = "life_status"
"""Is the same for almost every record, so that a second sort key shows."""


class Experiments:
    """Reads one tenant in ways that the connector itself never uses."""

    def __init__(self, client: Client, settings: FxiaokeSettings, context: ConnectorContext) -> None:
        self._client, self._settings, self._context = client, settings, context
        self.tries: Mapping[str, Callable[[str], Iterator[Settled]]] = {
            "trace_id": self._trace_id,
            "rate": self._rate,
            "describe_position": self._describe_position,
            "limit": self._limit,
            "offset": self._offset,
            "two_orders": self._two_orders,
            "default_order": self._default_order,
            "negation": self._negation,
            "is_empty": self._is_empty,
            "invalid_in_query": self._invalid_in_query,
            "not_found": self._not_found,
            "employee_ids": self._employee_ids,
            "directory": self._directory,
        }

    def ask(self, path: str, object: str, body: Mapping[str, Any]) -> tuple[int, Row, Reason | None]:
        """Reads and returns the vendor's code, 0 where it answered, with what it answered."""
        try:
            return 0, self._client.read(path, object, body).payload, None
        except Rejected as no:
            return no.code, {}, no.reason

    def query(self, object: str, **search: Any) -> tuple[int, list[Row]]:
        """Queries with search terms of any kind; returns the code and the rows."""
        terms = {"limit": 20, "offset": 0, "filters": [], "orders": [], **search}
        inner = {"dataObjectApiName": object, "find_explicit_total_num": False, "search_query_info": terms}
        code, payload, _ = self.ask(record_path(object, "query"), object, {"data": inner, "includeNull": True})
        rows = (payload.get("data") or {}).get("dataList")
        return code, [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []

    def _trace_id(self, object: str) -> Iterator[Settled]:
        code = self._bare({})
        told = ("is answered", "可用") if code == 0 else (f"is refused with {code}", f"被拒绝，返回码 {code}")
        yield Settled(
            "trace_id",
            f"a call without thirdTraceId {told[0]}; it is always sent",
            f"不带 thirdTraceId 的调用{told[1]}；每次都会发送",
        )

    def _bare(self, params: Mapping[str, str]) -> int | None:
        """Lists the objects by a call outside the pace, and returns the vendor's code."""
        headers, signed = self._client.tokens.sign(self._client.tokens.current(), {})
        url = self._settings.base_url + OBJECT_LIST
        answer = self._context.http.send(
            "POST", url, operation="object/list", read=True, headers=headers, params=params, json=signed
        ).json()
        found = answer.get("errorCode") if isinstance(answer, Mapping) else None
        return found if isinstance(found, int) else None

    def _rate(self, object: str) -> Iterator[Settled]:
        """Calls one interface until it refuses, which costs that many calls and rests it for the vendor's window."""
        began = self._context.clock.now()
        number = 0
        code: int | None = 0
        while code == 0 and number < _MOST_CALLS:
            code, number = self._bare({"thirdTraceId": self._context.new_id()}), number + 1
        spent = self._context.clock.now() - began
        told = (f"refused with {code}", f"返回码 {code}") if code != 0 else ("none was refused", "均未被拒绝")
        yield Settled(
            "rate",
            f"{number} calls in {spent:.0f} s: {told[0]}",
            f"{spent:.0f} 秒内 {number} 次调用：{told[1]}",
            f"rate_per_second: {(number - 1) / 20 - 0.3:.1f}" if code != 0 else "",
            code == 0 or self._settings.rate_per_second * 20 + self._settings.rate_burst < number,
        )

    def _describe_position(self, object: str) -> Iterator[Settled]:
        within, _, _ = self.ask(OBJECT_DESCRIBE, object, {"data": {"apiName": object, "includeDetail": False}})
        top, _, _ = self.ask(OBJECT_DESCRIBE, object, {"apiName": object, "includeDetail": False})
        yield Settled(
            "describe_position",
            f"apiName inside data: {_code(within)[0]}; at the top: {_code(top)[0]}; both are sent",
            f"apiName 在 data 内：{_code(within)[1]}；在顶层：{_code(top)[1]}；两处都会发送",
        )

    def _limit(self, object: str) -> Iterator[Settled]:
        code, rows = self.query(object, limit=101)
        en = f"limit 101: {_code(code)[0]}, {len(rows)} rows; 100 is the most that is asked for"
        yield Settled("limit", en, f"limit 101：{_code(code)[1]}，{len(rows)} 条；最多只请求 100 条")

    def _offset(self, object: str) -> Iterator[Settled]:
        code, _ = self.query(object, limit=2, offset=1)
        beyond, _ = self.query(object, limit=100, offset=10_100)
        yield Settled(
            "offset",
            f"offset 1 with limit 2: {_code(code)[0]}; offset 10,100: {_code(beyond)[0]}; only 0 is used",
            f"limit 2 时 offset 1：{_code(code)[1]}；offset 10100：{_code(beyond)[1]}；只使用 0",
        )

    def _two_orders(self, object: str) -> Iterator[Settled]:
        orders = [{"fieldName": _STABLE, "isAsc": True}, {"fieldName": "_id", "isAsc": False}]
        code, rows = self.query(object, limit=50, orders=orders)
        same = [str(row.get("_id")) for row in rows if row.get(_STABLE) == rows[0].get(_STABLE)]
        told = _untold() if len(same) < 3 else _order_counts(_falls(same))
        yield _with_code("two_orders", code, told, "only _id is used", "只按 _id 排序")

    def _default_order(self, object: str) -> Iterator[Settled]:
        code, rows = self.query(object, limit=50)
        told = _untold() if len(rows) < 3 else _order_of(rows)
        yield _with_code("default_order", code, told, "an order is always given", "总是指定排序")

    def _negation(self, object: str) -> Iterator[Settled]:
        key = self._settings.key_of(object)
        code, rows = self.query(object, filters=[_filter(key, "N", [NOBODY])])
        other, _ = self.query(object, filters=[_filter(key, "NE", [NOBODY])])
        empty = any(row.get(key) in (None, "") for row in rows)
        told = _finds_empty(empty) if rows else _untold()
        more = (f"NE: {_code(other)[0]}; neither is used", f"NE：{_code(other)[1]}；均不使用")
        yield _with_code("negation", code, told, *more)

    def _is_empty(self, object: str) -> Iterator[Settled]:
        key = self._settings.key_of(object)
        none, _ = self.query(object, filters=[_filter(key, "IS", [])])
        blank, _ = self.query(object, filters=[_filter(key, "IS", [""])])
        yield Settled(
            "is_empty",
            f'IS with []: {_code(none)[0]}; with [""]: {_code(blank)[0]}; IS is not used',
            f'IS 配 []：{_code(none)[1]}；配 [""]：{_code(blank)[1]}；不使用 IS',
        )

    def _invalid_in_query(self, object: str) -> Iterator[Settled]:
        by_life, lived = self.query(object, filters=[_filter("life_status", "EQ", ["invalid"])])
        by_flag, flagged = self.query(object, filters=[_filter("is_deleted", "EQ", [True])])
        yield Settled(
            "invalid_in_query",
            f"life_status invalid: {_code(by_life)[0]}, {len(lived)} rows; is_deleted: {_code(by_flag)[0]}, "
            f"{len(flagged)} rows; invalid records are looked for by their ids",
            f"life_status 为 invalid：{_code(by_life)[1]}，{len(lived)} 条；is_deleted：{_code(by_flag)[1]}，"
            f"{len(flagged)} 条；作废记录按 ID 查找",
        )

    def _not_found(self, object: str) -> Iterator[Settled]:
        body = {"data": {"dataObjectApiName": object, "objectDataId": NOBODY}}
        code, _, reason = self.ask(record_path(object, "get"), object, body)
        known = reason is not Reason.PARAMETER or code in self._settings.not_found_codes
        setting = "" if reason is not Reason.PARAMETER else f"not_found_codes: [{code}]"
        yield Settled(
            "not_found",
            f"get of a record that cannot exist: {_code(code)[0]}",
            f"读取不存在的记录：{_code(code)[1]}",
            setting,
            known,
        )

    def _employee_ids(self, object: str) -> Iterator[Settled]:
        _, rows = self.query(object, limit=20)
        owners = [owner for row in rows for owner in (row.get("owner") or ()) if isinstance(owner, str)]
        if not owners:
            yield Settled("employee_ids", *_untold())
            return
        found = "open" if all(owner.startswith("FSUID_") for owner in owners) else "plain"
        yield Settled(
            "employee_ids",
            f"employees are shown as {found} ids",
            f"员工 ID 的形式为 {found}",
            f"employee_ids: {found}",
            found == self._settings.employee_ids,
        )

    def _directory(self, object: str) -> Iterator[Settled]:
        body = {"departmentId": _WHOLE_COMPANY, "fetchChild": False, "showDepartmentIdsDetail": False}
        style = self._settings.auth_style
        try:
            code, _, _ = self.ask(_DEPARTMENTS, "", body)
        except AuthRejected as refused:
            yield Settled("directory", f"{_DEPARTMENTS} with {style}: {refused.en}", f"{_DEPARTMENTS}：{refused.zh}")
            return
        yield Settled(
            "directory",
            f"{_DEPARTMENTS} with {style}: {_code(code)[0]}",
            f"{_DEPARTMENTS}（{style}）：{_code(code)[1]}",
        )


def _filter(name: str, operator: str, values: Sequence[Any]) -> dict[str, Any]:
    return {"field_name": name, "operator": operator, "field_values": list(values)}


def _code(code: int) -> tuple[str, str]:
    return ("answered", "成功") if code == 0 else (f"refused with {code}", f"被拒绝，返回码 {code}")


def _untold() -> tuple[str, str]:
    return "too few records to tell", "记录太少，无法判断"


def _order_counts(holds: bool) -> tuple[str, str]:
    return ("the second order counts", "第二排序有效") if holds else ("the second order has no effect", "第二排序无效")


def _finds_empty(holds: bool) -> tuple[str, str]:
    return ("N also finds empty fields", "N 会匹配空值") if holds else ("N finds no empty field", "N 不匹配空值")


def _with_code(question: str, code: int, told: tuple[str, str], en: str, zh: str) -> Settled:
    said = told if code == 0 else _code(code)
    return Settled(question, f"{said[0]}; {en}", f"{said[1]}；{zh}")


def _falls(values: Sequence[Any]) -> bool:
    return all(one > two for one, two in pairwise(values))


def _order_of(rows: Sequence[Row]) -> tuple[str, str]:
    for name in ("_id", "last_modified_time", "create_time"):
        values = [str(row[name]) for row in rows if row.get(name) is not None]  # times are of one length
        if len(values) < len(rows) or len(set(values)) < 2:
            continue
        if values == sorted(values):
            return f"by {name}, rising", f"按 {name} 升序"
        if values == sorted(values, reverse=True):
            return f"by {name}, falling", f"按 {name} 降序"
    return "in no order that shows", "没有可见的顺序"
