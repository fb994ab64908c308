"""Routes of a sign-in: name and password, then whatever the account still lacks, each step under a new cookie."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from hub.access import door, steps
from hub.crypto.bearer import csrf_of
from hub.web.api.gate import Admitted, set_cookie
from hub.web.api.routes import OPEN, SIGNED_IN, STEP, route

Secret = Annotated[str, Field(max_length=512, repr=False)]


class Body(BaseModel):
    """Is strict: no unknown field, no guessed type, and what was typed appears in no message."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class NameAndPassword(Body):
    name: Annotated[str, Field(max_length=128)]
    password: Secret


class Code(Body):
    code: Annotated[str, Field(max_length=64, repr=False)]


class Password(Body):
    password: Secret


class Proof(Body):
    code: Annotated[str, Field(max_length=64, repr=False)]
    password: Secret = ""


@route(
    "POST",
    "/sign-in",
    OPEN,
    "Sign in with name and password, or with a one-time code.",
    "以用户名和口令或一次性口令登录。",
)
def sign_in(call: Admitted, body: NameAndPassword) -> dict[str, Any]:
    opened = door.sign_in(call.way.at, body.name, body.password)
    call.leave()
    return call.give(opened)


@route("GET", "/sign-in", STEP, "See what a sign-in waits for.", "查看登录的下一步。")
def waits_for(call: Admitted) -> dict[str, Any]:
    assert call.entered is not None
    session = call.entered.session
    return {"stage": session.stage, "auth": session.auth, "csrf": csrf_of(call.session_token)}


@route("POST", "/sign-in/code", STEP, "Give a code of the second factor, or a recovery code.", "提交验证码或恢复码。")
def give_code(call: Admitted, body: Code) -> dict[str, Any]:
    return call.give(steps.give_code(call.way.at, call.session_token, body.code))


@route("POST", "/sign-in/password", STEP, "Set the password that a sign-in waits for.", "设置登录所需的新口令。")
def renew(call: Admitted, body: Password) -> dict[str, Any]:
    return call.give(steps.renew(call.way.at, call.session_token, body.password))


@route(
    "POST",
    "/sign-in/second-factor",
    STEP,
    "Get a second factor for an app, shown once.",
    "获取动态验证码密钥，仅显示一次。",
)
def enrol(call: Admitted) -> dict[str, Any]:
    made = steps.enrol(call.way.at, call.session_token)
    return {"uri": made.uri, "secret": made.secret}


@route(
    "POST",
    "/sign-in/second-factor/confirm",
    STEP,
    "Give its first code; answers with ten recovery codes, shown once.",
    "提交首个验证码；返回十个恢复码，仅显示一次。",
)
def confirm(call: Admitted, body: Code) -> dict[str, Any]:
    opened, codes = steps.confirm(call.way.at, call.session_token, body.code)
    return {**call.give(opened), "recovery_codes": list(codes)}


@route("POST", "/sign-out", STEP, "Leave; also in the middle of a sign-in.", "退出登录；登录未完成时亦可。", status=204)
def sign_out(call: Admitted) -> None:
    door.leave(call.way.at, call.session_token)
    set_cookie(call.response, "", 0)


@route(
    "POST",
    "/prove",
    SIGNED_IN,
    "Prove again to be there, for acts that ask for it; under a new cookie.",
    "再次验证身份，用于敏感操作；会话标识随之更换。",
)
def prove(call: Admitted, body: Proof) -> dict[str, Any]:
    return call.give(steps.prove(call.way.at, call.session_token, body.password, body.code))


@route(
    "PUT",
    "/password",
    "self.manage",
    "Set another password; other sessions end.",
    "修改口令；其他会话随之结束。",
    fresh=True,
    status=204,
)
def change_password(call: Admitted, body: Password) -> None:
    steps.change_password(call.way.at, call.session_token, body.password)
