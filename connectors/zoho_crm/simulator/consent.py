"""Grant tokens: made in the API console or on the consent page, good once and for a few minutes.

Source: Zoho accounts OAuth pages (self-client and web-apps), token-validity.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, RedirectResponse, Response

from connectors.zoho_crm.simulator.records import Org

CLIENT_ID = "1000.SIMULATED"
GRANT_TOKEN = "1000.simulated.grant"  # noqa: S105
_LIFETIME = 180.0
_SCOPE = re.compile(r"(?i)(ZohoCRM|ZohoFiles|ZohoSearch)(\.[a-z_]+){1,2}\.(ALL|READ|CREATE|UPDATE|DELETE|WRITE)")


class TooManyGrants(Exception):
    """Is raised for one grant token more than a client gets in ten minutes."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant token's rights; `redirect_uri` is empty for one of the API console, `offline` brings a refresh token."""

    scopes: str
    expires: float
    redirect_uri: str = ""
    offline: bool = True


class Grants:
    """Keeps the grant tokens of the client."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._open = {GRANT_TOKEN: Grant(org.settings.scopes, float("inf"))}
        self._made_at: list[float] = []
        self._consented = False

    def make(
        self,
        scopes: str | None = None,
        lifetime: float = _LIFETIME,
        redirect_uri: str = "",
        offline: bool = True,
    ) -> str:
        """Makes a grant token; raises TooManyGrants."""
        settings, now = self._org.settings, self._org.clock.now()
        self._made_at = [at for at in self._made_at if at > now - settings.token_window]
        if len(self._made_at) >= settings.grants_per_window:
            raise TooManyGrants
        self._made_at.append(now)
        code = f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}"
        self._open[code] = Grant(scopes or settings.scopes, now + lifetime, redirect_uri, offline)
        return code

    def redeem(self, code: str, redirect_uri: str) -> Grant | str:
        """Uses a grant token up and returns it, or the error that the token endpoint answers."""
        grant = self._open.get(code)
        if redirect_uri not in ("", self._org.settings.redirect_uri):
            return "invalid_redirect_uri"
        if grant is None or grant.expires <= self._org.clock.now():
            self._open.pop(code, None)
            return "invalid_code"
        if grant.redirect_uri and redirect_uri != grant.redirect_uri:
            return "invalid_redirect_uri"
        del self._open[code]
        return grant

    def consent(self, params: Mapping[str, str], base_url: str) -> Response:
        """Answers GET /oauth/v2/auth as if the user signed in and decided as the switch `consent` says."""
        settings = self._org.settings
        problem = self._problem(params)
        if problem:
            return _page(problem)
        state = {"state": params["state"]} if "state" in params else {}
        if settings.consent == "reject":
            return _redirect(settings.redirect_uri, {**state, "error": "access_denied"})
        # A second consent gives a refresh token only where it was asked for expressly.
        again = self._consented and params.get("prompt") != "consent"
        offline = params.get("access_type") == "offline" and not again
        try:
            code = self.make(params["scope"], redirect_uri=settings.redirect_uri, offline=offline)
        except TooManyGrants:
            return _page("You have made too many requests continuously. Please try again after some time.")
        self._consented = True
        server = settings.accounts_server or base_url
        given = {"code": code, "location": settings.data_center, "accounts-server": server}
        return _redirect(settings.redirect_uri, {**state, **given})

    def _problem(self, params: Mapping[str, str]) -> str:
        if params.get("client_id") != CLIENT_ID or self._org.settings.registered_elsewhere:
            return "Invalid Client"
        if params.get("redirect_uri") != self._org.settings.redirect_uri:
            return "Invalid Redirect Uri"
        if params.get("response_type") != "code":
            return "Invalid Response Type"
        return "" if are_known(params.get("scope", "")) else "Scope does not exist"


def _redirect(address: str, params: Mapping[str, str]) -> Response:
    return RedirectResponse(f"{address}?{urlencode(params)}", 302)


def _page(text: str) -> Response:
    """Returns a page for a person: before the client and its address are known good, nobody is led anywhere."""
    return HTMLResponse(f"<html><body><h1>Error occurred</h1><p>{text}</p></body></html>", 400)


def are_known(scopes: str) -> bool:
    """Tells whether a comma-separated list holds scopes only, and at least one."""
    return bool(scopes) and all(_SCOPE.fullmatch(scope.strip()) for scope in scopes.split(","))
