"""Keyed digests: equality without opening, and blind indexes. A plain hash of a phone number is reversible."""

from __future__ import annotations

import hmac
from hashlib import sha256
from struct import Struct
from typing import NoReturn

compare = hmac.compare_digest

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_length = Struct(">I").pack
_BLIND = b"csh1/index"


class Digester:
    """Computes HMAC-SHA256 over length-prefixed parts, with the key's two blocks hashed once."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("the key has 32 bytes")
        block = key.ljust(_BLOCK, b"\0")
        self._inner = sha256(block.translate(_INNER))
        self._outer = sha256(block.translate(_OUTER))

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

    __slots__ = ("_domains", "_root")

    def __init__(self, key: bytes) -> None:
        self._root = Digester(key)
        self._domains: dict[str, Digester] = {}

    def blind(self, domain: str, normalised: str) -> bytes:
        """Returns 8 bytes; candidates found by them must be opened and compared exactly."""
        digester = self._domains.get(domain)
        if digester is None:
            digester = self._domains[domain] = Digester(self._root.digest(_BLIND, domain.encode()))
        return digester.digest(normalised.encode())[:8]
