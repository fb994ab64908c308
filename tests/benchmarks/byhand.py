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
CHINESE = re.compile(r"[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+").fullmatch
_PHONE, _E164 = FORMATS["phone"], FORMATS["e164"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS, _CHINA_MS = 86_400_000, 8 * 3_600_000
MOST = 10**18 - 1
_DAY_ONE = date(1970, 1, 1).toordinal()


def line_of(raw: str | None, limit: int) -> str | None:
    if raw is None:
        return None
    if raw.isprintable():
        text = raw.strip() if raw.isascii() else normalize("NFC", raw).strip()
    else:
        text = one_line(tidy(raw, ""), "")
    if len(text) > limit:
        raise ValueError
    return text or None


def name_of(raw: str | None, limit: int) -> str | None:
    text = line_of(raw, limit)
    return squeeze_name(text) if text is not None and " " in text else text


def prose_of(raw: str | None) -> str | None:
    if raw is None:
        return None
    if raw.isprintable():
        text = normalize("NFC", raw).strip()
    else:
        text = tidy(raw.replace("\r\n", "\n").replace("\r", "\n"), "")
    return (redact_c3(text)[0] if _HINT(text) else text) or None


def mobile_of(raw: str) -> str | None:
    found = _MOBILE(raw)
    return "+86" + found[1] if found else _E164(tidy(raw, ""), "") or None


def phone_of(raw: str) -> str | None:
    found = _MOBILE(raw)
    return "+86" + found[1] if found else _PHONE(tidy(raw, ""), "") or None


def email_of(raw: str) -> str | None:
    text = raw.strip().lower()
    if not text:
        return None
    if len(text) > 120 or not _EMAIL(text):
        raise ValueError
    return normalize("NFC", text)


def whole_of(raw: Any, low: int, high: int) -> int | None:
    if raw is None or raw == "":
        return None
    number = int(raw)
    if not low <= number <= high:
        raise ValueError
    return number


def set_of(items: list[str]) -> tuple[str, ...] | None:
    kept = {line_of(item, 40) or "" for item in items}
    kept.discard("")
    if len(kept) > 20:
        raise ValueError
    return tuple(sorted(kept)) or None


def day_of(raw: str | None) -> str | None:
    if not raw:
        return None
    if date.fromisoformat(raw).isoformat() != raw:
        raise ValueError
    return raw


def instant_of(raw: str | None) -> str | None:
    if not raw:
        return None
    moment = datetime.fromisoformat(raw)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC).isoformat()[:19] + ".000Z"


def instant_of_ms(raw: int | None) -> str | None:
    return None if raw is None else (_EPOCH + timedelta(milliseconds=raw)).isoformat()[:19] + ".000Z"


def day_of_ms(raw: int | None) -> str | None:
    return None if raw is None else date.fromordinal((raw + _CHINA_MS) // _DAY_MS + _DAY_ONE).isoformat()


def back(values: str) -> dict[Any, Any]:
    """Reads `canonical=native …` into native -> canonical, empty staying empty."""
    pairs = (item.split("=") for item in values.split())
    return {None: None, "": None} | {native: value for value, native in pairs}


def rows(name: str) -> list[dict[str, str]]:
    path = Path(shipped_folder("mappings")) / "tables" / f"{name}.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def chains(name: str, key: str, *columns: str) -> dict[tuple[str | None, ...], str | None]:
    found: dict[tuple[str | None, ...], str | None] = {(None,) * len(columns): None}
    for row in rows(name):
        cells = tuple(row[column] or None for column in columns)
        if any(cells):
            found[cells] = row[key]
    return found
