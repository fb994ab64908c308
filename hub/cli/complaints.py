"""Commands about complaints as a process: complaint list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from hub.cli.commands import GROUPS, Opt, command
from hub.cli.cycles import local
from hub.cli.desk import Answer, Desk
from hub.cli.terms import HEADINGS
from hub.kernel.errors import Text
from hub.operations import complaints
from hub.operations.complaints import ComplaintList, ComplaintView

GROUPS["complaint"] = Text("See complaints by where they stand.", "按办理情况查看投诉。")
HEADINGS.update(
    {
        "branch": "机构",
        "due": "办理期限",
        "extension": "延期",
        "feedback": "反馈时间",
        "received": "收到时间",
        "reopened": "重开次数",
        "staff": "承办人",
        "status": "处理状态",
    }
)
COLUMNS = ("hub id", "status", "received", "due", "extension", "feedback", "reopened", "branch", "staff", "")


@command(
    "complaint list",
    "List complaints, the first due first, from what stands in plaintext.",
    "按办理期限先后列出投诉（仅用明文索引字段）。",
    action="complaint.read",
)
def complaint_list(
    desk: Desk,
    open: Annotated[bool, Opt("only those not yet ended", "仅未办结", ("--open",))] = False,
    overdue: Annotated[
        bool, Opt("only open, unanswered and past the due date", "仅逾期未反馈", ("--overdue",))
    ] = False,
    closed_without_feedback: Annotated[
        bool, Opt("only those closed without feedback", "仅未反馈即结案", ("--closed-without-feedback",))
    ] = False,
    branch: Annotated[str | None, Opt("only of this branch code", "仅该机构编码", ("--branch",))] = None,
    limit: Annotated[int, Opt("rows at most, up to 1000", "最多行数，不超过 1000", ("--limit",))] = 100,
) -> Answer:
    with desk.hub() as hub:
        found = complaints.list_complaints(
            hub,
            open=open,
            overdue=overdue,
            closed_without_feedback=closed_without_feedback,
            branch=branch,
            limit=limit,
        )
        statuses = dict(hub.schema.enums["complaint_status"])
    payload = {
        "complaints": found.complaints,
        "more": found.more,
        "counts": found.counts,
        "calendar_until": found.calendar_until,
    }
    return Answer(payload, lambda: _show(desk, found, statuses))


def _show(desk: Desk, found: ComplaintList, statuses: dict[str, Text]) -> None:
    if found.complaints:
        desk.table(COLUMNS, [_row(desk, item, statuses) for item in found.complaints])
    else:
        desk.say("none", "无")
    if found.more:
        desk.say("there are more; raise --limit or narrow the question", "还有更多；请提高 --limit 或缩小范围")
    number = found.counts
    desk.say(
        f"in all: {number['open']} open, {number['overdue']} overdue, "
        f"{number['closed_without_feedback']} closed without feedback, {number['reopened']} reopened",
        f"合计：未办结 {number['open']}，逾期 {number['overdue']}，"
        f"未反馈即结案 {number['closed_without_feedback']}，曾重开 {number['reopened']}",
    )
    if number.get("past_calendar"):
        year = found.calendar_until
        desk.say(
            f"{number['past_calendar']} due dates lie after {year}: its holidays are the last known, later days are "
            "counted Monday to Friday; upgrade chinesecalendar when the next year is published",
            f"{number['past_calendar']} 个办理期限晚于 {year} 年：节假日安排仅已知至该年，之后按周一至周五计；"
            "次年安排公布后请升级 chinesecalendar",
        )


def _row(desk: Desk, item: ComplaintView, statuses: dict[str, Text]) -> Sequence[object]:
    shown = item.fields
    status = shown["status"]
    marks = []
    if item.overdue:
        marks.append(desk.word("overdue", "逾期"))
    if item.closed_without_feedback:
        marks.append(desk.word("no feedback", "未反馈"))
    return (
        item.hub_id,
        desk.text(statuses[status]) if status in statuses else status,
        _moment(shown["received_at"]),
        _moment(shown["due_at"]),
        shown["extension"],
        _moment(shown["feedback_at"]),
        shown["reopened_count"],
        shown["branch_code"],
        shown["staff_no"],
        ", ".join(marks),
    )


def _moment(instant: str) -> str:
    return local(datetime.fromisoformat(instant).timestamp()) if instant else ""
