"""The contract of a key provider: who holds the key-encrypting key and wraps data keys with it.

A provider is named in the entry-point group `crmhub.key_providers`. The key-encrypting key never reaches the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hub.crypto.suites import Suite
from hub.kernel.errors import Text


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """Says whether a provider can wrap and unwrap now, and if not, why and what to do."""

    ok: bool
    reason: Text


@dataclass(frozen=True, slots=True)
class ProviderCapabilities:
    """Says what a provider is: the suites whose keys it wraps, a device or software, and whether it signs."""

    suites: frozenset[Suite]
    hsm: bool
    exportable: bool
    sign: bool


@runtime_checkable
class KeyProvider(Protocol):
    """Wraps and unwraps 32-byte keys; safe to call from several threads at once."""

    def kek_id(self) -> str:
        """Returns the stable name of the key in use, including its version; shows nothing of the key."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Returns the wrapped key; `context` is authenticated, not stored."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Returns the key; raises WrongKey for another context, another key or altered bytes."""

    def health(self) -> ProviderStatus:
        """Says whether the provider can work now; never raises."""

    def capabilities(self) -> ProviderCapabilities: ...


@runtime_checkable
class SigningKeyProvider(KeyProvider, Protocol):
    """Signs as well, for audit checkpoints."""

    def sign(self, message: bytes) -> bytes: ...

    def public_key(self) -> bytes: ...
