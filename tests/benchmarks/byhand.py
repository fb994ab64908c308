"""Translates customers to canonical fields by functions written for exactly these mappings, with the same results.

Straight code over known field names: no lens, no plan, no error collected per field. A value that has no canonical
form raises, and the caller sets the whole record aside, as the hub does. Odd text, foreign and landline numbers and
suspicious prose go to the shared functions of `hub.canonical`; everything usual is handled here.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unicodedata import normalize

from hub.canonical.redaction import redact_c3
from hub.canonical.shipped import shipped_folder
from hub.canonical.text import FORMATS, one_line, squeeze_name, tidy

Native = Mapping[str, Any]
Canonical = dict[str, Any]
ByHand = Callable[[Native], Canonical]

_MOBILE = re.compile(r"(?:\+86)?(1[3-9]\d{9})", re.ASCII).fullmatch
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+").fullmatch
_HINT = re.compile(r"码|口令|pass|p[wi][dn]|cv[vcn]|%b\d|;", re.IGNORECASE).search
_CHINESE = re.compile(r"[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+").fullmatch
_PHONE, _E164 = FORMATS["phone"], FORMATS["e164"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS, _CHINA_MS = 86_400_000, 8 * 3_600_000
_DAY_ONE = date(1970, 1, 1).toordinal()


def _line(raw: str | None, limit: int) -> str | None:
    if raw is None:
        return None
    if raw.isprintable():
        text = raw.strip() if raw.isascii() else normalize("NFC", raw).strip()
    else:
        text = one_line(tidy(raw, ""), "")
    if len(text) > limit:
        raise ValueError
    return text or None


def _name(raw: str | None, limit: int) -> str | None:
    text = _line(raw, limit)
    return squeeze_name(text) if text is not None and " " in text else text


def _prose(raw: str | None) -> str | None:
    if raw is None:
        return None
    if raw.isprintable():
        text = normalize("NFC", raw).strip()
    else:
        text = tidy(raw.replace("\r\n", "\n").replace("\r", "\n"), "")
    return (redact_c3(text)[0] if _HINT(text) else text) or None


def _mobile(raw: str) -> str | None:
    found = _MOBILE(raw)
    return "+86" + found[1] if found else _E164(tidy(raw, ""), "") or None


def _phone(raw: str) -> str | None:
    found = _MOBILE(raw)
    return "+86" + found[1] if found else _PHONE(tidy(raw, ""), "") or None


def _email(raw: str) -> str | None:
    text = raw.strip().lower()
    if not text:
        return None
    if len(text) > 120 or not _EMAIL(text):
        raise ValueError
    return normalize("NFC", text)


def _whole(raw: Any, low: int, high: int) -> int | None:
    if raw is None or raw == "":
        return None
    number = int(raw)
    if not low <= number <= high:
        raise ValueError
    return number


def _set(items: list[str]) -> tuple[str, ...] | None:
    kept = {_line(item, 40) or "" for item in items}
    kept.discard("")
    if len(kept) > 20:
        raise ValueError
    return tuple(sorted(kept)) or None


def _day(raw: str | None) -> str | None:
    if not raw:
        return None
    if date.fromisoformat(raw).isoformat() != raw:
        raise ValueError
    return raw


def _instant(raw: str | None) -> str | None:
    if not raw:
        return None
    moment = datetime.fromisoformat(raw)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC).isoformat()[:19] + ".000Z"


def _instant_ms(raw: int | None) -> str | None:
    return None if raw is None else (_EPOCH + timedelta(milliseconds=raw)).isoformat()[:19] + ".000Z"


def _day_ms(raw: int | None) -> str | None:
    return None if raw is None else date.fromordinal((raw + _CHINA_MS) // _DAY_MS + _DAY_ONE).isoformat()


def _back(values: str) -> dict[Any, Any]:
    """Reads `canonical=native …` into native -> canonical, empty staying empty."""
    pairs = (item.split("=") for item in values.split())
    return {None: None, "": None} | {native: value for value, native in pairs}


def _rows(name: str) -> list[dict[str, str]]:
    path = Path(shipped_folder("mappings")) / "tables" / f"{name}.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _chains(name: str, key: str, *columns: str) -> dict[tuple[str | None, ...], str | None]:
    found: dict[tuple[str | None, ...], str | None] = {(None,) * len(columns): None}
    for row in _rows(name):
        cells = tuple(row[column] or None for column in columns)
        if any(cells):
            found[cells] = row[key]
    return found


_CONSENT = _back("granted=同意 service_only=仅服务类 withdrawn=撤回 unknown=未知")
_TIER = _back("private=私人银行 vip=贵宾 gold=金卡 standard=普通")
_STAGE = _back("prospect=潜在客户 new=初次客户 loyal=忠诚客户 at_risk=流失预警 lost=流失客户")
_SOURCE = _back("walk_in=Walk-in referral=Referral campaign=Campaign online=Online partner=Partner other=Other")
_LOYALTY = _back("none=无 bronze=铜 silver=银 gold=金 diamond=钻石")
_GENDER = _back("male=男 female=女 unknown=未知")
_KIND = _back("individual=个人 sole_trader=个体工商户") | {None: "individual", "": "individual"}
_CHANNEL = _back(
    "phone=Phone visit=Visit counter=Branch video=Video sms=SMS wechat=WeChat email=E-mail app=App letter=Letter"
    " other=Other"
)
_MOST = 10**18 - 1


def zoho() -> dict[str, ByHand]:
    """Returns the functions for Zoho's two modules, the tables loaded."""
    regions = _chains("regions", "code", "province", "city", "district")
    industries = {row["zoho_crm"]: row["code"] for row in _rows("industries") if row["zoho_crm"]}
    industries |= {None: None, "": None}  # type: ignore[dict-item]
    staff = {row["zoho_crm"]: row["staff_no"] for row in _rows("staff") if row["zoho_crm"]}
    active = {row["staff_no"]: row["zoho_crm"] for row in _rows("staff") if row["zoho_crm"] and row["active"] == "yes"}
    stand_in = active["S1099"]

    def region(*cells: str | None) -> str | None:
        return regions[cells] if cells in regions else regions[tuple(cell or None for cell in cells)]

    def owner(row: Native) -> str | None:
        held, noted = row["Owner"], row["Staff_No"]
        if held is None:
            return None
        if held["id"] == stand_in and noted and noted not in active:
            return str(noted)
        return staff[held["id"]]

    def shared(row: Native) -> Canonical:
        tags, mobile, phone = row["Tag"], row["Mobile" if "Mobile" in row else "Mobile_Phone"], row["Phone"]
        made: Canonical = {
            "short_name": _line(row["Short_Name"], 80),
            "behavior_tags": _set([tag["name"] for tag in tags]) if tags else None,
            "need_summary": _prose(row["Need_Summary"]),
            "preferred_channel": _CHANNEL[row["Preferred_Channel"]],
            "consent_changed_at": _instant(row["Consent_Changed_At"]),
            "next_follow_up_at": _instant(row["Next_Follow_Up_At"]),
            "satisfaction_score": _whole(row["Satisfaction_Score"], 1, 5),
            "loyalty_tier": _LOYALTY[row["Loyalty_Tier"]],
            "loyalty_points": _whole(row["Loyalty_Points"], 0, _MOST),
            "branch_code": _line(row["Branch_Code"], 20),
            "staff_no": owner(row),
            "remark": _prose(row["Description"]),
        }
        if mobile is None or "*" not in mobile:
            made["mobile_phone"] = _mobile(mobile) if mobile else None
        if phone is None or "*" not in phone:
            made["phone"] = _phone(phone) if phone else None
        return made

    def contact(row: Native) -> Canonical:
        last, first, email, street = row["Last_Name"], row["First_Name"], row["Email"], row["Mailing_Street"]
        made = shared(row)
        made["customer_kind"] = _KIND[row["Customer_Kind"]]
        if not (last and "*" in last) and not (first and "*" in first):
            family, given = _name(last, 80), _name(first, 80)
            if family is None or given is None:
                full = family or given
            elif _CHINESE(family) and _CHINESE(given):
                full = family + given
            else:
                full = f"{given} {family}"
            made["full_name"], made["family_name"], made["given_name"] = full, family, given
        made["customer_no"] = _line(row["Customer_No"], 40)
        made["gender"] = _GENDER[row["Gender"]]
        made["birth_date"] = _day(row["Date_of_Birth"])
        if email is None or "*" not in email:
            made["email"] = _email(email) if email else None
        made["address_region"] = region(row["Mailing_State"], row["Mailing_City"], row["Mailing_District"])
        if street is None or "*" not in street:
            made["address_line"] = _line(street, 250)
        made["postal_code"] = _line(row["Mailing_Zip"], 10)
        made["customer_tier"] = _TIER[row["Customer_Tier"]]
        made["lifecycle_stage"] = _STAGE[row["Lifecycle_Stage"]]
        made["customer_source"] = _SOURCE[row["Lead_Source"]]
        made["contact_consent"] = (
            "withdrawn" if row["Email_Opt_Out"] is True else _CONSENT[row["Contact_Consent"]]
        )
        return made

    def account(row: Native) -> Canonical:
        name, email, street = row["Account_Name"], row["Customer_Email"], row["Billing_Street"]
        made = shared(row)
        made["customer_kind"] = "organization"
        if name is None or "*" not in name:
            made["full_name"] = _name(name, 200)
        made["customer_no"] = _line(row["Account_Number"], 40)
        made["credit_code"] = _line(row["Credit_Code"], 18)
        if email is None or "*" not in email:
            made["email"] = _email(email) if email else None
        made["address_region"] = region(row["Billing_State"], row["Billing_City"], row["Billing_District"])
        if street is None or "*" not in street:
            made["address_line"] = _line(street, 250)
        made["postal_code"] = _line(row["Billing_Code"], 10)
        made["customer_tier"] = _TIER[row["Rating"]]
        made["lifecycle_stage"] = _STAGE[row["Account_Type"]]
        made["customer_source"] = _SOURCE[row["Customer_Source"]]
        made["industry"] = industries[row["Industry"]]
        made["contact_consent"] = _CONSENT[row["Contact_Consent"]]
        return made

    return {"Contacts": contact, "Accounts": account}
