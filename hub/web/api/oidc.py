"""Routes of a sign-in at the identity provider: away, and back with a code that works once and in this browser."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from hub.access.oidc import FLOW_FOR
from hub.operations import oidc as operations
from hub.web.api.gate import Admitted, set_cookie
from hub.web.api.routes import OPEN, route
from hub.web.api.signin import Body

FLOW = "__Host-crmhub-oidc"
Word = Annotated[str, Query(max_length=2048)]


class Digest(Body):
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@route("GET", "/oidc/start", OPEN, "Go to the identity provider to sign in.", "前往统一身份认证登录。", status=303)
def start(call: Admitted) -> Response:
    departed = operations.depart(call.way)
    answer = RedirectResponse(departed.address, 303)
    answer.set_cookie(
        FLOW, departed.binding, max_age=int(FLOW_FOR), path="/", secure=True, httponly=True, samesite="lax"
    )
    return answer


@route("GET", "/oidc/callback", OPEN, "Come back from the identity provider.", "从统一身份认证返回。", status=303)
def callback(call: Admitted, request: Request, state: Word = "", code: Word = "", iss: Word | None = None) -> Response:
    opened = operations.arrive(call.way, state, code, request.cookies.get(FLOW, ""), iss)
    call.leave()
    answer = RedirectResponse(f"{call.hub.settings.web.public_url}/", 303)
    set_cookie(answer, opened.token, call.way.at.rules.absolute)
    answer.delete_cookie(FLOW, path="/", secure=True, httponly=True, samesite="lax")
    return answer


@route("GET", "/oidc/groups", "session.manage", "See which groups give which roles.", "查看用户组与角色的对应。")
def groups(call: Admitted) -> dict[str, Any]:
    return _shown(operations.show_groups(call.hub))


@route(
    "POST",
    "/oidc/groups/approve",
    "role.grant",
    "Approve the table of groups by its digest.",
    "按摘要批准用户组对应表。",
    fresh=True,
)
def approve(call: Admitted, body: Digest) -> dict[str, Any]:
    return _shown(operations.approve_groups(call.hub, body.digest))


def _shown(found: operations.Groups) -> dict[str, Any]:
    table = {name: {"role": role, "branch": branch} for name, (role, branch) in found.table.items()}
    return {"groups": table, "digest": found.digest, "approved": found.approved}
