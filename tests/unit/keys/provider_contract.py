"""What every key provider must do; a provider's test class inherits `ProviderContract` and gives two fixtures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.crypto.errors import WrongKey
from hub.crypto.provider import KeyProvider
from hub.crypto.suites import Suite
from hub.crypto.wrapping import new_key


class ProviderContract:
    """Needs the fixtures `provider` and `other`: two providers of one kind with different keys.

    `take_away` must make the key of `provider` unreachable.
    """

    def take_away(self, provider: KeyProvider) -> None:
        raise NotImplementedError

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
        for end in range(len(wrapped)):
            with pytest.raises(WrongKey):
                provider.unwrap(wrapped[:end], b"context")

    def test_every_flipped_bit_is_refused(self, provider: KeyProvider) -> None:
        wrapped = provider.wrap(new_key(), b"context")
        for bit in range(len(wrapped) * 8):
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
            return all(provider.unwrap(provider.wrap(key, context), context) == key for _ in range(20))

        with ThreadPoolExecutor(50) as pool:
            assert all(pool.map(work, range(50)))

    def test_its_name_is_stable_and_it_says_what_it_is(self, provider: KeyProvider) -> None:
        assert isinstance(provider, KeyProvider)
        assert provider.kek_id() == provider.kek_id() != ""
        assert provider.capabilities().suites <= frozenset(Suite)
        assert provider.kek_id().split(":")[0] in repr(provider)

    def test_health_never_raises_and_names_the_remedy(self, provider: KeyProvider) -> None:
        assert provider.health().ok
        self.take_away(provider)
        status = provider.health()
        assert not status.ok
        assert status.reason.en
        assert status.reason.zh
        assert status.reason.en != status.reason.zh
