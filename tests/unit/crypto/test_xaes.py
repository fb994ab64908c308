"""XAES-256-GCM against its published vectors."""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
from collections.abc import Iterator

import pytest
from cryptography.exceptions import InvalidTag

from hub.crypto.xaes import Xaes

NONCE = b"ABCDEFGHIJKLMNOPQRSTUVWX"


@pytest.mark.parametrize(
    ("key", "subkey", "aad", "sealed"),
    [
        (
            b"\x01" * 32,
            "c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b",
            b"",
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
        ),
        (
            b"\x03" * 32,
            "e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8",
            b"c2sp.org/XAES-256-GCM",
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
        ),
    ],
    ids=["msb 0", "msb 1"],
)
def test_published_vectors(key: bytes, subkey: str, aad: bytes, sealed: str) -> None:
    xaes = Xaes(key)
    assert xaes.derive(NONCE[:12]).hex() == subkey
    assert xaes.encrypt(NONCE, b"XAES-256-GCM", aad).hex() == sealed
    assert xaes.open(NONCE + bytes.fromhex(sealed), aad) == b"XAES-256-GCM"


def _shake() -> Iterator[bytes]:
    stream = hashlib.shake_128(b"").digest(10_000 * 700)
    at = 0
    size = yield b""
    while True:
        size = yield stream[at : (at := at + size)]


def test_accumulated_vectors() -> None:
    source = _shake()
    next(source)
    total = hashlib.shake_128()
    for _ in range(10_000):
        key, nonce = source.send(32), source.send(24)
        plaintext = source.send(source.send(1)[0])
        aad = source.send(source.send(1)[0])
        sealed = Xaes(key).encrypt(nonce, plaintext, aad)
        assert Xaes(key).open(nonce + sealed, aad) == plaintext
        total.update(sealed)
    assert total.hexdigest(32) == "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"


def test_every_cut_is_refused() -> None:
    xaes = Xaes(b"\x07" * 32)
    body = xaes.seal(b"thirteen byte", b"aad")
    for end in range(len(body)):
        with pytest.raises(InvalidTag):
            xaes.open(body[:end], b"aad")


def test_nonces_are_fresh() -> None:
    xaes = Xaes(b"\x07" * 32)
    assert len({xaes.seal(b"", b"")[:24] for _ in range(20_000)}) == 20_000


def test_one_object_serves_many_threads() -> None:
    xaes = Xaes(b"\x07" * 32)
    wrong: list[BaseException | bytes] = []

    def work(text: bytes) -> None:
        try:
            for _ in range(500):
                opened = xaes.open(xaes.seal(text, text), text)
                if opened != text:
                    wrong.append(opened)
        except BaseException as error:  # noqa: BLE001 - a thread must report whatever it meets
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(b"%d" % n * 9,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_key_has_32_bytes_and_is_never_pickled() -> None:
    with pytest.raises(ValueError, match="key size"):
        Xaes(b"\x07" * 16)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(Xaes(b"\x07" * 32))


def test_nonces_stay_distinct_across_forks() -> None:
    xaes = Xaes(b"\x07" * 32)
    seen = {xaes.seal(b"", b"")[:24] for _ in range(2_000)}
    for _ in range(3):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            with os.fdopen(write, "wb") as out:
                out.write(b"".join(xaes.seal(b"", b"")[:24] for _ in range(2_000)))
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as nonces:
            text = nonces.read()
        assert os.waitpid(child, 0)[1] == 0
        seen |= {text[at : at + 24] for at in range(0, len(text), 24)}
    assert len(seen) == 8_000
