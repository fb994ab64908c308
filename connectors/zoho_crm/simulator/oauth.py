"""The accounts server: grant, refresh and access tokens with the vendor's limits and errors."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import HTMLResponse, Response

from connectors.zoho_crm.simulator.answers import Failure, answer
from connectors.zoho_crm.simulator.records import Org
from connectors.zoho_crm.simulator.schema import API_USER, SECOND_USER, User

CLIENT_ID = "1000.SIMULATED"
REFRESH_TOKEN = "1000.simulated.refresh"  # noqa: S105
SECOND_REFRESH_TOKEN = "1000.simulated.refresh.second"  # noqa: S105
GRANT_TOKEN = "1000.simulated.grant"  # noqa: S105
ORG_ID = "60001234567"
REDIRECT_URI = "https://hub.example/oauth/callback"
_OPERATIONS = {"GET": "READ", "POST": "CREATE", "PUT": "UPDATE", "PATCH": "UPDATE", "DELETE": "DELETE"}


@dataclass(slots=True)
class _Refresh:
    """A refresh token, its user and the moments at which it issued access tokens."""

    user_id: str
    scopes: str
    issued: list[float] = field(default_factory=list)
    live: list[str] = field(default_factory=list, repr=False)


@dataclass(slots=True)
class _Access:
    """An access token's rights."""

    user_id: str
    scopes: str
    expires: float


