"""Commands that settle what a person must decide about one field: conflict, hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from hub.cli.commands import Arg, Opt, command
from hub.cli.cycles import local
from hub.cli.desk import Answer, Desk
from hub.cli.records import Reason, Reveal, reason_of
from hub.core.fates import MERGE
from hub.kernel.errors import Declined
from hub.operations import questions
from hub.operations.questions import Asked

Id = Annotated[str, Arg("its id, as `list` shows it", "编号，见 list", "ID")]
Entity = Annotated[str | None, Opt("of one entity only", "仅该业务实体", ("--entity",))]
Limit = Annotated[int, Opt("rows at most", "最多行数", ("--limit",))]


def _list(desk: Desk, kind: str, entity: str | None, limit: int) -> Answer:
    with desk.hub() as hub:
        found = questions.list_questions(hub, kind, entity, limit)

    def show() -> None:
        if not found:
            desk.say("none", "无")
            return
        columns = ("id", "record", "field", "rule", "state", "golden", "candidates")
        desk.table(columns, [_row(desk, item) for item in found])
        word = "--take SYSTEM | --value X | --keep" if kind == "conflict" else "--accept | --reject"
        desk.say(f"next: crmhub {kind} resolve ID {word}", f"下一步：crmhub {kind} resolve 编号 {word}")

    return Answer({f"{kind}s": found}, show)


def _row(desk: Desk, item: Asked) -> Sequence[object]:
    how = {origin: desk.text(text) for origin, text in item.how}
    shown = "; ".join(f"{o}: {value}" + (f" ({how[o]})" if o in how else "") for o, value in item.candidates)
    label = f"{item.field} {desk.text(item.label)}"
    return item.id, item.hub_id, label, item.rule, item.state, item.golden, shown


def _show(desk: Desk, kind: str, question_id: str, reason: str | None) -> Answer:
    with desk.hub() as hub:
        found = questions.show_question(hub, kind, question_id, reason)

    def show() -> None:
        desk.say(f"{kind} {found.id} ({found.state})")
        desk.say(
            f"{found.entity} {found.hub_id}, {found.field} ({found.label.en}), rule {found.rule}",
            f"{found.entity} {found.hub_id}，{found.field}（{found.label.zh}），规则 {found.rule}",
        )
        desk.say(f"since {local(found.opened_at)}", f"自 {local(found.opened_at)}")
        how = {origin: desk.text(text) for origin, text in found.how}
        rows = [(origin, value, how.get(origin, "")) for origin, value in found.candidates]
        desk.table(("from", "value", "change"), [("golden", found.golden, ""), *rows])
        if found.rule == MERGE:
            _explain_merge(desk, found)

    return Answer({kind: found}, show)


def _explain_merge(desk: Desk, found: Asked) -> None:
    desk.say(
        f"{found.system} merged the two. --accept makes one golden record of them and moves what points at "
        f"{found.hub_id}; other systems that hold both keep both until people merge them there. "
        "--reject keeps them apart and detaches the record that is gone. Both need --reason.",
        f"{found.system} 已合并这两条记录。--accept 将两条黄金记录合为一条，指向 {found.hub_id} 的记录一并转移；"
        "其他系统中若两条均存在，须由人工在该系统合并。--reject 保持两条独立，并解除已消失记录的绑定。"
        "均须填写 --reason。",
    )


def _resolved(desk: Desk, found: Asked) -> Answer:
    def show() -> None:
        desk.say(
            f"{found.kind} {found.id} answered ({found.field} of {found.hub_id}); the next cycle applies it",
            f"已答复 {found.id}（{found.hub_id} 的 {found.field}）；下一批次生效",
        )

    return Answer({"resolved": found.id, "kind": found.kind, "hub_id": found.hub_id, "field": found.field}, show)


@command("conflict list", "List open conflicts, values masked.", "列出待处理冲突（值已脱敏）。", action="question.read")
def conflict_list(desk: Desk, entity: Entity = None, limit: Limit = 1000) -> Answer:
    return _list(desk, "conflict", entity, limit)


@command("conflict show", "Show one conflict.", "查看一条冲突。", action="question.read")
def conflict_show(desk: Desk, id: Id, reveal: Reveal = False, reason: Reason = None) -> Answer:
    return _show(desk, "conflict", id, reason_of(reveal, reason))


@command("conflict resolve", "Answer a conflict.", "处理一条冲突。", action="question.answer")
def conflict_resolve(
    desk: Desk,
    id: Id,
    take: Annotated[str | None, Opt("take the value of this candidate", "采用该候选的值", ("--take",))] = None,
    value: Annotated[str | None, Opt("take another value", "采用另一个值", ("--value",))] = None,
    keep: Annotated[bool, Opt("keep the golden value", "保留当前黄金记录的值", ("--keep",))] = False,
) -> Answer:
    with desk.hub() as hub:
        return _resolved(desk, questions.resolve_conflict(hub, id, take=take, value=value, keep=keep))


@command("hold list", "List held changes, values masked.", "列出暂缓变更（值已脱敏）。", action="question.read")
def hold_list(desk: Desk, entity: Entity = None, limit: Limit = 1000) -> Answer:
    return _list(desk, "hold", entity, limit)


@command("hold show", "Show one held change.", "查看一项暂缓变更。", action="question.read")
def hold_show(desk: Desk, id: Id, reveal: Reveal = False, reason: Reason = None) -> Answer:
    return _show(desk, "hold", id, reason_of(reveal, reason))


@command(
    "hold resolve",
    "Let a held change through, or send the golden value back.",
    "放行或退回暂缓变更。",
    action="question.answer",
)
def hold_resolve(
    desk: Desk,
    id: Id,
    accept: Annotated[bool, Opt("let the change through", "放行该变更", ("--accept",))] = False,
    reject: Annotated[bool, Opt("send the golden value back", "以黄金记录的值恢复", ("--reject",))] = False,
    reason: Annotated[str | None, Opt("why; a merge needs it", "原因；合并须填写", ("--reason",))] = None,
) -> Answer:
    if accept == reject:
        raise Declined("answer with either --accept or --reject", "请使用 --accept 或 --reject 之一")
    with desk.hub() as hub:
        return _resolved(desk, questions.resolve_hold(hub, id, accept=accept, reason=reason))
