"""What every key provider must do; a provider's test class inherits `ProviderContract` and gives two fixtures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.crypto.errors import WrongKey
from hub.crypto.provider import KeyProvider, ProviderStatus
from hub.crypto.suites import Suite
from hub.crypto.wrapping import new_key
from hub.kernel.errors import KeyUnusable
from hub.keys.chain import ProviderChain
from hub.keys.keyring import Keyring
from hub.keys.rows import Purpose
from hub.keys.unlock import unlock


class ProviderContract:
    """Needs the fixtures `provider` and `other`: two providers of one kind with different keys."""

    every = 1
    """Tries every n-th cut and bit; more than 1 where each costs a call over a network."""
    rounds = 20
    """How often each of fifty threads wraps and unwraps."""

    def take_away(self, provider: KeyProvider) -> None:
        """Makes the key of `provider` unreachable."""
        raise NotImplementedError

    def bring_back(self, provider: KeyProvider) -> None:
        """Undoes `take_away`."""
        raise NotImplementedError

    def rotate(self, provider: KeyProvider, other: KeyProvider) -> KeyProvider:
        """Returns what is configured once the key was replaced."""
        return ProviderChain([other, provider])

    def test_round_trip(self, provider: KeyProvider) -> None:
        key = new_key()
        wrapped = provider.wrap(key, b"context")
        assert provider.unwrap(wrapped, b"context") == key
        assert key not in wrapped

    def test_wrapping_twice_gives_different_bytes(self, provider: KeyProvider) -> None:
        key = new_key()
        assert provider.wrap(key, b"context") != provider.wrap(key, b"context")

    @pytest.mark.parametrize("context", [b"", b"contex", b"context ", b"other"])
    def test_another_context_is_refused(self, provider: KeyProvider, context: bytes) -> None:
        with pytest.raises(WrongKey):
            provider.unwrap(provider.wrap(new_key(), b"context"), context)

    def test_every_cut_is_refused(self, provider: KeyProvider) -> None:
        wrapped = provider.wrap(new_key(), b"context")
        for end in range(0, len(wrapped), self.every):
            with pytest.raises(WrongKey):
                provider.unwrap(wrapped[:end], b"context")

    def test_every_flipped_bit_is_refused(self, provider: KeyProvider) -> None:
        wrapped = provider.wrap(new_key(), b"context")
        for bit in range(0, len(wrapped) * 8, self.every):
            flipped = bytearray(wrapped)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(WrongKey):
                provider.unwrap(bytes(flipped), b"context")

    def test_another_key_is_refused_and_has_another_name(self, provider: KeyProvider, other: KeyProvider) -> None:
        assert provider.kek_id() != other.kek_id()
        with pytest.raises(WrongKey):
            other.unwrap(provider.wrap(new_key(), b"context"), b"context")

    def test_fifty_threads_at_once(self, provider: KeyProvider) -> None:
        def work(number: int) -> bool:
            key, context = new_key(), b"context %d" % number
            return all(provider.unwrap(provider.wrap(key, context), context) == key for _ in range(self.rounds))

        with ThreadPoolExecutor(50) as pool:
            assert all(pool.map(work, range(50)))

    def test_its_name_is_stable_and_it_says_what_it_is(self, provider: KeyProvider) -> None:
        assert isinstance(provider, KeyProvider)
        assert provider.kek_id() == provider.kek_id() != ""
        assert provider.capabilities().suites <= frozenset(Suite)
        assert provider.kek_id().split(":")[0] in repr(provider)

    def test_one_that_is_away_says_so_and_is_back_by_itself(self, provider: KeyProvider) -> None:
        key = new_key()
        wrapped = provider.wrap(key, b"context")
        assert provider.health().ok
        self.take_away(provider)
        try:
            status = provider.health()
            unwrapped = _caught(lambda: provider.unwrap(wrapped, b"context"))
        finally:
            self.bring_back(provider)
        assert not status.ok
        assert status.reason.en
        assert status.reason.zh
        assert status.reason.en != status.reason.zh
        # A key in memory goes on; what is asked elsewhere says that it is away, and never that the key is wrong.
        assert unwrapped == key or (isinstance(unwrapped, KeyUnusable) and not isinstance(unwrapped, WrongKey))
        assert provider.health().ok
        assert provider.unwrap(wrapped, b"context") == key

    def test_one_that_is_slow_keeps_nobody_from_the_keys_in_memory(self, provider: KeyProvider) -> None:
        slow = _Slow(provider)
        rows = Keyring.bootstrap(provider, "bank", iter(range(1, 100)).__next__, 0.0)
        ring = Keyring.load(slow, "bank", rows, clock=_Clock())
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ring.prove)
            try:
                assert slow.entered.wait(30)
                assert ring.open_secret("s", ring.seal_secret("s", b"value")) == b"value"
            finally:
                slow.answer.set()
            assert asked.result(30).ok

    def test_after_a_rotation_what_was_wrapped_before_opens_and_is_wrapped_anew(
        self, provider: KeyProvider, other: KeyProvider
    ) -> None:
        before = provider.kek_id()
        rows = Keyring.bootstrap(provider, "bank", iter(range(1, 100)).__next__, 0.0)
        rotated = self.rotate(provider, other)
        assert rotated.kek_id() != before
        ring = Keyring.load(rotated, "bank", rows)
        wrapped = ring.rewrap(rows)
        assert {row.kek_id for row in wrapped} == {rotated.kek_id()}
        canaries = [row.wrapped for row in wrapped if row.purpose is Purpose.CANARY]
        assert canaries == [row.wrapped for row in rows if row.purpose is Purpose.CANARY]
        assert unlock(rotated, "bank", wrapped).kek_ids == {rotated.kek_id()}
        assert ring.open_secret("s", Keyring.load(rotated, "bank", wrapped).seal_secret("s", b"value")) == b"value"


class _Clock:
    def now(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits")


class _Slow:
    """Is a provider whose answer to a look at its health is held back until `answer` is set."""

    def __init__(self, provider: KeyProvider) -> None:
        self.kek_id, self.wrap, self.unwrap = provider.kek_id, provider.wrap, provider.unwrap
        self.capabilities, self._provider = provider.capabilities, provider
        self.entered, self.answer = threading.Event(), threading.Event()

    def health(self) -> ProviderStatus:
        self.entered.set()
        assert self.answer.wait(60)
        return self._provider.health()


def _caught(act: Callable[[], bytes]) -> bytes | Exception:
    try:
        return act()
    except KeyUnusable as error:
        return error
