"""Key wrapping in both suites."""

from __future__ import annotations

import pytest

from hub.crypto.errors import WrongKey
from hub.crypto.suites import Suite
from hub.crypto.wrapping import KeyWrap, new_key


@pytest.mark.parametrize("suite", list(Suite))
def test_a_key_unwraps_in_its_context_only(suite: Suite) -> None:
    wrap, key = KeyWrap(b"\x01" * 32, suite), new_key()
    wrapped = wrap.wrap(key, b"context")
    assert wrap.unwrap(wrapped, b"context") == key
    assert wrapped != wrap.wrap(key, b"context")
    assert key not in wrapped
    with pytest.raises(WrongKey):
        wrap.unwrap(wrapped, b"another")
    with pytest.raises(WrongKey):
        KeyWrap(b"\x02" * 32, suite).unwrap(wrapped, b"context")
    for end in range(len(wrapped)):
        with pytest.raises(WrongKey):
            wrap.unwrap(wrapped[:end], b"context")
    for bit in range(len(wrapped) * 8):
        flipped = bytearray(wrapped)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(WrongKey):
            wrap.unwrap(bytes(flipped), b"context")


def test_a_wrapping_key_has_32_bytes() -> None:
    for suite in Suite:
        with pytest.raises(ValueError, match="32 bytes"):
            KeyWrap(b"short", suite)
    assert len({new_key() for _ in range(100)}) == 100
