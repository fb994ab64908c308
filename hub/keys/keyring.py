"""The ring of unwrapped keys of one installation: the one thing the store asks to seal, open, digest and index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, NoReturn

from hub.crypto.envelope import Aad, open_, seal
from hub.crypto.errors import EnvelopeBroken
from hub.crypto.provider import KeyProvider
from hub.crypto.suites import Suite
from hub.crypto.values import decode_bytes, encode_bytes
from hub.kernel.errors import KeyUnusable
from hub.keys.rows import KeyRow, SubjectKeyRow
from hub.keys.sealer import RecordSealer, Sealer
from hub.keys.subjects import CAPACITY
from hub.keys.unlock import RingKeys, make_rows, unlock


class SealMode(Enum):
    """Says whether the ring seals; OFF is for benchmarks and for proving the leak scan, under profile lab only."""

    ON = "on"
    OFF = "off"


class Keyring:
    """Seals, opens, digests and indexes under the keys of one tenant; shows none of them, and is never pickled.

    It does no SQL: rows come in and go out, the store keeps them. Safe to share between threads.
    """

    def __init__(self, keys: RingKeys) -> None:
        self._keys = keys
        self._blobs: dict[str, Sealer] = {}

    @staticmethod
    def bootstrap(
        provider: KeyProvider,
        tenant: str,
        new_id: Callable[[], int],
        now: float,
        suite: Suite = Suite.XAES_256_GCM,
    ) -> tuple[KeyRow, ...]:
        """Makes the keys of a new installation and returns the rows to store; `new_id` gives u32 ids."""
        return make_rows(provider, tenant, new_id, now, suite)

    @staticmethod
    def load(
        provider: KeyProvider,
        tenant: str,
        rows: Iterable[KeyRow],
        *,
        seal_mode: SealMode = SealMode.ON,
        profile: str = "production",
        capacity: int = CAPACITY,
    ) -> Keyring:
        """Unwraps the stored keys and opens the canary; raises KeyUnusable with the remedy.

        `capacity` is how many subject keys stay unwrapped, about 1.5 kB each.
        """
        keys = unlock(provider, tenant, rows, capacity)
        if seal_mode is SealMode.ON:
            return Keyring(keys)
        if profile != "lab":
            raise KeyUnusable(
                f"sealing can be switched off under profile lab only, not under {profile}",
                f"仅 lab 配置可关闭封存，{profile} 不可",
                code="HUB-KEY-008",
            )
        from hub.keys.plain import PlainKeyring

        return PlainKeyring(keys)

    @property
    def tenant(self) -> str:
        return self._keys.tenant

    @property
    def digest_key_id(self) -> int:
        """Is the id to store beside a digest: digests under different keys never compare."""
        return self._keys.digest_key_id

    @property
    def subject_key_id(self) -> int:
        """Is the id of the key that wraps new subject keys."""
        return int.from_bytes(self._keys.subject_header[2:], "big")

    def sealer(self, table: str, column: str) -> Sealer:
        """Returns the sealer of one column; keep it where many rows are sealed."""
        return RecordSealer(self._keys, table, column)

    def seal_record(
        self, table: str, row_id: str, subject_id: str | None, version: int, fields: Mapping[str, object]
    ) -> bytes:
        """Returns the blob of one record: under the subject's key, or the `field` key where it has no subject yet.

        Raises SubjectKeyMissing when the subject's key is not in the ring, NotSealable for what is not JSON.
        """
        return self._blob_sealer(table).seal(row_id, subject_id, version, fields)

    def open_record(self, table: str, row_id: str, subject_id: str | None, version: int, blob: bytes) -> dict[str, Any]:
        """Returns the fields of one record; raises EnvelopeBroken or SubjectKeyMissing."""
        return self._blob_sealer(table).open(row_id, subject_id, version, blob)

    def create_subject(self, subject_id: str) -> SubjectKeyRow:
        """Makes and keeps a subject's key and returns the row to store in the same transaction as its first blob.

        When that transaction rolls back, `forget_subjects`: a kept key without a row would seal what nobody can open.
        """
        return self._keys.subjects.create(subject_id)

    def add_subjects(self, rows: Iterable[SubjectKeyRow]) -> None:
        """Unwraps and keeps the keys of a batch; raises EnvelopeBroken naming the subject of an altered row."""
        self._keys.subjects.add(rows)

    def has_subject(self, subject_id: str) -> bool:
        return self._keys.subjects.has(subject_id)

    def forget_subjects(self, subject_ids: Iterable[str]) -> None:
        """Drops kept keys, after a rollback or an erasure."""
        self._keys.subjects.forget(subject_ids)

    def digest(self, *parts: bytes) -> bytes:
        """Returns the 16-byte keyed digest of the parts."""
        return self._keys.digester.digest(*parts)[:16]

    def blind(self, domain: str, value: str) -> bytes:
        """Returns the 8-byte blind index of a normalised value in a domain."""
        return self._keys.index.blind(domain, value)

    def seal_secret(self, name: str, value: bytes) -> bytes:
        """Returns the blob of one secret, its length hidden in buckets of 32 bytes."""
        return seal(self._keys.secret, encode_bytes(value, pad=True), self._secret_aad(name))

    def open_secret(self, name: str, blob: bytes) -> bytes:
        """Returns one secret; raises EnvelopeBroken."""
        key = self._keys.secrets.get(blob[:6])
        if key is None:
            raise EnvelopeBroken("secret", name)
        return decode_bytes(open_(key, blob, self._secret_aad(name)))

    def _secret_aad(self, name: str) -> Aad:
        return Aad(self._keys.tenant, "secret", "value", name, None, 0)

    def _blob_sealer(self, table: str) -> Sealer:
        sealer = self._blobs.get(table)
        if sealer is None:
            sealer = self._blobs[table] = self.sealer(table, "blob")
        return sealer

    def __repr__(self) -> str:
        return f"{type(self).__name__}(tenant={self.tenant!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key ring is never pickled")
