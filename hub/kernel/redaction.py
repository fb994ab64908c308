"""Detectors of personal values and secrets in text that is about to be logged: the last net, not the first."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

# C0, DEL, C1, Arabic letter mark, zero-width and directional marks, separators, bidi embeddings and isolates, BOM,
# lone surrogates: what forges lines, moves the cursor or shows a text in another order than it has.
_HOSTILE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

_BOUND = r"(?<![0-9A-Za-z])"
_END = r"(?![0-9A-Za-z])"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PRESENT = re.compile(r"@|\d{6}|\d{3}[ -]\d|[A-Za-z0-9_-]{24}|(?i:bearer|oauthtoken)|1000\.[0-9a-f]")

_E_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_ID_NUMBER = re.compile(r"(?<![0-9A-Fa-f])[1-9]\d{5}(?:18|19|20)\d{9}[0-9Xx](?![0-9A-Fa-f])")
_OLD_ID_NUMBER = re.compile(
    r"(?<![0-9A-Fa-f-])[1-9]\d{5}\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}(?![0-9A-Fa-f-])"
)
_CARD = re.compile(r"(?<![0-9A-Fa-f])(?:62\d{14,17}|4\d{15}|5[1-5]\d{14})(?![0-9A-Fa-f])")
_MOBILE = re.compile(r"(?<![0-9A-Fa-f])(?:(?:\+|00)?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}(?![0-9A-Fa-f])")
_LANDLINE = re.compile(r"(?<![0-9A-Fa-f-])0[1-9]\d{1,2}-\d{7,8}(?![0-9A-Fa-f-])")
_HEADER = re.compile(r"(?i)\b(?:bearer|[a-z]+-oauthtoken|basic)\s+[^\s\"',;]+")
_DOTTED_TOKEN = re.compile(_BOUND + r"1000\.[0-9a-f]{8,}(?:\.[0-9a-f]{8,})?" + _END)
_API_TOKEN = re.compile(r"\bcsh_[a-z2-9]{8}_[A-Za-z0-9_-]{49}")
_PAIR = re.compile(
    r"(?i)\b([a-z_]*(?:token|secret|password|passwd|authorization|cookie|refresh|permanentcode)[a-z_]*\"?\s*[=:]\s*\"?)"
    r"(?!\[)[^\s\"'&,;}]+"
)


def _id_number_holds(digits: str) -> bool:
    total = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == digits[17].upper()


def _luhn_holds(digits: str) -> bool:
    doubled = (sum(divmod(int(digit) * 2, 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


def _always(_: str) -> bool:
    return True


_DETECTORS: tuple[tuple[re.Pattern[str], Callable[[str], bool], str], ...] = (
    (_HEADER, _always, "[credential]"),
    (_DOTTED_TOKEN, _always, "[token]"),
    (_API_TOKEN, _always, "[token]"),
    (_E_MAIL, _always, "[e-mail]"),
    (_ID_NUMBER, _id_number_holds, "[id-number]"),
    (_OLD_ID_NUMBER, _always, "[id-number]"),
    (_CARD, _luhn_holds, "[card]"),
    (_MOBILE, _always, "[phone]"),
    (_LANDLINE, _always, "[phone]"),
)


def escape(text: str) -> str:
    """Replaces control, bidi and surrogate characters by `\\uXXXX`."""
    if text.isprintable():
        return text
    return _HOSTILE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _by_kind(holds: Callable[[str], bool], kind: str) -> Callable[[re.Match[str]], str]:
    return lambda found: kind if holds(found[0]) else found[0]


def redact(text: str) -> str:
    """Replaces phone, ID and card numbers, e-mail addresses, credentials and tokens by their kind in brackets.

    Hub ids, native ids and digests stay: numbers are checked by length, neighbours and check digit.
    """
    if not text.isascii():
        folded = unicodedata.normalize("NFKC", text)
        text = folded if folded != text and _PRESENT.search(folded) else text
    if _PRESENT.search(text):
        for pattern, holds, kind in _DETECTORS:
            text = pattern.sub(_by_kind(holds, kind), text)
    return _PAIR.sub(r"\1[secret]", text)
