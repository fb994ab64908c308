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
HOST_REGIONS: Mapping[str, str] = {
    "open.fxiaoke.com": "cn",
    "open-hwcloud.fxiaoke.com": "cn",
    "open-ale.fxiaoke.com": "cn",
    "open-hws.fxiaoke.com": "eu",
    "open-ksc.sharecrm.com": "hk",
    "open-na.sharecrm.com": "us",
}
"""Where each cloud lies: 华为云, 阿里云, 法兰克福, 香港, 北美. Source: as above. A dedicated cloud is not known."""


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
    check_functions: Literal["all", "without-create", "none"] = "all"
    """Which function permissions `check` tries, on a record that cannot exist [unverified]; a create only where a
    required field left out and a link to nowhere forbid it."""

    rate_per_second: float = Field(default=4.7, gt=0)
    rate_burst: int = Field(default=5, ge=1)
    """5 at once and 4.7 a second keep any 20 s window at 99 of 100 calls. Source: Fxiaoke 调用限制, per interface."""
    sign_ins_per_minute: int = Field(default=9, ge=1)
    """One below the vendor's ten. Source: Fxiaoke auth/app-info."""
    rate_limit_wait: float = Field(default=20.0, ge=0)
    rate_limit_patience: float = Field(default=60.0, ge=0)
    """How long one call waits in all while its interface rests; beyond that the cycle ends and comes back."""
    daily_calls: int | None = Field(default=None, ge=1)
    """Calls bought per day; None leaves the stop to the vendor's own refusal."""
    daily_stop: float = Field(default=0.95, gt=0, le=1)
    """The part of them at which the daemon stops; the rest is for people's commands."""
    backfill_stop: float = Field(default=0.8, gt=0, le=1)
    """The part of them from which on first loads and reconciliation leave the rest to what is due."""
    quota_recheck: float = Field(default=1800.0, ge=60)
    """How long a refused day counts as used up before one call finds out whether a pack was bought."""
    workers: int = Field(default=4, ge=1, le=16)
    batch_size: int = Field(default=20, ge=1, le=200)

    page_limit: int = Field(default=100, ge=1, le=100)
    index_lag: float = Field(default=60.0, ge=0)
    """How long a committed write may be missing from a query [unverified]."""
    overlap: float = Field(default=300.0, ge=1)
    """How far each poll reaches back behind its watermark, against clocks that differ inside the vendor's cloud."""
    paging: Literal["keyset", "offset"] = "keyset"
    """How listings go on: by `_id GT`, or by offsets in ranges of time where a tenant's ids do not sort as text."""
    include_null: bool = True
    """Whether nulls are asked for. Off, an absent field is empty where a description read after it shows the field."""
    invalid_records: Literal["hidden", "filtered", "listed"] = "hidden"
    """Whether queries show invalid records (作废): never, to who filters for them, or always [unverified]."""
    masked_types: tuple[str, ...] = ("phone_number", "email")
    """Types of which a value with `*` is never taken in, also where describe does not call the field masked."""
    describe_ttl: float = Field(default=3600.0, ge=0)
    retired_option_mark: str = "not_usable"
    """What describe sets on an option that nobody may choose any more [unverified]."""

    external_key: str = "hub_id__c"
    """The field whose uniqueness `external_key_unique` claims and `check` proves."""
    external_keys: Mapping[str, str] = Field(default_factory=dict)
    """The same by object, where the console gave the field another name (field_…__c) [unverified]."""
    external_key_unique: bool = False
    duplicate_search: bool = False
    """Whether the tenant's duplicate rules (查重) judge our creates.

    Off: such rules usually compare names, so they refuse every second bearer of a common name for ever, while the hub
    has matched on stronger evidence already and the unique hub id keeps a create from happening twice.
    """
    trigger_approvals: bool = False
    """Whether what the hub writes starts the tenant's approval flows, which lock the record until somebody agrees."""
    trigger_workflows: bool = False
    """Whether what the hub writes starts the tenant's workflows."""
    specify_created_by: bool = False
    """Whether a create may say who made the record (a mapping onto `created_by`)."""
    claim_from_pool: bool = True
    """Whether a record in a pool (公海), which has no owner, is claimed when it is given one; off: it waits."""
    read_back: bool = False
    """Whether each create and update is read once more, so that what the vendor made of it is known at once."""
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
    deleted_codes: tuple[int, ...] = ()
    """Codes by which `get` tells of a deleted record and never of a hidden one [unverified]: proof of a deletion."""
    log_links: LinkMode = "described"
    """Which fields carry what a contact log is about: those that describe shows, or one in any case [unverified]."""
    log_linked_objects: tuple[str, ...] = ("AccountObj", "complaint__c")
    """The objects whose links in a contact log are the hub's; people's links to any other object are left alone."""
    append_only: tuple[str, ...] = ()
    """Objects whose records the tenant lets nobody change, such as ActiveRecordObj [unverified]: only created."""
    staff_source: Literal["auto", "personnel", "directory"] = "auto"
    """Where employees and departments are read: PersonnelObj and DepartmentObj, the directory endpoints, or either."""
    active_status: str = "0"
    """The value of `status` in PersonnelObj and DepartmentObj of those who work [unverified]."""
    department_code: str = "dept_code"
    """The field of DepartmentObj that holds the branch code, where the tenant keeps one [unverified]."""
    never_invalidated: tuple[str, ...] = ()
    """Objects whose records may be changed, but which the tenant lets nobody invalidate (作废) [unverified]."""
    read_only: tuple[str, ...] = ()
    """Objects whose records something else makes, such as a telephone system: only read [unverified]."""
    created_id_wait: float = Field(default=3.0, ge=0)
    """How long to wait until a new record is found by its key, where the answer does not name it [unverified]."""
    events: EventSettings | None = None
    """Set where an administrator of the tenant has switched event callbacks on."""

    def key_of(self, object: str) -> str:
        """Returns the field of an object that holds the hub id."""
        return self.external_keys.get(object, self.external_key)

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
