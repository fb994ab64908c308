"""Signing in at the identity provider, as the door of an installation carries it out: every outcome is audited."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any, NoReturn

from connectors.base import WriteUnclear
from connectors.errors import ConnectorError
from hub.access import door
from hub.access.oidc import (
    FLOW_FOR,
    Flow,
    Provider,
    Vouched,
    departure,
    digest_of_groups,
    exchange,
    excluded,
    grants_of,
    new_flow,
    read_provider,
    vouched,
)
from hub.access.refusals import SignInRefused
from hub.access.threshold import Opened
from hub.audit.event import Event
from hub.crypto.bearer import digest_of
from hub.crypto.id_tokens import Expected, KeyUnknown, TokenForged, verify_id_token
from hub.kernel.errors import HubError, NotFound
from hub.kernel.secrets import resolve_secret
from hub.kernel.settings import Settings
from hub.kernel.settings_web import Oidc
from hub.operations.doorway import Doorway
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.outbound import open_service
from hub.store import credentials, identities, users

SERVICE = "oidc"
BACK = "/api/v1/oidc/callback"
KNOWN_FOR = 300.0
"""Seconds after which a provider is asked again what it says of itself."""
_KNOWN: dict[str, tuple[float, Provider]] = {}


class ProviderAway(HubError):
    """Is raised where the identity provider does not answer, or answers what no provider answers."""

    code = "HUB-SIGNIN-010"
    exit_code = 7

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the identity provider cannot be used now ({why}); sign in with your password, or see web.oidc",
            f"统一身份认证暂不可用（{why}）；请使用口令登录，或检查 web.oidc",
        )


@dataclass(frozen=True, slots=True)
class Departed:
    """Is a browser that is sent to the provider: where to, and the cookie by which it is known again."""

    address: str
    binding: str


def depart(way: Doorway) -> Departed:
    """Begins a sign-in at the provider. Raises NotFound where none is set, ProviderAway."""
    settings, flow = _settings(way.hub.settings), new_flow()
    provider = _Speaker(way, settings).discover()
    with way.at.store.begin() as work:
        kept = {"nonce": flow.nonce, "verifier": flow.verifier, "binding": digest_of(flow.binding).hex()}
        if not identities.keep_flow(work, digest_of(flow.state).hex(), work.now + FLOW_FOR, kept):
            raise ProviderAway("too many at once")
    return Departed(departure(provider, settings, flow, back(way.hub.settings)), flow.binding)


def arrive(way: Doorway, state: str, code: str, binding: str, issuer: str | None = None) -> Opened:
    """Ends it: exchanges the code, proves the ID token and begins a session. Raises SignInRefused, ProviderAway.

    A state works once, whatever comes of it, and only in the browser that was sent away with it.
    """
    settings = _settings(way.hub.settings)
    with way.at.store.begin() as work:
        kept = identities.take_flow(work, digest_of(state).hex())
        own = kept is not None and hmac.compare_digest(kept["binding"], digest_of(binding).hex())
        mixed = issuer is not None and issuer != settings.issuer
        if kept is None or not own or mixed:
            work.audit(Event("oidc.refused", "user", None, "denied", reason="issuer" if mixed else "state"))
    if kept is None or not own or mixed:
        raise SignInRefused
    flow = Flow(state, kept["nonce"], kept["verifier"], binding)
    try:
        claims = _Speaker(way, settings).claims(flow, code)
    except TokenForged as forged:
        _refuse(way, forged.why)
    return _admit(way, settings, vouched(claims, settings))


def _admit(way: Doorway, settings: Oidc, found: Vouched) -> Opened:
    store, pepper = way.at.store, credentials.pepper(way.at.store)
    with store.read() as conn:
        user_id = identities.user_of(conn, pepper, settings.issuer, found.subject)
        approved = identities.approved_groups(conn, store.ring)
        user = None if user_id is None else users.load(conn, store.ring, [user_id]).get(user_id)
    if user is None:
        _refuse(way, "not_linked")
    now = way.hub.clock.now()
    grants = grants_of(settings, found.groups, user.user_id, approved, now)
    standing = tuple(grant for grant in user.grants if grant.live(now))
    if excluded((*standing, *grants)) is not None:
        _refuse(way, "excluded", user.user_id)
    strong = settings.second_factor == "provider" and found.second_factor
    if settings.second_factor == "provider" and not strong:
        _refuse(way, "second_factor", user.user_id)
    return door.admit(way.at, user.user_id, "oidc+mfa" if strong else "oidc", grants)


def _refuse(way: Doorway, why: str, user_id: str | None = None) -> NoReturn:
    with way.at.store.begin() as work:
        work.audit(Event("oidc.refused", "user", user_id, "denied", reason=why))
    raise SignInRefused


class _Speaker:
    """Speaks to the provider, under the guard of every connection that leaves."""

    def __init__(self, way: Doorway, oidc: Oidc) -> None:
        self._settings, self._oidc, self._now = way.hub.settings, oidc, way.hub.clock.now()

    def discover(self) -> Provider:
        """Returns what the provider says of itself, asked anew after some minutes. Raises ProviderAway."""
        issuer, now = self._oidc.issuer, self._now
        kept = _KNOWN.get(issuer)
        if kept is not None and abs(now - kept[0]) < KNOWN_FOR:
            return kept[1]
        try:
            found = read_provider(self._get(f"{issuer}/.well-known/openid-configuration"), issuer)
        except TokenForged as forged:
            raise ProviderAway(forged.why) from None
        _KNOWN[issuer] = (now, found)
        return found

    def claims(self, flow: Flow, code: str) -> dict[str, Any]:
        """Returns the proved claims of who comes back with a code. Raises TokenForged, ProviderAway."""
        provider, oidc = self.discover(), self._oidc
        secret = None if oidc.client_secret is None else resolve_secret(oidc.client_secret, self._settings.home)
        form = exchange(oidc, flow.verifier, code, back(self._settings), secret)
        answer = self._send("POST", provider.token, form)
        token = answer.get("id_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise TokenForged("code")
        expected = Expected(oidc.issuer, oidc.client_id, flow.nonce)
        try:
            return verify_id_token(token, self._keys(provider), expected, self._now)
        except KeyUnknown:
            # Asked once more: a provider may have changed its keys between two requests.
            return verify_id_token(token, self._keys(provider), expected, self._now)

    def _keys(self, provider: Provider) -> dict[str, Any]:
        found = self._get(provider.keys)
        return found if isinstance(found, dict) else {}

    def _get(self, url: str) -> Any:
        return self._send("GET", url, None)

    def _send(self, method: str, url: str, form: dict[str, str] | None) -> Any:
        try:
            client = open_service(self._settings, SERVICE, self._oidc.issuer, self._oidc.http)
            try:
                answer = client.send(method, url, operation=SERVICE, read=method == "GET", form=form)
            finally:
                client.close()
            if answer.status >= 400 and method == "POST":
                raise TokenForged("code")
            if answer.status != 200:
                raise ProviderAway(str(answer.status))
            return answer.json()
        except (ConnectorError, WriteUnclear) as error:
            raise ProviderAway(getattr(error, "code", "no answer")) from None


def back(settings: Settings) -> str:
    """Returns where the provider sends a browser back to."""
    return f"{settings.web.public_url}{BACK}"


def _settings(settings: Settings) -> Oidc:
    if settings.web.oidc is None:
        raise NotFound("no identity provider is set; sign in with your password", "未配置统一身份认证；请使用口令登录")
    return settings.web.oidc


@dataclass(frozen=True, slots=True)
class Groups:
    """Is the table of groups as it stands in the settings, and whether a security administrator approved it so."""

    table: dict[str, tuple[str, str]]
    digest: str
    approved: bool


@permit("session.manage")
def show_groups(hub: Installation) -> Groups:
    """Returns which groups give which roles, and whether that was approved. Raises NotFound."""
    oidc = _settings(hub.settings)
    with hub.store.read() as conn:
        approved = identities.approved_groups(conn, hub.store.ring)
    table = {name: (item.role, item.branch) for name, item in oidc.groups.items()}
    return Groups(table, digest_of_groups(oidc), approved == digest_of_groups(oidc))


@permit("role.grant")
def approve_groups(hub: Installation, digest: str) -> Groups:
    """Approves the table of groups by its digest; any edit voids that. Raises NotFound, also for another digest."""
    found = show_groups(hub)
    if digest != found.digest:
        raise NotFound(
            f"the table of groups is not {digest[:12]}… but {found.digest}; look at it again",
            f"分组表的摘要不是 {digest[:12]}…，而是 {found.digest}；请重新查看",
        )
    with hub.store.begin() as work:
        identities.approve_groups(work, digest)
        work.audit(Event("oidc.groups", "groups", digest[:16], digest=digest, counts={"groups": len(found.table)}))
    return show_groups(hub)
