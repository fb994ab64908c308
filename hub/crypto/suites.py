"""The cipher suites an envelope may name."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from hub.crypto.sm4 import Sm4Gcm
from hub.crypto.xaes import Xaes


class Suite(IntEnum):
    """Is byte 1 of an envelope; 0x12 (AES-256-GCM-SIV) is reserved."""

    XAES_256_GCM = 0x11
    SM4_GCM = 0x21


SUITES = {"xaes": Suite.XAES_256_GCM, "sm4": Suite.SM4_GCM}
"""By the word that chooses one for an installation."""


class Aead(Protocol):
    """Seals and opens under one key with nonces of its own making; `open` raises InvalidTag for every failure."""

    def seal(self, plaintext: bytes, aad: bytes) -> bytes: ...

    def open(self, body: bytes, aad: bytes) -> bytes: ...


def aead_for(suite: Suite, key: bytes) -> Aead:
    """Returns the cipher of a suite under a 32-byte key."""
    return Xaes(key) if suite is Suite.XAES_256_GCM else Sm4Gcm(key)
