"""The criteria of a bulk read: comparisons joined by one `and` or `or`, tested as COQL tests them.

Source: Zoho API v8 bulk-read create-job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.zoho_crm.simulator.answers import Failure
from connectors.zoho_crm.simulator.coql import condition_test
from connectors.zoho_crm.simulator.coql_parser import Condition
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row

_EMPTY = "${EMPTY}"
_MOST = 25
_SAME = {
    "equal": "=",
    "not_equal": "!=",
    "in": "in",
    "not_in": "not in",
    "less_than": "<",
    "less_equal": "<=",
    "greater_than": ">",
    "greater_equal": ">=",
    "between": "between",
    "not_between": "not between",
}
_LIKE = {
    "contains": ("like", "%{}%"),
    "not_contains": ("not like", "%{}%"),
    "starts_with": ("like", "{}%"),
    "ends_with": ("like", "%{}"),
}
_SEVERAL = frozenset({"in", "not_in", "between", "not_between"})
_ORDERED = frozenset({"less_than", "less_equal", "greater_than", "greater_equal", "between", "not_between"})
_UNORDERED = frozenset({"text", "textarea", "email", "phone", "website", "picklist", "boolean"})

Test = Callable[[Row], bool]


def read_criteria(org: Org, store: ModuleStore, criteria: Any) -> Test:
    """Returns what tells whether a record matches; without criteria all do. Raises Failure."""
    if criteria is None:
        return lambda row: True
    if not isinstance(criteria, dict):
        raise _refused("INVALID_CRITERIA", "the criteria are not valid")
    group = criteria.get("group", [criteria])
    if not isinstance(group, list) or not all(isinstance(one, dict) for one in group):
        raise _refused("INVALID_CRITERIA", "the criteria are not valid")
    if len(group) > _MOST:
        raise _refused("CRITERIA_LIMIT_EXCEEDED", "too many criteria", {"max_limit": _MOST})
    joint = criteria.get("group_operator", "and")
    if joint not in ("and", "or"):
        raise _refused("GROUP_OPERATOR_NOT_SUPPORTED", "the operator is not supported", {"supported": ["and", "or"]})
    tests = [_read_one(org, store, one) for one in group]
    several = any if joint == "or" else all
    return lambda row: several(test(row) for test in tests)


def _read_one(org: Org, store: ModuleStore, one: Mapping[str, Any]) -> Test:
    named = one.get("field")
    name = named.get("api_name") if isinstance(named, dict) else one.get("api_name")
    spec = store.visible(str(name))
    if spec is None:
        raise _refused("FIELD_IN_CRITERIA_NOT_AVAILABLE", "the field is not available", {"api_name": str(name)})
    comparator, value = str(one.get("comparator")), one.get("value")
    if comparator not in _SAME and comparator not in _LIKE:
        raise _refused("INVALID_CRITERIA", "the comparator is not valid", {"api_name": str(name)})
    if comparator in _ORDERED and spec.data_type in _UNORDERED:
        raise _refused("FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE", "not comparable", {"api_name": str(name)})
    if value == _EMPTY:
        if comparator not in ("equal", "not_equal"):
            raise _refused("COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", "not comparable", {"api_name": str(name)})
        return condition_test(
            org, store, Condition(str(name), "is null" if comparator == "equal" else "is not null", ())
        )
    return condition_test(org, store, _condition(str(name), comparator, value))


def _condition(name: str, comparator: str, value: Any) -> Condition:
    values = list(value) if isinstance(value, list) else str(value).split(",") if comparator in _SEVERAL else [value]
    right = len(values) == 2 if "between" in comparator else bool(values)
    if not right or any(isinstance(each, dict) or each is None for each in values):
        raise _refused("VALUE_TYPE_NOT_SUPPORTED", "the value is not of its type", {"api_name": name})
    if comparator in _LIKE:
        operator, form = _LIKE[comparator]
        return Condition(name, operator, tuple(form.format(each) for each in values))
    return Condition(name, _SAME[comparator], tuple(values))


def _refused(code: str, message: str, details: Mapping[str, Any] | None = None) -> Failure:
    return Failure(400, code, message, details)
