"""Routes of sessions: who am I, where am I signed in, and what the security administrator may end."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Request

from hub.access.authorize import Denied, authorize
from hub.access.roles import ACTIONS
from hub.crypto.bearer import csrf_of
from hub.kernel.clock import iso
from hub.operations import sessions as operations
from hub.store.sessions import Session
from hub.web.api.gate import Admitted
from hub.web.api.routes import SIGNED_IN, route

Reference = Annotated[str, Path(max_length=64, pattern=r"^[0-9a-f-]{1,64}$")]
Login = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


@route("GET", "/session", SIGNED_IN, "See who is signed in, and what they may do.", "查看当前登录人及其权限。")
def who_am_i(call: Admitted) -> dict[str, Any]:
    entered, rules, now = call.entered, call.way.at.rules, call.hub.clock.now()
    assert entered is not None
    session = entered.session
    return {
        "login": entered.user.login,
        "display_name": entered.user.display_name,
        "roles": sorted({grant.role for grant in entered.who.held(now)}),
        "may": [name for name in sorted(ACTIONS) if _may(call, name, now)],
        "auth": session.auth,
        "ends_at": iso(session.begun_at + rules.absolute),
        "idle_after_seconds": int(rules.idle),
        "csrf": csrf_of(call.session_token),
    }


def _may(call: Admitted, action: str, now: float) -> bool:
    try:
        authorize(call.hub.who, action, now=now)
    except Denied:
        return False
    return True


@route("GET", "/sessions", "self.manage", "List one's own sessions.", "列出本人的会话。")
def list_sessions(call: Admitted) -> dict[str, Any]:
    assert call.entered is not None
    here = call.entered.session.session_ref
    return {"sessions": [_shown(each, here) for each in operations.list_sessions(call.hub)]}


@route(
    "DELETE",
    "/sessions/{reference}",
    "self.manage",
    "End one of one's own sessions.",
    "结束本人的某个会话。",
    status=204,
)
def end_session(call: Admitted, reference: Reference) -> None:
    operations.end_session(call.hub, reference)


@route(
    "DELETE",
    "/users/{login}/sessions",
    "session.manage",
    "End every session of a person.",
    "结束某用户的全部会话。",
    fresh=True,
)
def end_sessions(call: Admitted, login: Login) -> dict[str, Any]:
    return {"ended": operations.end_sessions(call.hub, login)}


@route(
    "POST",
    "/users/{login}/reset",
    "session.manage",
    "Give a person a new one-time code and forget the second factor; the code is shown once.",
    "重置某用户的登录：发放一次性口令（仅显示一次）并清除动态验证码。",
    fresh=True,
)
def reset_sign_in(call: Admitted, login: Login) -> dict[str, Any]:
    return {"code": operations.reset_sign_in(call.hub, login)}


def _shown(session: Session, here: str) -> dict[str, Any]:
    return {
        "reference": session.session_ref,
        "current": session.session_ref == here,
        "auth": session.auth,
        "stage": session.stage,
        "begun_at": iso(session.begun_at),
        "seen_at": iso(session.seen_at),
        "ip": session.ip,
    }


@route(
    "GET",
    "/openapi.json",
    "status.read",
    "Read the description of this API.",
    "读取本接口的 OpenAPI 说明。",
    by_token=True,
)
def description(call: Admitted, request: Request) -> dict[str, Any]:
    found: dict[str, Any] = request.app.openapi()
    return found
