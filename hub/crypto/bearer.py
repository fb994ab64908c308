"""Tokens that whoever holds them may use: sessions, API tokens, recovery codes. Only digests of them are kept."""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass, field
from hashlib import sha256
from os import urandom
from zlib import crc32

_PUBLIC = "abcdefghijkmnpqrstuvwxyz23456789"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_API = re.compile(r"(csh_([a-z2-9]{8})_([A-Za-z0-9_-]{43}))([0-9A-Za-z]{6})")
_CSRF = b"csh1/csrf"
RECOVERY = 10
"""Bytes of a recovery code: 80 bits, 16 letters."""


def new_token() -> str:
    """Returns 43 characters that stand for 256 random bits."""
    return _text(urandom(32))


def digest_of(token: str) -> bytes:
    """Returns what is kept of a token of 256 random bits: its SHA-256."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def csrf_of(token: str) -> str:
    """Returns what a page of a session sends along to prove that it is one: bound to the session's own token."""
    return _text(hmac.digest(token.encode("utf-8", "surrogatepass"), _CSRF, "sha256"))


@dataclass(frozen=True, slots=True)
class ApiToken:
    """Is an API token: eight public characters that name it, and its secret."""

    public: str
    secret: str = field(repr=False)
    text: str = field(repr=False)


def new_api_token() -> ApiToken:
    """Makes `csh_<8 public>_<43 secret><6 checksum>`."""
    public = "".join(_PUBLIC[byte % len(_PUBLIC)] for byte in urandom(8))
    secret = new_token()
    body = f"csh_{public}_{secret}"
    return ApiToken(public, secret, body + _checksum(body))


def read_api_token(text: str) -> ApiToken | None:
    """Returns a token by its text, None for what is none; the checksum tells a mistyped one without the store."""
    found = _API.fullmatch(text)
    if found is None or _checksum(found[1]) != found[4]:
        return None
    return ApiToken(found[2], found[3], text)


def new_recovery_code() -> str:
    """Returns 80 random bits as letters and digits in groups of four."""
    text = base64.b32encode(urandom(RECOVERY)).decode().lower()
    return "-".join(text[place : place + 4] for place in range(0, len(text), 4))


def plain_recovery_code(typed: str) -> str:
    """Returns a recovery code as it is digested: without groups, in small letters."""
    return re.sub(r"[\s-]", "", typed).lower()


def challenge_of(verifier: str) -> str:
    """Returns the S256 challenge of a PKCE verifier (RFC 7636)."""
    return _text(sha256(verifier.encode()).digest())


def _checksum(body: str) -> str:
    number, digits = crc32(body.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return digits


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
