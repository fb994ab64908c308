"""Accounts and roles: made by the system administrator, approved and given roles by the security administrator."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from pathlib import Path

from hub.access.branches import ROOT, checked_path
from hub.access.identity import MARKER
from hub.access.roles import ADMINISTRATORS, LABELS, ROLES, TIME_LIMITED, Role, clash
from hub.audit.event import Event
from hub.kernel.errors import Declined
from hub.kernel.ids import secret_text
from hub.kernel.redaction import redact
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import credentials, users
from hub.store.unit_of_work import UnitOfWork
from hub.store.users import ACTIVE, BOOTSTRAP, DISABLED, STANDING, Grant, User

CODE_SECONDS = 24 * 3600.0
DAY = 86_400.0
_LOGIN = re.compile(r"[a-z][a-z0-9._-]{1,63}")


@dataclass(frozen=True, slots=True)
class Invited:
    """Is an account with the one-time code by which its owner signs in first; the code is shown this once."""

    user: User
    code: str = attribute(repr=False)


@permit("user.bootstrap")
def bootstrap(hub: Installation, system: str, security: str, audit: str) -> list[Invited]:
    """Makes the three administrators, each with a one-time code, and ends the rights of the machine's account.

    It works once. Raises Declined where users are set up, or where two of the three are one.
    """
    logins = [checked_login(name) for name in (system, security, audit)]
    if len(set(logins)) < len(logins):
        raise Declined(
            "the system, the security and the audit administrator are three persons",
            "系统管理员、安全管理员、审计管理员须为三个不同的人",
        )
    made = []
    with hub.store.begin() as work:
        users.note_set_up(work)
        for login, role in zip(logins, (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN), strict=True):
            user_id = work.new_id()
            grant = Grant(work.new_id(), user_id, role, ROOT, STANDING, None, BOOTSTRAP, work.now)
            user = User(user_id, login, login, None, ROOT, ACTIVE, work.now, BOOTSTRAP, grants=(grant,))
            made.append(_invite(work, users.save(work, user)))
            work.audit(Event("user.create", "user", user_id, reason=login))
            work.audit(Event("role.grant", "user", user_id, code=role, reason=BOOTSTRAP))
        work.audit(Event("user.bootstrap", "installation", hub.settings.installation.id))
        # Before the commit: were the note lost, the store says so; were the store emptied, the note says so.
        _mark(hub.settings.var)
    return made


def _mark(var: Path) -> None:
    var.mkdir(parents=True, exist_ok=True)
    (var / MARKER).touch(mode=0o600)


@permit("user.read")
def list_users(hub: Installation) -> list[User]:
    """Returns every account with its grants; `broken` names what was changed behind the hub's back."""
    with hub.store.read() as conn:
        return list(users.load(conn, hub.store.ring).values())


@permit("user.read")
def show_user(hub: Installation, login: str) -> User:
    """Returns one account. Raises NotFound."""
    with hub.store.read() as conn:
        return users.get(conn, hub.store.ring, login)


@permit("user.create")
def create_user(hub: Installation, login: str, name: str, *, branch: str = ROOT, staff_no: str | None = None) -> User:
    """Makes a disabled account without a role. Raises Declined for a name that is taken or malformed."""
    wanted, path = checked_login(login), checked_path(branch)
    # By it two accounts are one person: neither a space nor an empty one may tell them apart or join them.
    number = (staff_no or "").strip() or None
    with hub.store.begin() as work:
        if users.by_login(work.conn, hub.store.ring, wanted) is not None:
            raise Declined(f"user {wanted} exists already", f"用户 {wanted} 已存在")
        user_id = work.new_id()
        made = User(user_id, wanted, name.strip()[:120] or wanted, number, path, DISABLED, work.now, hub.who.id)
        made = users.save(work, made)
        work.audit(Event("user.create", "user", user_id, reason=wanted))
    return made


@permit("user.enable")
def enable_user(hub: Installation, login: str) -> Invited:
    """Approves an account, or opens one that failures closed, with a fresh one-time code that works for a day."""
    with hub.store.begin() as work:
        user = users.get(work.conn, hub.store.ring, login)
        _not_oneself(hub, user)
        if user.created_by == hub.who.id:
            raise Declined("who made an account does not approve it", "建立账号的人不能启用该账号")
        made = _invite(work, users.set_state(work, user, ACTIVE))
        credentials.open_again(work, user.user_id)
        work.audit(Event("user.enable", "user", user.user_id))
    return made


@permit("user.disable")
def disable_user(hub: Installation, login: str, reason: str) -> User:
    """Disables an account at once. Raises Declined for the last of one of the three administrators."""
    said = _reason(reason)
    with hub.store.begin() as work:
        user = users.get(work.conn, hub.store.ring, login)
        _keep_one(hub, work, user, [grant.role for grant in user.grants if grant.live(work.now)])
        made = users.set_state(work, user, DISABLED)
        work.audit(Event("user.disable", "user", user.user_id, reason=said))
    return made


@permit("role.grant")
def revoke_role(hub: Installation, login: str, role: str, reason: str) -> User:
    """Takes a role back at once, in every branch. Raises Declined for the last of one of the three administrators."""
    said, wanted = _reason(reason), checked_role(role)
    with hub.store.begin() as work:
        user = users.get(work.conn, hub.store.ring, login)
        ended = [grant for grant in user.grants if grant.role == wanted and grant.live(work.now)]
        if not ended:
            raise Declined(f"{login} does not hold {wanted}", f"{login} 未持有角色{LABELS[wanted].zh}")
        _keep_one(hub, work, user, [wanted])
        made = users.save(work, replace(user, grants=tuple(_ended(g, g in ended, work, hub) for g in user.grants)))
        work.audit(Event("role.revoke", "user", user.user_id, code=wanted, reason=said))
    return made


