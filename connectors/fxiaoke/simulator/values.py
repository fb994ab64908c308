"""Checks and stores one field value the way the vendor does, type by type. Source: Fxiaoke values page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from connectors.fxiaoke.simulator.refusal import Refusal, class_cast, null_pointer
from connectors.fxiaoke.simulator.regions import BY_CODE
from connectors.fxiaoke.simulator.schema import (
    DEPARTMENT_TYPES,
    EMPLOYEE_TYPES,
    LOOKUP_TYPES,
    NUMBER_TYPES,
    REGION_TYPES,
    RELATED_TYPE,
    SELECT_TYPES,
    TEXT_TYPES,
    TIME_TYPES,
    FieldType,
)
from connectors.fxiaoke.simulator.staff import Directory

DAY_MS = 86_400_000
CHINA_MS = 8 * 3_600_000
LOOKUP_MISSING = "关联关系不存在-201112011"


class ValueCheck:
    """Turns a value of a request into its stored form; raises Refusal with the business code."""

    def __init__(self, code: int, directory: Directory, exists: Callable[[str, str], bool]) -> None:
        self._code = code
        self._directory = directory
        self._exists = exists

    def store(self, found: FieldType, value: Any, to_user: Callable[[Any], str]) -> Any:
        """Returns the stored form of a value that is not empty."""
        if found.type in TEXT_TYPES:
            return self._text(found, value)
        if found.type in NUMBER_TYPES:
            return self._number(found, value)
        if found.type in TIME_TYPES:
            return self._time(found, value)
        if found.type in SELECT_TYPES:
            return self._option(found, value)
        if found.type in REGION_TYPES:
            return self._region(found, value)
        if found.type in LOOKUP_TYPES:
            return self._lookup(found, value)
        if found.type == RELATED_TYPE:
            return self._related(found, value)
        if found.type == "location":
            return self._location(found, value)
        if found.type == "true_or_false":
            if not isinstance(value, bool):
                raise class_cast(found.api_name, value, "java.lang.Boolean")
            return value
        return self._list(found, value, to_user)

    def _text(self, found: FieldType, value: Any) -> str:
        if not isinstance(value, str):
            raise class_cast(found.api_name, value, "java.lang.String")
        if found.length is not None and len(value) > found.length:
            raise self._refuse(found, f"长度不能超过{found.length}")
        if found.type == "email" and not _looks_like_email(value):
            raise self._refuse(found, "格式不正确")
        return value

    def _location(self, found: FieldType, value: Any) -> str:
        if not isinstance(value, str):
            raise class_cast(found.api_name, value, "java.lang.String")
        parts = value.split("#%$")
        try:
            longitude, latitude = float(parts[0]), float(parts[1])
        except (ValueError, IndexError):
            raise self._refuse(found, "格式不正确") from None
        if len(parts) != 3 or abs(longitude) > 180 or abs(latitude) > 90:
            raise self._refuse(found, "格式不正确")
        return value

    def _number(self, found: FieldType, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise class_cast(found.api_name, value, "java.math.BigDecimal")
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise self._refuse(found, "不是有效的数字") from None
        if not number.is_finite():
            raise self._refuse(found, "不是有效的数字")
        return format(number.quantize(Decimal(1).scaleb(-found.decimal_places), ROUND_HALF_UP), "f")

    def _time(self, found: FieldType, value: Any) -> int:
        if isinstance(value, str) and value.lstrip("-").isdigit():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise class_cast(found.api_name, value, "java.lang.Long")
        if found.type == "date":
            return value - (value + CHINA_MS) % DAY_MS
        return value

    def _option(self, found: FieldType, value: Any) -> str:
        if not isinstance(value, str):
            raise class_cast(found.api_name, value, "java.lang.String")
        option = found.choice(value)
        if option is None or option.disabled:
            raise self._refuse(found, "选项值不存在或已停用")
        return value

    def _region(self, found: FieldType, value: Any) -> str:
        if not isinstance(value, str):
            raise class_cast(found.api_name, value, "java.lang.String")
        region = BY_CODE.get(value)
        if region is None or region.kind != found.type:
            raise self._refuse(found, "选项值不存在或已停用")
        return value

    def _lookup(self, found: FieldType, value: Any) -> str:
        if not isinstance(value, str):
            raise class_cast(found.api_name, value, "java.lang.String")
        if not self._exists(str(found.target), value):
            raise Refusal(self._code, f"[{found.label}]{LOOKUP_MISSING}")
        return value

    def _related(self, found: FieldType, value: Any) -> list[dict[str, str]]:
        if not isinstance(value, list):
            raise class_cast(found.api_name, value, "java.util.List")
        stored: dict[tuple[str, str], dict[str, str]] = {}
        for item in value:
            if not isinstance(item, dict):
                raise class_cast(found.api_name, item, "java.util.Map")
            name, record_id = item.get("describe_api_name"), item.get("id")
            if not isinstance(name, str) or not isinstance(record_id, str):
                raise null_pointer(found.api_name)
            if not self._exists(name, record_id):
                raise Refusal(self._code, f"[{found.label}]{LOOKUP_MISSING}")
            stored[name, record_id] = {"describe_api_name": name, "id": record_id}
        return list(stored.values())

    def _list(self, found: FieldType, value: Any, to_user: Callable[[Any], str]) -> list[Any]:
        if not isinstance(value, list):
            raise class_cast(found.api_name, value, "java.util.List")
        if found.type in EMPLOYEE_TYPES | DEPARTMENT_TYPES and not found.type.endswith("_many") and len(value) > 1:
            raise self._refuse(found, "只能选择一个")
        if found.type in EMPLOYEE_TYPES:
            return [to_user(item) for item in value]
        if found.type in DEPARTMENT_TYPES:
            if any(str(item) not in self._directory.departments for item in value):
                raise self._refuse(found, "部门不存在")
            return [str(item) for item in value]
        if found.type == "select_many":
            return list(dict.fromkeys(self._option(found, item) for item in value))
        return value

    def cascade(self, kinds: Mapping[str, FieldType], record: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
        """Refuses a child option that the chosen parent does not have; only fields being written count."""
        for name, found in kinds.items():
            parent = found.parent
            if parent is None or record.get(name) is None or not {name, parent} & set(sent):
                continue
            chosen = record.get(parent)
            if found.type in REGION_TYPES:
                fits = chosen is None or BY_CODE[record[name]].parent == chosen
            else:
                option = kinds[parent].choice(str(chosen))
                fits = option is not None and record[name] in option.children.get(name, ())
            if not fits:
                raise self._refuse(found, "与上级选项不匹配")

    def _refuse(self, found: FieldType, reason: str) -> Refusal:
        return Refusal(self._code, f"[{found.label}]({found.api_name}){reason}")


def _looks_like_email(value: str) -> bool:
    local, at, domain = value.rpartition("@")
    return bool(local and at and "." in domain and " " not in value)
