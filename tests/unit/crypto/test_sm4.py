"""SM4-GCM against RFC 8998, and its per-message subkey."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag

from hub.crypto import sm4
from hub.crypto.sm4 import Sm4Gcm

KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
NONCE = bytes.fromhex("00001234567800000000abcd")
AAD = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
PLAINTEXT = b"".join(bytes.fromhex(digit * 16) for digit in "abcdefea")
SEALED = bytes.fromhex(
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
    "83de3541e4c2b58177e065a9bf7b62ec"
)


def test_rfc_8998_vector() -> None:
    assert sm4.encrypt(KEY, NONCE, PLAINTEXT, AAD) == SEALED
    assert sm4.decrypt(KEY, NONCE, SEALED, AAD) == PLAINTEXT


def test_unverified_plaintext_is_never_returned() -> None:
    body = bytearray(SEALED)
    body[0] ^= 1
    with pytest.raises(InvalidTag):
        sm4.decrypt(KEY, NONCE, bytes(body), AAD)


def test_every_message_has_its_own_subkey() -> None:
    cipher = Sm4Gcm(b"\x05" * 32)
    first, second = cipher.seal(b"text", b"aad"), cipher.seal(b"text", b"aad")
    assert first[:28] != second[:28]
    assert cipher.open(first, b"aad") == cipher.open(second, b"aad") == b"text"
    with pytest.raises(InvalidTag):
        cipher.open(second[:16] + first[16:], b"aad")


def test_every_cut_is_refused() -> None:
    cipher = Sm4Gcm(b"\x05" * 32)
    body = cipher.seal(b"text", b"aad")
    for end in range(len(body)):
        with pytest.raises(InvalidTag):
            cipher.open(body[:end], b"aad")


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sm4Gcm(KEY)
