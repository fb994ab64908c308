"""Who may do what: the roles, the actions, and the table that joins them. Deny by default; there is no super-user.

Source: GB/T 22239-2019 level 3 asks for a system, a security and an audit administrator who are different persons, and
for a security administrator who is nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from hub.kernel.errors import Text


class Role(StrEnum):
    """Is what a person may be."""

    SYSTEM_ADMIN = "system_admin"
    SECURITY_ADMIN = "security_admin"
    AUDIT_ADMIN = "audit_admin"
    OPERATOR = "operator"
    MAPPING_ADMIN = "mapping_admin"
    APPROVER = "approver"
    COMPLAINTS_OFFICER = "complaints_officer"
    EXAMINER = "external_examiner"


_SYS, _SEC, _AUD, _OPS, _MAP, _APP, _COM, _EXA = Role

LABELS: Final = MappingProxyType(
    {
        _SYS: Text("system administrator", "系统管理员"),
        _SEC: Text("security administrator", "安全管理员"),
        _AUD: Text("audit administrator", "审计管理员"),
        _OPS: Text("operator", "操作员"),
        _MAP: Text("mapping administrator", "映射管理员"),
        _APP: Text("approver", "复核人"),
        _COM: Text("complaints officer", "投诉专员"),
        _EXA: Text("external examiner", "外部检查人员"),
    }
)
ADMINISTRATORS: Final = frozenset({_SYS, _SEC, _AUD})
ALONE: Final = ADMINISTRATORS | {_EXA}
"""Roles whose holder has no other role."""
PRIVILEGED: Final = ADMINISTRATORS | {_APP, _MAP}
"""Roles that a second person must agree to."""
TIME_LIMITED: Final = MappingProxyType({_EXA: 90})
"""Roles that end by themselves, after this many days at most."""
ENTITIES: Final = MappingProxyType({_COM: frozenset({"complaint"})})
"""Roles that see and touch records of these entities only."""
BREAK_GLASS: Final = frozenset({_SYS, _SEC, _OPS})
"""Roles that one may take for an hour when a second person agrees."""

ROLES: Final = frozenset(Role)
STAFF: Final = ROLES - {_EXA}
_EVERYBODY = ROLES
_READERS = (_OPS, _COM, _APP, _AUD, _EXA)


@dataclass(frozen=True, slots=True)
class Action:
    """Is something that can be done. `rows` says that it is bounded by branch, `daemon` that the hub does it itself."""

    name: str
    text: Text
    roles: frozenset[Role]
    rows: bool = False
    daemon: bool = False


def _action(name: str, en: str, zh: str, *roles: Role, rows: bool = False, daemon: bool = False) -> Action:
    return Action(name, Text(en, zh), frozenset(roles), rows, daemon)


_TABLE = (
    _action("status.read", "see where everything stands", "查看运行状态", *_EVERYBODY, daemon=True),
    _action("system.check", "prove that a system answers", "检查接入系统", _SYS, _OPS, _MAP, daemon=True),
    _action("system.change", "authorise, prepare and settle a system", "接入系统授权与设置", _SYS, daemon=True),
    _action("daemon.run", "run the daemon or a worker", "运行守护进程", daemon=True),
    _action("sync.run", "plan, sync and reconcile", "试运行、同步、对账", _OPS, daemon=True),
    _action("sync.pause", "pause", "暂停", _OPS, _SYS, _SEC, daemon=True),
    _action("sync.resume", "resume", "恢复", _OPS, _SYS, daemon=True),
    _action("schedule.change", "change when the daemon does what", "修改调度", _SYS, daemon=True),
    _action("guard.release", "let through what a guard stopped", "放行批量变更", _OPS, _APP),
    _action(
        "mapping.read", "see and check mappings", "查看与检查映射", _MAP, _APP, _OPS, _SYS, _AUD, _EXA, daemon=True
    ),
    _action("mapping.edit", "draft and submit mappings and tables", "编辑与提交映射", _MAP),
    _action("mapping.activate", "activate an approved mapping", "启用已复核的映射", _MAP, _APP),
    _action("record.read", "see records, masked", "查看记录（脱敏）", *_READERS, rows=True),
    _action("record.edit", "edit a record", "编辑记录", _OPS, _COM, rows=True),
    _action("record.repair", "read a record anew, or say that it is gone", "重读或声明消失", _OPS, rows=True),
    _action("record.reveal", "see one value whole", "查看单个明文", _OPS, _COM, rows=True),
    _action(
        "record.unmask",
        "see a whole record unmasked (instead: record reveal, one field)",
        "查看整条明文（请改用 record reveal，逐字段）",
    ),
    _action("record.find", "look customers up by an identifier", "按标识查找客户", _OPS, _COM, rows=True),
    _action("record.probe", "compare a suspected value", "核对疑似值", _AUD, rows=True),
    _action(
        "question.read", "see conflicts, holds and matches, masked", "查看待处理事项（脱敏）", *_READERS, rows=True
    ),
    _action("question.answer", "answer conflicts and holds", "处理冲突与暂缓变更", _OPS, _COM, rows=True),
    _action("match.answer", "say whose record is whose", "确认匹配", _OPS, rows=True),
    _action("quarantine.read", "see held-out records", "查看异常记录", *_READERS, rows=True),
    _action("quarantine.retry", "retry held-out records", "重新处理异常记录", _OPS, rows=True),
    _action("complaint.read", "list complaints", "查看投诉清单", *_READERS, rows=True),
    _action("backup.make", "make a backup", "备份", _SYS, daemon=True),
    _action("backup.restore", "restore a backup", "恢复备份", _SYS),
    _action("audit.read", "read the audit log", "查看审计日志", _AUD, _EXA),
    _action("audit.verify", "verify the audit log", "校验审计日志", _AUD, _EXA, daemon=True),
    _action("audit.sign", "sign the audit log and begin epochs", "签名审计日志与开始新纪元", _AUD, daemon=True),
    _action("audit.export", "export the audit log", "导出审计日志", _AUD),
    _action("audit.prune", "propose and carry out pruning", "提出并执行日志清理", _AUD),
    _action("record.export", "export records", "导出记录", _OPS, _COM, rows=True),
    _action("user.bootstrap", "set up users", "启用用户"),
    _action("user.read", "see users and roles", "查看用户与角色", _SEC, _AUD, _SYS),
    _action("user.create", "create a disabled account", "建立停用账号", _SYS),
    _action("user.enable", "approve an account", "启用账号", _SEC),
    _action("user.disable", "disable an account", "停用账号", _SEC, _SYS),
    _action("role.grant", "grant and revoke roles", "授予与收回角色", _SEC),
    _action("session.manage", "end sessions, reset sign-in, revoke tokens", "会话与令牌管理", _SEC),
    _action("self.manage", "manage one's own sign-in", "管理本人登录", *_EVERYBODY),
    _action("key.read", "see keys", "查看密钥清单", _SEC, _SYS, _AUD, daemon=True),
    _action("key.change", "rotate, retire and destroy keys", "密钥轮换、停用与销毁", _SEC, daemon=True),
    _action("egress.read", "see egress rules", "查看出境规则", _SEC, _APP, _AUD, _EXA),
    _action("egress.change", "change egress rules", "修改出境规则", _SEC),
    _action("retention.read", "see erasures and legal holds", "查看删除证明与法律保全", _SEC, _AUD, _APP, _EXA),
    _action("retention.change", "erase, hold and retain", "删除、保全与保留", _SEC),
    _action("approval.read", "see approvals", "查看复核事项", *_EVERYBODY),
    _action("approval.decide", "agree to, or refuse, what another asks for", "复核", *STAFF),
    _action("break_glass.ask", "ask for a role for an hour", "申请应急权限", _OPS, _MAP, _APP, _COM, _SYS, _SEC),
)
ACTIONS: Final = MappingProxyType({action.name: action for action in _TABLE})
HOST: Final = "host"
"""Declares a command that works on files and processes of the machine and reads no row of the store for a person."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Is something that takes two persons: who may agree to it."""

    name: str
    text: Text
    approvers: frozenset[Role]


