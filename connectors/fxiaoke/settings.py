"""The settings of one Fxiaoke connection; each vendor fact that nobody has verified is a switch with a safe default."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from connectors.errors import SettingsInvalid
from connectors.fxiaoke.links import LinkMode

HOSTS = (
    "open.fxiaoke.com",
    "open-hwcloud.fxiaoke.com",
    "open-ale.fxiaoke.com",
    "open-hws.fxiaoke.com",
    "open-ksc.sharecrm.com",
    "open-na.sharecrm.com",
)
"""The API hosts of the public clouds. Source: Fxiaoke openapi_v2, start/example/public."""


class EventSettings(BaseModel):
    """Says that event callbacks (事件回调) are heard, and which are ours; times in seconds.

    The secret `event_key` (解析密钥) comes from the context.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, coerce_numbers_to_str=True)

    enterprise_account: str = Field(pattern=r"^[\x21-\x7e]{1,128}$")
    """The 企业账号 that a callback must name; `check` compares it with that of the token, where a token shows it."""
    tenant_id: str | None = Field(default=None, pattern=r"^[0-9]{1,20}$")
    """The number of the enterprise inside a callback; None looks at the account alone. `check` shows it."""
    window: float = Field(default=600.0, ge=30)
    """How far a callback's time may lie from ours."""
    redelivery_window: float = Field(default=86_400.0, ge=30)
    """The same for one that the vendor sends again, which may keep its first time [unverified]."""


class FxiaokeSettings(BaseModel):
    """Is what an administrator sets for one connection; times in seconds.

    The secrets `app_secret` and `permanent_code` come from the context, never from here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: str = "https://open.fxiaoke.com"
    extra_hosts: tuple[str, ...] = ()
    """Hosts of a dedicated cloud, as the vendor confirmed them."""
    auth_style: Literal["bearer", "legacy"] = "bearer"
    app_id: str = Field(min_length=1)
    operator_id: str = Field(min_length=1)
    """The employee the hub acts as: an employee id (bearer) or an FSUID_… (legacy)."""
    enterprise_account: str | None = None
    """When set, a token of any other enterprise is refused."""
    employee_ids: Literal["plain", "open"] = "plain"
    """Whether employees are shown as ids ("1000") or as FSUID_…; asked for on every call."""
    objects: tuple[str, ...] = ("AccountObj",)
    """The objects whose permission `check` proves."""

    rate_per_second: float = Field(default=4.7, gt=0)
    rate_burst: int = Field(default=5, ge=1)
    """5 at once and 4.7 a second keep any 20 s window at 99 of 100 calls. Source: Fxiaoke 调用限制, per interface."""
    sign_ins_per_minute: int = Field(default=9, ge=1)
    """One below the vendor's ten. Source: Fxiaoke auth/app-info."""
    rate_limit_wait: float = Field(default=20.0, ge=0)
    daily_calls: int | None = Field(default=None, ge=1)
    """Calls bought per day; None leaves the stop to the vendor's own refusal."""
    daily_stop: float = Field(default=0.95, gt=0, le=1)
    workers: int = Field(default=4, ge=1, le=16)
    batch_size: int = Field(default=20, ge=1, le=200)

    page_limit: int = Field(default=100, ge=1, le=100)
    index_lag: float = Field(default=60.0, ge=0)
    """How long a committed write may be missing from a query [unverified]."""
    overlap: float = Field(default=300.0, ge=1)
    """How far each poll reaches back behind its watermark, against clocks that differ inside the vendor's cloud."""
    describe_ttl: float = Field(default=3600.0, ge=0)

    external_key: str = "hub_id__c"
    """The field whose uniqueness `external_key_unique` claims and `check` proves."""
    external_key_unique: bool = False
    duplicate_search: bool = False
    """Whether the tenant's duplicate rules (查重) judge our creates.

    Off: such rules usually compare names, so they refuse every second bearer of a common name for ever, while the hub
    has matched on stronger evidence already and the unique hub id keeps a create from happening twice.
    """
    use_validation_rules: bool = True
    skip_function_validation: bool = False
    clear_as: Literal["null", "empty"] = "null"
    """How a field is emptied: null, or "" and [] by type [unverified]."""
    trust_nulls: bool = True
    """Whether a null on an asked-for field means that it is empty.

    Turn it off where fields hidden from the operator come back as null [unverified]; then nobody can empty a field
    from Fxiaoke.
    """
    write_status_locked: bool = False
    """Whether to try to write records under review or locked; off: they are deferred."""
    not_found_codes: tuple[int, ...] = ()
    """Codes that also mean "invalid, deleted or hidden", beside the known wording [unverified]."""
    log_links: LinkMode = "described"
    """Which fields carry what a contact log is about: those that describe shows, or one in any case [unverified]."""
    log_linked_objects: tuple[str, ...] = ("AccountObj", "complaint__c")
    """The objects whose links in a contact log are the hub's; people's links to any other object are left alone."""
    append_only: tuple[str, ...] = ()
    """Objects whose records the tenant lets nobody change, such as ActiveRecordObj [unverified]: only created."""
    created_id_wait: float = Field(default=3.0, ge=0)
    """How long to wait until a new record is found by its key, where the answer does not name it [unverified]."""
    events: EventSettings | None = None
    """Set where an administrator of the tenant has switched event callbacks on."""

    @field_validator("base_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")

    @model_validator(mode="after")
    def _agrees(self) -> FxiaokeSettings:
        parts = urlsplit(self.base_url)
        host = parts.hostname or ""
        if parts.path or parts.query or not host:
            raise ValueError("base_url: give scheme and host only, for example https://open.fxiaoke.com")
        known = parts.scheme == "https" and host in {*HOSTS, *self.extra_hosts}
        if not known and not _is_loopback(host):
            raise ValueError(f"base_url: not an https address of {', '.join(HOSTS)} or of extra_hosts")
        if self.operator_id.startswith("FSUID_") != (self.auth_style == "legacy"):
            raise ValueError("operator_id: an employee id such as 1000 with bearer, an FSUID_… with legacy")
        if not self.operator_id.isascii() or not self.app_id.isascii():
            raise ValueError("app_id, operator_id: plain ASCII only")
        return self


def _is_loopback(host: str) -> bool:
    """Tells whether a host is this machine; only a lab profile's HTTP rules let a call go there."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def read_settings(settings: Mapping[str, Any], system: str) -> FxiaokeSettings:
    """Reads the settings of a connection. Raises SettingsInvalid that lists every problem, without the values."""
    try:
        return FxiaokeSettings(**settings)
    except ValidationError as wrong:
        problems = "; ".join(_problem(error) for error in wrong.errors(include_input=False, include_url=False))
    raise SettingsInvalid(
        f"{system}: the Fxiaoke settings cannot be used: {problems}",
        f"{system}：纷享销客连接配置不可用：{problems}",
        system=system,
    )


def _problem(error: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"])
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {text}" if place else text
