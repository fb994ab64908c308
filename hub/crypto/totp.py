"""One-time codes by the clock (RFC 6238): SHA-1, six digits, 30 seconds, as every authenticator app has them."""

from __future__ import annotations

import base64
import hmac
from os import urandom

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

SECRET, DIGITS, STEP, WINDOW = 20, 6, 30, 1


def new_secret() -> bytes:
    """Returns 20 random bytes."""
    return urandom(SECRET)


def code_at(secret: bytes, step: int) -> str:
    """Returns the code of a step, that is of the seconds from `step * 30` on."""
    return _codes(secret).generate(step * STEP).decode()


def matching_step(secret: bytes, code: str, now: float, last: int | None) -> int | None:
    """Returns the step that a code belongs to, at most one away from now and later than the last one used."""
    current = int(now) // STEP
    found = None
    for step in range(current - WINDOW, current + WINDOW + 1):
        # Each is compared, whichever matches: the time taken tells nothing.
        same = hmac.compare_digest(code_at(secret, step).encode(), code.encode("utf-8", "replace"))
        if same and (last is None or step > last):
            found = step
    return found


def enrolment_uri(secret: bytes, account: str, issuer: str) -> str:
    """Returns the `otpauth://` address that an authenticator app takes."""
    return _codes(secret).get_provisioning_uri(account, issuer)


def base32_of(secret: bytes) -> str:
    """Returns a secret as people type it into an app, in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))


# RFC 6238's default, which every app takes; HMAC does not need the collision resistance that SHA-1 lost.
_HASH = SHA1()  # noqa: S303 # nosec B303 # 2026-11-28: see above


def _codes(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, _HASH, STEP)
