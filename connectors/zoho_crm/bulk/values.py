"""What a list would show, made of the texts of a bulk file by the type of their field.

Source: Zoho API v8 bulk-read (lookups as ids, multi-select values joined by semicolons), fields-meta.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

Reading = Callable[[str], Any]
"""Raises ValueError for a text that is not written as expected."""

_WHOLE = re.compile(r"-?[0-9]{1,30}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})")


def _text(text: str) -> str:
    return text


def _day(text: str) -> str:
    if not _DAY.fullmatch(text):
        raise ValueError("not a date")
    return text


def _moment(text: str) -> str:
    if not _MOMENT.fullmatch(text):
        raise ValueError("not a time with its offset")
    return text


def _linked(text: str) -> dict[str, str]:
    """Returns a lookup as COQL shows it: by its id alone."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("not an id")
    return {"id": text}


def _number(text: str) -> int | float:
    if _WHOLE.fullmatch(text):
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError("not whole")
    return int(text)


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("not a boolean")
    return text.lower() == "true"


def _choices(text: str) -> list[str]:
    return [part for part in text.split(";") if part]


def _tags(text: str) -> list[dict[str, str]]:
    return [{"name": name.strip()} for name in re.split("[;,]", text) if name.strip()]


_READINGS: Mapping[str, Reading] = {
    **dict.fromkeys(("text", "textarea", "email", "phone", "website", "picklist", "autonumber", "bigint"), _text),
    **dict.fromkeys(("lookup", "ownerlookup", "userlookup", "multi_module_lookup"), _linked),
    **dict.fromkeys(("double", "currency", "percent"), _number),
    "date": _day,
    "datetime": _moment,
    "integer": _whole,
    "boolean": _flag,
    "multiselectpicklist": _choices,
    "tags": _tags,
}


def reading_of(kind: str) -> Reading | None:
    """Returns what reads the texts of a kind of field, None where a file cannot show what a list does."""
    return _READINGS.get(kind)
