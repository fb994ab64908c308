"""Masks personal values for screens: by the format of the field, and by detectors in free text. Pure.

A value of class C2 never leaves here whole, but for free text: there the numbers, addresses and names that detectors
find are masked and the rest is shown. Class C1 (internal) and `-` are shown as they are; what is of any other class,
or of none, counts as C3 and is never shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from hub.canonical.schema import Field, Kind
from hub.canonical.values import Value

HIDDEN = "***"
STAR = "*"

_DISTRICT = re.compile(r"^.{2,20}?(?:自治县|区|县|旗)")
_CITY = re.compile(r"^.{2,16}?(?:自治州|市|州|盟)")
_NUMERALS = dict(zip("〇零一二三四五六七八九幺", "001234567891", strict=True))
_SKIP = frozenset(" -\t\u00a0\u3000\u2010\u2011\u2012\u2013\u2014\u2212")
_DOMAIN = re.compile(r"[^\s@]+\.[^\s@\d]+")
_E_MAIL = re.compile(r"[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+", re.IGNORECASE)
_ID_CARD = re.compile(r"(?<!\d)[1-9]\d{5}(?:18|19|20)\d{9}[0-9X](?!\d)", re.IGNORECASE)
_OLD_ID_CARD = re.compile(r"(?<!\d)[1-9]\d{7}(?:0[1-9]|1[0-2])\d{5}(?!\d)")
_CARD = re.compile(r"(?<!\d)[3-6]\d{12,18}(?!\d)")
_MOBILE = re.compile(r"(?<!\d)(?:\+?86|0086)?1[3-9]\d{9}(?!\d)")
_LANDLINE = re.compile(r"(?<!\d)(?:\+?86)?0?(?:10|2\d|[3-9]\d{2})[2-8]\d{6,7}(?!\d)")


def mask(field: Field, value: Value) -> str:
    """Returns what a person without a reason to see the value may see of it."""
    if value is None or value == ():
        return ""
    if field.klass in ("C1", "-"):
        return show(value)
    if field.klass != "C2":
        return HIDDEN
    if isinstance(value, str) and field.kind in (Kind.STRING, Kind.TEXT):
        return _masker(field)(value)
    return HIDDEN


def show(value: Value) -> str:
    """Returns a whole value as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def mask_fields(fields: Mapping[str, Field], values: Mapping[str, Value]) -> dict[str, str]:
    """Masks a record; a field that the schema does not know is hidden."""
    return {name: mask(fields[name], value) if name in fields else HIDDEN for name, value in values.items()}


def _masker(field: Field) -> Callable[[str], str]:
    if field.format is not None:
        return _BY_FORMAT.get(field.format, _hide)
    if field.name.startswith("address"):
        return mask_address
    return mask_text if field.free_text else _hide


def _hide(text: str) -> str:
    return HIDDEN


def mask_name(name: str) -> str:
    """Keeps the last character of two, else the first and the last."""
    size = len(name)
    if size <= 1:
        return STAR
    return STAR + name[-1] if size == 2 else name[0] + STAR * (size - 2) + name[-1]


def mask_phone(number: str) -> str:
    """Keeps the first 3 and last 4 digits of a mobile number, area code and last 2 of another one."""
    digits = re.sub(r"\D", "", number)
    national = digits[2:] if digits.startswith("86") and len(digits) > 10 else digits
    if number.lstrip().startswith("+") and not digits.startswith("86"):
        return f"+{digits[:2]}{STAR * (len(digits) - 4)}{digits[-2:]}" if len(digits) >= 7 else HIDDEN
    if re.fullmatch(r"1[3-9]\d{9}", national):
        return f"{national[:3]}****{national[-4:]}"
    if len(national) < 7:
        return HIDDEN
    area = _area(national)
    rest = national.removeprefix("0")[len(area) - 1 :]
    return f"{area}-{STAR * max(4, len(rest) - 2)}{rest[-2:]}"


def _area(national: str) -> str:
    bare = national.removeprefix("0")
    return "0" + (bare[:2] if bare.startswith(("1", "2")) else bare[:3])


def mask_id_number(number: str) -> str:
    """Keeps the first 3 and last 4 characters; of a short one nothing."""
    return HIDDEN if len(number) < 9 else number[:3] + STAR * (len(number) - 7) + number[-4:]


def mask_card(number: str) -> str:
    """Keeps the first 6 and last 4 digits of a bank card."""
    return number[:6] + STAR * (len(number) - 10) + number[-4:]


def mask_email(address: str) -> str:
    """Keeps the first character and the domain."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}" if local and _DOMAIN.fullmatch(domain) else HIDDEN


def mask_address(address: str) -> str:
    """Keeps an address to its district, or to its city where it names no district."""
    found = _DISTRICT.match(address) or _CITY.match(address)
    return (found[0] if found else "") + "****"


def mask_text(text: str) -> str:
    """Masks what the detectors find in free text, also in full-width digits, with separators or Chinese numerals."""
    folded, places = _fold(text)
    spans: list[tuple[int, int, str]] = []
    for pattern, masker in _DETECTORS:
        for found in pattern.finditer(folded):
            start, end = places[found.start()], places[found.end() - 1] + 1
            if all(end <= begun or start >= ended for begun, ended, _ in spans):
                spans.append((start, end, masker(found[0])))
    for start, end, masked in sorted(spans, reverse=True):
        text = text[:start] + masked + text[end:]
    return text


def _fold(text: str) -> tuple[str, list[int]]:
    """Returns the text as detectors read it, and for each of its characters the place it came from."""
    folded: list[str] = []
    places: list[int] = []
    for place, raw in enumerate(text):
        char = unicodedata.normalize("NFKC", raw)
        char = _NUMERALS.get(char, char)
        if char in _SKIP and _between_digits(text, place):
            continue
        folded.extend(char)
        places.extend([place] * len(char))
    return "".join(folded), places


def _between_digits(text: str, place: int) -> bool:
    before, after = text[:place].rstrip("".join(_SKIP)), text[place + 1 :].lstrip("".join(_SKIP))
    return bool(before and after) and _is_digit(before[-1]) and _is_digit(after[0])


def _is_digit(char: str) -> bool:
    return char in _NUMERALS or unicodedata.normalize("NFKC", char).isdecimal() or char in "xX"


_DETECTORS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (_E_MAIL, mask_email),
    (_ID_CARD, mask_id_number),
    (_CARD, mask_card),
    (_OLD_ID_CARD, mask_id_number),
    (_MOBILE, mask_phone),
    (_LANDLINE, mask_phone),
)
_BY_FORMAT: Mapping[str, Callable[[str], str]] = {
    "name": mask_name,
    "e164": mask_phone,
    "phone": mask_phone,
    "email": mask_email,
    "id_number": mask_id_number,
}