class Accounts:
    """Issues and checks tokens; errors at the token endpoint answer 200 with an `error` key."""

    def __init__(self, org: Org) -> None:
        self._org = org
        scopes = org.settings.scopes
        self._refresh: dict[str, _Refresh] = {
            REFRESH_TOKEN: _Refresh(API_USER, scopes),
            SECOND_REFRESH_TOKEN: _Refresh(SECOND_USER, scopes),
        }
        self._granted: list[str] = []
        self._grants_issued: list[float] = []
        self._access: dict[str, _Access] = {}
        self._grants: dict[str, tuple[str, float]] = {GRANT_TOKEN: (scopes, float("inf"))}

    def token(self, form: Mapping[str, str], base_url: str) -> Response:
        """Answers POST /oauth/v2/token."""
        if form.get("client_id") != CLIENT_ID:
            return answer({"error": "invalid_client"})
        if form.get("client_secret") != self._org.settings.client_secret:
            return answer({"error": "invalid_client_secret"})
        flows: dict[str, Callable[[Mapping[str, str], str], Response]] = {
            "refresh_token": self._refresh_flow,
            "authorization_code": self._grant_flow,
            "client_credentials": self._client_flow,
        }
        flow = flows.get(form.get("grant_type", ""))
        return flow(form, base_url) if flow else answer({"error": "unsupported_grant_type"})

    def revoke(self, token: str) -> Response:
        """Answers POST /oauth/v2/token/revoke: the refresh token and its access tokens die."""
        if (refresh := self._refresh.pop(token, None)) is None:
            return answer({"error": "invalid_code"})
        for access in refresh.live:
            self._access.pop(access, None)
        return answer({"status": "success"})

    def expire(self) -> int:
        """Kills every access token and returns how many there were."""
        count = len(self._access)
        self._access.clear()
        return count

    def grant(self, scopes: str | None = None, lifetime: float = 180) -> str:
        """Makes a grant token, as the administrator does in the API console; it works once."""
        code = f"1000.{secrets.token_hex(16)}"
        self._grants[code] = (scopes or self._org.settings.scopes, self._org.clock.now() + lifetime)
        return code

    def authorize(self, header: str | None) -> tuple[User, str]:
        """Returns the user and scopes behind an Authorization header; raises Failure 401."""
        if not header:
            raise Failure(401, "AUTHENTICATION_FAILURE", "Authentication failed")
        scheme, _, token = header.partition(" ")
        access = self._access.get(token.strip()) if scheme == "Zoho-oauthtoken" else None
        if access is None or access.expires <= self._org.clock.now():
            raise Failure(401, "INVALID_TOKEN", "invalid oauth token")
        user = self._org.users[access.user_id]
        if not user.active:
            raise Failure(401, "INVALID_TOKEN", "invalid oauth token")
        return user, access.scopes

    def _refresh_flow(self, form: Mapping[str, str], base_url: str) -> Response:
        token = form.get("refresh_token", "")
        refresh = self._refresh.get(token)
        if refresh is None:
            return answer({"error": "invalid_code"})
        return self._issue(refresh, base_url, {})

    def _grant_flow(self, form: Mapping[str, str], base_url: str) -> Response:
        if form.get("redirect_uri") not in (None, "", REDIRECT_URI):
            return answer({"error": "invalid_redirect_uri"})
        now = self._org.clock.now()
        scopes, expires = self._grants.pop(form.get("code", ""), ("", 0.0))
        if expires <= now:
            return answer({"error": "invalid_code"})
        settings = self._org.settings
        self._grants_issued = [at for at in self._grants_issued if at > now - settings.token_window]
        if len(self._grants_issued) >= settings.tokens_per_window:
            return self._throttled()
        self._grants_issued.append(now)
        token = f"1000.{secrets.token_hex(16)}"
        refresh = self._refresh[token] = _Refresh(API_USER, scopes)
        self._granted.append(token)
        if len(self._granted) > settings.refresh_live:
            self.revoke(self._granted.pop(0))
        return self._issue(refresh, base_url, {"refresh_token": token})

    def _client_flow(self, form: Mapping[str, str], base_url: str) -> Response:
        if form.get("soid") != f"ZohoCRM.{ORG_ID}":
            return answer({"error": "missing_org_info"})
        scopes = form.get("scope", "")
        if not scopes or any(not scope.startswith("Zoho") for scope in scopes.split(",")):
            return answer({"error": "invalid_scope"})
        client = self._refresh.setdefault("client_credentials", _Refresh(API_USER, scopes))
        client.scopes = scopes
        return self._issue(client, base_url, {})

    def _issue(self, refresh: _Refresh, base_url: str, extra: dict[str, str]) -> Response:
        settings, now = self._org.settings, self._org.clock.now()
        refresh.issued = [at for at in refresh.issued if at > now - settings.token_window]
        if len(refresh.issued) >= settings.tokens_per_window:
            return self._throttled()
        refresh.issued.append(now)
        token = f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}"
        self._access[token] = _Access(refresh.user_id, refresh.scopes, now + settings.token_lifetime)
        refresh.live = [kept for kept in refresh.live if kept in self._access] + [token]
        while len(refresh.live) > settings.tokens_live:
            self._access.pop(refresh.live.pop(0), None)
        issued: dict[str, Any] = {
            "access_token": token,
            **extra,
            "scope": refresh.scopes.replace(",", " "),
            "api_domain": base_url,
            "token_type": "Bearer",
            "expires_in": settings.token_lifetime,
        }
        return answer(issued)

    def _throttled(self) -> Response:
        if self._org.settings.throttle_status == 200:
            return answer({"error": "access_denied"})
        too_many = "You have made too many requests continuously. Please try again after some time."
        body = {"error": "Access Denied", "error_description": too_many, "status": "failure"}
        return answer(body, 400)


def require_scope(scopes: str, area: str, method: str) -> None:
    """Raises Failure 401 OAUTH_SCOPE_MISMATCH unless the scopes cover an area such as `modules.contacts`."""
    operation = _OPERATIONS.get(method, "READ")
    service, _, name = area.partition(":") if ":" in area else ("ZohoCRM", "", area)
    group = name.split(".")[0]
    wanted = {f"{service}.{name}.{operation}", f"{service}.{name}.ALL", f"{service}.{group}.ALL"}
    wanted.add(f"{service}.{group}.{operation}")
    if operation in ("CREATE", "UPDATE"):
        wanted |= {f"{service}.{name}.WRITE", f"{service}.{group}.WRITE"}
    granted = {scope.strip().lower() for scope in scopes.split(",")}
    if not granted & {scope.lower() for scope in wanted}:
        raise Failure(401, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")


def html_error() -> Response:
    """Returns the HTML page that the accounts server shows for an unknown path."""
    return HTMLResponse("<html><body><h1>404</h1></body></html>", 404)
