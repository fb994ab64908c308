"""Commands about erasure: erasure run, list, admit; legal-hold place, list, lift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from hub.cli.commands import GROUPS, Arg, Opt, command
from hub.cli.cycles import local
from hub.cli.desk import Answer, Desk
from hub.cli.records import Record
from hub.cli.terms import HEADINGS
from hub.kernel.errors import Text
from hub.operations import erasing
from hub.operations.choice import record_of
from hub.store.erasure import Certificate, LegalHold

GROUPS["erasure"] = Text("Erase people, and keep them from coming back.", "删除个人信息，并防止重新导入。")
GROUPS["legal-hold"] = Text("Keep records from being erased.", "法律保全：禁止删除。")
HEADINGS.update(
    {
        "erased": "删除时间",
        "records": "记录数",
        "ticket or letter": "工单或函件",
        "admitted": "准许",
        "placed": "保全时间",
    }
)
Why = Annotated[str, Opt("why; audited", "原因，将留痕", ("--reason",))]
Ticket = Annotated[str | None, Opt("the ticket or letter behind it", "依据的工单或函件", ("--ticket",))]
Approval = Annotated[str | None, Opt("what a second person agreed to", "已通过的复核事项编号", ("--approval",))]
HubId = Annotated[str, Arg("hub id", "统一编号", "HUB_ID")]


@command(
    "erasure run",
    "Erase a customer for good: destroy its key, empty its rows, and write a certificate.",
    "彻底删除客户：销毁其密钥、清空其数据并出具证明。",
    action="retention.change",
)
def erase(desk: Desk, record: Record, reason: Why, ticket: Ticket = None, approval: Approval = None) -> Answer:
    with desk.hub() as hub:
        made = erasing.erase_record(hub, record_of(hub, record), reason, ticket, approval)
    return Answer({"certificate": made}, lambda: _show(desk, [made]))


@command("erasure list", "List what was erased, the newest first.", "列出删除证明。", action="retention.read")
def listing(
    desk: Desk,
    record: Annotated[str | None, Opt("only of this hub id", "仅该统一编号", ("--record",))] = None,
    limit: Annotated[int, Opt("rows at most", "最多行数", ("--limit",))] = 100,
) -> Answer:
    with desk.hub() as hub:
        found = erasing.list_erasures(hub, record, limit)
    return Answer({"certificates": found}, lambda: _show(desk, found))


@command(
    "erasure admit",
    "Let a person who was erased come back as a new record.",
    "准许已删除者作为新记录重新建立。",
    action="retention.change",
)
def admit(desk: Desk, hub_id: HubId, reason: Why, ticket: Ticket = None) -> Answer:
    with desk.hub() as hub:
        made = erasing.admit_again(hub, hub_id, reason, ticket)
    return Answer({"certificate": made}, lambda: _show(desk, [made]))


def _show(desk: Desk, found: Sequence[Certificate]) -> None:
    columns = ("erased", "hub id", "entity", "records", "ticket or letter", "by", "admitted")
    rows = [
        (
            local(item.erased_at),
            item.hub_id,
            item.entity,
            ", ".join(f"{name} {number}" for name, number in item.records.items()),
            item.ticket,
            item.erased_by,
            "" if item.admitted_at is None else local(item.admitted_at),
        )
        for item in found
    ]
    desk.table(columns, rows) if rows else desk.say("none", "无")


@command(
    "legal-hold place", "Keep a record from being erased.", "对记录实施法律保全，禁止删除。", action="retention.change"
)
def place(desk: Desk, record: Record, reason: Why, ticket: Ticket = None) -> Answer:
    with desk.hub() as hub:
        made = erasing.place_hold(hub, record_of(hub, record), reason, ticket)
    return Answer({"legal_hold": made}, lambda: _show_holds(desk, [made]))


@command("legal-hold list", "List legal holds, the oldest first.", "列出法律保全。", action="retention.read")
def holds(
    desk: Desk,
    all_: Annotated[bool, Opt("also those that were lifted", "包括已解除的", ("--all",))] = False,
) -> Answer:
    with desk.hub() as hub:
        found = erasing.list_holds(hub, standing=not all_)
    return Answer({"legal_holds": found}, lambda: _show_holds(desk, found))


@command("legal-hold lift", "Lift a legal hold.", "解除法律保全。", action="retention.change")
def lift(
    desk: Desk,
    legal_hold: Annotated[str, Arg("id of the hold", "保全编号", "LEGAL_HOLD")],
    reason: Why,
    ticket: Ticket = None,
) -> Answer:
    with desk.hub() as hub:
        erasing.lift_hold(hub, legal_hold, reason, ticket)
    return Answer({"lifted": legal_hold}, lambda: desk.say("lifted", "已解除"))


def _show_holds(desk: Desk, found: Sequence[LegalHold]) -> None:
    rows = [
        (item.legal_hold_id, item.hub_id, local(item.placed_at), item.placed_by, item.ticket, item.reason)
        for item in found
    ]
    columns = ("id", "hub id", "placed", "by", "ticket or letter", "reason")
    desk.table(columns, rows) if rows else desk.say("none", "无")
