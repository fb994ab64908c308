"""Seals and opens the records of one table column: the hot path of every read and write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from hub.crypto.envelope import HEADER, AadPrefix, open_body
from hub.crypto.errors import EnvelopeBroken
from hub.crypto.suites import Aead
from hub.crypto.values import decode_record, encode_record
from hub.keys.unlock import RingKeys


class UnknownKey(EnvelopeBroken):
    """Says inside the ring that a blob names a key that is not held; outside it is an EnvelopeBroken like any other."""


class Sealer(Protocol):
    """Seals and opens the records of one column."""

    def seal(self, row_id: str, subject_id: str | None, version: int, fields: Mapping[str, object]) -> bytes: ...

    def open(self, row_id: str, subject_id: str | None, version: int, blob: bytes) -> dict[str, Any]: ...


class RecordSealer:
    """Is bound to tenant, table and column; without a subject the `field` key seals, else the subject's own."""

    __slots__ = ("_column", "_keys", "_prefixes", "_table")

    def __init__(self, keys: RingKeys, table: str, column: str) -> None:
        self._keys = keys
        self._table = table
        self._column = column
        self._prefixes: dict[bytes, AadPrefix] = {}

    def seal(self, row_id: str, subject_id: str | None, version: int, fields: Mapping[str, object]) -> bytes:
        """Returns the blob of one record; raises SubjectKeyMissing or NotSealable."""
        keys = self._keys
        if subject_id is None:
            header, aead = keys.field.header, keys.field.aead
        else:
            header, aead = keys.subject_header, keys.subjects.aead(subject_id, keys.subject_suite)
        aad = self._prefix(header).bind(row_id, subject_id, version)
        return header + aead.seal(encode_record(fields), aad)

    def open(self, row_id: str, subject_id: str | None, version: int, blob: bytes) -> dict[str, Any]:
        """Returns the fields of one record; raises SubjectKeyMissing or EnvelopeBroken."""
        header = blob[:HEADER]
        aead = self._aead_of(header, row_id, subject_id)
        prefix = self._prefix(header)
        try:
            return decode_record(open_body(aead, blob, prefix, self._table, row_id, subject_id, version))
        except EnvelopeBroken:
            raise EnvelopeBroken(self._table, row_id) from None

    def _aead_of(self, header: bytes, row_id: str, subject_id: str | None) -> Aead:
        if subject_id is None:
            key = self._keys.fields.get(header)
            if key is None:
                raise UnknownKey(self._table, row_id)
            return key.aead
        suite = self._keys.wraps.get(header)
        if suite is None:
            raise UnknownKey(self._table, row_id)
        return self._keys.subjects.aead(subject_id, suite)

    def _prefix(self, header: bytes) -> AadPrefix:
        prefix = self._prefixes.get(header)
        if prefix is None:
            prefix = self._prefixes[header] = AadPrefix(header, self._keys.tenant, self._table, self._column)
        return prefix
