"""The unkeyed hashes an audit log may be built on: SHA-256, or SM3 (GB/T 32905) for a log of the 国密 profile."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives import hashes

Hash = Callable[[bytes], bytes]
SHA256, SM3 = "sha256", "sm3"


def sha256(message: bytes) -> bytes:
    """Returns the 32 bytes of SHA-256."""
    return hashlib.sha256(message).digest()


def sm3(message: bytes) -> bytes:
    """Returns the 32 bytes of SM3."""
    state = hashes.Hash(hashes.SM3())
    state.update(message)
    return state.finalize()


HASHES: Mapping[str, Hash] = {SHA256: sha256, SM3: sm3}
"""Name of a hash -> the function; the name is what a log and its export carry."""
