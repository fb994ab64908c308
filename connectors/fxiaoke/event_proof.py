"""Proves what can be proven of event callbacks before the first one comes: the key, and whose are believed."""

from __future__ import annotations

from collections.abc import Callable

from connectors.base import CheckLine
from connectors.errors import AuthRejected, ProtocolViolation, SchemaDrift, SettingsInvalid
from connectors.fxiaoke.client import Client, record_path
from connectors.fxiaoke.envelope import Rejected
from connectors.fxiaoke.settings import EventSettings, FxiaokeSettings


def prove_events(
    key: Callable[[], object], client: Client, settings: FxiaokeSettings, *, signed_in: bool
) -> list[CheckLine]:
    """Returns a line for the key, which `key` reads, and once signed in for the enterprise; none where events are off.

    Raises RetryLater, RateLimited and QuotaExhausted.
    """
    wanted = settings.events
    if wanted is None:
        return []
    lines = [_key_line(key)]
    if signed_in:
        if settings.auth_style == "bearer":
            lines.append(_account_line(client, wanted))
        lines.append(_tenant_line(client, settings, wanted))
    return lines


def _key_line(key: Callable[[], object]) -> CheckLine:
    try:
        key()
    except SettingsInvalid as wrong:
        return CheckLine("events key", False, f"{wrong.code} {wrong.en}", f"{wrong.code} {wrong.zh}")
    return CheckLine("events key", True, "the 解析密钥 decodes to 32 bytes", "解析密钥可解码为 32 字节")


def _account_line(client: Client, wanted: EventSettings) -> CheckLine:
    shown = client.tokens.current().enterprise
    if shown == wanted.enterprise_account:
        return CheckLine("events account", True, "callbacks must name our enterprise", "回调须为本企业账号")
    return CheckLine(
        "events account",
        False,
        f"the token belongs to {shown}; set events.enterprise_account to it, or every callback is refused",
        f"访问令牌属于 {shown}；请将 events.enterprise_account 设为该值，否则全部回调都会被拒绝",
    )


def _tenant_line(client: Client, settings: FxiaokeSettings, wanted: EventSettings) -> CheckLine:
    """Compares the enterprise's number with what a record shows; a record that shows none proves nothing."""
    try:
        shown = _tenant(client, settings)
    except (AuthRejected, ProtocolViolation, Rejected, SchemaDrift):
        # Whether records can be read at all is what the lines before say.
        shown = None
    if shown is None:
        return CheckLine(
            "events tenant",
            True,
            "no record shows the number of the enterprise (tenant_id); it cannot be compared",
            "没有记录显示企业编号（tenant_id），无法核对",
        )
    if wanted.tenant_id is None:
        return CheckLine(
            "events tenant",
            True,
            f"not looked at; set events.tenant_id: '{shown}' to refuse callbacks of any other enterprise",
            f"未核对；可设置 events.tenant_id: '{shown}'，以拒绝其他企业的回调",
        )
    if wanted.tenant_id == shown:
        return CheckLine("events tenant", True, "callbacks must hold our tenant_id", "回调须含本企业编号")
    return CheckLine(
        "events tenant",
        False,
        f"records show {shown}; set events.tenant_id to it, or every callback is refused",
        f"记录显示企业编号为 {shown}；请更正 events.tenant_id，否则全部回调都会被拒绝",
    )


def _tenant(client: Client, settings: FxiaokeSettings) -> str | None:
    """Returns the tenant_id of any one record. A projection may leave it out, so the record is read whole."""
    for name in settings.objects[:1]:
        search = {"limit": 1, "offset": 0, "filters": [], "orders": [], "fieldProjection": ["_id"]}
        asked = {"data": {"dataObjectApiName": name, "search_query_info": search}}
        found = client.read(record_path(name, "query"), name, asked).payload.get("data") or {}
        for row in found.get("dataList") or ():
            named = {"data": {"dataObjectApiName": name, "objectDataId": str(row["_id"])}}
            shown = (client.read(record_path(name, "get"), name, named).payload.get("data") or {}).get("tenant_id")
            return None if shown is None else str(shown)
    return None
