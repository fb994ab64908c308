"""Access tokens of both generations of the API; one connection uses one of them, never both in one call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.base import ConnectorContext, WriteUnclear
from connectors.errors import AuthRejected, ConnectorError, RateLimited
from connectors.fxiaoke.envelope import (
    Answer,
    Call,
    QuotaRefused,
    RateRefused,
    Rejected,
    TokenRefused,
    auth_rejected,
    open_answer,
    unsettled,
)
from connectors.fxiaoke.pacing import Pace
from connectors.fxiaoke.settings import FxiaokeSettings

BEARER_PATH = "/oauth2.0/token"
LEGACY_PATH = "/cgi/corpAccessToken/get/V2"
_REFRESH_BEFORE = 600.0


@dataclass(frozen=True, slots=True)
class Token:
    """Is one access token; `use_until` and `taken_at` are epoch seconds by the context's clock."""

    value: str = field(repr=False)
    enterprise: str
    taken_at: float
    use_until: float


class Tokens:
    """Keeps the connection's token, shared by all threads and processes, and fetches it in single flight.

    Source: Fxiaoke auth/app-info: at most 10 token calls a minute and none at once; a token lives 7200 s.
    """

    def __init__(self, settings: FxiaokeSettings, context: ConnectorContext, pace: Pace) -> None:
        self._settings, self._context, self._pace = settings, context, pace
        legacy = settings.auth_style == "legacy"
        self._path = LEGACY_PATH if legacy else BEARER_PATH
        self._scope = [settings.base_url, settings.app_id, settings.auth_style]
        self._held: Token | None = None

    def current(self) -> Token:
        """Returns a token that is good for some minutes more."""
        held = self._held
        if held is not None and self._context.clock.now() < held.use_until:
            return held
        with self._context.lock("token"):
            kept = self._kept()
            if kept is None or self._context.clock.now() >= kept.use_until:
                kept = self._fetch()
            self._held = kept
            return kept

    def renew(self, refused: Token | None = None) -> Token:
        """Returns a token fetched after the refused one; without one, fetches anew."""
        with self._context.lock("token"):
            kept = self._kept()
            if refused is None or kept is None or kept.taken_at <= refused.taken_at:
                kept = self._fetch()
            self._held = kept
            return kept

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

    def _kept(self) -> Token | None:
        raw = self._context.tokens.get("access")
        if raw is None:
            return None
        scope, *parts = json.loads(raw)
        return Token(*parts) if scope == self._scope else None

    def _fetch(self) -> Token:
        self._count_call()
        payload = self._ask().payload
        now = self._context.clock.now()
        bearer = self._settings.auth_style == "bearer"
        value = payload.get("accessToken" if bearer else "corpAccessToken")
        enterprise = payload.get("ea" if bearer else "corpId")
        call = self._call()
        if not isinstance(value, str) or not value or not isinstance(enterprise, str):
            raise auth_rejected(call, f"{self._settings.auth_style} sign-in (the answer holds no token)", 0, "-")
        if self._settings.enterprise_account not in (None, enterprise):
            raise auth_rejected(call, "enterprise_account (the credentials belong to another enterprise)", 0, "-")
        life = float(payload.get("expiresIn") or 0)
        # A token already near its end is still good for what follows at once; it must not be fetched on every call.
        token = Token(value, enterprise, now, now + max(life - _REFRESH_BEFORE, min(life / 2, 60.0)))
        kept = [self._scope, token.value, token.enterprise, token.taken_at, token.use_until]
        self._context.tokens.put("access", json.dumps(kept).encode())
        return token

    def _call(self) -> Call:
        return Call(self._context.system, self._path, "", read=True)

    def _ask(self) -> Answer:
        call, context = self._call(), self._context
        body = {
            "appId": self._settings.app_id,
            "appSecret": context.secret("app_secret"),
            "permanentCode": context.secret("permanent_code"),
        }
        if self._settings.auth_style == "bearer":
            body["grantType"] = "app_secret"
        try:
            # Sent once, as a write is: each repetition would count against the ten calls a minute.
            response = context.http.send(
                "POST",
                self._settings.base_url + self._path,
                operation="token",
                read=False,
                params={"thirdTraceId": context.new_id()},
                json=body,
            )
            return open_answer(response, call)
        except WriteUnclear:
            raise unsettled(call, "no clear answer to the sign-in") from None
        except RateRefused:
            raise self._pace.pause(self._path) from None
        except QuotaRefused:
            raise self._pace.exhausted() from None
        except TokenRefused:
            raise auth_rejected(call, "app_id / app_secret / permanent_code", 20016, "-") from None
        except Rejected as no:
            raise _rejected_sign_in(call, no) from None

    def _count_call(self) -> None:
        """Books one call in the minute that all processes share. Raises RateLimited when it is full."""
        now = self._context.clock.now()
        raw = self._context.tokens.get("token_calls")
        calls = [at for at in (json.loads(raw) if raw else []) if now - 60 < at <= now]
        if len(calls) >= self._settings.sign_ins_per_minute:
            raise self._too_often(60 - (now - calls[0]))
        self._context.tokens.put("token_calls", json.dumps([*calls, now]).encode())

    def _too_often(self, after: float) -> ConnectorError:
        system = self._context.system
        return RateLimited(
            f"{system}: too many sign-ins in a minute; check app_secret, permanent_code and the app's IP allow-list",
            f"{system}：一分钟内登录次数过多；请检查 app_secret、permanent_code 与应用的 IP 白名单",
            after=after,
            system=system,
        )


def _rejected_sign_in(call: Call, no: Rejected) -> AuthRejected:
    names = ("appSecret", "permanentCode", "appId", "grantType")
    named = next((name for name in names if name in no.wording), "app_id / app_secret / permanent_code")
    return auth_rejected(call, named, no.code, no.trace_id)
