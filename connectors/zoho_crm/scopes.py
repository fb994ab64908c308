"""OAuth scopes: what a list of them allows, and what the hub loses without one.

Source: Zoho CRM API v8 OAuth scopes (operation types ALL, READ, CREATE, UPDATE, DELETE, WRITE).
"""

from __future__ import annotations

import re
from collections.abc import Collection

_OPERATIONS = ("READ", "CREATE", "UPDATE", "DELETE")
_WRITES = {"CREATE", "UPDATE"}
_MODULES = "zohocrm.modules."
# Lower-case area, or scope where its operations differ -> what is lost without it.
_LOST = {
    "zohocrm.org": (
        "nobody sees which organisation the hub is connected to",
        "无法确认所连接的组织",
    ),
    "zohocrm.users": (
        "users are not listed, so that owners cannot be compared with the staff table",
        "无法列出用户，负责人不能与员工对照表核对",
    ),
    "zohocrm.settings.modules": (
        "modules and write permissions are not described, so that `mapping check --describe` and drift checks fail",
        "无法获取模块及写权限，`mapping check --describe` 与结构变动检查不可用",
    ),
    "zohocrm.settings.fields": (
        "fields are not described, so that `mapping check --describe` and drift checks fail",
        "无法获取字段描述，`mapping check --describe` 与结构变动检查不可用",
    ),
    "zohocrm.settings.fields.create": (
        "the custom fields are not made by the hub; an administrator makes them by hand",
        "crmhub 无法自动建立自定义字段，须由管理员手工建立",
    ),
    "zohocrm.settings.layouts": (
        "fields that a layout makes mandatory are found only when Zoho refuses a record",
        "布局要求的必填字段只能在写入被拒时发现",
    ),
    "zohocrm.coql": (
        "records are not found by hub id, so that a create whose answer was lost needs a person",
        "无法按统一编号查找，新建结果不明时须人工处理",
    ),
    "zohocrm.notifications": (
        "Zoho announces no changes; they arrive with the next poll",
        "无法接收变更通知，变更只能在下次轮询时读到",
    ),
    "zohocrm.bulk": (
        "first loads read page by page",
        "初始加载只能逐页读取",
    ),
    "zohofiles.files": (
        "files for bulk writes are not uploaded",
        "无法上传批量写入所需的文件",
    ),
    "zohosearch.securesearch": (
        "nobody knows how many records a first load has before it",
        "无法得知初始加载的记录总数",
    ),
}
_LOST_IN_MODULE = {
    "READ": ("{} is not read at all", "完全无法读取 {}"),
    "CREATE": ("nothing new is written to {}", "无法在 {} 中新建"),
    "UPDATE": ("no change is written to {}", "无法修改 {}"),
    "DELETE": ("no delete is passed on to {}", "无法在 {} 中删除"),
}


def split(text: object) -> tuple[str, ...]:
    """Returns the scopes of a token answer, which separates them by spaces or commas; empty where it names none."""
    return tuple(scope for scope in re.split(r"[\s,]+", text if isinstance(text, str) else "") if scope)


def allows(granted: Collection[str], scope: str) -> bool:
    """Tells whether granted scopes cover a scope, by itself or by a wider one; ALL needs all four operations."""
    held = {name.lower() for name in granted}
    area, _, operation = scope.lower().rpartition(".")
    wider = {area, ".".join(area.split(".")[:2])}

    def covers(name: str) -> bool:
        enough = {name, "all", *(("write",) if name.upper() in _WRITES else ())}
        return any(f"{place}.{right}" in held for place in wider for right in enough)

    if operation == "all":
        return all(covers(name.lower()) for name in _OPERATIONS)
    return covers(operation)


def lost(scope: str) -> tuple[str, str]:
    """Returns what the hub cannot do without a scope, in English and Chinese."""
    area, _, operation = scope.rpartition(".")
    if area.lower().startswith(_MODULES):
        name = area[len(_MODULES) :]
        en, zh = _LOST_IN_MODULE.get(operation.upper(), ("{} is not read or written in full", "无法完整读写 {}"))
        return en.format(name), zh.format(name)
    other = ("what needs it fails", "相关功能不可用")
    return _LOST.get(scope.lower()) or _LOST.get(area.lower(), other)
