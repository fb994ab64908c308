"""Brings text, names, telephone numbers and addresses into their one canonical form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import phonenumbers

from hub.canonical.refusal import NOT_EMAIL, NOT_PHONE, UNREADABLE, ValueRefused

_EDGE = "\u200b\u200c\u200d\ufeff\u2060"
_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
_ODD = re.compile(r"[\x00\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_CJK = r"\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff·"
_CJK_GAP = re.compile(rf"(?<=[{_CJK}])\s+(?=[{_CJK}])")
_MOBILE = re.compile(r"(?:\+86)?(1[3-9][0-9]{9})")
_PHONE_NOISE = str.maketrans("", "", " -()\u00a0\u2010\u2011\u2013\u2014（）－　")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def tidy(raw: str, name: str) -> str:
    """Returns NFC text without white space at its edges; raises ValueRefused for what UTF-8 or a store cannot hold."""
    if raw.isprintable() and (raw.isascii() or unicodedata.is_normalized("NFC", raw)):
        return raw.strip()
    if _ODD.search(raw):
        raise ValueRefused(name, UNREADABLE)
    raw = unicodedata.normalize("NFC", raw)
    previous = None
    while previous != raw:
        previous, raw = raw, raw.strip().strip(_EDGE)
    return raw


def one_line(text: str, name: str) -> str:
    if text.isprintable():
        return text
    return tidy(_BREAKS.sub(" ", text), name)


def squeeze_name(text: str) -> str:
    """Returns a name with single spaces, and none between two Chinese characters."""
    if " " not in text and text.isprintable():
        return text
    return _CJK_GAP.sub("", _SPACES.sub(" ", text)).strip()


def _name(text: str, name: str) -> str:
    # What a format sees is tidy already; only squeezing can change that.
    if " " not in text and text.isprintable():
        return text
    return tidy(squeeze_name(text), name) if text else text


def _code(text: str, name: str) -> str:
    return one_line(text, name)


def _id_number(text: str, name: str) -> str:
    return tidy(_SPACES.sub("", text).upper(), name)


def _email(text: str, name: str) -> str:
    lowered = text.lower()
    if not lowered.isascii():
        lowered = tidy(lowered, name)
    if lowered and not _EMAIL.fullmatch(lowered):
        raise ValueRefused(name, NOT_EMAIL)
    return lowered


def _chinese_mobile(text: str) -> str | None:
    found = _MOBILE.fullmatch(text)
    return "+86" + found[1] if found else None


def _parse_phone(text: str) -> str | None:
    quick = _chinese_mobile(text) or _chinese_mobile(text.translate(_PHONE_NOISE))
    if quick is not None:
        return quick
    try:
        number = phonenumbers.parse(text, "CN")
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    written: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{written};ext={number.extension}" if number.extension else written


def _e164(text: str, name: str) -> str:
    if not text:
        return text
    number = _parse_phone(text)
    if number is None or ";" in number:
        raise ValueRefused(name, NOT_PHONE)
    return number


def _phone(text: str, name: str) -> str:
    return _parse_phone(text) or one_line(text, name) if text else text


FORMATS: dict[str, Callable[[str, str], str]] = {
    "e164": _e164,
    "phone": _phone,
    "email": _email,
    "name": _name,
    "id_number": _id_number,
    "code": _code,
}
