"""Password hashes: Argon2id (RFC 9106) as PHC strings, bound by a secret to the account they were made for."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from hub.kernel.errors import HubError

SALT, LENGTH = 16, 32
PATIENCE = 10.0
"""Seconds that a hash waits for its turn."""
_PHC = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})"
)


class TooManyHashes(HubError):
    """Is raised when more passwords are being checked than the machine has room for."""

    code = "HUB-SIGNIN-009"
    exit_code = 6

    def __init__(self) -> None:
        super().__init__("too many sign-ins at once; try again in a few seconds", "同时登录过多；请数秒后重试")


@dataclass(frozen=True, slots=True)
class Cost:
    """Is what one hash costs: memory in KiB, passes over it, lanes."""

    memory: int = 19 * 1024
    passes: int = 2
    lanes: int = 1


CURRENT = Cost()
_MOST = Cost(1024 * 1024, 16, 16)
"""What a stored hash may ask for at most; one that asks for more was not made here."""


class Hasher:
    """Makes and checks hashes, so many at once that memory is bounded by the number of processors."""

    def __init__(self, cost: Cost = CURRENT, at_once: int | None = None) -> None:
        self.cost = cost
        self._turns = threading.BoundedSemaphore(at_once or os.cpu_count() or 1)
        self._dummy: str | None = None

    def hash(self, password: str, secret: bytes) -> str:
        """Returns the PHC string of a password. Raises TooManyHashes."""
        with self._turn():
            cost = self.cost
            made = Argon2id(
                salt=os.urandom(SALT),
                length=LENGTH,
                iterations=cost.passes,
                lanes=cost.lanes,
                memory_cost=cost.memory,
                secret=secret,
            )
            return made.derive_phc_encoded(password.encode("utf-8", "surrogatepass"))

    def matches(self, password: str, phc: str | None, secret: bytes) -> bool:
        """Tells whether a password made a hash; None stands for an account without one and costs the same.

        Raises TooManyHashes.
        """
        known = phc is not None and (cost := cost_of(phc)) is not None and _affordable(cost)
        asked = phc if phc is not None and known else self._stand_in()
        with self._turn():
            try:
                Argon2id.verify_phc_encoded(password.encode("utf-8", "surrogatepass"), asked, secret)
            except InvalidKey:
                return False
        return known

    def outdated(self, phc: str) -> bool:
        """Tells whether a hash was made at another cost than is asked for now."""
        return cost_of(phc) != self.cost

    def _stand_in(self) -> str:
        if self._dummy is None:
            self._dummy = self.hash(os.urandom(16).hex(), os.urandom(16))
        return self._dummy

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=PATIENCE):
            raise TooManyHashes
        try:
            yield
        finally:
            self._turns.release()


def cost_of(phc: str) -> Cost | None:
    """Returns at what cost a hash was made, None for what is no PHC string of Argon2id."""
    found = _PHC.fullmatch(phc)
    return None if found is None else Cost(int(found[1]), int(found[2]), int(found[3]))


def _affordable(cost: Cost) -> bool:
    return cost.memory <= _MOST.memory and cost.passes <= _MOST.passes and cost.lanes <= _MOST.lanes
