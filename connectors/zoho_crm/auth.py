"""Access tokens: asked for once, sealed, shared by all threads and processes, renewed before they expire.

Source: Zoho accounts OAuth self-client pages, token-validity (15 live and 10 new tokens in 10
minutes per refresh token).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.base import ConnectorContext, WriteUnclear
from connectors.errors import AuthRejected, ConnectorError, ProtocolViolation, RateLimited, RetryLater, SettingsInvalid
from connectors.zoho_crm.settings import ZohoSettings

TOKEN = "access_token"  # noqa: S105 - the name it is stored under
PAUSE = "token_paused_until"
_MILLISECONDS_FROM = 100_000
_CREDENTIAL = {
    "invalid_code": "refresh_token",
    "invalid_client": "client_id, client_secret",
    "invalid_client_secret": "client_secret",
    "invalid_scope": "scopes",
    "missing_org_info": "org_id",
    "invalid_redirect_uri": "redirect_uri",
}


@dataclass(frozen=True, slots=True)
class Token:
    """Is one access token; `expires_at` in epoch seconds, `scopes` empty where Zoho did not say."""

    value: str = field(repr=False)
    renew_at: float
    expires_at: float
    scopes: tuple[str, ...] = ()


class Tokens:
    """Hands out the connection's access token."""

    def __init__(self, settings: ZohoSettings, context: ConnectorContext) -> None:
        self._settings, self._context = settings, context
        self._held: Token | None = None

    def current(self, rejected: str | None = None) -> Token:
        """Returns a usable token other than the `rejected` one, asking for a new one at most once at a time.

        Raises AuthRejected, RateLimited (10 minutes), RetryLater, SettingsInvalid.
        """
        if token := self._usable(self._held, rejected):
            return token
        with self._context.lock(TOKEN):
            self._held = self._usable(self._stored(), rejected) or self._request()
            return self._held

    def _usable(self, token: Token | None, rejected: str | None) -> Token | None:
        if token is None or token.value == rejected or self._context.clock.now() >= token.renew_at:
            return None
        return token

    def _stored(self) -> Token | None:
        sealed = self._context.tokens.get(TOKEN)
        if not sealed:
            return None
        kept = json.loads(sealed)
        return Token(kept["value"], kept["renew_at"], kept["expires_at"], tuple(kept["scopes"]))

    def _request(self) -> Token:
        self._check_pause()
        form = {
            "grant_type": self._settings.grant,
            "client_id": self._context.secret("client_id"),
            "client_secret": self._context.secret("client_secret"),
        }
        if self._settings.grant == "refresh_token":
            form["refresh_token"] = self._context.secret("refresh_token")
        else:
            form |= {"scope": ",".join(self._settings.scopes), "soid": f"ZohoCRM.{self._settings.org_id}"}
        token = self._token_of(self._ask(form))
        kept = {"value": token.value, "renew_at": token.renew_at, "expires_at": token.expires_at}
        self._context.tokens.put(TOKEN, json.dumps(kept | {"scopes": token.scopes}).encode())
        return token

    def _ask(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        url = f"{self._settings.accounts_origin}/oauth/v2/token"
        try:
            # Sent once: each try counts against the ten tokens in ten minutes.
            response = self._context.http.send("POST", url, operation="token", read=False, form=form, cost=0)
        except WriteUnclear:
            response = None
        if response is None or response.status >= 500:
            raise RetryLater(
                f"{self._context.system}: Zoho's sign-in service did not answer; it is tried again later",
                f"{self._context.system}：Zoho 登录服务未响应，稍后重试",
                system=self._context.system,
            )
        if response.status == 429:
            raise self._throttled()
        content = response.json()
        if not isinstance(content, Mapping):
            raise self._violation()
        if "error" in content:
            raise self._rejected(str(content["error"]))
        if response.status != 200:
            raise self._violation()
        return content

    def _token_of(self, content: Mapping[str, Any]) -> Token:
        domain = content.get("api_domain")
        if isinstance(domain, str) and not self._settings.accepts_api_domain(domain):
            raise SettingsInvalid(
                f"{self._context.system}: the credentials belong to another data centre than configured; "
                "set data_center to the one of the Zoho organisation",
                f"{self._context.system}：凭据所属数据中心与配置不符，请将 data_center 改为该组织所在的数据中心",
                system=self._context.system,
            )
        value = content.get("access_token")
        lifetime = _lifetime(content)
        if not isinstance(value, str) or not value or lifetime is None:
            raise self._violation()
        now = self._context.clock.now()
        renew_at = now + max(lifetime - self._settings.refresh_ahead, lifetime / 2)
        scopes = tuple(s for s in re.split(r"[\s,]+", str(content.get("scope") or "")) if s)
        return Token(value, renew_at, now + lifetime, scopes)

    def _rejected(self, error: str) -> ConnectorError:
        name = error.strip().lower().replace(" ", "_")
        if name == "access_denied":
            return self._throttled()
        known = name if re.fullmatch(r"[a-z_]{1,40}", name) else "unknown"
        missing = _CREDENTIAL.get(known, known)
        return AuthRejected(
            f"{self._context.system}: Zoho refused the sign-in ({known}); check {missing} and data_center, "
            "then authorise again",
            f"{self._context.system}：Zoho 拒绝登录（{known}），请检查 {missing} 与 data_center，然后重新授权",
            missing=missing,
            system=self._context.system,
        )

    def _throttled(self) -> RateLimited:
        until = self._context.clock.now() + self._settings.token_pause
        self._context.tokens.put(PAUSE, str(until).encode())
        return self._paused(self._settings.token_pause)

    def _check_pause(self) -> None:
        paused = self._context.tokens.get(PAUSE)
        left = float(paused) - self._context.clock.now() if paused else 0.0
        if left > 0:
            # A clock that was set back must not extend the pause.
            raise self._paused(min(left, self._settings.token_pause))

    def _paused(self, after: float) -> RateLimited:
        return RateLimited(
            f"{self._context.system}: Zoho has handed out too many tokens; sign-in pauses for {after:.0f} s",
            f"{self._context.system}：申请令牌过于频繁，暂停登录 {after:.0f} 秒",
            after=after,
            system=self._context.system,
        )

    def _violation(self) -> ProtocolViolation:
        return ProtocolViolation(
            f"{self._context.system}: Zoho's sign-in answer has no usable token; check data_center",
            f"{self._context.system}：Zoho 登录返回中没有可用令牌，请检查 data_center",
            system=self._context.system,
        )


def _lifetime(content: Mapping[str, Any]) -> float | None:
    """Returns a token's lifetime in seconds; older answers gave milliseconds in `expires_in`."""
    try:
        seconds = float(content.get("expires_in_sec") or content.get("expires_in") or 3600)
    except (TypeError, ValueError):
        return None
    if seconds > _MILLISECONDS_FROM:
        seconds /= 1000
    return seconds if seconds > 0 else None
