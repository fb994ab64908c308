"""Commands of the second person: approval list, show, approve, reject."""

from __future__ import annotations

from typing import Annotated

import orjson

from hub.access.roles import KINDS
from hub.cli.commands import Arg, Opt, command
from hub.cli.cycles import local
from hub.cli.desk import Answer, Desk
from hub.operations import approvals
from hub.store.approvals import Approval

Id = Annotated[str, Arg("its id, as `list` shows it", "编号，见 list", "ID")]


def _body(item: Approval, now: float) -> dict[str, object]:
    return {
        "approval_id": item.approval_id,
        "kind": item.kind,
        "state": item.stands(now),
        "change": dict(item.change),
        "digest": item.digest.hex(),
        "asked_by": item.author_id,
        "ticket": item.ticket,
        "reason": item.reason,
        "asked_at": item.asked_at,
        "expires_at": item.expires_at,
        "activate_at": item.activate_at,
        "decided_by": item.decided_by,
        "forged": item.broken,
    }


@command("approval list", "List what waits for a second person.", "列出待复核事项。", action="approval.read")
def approval_list(
    desk: Desk, every: Annotated[bool, Opt("also what is answered", "包括已处理的", ("--all",))] = False
) -> Answer:
    with desk.hub() as hub:
        found, now = approvals.list_approvals(hub, every=every), hub.clock.now()

    def show() -> None:
        rows = [
            (a.approval_id, _kind(desk, a), a.stands(now), a.author_id, a.ticket, local(a.expires_at), a.reason)
            for a in found
        ]
        desk.table(("id", "kind", "state", "asked by", "ticket", "until", "reason"), rows)

    return Answer({"approvals": [_body(item, now) for item in found]}, show)


def _kind(desk: Desk, item: Approval) -> str:
    known = KINDS.get(item.kind)
    return item.kind if known is None else desk.text(known.text)


@command("approval show", "Show exactly what is asked for.", "查看申请的具体内容。", action="approval.read")
def approval_show(desk: Desk, id: Id) -> Answer:
    with desk.hub() as hub:
        found, now = approvals.show_approval(hub, id), hub.clock.now()

    def show() -> None:
        desk.say(
            f"{_kind(desk, found)}: {found.stands(now)}, ticket {found.ticket}, asked by {found.author_id}, "
            f"until {local(found.expires_at)}",
            f"{_kind(desk, found)}：{desk.term(found.stands(now))}，变更单 {found.ticket}，申请人 {found.author_id}，"
            f"有效至 {local(found.expires_at)}",
        )
        desk.say(f"reason: {found.reason}", f"原因：{found.reason}")
        change = orjson.dumps(dict(found.change), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
        for line in change.splitlines():
            desk.say(line, line)
        desk.say(f"SHA-256 {found.digest.hex()}", f"SHA-256 {found.digest.hex()}")

    return Answer({"approval": _body(found, now)}, show)


@command("approval approve", "Agree to what another asks for.", "同意他人提交的事项。", action="approval.decide")
def approval_approve(
    desk: Desk,
    id: Id,
    digest: Annotated[
        str | None, Opt("beginning of the SHA-256 that you saw", "所见 SHA-256 的开头", ("--digest",))
    ] = None,
) -> Answer:
    with desk.hub() as hub:
        return _answered(desk, approvals.approve(hub, id, digest=digest))


@command("approval reject", "Refuse what another asks for.", "驳回他人提交的事项。", action="approval.decide")
def approval_reject(desk: Desk, id: Id, reason: Annotated[str, Opt("why", "原因", ("--reason",))]) -> Answer:
    with desk.hub() as hub:
        return _answered(desk, approvals.reject(hub, id, reason))


def _answered(desk: Desk, made: Approval) -> Answer:
    return Answer(
        {"approval": made.approval_id, "state": made.state},
        lambda: desk.say(f"{made.approval_id} is {made.state}", f"{made.approval_id}：{desk.term(made.state)}"),
    )
