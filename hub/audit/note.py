"""Signed checkpoints as text: the C2SP signed-note format; pure, no storage, no clock.

Sources: C2SP signed-note and tlog-checkpoint. A note is `origin`, size and base64 root on a line each, an empty line,
and `— name base64(u32 key hash || Ed25519 signature)`. Its origin is `<org>/crmhub/<instance>/<epoch>`.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hub.crypto.hashes import sha256
from hub.crypto.signatures import PUBLIC, SIGNATURE, SigningKey, verify

ED25519 = b"\x01"
_DASH = "— "
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_NAME = re.compile(r"[^\s+]{1,200}")


class NoteInvalid(ValueError):
    """Is raised for a text that is no checkpoint."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Is what a signature stands for: the root over the first `size` rows of one epoch of one log."""

    origin: str
    size: int
    root: bytes

    @property
    def epoch(self) -> int:
        """Returns the epoch that the origin names. Raises NoteInvalid."""
        tail = self.origin.rpartition("/")[2]
        if not _SIZE.fullmatch(tail):
            raise NoteInvalid("the origin names no epoch")
        return int(tail)

    def text(self) -> str:
        """Returns the lines that are signed, each with its line end."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Is a public key under the name it signs by; as text `name+hash+key`, which is what an auditor is given."""

    name: str
    public: bytes

    @property
    def hash(self) -> bytes:
        """Returns the four bytes by which a signature line names its key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public)[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.hash.hex()}+{b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Reads the text form. Raises NoteInvalid."""
        name, _, rest = text.strip().partition("+")
        shown, _, encoded = rest.partition("+")
        raw = _decode(encoded)
        if not _NAME.fullmatch(name) or raw[:1] != ED25519 or len(raw) != 1 + PUBLIC:
            raise NoteInvalid("not a public key of the form name+hash+key for Ed25519")
        found = cls(name, raw[1:])
        if found.hash.hex() != shown:
            raise NoteInvalid("the public key does not have the hash beside it")
        return found


@dataclass(frozen=True, slots=True)
class Note:
    """Is a checkpoint with its signature lines: (name, key hash, signature)."""

    checkpoint: Checkpoint
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def text(self) -> str:
        """Returns the whole note."""
        lines = (f"{_DASH}{name} {b64encode(key + made).decode()}\n" for name, key, made in self.signatures)
        return f"{self.checkpoint.text()}\n{''.join(lines)}"

    def signers(self, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Returns which of the known keys signed it; signatures of unknown keys are left aside."""
        message = self.checkpoint.text().encode()
        return tuple(
            key
            for key in keys
            if any((n, h) == (key.name, key.hash) and verify(key.public, message, s) for n, h, s in self.signatures)
        )


def sign(checkpoint: Checkpoint, key: SigningKey, name: str) -> Note:
    """Returns the note of a checkpoint under one key. Raises NoteInvalid for a name or origin that cannot stand."""
    if not _NAME.fullmatch(name) or "\n" in checkpoint.origin or not checkpoint.origin:
        raise NoteInvalid("a key name has neither blanks nor a plus, an origin is one line")
    known = VerifierKey(name, key.public)
    return Note(checkpoint, ((name, known.hash, key.sign(checkpoint.text().encode())),))


def parse(text: str) -> Note:
    """Reads one whole note. Raises NoteInvalid: a text that was cut anywhere is none."""
    body, mark, tail = text.partition("\n\n")
    lines = body.split("\n")
    if not mark or len(lines) != 3 or not lines[0] or not _SIZE.fullmatch(lines[1]) or not tail.endswith("\n"):
        raise NoteInvalid("not a checkpoint: origin, size and root on a line each, an empty line, signatures")
    root = _decode(lines[2])
    if len(root) != 32:
        raise NoteInvalid("the root of a checkpoint has 32 bytes")
    signatures = tuple(_signature(line) for line in tail.removesuffix("\n").split("\n"))
    return Note(Checkpoint(lines[0], int(lines[1]), root), signatures)


def parse_many(lines: Iterable[str]) -> Iterator[Note | NoteInvalid]:
    """Yields the notes of a file that notes were appended to, an empty line after each; what is none as NoteInvalid.

    A last note that is cut off comes as NoteInvalid too: an interrupted write leaves one behind.
    """
    block: list[str] = []
    for line in lines:
        line = line if line.endswith("\n") else line + "\x00"
        signed = any(each.startswith(_DASH) for each in block)
        if block and (signed if line == "\n" else block[-1] == "\n" and not line.startswith(_DASH)):
            yield _parsed(block)
            block = []
        if line != "\n" or (block and not signed):
            block.append(line)
    if block:
        yield _parsed(block)


def _parsed(block: list[str]) -> Note | NoteInvalid:
    try:
        return parse("".join(block))
    except NoteInvalid as invalid:
        return invalid


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = _decode(encoded)
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or len(raw) < 4 + SIGNATURE:
        raise NoteInvalid("a line below the checkpoint is no signature")
    return name, raw[:4], raw[4:]


def _decode(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise NoteInvalid("a member of the checkpoint is not base64") from None
