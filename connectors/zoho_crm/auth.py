"""Access tokens: asked for once, sealed, shared by all threads and processes, renewed before they expire.

A token is kept together with a digest of the credentials and hosts that it was asked with, and counts for no others: a
new refresh token, secret or data centre drops it, in every process within seconds.
Source: Zoho accounts OAuth self-client pages, token-validity (15 live and 10 new tokens in 10
minutes per refresh token).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from connectors.base import ConnectorContext
from connectors.errors import ConnectorError, SettingsInvalid
from connectors.trouble import Trouble
from connectors.zoho_crm import scopes
from connectors.zoho_crm.accounts import Accounts, data_center_of
from connectors.zoho_crm.settings import ZohoSettings

TOKEN = "access_token"  # noqa: S105 - the name it is stored under
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of the credential
LOOK_AGAIN = 15.0
"""Seconds for which a process believes that the credentials are still the ones it used."""
_MILLISECONDS_FROM = 100_000


@dataclass(frozen=True, slots=True)
class Token:
    """Is one access token; `expires_at` in epoch seconds, `scopes` empty where Zoho did not say."""

    value: str = field(repr=False)
    renew_at: float
    expires_at: float
    scopes: tuple[str, ...] = ()
    bound_to: str = ""

    def pack(self) -> bytes:
        """Returns the form in which it is kept."""
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True, slots=True)
class Credentials:
    """Is what tokens are asked with; `bound_to` is a digest of it and of the hosts."""

    form: Mapping[str, str] = field(repr=False)
    bound_to: str


class Tokens:
    """Hands out the connection's access token."""

    def __init__(self, settings: ZohoSettings, context: ConnectorContext) -> None:
        self._settings, self._context = settings, context
        self._accounts = Accounts(settings, context)
        self._trouble = Trouble(self._accounts.throttled, context)
        self._held: Token | None = None
        self._looked_at = 0.0

    def current(self, rejected: str | None = None) -> Token:
        """Returns a usable token other than the `rejected` one, asking for a new one at most once at a time.

        Raises AuthRejected, RateLimited (10 minutes), RetryLater, SettingsInvalid.
        """
        asked_at = self._context.clock.now()
        held = self._held
        if held is not None and self._usable(held, rejected) and self._still_ours(held, asked_at):
            return held
        with self._context.lock(TOKEN):
            wanted = read_credentials(self._settings, self._context)
            kept = self._kept()
            if kept is None or kept.bound_to != wanted.bound_to or not self._usable(kept, rejected):
                kept = self._renew(wanted, asked_at)
            self._held, self._looked_at = kept, asked_at
            return kept

    def _usable(self, token: Token, rejected: str | None) -> bool:
        return token.value != rejected and self._context.clock.now() < token.renew_at

    def _still_ours(self, token: Token, now: float) -> bool:
        """Tells whether the credentials are still those of the token; looks only now and then."""
        if abs(now - self._looked_at) < LOOK_AGAIN:
            return True
        self._looked_at = now
        try:
            return token.bound_to == read_credentials(self._settings, self._context).bound_to
        except SettingsInvalid:
            # A secret that cannot be read just now says nothing against a token that is good for a while.
            return True

    def _kept(self) -> Token | None:
        sealed = self._context.tokens.get(TOKEN)
        if not sealed:
            return None
        kept = json.loads(sealed)
        granted = tuple(kept["scopes"])
        return Token(kept["value"], kept["renew_at"], kept["expires_at"], granted, kept.get("bound_to", ""))

    def _renew(self, wanted: Credentials, asked_at: float) -> Token:
        self._trouble.check(wanted.bound_to, asked_at)
        try:
            token = read_token(self._accounts, self._accounts.ask(wanted.form), self._settings, self._context, wanted)
        except ConnectorError as error:
            self._trouble.keep(error, wanted.bound_to)
            raise
        self._context.tokens.put(TOKEN, token.pack())
        self._trouble.clear()
        return token


