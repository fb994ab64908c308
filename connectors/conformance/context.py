"""A plain ConnectorContext for conformance runs and connector tests."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import count

from connectors.allowance import Allowance, MemoryBooks, Terms
from connectors.base import Budget, Clock, Http, TokenStore
from connectors.budget import RateBudget
from connectors.errors import SettingsInvalid


class PatientClock:
    """Tells the real time plus an offset; a sleep moves the offset and takes no time."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        """Returns epoch seconds."""
        return time.time() + self.offset

    def sleep(self, seconds: float) -> None:
        """Moves on without waiting."""
        self.offset += seconds


class MemoryTokens:
    """Keeps tokens in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"MemoryTokens({sorted(self.kept)})"

    def get(self, name: str) -> bytes | None:
        """Returns a token, or None."""
        return self.kept.get(name)

    def put(self, name: str, value: bytes) -> None:
        """Keeps a token."""
        self.kept[name] = value


class KitContext:
    """Gives a connector what the hub would give it, without a hub."""

    def __init__(
        self, system: str, http: Http, clock: Clock | None = None, secrets: Mapping[str, str] | None = None
    ) -> None:
        self.system = system
        self.http = http
        self.clock: Clock = clock or PatientClock()
        self.tokens: TokenStore = MemoryTokens()
        self._secrets = dict(secrets or {})
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self._places: dict[str, threading.BoundedSemaphore] = {}
        self._ids = count(1)
        self.books = MemoryBooks()

    def __repr__(self) -> str:
        return f"KitContext({self.system})"

    def new_id(self) -> str:
        """Returns a counting id of 32 hex digits."""
        return f"{next(self._ids):032x}"

    def secret(self, name: str) -> str:
        """Returns a secret. Raises SettingsInvalid when there is none of that name."""
        if name not in self._secrets:
            raise SettingsInvalid(f"no secret named {name}", f"没有名为 {name} 的凭据", system=self.system)
        return self._secrets[name]

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Holds a lock of this context."""
        with self._locks[name]:
            yield

    def budget(self, name: str, rate: float, burst: float) -> Budget:
        """Returns a token bucket; each connector of the kit has its own, as one that is opened alone."""
        return RateBudget(rate, burst, self.clock)

    def allowance(self, name: str, terms: Terms) -> Allowance:
        """Returns an allowance that connectors of this context share, for people: nothing of it is kept back."""
        return Allowance(terms, self.books(name, terms), 0, self.clock)

    def places(self, name: str, number: int) -> Callable[[], AbstractContextManager[object]]:
        """Returns what admits a number of holders at once in this context."""
        admitted = self._places.setdefault(name, threading.BoundedSemaphore(number))
        return lambda: admitted
