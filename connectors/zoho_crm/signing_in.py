"""How a person lets the hub in: a code of the Self Client, a consent link, or client credentials that are proven.

Source: Zoho accounts OAuth pages self-client and web-apps. The callback names `location` and `accounts-server`; both
are believed only where they say what is configured, so that id, secret and code go to no other host.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from connectors.admission import Admission, Invitation
from connectors.base import CheckLine, ConnectorContext
from connectors.errors import AuthRejected, ConnectorError, ProtocolViolation, RetryLater, SettingsInvalid
from connectors.trouble import Trouble
from connectors.zoho_crm import scopes
from connectors.zoho_crm.accounts import Accounts, data_center_of
from connectors.zoho_crm.auth import (
    REFRESH_TOKEN,
    TOKEN,
    Credentials,
    Token,
    read_client,
    read_credentials,
    read_token,
    seal_text,
    with_refresh_token,
)
from connectors.zoho_crm.refusals import CODE
from connectors.zoho_crm.settings import EVERY_DATA_CENTER, ZohoSettings

PENDING = "sign_in_pending"
LINK_LIFETIME = 900.0
"""Seconds within which the answer to a consent link is taken."""
_CODE = re.compile(r"[\x21-\x7e]{8,512}")


class SigningIn:
    """Carries out the sign-in of one connection."""

    def __init__(self, settings: ZohoSettings, context: ConnectorContext) -> None:
        self._settings, self._context = settings, context
        self._accounts = Accounts(settings, context)
        self._trouble = Trouble(self._accounts.throttled, context)

    def invite(self, by_link: bool) -> Invitation:
        """Says what the person does; makes a consent link where one is wanted.

        Raises SettingsInvalid where a setting or the client's id or secret is missing, RateLimited during a pause.
        """
        client = read_client(self._context)
        self._trouble.check("", self._context.clock.now())
        if self._settings.grant == "client_credentials":
            return Invitation(
                False,
                (),
                "client credentials need no code: they are proven now",
                "client_credentials 方式无需授权码，现在直接验证",
            )
        return self._link(client["client_id"]) if by_link else self._ask_for_code()

    def admit(self, brought: str, by_link: bool) -> Admission:
        """Exchanges what was brought, once, and returns what is to be kept.

        Raises AuthRejected, RateLimited, RetryLater (the code may be used up), ProtocolViolation, SettingsInvalid.
        """
        client = read_client(self._context)
        if self._settings.grant == "client_credentials":
            wanted = read_credentials(self._settings, self._context)
            return self._admission("client_credentials", {}, self._obtain(wanted.form, wanted)[0])
        code, address = self._read(brought.strip(), by_link)
        form = {"grant_type": CODE, **client, "code": code}
        way = "self_client" if address is None else "link"
        token, content = self._obtain(form if address is None else {**form, "redirect_uri": address}, None)
        refresh = content.get(REFRESH_TOKEN)
        if not isinstance(refresh, str) or not refresh:
            raise self._no_refresh_token()
        bound = with_refresh_token(self._settings, client, refresh).bound_to
        token = Token(token.value, token.renew_at, token.expires_at, token.scopes, bound)
        return self._admission(way, {REFRESH_TOKEN: seal_text(self._settings, client, refresh)}, token)

    def _obtain(self, form: Mapping[str, str], wanted: Credentials | None) -> tuple[Token, Mapping[str, Any]]:
        credentials = wanted or Credentials(form, "")
        with self._context.lock(TOKEN):
            self._trouble.check("", self._context.clock.now())
            try:
                content = self._accounts.ask(form)
                token = read_token(self._accounts, content, self._settings, self._context, credentials)
            except ConnectorError as error:
                if isinstance(error, RetryLater):
                    self._trouble.keep(error, credentials.bound_to)
                raise self._spent(error, form["grant_type"]) from None
            self._trouble.clear()
        return token, content

    def _spent(self, error: ConnectorError, grant: str) -> ConnectorError:
        """Says of a code whose exchange has no known outcome that it is used up."""
        if grant != CODE or type(error) not in (RetryLater, ProtocolViolation):
            return error
        system = self._context.system
        return type(error)(
            f"{system}: Zoho did not answer the exchange usably, and the code may be used up; make a new one and run "
            f"`crmhub connect {system}` again",
            f"{system}：换取令牌时 Zoho 未给出可用应答，授权码可能已失效；请生成新码后"
            f"再次运行 `crmhub connect {system}`",
            system=system,
        )

    def _admission(self, way: str, credentials: Mapping[str, str], token: Token) -> Admission:
        return Admission(way, credentials, {TOKEN: token.pack()}, tuple(self._lines(token)))

    def _lines(self, token: Token) -> list[CheckLine]:
        """Returns the proof of the sign-in, and each scope that was wanted and not granted."""
        name, hosts = "sign-in", EVERY_DATA_CENTER[self._settings.data_center]
        center = f"{self._settings.data_center} ({urlsplit(hosts[0]).hostname})"
        lines = [CheckLine(name, True, f"sign-in works, data centre {center}", f"登录成功，数据中心 {center}")]
        if not token.scopes:
            return lines
        for scope in self._settings.scopes:
            if not scopes.allows(token.scopes, scope):
                en, zh = scopes.lost(scope)
                lines.append(CheckLine(scope, False, f"was not granted; without it {en}", f"未授予；缺少时{zh}"))
        return lines

    # --- a code of the Self Client ---------------------------------------------------------------------------------

    def _ask_for_code(self) -> Invitation:
        wanted, console, system = ",".join(self._settings.scopes), self._accounts.console, self._context.system
        return Invitation(
            True,
            (REFRESH_TOKEN,),
            f"{system}: in {console} open the Self Client, choose Generate Code with 10 minutes and the scopes\n"
            f"{wanted}\nand bring the code here. It works once",
            f"{system}：在 {console} 打开 Self Client，选择 Generate Code，有效期 10 分钟，授权范围：\n"
            f"{wanted}\n然后把授权码粘贴到此处。授权码只能使用一次",
        )

    def _read(self, brought: str, by_link: bool) -> tuple[str, str | None]:
        """Returns the code, and the redirect address of a consent link."""
        if re.match(r"(?i)https?://", brought):
            return self._callback(brought)
        if by_link:
            raise self._wrong(
                "a code alone does not show that it answers this link: bring the whole address where the browser ended",
                "仅有授权码无法确认它对应此链接：请粘贴浏览器最终停留的完整地址",
                "state",
            )
        if not _CODE.fullmatch(brought):
            raise self._wrong("this is no code; nothing was sent", "这不是授权码；未发送任何内容", "code")
        return brought, None

    # --- a consent link ---------------------------------------------------------------------------------------------

    def _link(self, client_id: str) -> Invitation:
        address, system = self._settings.redirect_uri, self._context.system
        if address is None:
            raise SettingsInvalid(
                f"{system}: a consent link needs redirect_uri in the settings, as registered with the client in "
                f"{self._accounts.console}; a Self Client goes without --link",
                f"{system}：授权链接需要在 settings 中填写 redirect_uri，与 {self._accounts.console} 中登记的一致；"
                "使用 Self Client 时不加 --link",
                system=system,
            )
        state = self._context.new_id() + self._context.new_id()
        until = self._context.clock.now() + LINK_LIFETIME
        pending = {"state": state, "redirect_uri": address, "until": until}
        self._context.tokens.put(PENDING, json.dumps(pending).encode())
        query = {
            "response_type": "code",
            "access_type": "offline",
            "prompt": "consent",
            "client_id": client_id,
            "scope": ",".join(self._settings.scopes),
            "redirect_uri": address,
            "state": state,
        }
        return Invitation(
            True,
            (REFRESH_TOKEN,),
            f"{system}: open the link in a browser, sign in as the user that the hub shall act as, and accept. The "
            f"browser ends at {address}, which need not answer: bring that whole address here within 15 minutes",
            f"{system}：在浏览器中打开链接，以集成专用用户登录并同意授权。浏览器最终停留在 "
            f"{address}（该页面无需可用），请在 15 分钟内把完整地址粘贴到此处",
            f"{self._settings.accounts_origin}/oauth/v2/auth?{urlencode(query)}",
        )

    def _callback(self, address: str) -> tuple[str, str]:
        pending, given = self._pending(), dict(parse_qsl(urlsplit(address).query))
        if address.partition("?")[0] != pending["redirect_uri"]:
            raise self._wrong(
                "this is not the address in redirect_uri; nothing was sent",
                "该地址与 redirect_uri 不符；未发送任何内容",
                "redirect_uri",
            )
        # A link is answered once, whatever comes of it.
        self._context.tokens.put(PENDING, b"")
        if not hmac.compare_digest(given.get("state", "").encode(), pending["state"].encode()):
            raise self._wrong(
                "this address does not answer the link that was made here last; nothing was sent. Make a new link, and "
                "if it recurs find out who sent the address",
                "该地址并非对最近一次生成的链接的应答；未发送任何内容。请重新生成链接；如反复出现，请查明地址来源",
                "state",
            )
        self._check_origin(given)
        if "error" in given or not _CODE.fullmatch(given.get("code", "")):
            raise self._wrong(
                "consent was not given; make a new link and accept it",
                "未授予同意；请重新生成链接并同意授权",
                "consent",
            )
        return given["code"], pending["redirect_uri"]

    def _pending(self) -> dict[str, Any]:
        kept = self._context.tokens.get(PENDING)
        pending: dict[str, Any] = json.loads(kept) if kept else {}
        if not pending or self._context.clock.now() > pending["until"]:
            raise self._wrong(
                "no link waits for an answer: it was answered, or is older than 15 minutes. Make a new one",
                "没有等待应答的链接（已使用或超过 15 分钟）；请重新生成",
                "state",
            )
        return pending

    def _check_origin(self, given: Mapping[str, str]) -> None:
        """Raises where the callback names another data centre, or a host that is none of Zoho's."""
        server, mine = given.get("accounts-server"), self._settings.data_center
        if server is not None and server.rstrip("/") != self._settings.accounts_origin:
            named = data_center_of(server)
            if named is None:
                raise self._wrong(
                    "the address names an accounts server that is none of Zoho's; nothing was sent. Find its maker",
                    "该地址指定的 accounts-server 不是 Zoho 主机；未发送任何内容。请查明地址来源",
                    "accounts-server",
                )
            raise self._accounts.elsewhere(named)
        location = given.get("location", mine)
        if location != mine:
            raise self._accounts.elsewhere(location if location in EVERY_DATA_CENTER else None)

    def _no_refresh_token(self) -> AuthRejected:
        return self._wrong(
            "Zoho gave no refresh token: the link must ask for offline access with consent. Take crmhub off the user's "
            "connected apps in Zoho and make a new link",
            "Zoho 未返回 refresh token：请在 Zoho 该用户的已授权应用中移除 crmhub，再重新生成链接授权",
            REFRESH_TOKEN,
        )

    def _wrong(self, en: str, zh: str, missing: str) -> AuthRejected:
        system = self._context.system
        return AuthRejected(f"{system}: {en}", f"{system}：{zh}", missing=missing, system=system)
