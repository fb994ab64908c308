"""The filters of a search, one condition each, all of them AND-ed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.fxiaoke.simulator.records import Record
from connectors.fxiaoke.simulator.refusal import bad_parameter
from connectors.fxiaoke.simulator.schema import (
    EMPLOYEE_TYPES,
    NUMBER_TYPES,
    RELATED_TYPE,
    TIME_TYPES,
    FieldType,
    ObjectType,
)
from connectors.fxiaoke.simulator.settings import Settings

OPERATORS = frozenset(
    {
        "EQ", "N", "GT", "GTE", "LT", "LTE", "BETWEEN", "NBETWEEN", "LIKE", "NLIKE", "STARTWITH", "ENDWITH",
        "IS", "ISN", "IN", "NIN", "HASANYOF", "NHASANYOF", "CONTAINS",
    }
)  # fmt: skip
ALTERNATES = {"NE": "N", "GE": "GTE", "LE": "LTE", "NOT_IN": "NIN", "NOT_LIKE": "NLIKE"}
NULL_VALUES: dict[str, tuple[list[str], ...]] = {"either": ([], [""]), "none": ([],), "empty_text": ([""],)}
"""What may stand beside IS and ISN, which take no value [unverified]."""
NEGATIVES = {"NBETWEEN": "BETWEEN", "NLIKE": "LIKE", "NIN": "IN", "NHASANYOF": "HASANYOF"}
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "GT": lambda a, b: a > b,
    "GTE": lambda a, b: a >= b,
    "LT": lambda a, b: a < b,
    "LTE": lambda a, b: a <= b,
}
_TEXTUAL: dict[str, Callable[[str, str], bool]] = {
    "LIKE": lambda text, part: part in text,
    "STARTWITH": lambda text, part: text.startswith(part),
    "ENDWITH": lambda text, part: text.endswith(part),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on one field, its values already in comparable form."""

    name: str
    operator: str
    values: tuple[Any, ...]
    convert: Callable[[Any], Any]
    null_passes: bool

    def accepts(self, record: Record) -> bool:
        """Tells whether a record meets the condition."""
        raw = record.get(self.name)
        if self.operator in {"IS", "ISN"}:
            return (raw is None) is (self.operator == "IS")
        if raw is None:
            return self.null_passes
        present = [self.convert(item) for item in raw] if isinstance(raw, list) else [self.convert(raw)]
        if self.operator == "N":
            return not self._holds("EQ", present)
        positive = NEGATIVES.get(self.operator)
        return not self._holds(positive, present) if positive else self._holds(self.operator, present)

    def _holds(self, operator: str, present: list[Any]) -> bool:
        values = self.values
        if operator == "EQ":
            return values[0] in present
        if operator in {"IN", "HASANYOF"}:
            return any(item in values for item in present)
        if operator == "CONTAINS":
            return all(value in present for value in values)
        if operator == "BETWEEN":
            return any(values[0] <= item <= values[1] for item in present)
        if operator in _ORDERED:
            return any(_ORDERED[operator](item, values[0]) for item in present)
        return any(_TEXTUAL[operator](str(item), str(values[0])) for item in present)

    def exact_values(self) -> tuple[Any, ...] | None:
        """Returns the values that a record must have one of, or None when the condition is no equality."""
        if self.operator == "EQ":
            return self.values[:1]
        return self.values if self.operator == "IN" else None

    def bounds(self) -> tuple[float, float] | None:
        """Returns the closed range that the condition allows, or None when it sets none."""
        if self.operator == "BETWEEN":
            return self.values[0], self.values[1]
        if self.operator in {"GT", "GTE"}:
            return self.values[0], float("inf")
        return (float("-inf"), self.values[0]) if self.operator in {"LT", "LTE"} else None


def read_filters(
    filters: Any, kind: ObjectType, settings: Settings, to_user: Callable[[Any], Any]
) -> tuple[Filter, ...]:
    """Reads the `filters` of a search; raises Refusal for an unknown field, operator or value."""
    if filters is None:
        return ()
    if not isinstance(filters, list):
        raise bad_parameter("filters")
    return tuple(_read(item, kind, settings, to_user) for item in filters)


def _read(item: Any, kind: ObjectType, settings: Settings, to_user: Callable[[Any], Any]) -> Filter:
    if not isinstance(item, dict):
        raise bad_parameter("filters")
    name = item.get("field_name")
    found = kind.fields.get(name) if isinstance(name, str) else None
    if found is None or not found.active or found.type == RELATED_TYPE:
        raise bad_parameter("field_name")
    operator = str(item.get("operator"))
    if settings.alternate_operators:
        operator = ALTERNATES.get(operator, operator)
    if operator not in OPERATORS:
        raise bad_parameter("operator")
    employee = found.type in EMPLOYEE_TYPES
    if employee and settings.employee_filter_needs_in and operator not in {"IN", "NIN", "IS", "ISN"}:
        raise bad_parameter("operator")
    raw = item.get("field_values")
    if not isinstance(raw, list):
        raise bad_parameter("field_values")
    if operator in {"IS", "ISN"} and raw not in NULL_VALUES[settings.null_filter_values]:
        raise bad_parameter("field_values")
    convert = converter(found)
    values = () if operator in {"IS", "ISN"} else _values(raw, operator, convert, to_user if employee else None)
    null_passes = operator == "N" or (operator in NEGATIVES and settings.negatives_match_null)
    return Filter(found.api_name, operator, values, convert, null_passes)


def _values(
    raw: list[Any], operator: str, convert: Callable[[Any], Any], to_user: Callable[[Any], Any] | None
) -> tuple[Any, ...]:
    if not raw or (operator in {"BETWEEN", "NBETWEEN"} and len(raw) != 2):
        raise bad_parameter("field_values")
    try:
        return tuple(convert(to_user(value) if to_user else value) for value in raw)
    except (TypeError, ValueError, InvalidOperation):
        raise bad_parameter("field_values") from None


def converter(found: FieldType) -> Callable[[Any], Any]:
    """Returns how a field's values are made comparable; numbers and times also come as text."""
    if found.type in NUMBER_TYPES:
        return lambda value: Decimal(str(value))
    if found.type in TIME_TYPES:
        return int
    if found.type == "true_or_false":
        return lambda value: str(value).lower() == "true"
    return str
