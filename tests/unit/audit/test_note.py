"""Checkpoints are C2SP signed notes; Ed25519 is that of RFC 8032; a note that was cut or touched is none."""

from __future__ import annotations

from base64 import b64decode

import pytest

from hub.audit.note import Checkpoint, Note, NoteInvalid, VerifierKey, parse, parse_many, sign
from hub.crypto.signatures import SigningKey, verify

# RFC 8032 §7.1: secret key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
KEY = SigningKey(bytes(range(32)))
NAME = "bank/crmhub/hub-1"
POINT = Checkpoint(f"{NAME}/1", 42, bytes(range(32)))
KNOWN = VerifierKey(NAME, KEY.public)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    key = SigningKey(bytes.fromhex(seed))
    assert key.public.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert verify(key.public, bytes.fromhex(message), bytes.fromhex(signature))
    assert not verify(key.public, bytes.fromhex(message) + b"\0", bytes.fromhex(signature))
    assert not verify(key.public, bytes.fromhex(message), b"short")


def test_the_published_example_of_the_format_verifies() -> None:
    """The note of the Go package golang.org/x/mod/sumdb/note, from which the format was taken."""
    known = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    made = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    raw = b64decode(made)
    assert known.hash == raw[:4]
    assert verify(known.public, text.encode(), raw[4:])
    assert str(known).endswith("+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")


def test_a_note_is_the_three_lines_and_the_signature() -> None:
    note = sign(POINT, KEY, NAME)
    lines = note.text().split("\n")
    assert lines[:4] == [f"{NAME}/1", "42", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", ""]
    assert lines[4].startswith(f"— {NAME} ")
    assert lines[5:] == [""]
    assert parse(note.text()) == note
    assert note.signers([KNOWN]) == (KNOWN,)
    assert note.checkpoint.epoch == 1


def test_signatures_of_unknown_keys_are_left_aside() -> None:
    other = SigningKey(bytes(32))
    both = Note(POINT, (*sign(POINT, other, "witness").signatures, *sign(POINT, KEY, NAME).signatures))
    assert parse(both.text()).signers([KNOWN]) == (KNOWN,)
    assert parse(both.text()).signers([VerifierKey(NAME, other.public)]) == ()


def test_a_signature_stands_for_its_own_checkpoint_only() -> None:
    made = sign(POINT, KEY, NAME)
    for moved in (
        Checkpoint(POINT.origin, 43, POINT.root),
        Checkpoint(f"{NAME}/2", 42, POINT.root),
        Checkpoint(POINT.origin, 42, bytes(32)),
    ):
        assert Note(moved, made.signatures).signers([KNOWN]) == ()


def test_a_note_cut_at_any_byte_is_none() -> None:
    whole = sign(POINT, KEY, NAME).text()
    for end in range(len(whole)):
        with pytest.raises(NoteInvalid):
            parse(whole[:end])
        if end:
            assert not isinstance(next(parse_many(whole[:end].splitlines(keepends=True))), Note)


def test_notes_appended_to_a_file_are_read_one_by_one() -> None:
    notes = [sign(Checkpoint(POINT.origin, size, bytes([size]) * 32), KEY, NAME) for size in range(1, 4)]
    text = "".join(note.text() + "\n" for note in notes)
    assert list(parse_many(text.splitlines(keepends=True))) == notes
    torn = text + notes[0].text()[:70]
    *good, bad = parse_many(torn.splitlines(keepends=True))
    assert good == notes
    assert isinstance(bad, NoteInvalid)


@pytest.mark.parametrize("text", ["", "x", "x+00000000+AAAA", f"{NAME}+00000000+{str(KNOWN).rpartition('+')[2]}"])
def test_what_is_no_public_key(text: str) -> None:
    with pytest.raises(NoteInvalid):
        VerifierKey.parse(text)


def test_a_key_shows_nothing_of_itself() -> None:
    assert bytes(range(32)).hex() not in repr(KEY)
    with pytest.raises(TypeError):
        KEY.__reduce__()


@pytest.mark.parametrize(("origin", "name"), [("", NAME), ("a\nb", NAME), (NAME, "a b"), (NAME, "a+b")])
def test_names_that_would_break_the_lines_are_refused(origin: str, name: str) -> None:
    with pytest.raises(NoteInvalid):
        sign(Checkpoint(origin, 1, bytes(32)), KEY, name)
