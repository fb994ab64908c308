"""What a permission is called in the vendor's administration, and what the hub cannot do without it.

Source: Fxiaoke prerequisites of the Open API and product terms; where a menu stands differs between releases.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.fxiaoke.client import WriteOperation

Words = tuple[str, str]
OPERATOR = "operator_id"
PERSONNEL, DEPARTMENT = "PersonnelObj", "DepartmentObj"
DIRECTORY = frozenset({PERSONNEL, DEPARTMENT})
"""Objects that are only read: who works where."""
_RIGHTS_ZH = "管理后台 > CRM 管理 > 权限管理"


@dataclass(frozen=True, slots=True)
class Function:
    """Is one function permission (功能权限) of an object, as the role's page calls it, and what is lost without it."""

    en: str
    zh: str
    lost: Words


FUNCTIONS = {
    "query": Function("View list", "查看列表", ("nothing is read from it", "无法读取该对象")),
    "get": Function(
        "View details",
        "查看详情",
        (
            "no record can be compared before it is written, and no deletion can be proven",
            "无法在写入前比对，也无法确认删除",
        ),
    ),
    "create": Function("New", "新建", ("no record is created there", "无法在此新建记录")),
    "update": Function("Edit", "编辑", ("no change is written there", "无法写入变更")),
    "changeOwner": Function("Change Owner", "更换负责人", ("owners stay as they are there", "负责人变更无法写入")),
    "invalid": Function("Invalidate", "作废", ("no deletion reaches it", "删除无法同步到此")),
    "recover": Function("Restore", "恢复", ("nothing that was invalidated comes back", "已作废的记录无法恢复")),
}
WRITES: tuple[WriteOperation, ...] = ("create", "update", "changeOwner", "invalid", "recover")


def grant(function: Function, label: str) -> Words:
    """Returns where an administrator grants a function permission of an object."""
    return (
        f"the operator lacks the function permission “{function.en}” (功能权限 {function.zh}) of {label}; grant it to "
        f"the operator's role: Admin console > CRM > Roles > function permissions > {label}",
        f"操作员缺少 {label} 的功能权限“{function.zh}”；请在 {_RIGHTS_ZH} > 角色管理 > 功能权限 > {label} 中"
        "为操作员的角色勾选",
    )


def share(object: str, label: str) -> Words:
    """Returns where an administrator opens the records of an object to the operator."""
    if object == PERSONNEL:
        return (
            f"the operator may not see the records of {label}; even an administrator needs a sharing rule for them: "
            "Admin console > CRM > Data permissions > Data sharing",
            f"操作员无权查看 {label} 的数据；即使是管理员也须配置共享规则：{_RIGHTS_ZH} > 数据权限管理 > 数据共享",
        )
    return (
        f"the operator may not see the records of {label} (数据权限): give the operator the role CRM administrator, or "
        "open them: Admin console > CRM > Data permissions",
        f"操作员没有 {label} 的数据权限；请为操作员分配“CRM 管理员”角色，或在 {_RIGHTS_ZH} > 数据权限管理 中开放",
    )


def without(words: Words, function: Function) -> Words:
    """Returns a remedy with what is lost until it is followed."""
    return f"{words[0]}. Without it {function.lost[0]}", f"{words[1]}。缺少时{function.lost[1]}"


def hidden(label: str) -> Words:
    """Returns what it may mean that no record shows."""
    return (
        f"the list can be read, but shows no record: either {label} is empty, or the operator's data permission "
        "(数据权限) hides all of them",
        f"可读取列表，但没有可见记录：{label} 为空，或操作员的数据权限看不到任何记录",
    )
