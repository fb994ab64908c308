"""Commands of signing in: user sign-in, sign-out, password, totp, reset, end-sessions, link, groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from hub.access import door, steps
from hub.access.identity import token_of
from hub.access.roles import HOST
from hub.access.threshold import Threshold, Visitor
from hub.access.tokens import HERE
from hub.cli.asking import Walk, keep_secret
from hub.cli.commands import GROUPS, Arg, Opt, command
from hub.cli.desk import Answer, Desk
from hub.kernel.errors import Text
from hub.operations import oidc, sessions
from hub.operations.doorway import doorway

GROUPS.setdefault("user", Text("Accounts, roles and signing in.", "账号、角色与登录。"))

Login = Annotated[str, Arg("the name one signs in by", "登录名", "LOGIN")]


@contextmanager
def at_door(desk: Desk) -> Iterator[Threshold]:
    """Opens the hub for nobody in particular and yields its door."""
    with desk.hub(signed_in=False) as hub:
        yield doorway(hub, Visitor(HERE), console=False).at


def _settled(desk: Desk, walk: Walk, en: str, zh: str, **more: object) -> Answer:
    def show() -> None:
        desk.say(en, zh)
        if walk.codes:
            desk.say("recovery codes, each works once and is shown only now:", "恢复码，每个仅可使用一次，仅显示一次：")
        for code in walk.codes:
            desk.say(f"  {code}")

    return Answer({**more, "recovery_codes": list(walk.codes)}, show)


@command(
    "user sign-in",
    "Sign in at this terminal: a session of at most 8 hours goes into a file of mode 0600.",
    "在本终端登录：会话（最长 8 小时）写入权限 0600 的文件。",
    action=HOST,
)
def sign_in(
    desk: Desk,
    login: Login,
    file: Annotated[
        Path,
        Opt(
            "a file that is not there yet; name it in CRMHUB_TOKEN_FILE",
            "尚不存在的文件；用 CRMHUB_TOKEN_FILE 指定",
            ("--file",),
        ),
    ],
) -> Answer:
    with at_door(desk) as at:
        walk = Walk(desk, at)
        opened = walk.sign_in(login)
        try:
            keep_secret(file, opened.token)
        except BaseException:
            door.leave(at, opened.token)
            raise
    en, zh = f"signed in; export CRMHUB_TOKEN_FILE={file}", f"已登录；export CRMHUB_TOKEN_FILE={file}"
    return _settled(desk, walk, en, zh, file=str(file), auth=opened.session.auth)


@command("user sign-out", "End the session of this terminal.", "结束本终端的会话。", action=HOST)
def sign_out(desk: Desk) -> Answer:
    token = token_of(os.environ)
    with at_door(desk) as at:
        if token is not None:
            door.leave(at, token)
    return Answer({"signed_out": token is not None}, lambda: desk.say("signed out", "已退出"))


@command(
    "user password",
    "Set your password; the first time with the one-time code, and then your second factor.",
    "设置本人口令；首次使用一次性口令，并录入动态验证码。",
    action=HOST,
)
def password(desk: Desk, login: Login) -> Answer:
    with at_door(desk) as at:
        walk = Walk(desk, at)
        opened = walk.sign_in(login)
        try:
            if not walk.renewed:
                steps.change_password(at, opened.token, walk.new_password())
        finally:
            door.leave(at, opened.token)
    return _settled(desk, walk, "the password is set", "口令已设置", login=login)


@command(
    "user totp",
    "Take your second factor into use, and get ten recovery codes.",
    "启用本人的动态验证码，并取得十个恢复码。",
    action=HOST,
)
def second_factor(desk: Desk, login: Login) -> Answer:
    with at_door(desk) as at:
        walk = Walk(desk, at)
        door.leave(at, walk.sign_in(login).token)
    en = "the second factor is in use" if walk.codes else "it was in use already; another one: ask for a reset"
    zh = "动态验证码已启用" if walk.codes else "早已启用；如需更换，请由安全管理员重置"
    return _settled(desk, walk, en, zh, login=login, enrolled=bool(walk.codes))


@command(
    "user reset",
    "Give somebody a new one-time code and forget their second factor and sessions.",
    "重置他人的登录：发放一次性口令，清除动态验证码和会话。",
    action="session.manage",
)
def reset(desk: Desk, login: Login) -> Answer:
    with desk.hub() as hub:
        code = sessions.reset_sign_in(hub, login)
    return Answer(
        {"login": login, "code": code},
        lambda: desk.say(
            f"{login}: one-time code {code}, for a day, shown only now",
            f"{login}：一次性口令 {code}，24 小时内有效，仅显示一次",
        ),
    )


@command("user end-sessions", "End every session of somebody.", "结束某用户的全部会话。", action="session.manage")
def end_sessions(desk: Desk, login: Login) -> Answer:
    with desk.hub() as hub:
        ended = sessions.end_sessions(hub, login)
    return Answer(
        {"login": login, "ended": ended}, lambda: desk.say(f"{ended} sessions ended", f"已结束 {ended} 个会话")
    )


@command(
    "user link",
    "Say by which subject the identity provider knows somebody.",
    "登记统一身份认证中的用户标识（sub）。",
    action="session.manage",
)
def link(
    desk: Desk,
    login: Login,
    subject: Annotated[str, Arg("the sub claim; empty takes it away", "sub 值；留空则解除", "SUBJECT")] = "",
) -> Answer:
    with desk.hub() as hub:
        sessions.link_identity(hub, login, subject)
    linked = bool(subject)
    return Answer(
        {"login": login, "linked": linked},
        lambda: desk.say(
            f"{login} is {'linked' if linked else 'not linked'}", f"{login} {'已关联' if linked else '未关联'}"
        ),
    )


@command(
    "user groups",
    "Show which groups of the identity provider give which roles, or approve that table.",
    "查看或批准统一身份认证用户组与角色的对应。",
    action="session.manage",
)
def groups(
    desk: Desk,
    approve: Annotated[
        str | None, Opt("approve the table that has this digest", "批准具有此摘要的对应表", ("--approve",))
    ] = None,
) -> Answer:
    with desk.hub() as hub:
        found = oidc.show_groups(hub) if approve is None else oidc.approve_groups(hub, approve)

    def show() -> None:
        desk.table(("name", "rule", "from"), [(name, *pair) for name, pair in found.table.items()])
        state = (
            ("approved", "已批准")
            if found.approved
            else ("not approved: no group gives a role", "未批准：用户组不产生角色")
        )
        desk.say(f"{found.digest}: {state[0]}", f"{found.digest}：{state[1]}")

    return Answer({"groups": found.table, "digest": found.digest, "approved": found.approved}, show)
