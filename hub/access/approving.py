"""The rules by which two persons agree: who may answer, and until when. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from hub.access.actor import USER, Actor
from hub.access.authorize import Denied
from hub.access.roles import KINDS, LABELS, Role
from hub.core.deadlines import ZONE
from hub.kernel.errors import Declined
from hub.store.approvals import Approval
from hub.store.users import BREAK_GLASS, User

GLASS_SECONDS = 3600.0
"""Seconds that a role taken by breaking glass lasts, and that the request for it may wait."""


def expiry(asked_at: float, days: int, workday: Callable[[date], bool]) -> float:
    """Returns the end, in Beijing, of the n-th working day after the one on which it was asked, in epoch seconds."""
    day = datetime.fromtimestamp(asked_at, UTC).astimezone(ZONE).date()
    while days:
        day += timedelta(days=1)
        days -= workday(day)
    return datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp() + 86_400


def check_decider(asked: Approval, decider: Actor, people: dict[str, User], now: float) -> None:
    """Raises Denied for who asked, by whatever account, and for who holds no standing role that may agree to this.

    A role taken by breaking glass does not count: nobody agrees by a role that somebody lent.
    """
    if decider.kind != USER:
        raise Denied("only a person who is signed in may agree", "仅已登录的人员可以复核")
    if decider.id == asked.author_id or _one_person(people.get(asked.author_id), people.get(decider.id)):
        raise Denied("who asks does not answer: another person must", "申请人不能复核本人的申请，须由他人复核")
    if asked.change.get("user_id") == decider.id:
        raise Denied("you may not agree to what concerns yourself", "不能复核与本人有关的事项")
    kind = KINDS[asked.kind]
    held = {Role(grant.role) for grant in decider.held(now) if grant.kind != BREAK_GLASS}
    if held.isdisjoint(kind.approvers):
        who = [LABELS[role] for role in Role if role in kind.approvers]
        raise Denied(
            f"you may not agree to this; who may: {', '.join(text.en for text in who)}",
            f"无权复核此事项；有权角色：{'、'.join(text.zh for text in who)}",
        )


def _one_person(one: User | None, other: User | None) -> bool:
    return one is not None and other is not None and one.staff_no is not None and one.staff_no == other.staff_no


def check_open(asked: Approval, state: str, now: float) -> None:
    """Raises Declined for a request that does not stand in a state any more."""
    found = asked.stands(now)
    if found != state:
        raise Declined(
            f"approval {asked.approval_id} is {found}, not {state}; ask anew",
            f"复核事项 {asked.approval_id} 当前状态为 {found}，不是 {state}；请重新申请",
        )
