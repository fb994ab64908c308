"""The JSON form of a value by its described type, and when two values of a field are the same.

A wrong JSON type is answered with a general server error, which says nothing of the field: so forms are checked before
anything is sent. Source: Fxiaoke guide/values; 答疑 (wrong types).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.base import FieldDescription
from connectors.fxiaoke.descriptions import LIST_TYPES
from connectors.fxiaoke.links import RELATED, same_value

NUMBER_TYPES = frozenset({"number", "currency", "percentile"})
TEXT_TYPES = frozenset(
    {
        "text", "long_text", "email", "url", "phone_number", "html_rich_text", "select_one", "record_type",
        "country", "province", "city", "district", "object_reference", "master_detail",
    }
)  # fmt: skip
_PEOPLE = frozenset({"employee", "employee_many", "out_employee", "department", "department_many"})
_DAY_MS, _CHINA_MS = 86_400_000, 8 * 3_600_000
_PLACE = re.compile(r"(-?\d{1,3}(?:\.\d+)?)#%\$(-?\d{1,2}(?:\.\d+)?)#%\$.*", re.DOTALL)
"""Longitude, latitude, address. Source: Fxiaoke guide/values, location."""


def encoded(field: FieldDescription | None, value: Any) -> Any:
    """Returns a value that fits its field as it is sent: numbers as text, dates as midnight in China (GMT+8)."""
    if value is None or field is None:
        return value
    if field.kind in NUMBER_TYPES:
        return format(Decimal(str(value)), "f")
    return _midnight(value) if field.kind == "date" else value


def fits(field: FieldDescription, value: Any) -> bool:
    """Tells whether a value that is not empty has the JSON form of its field; a type nobody knows takes anything."""
    if field.kind in LIST_TYPES:
        return isinstance(value, list) and (field.kind not in _PEOPLE or _are_people(field.kind, value))
    if field.kind in TEXT_TYPES:
        return isinstance(value, str)
    check = _FORMS.get(field.kind)
    return check is None or check(value)


def same(name: str, field: FieldDescription | None, one: Any, two: Any) -> bool:
    """Tells whether two values say the same: "5" and "5.00", two orders of options, two times of one date."""
    if _is_empty(one) or _is_empty(two):
        return _is_empty(one) and _is_empty(two)
    if field is None or name == RELATED:
        return same_value(name, one, two)
    if field.kind in NUMBER_TYPES and _is_number(one) and _is_number(two):
        return Decimal(str(one)) == Decimal(str(two))
    if field.kind == "date" and _is_time(one) and _is_time(two):
        return bool(_midnight(one) == _midnight(two))
    if field.kind in LIST_TYPES and isinstance(one, list) and isinstance(two, list):
        return sorted(map(repr, one)) == sorted(map(repr, two))
    return bool(one == two)


def _midnight(value: int) -> int:
    return value - (value + _CHINA_MS) % _DAY_MS


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == []


def _are_people(kind: str, value: list[Any]) -> bool:
    ids = all(isinstance(item, str) and item for item in value)
    return ids and (kind.endswith("_many") or len(value) <= 1)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return False
    try:
        return Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def _is_time(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_place(value: Any) -> bool:
    found = _PLACE.fullmatch(value) if isinstance(value, str) else None
    return found is not None and abs(float(found[1])) <= 180 and abs(float(found[2])) <= 90


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_FORMS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(NUMBER_TYPES, _is_number),
    **dict.fromkeys(("date", "date_time", "time"), _is_time),
    "true_or_false": _is_flag,
    "location": _is_place,
}