def _kind(name: str, en: str, zh: str, *approvers: Role) -> Kind:
    return Kind(name, Text(en, zh), frozenset(approvers))


KINDS: Final = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            # The audit administrator agrees too: right after the start there is no approver yet.
            _kind("role.grant", "grant of a privileged role", "授予特权角色", _APP, _AUD),
            _kind("break_glass", "a role for an hour", "应急权限", _APP, _SEC, _SYS, _OPS),
            _kind("mapping.activate", "activation of a mapping", "启用映射", _APP),
            _kind("egress.change", "change of an egress rule", "修改出境规则", _APP),
            _kind("key.destroy", "destruction of a key", "销毁密钥", _APP),
            _kind("record.export", "export of more than 500 records", "批量导出（超过 500 条）", _APP),
            _kind("audit.export", "export of audit rows with a reason", "导出审计日志", _APP),
            _kind("audit.prune", "pruning of the audit log", "清理审计日志", _SEC, _APP),
            _kind("connection.host", "a system's host outside the list", "清单外的主机", _SEC, _APP),
            _kind("erasure", "erasure of a person", "删除个人信息", _APP),
        )
    }
)


def clash(held: Iterable[Role]) -> tuple[Role, Role] | None:
    """Returns two of these roles that one person may not hold together, None where all go together."""
    known = sorted(set(held))
    for one in known:
        for other in known:
            if one != other and one in ALONE:
                return one, other
    return None


def may(action: str, roles: Collection[Role]) -> bool:
    """Tells whether one of these roles may do something; what is not in the table nobody may do."""
    found = ACTIONS.get(action)
    return found is not None and not found.roles.isdisjoint(roles)
