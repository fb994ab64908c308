"""Routes of API tokens: made by a person who has just proved to be there, shown once, never in an address."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from hub.access.tokens import Wanted
from hub.kernel.clock import iso
from hub.operations import tokens as operations
from hub.store.api_tokens import ApiTokenRow
from hub.web.api.gate import Admitted
from hub.web.api.routes import route
from hub.web.api.signin import Body

TokenId = Annotated[str, Path(pattern=r"^[a-z2-9]{8}$")]


class NewToken(Body):
    name: Annotated[str, Field(min_length=1, max_length=64)]
    days: Annotated[int, Field(ge=1, le=90)]
    only: Annotated[list[str], Field(max_length=60)] | None = None
    branch: Annotated[str, Field(max_length=200)] | None = None
    networks: Annotated[list[str], Field(max_length=20, default_factory=list)]


@route("GET", "/tokens", "self.manage", "List one's own API tokens.", "列出本人的 API 令牌。")
def list_tokens(call: Admitted) -> dict[str, Any]:
    now = call.hub.clock.now()
    return {"tokens": [shown(row, now) for row in operations.list_tokens(call.hub)]}


@route(
    "POST",
    "/tokens",
    "self.manage",
    "Make an API token; its text is shown once.",
    "创建 API 令牌，仅显示一次。",
    fresh=True,
    status=201,
)
def create_token(call: Admitted, body: NewToken) -> dict[str, Any]:
    only = None if body.only is None else tuple(body.only)
    wanted = Wanted(body.name, body.days, only, body.branch, tuple(body.networks))
    row, token = operations.create_token(call.hub, wanted)
    return {"token": token.text, **shown(row, call.hub.clock.now())}


@route(
    "DELETE",
    "/tokens/{token_id}",
    "self.manage",
    "Revoke one of one's own API tokens.",
    "吊销本人的 API 令牌。",
    status=204,
)
def revoke_token(call: Admitted, token_id: TokenId) -> None:
    operations.revoke_token(call.hub, token_id)


@route("GET", "/all-tokens", "session.manage", "List the API tokens of everybody.", "列出全部 API 令牌。")
def list_all_tokens(call: Admitted) -> dict[str, Any]:
    now = call.hub.clock.now()
    return {"tokens": [shown(row, now) for row in operations.list_all_tokens(call.hub)]}


@route(
    "DELETE",
    "/all-tokens/{token_id}",
    "session.manage",
    "Revoke an API token of anybody.",
    "吊销任意 API 令牌。",
    fresh=True,
    status=204,
)
def revoke_any_token(call: Admitted, token_id: TokenId) -> None:
    operations.revoke_any_token(call.hub, token_id)


@route("GET", "/whoami", "status.read", "See for whom an API token acts.", "查看 API 令牌所属人。", by_token=True)
def whoami(call: Admitted) -> dict[str, Any]:
    who, now = call.hub.who, call.hub.clock.now()
    only = None if who.only is None else sorted(who.only)
    roles = sorted({grant.role for grant in who.held(now)})
    return {"id": who.id, "login": who.name, "auth": who.auth, "roles": roles, "only": only, "branch": who.branch}


def shown(row: ApiTokenRow, now: float) -> dict[str, Any]:
    """Returns a token as people see it: all but its secret."""
    return {
        "id": row.token_id,
        "user_id": row.user_id,
        "name": row.name,
        "only": row.only,
        "branch": row.branch,
        "networks": row.networks,
        "made_at": iso(row.made_at),
        "expires_at": iso(row.expires_at),
        "used_at": None if row.used_at is None else iso(row.used_at),
        "state": "live" if row.live(now) else "revoked" if row.revoked_at is not None else "expired",
    }
