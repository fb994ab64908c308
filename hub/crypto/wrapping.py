"""Key wrapping: one key sealed under another, bound to a context."""

from __future__ import annotations

from os import urandom
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.crypto.errors import WrongKey
from hub.crypto.sm4 import NONCE, SALT, TAG, Sm4Gcm
from hub.crypto.suites import Aead, Suite

KEY = 32
WRAP_ALARM = 1 << 28
"""How many keys one AES-256-GCM wrapping key may wrap before it must be rotated.

The nonces are random 96-bit ones, for which NIST SP 800-38D admits 2^32 messages; the alarm rings at a sixteenth of
that. The counter is the number of `subject_key` rows ever written under one `crypto_key` row.
"""
_NONCE = 12
WRAPPED_SM4 = SALT + NONCE + KEY + TAG


def new_key() -> bytes:
    """Returns 32 random bytes from the operating system."""
    return urandom(KEY)


def new_nonce() -> bytes:
    """Returns 12 random bytes, for AES-GCM in a device."""
    return urandom(_NONCE)


class AesGcmWrap:
    """Wraps keys under AES-256-GCM with random 96-bit nonces; see `WRAP_ALARM`."""

    __slots__ = ("_gcm",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY:
            raise ValueError("the key has 32 bytes")
        self._gcm = AESGCM(key)

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        nonce = urandom(_NONCE)
        return nonce + self._gcm.encrypt(nonce, plaintext, aad)

    def open(self, body: bytes, aad: bytes) -> bytes:
        if len(body) < _NONCE:
            raise InvalidTag
        return self._gcm.decrypt(body[:_NONCE], body[_NONCE:], aad)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled")


class KeyWrap:
    """Wraps and unwraps 32-byte keys under one wrapping key, in the suite the installation chose."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes, suite: Suite = Suite.XAES_256_GCM) -> None:
        self._aead: Aead = AesGcmWrap(key) if suite is Suite.XAES_256_GCM else Sm4Gcm(key)

    @staticmethod
    def suite_of(wrapped: bytes) -> Suite:
        """Returns the suite that wrapped a 32-byte key: the two forms differ in length."""
        return Suite.SM4_GCM if len(wrapped) == WRAPPED_SM4 else Suite.XAES_256_GCM

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Returns the wrapped key; `context` is authenticated, not stored."""
        return self._aead.seal(key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Returns the key; raises WrongKey for every failure."""
        try:
            return self._aead.open(wrapped, context)
        except InvalidTag:
            raise WrongKey from None
