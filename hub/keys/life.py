"""How long unwrapped keys stay in memory, and how they come back: the provider is asked for nothing but that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hub.crypto.envelope import FORMAT, HEADER, key_id_of
from hub.crypto.errors import ProviderAway
from hub.crypto.provider import KeyProvider, ProviderStatus
from hub.kernel.clock import Clock
from hub.kernel.errors import KeyUnusable, Text
from hub.keys.chain import ProviderChain, provider_for
from hub.keys.rows import LOADED, KeyRow
from hub.keys.unlock import RingKeys, unlock

TTL = 300.0
"""Seconds for which keys stay in memory after the provider was last there."""
RETRY = 5.0
"""Seconds after which a provider that is away is asked again."""


@dataclass(frozen=True, slots=True)
class Source:
    """Is what a ring was made of, and is made of again: nothing in it opens anything without the provider."""

    provider: KeyProvider = field(repr=False)
    rows: tuple[KeyRow, ...] = field(repr=False)
    capacity: int
    clock: Clock | None


class Life:
    """Holds the keys of a ring: at most `TTL` seconds after the provider was last there, then nobody opens anything.

    Who asks then makes it ask the provider again, so that everything goes on by itself once that is back. Without a
    source or a clock keys are held for ever. Safe to share between threads.
    """

    def __init__(self, keys: RingKeys, source: Source | None) -> None:
        self._keys: RingKeys | None = keys
        self._source = source
        self._lock = threading.RLock()
        self.fetch: Callable[[], Iterable[KeyRow]] | None = None
        self._fetched_at = self._retry_at = float("-inf")
        self._kek_ids, self._tenant = keys.kek_ids, keys.tenant
        self._said: ProviderStatus | None = None
        clock = None if source is None else source.clock
        self._now = None if clock is None else clock.now
        self._until = 0.0 if clock is None else clock.now() + TTL

    @property
    def given_up(self) -> bool:
        return self._keys is None

    @property
    def provider(self) -> KeyProvider:
        """Is what new keys are wrapped by."""
        assert self._source is not None
        return self._source.provider

    @property
    def providers(self) -> tuple[KeyProvider, ...]:
        if self._source is None:
            return ()
        provider = self._source.provider
        return provider.providers if isinstance(provider, ProviderChain) else (provider,)

    @property
    def kek_ids(self) -> tuple[str, ...]:
        return tuple(item.kek_id() for item in self.providers)

    def held(self) -> RingKeys:
        """Returns the keys. Raises ProviderAway when they were given up and the provider is not back."""
        keys, now = self._keys, self._now
        # Asked for every value that is sealed, opened or digested, so `_is_young` stands here once more.
        if keys is None or (now is not None and not 0.0 <= self._until - now() <= TTL):
            keys = self._regain()
        return keys

    def renew(self, rows: Iterable[KeyRow]) -> None:
        """Holds the keys of these rows from now on; raises KeyUnusable and then goes on with those of before."""
        with self._lock:
            source = self._source
            assert source is not None
            fresh = Source(source.provider, tuple(rows), source.capacity, source.clock)
            before = None if self._keys is None else self._keys.subjects
            self._hold(unlock(fresh.provider, self._tenant, fresh.rows, fresh.capacity, before))
            self._source = fresh

    def prove(self) -> ProviderStatus:
        """Asks the provider whether it is there, and holds the keys for another `TTL` seconds if it is."""
        with self._lock:
            status = self._status()
            if self._now is not None and status.ok:
                if self._keys is None:
                    self._unlock_again()
                self._until = self._now() + TTL
            elif not self._is_young():
                self._give_up()
        return status

    def forget(self, subject_ids: Iterable[str]) -> None:
        if self._keys is not None:
            self._keys.subjects.forget(subject_ids)

    def learn_of(self, blob: bytes) -> bool:
        """Reads the rows again where one of them may be the key that a blob names; tells whether it is held now."""
        return len(blob) >= HEADER and blob[0] == FORMAT and self.learn(key_id_of(blob))

    def learn(self, key_id: int) -> bool:
        """Reads the rows again, at most once a second, for a key that is not held; tells whether it is held now."""
        if self.fetch is None or self._now is None:
            return False
        with self._lock:
            if self._holds(key_id):
                return True
            if 0.0 <= self._now() - self._fetched_at < 1.0:
                return False
            self._fetched_at = self._now()
            self.renew(self.fetch())
            return self._holds(key_id)

    def _holds(self, key_id: int) -> bool:
        assert self._source is not None
        return any(row.id == key_id and row.state in LOADED for row in self._source.rows)

    def _is_young(self) -> bool:
        # A clock that was set back makes nobody hold keys for longer.
        return self._now is None or 0.0 <= self._until - self._now() <= TTL

    def _regain(self) -> RingKeys:
        with self._lock:
            if self._keys is not None and self._is_young():
                return self._keys
            assert self._now is not None
            if self._said is not None and self._keys is None and 0.0 <= self._retry_at - self._now() <= RETRY:
                raise ProviderAway(self._said.reason)
            self._said = self.prove()
            if self._keys is None or not self._said.ok:
                self._retry_at = self._now() + RETRY
                raise ProviderAway(self._said.reason)
            return self._keys

    def _status(self) -> ProviderStatus:
        if self._source is not None:
            for kek_id in sorted(self._kek_ids):
                try:
                    status = provider_for(self._source.provider, kek_id).health()
                except KeyUnusable as error:
                    # Nobody unwraps under that name any more, such as a version that Vault gave up: as good as away.
                    # Each is asked all the same, so that it notices when that version is back.
                    for item in self.providers:
                        item.health()
                    status = ProviderStatus(False, Text(error.en, error.zh))
                if not status.ok:
                    return status
        return ProviderStatus(True, Text("every key is there", "密钥均可用"))

    def _unlock_again(self) -> None:
        assert self._source is not None
        self._hold(unlock(self._source.provider, self._tenant, self._source.rows, self._source.capacity))

    def _hold(self, keys: RingKeys) -> None:
        self._kek_ids, self._keys = keys.kek_ids, keys

    def _give_up(self) -> None:
        if self._keys is not None:
            self._keys.subjects.clear()
        self._keys = None
