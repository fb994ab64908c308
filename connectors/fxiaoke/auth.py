"""Access tokens of both generations of the API; one connection uses one of them, never both in one call.

A token is asked for once, sealed, shared by all threads, processes and hosts, and renewed ten minutes before its end.
It is kept with a digest of the credentials and the host it was asked with, and counts for no others.
Source: Fxiaoke auth/app-info: a token lives 7200 s; for 6600 s every call returns the same one, then a new one while
the old stays valid to its own end; at most 10 token calls a minute and none at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from connectors.base import ConnectorContext
from connectors.errors import AuthRejected, ConnectorError, RateLimited, RetryLater, SettingsInvalid
from connectors.fxiaoke.envelope import Call, TokenRefused, auth_rejected
from connectors.fxiaoke.pacing import Pace
from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.fxiaoke.signing_in import SignIn
from connectors.trouble import Trouble

TOKEN = "access"  # noqa: S105 - the name it is stored under
AHEAD = 600.0
"""Seconds before its end from which on a token is replaced."""
LOOK_AGAIN = 15.0
"""Seconds for which a process believes that the credentials are still the ones it used."""
_GIVEN_UP, _STILL_GOOD = 60.0, 60.0
"""Seconds for which nobody tries again a fresh token that was refused, and for which an old one helps out."""


@dataclass(frozen=True, slots=True)
class Token:
    """Is one access token; instants in epoch seconds by the context's clock, `refused_at` 0 while it is taken."""

    value: str = field(repr=False)
    enterprise: str
    taken_at: float
    use_until: float
    expires_at: float
    bound_to: str = ""
    refused_at: float = 0.0


class Tokens:
    """Hands out the connection's token and signs calls with it."""

    def __init__(self, settings: FxiaokeSettings, context: ConnectorContext, pace: Pace) -> None:
        self._settings, self._context = settings, context
        self._sign_in = SignIn(settings, context, pace)
        self._trouble = Trouble(self._sign_in.throttled, context)
        self._held: Token | None = None
        self._looked_at = 0.0

    def current(self) -> Token:
        """Returns a token that is good for some minutes more. Raises the errors of a sign-in."""
        asked_at = self._context.clock.now()
        held = self._held
        if held is not None and asked_at < held.use_until and self._still_ours(held, asked_at):
            return held
        with self._context.lock("token"):
            bound_to = self._bound_to()
            kept = self._kept(bound_to)
            if kept is None or asked_at >= kept.use_until:
                kept = self._replace(kept, bound_to, asked_at)
            self._held, self._looked_at = kept, asked_at
            return kept

    def renew(self, refused: Token | None = None) -> Token:
        """Returns a token fetched after the refused one, by whomever; without one, fetches anew."""
        asked_at = self._context.clock.now()
        with self._context.lock("token"):
            bound_to = self._bound_to()
            kept = self._kept(bound_to)
            given_up = kept is not None and kept.refused_at and asked_at - kept.refused_at < _GIVEN_UP
            if refused is not None and given_up:
                raise self._unfit(self._sign_in.call, 20016, "-")
            if refused is None or kept is None or kept.taken_at <= refused.taken_at:
                kept = self._fetch(bound_to, asked_at)
            self._held, self._looked_at = kept, asked_at
            return kept

    def give_up(self, token: Token, call: Call, refusal: TokenRefused) -> AuthRejected:
        """Notes for everybody that a fresh token was refused, and returns what that says of the settings."""
        with self._context.lock("token"):
            kept = self._kept(token.bound_to)
            if kept is not None and kept.value == token.value:
                self._keep(replace(kept, refused_at=self._context.clock.now()))
        return self._unfit(call, refusal.code, refusal.trace_id)

    def sign(self, token: Token, body: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
        """Returns the headers and the body that carry the credentials of the connection's style."""
        signed = {**body, "convertUserId": self._settings.employee_ids == "open"}
        operator = self._settings.operator_id
        if self._settings.auth_style == "legacy":
            who = {"corpAccessToken": token.value, "corpId": token.enterprise, "currentOpenUserId": operator}
            return {}, {**signed, **who}
        return {
            "authorization": f"Bearer {token.value}",
            "x-fs-ea": token.enterprise,
            "x-fs-userid": operator,
        }, signed

    def _replace(self, kept: Token | None, bound_to: str, asked_at: float) -> Token:
        """Fetches a token; where that fails for a passing reason, the one that is about to end helps out."""
        try:
            return self._fetch(bound_to, asked_at)
        except (RetryLater, RateLimited):
            if kept is None or asked_at + _STILL_GOOD >= kept.expires_at:
                raise
            return self._keep(replace(kept, use_until=asked_at + _STILL_GOOD))

    def _fetch(self, bound_to: str, asked_at: float) -> Token:
        self._trouble.check(bound_to, asked_at)
        try:
            granted = self._sign_in.ask()
        except ConnectorError as error:
            self._trouble.keep(error, bound_to)
            raise
        now = self._context.clock.now()
        # A token already near its end is still good for what follows at once; it must not be fetched on every call.
        good_for = max(granted.life - AHEAD, min(granted.life / 2, 60.0)) if granted.life > 0 else _STILL_GOOD
        token = Token(granted.token, granted.enterprise, now, now + good_for, now + granted.life, bound_to)
        self._trouble.clear()
        return self._keep(token)

    def _keep(self, token: Token) -> Token:
        self._context.tokens.put(TOKEN, json.dumps(asdict(token)).encode())
        return token

    def _kept(self, bound_to: str) -> Token | None:
        """Returns the token that was asked for with these credentials, None where another one is kept."""
        raw = self._context.tokens.get(TOKEN)
        kept = json.loads(raw) if raw else None
        if not isinstance(kept, dict) or kept.get("bound_to") != bound_to:
            return None
        return Token(**kept)

    def _bound_to(self) -> str:
        """Returns a digest of what tokens are asked with. Raises SettingsInvalid."""
        settings = self._settings
        place = [settings.base_url, settings.auth_style, settings.app_id, settings.enterprise_account]
        secrets = [self._context.secret(name) for name in ("app_secret", "permanent_code")]
        return hashlib.sha256(json.dumps([*place, *secrets]).encode()).hexdigest()

    def _still_ours(self, token: Token, now: float) -> bool:
        """Tells whether the credentials are still those of the token; looks only now and then."""
        if abs(now - self._looked_at) < LOOK_AGAIN:
            return True
        self._looked_at = now
        try:
            return token.bound_to == self._bound_to()
        except SettingsInvalid:
            # A secret that cannot be read just now says nothing against a token that is good for a while.
            return True

    def _unfit(self, call: Call, code: int, trace_id: str) -> AuthRejected:
        """Returns the error of a fresh token that calls do not take: what the sign-in proved is not at fault."""
        style = self._settings.auth_style
        enterprise = "corpId" if style == "legacy" else "enterprise_account (ea)"
        missing = f"operator_id, {enterprise}, the caller's address (IP 白名单) or auth_style ({style})"
        return auth_rejected(
            call,
            missing,
            code,
            trace_id,
            (
                "Fxiaoke signs the hub in, so app_id, app_secret and permanent_code hold, and refuses the fresh token: "
                "look at ",
                "登录成功（app_id、app_secret、permanent_code 有效），但新令牌被拒；请检查：",
            ),
            missing_zh=f"operator_id、{enterprise}、应用的 IP 白名单、auth_style（{style}）",
        )
