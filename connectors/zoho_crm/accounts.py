"""One call to the accounts server: every answer it may give, told apart by what to do next.

Source: Zoho accounts OAuth self-client and web-apps pages; errors come with status 200 and an `error` key, throttling
also with status 400 and `Access Denied` (Kaizen 43 and public traces).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import ConnectorContext, Response, WriteUnclear
from connectors.errors import ConnectorError, ProtocolViolation, RateLimited, RetryLater, SettingsInvalid
from connectors.zoho_crm.refusals import error_name, refused
from connectors.zoho_crm.settings import EVERY_DATA_CENTER, ZohoSettings

THROTTLED = "access_denied"


class Accounts:
    """Asks the accounts server of the configured data centre, and no other."""

    def __init__(self, settings: ZohoSettings, context: ConnectorContext) -> None:
        self._settings, self._context = settings, context

    @property
    def console(self) -> str:
        """Returns the host of the API console where the client was registered."""
        origin = EVERY_DATA_CENTER[self._settings.data_center][0]
        return origin.removeprefix("https://").replace("accounts.", "api-console.", 1)

    def ask(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        """Asks for tokens once and returns the answer, its `api_domain` checked.

        Raises AuthRejected, RateLimited, RetryLater (the outcome is not known), ProtocolViolation, SettingsInvalid.
        """
        content = self._content(self._send(form))
        if "error" in content:
            name = error_name(content["error"])
            raise self.throttled() if name == THROTTLED else self.refused(name, form["grant_type"])
        self._check_domain(content.get("api_domain"))
        return content

    def refused(self, name: str, grant: str) -> ConnectorError:
        """Returns what a refusal means."""
        return refused(self._context.system, name, grant, self._settings.data_center, self.console)

    def _send(self, form: Mapping[str, str]) -> Response:
        url = f"{self._settings.accounts_origin}/oauth/v2/token"
        try:
            # Sent once: each try counts against the ten tokens in ten minutes.
            response = self._context.http.send("POST", url, operation="token", read=False, form=form, cost=0)
        except WriteUnclear:
            raise self.silent() from None
        if response.status >= 500:
            raise self.silent()
        if response.status == 429:
            raise self.throttled()
        return response

    def _content(self, response: Response) -> Mapping[str, Any]:
        try:
            content = response.json()
        except ProtocolViolation:
            # A page for people: maintenance, or a proxy that answers in Zoho's place.
            raise self.silent() from None
        if not isinstance(content, Mapping) or (response.status != 200 and "error" not in content):
            raise self.violation()
        return content

    def _check_domain(self, domain: object) -> None:
        """Raises SettingsInvalid where a token belongs to another data centre; calls go to the configured one only."""
        if domain is None:
            return
        if not isinstance(domain, str):
            raise self.violation()
        if not self._settings.accepts_api_domain(domain):
            raise self.elsewhere(data_center_of(domain))

    def elsewhere(self, data_center: str | None) -> SettingsInvalid:
        """Returns the error for a sign-in that belongs to another data centre, named where it is a known one."""
        system, mine = self._context.system, self._settings.data_center
        other = data_center or "another one, unknown to crmhub"
        other_zh = data_center or "crmhub 未知的其他数据中心"
        return SettingsInvalid(
            f"{system}: the organisation lives in data centre {other}, but data_center is {mine}; correct data_center, "
            "register the client there and authorise again. Nothing was sent to the other data centre",
            f"{system}：该组织位于数据中心 {other_zh}，而 data_center 为 {mine}；请更正 data_center，"
            "在该数据中心注册客户端后重新授权。未向其他数据中心发送任何内容",
            system=system,
        )

    def silent(self) -> RetryLater:
        """Returns the error for no usable answer."""
        system = self._context.system
        return RetryLater(
            f"{system}: Zoho's sign-in service did not answer, or a page came in its place (outage, proxy); it is "
            "tried again later",
            f"{system}：Zoho 登录服务未响应或返回了网页（服务故障或代理拦截），稍后重试",
            system=system,
        )

    def throttled(self, after: float | None = None) -> RateLimited:
        """Returns the error for too many sign-ins."""
        system, left = self._context.system, self._settings.token_pause if after is None else after
        return RateLimited(
            f"{system}: Zoho has handed out too many tokens; sign-in pauses for {left:.0f} s by itself. If it recurs, "
            "see who else uses this client",
            f"{system}：申请令牌过于频繁，暂停登录 {left:.0f} 秒后自动恢复；如反复出现，请检查还有谁在使用该客户端",
            after=left,
            system=system,
        )

    def violation(self) -> ProtocolViolation:
        """Returns the error for an answer that holds no token."""
        system = self._context.system
        return ProtocolViolation(
            f"{system}: Zoho's sign-in answer has no usable token; check data_center",
            f"{system}：Zoho 登录返回中没有可用令牌，请检查 data_center",
            system=system,
        )


def data_center_of(address: str) -> str | None:
    """Returns the data centre that an accounts server or API domain belongs to, None where it is on no list."""
    wanted = address.rstrip("/").lower()
    for name, (accounts, api) in EVERY_DATA_CENTER.items():
        if wanted in {accounts, *(api.replace("//www.", f"//{kind}.") for kind in ("www", "sandbox", "developer"))}:
            return name
    return None
