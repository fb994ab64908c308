"""Finds authentication data (class C3) in free text and takes it out before anything is stored."""

from __future__ import annotations

import re

MARK = "[已隐去]"
_SAID = r"(?:\s*[:：=]\s*|\s*[是为]\s*|\s+is\s+)"
_NOT_MARKED = r"(?!\[已隐去\])"
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "password",
        re.compile(rf"(?i)((?:密码|口令|password|passwd|pwd|\bpin码?){_SAID}){_NOT_MARKED}[\x21-\x5a\x5c-\x7e]{{4,}}"),
    ),
    (
        "card_verification",
        re.compile(rf"(?i)((?:cvv2?|cvc2?|cvn2?|安全码|验证码|校验码){_SAID}){_NOT_MARKED}\d{{3,8}}"),
    ),
    ("card_track", re.compile(r"()(?:%[Bb]\d{12,19}\^[^?\n]{2,60}\?|;\d{12,19}=\d{4,30}\??)")),
    ("biometric", re.compile(r"()data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=]{64,}")),
)
_HINT = re.compile(r"pass|p[wi][dn]|cv[vcn]|%b\d|;")


def may_hold_c3(text: str) -> bool:
    """Says quickly whether a text could hold authentication data at all."""
    if "码" in text or "口令" in text:
        return True
    lowered = text.lower()
    return _HINT.search(lowered) is not None


def redact_c3(text: str) -> tuple[str, tuple[str, ...]]:
    """Returns the text with every C3 find replaced by a mark, and the kinds found; redacting twice changes nothing."""
    if not may_hold_c3(text):
        return text, ()
    found = []
    for kind, pattern in _PATTERNS:
        text, count = pattern.subn(rf"\1{MARK}", text)
        if count:
            found.append(kind)
    return text, tuple(found)
