"""Four eyes: what one person asks for, another agrees to, and the act that needs it carries out once.

An act that needs a second person calls `require_approval` with exactly what it is going to do, and `take` in the commit
that does it. What the hub can carry out by itself registers with `carries_out`, and happens when it is agreed to, or at
the instant that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from hub.access.actor import LOCAL
from hub.access.approving import GLASS_SECONDS, check_decider, check_open, expiry
from hub.access.authorize import Denied
from hub.access.roles import KINDS
from hub.audit.event import Event
from hub.kernel.errors import Declined
from hub.kernel.redaction import redact
from hub.kernel.workdays import Workdays
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import approvals, users
from hub.store.approvals import APPROVED, DONE, OPEN, REJECTED, VOID, Approval
from hub.store.unit_of_work import UnitOfWork

Act = Callable[[Installation, UnitOfWork, Approval], None]
ACTS: Final[dict[str, Act]] = {}
"""Kinds that the hub carries out by itself once they are agreed to."""


class ApprovalPending(Declined):
    """Is raised where a second person has to agree first; it names the request that was made."""

    code = "HUB-ACCESS-006"

    def __init__(self, asked: Approval) -> None:
        super().__init__(
            f"this takes a second person: approval {asked.approval_id} was asked for; when it is approved, run the "
            f"same command with --approval {asked.approval_id}",
            f"此操作须由第二人复核：已提交复核事项 {asked.approval_id}；通过后请以 --approval {asked.approval_id} "
            "重新运行同一命令",
        )
        self.approval_id = asked.approval_id


def carries_out(kind: str) -> Callable[[Act], Act]:
    """Registers what the hub does itself when a kind of request is agreed to; it raises to refuse."""

    def add(act: Act) -> Act:
        ACTS[kind] = act
        return act

    return add


def require_approval(
    hub: Installation,
    kind: str,
    change: Mapping[str, Any],
    *,
    approval_id: str | None,
    ticket: str,
    reason: str,
) -> Approval | None:
    """Returns the approval of exactly this change, for `take`; None while users are not set up: there is nobody else.

    Without an approval it makes the request and raises ApprovalPending. One that was given for anything else is void
    from now on, and Declined is raised; Denied for another person's. Call it before the act's own unit of work.
    """
    if hub.who.open and hub.who.kind == LOCAL:
        return None
    if approval_id is None:
        raise ApprovalPending(ask(hub, kind, change, ticket=ticket, reason=reason))
    with hub.store.read() as conn:
        asked = approvals.get(conn, hub.store.ring, approval_id)
    # Asked first: nobody voids what another person asked for.
    _check_author(hub, asked)
    if asked.digest != approvals.digest_of(kind, change):
        _end(hub, asked, VOID, "edited")
        raise Declined(
            f"approval {approval_id} was given for another change and is void now; ask anew",
            f"复核事项 {approval_id} 针对的是另一项变更，现已失效；请重新申请",
            code="HUB-ACCESS-005",
        )
    _check_usable(hub, asked)
    return asked


def take(hub: Installation, work: UnitOfWork, asked: Approval | None) -> str | None:
    """Uses an approval up, in the commit of the act, and returns who agreed, for the act's own audit event."""
    if asked is None:
        return None
    fresh = approvals.get(work.conn, hub.store.ring, asked.approval_id)
    _check_usable(hub, fresh)
    approvals.save(work, replace(fresh, state=DONE, done_at=work.now))
    work.audit(_event("approval.done", fresh))
    return fresh.decided_by


def _check_usable(hub: Installation, asked: Approval) -> None:
    now = hub.clock.now()
    check_open(asked, APPROVED, now)
    _check_author(hub, asked)
    if asked.activate_at is not None and now < asked.activate_at:
        raise Declined("it may not be carried out before the instant it was asked for", "尚未到申请的生效时间")


def _check_author(hub: Installation, asked: Approval) -> None:
    if asked.author_id != hub.who.id:
        raise Denied("only who asked for it carries it out", "仅申请人可执行")


def ask(
    hub: Installation,
    kind: str,
    change: Mapping[str, Any],
    *,
    ticket: str,
    reason: str,
    activate_at: float | None = None,
) -> Approval:
    """Asks for the agreement of a second person. Raises Declined without a change-ticket number or a reason."""
    if not ticket.strip() or not reason.strip():
        raise Declined(
            "name the change ticket and the reason: --ticket NUMBER --reason TEXT",
            "须填写变更单号与原因：--ticket 单号 --reason 文本",
        )
    now = hub.clock.now()
    short = KINDS[kind].name == "break_glass"
    until = now + GLASS_SECONDS if short else expiry(now, hub.settings.access.approval_days, Workdays(_uncounted))
    if activate_at is not None and not now < activate_at < until:
        raise Declined(
            "the instant must lie ahead, and before the approval expires", "生效时间须晚于现在，且早于复核到期时间"
        )
    with hub.store.begin() as work:
        made = Approval(
            work.new_id(),
            kind,
            dict(change),
            hub.who.id,
            redact(ticket.strip())[:64],
            redact(reason)[:512],
            OPEN,
            now,
            until,
            activate_at,
        )
        made = approvals.save(work, made)
        work.audit(_event("approval.ask", made))
    return made


