"""Commands about one value: record reveal, record probe."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

from hub.cli.commands import Arg, Opt, command
from hub.cli.cycles import local
from hub.cli.desk import Answer, Desk, stopping
from hub.cli.records import Record
from hub.operations import revealing
from hub.operations.choice import record_of
from hub.operations.revealing import Revealed

Name = Annotated[str, Arg("the field", "字段", "FIELD")]
Why = Annotated[str, Opt("why; it is audited", "原因，留痕", ("--reason",))]
Ticket = Annotated[str, Opt("ticket number", "工单号", ("--ticket",))]
ERASE = "\x1b[1A\x1b[2K"
"""Takes the last line of a terminal away (ECMA-48)."""


@command(
    "record reveal",
    "Show one value of one record whole, for a minute; audited before it is shown, and counted.",
    "查看一条记录的一个明文字段（限时一分钟，先留痕后显示，计入每日额度）。",
    action="record.reveal",
)
def reveal(desk: Desk, record: Record, field: Name, reason: Why, ticket: Ticket) -> Answer:
    with desk.hub() as hub:
        found = revealing.reveal_field(hub, record_of(hub, record), field, reason=reason, ticket=ticket)
        seconds = hub.settings.access.reveal_seconds

    return Answer({"revealed": found}, lambda: _show(desk, found, seconds))


def _show(desk: Desk, found: Revealed, seconds: int) -> None:
    desk.say(
        f"{found.field} of {found.hub_id}, for {seconds} s; {found.left_today} more today",
        f"{found.hub_id} 的 {found.field}，显示 {seconds} 秒；今日剩余 {found.left_today} 次",
    )
    desk.say(found.value, found.value)
    if sys.stdout.isatty():
        with stopping() as stop:
            stop.wait(seconds)
        sys.stdout.write(ERASE)


@command(
    "record probe",
    "Ask whether a record has, or had, a value that you suspect; the value is prompted for and never shown.",
    "核对一条记录是否（曾）为某疑似值；该值以提示方式输入，不显示。",
    action="record.probe",
)
def probe(desk: Desk, record: Record, field: Name, reason: Why, ticket: Ticket) -> Answer:
    prompt = desk.word("suspected value: ", "疑似值：")
    suspected = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    with desk.hub() as hub:
        found = revealing.probe_field(hub, record_of(hub, record), field, suspected, reason=reason, ticket=ticket)

    def show() -> None:
        said = ("it has this value", "现值与之一致") if found.now else ("it has another value now", "现值与之不一致")
        desk.say(*said)
        sides = {"before": desk.word("before", "之前"), "after": desk.word("after", "之后")}
        desk.table(("at", "revision", "match"), [(local(at), rev, sides[side]) for at, rev, side in found.changes])

    return Answer({"probed": found}, show)
