"""Keyed digests: equality without opening, and blind indexes. A plain hash of a phone number is reversible."""

from __future__ import annotations

import hmac
from hashlib import sha256
from struct import Struct
from typing import NoReturn, Protocol, Self

from hub.crypto.sm3 import sm3
from hub.crypto.suites import Suite

compare = hmac.compare_digest

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_length = Struct(">I").pack
_BLIND = b"csh1/index"


class _Hash(Protocol):
    def update(self, text: bytes, /) -> None: ...

    def digest(self) -> bytes: ...

    def copy(self) -> Self: ...


class Digester:
    """Computes HMAC over length-prefixed parts, with the key's two blocks hashed once: SHA-256, or SM3 (国密)."""

    __slots__ = ("_inner", "_outer", "suite")

    def __init__(self, key: bytes, suite: Suite = Suite.XAES_256_GCM) -> None:
        if len(key) != 32:
            raise ValueError("the key has 32 bytes")
        block = key.ljust(_BLOCK, b"\0")
        self.suite = suite
        made = sm3 if suite is Suite.SM4_GCM else sha256
        self._inner: _Hash = made(block.translate(_INNER))
        self._outer: _Hash = made(block.translate(_OUTER))

    def digest(self, *parts: bytes) -> bytes:
        """Returns 32 bytes; each part stands behind its length as u32, because a part may be a whole record."""
        inner = self._inner.copy()
        inner.update(b"".join([piece for part in parts for piece in (_length(len(part)), part)]))
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled")


class BlindIndex:
    """Computes blind indexes: equal for equal values of one domain, unrelated between domains.

    A domain names what is compared, how it was normalised and the version of that, e.g. `person.phone/e164/1`; both
    systems' tables share it. Never give it a value of few possibilities (gender, branch, birth date alone).
    """

    __slots__ = ("_domains", "_root", "_suite")

    def __init__(self, key: bytes, suite: Suite = Suite.XAES_256_GCM) -> None:
        self._root = Digester(key, suite)
        self._suite = suite
        self._domains: dict[str, Digester] = {}

    def blind(self, domain: str, normalised: str) -> bytes:
        """Returns 8 bytes; candidates found by them must be opened and compared exactly."""
        digester = self._domains.get(domain)
        if digester is None:
            digester = self._domains[domain] = Digester(self._root.digest(_BLIND, domain.encode()), self._suite)
        return digester.digest(normalised.encode())[:8]
