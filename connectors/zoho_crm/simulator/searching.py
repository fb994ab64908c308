"""Search behind its index lag, and the count of a module."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, answer, empty, invalid, whole_number
from connectors.zoho_crm.simulator.listing import converted_wanted
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row

_CRITERION = re.compile(r"\(?([\w.$]+):(\w+):([^()]*)\)?")
_MAX_CRITERIA = 10
_MAX_ROWS = 2_000
_PHONES = ("Phone", "Mobile", "Home_Phone", "Other_Phone", "Mobile_Phone")
_EMAILS = ("Email", "Secondary_Email", "Customer_Email")

Fields = Mapping[str, Any]


def search(org: Org, store: ModuleStore, params: Mapping[str, str]) -> tuple[Response, int]:
    """Answers GET /{module}/search; what was written within the lag is not found yet, or found as it was."""
    per_page, page = whole_number(params, "per_page", 200), max(1, whole_number(params, "page", 1))
    if page * per_page > _MAX_ROWS:
        raise Failure(400, "LIMIT_REACHED", "the maximum number of records is reached", {"limit": _MAX_ROWS})
    test = _test(store, params)
    found = [row for row in reversed(list(_rows(store))) if (old := _indexed(org, row)) and test(old)]
    shown = found[(page - 1) * per_page : page * per_page]
    if not shown:
        return empty(204), 0
    names = [name for name in params.get("fields", "").split(",") if name]
    records = [
        {**{name: row.fields.get(name) for name in names}, "id": row.record_id} if names else row.fields
        for row in shown
    ]
    notes = {"per_page": per_page, "count": len(shown), "page": page, "more_records": len(found) > page * per_page}
    return answer({"data": records, "info": notes}), len(shown)


def count(org: Org, store: ModuleStore, params: Mapping[str, str]) -> Response:
    """Answers GET /{module}/actions/count."""
    filtered = any(params.get(name) for name in ("criteria", "email", "phone", "word"))
    test = _test(store, params) if filtered else (lambda fields: True)
    kept = converted_wanted(params)
    rows = (row for row in _rows(store) if row.converted in kept)
    return answer({"count": sum(1 for row in rows if test(row.fields))})


def _rows(store: ModuleStore) -> list[Row]:
    return [row for number in store.by_id if not (row := store.rows[str(number)]).hidden]


def _indexed(org: Org, row: Row) -> Fields | None:
    return row.fields if org.clock.now() >= row.searchable_at else row.searched


def _test(store: ModuleStore, params: Mapping[str, str]) -> Callable[[Fields], bool]:
    if criteria := params.get("criteria"):
        return _criteria(store, criteria)
    if email := params.get("email"):
        return lambda fields: any(_same(fields.get(name), email) for name in _EMAILS)
    if phone := params.get("phone"):
        return lambda fields: any(_same(fields.get(name), phone) for name in _PHONES)
    if (word := params.get("word")) and len(word) > 1:
        return lambda fields: any(word.casefold() in str(value).casefold() for value in fields.values())
    raise Failure(400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", {"param_name": "criteria"})


def _same(value: Any, wanted: str) -> bool:
    return value is not None and str(value).casefold() == wanted.casefold()


def _criteria(store: ModuleStore, text: str) -> Callable[[Fields], bool]:
    parts = _CRITERION.findall(text)
    joint = any if re.search(r"\)\s*or\s*\(", text) else all
    if not parts or len(parts) > _MAX_CRITERIA:
        raise invalid("invalid query formed", param_name="criteria")
    for name, operator, _ in parts:
        if name not in store.spec.fields or operator not in _OPERATORS:
            raise invalid("invalid query formed", param_name="criteria", api_name=name)
    # Several `equals` conditions behave like "contains" (Zoho API search-records).
    loose = len(parts) > 1
    tests = [(name, _OPERATORS["contains" if loose and op == "equals" else op], value) for name, op, value in parts]
    return lambda fields: joint(test(_text(fields.get(name)), value.casefold()) for name, test, value in tests)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("id")
    return "" if value is None else str(value).casefold()


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda value, wanted: value == wanted,
    "not_equal": lambda value, wanted: value != wanted,
    "contains": lambda value, wanted: wanted in value,
    "starts_with": lambda value, wanted: value.startswith(wanted),
    "in": lambda value, wanted: value in wanted.split(","),
}
