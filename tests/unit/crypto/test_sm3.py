"""SM3 and SM4 against the examples of their standards, and HMAC-SM3 against the definition of HMAC."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hmac as reference
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto.digests import BlindIndex, Digester
from hub.crypto.sm3 import sm3
from hub.crypto.sm4 import Sm4Gcm
from hub.crypto.suites import Suite
from hub.crypto.wrapping import KeyWrap, new_key

SM4 = Suite.SM4_GCM


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_examples_of_gm_t_0004(text: bytes, digest: str) -> None:
    assert sm3(text).digest().hex() == digest
    running = sm3(text[:1])
    branch = running.copy()
    running.update(text[1:])
    branch.update(b"else")
    assert running.digest().hex() == digest != branch.digest().hex()


def test_sm4_example_of_gm_t_0002() -> None:
    key = block = bytes.fromhex("0123456789abcdeffedcba9876543210")
    encrypt = Cipher(algorithms.SM4(key), modes.ECB()).encryptor().update
    assert encrypt(block).hex() == "681edf34d206965e86b3e94f536e4246"
    assert Cipher(algorithms.SM4(key), modes.ECB()).decryptor().update(encrypt(block)) == block


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=90), max_size=3))
def test_a_digest_under_the_sm4_suite_is_hmac_sm3(key: bytes, parts: list[bytes]) -> None:
    made = reference.HMAC(key, hashes.SM3())
    for part in parts:
        made.update(len(part).to_bytes(4, "big") + part)
    assert Digester(key, SM4).digest(*parts) == made.finalize()
    assert Digester(key, SM4).digest(*parts) != Digester(key).digest(*parts)


def test_indexes_of_the_suites_are_unrelated() -> None:
    key = new_key()
    assert BlindIndex(key, SM4).blind("d", "v") == BlindIndex(key, SM4).blind("d", "v")
    assert BlindIndex(key, SM4).blind("d", "v") != BlindIndex(key).blind("d", "v")


def test_a_wrapped_key_tells_its_suite() -> None:
    key, kek = new_key(), new_key()
    for suite in Suite:
        wrapped = KeyWrap(kek, suite).wrap(key, b"context")
        assert KeyWrap.suite_of(wrapped) is suite
        assert KeyWrap(kek, KeyWrap.suite_of(wrapped)).unwrap(wrapped, b"context") == key


def test_salts_and_nonces_stay_distinct_across_forks() -> None:
    cipher, read_end = Sm4Gcm(b"\x07" * 32), []
    seen = {cipher.seal(b"", b"")[:28] for _ in range(500)}
    for _ in range(2):
        read, write = os.pipe()
        if os.fork() == 0:
            os.write(write, b"".join(cipher.seal(b"", b"")[:28] for _ in range(500)))
            os._exit(0)
        os.close(write)
        read_end.append(read)
    for read in read_end:
        with os.fdopen(read, "rb") as made:
            text = made.read()
        seen |= {text[at : at + 28] for at in range(0, len(text), 28)}
        os.wait()
    assert len(seen) == 1500
