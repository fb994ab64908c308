"""A key from a passphrase: Argon2id (RFC 9106), slow and large on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from os import urandom

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from hub.crypto.wrapping import KEY

SALT = 16


@dataclass(frozen=True, slots=True)
class Stretch:
    """Is what deriving a key costs: memory in KiB, passes over it, lanes. The defaults are the least that is used."""

    memory: int = 64 * 1024
    passes: int = 3
    lanes: int = 4


def new_salt() -> bytes:
    """Returns 16 random bytes."""
    return urandom(SALT)


def stretch(passphrase: bytes, salt: bytes, cost: Stretch) -> bytes:
    """Returns the 32 bytes that a passphrase stands for; about a sixth of a second at the default cost."""
    derived = Argon2id(salt=salt, length=KEY, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory)
    return derived.derive(passphrase)
