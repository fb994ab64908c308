"""What the organisation bought, beside what the connection's settings say of it. Source: Zoho API v8 org (OpenAPI).

How a trial and the bundles are named is documented by the enumeration alone, so that a name that is not in the table is
told, not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import CheckLine
from connectors.zoho_crm.editions import EDITIONS
from connectors.zoho_crm.settings import ZohoSettings

NAME = "edition"
_SAME_AS = {**{name: name for name in EDITIONS}, "crmplus": "ultimate", "zohooneenterprise": "enterprise"}


def compare(settings: ZohoSettings, organisation: Mapping[str, Any]) -> CheckLine | None:
    """Returns whether `edition` and `users` promise what the organisation has; None where Zoho does not say.

    Promising more than was bought is a failure: credits that people need would be taken. Promising less is told.
    """
    licence = organisation.get("license_details")
    if not isinstance(licence, Mapping):
        return None
    told, number = str(licence.get("paid_type") or "").lower(), licence.get("users_license_purchased")
    edition = _SAME_AS.get(told)
    if edition is None or not isinstance(number, int):
        return CheckLine(
            NAME,
            True,
            "Zoho names an edition that cannot be compared with `edition`; see the API dashboard in Zoho's setup",
            "Zoho 返回的版本名称无法与 edition 对照，请查看 Zoho 设置中的 API 用量页面",
        )
    here = f"edition: {edition}, users: {number}"
    if edition != settings.edition:
        return CheckLine(
            NAME,
            False,
            f"the settings say edition {settings.edition}, Zoho says {edition} with {number} user licences; "
            f"set {here}, or calls at once and the day's credits are reckoned wrongly",
            f"配置为 {settings.edition} 版，而 Zoho 显示为 {edition} 版、{number} 个用户许可；请改为 {here}，"
            "否则并发数与每日额度计算有误",
        )
    granted, reckoned = EDITIONS[edition].credits_of(number), settings.credits
    if settings.daily_credits is None and reckoned > granted:
        return CheckLine(
            NAME,
            False,
            f"the settings reckon with {settings.users} user licences, Zoho says {number}: {granted} credits a day, "
            f"not {reckoned}; set {here}",
            f"配置按 {settings.users} 个用户许可计算，而 Zoho 显示为 {number} 个，"
            f"即每日额度 {granted} 而非 {reckoned}；请改为 {here}",
        )
    if settings.daily_credits is None and reckoned < granted:
        return CheckLine(
            NAME,
            True,
            f"Zoho says {number} user licences: {granted} credits a day, of which {reckoned} are reckoned with; "
            f"set {here} to use them",
            f"Zoho 显示 {number} 个用户许可，每日额度 {granted}，目前只按 {reckoned} 计算；可改为 {here}",
        )
    return CheckLine(
        NAME,
        True,
        f"Zoho says {edition} with {number} user licences, as the settings do",
        f"Zoho 显示为 {edition} 版、{number} 个用户许可，与配置一致",
    )