def _uncounted(year: int) -> None:
    """A request of a year without published holidays expires by weekdays; the shorter life is the safe one."""


@permit("approval.read")
def list_approvals(hub: Installation, *, every: bool = False) -> list[Approval]:
    """Returns the requests that stand open or wait to be carried out; `every` one with it."""
    with hub.store.read() as conn:
        return approvals.load(conn, hub.store.ring, states=approvals.STATES if every else (OPEN, APPROVED))


@permit("approval.read")
def show_approval(hub: Installation, approval_id: str) -> Approval:
    """Returns one request. Raises NotFound, and Declined for a forged one."""
    with hub.store.read() as conn:
        return approvals.get(conn, hub.store.ring, approval_id)


@permit("approval.decide")
def approve(hub: Installation, approval_id: str, *, digest: str | None = None) -> Approval:
    """Agrees to a request; what the hub carries out itself happens in the same commit, unless it was asked for later.

    `digest` is what the person saw: where the request says another thing now, nothing happens.
    """
    with hub.store.begin() as work:
        asked = _decidable(hub, work, approval_id)
        if digest is not None and not asked.digest.hex().startswith(digest.lower()):
            raise Declined("the request is not the one that you looked at", "该事项与您查看的内容不一致")
        given = replace(asked, state=APPROVED, decided_by=hub.who.id, decided_at=work.now)
        given = approvals.save(work, given)
        work.audit(_event("approval.approve", given))
        if given.kind in ACTS and given.activate_at is None:
            given = _carry_out(hub, work, given)
    return given


@permit("approval.decide")
def reject(hub: Installation, approval_id: str, reason: str) -> Approval:
    """Refuses a request, for good. Raises Declined without a reason."""
    if not reason.strip():
        raise Declined("say why: --reason TEXT", "须填写原因：--reason 文本")
    with hub.store.begin() as work:
        asked = _decidable(hub, work, approval_id)
        made = replace(asked, state=REJECTED, decided_by=hub.who.id, decided_at=work.now)
        made = approvals.save(work, made)
        work.audit(_event("approval.reject", made, redact(reason)))
    return made


@permit("daemon.run")
def activate_due(hub: Installation) -> list[Approval]:
    """Carries out what was agreed to for an instant that has come; what cannot be carried out any more is void."""
    now = hub.clock.now()
    with hub.store.read() as conn:
        waiting = approvals.load(conn, hub.store.ring, states=(APPROVED,))
    done = []
    for asked in waiting:
        if asked.kind in ACTS and asked.activate_at is not None and asked.activate_at <= now and not asked.broken:
            try:
                check_open(asked, APPROVED, now)
                with hub.store.begin() as work:
                    done.append(_carry_out(hub, work, asked))
            except Declined as refused:
                _end(hub, asked, VOID, refused.code)
    return done


def _carry_out(hub: Installation, work: UnitOfWork, given: Approval) -> Approval:
    ACTS[given.kind](hub, work, given)
    made = approvals.save(work, replace(given, state=DONE, done_at=work.now))
    work.audit(_event("approval.done", made))
    return made


def _decidable(hub: Installation, work: UnitOfWork, approval_id: str) -> Approval:
    asked = approvals.get(work.conn, hub.store.ring, approval_id)
    people = users.load(work.conn, hub.store.ring, [asked.author_id, hub.who.id])
    check_open(asked, OPEN, work.now)
    check_decider(asked, hub.who, people, work.now)
    return asked


def _end(hub: Installation, asked: Approval, state: str, code: str) -> None:
    with hub.store.begin() as work:
        fresh = approvals.get(work.conn, hub.store.ring, asked.approval_id)
        if fresh.state in (OPEN, APPROVED):
            approvals.save(work, replace(fresh, state=state))
            work.audit(replace(_event(f"approval.{state}", fresh), code=code))


def _event(act: str, made: Approval, reason: str | None = None) -> Event:
    return Event(
        act,
        made.kind,
        made.approval_id,
        digest=made.digest.hex(),
        ticket=made.ticket,
        approver=made.decided_by,
        reason=made.reason if reason is None else reason,
    )
