"""What stands inside an envelope comes back as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto.errors import EnvelopeBroken, NotSealable
from hub.crypto.values import decode_bytes, decode_record, encode_bytes, encode_record

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | text
json = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
records = st.dictionaries(text, json, max_size=8)


@given(records, st.booleans())
def test_a_record_comes_back(fields: dict[str, object], pad: bool) -> None:
    plaintext = encode_record(fields, pad=pad)
    assert decode_record(plaintext) == fields
    assert not pad or len(plaintext) % 32 == 0


@given(st.binary(max_size=100), st.booleans())
def test_bytes_come_back(value: bytes, pad: bool) -> None:
    plaintext = encode_bytes(value, pad=pad)
    assert decode_bytes(plaintext) == value
    assert not pad or len(plaintext) % 32 == 0


def test_short_names_are_not_told_apart_by_length() -> None:
    assert len(encode_record({"name": "王五"})) == len(encode_record({"name": "欧阳修"}))
    assert len(encode_bytes("王五".encode(), pad=True)) == len(encode_bytes("欧阳修".encode(), pad=True))


def test_order_does_not_matter_and_tuples_become_lists() -> None:
    assert encode_record({"b": 1, "a": (1, (2,))}) == encode_record(MappingProxyType({"a": [1, [2]], "b": 1}))
    assert decode_record(encode_record({"a": (1, (2,))})) == {"a": [1, [2]]}


@pytest.mark.parametrize("value", [Decimal(1), datetime(2026, 1, 1, tzinfo=UTC), {1: 2}, b"x", "\ud800", 2**64])
def test_what_is_no_json_is_refused_without_showing_it(value: object) -> None:
    with pytest.raises(NotSealable) as raised:
        encode_record({"secret-field": value})
    assert repr(value) not in str(raised.value)


@pytest.mark.parametrize("plaintext", [b"", b"\x00", b"\x01{}", b"\x02{", b"\x02", b"\xff{}"])
def test_no_record(plaintext: bytes) -> None:
    with pytest.raises(EnvelopeBroken):
        decode_record(plaintext)


@pytest.mark.parametrize("plaintext", [b"", b"\x02{}", b"\x03", b"\x03abc", b"\x03abc\0\0"])
def test_no_bytes(plaintext: bytes) -> None:
    with pytest.raises(EnvelopeBroken):
        decode_bytes(plaintext)
