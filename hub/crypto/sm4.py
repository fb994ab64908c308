"""SM4-GCM with a subkey of its own for every message, derived by HKDF-Expand with SM3 (国密)."""

from __future__ import annotations

from os import urandom
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SALT = 16
NONCE = 12
TAG = 16
_LABEL = b"csh1/sm4"
_SM3 = hashes.SM3()


def encrypt(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Returns SM4-GCM ciphertext and 16-byte tag. Source: RFC 8998."""
    cipher = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    cipher.authenticate_additional_data(aad)
    return cipher.update(plaintext) + cipher.finalize() + cipher.tag


def decrypt(key: bytes, nonce: bytes, body: bytes, aad: bytes) -> bytes:
    """Returns the plaintext, and only after its tag has been verified; raises InvalidTag."""
    cipher = Cipher(algorithms.SM4(key), modes.GCM(nonce, body[-TAG:], TAG)).decryptor()
    cipher.authenticate_additional_data(aad)
    # update() hands out unverified plaintext: it stays here until finalize() has accepted the tag.
    plaintext = cipher.update(body[:-TAG])
    return plaintext + cipher.finalize()


class Sm4Gcm:
    """Seals and opens under one 32-byte key; soft cap 2^48 messages a key."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("the key has 32 bytes")
        self._key = key

    def _subkey(self, salt: bytes) -> bytes:
        return HKDFExpand(_SM3, 16, _LABEL + salt).derive(self._key)

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Returns salt | nonce | ciphertext | tag under a fresh random salt and nonce."""
        salt, nonce = urandom(SALT), urandom(NONCE)
        return salt + nonce + encrypt(self._subkey(salt), nonce, plaintext, aad)

    def open(self, body: bytes, aad: bytes) -> bytes:
        """Returns the plaintext of salt | nonce | ciphertext | tag; raises InvalidTag when anything differs."""
        if len(body) < SALT + NONCE + TAG:
            raise InvalidTag
        salt, nonce = body[:SALT], body[SALT : SALT + NONCE]
        return decrypt(self._subkey(salt), nonce, body[SALT + NONCE :], aad)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled")
