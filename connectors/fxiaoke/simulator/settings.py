"""Everything a tenant, a bought limit or an unverified vendor fact decides, as one set of switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

LIMITS: dict[str, dict[str, Any]] = {
    "vendor": {},
    "fast": {
        "calls_per_window": 100_000,
        "daily_quota": 100_000_000,
        "token_calls_per_minute": 10_000,
        "index_lag_seconds": 0.2,
        "token_latency_ms": 2,
    },
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "rate_limit_code": (30004, 14001),
    "token_limit_code": (14001, 30004),
    "window_kind": ("sliding", "fixed"),
    "token_refused_code": (20016, 20005),
    "over_limit": ("reject", "clamp"),
    "uneven_offset": ("reject", "clamp"),
    "offset_out_of_range": ("reject", "clamp"),
    "multi_field_sort": ("first", "honour", "reject"),
    "id_order": ("text", "length"),
    "id_digits": (24, 32),
    "null_filter_values": ("either", "none", "empty_text"),
    "include_null": ("honoured", "ignored"),
    "hidden_answer": ("not_found", "permission"),
    "unknown_fields": ("ignore", "reject"),
    "readonly_fields": ("ignore", "reject"),
    "owner_in_update": ("ignore", "reject"),
    "event_types": ("update", "named", "unknown"),
    "event_signature": ("right", "wrong"),
    "event_retry_timestamp": ("same", "fresh"),
    "event_first_retry_times": ("absent", "zero"),
    "clear_with_null": ("clear", "ignore", "reject"),
    "clear_with_empty": ("clear", "ignore", "reject"),
    "personnel_unshared": ("refused", "empty"),
    "directory_list_key": ("userList", "userlist"),
    "region_links": ("child_options", "parent"),
    "log_edit": ("allowed", "window", "refused"),
    "target_delete_stage": ("delete", "invalid"),
    "describe_position": ("either", "data", "top"),
    "function_check": ("first", "found"),
    "foreign_address_at": ("", "token", "call"),
}


@dataclass(slots=True)
class Settings:
    """Holds the switches; the defaults are the documented behaviour, or the harder one where none is.

    Source: Fxiaoke reference manual, the points listed there as conflicting, inferred or unverified.
    """

    # limits (Fxiaoke 调用限制: 100 calls / 20 s per interface; packs of 100 000 calls a day)
    calls_per_window: int = 100
    window_seconds: int = 20
    rate_limit_code: int = 30004
    window_kind: str = "sliding"
    refused_calls_count: bool = False
    daily_quota: int = 100_000
    token_calls_per_minute: int = 10
    token_serial: bool = True
    token_latency_ms: int = 50
    token_limit_code: int = 14001
    token_life_seconds: int = 7200
    token_same_seconds: int = 6600
    token_refused_code: int = 20016
    index_lag_seconds: float = 2.0
    # what administrators have made: False is a tenant as it was bought, without custom objects and fields
    custom_fields: bool = True
    # requests
    third_trace_id_strict: bool = False
    strict_paths: bool = True
    mixed_auth_allowed: bool = False
    accept_both_user_ids: bool = False
    legacy_convert_user_id: bool = True
    bearer_convert_user_id: bool = False
    # query
    max_limit: int = 100
    over_limit: str = "reject"
    max_offset: int = 10_000
    offset_out_of_range: str = "reject"
    uneven_offset: str = "reject"
    multi_field_sort: str = "first"
    default_order: str = "last_modified_time"
    unstable_ties: bool = True
    alternate_operators: bool = False
    negatives_match_null: bool = False
    employee_filter_needs_in: bool = True
    invalid_queryable: bool = False
    invalid_listed: bool = False
    id_order: str = "text"
    id_digits: int = 24
    null_filter_values: str = "either"
    include_null: str = "honoured"
    total_cap: int = 0
    replica_lag_seconds: float = 0.0
    # reading one record
    get_invalid: bool = True
    not_found_code: int = 320002401
    not_found_text: str = "数据已作废或已删除"
    hidden_answer: str = "not_found"
    masked_fields: list[str] = field(default_factory=list)
    mask_described: bool = True
    personnel_shared: bool = True
    personnel_unshared: str = "refused"
    department_codes: bool = True
    # employees, departments and regions
    directory_takes_bearer: bool = True
    directory_converts: bool = True
    directory_lists_leavers: bool = True
    directory_list_key: str = "userList"
    region_links: str = "child_options"
    denied_objects: list[str] = field(default_factory=list)
    uncreatable_objects: list[str] = field(default_factory=list)
    # permissions: functions as "AccountObj.update"; whether they are judged before the record is looked for
    describe_position: str = "either"
    retired_mark: str = "not_usable"
    denied_functions: list[str] = field(default_factory=list)
    function_check: str = "first"
    foreign_address_at: str = ""
    foreign_address_code: int = 15003
    foreign_address_text: str = "调用方IP不在应用的IP白名单中"
    lax_create: bool = False
    # writing
    business_code: int = 320001400
    approval_objects: list[str] = field(default_factory=lambda: ["AccountObj", "complaint__c"])
    duplicate_check_default: bool = False
    duplicate_fields: list[str] = field(default_factory=lambda: ["name"])
    duplicate_listed: bool = True
    validation_rules_default: bool = True
    unique_counts_invalid: bool = True
    unknown_fields: str = "ignore"
    readonly_fields: str = "ignore"
    owner_in_update: str = "ignore"
    clear_with_null: str = "clear"
    clear_with_empty: str = "clear"
    pool_editable: bool = False
    department_writable: bool = True
    owner_required: bool = True
    inactive_owner_refused: bool = True
    custom_create_returns_id: bool = True
    invalid_touches_modified: bool = True
    recover_touches_modified: bool = True
    lifecycle_bumps_version: bool = True
    touch_bumps_version: bool = True
    change_owner_moves_department: bool = False
    max_id_list: int = 20
    # 销售记录, and what points at a deleted record
    log_account_lookup: bool = True
    log_interactive_types: bool = True
    log_related_described: bool = True
    log_links_mirrored: bool = True
    log_touches_customer: bool = True
    log_edit: str = "allowed"
    log_edit_window_seconds: int = 86_400
    log_invalid_allowed: bool = True
    log_owner_changeable: bool = True
    target_delete_stage: str = "delete"
    # 事件回调: only `update` was ever observed; the rest is unverified
    event_types: str = "update"
    event_kinds: list[str] = field(default_factory=lambda: ["create", "update", "invalid", "recover", "delete"])
    event_api_writes: bool = True
    event_delay_seconds: float = 0.0
    event_timeout_seconds: float = 3.0
    event_retry_seconds: list[float] = field(default_factory=lambda: [1.0, 5.0, 15.0])
    event_retry_timestamp: str = "same"
    event_first_retry_times: str = "absent"
    event_signature: str = "right"
    event_loses_every: int = 0
    event_repeats_every: int = 0
    event_reverses: bool = False

    @classmethod
    def for_limits(cls, name: str) -> Settings:
        """Returns the defaults under `vendor` or `fast` limits."""
        settings = cls()
        settings.apply(LIMITS[name])
        return settings

    def apply(self, changes: Mapping[str, Any]) -> None:
        """Flips switches all or none; raises ValueError naming an unknown switch or a wrong value."""
        known = {f.name for f in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"unknown setting {name}")
            self._check(name, value)
        for name, value in changes.items():
            present = getattr(self, name)
            setattr(self, name, float(value) if isinstance(present, float) else value)

    def _check(self, name: str, value: Any) -> None:
        present = getattr(self, name)
        wanted: tuple[type, ...] = (int, float) if isinstance(present, float) else (type(present),)
        if not isinstance(value, wanted) or (isinstance(value, bool) and not isinstance(present, bool)):
            raise ValueError(f"setting {name} takes {wanted[0].__name__}")
        if name in CHOICES and value not in CHOICES[name]:
            raise ValueError(f"setting {name} takes one of {', '.join(map(str, CHOICES[name]))}")

    def as_dict(self) -> dict[str, Any]:
        """Returns every switch by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}
