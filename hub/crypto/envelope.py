"""Envelope v1: how one value is sealed so that it opens only in its own row, under its own key.

byte 0    format 0x01
byte 1    suite, see `Suite`
bytes 2-5 key id, u32 big-endian: exactly one key, keys are never tried in turn
then      what the suite seals: its nonce, the ciphertext, a 16-byte tag

AAD = LP("csh1", bytes 0-5, tenant, table, column, row_id, subject_id or empty, blob_version u64)
LP  = every part behind its length as u16 big-endian, so that ("ab","c") is not ("a","bc")
"""

from __future__ import annotations

import struct
from typing import NamedTuple, NoReturn

from cryptography.exceptions import InvalidTag

from hub.crypto.errors import EnvelopeBroken, NotSealable
from hub.crypto.suites import Aead, Suite, aead_for

FORMAT = 0x01
FORMAT_PLAIN = 0x00
HEADER = 6
_MAGIC = b"csh1"
_LENGTHS = tuple(n.to_bytes(2, "big") for n in range(256))
_head = struct.Struct(">BBI").pack
_version = struct.Struct(">HQ").pack


def lp(*parts: bytes) -> bytes:
    """Joins parts, each behind its length as u16; raises OverflowError beyond 65,535 bytes."""
    return b"".join([len(part).to_bytes(2, "big") + part for part in parts])


class Aad(NamedTuple):
    """Says where a sealed value lives; none of it is secret, all of it must match to open the value."""

    tenant: str
    table: str
    column: str
    row_id: str
    subject_id: str | None
    version: int


class AadPrefix:
    """Holds the part of the AAD that all rows of one column under one key share."""

    __slots__ = ("_prefix",)

    def __init__(self, header: bytes, tenant: str, table: str, column: str) -> None:
        self._prefix = lp(_MAGIC, header, tenant.encode(), table.encode(), column.encode())

    def bind(self, row_id: str, subject_id: str | None, version: int) -> bytes:
        """Returns the whole AAD of one row; raises NotSealable when a part is out of range."""
        try:
            row = row_id.encode()
            subject = subject_id.encode() if subject_id else b""
            return b"".join(
                (self._prefix, _LENGTHS[len(row)], row, _LENGTHS[len(subject)], subject, _version(8, version))
            )
        except (IndexError, struct.error, UnicodeEncodeError):
            raise NotSealable("a row id or subject id is beyond 255 bytes, or the version is no u64") from None


class DataKey:
    """Is one unwrapped data key; shows its id only, and is never pickled."""

    __slots__ = ("aead", "header", "id", "suite")

    def __init__(self, key_id: int, suite: Suite, key: bytes) -> None:
        self.id = key_id
        self.suite = suite
        self.header = header_of(suite, key_id)
        self.aead: Aead = aead_for(suite, key)

    def __repr__(self) -> str:
        return f"DataKey(id={self.id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never pickled")


def header_of(suite: Suite, key_id: int) -> bytes:
    """Returns bytes 0-5 of every envelope sealed under this key."""
    return _head(FORMAT, suite, key_id)


def key_id_of(blob: bytes) -> int:
    """Returns the id of the key that sealed a blob, unauthenticated; raises EnvelopeBroken when it is no envelope."""
    if len(blob) < HEADER or blob[0] != FORMAT:
        raise EnvelopeBroken
    return int.from_bytes(blob[2:HEADER], "big")


def seal(key: DataKey, plaintext: bytes, aad: Aad) -> bytes:
    """Seals one value for one place; raises NotSealable when a part of the AAD is out of range."""
    prefix = AadPrefix(key.header, aad.tenant, aad.table, aad.column)
    return key.header + key.aead.seal(plaintext, prefix.bind(aad.row_id, aad.subject_id, aad.version))


def open_(key: DataKey, blob: bytes, aad: Aad) -> bytes:
    """Opens one value in its place; raises EnvelopeBroken for every failure, always the same."""
    if blob[:HEADER] != key.header:
        raise EnvelopeBroken(aad.table, aad.row_id)
    prefix = AadPrefix(key.header, aad.tenant, aad.table, aad.column)
    return open_body(key.aead, blob, prefix, aad.table, aad.row_id, aad.subject_id, aad.version)


def open_body(
    aead: Aead, blob: bytes, prefix: AadPrefix, table: str, row_id: str, subject_id: str | None, version: int
) -> bytes:
    """Opens a blob whose header the caller has already matched to this key and prefix; raises EnvelopeBroken."""
    try:
        return aead.open(blob[HEADER:], prefix.bind(row_id, subject_id, version))
    except (InvalidTag, NotSealable):
        raise EnvelopeBroken(table, row_id) from None
