"""Commands about accounts and roles: user bootstrap, list, show, create, enable, disable, grant, revoke and so on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

from hub.access.roles import LABELS, ROLES, Role
from hub.cli.commands import Arg, Opt, command
from hub.cli.cycles import local
from hub.cli.desk import Answer, Desk
from hub.cli.terms import ACCOUNTS
from hub.core.deadlines import ZONE, end_of
from hub.kernel.errors import Declined
from hub.operations import granting, users
from hub.operations.users import Invited
from hub.store.approvals import Approval
from hub.store.users import BREAK_GLASS, Grant, User

Login = Annotated[str, Arg("the name one signs in by", "登录名", "LOGIN")]
RoleName = Annotated[str, Arg(", ".join(Role), "、".join(f"{role}（{LABELS[role].zh}）" for role in Role), "ROLE")]
Branch = Annotated[str, Opt("branch path, such as /010/03/; / is the whole bank", "机构路径，/ 为全行", ("--branch",))]
Why = Annotated[str, Opt("why; it is audited", "原因，留痕", ("--reason",))]
Ticket = Annotated[str, Opt("change-ticket number", "变更单号", ("--ticket",))]


@command(
    "user bootstrap",
    "Make the three administrators, once; from then on the account of the machine may do nothing by itself.",
    "建立三名管理员（仅一次）；此后本机账号不能直接操作。",
    action="user.bootstrap",
)
def bootstrap(
    desk: Desk,
    system: Annotated[str, Opt("login of the system administrator", "系统管理员登录名", ("--system-admin",))],
    security: Annotated[str, Opt("login of the security administrator", "安全管理员登录名", ("--security-admin",))],
    audit: Annotated[str, Opt("login of the audit administrator", "审计管理员登录名", ("--audit-admin",))],
) -> Answer:
    with desk.hub() as hub:
        made = users.bootstrap(hub, system, security, audit)
    return _invited(desk, made)


def _invited(desk: Desk, made: Sequence[Invited]) -> Answer:
    def show() -> None:
        for item in made:
            held = _roles(desk, item.user.grants)
            desk.say(
                f"{item.user.login} ({held}): one-time code {item.code}", f"{item.user.login}（{held}）：{item.code}"
            )
        desk.say(
            "each code works once, within a day, and is not shown again; hand it to its owner alone",
            "一次性代码 24 小时内有效，仅可使用一次，不再显示；请分别交给本人",
        )

    shown = [{**_user(item.user), "code": item.code} for item in made]
    return Answer({"users": shown}, show)


def _roles(desk: Desk, grants: Sequence[Grant]) -> str:
    words = []
    for grant in grants:
        label = desk.text(LABELS[Role(grant.role)]) if grant.role in ROLES else grant.role
        words.append(f"{label} {grant.scope}" if grant.scope != "/" else label)
    return ", ".join(words)


def _user(user: User) -> dict[str, object]:
    grants = [
        {"role": g.role, "scope": g.scope, "kind": g.kind, "expires_at": g.expires_at, "granted_by": g.granted_by}
        for g in user.grants
        if g.revoked_at is None
    ]
    return {
        "user_id": user.user_id,
        "login": user.login,
        "name": user.display_name,
        "branch": user.branch_path,
        "staff_no": user.staff_no,
        "state": user.state,
        "roles": grants,
        "broken": list(user.broken),
    }


@command("user list", "List accounts, their roles and their state.", "列出账号、角色与状态。", action="user.read")
def user_list(desk: Desk) -> Answer:
    with desk.hub() as hub:
        found, now = users.list_users(hub), hub.clock.now()

    def show() -> None:
        rows = [
            (
                u.login,
                u.display_name,
                desk.word("FORGED", "被篡改") if u.broken else desk.word(u.state, ACCOUNTS[u.state]),
                u.branch_path,
                _live(desk, u, now),
            )
            for u in found
        ]
        desk.table(("login", "name", "state", "branch", "roles"), rows)

    return Answer({"users": [_user(user) for user in found]}, show)


def _live(desk: Desk, user: User, now: float) -> str:
    return _roles(desk, [grant for grant in user.grants if grant.live(now)])


@command("user show", "Show one account and every grant it ever had.", "查看账号及全部授权记录。", action="user.read")
def user_show(desk: Desk, login: Login) -> Answer:
    with desk.hub() as hub:
        found, now = users.show_user(hub, login), hub.clock.now()

    def show() -> None:
        desk.say(
            f"{found.login} ({found.display_name}): {found.state}, branch {found.branch_path}",
            f"{found.login}（{found.display_name}）：{ACCOUNTS[found.state]}，机构 {found.branch_path}",
        )
        for what in found.broken:
            desk.say(f"changed behind the hub's back: {what}", f"被绕过系统修改：{what}")
        rows = [_grant_row(desk, grant, now) for grant in found.grants]
        desk.table(("role", "branch", "state", "at", "until", "by"), rows)

    return Answer({"user": {**_user(found), "grants": list(found.grants)}}, show)


def _grant_row(desk: Desk, grant: Grant, now: float) -> Sequence[object]:
    state = desk.word("live", "有效") if grant.live(now) else desk.word("ended", "已结束")
    if grant.kind == BREAK_GLASS:
        state = f"{state}, {desk.word('break-glass', '应急')}"
    ends = grant.revoked_at or grant.expires_at
    until = "" if ends is None else local(ends)
    return _roles(desk, [grant]), grant.scope, state, local(grant.granted_at), until, grant.granted_by


@command("user create", "Make a disabled account.", "建立停用账号。", action="user.create")
def user_create(
    desk: Desk,
    login: Login,
    name: Annotated[str, Opt("display name", "姓名", ("--name",))],
    branch: Branch = "/",
    staff_no: Annotated[str | None, Opt("staff number", "工号", ("--staff-no",))] = None,
) -> Answer:
    with desk.hub() as hub:
        made = users.create_user(hub, login, name, branch=branch, staff_no=staff_no)
    return Answer(
        {"user": _user(made)},
        lambda: desk.say(
            f"{made.login} is made, disabled; the security administrator approves it: crmhub user enable {made.login}",
            f"已建立停用账号 {made.login}；由安全管理员启用：crmhub user enable {made.login}",
        ),
    )


@command(
    "user enable", "Approve an account, or unlock it, with a one-time code.", "启用或解锁账号。", action="user.enable"
)
def user_enable(desk: Desk, login: Login) -> Answer:
    with desk.hub() as hub:
        return _invited(desk, [users.enable_user(hub, login)])


@command("user disable", "Disable an account at once.", "立即停用账号。", action="user.disable")
def user_disable(desk: Desk, login: Login, reason: Why) -> Answer:
    with desk.hub() as hub:
        return _changed(desk, users.disable_user(hub, login, reason))


def _changed(desk: Desk, user: User) -> Answer:
    def show() -> None:
        held = _roles(desk, [grant for grant in user.grants if grant.revoked_at is None]) or desk.word("none", "无")
        desk.say(f"{user.login} is {user.state}; roles: {held}", f"{user.login}：{ACCOUNTS[user.state]}；角色：{held}")

    return Answer({"user": _user(user)}, show)


@command(
    "user grant",
    "Give a role over a branch; a privileged one once a second person agreed.",
    "授予角色；特权角色须由第二人复核。",
    action="role.grant",
)
def user_grant(
    desk: Desk,
    login: Login,
    role: RoleName,
    branch: Branch = "/",
    until: Annotated[str | None, Opt("last day, YYYY-MM-DD", "截止日期 YYYY-MM-DD", ("--until",))] = None,
    at: Annotated[str | None, Opt("begin at, 2026-12-01T08:00+08:00", "生效时间", ("--at",))] = None,
    ticket: Ticket = "",
    reason: Why = "",
) -> Answer:
    end = None if until is None else datetime.fromisoformat(end_of(_day(until))).timestamp()
    start = None if at is None else _instant(at)
    with desk.hub() as hub:
        made = granting.grant_role(
            hub, login, role, branch=branch, expires_at=end, ticket=ticket, reason=reason, activate_at=start
        )
    return asked(desk, made) if isinstance(made, Approval) else _changed(desk, made)


def asked(desk: Desk, made: Approval) -> Answer:
    """Answers with a request that waits for a second person."""
    return Answer(
        {"approval": made.approval_id, "expires_at": made.expires_at, "digest": made.digest.hex()},
        lambda: desk.say(
            f"asked for: crmhub approval approve {made.approval_id}, by another person, until {local(made.expires_at)}",
            f"已提交复核：由他人于 {local(made.expires_at)} 前执行 crmhub approval approve {made.approval_id}",
        ),
    )


@command("user revoke", "Take a role back at once.", "立即收回角色。", action="role.grant")
def user_revoke(desk: Desk, login: Login, role: RoleName, reason: Why) -> Answer:
    with desk.hub() as hub:
        return _changed(desk, users.revoke_role(hub, login, role, reason))


@command(
    "user restore",
    "Put an account that was changed behind the hub's back to what its seal says.",
    "将被绕过系统修改的账号恢复为封印所载内容。",
    action="role.grant",
)
def user_restore(desk: Desk, login: Login, reason: Why) -> Answer:
    with desk.hub() as hub:
        return _changed(desk, users.restore_user(hub, login, reason))


@command(
    "user break-glass",
    "Ask for a role for an hour; a second person gives it, and every act under it is flagged.",
    "申请 60 分钟应急权限；由第二人授予，期间每项操作均标记留痕。",
    action="break_glass.ask",
)
def user_break_glass(desk: Desk, role: RoleName, ticket: Ticket, reason: Why) -> Answer:
    with desk.hub() as hub:
        return asked(desk, granting.break_glass(hub, role, ticket=ticket, reason=reason))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Declined("--until takes a day: YYYY-MM-DD", "--until 应为日期：YYYY-MM-DD") from None


def _instant(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Declined(
            "--at takes an instant, such as 2026-12-01T08:00+08:00", "--at 应为时间，如 2026-12-01T08:00+08:00"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=ZONE)).timestamp()
