"""Keyed digests against the standard library's HMAC."""

from __future__ import annotations

import hmac
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto.digests import BlindIndex, Digester, compare

KEY = bytes(range(32))


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=100), max_size=5))
def test_is_hmac_sha256_of_the_prefixed_parts(key: bytes, parts: list[bytes]) -> None:
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    assert Digester(key).digest(*parts) == hmac.digest(key, message, "sha256")


def test_parts_cannot_be_shifted_and_keys_matter() -> None:
    digester = Digester(KEY)
    assert digester.digest(b"ab", b"c") != digester.digest(b"a", b"bc")
    assert digester.digest(b"a") != digester.digest(b"a", b"")
    assert digester.digest(b"a") == digester.digest(b"a")
    assert digester.digest(b"a") != Digester(KEY[::-1]).digest(b"a")


def test_a_part_may_be_larger_than_64_kib() -> None:
    assert Digester(KEY).digest(b"x" * 70_000) != Digester(KEY).digest(b"x" * 70_001)


def test_blind_indexes_join_within_a_domain_only() -> None:
    index = BlindIndex(KEY)
    phone = index.blind("person.phone/e164/1", "+8613800138000")
    assert len(phone) == 8
    assert phone == BlindIndex(KEY).blind("person.phone/e164/1", "+8613800138000")
    assert phone != index.blind("person.phone/e164/2", "+8613800138000")
    assert phone != index.blind("person.phone/e164/1", "+8613800138001")
    assert phone != BlindIndex(KEY[::-1]).blind("person.phone/e164/1", "+8613800138000")


def test_compare_and_key_size() -> None:
    assert compare(b"same", b"same")
    assert not compare(b"same", b"diff")
    with pytest.raises(ValueError, match="32 bytes"):
        Digester(b"short")
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(Digester(KEY))
