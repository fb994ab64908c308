"""One call for an access token, counted in the minute that all processes share; what a refusal says of which value."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import Any

from connectors.base import ConnectorContext, WriteUnclear
from connectors.errors import AuthRejected, RateLimited
from connectors.fxiaoke.envelope import (
    CHINESE,
    PARAMETERS,
    Answer,
    Call,
    QuotaRefused,
    RateRefused,
    Rejected,
    TokenRefused,
    auth_rejected,
    judge,
    read_answer,
    unsettled,
)
from connectors.fxiaoke.pacing import Pace
from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.fxiaoke.traces import Trace

BEARER_PATH = "/oauth2.0/token"
LEGACY_PATH = "/cgi/corpAccessToken/get/V2"
_MINUTE = 60.0
_ALL = "app_id / app_secret / permanent_code"


@dataclass(frozen=True, slots=True)
class Granted:
    """Is what a sign-in gave; `life` is in seconds, 0 where the vendor did not say."""

    token: str = field(repr=False)
    enterprise: str
    life: float


class SignIn:
    """Asks for tokens; call it under the connection's lock, so that no two calls go at once."""

    def __init__(self, settings: FxiaokeSettings, context: ConnectorContext, pace: Pace) -> None:
        self._settings, self._context, self._pace = settings, context, pace
        self._legacy = settings.auth_style == "legacy"
        self.call = Call(context.system, LEGACY_PATH if self._legacy else BEARER_PATH, "", read=True)

    def ask(self) -> Granted:
        """Returns a token. Raises AuthRejected, RateLimited, QuotaExhausted, RetryLater, ProtocolViolation."""
        self._count()
        payload = self._answer().payload
        value = payload.get("corpAccessToken" if self._legacy else "accessToken")
        enterprise = payload.get("corpId" if self._legacy else "ea")
        if not isinstance(value, str) or not value or not isinstance(enterprise, str):
            raise self._rejected(f"{self._settings.auth_style} sign-in (the answer holds no token)", 0, "-")
        if self._settings.enterprise_account not in (None, enterprise):
            raise self._rejected("enterprise_account (the credentials belong to another enterprise)", 0, "-")
        return Granted(value, enterprise, _seconds(payload.get("expiresIn")))

    def throttled(self, after: float) -> RateLimited:
        """Returns the error of too many sign-ins in a minute."""
        system = self._context.system
        return RateLimited(
            f"{system}: too many sign-ins in a minute; check app_secret, permanent_code and the app's IP allow-list",
            f"{system}：一分钟内登录次数过多；请检查 app_secret、permanent_code 与应用的 IP 白名单",
            after=after,
            system=system,
        )

    def _answer(self) -> Answer:
        call, context = self.call, self._context
        body = {
            "appId": self._settings.app_id,
            "appSecret": context.secret("app_secret"),
            "permanentCode": context.secret("permanent_code"),
        }
        if not self._legacy:
            body["grantType"] = "app_secret"
        try:
            with Trace(call, context.new_id(), logging.getLogger(__name__)) as trace:
                # Sent once, as a write is: each repetition would count against the ten calls a minute.
                response = context.http.send(
                    "POST",
                    self._settings.base_url + call.path,
                    operation="token",
                    read=False,
                    params=trace.params,
                    json=body,
                )
                answer = trace.heard(read_answer(response, call))
            return judge(answer, call)
        except WriteUnclear:
            raise unsettled(call, "no clear answer to the sign-in") from None
        except RateRefused:
            raise self.throttled(_MINUTE) from None
        except QuotaRefused as used_up:
            raise self._pace.day.refused(used_up.server_at) from None
        except TokenRefused as no:
            raise self._rejected(_ALL, no.code, no.trace_id) from None
        except Rejected as no:
            named = next((ours for name, ours in PARAMETERS.items() if name in no.wording), _ALL)
            raise self._rejected(named, no.code, no.trace_id) from None

    def _rejected(self, missing: str, code: int, trace_id: str) -> AuthRejected:
        return auth_rejected(self.call, missing, code, trace_id, missing_zh=CHINESE.get(missing, ""))

    def _count(self) -> None:
        """Books one call in the minute that all processes share. Raises RateLimited when it is full."""
        tokens, now = self._context.tokens, self._context.clock.now()
        raw = tokens.get("token_calls")
        calls = [at for at in (json.loads(raw) if raw else []) if now - _MINUTE < at <= now]
        if len(calls) >= self._settings.sign_ins_per_minute:
            raise self.throttled(_MINUTE - (now - calls[0]))
        tokens.put("token_calls", json.dumps([*calls, now]).encode())


def _seconds(told: Any) -> float:
    try:
        return max(0.0, float(told))
    except (TypeError, ValueError):
        return 0.0
