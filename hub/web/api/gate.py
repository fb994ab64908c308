"""The gate of every route: whose request it is, that a page of ours sent it, and that its permission is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from hub.access import door, tokens
from hub.access.authorize import Denied, SignInRequired, authorize
from hub.access.door import Entered
from hub.access.refusals import ForeignPage, ProofAsked, SessionEnded
from hub.access.threshold import Opened, Visitor
from hub.audit.event import Event
from hub.crypto.bearer import csrf_of
from hub.kernel.settings import Settings
from hub.operations.doorway import Doorway, doorway
from hub.operations.installation import Installation
from hub.store.sessions import FULL
from hub.web.api.routes import OPEN, SIGNED_IN, STEP, Route

COOKIE = "__Host-crmhub"
PROOF = "x-csrf-token"


@dataclass(slots=True)
class Call:
    """Is one request behind its gate. `hub` acts for who sent it; `token` is the session's, None for an API token."""

    hub: Installation
    way: Doorway
    response: Response
    entered: Entered | None = None
    token: str | None = None

    def give(self, opened: Opened) -> dict[str, Any]:
        """Answers with a session under its new token, which goes into the cookie and nowhere else."""
        set_cookie(self.response, opened.token, self.way.at.rules.absolute)
        return {"stage": opened.session.stage, "auth": opened.session.auth, "csrf": csrf_of(opened.token)}

    def leave(self) -> None:
        """Ends the session that this browser had: nothing of it carries on into a new one."""
        if self.token is not None:
            door.leave(self.way.at, self.token)

    @property
    def session_token(self) -> str:
        """Returns the token of the session. Raises SessionEnded where an API token acts."""
        if self.token is None:
            raise SessionEnded
        return self.token


def set_cookie(response: Response, token: str, seconds: float) -> None:
    """Sets the session's cookie, an empty one to forget it: this host only, TLS only, no script, no foreign page."""
    lasts = int(seconds) if token else 0
    response.set_cookie(COOKIE, token, max_age=lasts, path="/", secure=True, httponly=True, samesite="lax")


def gate(found: Route, opened: Callable[[], Installation]) -> Callable[[Request, Response], None]:
    """Returns the check of one route; it leaves a Call for the handler."""

    def check(request: Request, response: Response) -> None:
        hub = opened()
        way = doorway(hub, visitor_of(request, hub.settings))
        request.state.call = _admit(found, request, way, response)

    return check


def current(request: Request) -> Call:
    """Returns the request as its gate left it."""
    call: Call = request.state.call
    return call


Admitted = Annotated[Call, Depends(current)]


def _admit(found: Route, request: Request, way: Doorway, response: Response) -> Call:
    bearer = request.headers.get("authorization")
    if bearer is not None:
        return _by_token(found, bearer, way, response)
    token = request.cookies.get(COOKIE)
    if found.own_page:
        _own_page(request, way, None if found.permission == OPEN else token)
    if found.permission == OPEN:
        return Call(way.hub, way, response, token=token)
    if token is None:
        raise SessionEnded
    entered = door.enter(way.at, token, stage=None if found.permission == STEP else FULL)
    call = Call(way.inside(entered.who), way, response, entered, token)
    if found.permission not in (STEP, SIGNED_IN):
        _permit(found, call.hub)
    if found.fresh and not door.fresh(way.at, entered.session):
        raise ProofAsked
    return call


def _by_token(found: Route, header: str, way: Doorway, response: Response) -> Call:
    """Returns the call of an API token: no cookie goes with it, so no foreign page can make a browser send it."""
    kind, _, text = header.partition(" ")
    store = way.hub.store
    with store.read() as conn:
        ip = way.at.visitor.ip or ""
        presented = tokens.present(conn, store.ring, text.strip(), store.clock.now(), ip)
    if kind.lower() != "bearer":
        presented = replace(presented, who=None)
    tokens.note(store, presented)
    if presented.who is None:
        raise SessionEnded
    call = Call(way.inside(presented.who), way, response)
    if not found.by_token:
        _refuse(call.hub, found, Denied("sign in for this; no token does it", "此操作须由本人登录，令牌无效"))
    _permit(found, call.hub)
    return call


def _permit(found: Route, hub: Installation) -> None:
    """Refuses before the body is looked at; the operation behind asks again, for the very record."""
    try:
        authorize(hub.who, found.permission, now=hub.clock.now())
    except SignInRequired:
        raise SessionEnded from None
    except Denied as denied:
        _refuse(hub, found, denied)


def _refuse(hub: Installation, found: Route, denied: Denied) -> None:
    with hub.store.begin() as work:
        work.audit(Event("access.denied", "action", found.permission, "denied", denied.code, reason=found.path))
    raise denied


def _own_page(request: Request, way: Doorway, token: str | None) -> None:
    """Raises ForeignPage for a change that no page of ours sent; browsers send the origin with every one."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin", "").lower()
    proof = request.headers.get(PROOF, "")
    right = origin == way.hub.settings.web.origin and site == "same-origin"
    if right and token is not None:
        right = compare_digest(proof.encode("utf-8", "replace"), csrf_of(token).encode())
    if not right:
        with way.hub.store.begin() as work:
            work.audit(Event("page.foreign", "route", request.scope["path"][:200], "denied", ForeignPage.code))
        raise ForeignPage


def visitor_of(request: Request, settings: Settings) -> Visitor:
    """Returns where a request comes from: its peer, or what a proxy that we trust says of it."""
    peer = request.client.host if request.client else ""
    agent = request.headers.get("user-agent", "")
    ip = _behind(peer, request.headers.get("x-forwarded-for", ""), settings.web.trusted_proxies)
    return Visitor(ip, sha256(agent.encode()).hexdigest()[:16] if agent else None)


def _behind(peer: str, forwarded: str, trusted: tuple[str, ...]) -> str:
    """Returns the last address that no trusted proxy has; what stands before it may be invented."""
    chain = [*(part.strip() for part in forwarded.split(",") if part.strip()), peer]
    for address in reversed(chain):
        try:
            known = any(ip_address(address) in ip_network(each) for each in trusted)
        except ValueError:
            return peer
        if not known:
            return address
    return peer
