"""Says in words what keeps an entity from being converged, and which command comes next."""

from __future__ import annotations

from dataclasses import dataclass

from hub.kernel.errors import Text

_WAITING = {
    "conflicts": (Text("conflicts wait for a decision", "条冲突待处理"), "crmhub conflict list"),
    "holds": (Text("held changes wait for a decision", "项暂缓变更待处理"), "crmhub hold list"),
    "match_questions": (
        Text("records wait for a match decision", "条记录待确认匹配"),
        "crmhub match list --entity ENTITY",
    ),
    "asked_writes": (
        Text("writes whose outcome nobody can prove wait for a look", "条写入结果无法确认，待人工核实"),
        "crmhub quarantine list",
    ),
    "uncertain_writes": (
        Text("writes are uncertain; the next cycle looks them up", "条写入结果待查，下一批次自动核查"),
        "crmhub sync ENTITY",
    ),
    "rebuild": (
        Text(
            "complete listings are still to be read after the store was restored; nothing is written before",
            "项完整读取待完成：存储已恢复，完成之前不写入",
        ),
        "crmhub sync",
    ),
    "merges_there": (
        Text("records are to be merged by people in their own system", "条记录须由人工在其所在系统内合并"),
        "crmhub match merges --entity ENTITY",
    ),
    "out_of_sight": (
        Text(
            "records that changes are owed to cannot be seen in their system: deleted for good, or hidden from the hub",
            "条待写入的记录在其系统中不可见：已彻底删除，或集成用户无权限",
        ),
        "crmhub reconcile ENTITY",
    ),
    "parked": (
        Text("records wait until the record they belong to is known", "条记录等待其所属记录"),
        "PARENTS",
    ),
    "waiting_parent": (
        Text("writes wait until the record they belong to is there", "条写入等待其所属记录在对方系统中建立"),
        "PARENTS",
    ),
}

_INSTEAD = {
    "HUB-PAUSE-002": "crmhub resume SYSTEM",
    "HUB-PAUSE-003": "crmhub schedule list",
    "HUB-QUOTA-001": "crmhub status",
}
"""Is what helps where nothing is wrong with a system, and asking it would prove nothing."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Is one thing that blocks or is owed, in words, with the command that comes next."""

    reason: str
    en: str
    zh: str
    command: str


def explain(reason: str, entity: str, problem: Text | None = None, parents: str = "") -> Advice:
    """Turns one stable reason of a run (`conflicts=3`, `guard:mass_delete:NAME=40`, `system:NAME:CODE`) into words.

    The command names the entity where it must. `problem` is what the system's error said, where it is known; `parents`
    is the command that helps the records on which others wait.
    """
    parts, _, number = reason.partition("=")
    kind, *rest = parts.split(":")
    if kind == "guard":
        return _guard(reason, entity, rest, number)
    if kind == "quarantine":
        code, system = (*rest, "", "")[:2]
        en = f"{number} quarantined in {system} ({code}); correct the cause, then retry"
        zh = f"{system} 有 {number} 条异常记录（{code}）；请排除原因后重新处理"
        return Advice(reason, en, zh, "crmhub quarantine list")
    if kind == "system":
        system, code = (*rest, "", "")[:2]
        said = problem or Text(f"{system} stopped this run", f"{system} 使本批次停止")
        command = _INSTEAD.get(code, f"crmhub check {system}").replace("SYSTEM", system)
        return Advice(reason, f"{code} {said.en}", f"{code} {said.zh}", command)
    if kind in ("egress", "egress_quota"):
        return _egress(reason, kind, rest, number)
    text, command = _WAITING.get(kind, (Text(kind, kind), "crmhub status"))
    command = command.replace("ENTITY", entity).replace("PARENTS", parents or "crmhub status")
    return Advice(reason, f"{number} {text.en}", f"{number} {text.zh}", command)


def _egress(reason: str, kind: str, rest: list[str], number: str) -> Advice:
    system, fields = (*rest, "", "")[:2]
    if kind == "egress":
        named = fields.replace("+", ", ")
        en = f"{number} records are not made in {system}: {named} must be filled there and may not leave"
        zh = f"{number} 条记录未在 {system} 建立：{named} 为必填，但不得出境"
    else:
        en = f"{number} records are not made in {system}: the approved number of persons for this year is used up"
        zh = f"{number} 条记录未在 {system} 建立：本年度批准的出境人数已用完"
    return Advice(reason, en, zh, "crmhub egress show")


def _guard(reason: str, entity: str, rest: list[str], number: str) -> Advice:
    guard, system = (*rest, "", "")[:2]
    release = f"crmhub guard release {guard} --entity {entity}"
    if guard == "first_sync":
        en = f"the first sync would write {number} records to {system}; read `crmhub plan {entity}`, then release it"
        zh = f"首次同步将向 {system} 写入 {number} 条；请先查看 `crmhub plan {entity}`，再放行"
        return Advice(reason, en, zh, f"{release} --reason TEXT")
    en = f"guard {guard} stopped {number} changes of {system}; make sure they are meant, then release it"
    zh = f"批量变更保护 {guard} 拦下 {system} 的 {number} 项变更；请核实后放行"
    return Advice(reason, en, zh, f"{release} --system {system} --reason TEXT")
