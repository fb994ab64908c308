"""Ed25519 (RFC 8032) over raw 32-byte keys: what signs the checkpoints of the audit log."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEED, PUBLIC, SIGNATURE = 32, 32, 64
"""Bytes of a private key, of a public key and of a signature."""


def new_seed() -> bytes:
    """Returns a fresh private key."""
    return os.urandom(SEED)


class SigningKey:
    """Signs under one private key; shows nothing of it."""

    __slots__ = ("_key",)

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED:
            raise ValueError("an Ed25519 private key has 32 bytes")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public(self) -> bytes:
        """Returns the 32 bytes of the public key."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, message: bytes) -> bytes:
        """Returns the 64 bytes of the signature."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey({self.public.hex()[:16]})"

    def __reduce__(self) -> str:
        raise TypeError("a key is never pickled")


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tells whether a signature is the public key's over the message; a malformed one is not."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
