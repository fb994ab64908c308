"""Commands that prove the audit log: audit verify, checkpoint, epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hub.audit.anchored import Finding
from hub.cli.anchors import say_standing, say_unanchored
from hub.cli.commands import Opt, command
from hub.cli.desk import Answer, Desk, words
from hub.operations import anchoring, audit_data, auditing, checkpointing
from hub.operations.audit_data import Comparison
from hub.operations.auditing import Report


@command(
    "audit verify",
    "Verify the audit log against every anchor: the newest rows, or all. Exit 0 ok, 2 tampered, 3 cannot tell.",
    "对照全部存证校验审计日志：最新部分或全部。退出码 0 通过、2 被篡改、3 无法判定。",
    action="audit.verify",
)
def verify(
    desk: Desk,
    from_anchor: Annotated[
        Path | None,
        Opt("a copy of checkpoints kept elsewhere", "另处留存的检查点文件", ("--from-anchor",)),
    ] = None,
    data: Annotated[
        bool, Opt("compare stored records with the log too", "同时将库内记录与日志比对", ("--data",))
    ] = False,
    full: Annotated[bool, Opt("every row, not the newest only", "校验全部行", ("--full",))] = False,
) -> Answer:
    with desk.hub() as hub:
        # An anchor brought along may stand for rows that lie before the newest.
        report = auditing.examine(hub, from_anchor=from_anchor, full=full or from_anchor is not None)
        compared = audit_data.compare(hub) if data else None
    broken = compared is not None and bool(compared.findings)
    code = auditing.TAMPERED if broken else report.exit_code
    if compared is not None and compared.unclear and code == 0:
        code = auditing.UNCLEAR
    payload = _body(report) | ({} if compared is None else {"data": compared})

    def show() -> None:
        _show(desk, report)
        if compared is not None:
            _show_data(desk, compared)

    return Answer(payload, show, code)


def _body(report: Report) -> dict[str, object]:
    head = {"epoch": report.head.epoch, "seq": report.head.seq, "chain": report.head.chain.hex()}
    return {
        "rows": report.rows,
        "full": report.full,
        "anchors": report.anchors,
        "head": head,
        "findings": [_finding(item) for item in report.findings],
        "unclear": [_finding(item) for item in report.unclear],
        "gaps": report.gaps,
        "unanchored": report.unanchored,
        "audited": report.audited,
    }


def _finding(item: Finding) -> dict[str, object]:
    return {
        "fault": str(item.fault),
        "epoch": item.epoch,
        "row": item.row,
        "source": item.source,
        "text": words(item.text),
    }


def _show(desk: Desk, report: Report) -> None:
    for item in (*report.findings, *report.unclear):
        place = f"{item.source} {item.epoch}:{'' if item.row is None else item.row}"
        desk.say(f"- {place}: {item.text.en}", f"- {place}：{item.text.zh}")
    for gap in report.gaps:
        desk.say(
            f"- epoch {gap.epoch}: rows {gap.kept} to {gap.signed - 1} were lost in a restore: {gap.reason}",
            f"- 纪元 {gap.epoch}：第 {gap.kept} 至 {gap.signed - 1} 行在恢复备份时丢失：{gap.reason}",
        )
    if report.findings:
        desk.say(
            "the audit log was tampered with; keep the database as it is, copy it, and tell the auditors",
            "审计日志被篡改；请保留数据库原状、先行复制，并通知审计人员",
        )
        return
    chain = report.head.chain.hex()
    which_en, which_zh = ("all", "全部") if report.full else ("the newest", "最新")
    desk.say(
        f"{which_en} {report.rows} rows, {report.anchors} anchors verify; head: row {report.head.seq}, chain {chain}",
        f"{which_zh} {report.rows} 行、{report.anchors} 个存证校验通过；末行 {report.head.seq}，链值 {chain}",
    )
    if report.unanchored:
        say_unanchored(desk)


def _show_data(desk: Desk, found: Comparison) -> None:
    for item in (*found.findings, *found.unclear):
        desk.say(f"- {item.entity} {item.hub_id}: {item.text.en}", f"- {item.entity} {item.hub_id}：{item.text.zh}")
    desk.say(
        f"{found.records} records compared with the log, {len(found.findings)} differ",
        f"已将 {found.records} 条记录与日志比对，{len(found.findings)} 条不符",
    )


@command(
    "audit checkpoint",
    "Sign the end of the audit log now, and carry it to the sinks.",
    "立即签名审计日志末尾并送往存证点。",
    action="audit.sign",
)
def checkpoint(
    desk: Desk,
    adopt: Annotated[
        bool,
        Opt("take the log on though nobody knows what was signed last", "签名记录遗失时接受现有日志", ("--adopt",)),
    ] = False,
) -> Answer:
    with desk.hub() as hub:
        made = checkpointing.make_checkpoint(hub, adopt=adopt)
        delivered = anchoring.deliver(hub)
        found = anchoring.standing(hub)

    def show() -> None:
        if made is None:
            desk.say("the log is empty", "日志为空")
        else:
            for line in made.note.rstrip().split("\n"):
                desk.say(line)
        say_standing(desk, found)

    return Answer({"checkpoint": made, "delivered": delivered, "unanchored": found.unanchored}, show)


@command(
    "audit epoch",
    "Begin a new epoch of the audit log: after a restore that was meant, or for another hash.",
    "开始新的日志纪元：在有意的恢复之后，或更换哈希算法时。",
    action="audit.sign",
)
def epoch(desk: Desk, reason: Annotated[str, Opt("why; it is audited", "原因，留痕", ("--reason",))]) -> Answer:
    with desk.hub() as hub:
        made = checkpointing.begin_epoch(hub, reason)
        anchoring.deliver(hub)

    def show() -> None:
        desk.say(f"epoch {made.epoch} has begun", f"已开始纪元 {made.epoch}")

    return Answer({"epoch": made.epoch, "checkpoint": made}, show)