def read_token(
    accounts: Accounts,
    content: Mapping[str, Any],
    settings: ZohoSettings,
    context: ConnectorContext,
    wanted: Credentials,
) -> Token:
    """Returns the access token of an answer. Raises ProtocolViolation where it holds none."""
    value, lifetime = content.get("access_token"), _lifetime(content)
    if not isinstance(value, str) or not value or lifetime is None:
        raise accounts.violation()
    now = context.clock.now()
    renew_at = now + max(lifetime - settings.refresh_ahead, lifetime / 2)
    return Token(value, renew_at, now + lifetime, scopes.split(content.get("scope")), wanted.bound_to)


def read_client(context: ConnectorContext) -> dict[str, str]:
    """Returns the client's id and secret. Raises SettingsInvalid."""
    return {name: context.secret(name) for name in ("client_id", "client_secret")}


def read_credentials(settings: ZohoSettings, context: ConnectorContext) -> Credentials:
    """Returns what the connection asks for tokens with, as it stands now. Raises SettingsInvalid."""
    client = read_client(context)
    if settings.grant == REFRESH_TOKEN:
        return with_refresh_token(settings, client, _open(context, settings, client))
    soid = f"ZohoCRM.{settings.org_id}"
    return _credentials(settings, {"grant_type": settings.grant, **client, "scope": ",".join(settings.scopes)}, soid)


def with_refresh_token(settings: ZohoSettings, client: Mapping[str, str], token: str) -> Credentials:
    """Returns the credentials of a client with a refresh token."""
    return _credentials(settings, {"grant_type": REFRESH_TOKEN, **client, REFRESH_TOKEN: token})


def _credentials(settings: ZohoSettings, form: dict[str, str], soid: str | None = None) -> Credentials:
    if soid is not None:
        form["soid"] = soid
    parts = [settings.accounts_origin, settings.api_origin, *sorted(form.items())]
    return Credentials(form, hashlib.sha256(json.dumps(parts).encode()).hexdigest())


def seal_text(settings: ZohoSettings, client: Mapping[str, str], token: str) -> str:
    """Returns the text under which a refresh token is kept: with the hosts and the client that it belongs to."""
    bound = {"accounts": settings.accounts_origin, "api": settings.api_origin, "client": _client_mark(client)}
    return json.dumps({REFRESH_TOKEN: token, **bound})


def _open(context: ConnectorContext, settings: ZohoSettings, client: Mapping[str, str]) -> str:
    """Returns the refresh token. One that was kept with its hosts is never used at others: raises SettingsInvalid."""
    text = context.secret(REFRESH_TOKEN)
    if not text.startswith("{"):
        return text
    try:
        kept = json.loads(text)
        token, mark = str(kept[REFRESH_TOKEN]), kept["client"]
        hosts = (kept["accounts"], kept["api"])
    except (ValueError, KeyError, TypeError):
        raise _unusable(context.system, "cannot be read:", "无法读取，请") from None
    if hosts != (settings.accounts_origin, settings.api_origin):
        other = data_center_of(str(hosts[0])) or "another one"
        raise _unusable(
            context.system,
            f"belongs to data centre {other} or another environment, not to data_center {settings.data_center}, "
            f"environment {settings.environment}: set them back, or",
            f"属于数据中心 {other} 或其他环境，与 data_center {settings.data_center}、environment "
            f"{settings.environment} 不符：请改回配置，或",
        )
    if mark != _client_mark(client):
        raise _unusable(
            context.system, "belongs to another client_id: set it back, or", "属于其他 client_id：请改回配置，或"
        )
    return token


def _client_mark(client: Mapping[str, str]) -> str:
    return hashlib.sha256(client["client_id"].encode()).hexdigest()[:16]


def _unusable(system: str, en: str, zh: str) -> SettingsInvalid:
    return SettingsInvalid(
        f"{system}: the stored refresh token {en} authorise again with `crmhub connect {system}`",
        f"{system}：已保存的 refresh token {zh}用 `crmhub connect {system}` 重新授权",
        system=system,
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
