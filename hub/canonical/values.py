"""Keeps one canonical form per type; two values are equal exactly when their canonical forms are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from hub.canonical.refusal import (
    NOT_BOOLEAN,
    NOT_DATE,
    NOT_DECIMAL,
    NOT_ID,
    NOT_INSTANT,
    NOT_INTEGER,
    NOT_LIST,
    NOT_OPTION,
    NOT_TEXT,
    TOO_FINE,
    ValueRefused,
    out_of_range,
    too_long,
)
from hub.canonical.schema import Field, Kind
from hub.canonical.text import FORMATS, one_line, tidy
from hub.kernel.errors import Text

Value = str | int | bool | None | tuple[str, ...]
Canon = Callable[[object], Value]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MAX_INTEGER = 10**18


def canonicalise(field: Field, raw: object) -> Value:
    """Returns the canonical form of a value; raises ValueRefused."""
    return compile_canon(field)(raw)


def compile_canon(field: Field) -> Canon:
    """Returns a function that makes a field's canonical values; it raises ValueRefused."""
    return _MAKERS[field.kind](field)


def _string(field: Field) -> Canon:
    name, limit, shape = field.name, field.length or 0, FORMATS.get(field.format or "")
    refusal, is_normalized = too_long(limit), unicodedata.is_normalized

    def canon(raw: object) -> Value:
        # The first branch is the hot one: a printable text that is NFC already.
        if type(raw) is str and raw.isprintable() and (raw.isascii() or is_normalized("NFC", raw)):
            value = raw.strip()
        elif raw is None:
            return None
        elif isinstance(raw, str):
            value = one_line(tidy(str(raw), name), name) if shape is None else tidy(str(raw), name)
        else:
            raise ValueRefused(name, NOT_TEXT)
        if shape is not None:
            value = shape(value, name)
        if len(value) > limit:
            raise ValueRefused(name, refusal)
        return value or None

    return canon


def _text(field: Field) -> Canon:
    name = field.name

    def canon(raw: object) -> Value:
        if raw is None:
            return None
        if not isinstance(raw, str):
            raise ValueRefused(name, NOT_TEXT)
        if "\r" in raw:
            raw = raw.replace("\r\n", "\n").replace("\r", "\n")
        return tidy(raw, name) or None

    return canon


def _decimal_of(raw: object, name: str, refusal: Text) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
        raise ValueRefused(name, refusal)
    try:
        number = Decimal(str(raw).strip())
    except InvalidOperation:
        raise ValueRefused(name, refusal) from None
    if not number.is_finite() or number.adjusted() > 30:
        raise ValueRefused(name, refusal)
    return number


def _integer(field: Field) -> Canon:
    name, low, high = field.name, field.minimum, field.maximum
    refusal = out_of_range(low, high)

    def canon(raw: object) -> Value:
        if raw is None or raw == "":
            return None
        if type(raw) is str and raw.isdigit() and raw.isascii() and len(raw) < 19:
            raw = int(raw)
        elif type(raw) is not int:
            number = _decimal_of(raw, name, NOT_INTEGER)
            if number != number.to_integral_value():
                raise ValueRefused(name, NOT_INTEGER)
            raw = int(number)
        if (low is not None and raw < low) or (high is not None and raw > high) or abs(raw) >= _MAX_INTEGER:
            raise ValueRefused(name, refusal)
        return raw

    return canon


def _decimal(field: Field) -> Canon:
    name, digits, scale = field.name, field.length or 18, field.scale or 0
    step, limit = Decimal(1).scaleb(-scale), Decimal(10) ** (digits - scale)

    def canon(raw: object) -> Value:
        if raw is None or raw == "":
            return None
        number = _decimal_of(raw, name, NOT_DECIMAL)
        if abs(number) >= limit:
            raise ValueRefused(name, TOO_FINE)
        rounded = number.quantize(step)
        if rounded != number:
            raise ValueRefused(name, TOO_FINE)
        return f"{abs(rounded) if rounded == 0 else rounded:f}"

    return canon


def _boolean(field: Field) -> Canon:
    words: dict[object, bool] = {"true": True, "false": False}
    name = field.name

    def canon(raw: object) -> Value:
        if raw is None or raw is True or raw is False:
            return raw
        if not isinstance(raw, str):
            raise ValueRefused(name, NOT_BOOLEAN)
        word = raw.strip().lower()
        if word and word not in words:
            raise ValueRefused(name, NOT_BOOLEAN)
        return words.get(word)

    return canon


def _date(field: Field) -> Canon:
    name = field.name

    def canon(raw: object) -> Value:
        if raw is None:
            return None
        if isinstance(raw, date) and not isinstance(raw, datetime):
            return raw.isoformat()
        text = raw.strip() if isinstance(raw, str) else "?"
        if not text:
            return None
        try:
            day = date.fromisoformat(text).isoformat()
        except ValueError:
            raise ValueRefused(name, NOT_DATE) from None
        if day != text:  # another form of ISO 8601
            raise ValueRefused(name, NOT_DATE)
        return day

    return canon


