"""An identity provider for tests: OpenID Connect over real HTTP, faithful, and told to lie where a test wants that.

It keeps what a provider must keep: codes that work once, PKCE, the redirect address, the client's secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import urandom
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from served import serve_here
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "crmhub", "client-secret-of-the-tests"


@dataclass
class Identity:
    """Is the provider: who is at the browser, and what it is told to do wrong."""

    clock: Callable[[], float]
    url: str = ""
    subject: str = "s-1001"
    claims: dict[str, Any] = field(default_factory=dict)
    forge: Callable[[Identity, dict[str, Any]], str] | None = None
    document: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}))
    published: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def rotate(self) -> None:
        """Signs with another key from now on, which stands in the set."""
        self.key = RSAKey.generate_key(2048, {"kid": f"k{urandom(2).hex()}", "use": "sig"})

    def claims_for(self, query: dict[str, str]) -> dict[str, Any]:
        now = int(self.clock())
        own = {"iss": self.url, "sub": self.subject, "aud": CLIENT, "iat": now, "exp": now + 300}
        return {**own, "nonce": query["nonce"], **self.claims}

    def signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    # What is served.

    def discover(self, request: Request) -> Response:
        self.asked.append("discovery")
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "code_challenge_methods_supported": ["S256"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return JSONResponse({**found, **self.document})

    def authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            return JSONResponse({"error": "invalid_request"}, 400)
        code = urandom(16).hex()
        self._codes[code] = query
        back = urlencode({"code": code, "state": query["state"], "iss": self.url})
        return RedirectResponse(f"{query['redirect_uri']}?{back}", 302)

    async def token(self, request: Request) -> Response:
        self.asked.append("token")
        form = {name: str(value) for name, value in (await request.form()).items()}
        query = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        right = query is not None and challenge.rstrip(b"=").decode() == query["code_challenge"]
        right = right and form.get("client_secret") == SECRET and form.get("client_id") == CLIENT
        if query is None or not right or form.get("redirect_uri") != query["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        claims = self.claims_for(query)
        made = self.forge(self, claims) if self.forge is not None else self.signed(claims)
        return JSONResponse({"access_token": "unused", "token_type": "Bearer", "id_token": made})

    def keys(self, request: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse({"keys": [self.key.as_dict(private=False), *self.published]})


def _part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unsigned(claims: dict[str, Any]) -> str:
    """Returns a token of algorithm none."""
    head = _part(json.dumps({"alg": "none"}).encode())
    return f"{head}.{_part(json.dumps(claims).encode())}."


def with_shared_secret(idp: Identity, claims: dict[str, Any]) -> str:
    """Returns a token of HS256 whose secret is the provider's public key: the confusion of algorithms."""
    head = _part(json.dumps({"alg": "HS256", "kid": idp.key.kid}).encode())
    body = f"{head}.{_part(json.dumps(claims).encode())}"
    return f"{body}.{_part(hmac.digest(idp.key.as_pem(private=False), body.encode(), 'sha256'))}"


def with_other_key(idp: Identity, claims: dict[str, Any]) -> str:
    """Returns a token that names the provider's key and is signed by another."""
    return jwt.encode({"alg": "RS256", "kid": idp.key.kid}, claims, RSAKey.generate_key(2048))


def with_key_inside(idp: Identity, claims: dict[str, Any]) -> str:
    """Returns a token that brings the key it is signed by."""
    own = ECKey.generate_key("P-256")
    header = {"alg": "ES256", "jwk": own.as_dict(private=False)}
    return jwt.encode(header, claims, own, registry=None)


@contextmanager
def serve_identity(clock: Callable[[], float]) -> Iterator[Identity]:
    """Serves a provider on the loopback."""
    made = Identity(clock)
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", made.discover),
            Route("/authorize", made.authorize),
            Route("/token", made.token, methods=["POST"]),
            Route("/keys", made.keys),
        ]
    )
    with serve_here(app) as url:
        made.url = url
        yield made