def _ended(grant: Grant, now: bool, work: UnitOfWork, hub: Installation) -> Grant:
    return replace(grant, revoked_at=work.now, revoked_by=hub.who.id) if now else grant


@permit("role.grant")
def restore_user(hub: Installation, login: str, reason: str) -> User:
    """Puts an account that was changed behind the hub's back to what its seal says."""
    said = _reason(reason)
    with hub.store.begin() as work:
        user = users.get(work.conn, hub.store.ring, login)
        if not user.broken:
            raise Declined(f"the rows of {login} agree with their seal", f"{login} 的数据与封印一致")
        made = users.restore(work, user.user_id)
        work.audit(Event("user.restore", "user", user.user_id, reason=f"{', '.join(user.broken)}: {said}"))
    return made


@permit("status.read")
def report_forged(hub: Installation) -> list[User]:
    """Returns the accounts whose rows do not agree with their seal, and audits each: somebody changed them by SQL."""
    with hub.store.read() as conn:
        forged = [user for user in users.load(conn, hub.store.ring).values() if user.broken]
    if forged:
        with hub.store.begin() as work:
            for user in forged:
                said = ", ".join(user.broken)
                work.audit(Event("access.forged", "user", user.user_id, "error", "HUB-ACCESS-004", reason=said))
    return forged


def add_grant(work: UnitOfWork, user: User, grant: Grant) -> User:
    """Gives a role, in the unit of work of who decided it. Raises Declined where the roles exclude each other."""
    tidy = tuple(_expired(old, work.now) for old in user.grants)
    live = [Role(old.role) for old in tidy if old.live(work.now)]
    check_together(user, live if grant.kind == STANDING else ADMINISTRATORS.intersection(live), Role(grant.role))
    if any(old.live(work.now) and (old.role, old.scope) == (grant.role, grant.scope) for old in tidy):
        raise Declined(f"{user.login} holds {grant.role} there already", f"{user.login} 已持有该角色")
    return users.save(work, replace(user, grants=(*tidy, grant)))


def _expired(grant: Grant, now: float) -> Grant:
    """Closes a grant that ended by itself, so that the database does not count it any more."""
    over = grant.revoked_at is None and not grant.live(now)
    return replace(grant, revoked_at=grant.expires_at, revoked_by="expiry") if over else grant


def check_together(user: User, live: Iterable[Role], role: Role) -> None:
    """Raises Declined where a person may not hold a role beside others."""
    pair = clash([*live, role])
    if pair is not None:
        one, other = (LABELS[each] for each in pair)
        raise Declined(
            f"{user.login} may not be {one.en} and {other.en} at once; revoke one first, or give it to another person",
            f"{user.login} 不能同时为{one.zh}和{other.zh}；请先收回其一，或授予其他人员",
            code="HUB-ACCESS-007",
        )


def checked_login(login: str) -> str:
    """Returns the name one signs in by. Raises Declined."""
    name = login.strip().lower()
    if not _LOGIN.fullmatch(name):
        raise Declined(
            "a login has 2 to 64 characters a-z, 0-9, dot, - and _, the first a letter",
            "登录名为 2 至 64 个字符：a-z、0-9、点、- 和 _，首字符为字母",
        )
    return name


def checked_role(role: str) -> Role:
    """Returns a role by its name. Raises Declined naming them all."""
    if role not in ROLES:
        known = ", ".join(Role)
        raise Declined(f"{role} is no role; the roles are: {known}", f"没有角色 {role}；可选：{known}")
    return Role(role)


def checked_end(role: Role, expires_at: float | None, now: float) -> float | None:
    """Returns when a grant ends. Raises Declined for a past instant, and for a role that must end sooner."""
    days = TIME_LIMITED.get(role)
    if expires_at is not None and expires_at <= now:
        raise Declined("a grant cannot end before it begins", "授权的截止时间须晚于现在")
    if days is not None and (expires_at is None or expires_at > now + days * DAY):
        raise Declined(
            f"{LABELS[role].en} is granted for {days} days at most: --until DATE",
            f"{LABELS[role].zh}最长授予 {days} 天：--until 日期",
        )
    return expires_at


def _invite(work: UnitOfWork, user: User) -> Invited:
    code = secret_text()
    return Invited(users.give_code(work, user, code, work.now + CODE_SECONDS), code)


def _not_oneself(hub: Installation, user: User) -> None:
    if user.user_id == hub.who.id:
        raise Declined("nobody does this for himself", "不能为本人办理")


def _keep_one(hub: Installation, work: UnitOfWork, user: User, roles: Sequence[str]) -> None:
    """Keeps at least one sound, active holder of each administrator's role: without one nobody could give it again."""
    others = [
        other
        for other in users.load(work.conn, hub.store.ring).values()
        if other.user_id != user.user_id and other.state == ACTIVE and not other.broken
    ]
    for role in ADMINISTRATORS.intersection(map(Role, roles)):
        if not any(g.role == role and g.kind == STANDING and g.live(work.now) for o in others for g in o.grants):
            raise Declined(
                f"{user.login} is the last {LABELS[role].en}; give the role to another person first",
                f"{user.login} 是最后一名{LABELS[role].zh}；请先授予其他人员",
            )


def _reason(reason: str) -> str:
    if not reason.strip():
        raise Declined("say why: --reason TEXT", "须填写原因：--reason 文本")
    return redact(reason)[:512]
