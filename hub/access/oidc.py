"""Signing in at the bank's identity provider: what a browser is sent away with, and what it must come back with.

Source: OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 (PKCE), RFC 9207. Pure: who asks the provider is elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from hub.access.roles import ADMINISTRATORS, ROLES, Role, clash
from hub.crypto.bearer import challenge_of, new_token
from hub.crypto.id_tokens import TokenForged
from hub.kernel.settings_web import Oidc
from hub.store.users import STANDING, Grant

FLOW_FOR = 600.0
"""Seconds that a person may take at the provider."""
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_STRONG = frozenset({"mfa", "otp", "hwk", "swk", "sc", "fpt"})
"""What `amr` says of a second factor (RFC 8176)."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Is what an identity provider says of itself, as far as it is used."""

    issuer: str
    authorize: str
    token: str
    keys: str


@dataclass(frozen=True, slots=True)
class Flow:
    """Is one sign-in that is under way at the provider; none of it is shown but the state, in the address."""

    state: str = attribute(repr=False)
    nonce: str = attribute(repr=False)
    verifier: str = attribute(repr=False)
    binding: str = attribute(repr=False)
    """Stands in a cookie of the browser that was sent away: no other may come back for it."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """Is what a provider vouches for: who, in which groups, and whether it asked for a second factor."""

    subject: str = attribute(repr=False)
    groups: tuple[str, ...]
    second_factor: bool


def new_flow() -> Flow:
    return Flow(new_token(), new_token(), new_token(), new_token())


def read_provider(document: Any, issuer: str) -> Provider:
    """Returns a provider by its discovery document. Raises TokenForged where it is another's or sends us elsewhere.

    Every address must lie at the issuer's own host: a document must not choose where a client secret goes.
    """
    if not isinstance(document, Mapping) or document.get("issuer") != issuer:
        raise TokenForged("issuer")
    found = [document.get(name) for name in _ENDPOINTS]
    home = urlsplit(issuer)
    for address in found:
        parts = urlsplit(address) if isinstance(address, str) else None
        if parts is None or (parts.scheme, parts.netloc) != (home.scheme, home.netloc) or parts.fragment:
            raise TokenForged("address")
    methods = document.get("code_challenge_methods_supported", ["S256"])
    if not isinstance(methods, list) or "S256" not in methods:
        raise TokenForged("challenge")
    return Provider(issuer, *(str(each) for each in found))


def departure(provider: Provider, settings: Oidc, flow: Flow, back: str) -> str:
    """Returns the address at the provider that a browser is sent to."""
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": back,
        "scope": "openid",
        "state": flow.state,
        "nonce": flow.nonce,
        "code_challenge": challenge_of(flow.verifier),
        "code_challenge_method": "S256",
    }
    mark = "&" if urlsplit(provider.authorize).query else "?"
    return f"{provider.authorize}{mark}{urlencode(query)}"


def exchange(settings: Oidc, flow_verifier: str, code: str, back: str, secret: str | None) -> dict[str, str]:
    """Returns the form by which a code is exchanged for an ID token."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "client_id": settings.client_id,
        "code_verifier": flow_verifier,
    }
    return {**form, "client_secret": secret} if secret is not None else form


def vouched(claims: Mapping[str, Any], settings: Oidc) -> Vouched:
    """Returns what verified claims amount to; a claim of another form than expected gives nothing."""
    raw, methods = claims.get(settings.groups_claim), claims.get("amr")
    groups = tuple(sorted({each for each in raw if isinstance(each, str)})) if isinstance(raw, list) else ()
    strong = isinstance(methods, list) and any(isinstance(each, str) and each in _STRONG for each in methods)
    return Vouched(str(claims["sub"]), groups, strong)


def digest_of_groups(settings: Oidc) -> str:
    """Returns what a security administrator approves: the digest of the whole table of groups and its issuer."""
    table = {name: [item.role, item.branch] for name, item in settings.groups.items()}
    body = orjson.dumps([settings.issuer, settings.groups_claim, table], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(body).hexdigest()


def grants_of(
    settings: Oidc, groups: tuple[str, ...], user_id: str, approved: str | None, now: float
) -> tuple[Grant, ...]:
    """Returns the roles that groups give for one session; none while the table is not the one that was approved."""
    if approved is None or approved != digest_of_groups(settings):
        return ()
    held = {(settings.groups[name].role, settings.groups[name].branch) for name in groups if name in settings.groups}
    return tuple(
        Grant(f"oidc:{role}:{branch}", user_id, role, branch, STANDING, None, "oidc", now)
        for role, branch in sorted(held)
        if role in ROLES
    )


def excluded(grants: tuple[Grant, ...]) -> tuple[Role, Role] | None:
    """Returns two roles that one person may not hold together: standing ones, those of groups, and a lent post."""
    known = [grant for grant in grants if grant.role in ROLES]
    posts = ADMINISTRATORS.intersection(Role(grant.role) for grant in known)
    return clash(Role(grant.role) for grant in known if grant.kind == STANDING) or clash(posts)
