"""Several key providers as one: the current one wraps, each of them unwraps what it wrapped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from hub.crypto.errors import WrongKey
from hub.crypto.provider import KeyProvider, ProviderCapabilities, ProviderStatus
from hub.kernel.errors import KeyUnusable


@runtime_checkable
class OpensOlder(Protocol):
    """Is a provider that also unwraps what earlier versions of its key wrapped."""

    def opens(self, kek_id: str) -> bool:
        """Tells whether a key wrapped under this name can be unwrapped."""


class ProviderChain:
    """Is the configured providers: the first wraps; the others only unwrap, while their key is being replaced."""

    def __init__(self, providers: Sequence[KeyProvider]) -> None:
        self._current, *_ = self.providers = tuple(providers)

    def kek_id(self) -> str:
        """Returns the name of the key under which new data keys are wrapped."""
        return self._current.kek_id()

    def wrap(self, key: bytes, context: bytes) -> bytes:
        return self._current.wrap(key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return self._current.unwrap(wrapped, context)

    def health(self) -> ProviderStatus:
        return self._current.health()

    def capabilities(self) -> ProviderCapabilities:
        return self._current.capabilities()

    def of(self, kek_id: str) -> KeyProvider | None:
        """Returns the provider that unwraps what was wrapped under this name."""
        return next((item for item in self.providers if unwraps(item, kek_id)), None)

    def kek_ids(self) -> tuple[str, ...]:
        """Returns the names of the keys in use, the current one first."""
        return tuple(item.kek_id() for item in self.providers)

    def __repr__(self) -> str:
        return f"ProviderChain({', '.join(self.kek_ids())})"


def unwraps(provider: KeyProvider, kek_id: str) -> bool:
    """Tells whether a provider unwraps what was wrapped under a name."""
    return provider.kek_id() == kek_id or (isinstance(provider, OpensOlder) and provider.opens(kek_id))


def provider_for(provider: KeyProvider, kek_id: str) -> KeyProvider:
    """Returns who unwraps what was wrapped under a name. Raises KeyUnusable where none of the configured keys does."""
    found = provider.of(kek_id) if isinstance(provider, ProviderChain) else None
    if found is None and unwraps(provider, kek_id):
        found = provider
    if found is None:
        configured = ", ".join(provider.kek_ids() if isinstance(provider, ProviderChain) else (provider.kek_id(),))
        raise KeyUnusable(
            f"this store was sealed under key {kek_id}, but the configured key is {configured}; "
            "configure the key that made this store, or add it under keys.also",
            f"该存储由密钥 {kek_id} 封存，而当前配置的密钥为 {configured}；"
            "请配置创建该存储时的密钥，或将其加入 keys.also",
            code=WrongKey.code,
        )
    return found


def missing(provider: KeyProvider, kek_ids: Iterable[str]) -> tuple[str, ...]:
    """Returns the names under which something was wrapped that none of the configured keys unwraps."""
    known = provider.of if isinstance(provider, ProviderChain) else lambda name: unwraps(provider, name) or None
    return tuple(name for name in kek_ids if known(name) is None)
