"""Envelope v1: what was sealed opens only in its own place, whole and unaltered."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto.envelope import Aad, AadPrefix, DataKey, header_of, key_id_of, lp, open_, seal
from hub.crypto.errors import EnvelopeBroken, NotSealable
from hub.crypto.suites import Suite

SUITES = st.sampled_from(list(Suite))
AAD = Aad("bank-1", "golden", "blob", "0190f0aa-0000-7000-8000-000000000001", "subject-1", 3)
short = st.text(max_size=20)
aads = st.builds(Aad, short, short, short, short, st.none() | short, st.integers(0, 2**64 - 1))


def _key(suite: Suite = Suite.XAES_256_GCM, key_id: int = 7, fill: int = 9) -> DataKey:
    return DataKey(key_id, suite, bytes([fill]) * 32)


@given(SUITES, st.binary(max_size=300), aads, st.integers(0, 2**32 - 1))
def test_open_returns_what_was_sealed(suite: Suite, plaintext: bytes, aad: Aad, key_id: int) -> None:
    key = _key(suite, key_id)
    blob = seal(key, plaintext, aad)
    assert open_(key, blob, aad) == plaintext
    assert key_id_of(blob) == key_id
    assert len(blob) - len(plaintext) == {Suite.XAES_256_GCM: 46, Suite.SM4_GCM: 50}[suite]


@pytest.mark.parametrize("suite", list(Suite))
def test_every_flipped_bit_is_refused(suite: Suite) -> None:
    key = _key(suite)
    blob = seal(key, b"plaintext", AAD)
    for bit in range(len(blob) * 8):
        flipped = bytearray(blob)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(EnvelopeBroken):
            open_(key, bytes(flipped), AAD)


@pytest.mark.parametrize("suite", list(Suite))
def test_every_cut_and_every_tail_is_refused(suite: Suite) -> None:
    key = _key(suite)
    blob = seal(key, b"plaintext", AAD)
    for end in range(len(blob)):
        with pytest.raises(EnvelopeBroken):
            open_(key, blob[:end], AAD)
    with pytest.raises(EnvelopeBroken):
        open_(key, blob + b"\0", AAD)


@given(aads, aads)
def test_another_place_is_refused(sealed_in: Aad, opened_in: Aad) -> None:
    key = _key()
    blob = seal(key, b"plaintext", sealed_in)
    same = sealed_in._replace(subject_id=sealed_in.subject_id or None) == opened_in._replace(
        subject_id=opened_in.subject_id or None
    )
    if same:
        assert open_(key, blob, opened_in) == b"plaintext"
    else:
        with pytest.raises(EnvelopeBroken):
            open_(key, blob, opened_in)


@pytest.mark.parametrize(
    "moved",
    [
        AAD._replace(tenant="bank-2"),
        AAD._replace(table="base"),
        AAD._replace(column="before"),
        AAD._replace(row_id="0190f0aa-0000-7000-8000-000000000002"),
        AAD._replace(subject_id="subject-2"),
        AAD._replace(subject_id=None),
        AAD._replace(version=2),
        AAD._replace(table="goldenb", column="lob"),
        AAD._replace(row_id=AAD.row_id + "s", subject_id="ubject-1"),
        AAD._replace(version=-1),
        AAD._replace(version=2**64),
        AAD._replace(row_id="x" * 256),
        AAD._replace(row_id="\ud800"),
    ],
)
def test_every_swapped_part_is_refused(moved: Aad) -> None:
    key = _key()
    blob = seal(key, b"plaintext", AAD)
    with pytest.raises(EnvelopeBroken):
        open_(key, blob, moved)


def test_downgrades_and_other_keys_are_refused() -> None:
    key = _key()
    blob = seal(key, b"plaintext", AAD)
    for other in (_key(key_id=8), _key(fill=10), _key(Suite.SM4_GCM)):
        with pytest.raises(EnvelopeBroken):
            open_(other, blob, AAD)
    for header in (b"\x00" + blob[1:6], b"\x02" + blob[1:6], b"\x01\x12" + blob[2:6], b"\x01\x21" + blob[2:6]):
        with pytest.raises(EnvelopeBroken):
            open_(key, header + blob[6:], AAD)


@given(st.binary(max_size=200))
def test_rubbish_never_opens_and_never_crashes(blob: bytes) -> None:
    key = _key()
    for candidate in (blob, key.header + blob):
        with pytest.raises(EnvelopeBroken):
            open_(key, candidate, AAD)


def test_the_header_and_the_aad_are_what_the_format_says() -> None:
    assert header_of(Suite.XAES_256_GCM, 7) == bytes.fromhex("011100000007")
    assert header_of(Suite.SM4_GCM, 2**32 - 1) == bytes.fromhex("0121ffffffff")
    header = _key().header
    assert AadPrefix(header, "t", "golden", "blob").bind("r1", "s1", 5) == lp(
        b"csh1", header, b"t", b"golden", b"blob", b"r1", b"s1", (5).to_bytes(8, "big")
    )
    assert lp(b"ab", b"c") != lp(b"a", b"bc")


def test_an_aad_out_of_range_is_not_sealed() -> None:
    for aad in (AAD._replace(version=-1), AAD._replace(version=2**64), AAD._replace(row_id="x" * 256)):
        with pytest.raises(NotSealable):
            seal(_key(), b"plaintext", aad)


def test_key_id_of_refuses_what_is_no_envelope() -> None:
    for blob in (b"", b"\x01\x11\x00", b"\x00" + bytes(20), b"\x02" + bytes(20)):
        with pytest.raises(EnvelopeBroken):
            key_id_of(blob)


def test_every_failure_says_the_same_and_nothing_of_the_value() -> None:
    key = _key()
    blob = seal(key, b"13800138000", AAD)
    texts = set()
    for broken in (blob[:20], blob[:-1] + bytes([blob[-1] ^ 1]), b"\x00" + blob[1:], b""):
        with pytest.raises(EnvelopeBroken) as raised:
            open_(key, broken, AAD)
        texts.add((str(raised.value), raised.value.zh))
        assert raised.value.__suppress_context__ or raised.value.__context__ is None
    assert len(texts) == 1
    assert "golden/0190f0aa" in texts.pop()[0]


def test_a_data_key_shows_its_id_only_and_is_never_pickled() -> None:
    assert repr(_key()) == "DataKey(id=7)"
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(_key())