def write_instant(moment: datetime, milliseconds: bool = False) -> str:
    """Returns the canonical form of an aware instant: UTC with milliseconds, cut to the resolution."""
    utc = moment.astimezone(UTC)
    if milliseconds:
        return utc.isoformat(timespec="milliseconds")[:-6] + "Z"
    return utc.isoformat()[:19] + ".000Z"


def _datetime(field: Field) -> Canon:
    name, fine = field.name, field.resolution == "ms"

    def canon(raw: object) -> Value:
        if raw is None or raw == "":
            return None
        try:
            moment = datetime.fromisoformat(raw) if isinstance(raw, str) else raw
            if not isinstance(moment, datetime) or moment.tzinfo is None:
                raise ValueRefused(name, NOT_INSTANT)
            return write_instant(moment, True) if fine else moment.astimezone(UTC).isoformat()[:19] + ".000Z"
        except (ValueError, OverflowError) as error:
            if isinstance(error, ValueRefused):
                raise
            raise ValueRefused(name, NOT_INSTANT) from None

    return canon


def _enum(field: Field) -> Canon:
    name, values = field.name, frozenset(field.values)

    def canon(raw: object) -> Value:
        if raw is None or raw == "":
            return None
        if not isinstance(raw, str) or raw not in values:
            raise ValueRefused(name, NOT_OPTION)
        return raw

    return canon


def _list(field: Field) -> Canon:
    name, limit, most = field.name, field.length or 0, field.max_items
    refusal, is_normalized = too_long(limit), unicodedata.is_normalized

    def canon(raw: object) -> Value:
        if raw is None:
            return None
        if isinstance(raw, str) or not isinstance(raw, Collection):
            raise ValueRefused(name, NOT_LIST)
        kept = set()
        for item in raw:
            if not isinstance(item, str):
                raise ValueRefused(name, NOT_LIST)
            if item.isprintable() and (item.isascii() or is_normalized("NFC", item)):
                text = item.strip()
            else:
                text = one_line(tidy(item, name), name)
            if len(text) > limit:
                raise ValueRefused(name, refusal)
            kept.add(text)
        kept.discard("")
        if most is not None and len(kept) > most:
            raise ValueRefused(name, Text(f"has more than {most} items", f"超过 {most} 项"))
        return tuple(sorted(kept)) or None

    return canon


_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _hub_id(field: Field) -> Canon:
    name = field.name

    def canon(raw: object) -> Value:
        if raw is None or raw == "":
            return None
        text = raw.strip().lower() if isinstance(raw, str) else ""
        if not _UUID.fullmatch(text):
            raise ValueRefused(name, NOT_ID)
        return text

    return canon


def _reference(field: Field) -> Canon:
    own = _hub_id(field)

    def canon(raw: object) -> Value:
        # A lens hands on `@object/native id`; the engine replaces it by the hub id.
        if isinstance(raw, str) and raw.startswith("@"):
            return raw
        return own(raw)

    return canon


_MAKERS: dict[Kind, Callable[[Field], Canon]] = {
    Kind.STRING: _string,
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.DATETIME: _datetime,
    Kind.ENUM: _enum,
    Kind.LIST: _list,
    Kind.REF: _reference,
    Kind.UUID: _hub_id,
}


_DOMAINS = {
    "e164": "phone",
    "phone": "phone",
    "email": "email",
    "name": "name",
    "id_number": "id_number",
    "code": "code",
}
_LOOSE = re.compile(r"[\s\W_]+")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def match_domain(field: Field) -> str:
    """Names the kind of evidence a field is; fields of one domain may be compared with each other."""
    return _DOMAINS.get(field.format or "", "text" if field.kind in (Kind.STRING, Kind.TEXT) else "exact")


def normalise_for_match(domain: str, value: Value) -> str | None:
    """Returns the form in which a canonical value is compared as evidence, coarser than its canonical form."""
    if value is None or value == ():
        return None
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    if domain in ("exact", "phone", "email"):
        return text
    folded = _LOOSE.sub("", unicodedata.normalize("NFKC", text).casefold())
    if domain == "id_number" and len(folded) == 15 and folded.isdigit():
        folded = _widen(folded)
    return folded or text


def _widen(old: str) -> str:
    """Turns a 15-digit resident id into the 18-digit one of the same person (GB 11643-1999)."""
    body = old[:6] + "19" + old[6:]
    total = sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True))
    return body + "10x98765432"[total % 11]


__all__ = ["Canon", "Value", "ValueRefused", "canonicalise", "compile_canon", "match_domain", "normalise_for_match"]
