"""Roles are given by the security administrator, privileged ones by two persons; for an hour by breaking glass."""

from __future__ import annotations

from hub.access.approving import GLASS_SECONDS
from hub.access.branches import ROOT, checked_path
from hub.access.roles import ADMINISTRATORS, BREAK_GLASS, LABELS, PRIVILEGED, Role
from hub.audit.event import Event
from hub.kernel.errors import Declined
from hub.operations.approvals import ask, carries_out
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.operations.users import add_grant, check_together, checked_end, checked_role
from hub.store import users
from hub.store.approvals import Approval
from hub.store.unit_of_work import UnitOfWork
from hub.store.users import ACTIVE, STANDING, Grant, User


@permit("role.grant")
def grant_role(
    hub: Installation,
    login: str,
    role: str,
    *,
    branch: str = ROOT,
    expires_at: float | None = None,
    ticket: str = "",
    reason: str = "",
    activate_at: float | None = None,
) -> User | Approval:
    """Gives a role over a branch and all below it; a privileged one is asked for, and given when it is agreed to.

    Raises NotFound, and Declined for oneself, for roles that exclude each other, and for a role that must end.
    """
    wanted, scope = checked_role(role), checked_path(branch)
    end = checked_end(wanted, expires_at, hub.clock.now())
    with hub.store.read() as conn:
        user = users.get(conn, hub.store.ring, login)
    if user.user_id == hub.who.id:
        raise Declined("nobody gives himself a role", "不能为本人授予角色")
    now = hub.clock.now()
    check_together(user, [Role(grant.role) for grant in user.grants if grant.live(now)], wanted)
    if wanted in PRIVILEGED or activate_at is not None:
        change = {"user_id": user.user_id, "role": wanted.value, "scope": scope, "expires_at": end}
        return ask(hub, "role.grant", change, ticket=ticket, reason=reason, activate_at=activate_at)
    with hub.store.begin() as work:
        fresh = users.get(work.conn, hub.store.ring, login)
        grant = Grant(work.new_id(), user.user_id, wanted, scope, STANDING, end, hub.who.id, work.now)
        made = add_grant(work, fresh, grant)
        work.audit(Event("role.grant", "user", user.user_id, code=wanted, reason=reason or None, branch=scope))
    return made


@carries_out("role.grant")
def _grant(hub: Installation, work: UnitOfWork, asked: Approval) -> None:
    change = asked.change
    checked_end(Role(change["role"]), change["expires_at"], work.now)
    _give(hub, work, asked, STANDING, change["scope"], change["expires_at"])


@permit("break_glass.ask")
def break_glass(hub: Installation, role: str, *, ticket: str, reason: str) -> Approval:
    """Asks for a role for an hour; a second person gives it by approving. Every act under it is flagged.

    Raises Declined for a role that cannot be taken so, and for an administrator who asks for another administrator's.
    """
    wanted = checked_role(role)
    if wanted not in BREAK_GLASS:
        known = ", ".join(sorted(BREAK_GLASS))
        raise Declined(
            f"{LABELS[wanted].en} cannot be taken by breaking glass; what can: {known}",
            f"{LABELS[wanted].zh}不能通过应急方式取得；可选：{known}",
        )
    with hub.store.read() as conn:
        user = users.load(conn, hub.store.ring, [hub.who.id]).get(hub.who.id)
    if user is None:
        raise Declined("only a person who is signed in breaks glass", "仅已登录的人员可申请应急权限")
    # What the groups of an identity provider give stands in the session, not among the person's own rows.
    grants = (*user.grants, *hub.who.grants)
    held = {Role(grant.role) for grant in grants if grant.live(hub.clock.now())}
    check_together(user, ADMINISTRATORS & held, wanted)
    change = {"user_id": user.user_id, "role": wanted.value, "scope": ROOT, "seconds": int(GLASS_SECONDS)}
    return ask(hub, "break_glass", change, ticket=ticket, reason=reason)


@carries_out("break_glass")
def _break(hub: Installation, work: UnitOfWork, asked: Approval) -> None:
    _give(hub, work, asked, users.BREAK_GLASS, ROOT, work.now + asked.change["seconds"])


def _give(
    hub: Installation, work: UnitOfWork, asked: Approval, kind: str, scope: str, expires_at: float | None
) -> None:
    change = asked.change
    user = users.load(work.conn, hub.store.ring, [change["user_id"]])[change["user_id"]]
    if user.state != ACTIVE and kind == users.BREAK_GLASS:
        raise Declined(f"user {user.login} is {user.state}", f"用户 {user.login} 当前状态为 {user.state}")
    by = (asked.decided_by if kind == users.BREAK_GLASS else asked.author_id) or ""
    grant = Grant(work.new_id(), user.user_id, change["role"], scope, kind, expires_at, by, work.now, asked.approval_id)
    add_grant(work, user, grant)
    act = "break_glass.grant" if kind == users.BREAK_GLASS else "role.grant"
    event = Event(
        act,
        "user",
        user.user_id,
        code=grant.role,
        ticket=asked.ticket,
        approver=asked.decided_by,
        reason=asked.reason,
        branch=scope,
    )
    work.audit(event)
