"""The settings of one Zoho CRM connection, every unverified vendor behaviour among them."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connectors.errors import SettingsInvalid
from connectors.zoho_crm.editions import EDITIONS, SUB_CONCURRENCY, EditionName

# Source: Zoho CRM multi-DC table, SDK v8 DataCenter classes.
DATA_CENTERS: Mapping[str, tuple[str, str]] = {
    "us": ("https://accounts.zoho.com", "https://www.zohoapis.com"),
    "eu": ("https://accounts.zoho.eu", "https://www.zohoapis.eu"),
    "in": ("https://accounts.zoho.in", "https://www.zohoapis.in"),
    "cn": ("https://accounts.zoho.com.cn", "https://www.zohoapis.com.cn"),
    "au": ("https://accounts.zoho.com.au", "https://www.zohoapis.com.au"),
    "jp": ("https://accounts.zoho.jp", "https://www.zohoapis.jp"),
    "ca": ("https://accounts.zohocloud.ca", "https://www.zohoapis.ca"),
    "sa": ("https://accounts.zoho.sa", "https://www.zohoapis.sa"),
}
# Known from third parties only: not among ALLOWED_HOSTS, so that a connection to it also needs `http.approved_hosts`.
UNVERIFIED: Mapping[str, tuple[str, str]] = {"uk": ("https://accounts.zoho.uk", "https://www.zohoapis.uk")}
EVERY_DATA_CENTER: Mapping[str, tuple[str, str]] = {**DATA_CENTERS, **UNVERIFIED}

HOST_REGIONS: Mapping[str, str] = {
    str(urlsplit(url.replace("://www.", f"://{name}.")).hostname): center
    for center, urls in EVERY_DATA_CENTER.items()
    for url, names in zip(urls, (("",), ("www", "sandbox", "developer")), strict=True)
    for name in names
}
"""Host -> the data centre it belongs to."""

ALLOWED_HOSTS = tuple(host for host, center in HOST_REGIONS.items() if center in DATA_CENTERS)
"""Every host that a connection may be configured to reach."""

SCOPES = (
    "ZohoCRM.modules.accounts.ALL",
    "ZohoCRM.modules.contacts.ALL",
    "ZohoCRM.modules.calls.ALL",
    "ZohoCRM.modules.events.ALL",
    "ZohoCRM.modules.tasks.ALL",
    "ZohoCRM.modules.cases.ALL",
    "ZohoCRM.settings.modules.READ",
    "ZohoCRM.settings.fields.READ",
    "ZohoCRM.users.READ",
    "ZohoCRM.org.READ",
    "ZohoCRM.coql.READ",
    "ZohoCRM.bulk.READ",
)


_RESERVED = 10
"""Percent of the credits that are kept for people, where nothing else is set."""


class ZohoSettings(BaseModel):
    """Holds the settings of one connection; times in seconds, secrets stay with the context.

    Credentials are asked for as `client_id`, `client_secret` and, for the refresh grant, `refresh_token`.
    `backend` chooses our own client of API v8 or Zoho's Python SDK, which speaks v2 (ADR 0002).
    `rate` (calls a second, None for no limit) and `workers` (calls at once) stay below what the organisation bought.
    `edition` and `users` say how many API credits a day the organisation has, unless `daily_credits` does; the last
    `credit_reserve` of them (a tenth where it is None) are kept for people. A call that Zoho refuses because too many
    go at once is made again for `throttle_patience` at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    backend: Literal["rest", "zcrmsdk"] = "rest"
    data_center: Literal["us", "eu", "in", "cn", "au", "jp", "ca", "sa", "uk"] = "cn"
    environment: Literal["production", "sandbox", "developer"] = "production"
    accounts_url: str | None = None
    api_url: str | None = None
    grant: Literal["refresh_token", "client_credentials"] = "refresh_token"
    org_id: str | None = None
    redirect_uri: str | None = None
    scopes: tuple[str, ...] = SCOPES
    objects: tuple[str, ...] = ("Contacts", "Accounts", "Calls", "Events", "Tasks", "Cases")

    external_key: str = "Hub_Id"
    external_key_unique: bool = True
    page_size: int = Field(200, ge=1, le=200)
    batch_size: int = Field(100, ge=1, le=100)
    coql_page_size: int = Field(2000, ge=1, le=2000)
    listing: Literal["auto", "list", "coql", "ranges"] = "auto"
    coql_unreadable: tuple[str, ...] = ("Tag",)
    rich_text_fields: tuple[str, ...] = ()
    single_read_fields: tuple[str, ...] = ()
    token_window_rows: int = Field(100_000, ge=200, le=100_000)
    deleted_window_rows: int = Field(2000, ge=200)

    bulk_read_above: int | None = Field(50_000, ge=0)
    bulk_job_credits: int = Field(50, ge=1)
    bulk_columns: int = Field(200, ge=10, le=1000)
    bulk_unreadable: tuple[str, ...] = ("Tag", "$se_module")
    bulk_look_seconds: float = Field(30.0, gt=0)
    bulk_patience: float = Field(3600.0, gt=0)
    bulk_file_bytes: int = Field(128 * 1024 * 1024, ge=64 * 1024, le=1024 * 1024 * 1024)

    overlap: float = Field(120.0, ge=0)
    visibility_lag: float = Field(2.0, ge=0)
    if_modified_since_inclusive: bool = True
    conditional_updates: Literal["automatic", "batch_read_before_write", "single_row_if_unmodified_since"] = "automatic"
    condition_batches: bool = True
    contested_within: float = Field(900.0, ge=0)
    repeat_creates: Literal["upsert", "insert"] = "upsert"
    upsert_activities: bool = False
    clears: bool = True
    deleted_feed: bool = True
    hide_hub_id: bool = True
    field_wait: float = Field(30.0, ge=0)
    deleted_retention_days: float = Field(60.0, gt=0, le=120)
    triggers: tuple[Literal["approval", "workflow", "blueprint", "pathfinder", "orchestration"], ...] = ()

    # A week is the most; beyond it the vendor grants one hour, so an hour is left for clocks that differ.
    channel_lifetime: float = Field(518_400.0, ge=600, le=601_200)

    edition: EditionName = "enterprise"
    users: int = Field(0, ge=0)
    daily_credits: int | None = Field(None, ge=1)
    credit_reserve: int | None = Field(None, ge=0)
    workers: int = Field(4, ge=1, le=SUB_CONCURRENCY)
    rate: float | None = Field(None, gt=0)
    refresh_ahead: float = Field(300.0, ge=0)
    token_pause: float = Field(600.0, ge=600)
    quota_pause: float = Field(300.0, gt=0)
    throttle_patience: float = Field(60.0, ge=0)

    @field_validator("accounts_url", "api_url")
    @classmethod
    def _only_loopback(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not _is_loopback(parts.hostname or ""):
            raise ValueError("only a loopback address may replace the data centre's; choose data_center instead")
        return url.rstrip("/")

    @field_validator("redirect_uri")
    @classmethod
    def _plain_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        here = parts.scheme == "http" and _is_loopback(parts.hostname or "")
        if not (here or (parts.scheme == "https" and parts.hostname)) or parts.query or parts.fragment:
            raise ValueError(
                "must be https://HOST/PATH, or http on this machine, exactly as registered with the client"
            )
        return url

    @property
    def accounts_origin(self) -> str:
        """Returns where tokens are asked for."""
        return self.accounts_url or EVERY_DATA_CENTER[self.data_center][0]

    @property
    def api_origin(self) -> str:
        """Returns where records are read and written."""
        host = EVERY_DATA_CENTER[self.data_center][1]
        if self.environment != "production":
            host = host.replace("https://www.", f"https://{self.environment}.")
        return self.api_url or host

    @property
    def credits(self) -> int:
        """Returns how many API credits the organisation has in 24 hours."""
        return self.daily_credits or EDITIONS[self.edition].credits_of(self.users)

    @property
    def reserve(self) -> int:
        """Returns how many of them are kept for people."""
        return self.credits * _RESERVED // 100 if self.credit_reserve is None else self.credit_reserve

    def accepts_api_domain(self, domain: str) -> bool:
        """Tells whether the `api_domain` of a token answer belongs to the configured data centre."""
        return domain.rstrip("/") in {self.api_origin, self.api_url or EVERY_DATA_CENTER[self.data_center][1]}


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_settings(raw: Mapping[str, Any], system: str) -> ZohoSettings:
    """Returns checked settings. Raises SettingsInvalid naming every wrong setting, never its value."""
    try:
        settings = ZohoSettings.model_validate(dict(raw))
    except ValidationError as invalid:
        wrong = [(".".join(map(str, e["loc"])), e["msg"]) for e in invalid.errors(include_input=False)]
    else:
        wrong = _missing(settings)
    if wrong:
        named = "; ".join(f"{name}: {reason}" for name, reason in wrong)
        names = "、".join(name for name, _ in wrong)
        raise SettingsInvalid(
            f"{system}: settings cannot be used: {named}; correct them in the connection's settings",
            f"{system}：配置项无效：{names}，请在连接配置中更正",
            system=system,
        )
    return settings


def _missing(settings: ZohoSettings) -> list[tuple[str, str]]:
    wrong = []
    if settings.grant == "client_credentials" and not settings.org_id:
        wrong.append(("org_id", "is required for grant: client_credentials (GET /org shows it as zgid)"))
    if settings.reserve >= settings.credits:
        wrong.append(("credit_reserve", "leaves nothing of the day's credits; keep less for people"))
    if settings.workers > EDITIONS[settings.edition].at_once:
        wrong.append(("workers", "is more than the edition admits at once; correct edition or workers"))
    if settings.backend == "zcrmsdk":
        only_rest = {"grant": "client_credentials", "conditional_updates": "single_row_if_unmodified_since"}
        held = [(name, value) for name, value in only_rest.items() if getattr(settings, name) == value]
        wrong += [(name, f"{value} needs backend: rest, zcrmsdk cannot do it") for name, value in held]
    return wrong
