"""Commands about what was stopped: guard list and release, quarantine list and retry."""

from __future__ import annotations

from typing import Annotated

from hub.cli.commands import Arg, Opt, command
from hub.cli.cycles import local
from hub.cli.desk import Answer, Desk
from hub.operations import guards, holdouts
from hub.operations.choice import entities_of, entity_of

Entity = Annotated[str | None, Opt("the entity (default: the only one)", "业务实体（仅一个时可省略）", ("--entity",))]


Id = Annotated[str, Arg("the row, as `list` shows it", "编号，见 list", "ID")]


@command(
    "guard list",
    "List guards that tripped or were released.",
    "列出已触发或已放行的批量变更保护。",
    action="status.read",
)
def guard_list(desk: Desk, entity: Entity = None) -> Answer:
    with desk.hub() as hub:
        found = [row for name in entities_of(hub, entity) for row in guards.list_guards(hub, name)]

    def show() -> None:
        columns = ("guard", "system", "state", "count", "allowed", "at", "by", "reason")
        rows = []
        for g in found:
            at = local(g.released_at or g.tripped_at)
            rows.append((g.guard, g.system, g.state, g.count, g.allowed, at, g.released_by, g.reason))
        if rows:
            desk.table(columns, rows)
        else:
            desk.say("none", "无")

    return Answer({"guards": found}, show)


@command(
    "guard release",
    "Let through what a guard stopped, up to the number you saw.",
    "放行被拦下的变更。",
    action="guard.release",
)
def guard_release(
    desk: Desk,
    guard: Annotated[
        str,
        Arg(
            "the guard, as `list` shows it; first_sync for the first sync",
            "保护名称，见 list；首次同步为 first_sync",
            "GUARD",
        ),
    ],
    reason: Annotated[str, Opt("why; it is audited", "原因，留痕", ("--reason",))],
    system: Annotated[str | None, Opt("the system", "接入系统", ("--system",))] = None,
    entity: Entity = None,
) -> Answer:
    with desk.hub() as hub:
        made = guards.release_guard(hub, entity_of(hub, entity), guard, system=system, reason=reason)

    def show() -> None:
        for item in made:
            desk.say(
                f"{item.guard} of {item.system} released for {item.allowed} changes; next: crmhub sync",
                f"已放行 {item.system} 的 {item.guard}，限 {item.allowed} 项；下一步：crmhub sync",
            )

    return Answer({"released": made}, show)


@command(
    "quarantine list",
    "List records that were held out, with the reason.",
    "列出异常记录及原因。",
    action="quarantine.read",
)
def quarantine_list(
    desk: Desk, entity: Entity = None, limit: Annotated[int, Opt("rows at most", "最多行数", ("--limit",))] = 200
) -> Answer:
    with desk.hub() as hub:
        found = holdouts.list_held(hub, entity, limit)

    def show() -> None:
        if not found:
            desk.say("none", "无")
            return
        columns = ("id", "system", "object", "record", "field", "code", "reason")
        rows = [(h.quarantine_id, h.system, h.object, h.native_id, h.field, h.code, desk.text(h)) for h in found]
        desk.table(columns, rows)
        desk.say(
            "next: correct the cause, then crmhub quarantine retry ID",
            "下一步：crmhub quarantine retry 编号",
        )

    return Answer({"quarantine": found}, show)


_OUTCOMES = {
    "resend": ("it will be sent again", "将重新发送"),
    "adopt": ("it exists there after all and will be adopted", "该记录已存在，将予以关联"),
    "staged": ("it was read again and will be taken in", "已重新读取，待处理"),
    "gone": ("it was deleted there", "已在该系统中删除"),
}


@command(
    "quarantine retry", "Let a held-out record be tried again.", "重新处理一条异常记录。", action="quarantine.retry"
)
def quarantine_retry(
    desk: Desk, id: Annotated[str, Arg("the row, as `list` shows it", "编号，见 list", "ID")]
) -> Answer:
    with desk.hub() as hub:
        done = holdouts.retry_held(hub, id)

    def show() -> None:
        en, zh = _OUTCOMES[done.outcome]
        place = f"{done.system} {done.native_id}"
        desk.say(f"{place}: {en}; next: crmhub sync", f"{place}：{zh}；下一步：crmhub sync")

    return Answer({"retried": done}, show)
