"""A key-encrypting key held in memory that wraps in software: what the providers without a service or device share."""

from __future__ import annotations

from typing import NoReturn

from hub.crypto.digests import Digester
from hub.crypto.provider import ProviderCapabilities
from hub.crypto.suites import Suite
from hub.crypto.wrapping import KeyWrap


class HeldKey:
    """Wraps keys under a key in memory; keys wrapped by either suite are unwrapped, new ones wrapped by `suite`."""

    def __init__(self, kind: str, key: bytes, suite: Suite) -> None:
        self._suite = suite
        self._wraps = {item: KeyWrap(key, item) for item in Suite}
        self._kek_id = f"{kind}:{Digester(key).digest(b'csh1/kek-id').hex()[:16]}"

    def kek_id(self) -> str:
        """Returns the kind and a fingerprint of the key, so that another key is recognised by its name."""
        return self._kek_id

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Returns the key wrapped by AES-256-GCM, or by SM4-GCM where that suite was chosen."""
        return self._wraps[self._suite].wrap(key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Returns the key; raises WrongKey."""
        return self._wraps[KeyWrap.suite_of(wrapped)].unwrap(wrapped, context)

    def capabilities(self) -> ProviderCapabilities:
        return ProviderCapabilities(suites=frozenset(Suite), hsm=False, exportable=True, sign=False)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._kek_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled")
