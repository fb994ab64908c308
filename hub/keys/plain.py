"""The lab-only way to switch sealing off: for the benchmark and to prove that the scan for leaked values works.

A plain blob starts with format byte 0x00, which no sealing ring opens; a plain ring opens no sealed blob.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub.crypto.envelope import FORMAT_PLAIN, HEADER
from hub.crypto.errors import EnvelopeBroken
from hub.crypto.values import decode_bytes, decode_record, encode_bytes, encode_record
from hub.keys.keyring import Keyring
from hub.keys.rows import SubjectKeyRow
from hub.keys.sealer import Sealer
from hub.keys.unlock import RingKeys

_HEADER = bytes([FORMAT_PLAIN]).ljust(HEADER, b"\0")


class PlainSealer:
    """Writes records readable by anyone."""

    __slots__ = ("_table",)

    def __init__(self, table: str) -> None:
        self._table = table

    def seal(self, row_id: str, subject_id: str | None, version: int, fields: Mapping[str, object]) -> bytes:
        return _HEADER + encode_record(fields)

    def open(self, row_id: str, subject_id: str | None, version: int, blob: bytes) -> dict[str, Any]:
        try:
            return decode_record(_body(blob))
        except EnvelopeBroken:
            raise EnvelopeBroken(self._table, row_id) from None


class PlainKeyring(Keyring):
    """Digests and indexes like the sealing ring but seals nothing; made by `Keyring.load` under profile lab only."""

    def sealer(self, table: str, column: str) -> Sealer:
        return PlainSealer(table)

    def _sealer(self, keys: RingKeys, table: str) -> Sealer:
        return PlainSealer(table)

    def create_subject(self, subject_id: str) -> SubjectKeyRow:
        return SubjectKeyRow(subject_id, self.subject_key_id, b"")

    def add_subjects(self, rows: Iterable[SubjectKeyRow]) -> None:
        return

    def has_subject(self, subject_id: str) -> bool:
        return True

    def seal_secret(self, name: str, value: bytes) -> bytes:
        return _HEADER + encode_bytes(value)

    def open_secret(self, name: str, blob: bytes) -> bytes:
        try:
            return decode_bytes(_body(blob))
        except EnvelopeBroken:
            raise EnvelopeBroken("secret", name) from None


def _body(blob: bytes) -> bytes:
    if blob[:HEADER] != _HEADER:
        raise EnvelopeBroken
    return blob[HEADER:]
