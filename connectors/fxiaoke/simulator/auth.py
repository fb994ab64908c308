"""Both generations of sign-in, and what limits the calls. Source: Fxiaoke 授权 pages, old and new."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from connectors.fxiaoke.simulator import refusal
from connectors.fxiaoke.simulator.refusal import Refusal, bad_parameter
from connectors.fxiaoke.simulator.settings import Settings
from connectors.fxiaoke.simulator.staff import Directory
from connectors.simulation.clock import SimClock

APP_ID = "FSAID_simulated"
APP_SECRET = "simulated-secret"  # noqa: S105 (a fixed lab value)
PERMANENT_CODE = "simulated-permanent"
CORP_ID = "FSCID_simulated"
EA = "simulated"
_LEGACY_KEYS = frozenset({"corpAccessToken", "corpId", "currentOpenUserId"})
_BEARER_HEADERS = frozenset({"authorization", "x-fs-ea", "x-fs-userid"})
"""What each generation carries; a call with both is refused."""
CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call, and which form of employee ids the call speaks."""

    user_id: str
    converted: bool


@dataclass(frozen=True, slots=True)
class Token:
    """One access token with its instant of issue in epoch seconds."""

    text: str = field(repr=False)
    issued_at: float


class TokenDesk:
    """Issues tokens of one generation: one shared token, renewed late, the old one valid to its own end."""

    def __init__(self, clock: SimClock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self._tokens: list[Token] = []
        self._calls: deque[float] = deque()
        self._busy = False

    async def issue(self, request: Mapping[str, Any]) -> tuple[str, int]:
        """Returns the token and its remaining life in seconds; raises Refusal."""
        now = self._clock.now()
        while self._calls and self._calls[0] <= now - 60:
            self._calls.popleft()
        too_many = len(self._calls) >= self._settings.token_calls_per_minute
        if too_many or (self._busy and self._settings.token_serial):
            raise Refusal(self._settings.token_limit_code, "接口调用超过限制")
        self._calls.append(now)
        self._busy = True
        try:
            await asyncio.sleep(self._settings.token_latency_ms / 1000)
        finally:
            self._busy = False
        _check_application(request)
        return self._current(self._clock.now())

    def _current(self, now: float) -> tuple[str, int]:
        life = self._settings.token_life_seconds
        self._tokens = [token for token in self._tokens if now < token.issued_at + life]
        newest = self._tokens[-1] if self._tokens else None
        if newest is None or now >= newest.issued_at + self._settings.token_same_seconds:
            newest = Token(secrets.token_hex(16).upper(), now)
            self._tokens.append(newest)
        return newest.text, int(newest.issued_at + life - now)

    def knows(self, text: str) -> bool:
        """Tells whether a token is valid now."""
        now = self._clock.now()
        life = self._settings.token_life_seconds
        return any(token.text == text and now < token.issued_at + life for token in self._tokens)

    def revoke(self) -> None:
        """Makes every token issued so far unknown."""
        self._tokens.clear()


def _check_application(request: Mapping[str, Any]) -> None:
    for name in ("appId", "appSecret", "permanentCode"):
        if not isinstance(request.get(name), str) or not request[name]:
            raise bad_parameter(name)
    if request["appId"] != APP_ID or request["appSecret"] != APP_SECRET:
        raise Refusal(refusal.APP_SECRET_WRONG, "appId或appSecret错误")
    if request["permanentCode"] != PERMANENT_CODE:
        raise Refusal(refusal.PERMANENT_CODE_WRONG, "永久授权码错误")


class Gate:
    """Lets authenticated calls in, within the frequency and the daily quota."""

    def __init__(self, clock: SimClock, settings: Settings, directory: Directory) -> None:
        self.bearer = TokenDesk(clock, settings)
        self.legacy = TokenDesk(clock, settings)
        self.used_today = 0
        self._clock = clock
        self._settings = settings
        self._directory = directory
        self._day = ""
        self._windows: dict[str, deque[float]] = {}
        self.arrivals: deque[tuple[str, float]] = deque(maxlen=20_000)
        """The last calls, admitted or not, by path and instant: by what a limit was kept can be counted from it."""

    def identify(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> Caller:
        """Returns who calls; raises Refusal for missing, mixed or unknown credentials."""
        bearer = headers.get("authorization", "").startswith("Bearer ")
        if not bearer and not body.get("corpAccessToken"):
            raise Refusal(refusal.CREDENTIALS_MISSING, "corpAccessToken为必填项，不能为空")
        mixed = _LEGACY_KEYS & body.keys() if bearer else _BEARER_HEADERS & {name.lower() for name in headers}
        if mixed and not self._settings.mixed_auth_allowed:
            raise self._unknown()
        user_id = self._bearer_user(headers) if bearer else self._legacy_user(body)
        settings = self._settings
        default = settings.bearer_convert_user_id if bearer else settings.legacy_convert_user_id
        converted = body.get("convertUserId", default)
        if not isinstance(converted, bool):
            raise bad_parameter("convertUserId")
        return Caller(user_id, converted)

    def _bearer_user(self, headers: Mapping[str, str]) -> str:
        token = headers["authorization"].removeprefix("Bearer ")
        if not self.bearer.knows(token) or headers.get("x-fs-ea") != EA:
            raise self._unknown()
        user_id = headers.get("x-fs-userid", "")
        if not user_id:
            raise bad_parameter("x-fs-userid")
        return self._active(user_id)

    def _legacy_user(self, body: Mapping[str, Any]) -> str:
        if not self.legacy.knows(str(body["corpAccessToken"])) or body.get("corpId") != CORP_ID:
            raise self._unknown()
        open_id = body.get("currentOpenUserId")
        if not open_id:
            raise Refusal(refusal.OPEN_USER_MISSING, "缺少参数openUserId")
        return self._active(self._directory.by_open_id(str(open_id)) or "")

    def _unknown(self) -> Refusal:
        return Refusal(self._settings.token_refused_code, refusal.TOKEN_ERROR_TEXT)

    def _active(self, user_id: str) -> str:
        person = self._directory.employees.get(user_id)
        if person is None or not person.active:
            raise Refusal(refusal.OPEN_USER_UNKNOWN, "openUserId不存在")
        return user_id

    def admit(self, path: str) -> None:
        """Counts a call against the window of its interface and the day; raises Refusal past a limit."""
        now = self._clock.now()
        self.arrivals.append((path, now))
        self._turn_day(now)
        window, length = self._windows.setdefault(path, deque()), self._settings.window_seconds
        fixed = self._settings.window_kind == "fixed"
        while window and (window[0] // length < now // length if fixed else window[0] <= now - length):
            window.popleft()
        if len(window) >= self._settings.calls_per_window:
            if self._settings.refused_calls_count:
                window.append(now)
                self.used_today += 1
            raise Refusal(self._settings.rate_limit_code, "接口调用超过限制")
        window.append(now)
        if self.used_today >= self._settings.daily_quota:
            raise Refusal(refusal.DAILY_QUOTA_EXCEEDED, "当日接口调用次数已用完")
        self.used_today += 1

    def leave(self, calls: int) -> None:
        """Leaves so many calls of today's quota, as if somebody else had used the others."""
        self._turn_day(self._clock.now())
        self.used_today = self._settings.daily_quota - calls

    def _turn_day(self, now: float) -> None:
        day = datetime.fromtimestamp(now, UTC).astimezone(CHINA).date().isoformat()
        if day != self._day:
            self._day, self.used_today = day, 0

    def revoke(self) -> None:
        """Makes every token of both generations unknown."""
        self.bearer.revoke()
        self.legacy.revoke()
