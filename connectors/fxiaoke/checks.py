"""Compares what is to be written with the object's description, because the vendor drops some wrong values silently."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from connectors.base import FieldDescription, ObjectDescription, Refused
from connectors.fxiaoke.descriptions import CREATED_AT, CREATED_BY
from connectors.fxiaoke.links import RELATED, plain_entries
from connectors.fxiaoke.values import fits

_FREE_TEXT = "__o"


def find_fault(
    description: ObjectDescription, fields: Mapping[str, Any], place: tuple[str, str], *, creating: bool
) -> Refused | None:
    """Returns why the vendor would not store these fields as they are, or None. `place` names system and record."""
    for name, value in fields.items():
        found = description.fields.get(name)
        if found is None and name.endswith(_FREE_TEXT):
            found = description.fields.get(name.removesuffix(_FREE_TEXT))
            problem = None if found is not None else _absent()
        else:
            problem = _absent() if found is None else _problem(found, value, creating)
        if problem is not None:
            code, en, zh = problem
            where = f"{place[0]} {description.object} {place[1]} {name}"
            return Refused(f"fxiaoke.{code}", name, f"{where}: {en}", f"{where}：{zh}")
    return None


def find_misplaced(
    description: ObjectDescription,
    fields: Mapping[str, Any],
    moved: Collection[str],
    record: Mapping[str, Any],
    place: tuple[str, str],
) -> Refused | None:
    """Returns why an option that is to be written does not belong to the one above it, or None.

    `record` is what the vendor will hold with the fields written. Only cascades that describe shows are judged, and
    only where one of the two moves: what people left astray keeps nothing else from being written.
    """
    for name, value in fields.items():
        found = description.fields.get(name)
        if found is None or found.parent is None or found.by_parent is None or value in (None, "", []):
            continue
        if name not in moved and found.parent not in moved:
            continue
        admitted = {below for above in _chosen(record.get(found.parent)) for below in found.by_parent.get(above, ())}
        if not admitted.issuperset(_chosen(value)):
            parent = found.parent
            where = f"{place[0]} {description.object} {place[1]} {name}"
            en = (
                f"the option does not belong to the one chosen in {parent}; correct the two together, or the code table"
            )
            zh = f"该选项不属于 {parent} 当前所选的上级选项；请一并更正两者，或修改码值对照表"
            return Refused("fxiaoke.option-misplaced", name, f"{where}: {en}", f"{where}：{zh}")
    return None


def _chosen(value: Any) -> list[str]:
    if value in (None, "", []):
        return []
    return [str(item) for item in (value if isinstance(value, list) else [value])]


def _absent() -> tuple[str, str, str]:
    return (
        "field-unknown",
        "the object has no such active field; create it in Fxiaoke or take it out of the mapping",
        "对象没有该字段或字段已停用；请在纷享销客中创建，或从映射中去掉",
    )


def _problem(field: FieldDescription, value: Any, creating: bool) -> tuple[str, str, str] | None:
    if not field.writable:
        return (
            "field-readonly",
            "Fxiaoke computes this field; make the mapping read it only",
            "该字段由纷享销客计算；请在映射中改为只读",
        )
    if field.api_name in (CREATED_AT, CREATED_BY) and not creating:
        return (
            "creation-only",
            "Fxiaoke takes this field only when a record is created; mark the pair `once` in the mapping",
            "该字段只能在新建记录时写入；请在映射中标记 once",
        )
    if value is None:
        return None
    if field.masked and isinstance(value, str) and "*" in value:
        return (
            "masked-value",
            "a masked value must not be written back; give the operator the role that sees it",
            "脱敏后的值不能回写；请为操作员配置可查看明文的角色",
        )
    if _wrong_form(field, value):
        return (
            "wrong-form",
            f"a {field.kind} has another form; correct the lens",
            f"{field.kind} 类型的值形式不符；请更正转换规则",
        )
    return _option_problem(field, value) or _length_problem(field, value)


def _wrong_form(field: FieldDescription, value: Any) -> bool:
    if not fits(field, value):
        return True
    return field.api_name == RELATED and len(plain_entries(value)) != len(value)


def _option_problem(field: FieldDescription, value: Any) -> tuple[str, str, str] | None:
    if field.options is None:
        return None
    chosen = value if isinstance(value, list) else [value]
    if all(str(item) in field.options for item in chosen):
        return None
    return (
        "option-unknown",
        "the field has no such option in use; add it in Fxiaoke or to the code table",
        "该字段没有此选项或选项已停用；请在纷享销客中添加，或补充码值对照表",
    )


def _length_problem(field: FieldDescription, value: Any) -> tuple[str, str, str] | None:
    if field.length is None or not isinstance(value, str) or len(value) <= field.length:
        return None
    return (
        "too-long",
        f"longer than the {field.length} characters that the field takes; shorten it at its source",
        f"超过字段长度上限 {field.length}；请在来源系统中缩短",
    )
