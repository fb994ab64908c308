"""API tokens as people manage them: their own, and those of everybody for the security administrator."""

from __future__ import annotations

from hub.access import tokens
from hub.access.actor import USER
from hub.access.tokens import TOKEN, Wanted
from hub.audit.event import Event
from hub.crypto.bearer import ApiToken
from hub.kernel.errors import Declined, NotFound
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import api_tokens, credentials, users
from hub.store.api_tokens import ApiTokenRow


@permit("self.manage")
def create_token(hub: Installation, wanted: Wanted) -> tuple[ApiTokenRow, ApiToken]:
    """Makes a token of who is signed in; its text is shown once. Raises Declined."""
    if hub.who.kind != USER or hub.who.auth == TOKEN:
        raise Declined(
            "a token is made by a person who signed in, not by another token",
            "令牌只能由已登录人员创建，不能由其他令牌创建",
        )
    asked = tokens.checked(wanted, hub.settings.web.token_days)
    if not tokens.narrower(hub.who, asked.branch, hub.clock.now()):
        raise Declined(f"branch {asked.branch} lies outside what you may see", f"机构 {asked.branch} 不在本人范围内")
    pepper = credentials.pepper(hub.store)
    with hub.store.begin() as work:
        return tokens.make(work, pepper, hub.who, asked)


@permit("self.manage")
def list_tokens(hub: Installation) -> list[ApiTokenRow]:
    """Returns the tokens of who is signed in, the newest first; their secrets are not kept."""
    with hub.store.read() as conn:
        return api_tokens.of_user(conn, hub.who.id)


@permit("self.manage")
def revoke_token(hub: Installation, token_id: str) -> ApiTokenRow:
    """Ends a token of who is signed in. Raises NotFound, also for one of somebody else."""
    return _revoke(hub, token_id, hub.who.id)


@permit("session.manage")
def list_all_tokens(hub: Installation, login: str | None = None) -> list[ApiTokenRow]:
    """Returns the tokens of everybody, or of one person. Raises NotFound."""
    with hub.store.read() as conn:
        user_id = None if login is None else users.get(conn, hub.store.ring, login).user_id
        return api_tokens.of_user(conn, user_id)


@permit("session.manage")
def revoke_any_token(hub: Installation, token_id: str) -> ApiTokenRow:
    """Ends a token of anybody. Raises NotFound."""
    return _revoke(hub, token_id, None)


def _revoke(hub: Installation, token_id: str, owner: str | None) -> ApiTokenRow:
    with hub.store.begin() as work:
        row = api_tokens.get(work.conn, token_id)
        if row is None or owner not in (None, row.user_id):
            raise NotFound(
                f"there is no token {token_id}; see `crmhub token list`",
                f"没有令牌 {token_id}；请查看 `crmhub token list`",
            )
        if api_tokens.revoke(work, token_id, hub.who.id):
            work.audit(Event("token.revoke", "token", token_id, corr=row.user_id))
        return api_tokens.get(work.conn, token_id) or row
