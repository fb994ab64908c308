"""SM3 (GM/T 0004) with the interface of the standard library's hashes; not every OpenSSL of Python has it."""

from __future__ import annotations

from typing import Self

from cryptography.hazmat.primitives import hashes


class Sm3:
    """Is one running hash; `digest` may be asked once of each copy."""

    __slots__ = ("_hash",)

    def __init__(self, text: bytes = b"", running: hashes.Hash | None = None) -> None:
        self._hash = hashes.Hash(hashes.SM3()) if running is None else running
        if text:
            self._hash.update(text)

    def update(self, text: bytes, /) -> None:
        self._hash.update(text)

    def digest(self) -> bytes:
        return self._hash.finalize()

    def copy(self) -> Self:
        return type(self)(running=self._hash.copy())


sm3 = Sm3
