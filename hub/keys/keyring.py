"""The ring of unwrapped keys of one installation: the one thing the store asks to seal, open, digest and index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, NoReturn

from hub.crypto.envelope import Aad, header_of, open_, seal
from hub.crypto.errors import EnvelopeBroken
from hub.crypto.provider import KeyProvider, ProviderStatus
from hub.crypto.suites import Suite
from hub.crypto.values import decode_bytes, encode_bytes
from hub.kernel.clock import Clock
from hub.kernel.errors import KeyUnusable
from hub.keys.life import TTL as TTL
from hub.keys.life import Life, Source
from hub.keys.rows import KeyRow, KeyState, Purpose, SubjectKeyRow
from hub.keys.sealer import RecordSealer, Sealer, UnknownKey
from hub.keys.subjects import CAPACITY
from hub.keys.unlock import RingKeys, make_canary, make_row, make_rows, rewrap, unlock


class SealMode(Enum):
    """Says whether the ring seals; OFF is for benchmarks and for proving the leak scan, under profile lab only."""

    ON = "on"
    OFF = "off"


DIGEST, INDEX, MARK = 16, 8, 4


class Keyed(bytes):
    """Is a digest or blind index with those of the same input under the other keys at hand, while its key is replaced.

    It is looked up and compared as any of them, and stored as `bytes` of itself.
    """

    others: tuple[bytes, ...] = ()

    def matches(self, stored: bytes | None) -> bool:
        """Tells whether a stored one was made of the same input."""
        return stored == self or stored in self.others


class Keyring:
    """Seals, opens, digests and indexes under the keys of one tenant; shows none of them, and is never pickled.

    It does no SQL: rows come in and go out, the store keeps them. Safe to share between threads.
    """

    def __init__(self, keys: RingKeys, source: Source | None = None) -> None:
        self._life = Life(keys, source)
        self._held = self._life.held
        self._tenant = keys.tenant
        # The keys that the sealers were made of, and the sealers: exchanged as one.
        self._blobs: tuple[RingKeys, dict[str, Sealer]] = (keys, {})

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
        clock: Clock | None = None,
    ) -> Keyring:
        """Unwraps the stored keys and opens the canary; raises KeyUnusable with the remedy.

        `capacity` is how many subject keys stay unwrapped, about 1.5 kB each; without a clock keys never expire.
        """
        source = Source(provider, tuple(rows), capacity, clock)
        keys = unlock(provider, tenant, source.rows, capacity)
        if seal_mode is SealMode.ON:
            return Keyring(keys, source)
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
        return self._tenant

    @property
    def digest_key_id(self) -> int:
        """Is the id of the key that new digests are made under; each digest names its own."""
        return self._held().digest_key_id

    @property
    def subject_key_id(self) -> int:
        """Is the id of the key that wraps new subject keys."""
        return int.from_bytes(self._held().subject_header[2:], "big")

    def sealing_id(self, purpose: Purpose) -> int:
        """Returns the id of the primary key of `field`, `secret` or `subject_wrap`, as envelopes name it."""
        keys = self._held()
        if purpose is Purpose.SUBJECT_WRAP:
            return self.subject_key_id
        return keys.field.id if purpose is Purpose.FIELD else keys.secret.id

    def mark(self, purpose: Purpose) -> bytes:
        """Returns what stands before new digests or blind indexes: nothing under the first key, else its id."""
        keys = self._held()
        return keys.digest_mark if purpose is Purpose.DIGEST else keys.index_mark

    @property
    def reindexing(self) -> bool:
        """Tells whether several index keys are at hand, so that stored indexes may be of either."""
        return len(self._held().indexes) > 1

    def sealer(self, table: str, column: str) -> Sealer:
        """Returns the sealer of one column; keep it where many rows are sealed."""
        return RecordSealer(self._held(), table, column)

    def seal_record(
        self, table: str, row_id: str, subject_id: str | None, version: int, fields: Mapping[str, object]
    ) -> bytes:
        """Returns the blob of one record: under the subject's key, or the `field` key where it has no subject yet.

        Raises SubjectKeyMissing when the subject's key is not in the ring, NotSealable for what is not JSON.
        """
        return self._blob_sealer(table).seal(row_id, subject_id, version, fields)

    def open_record(self, table: str, row_id: str, subject_id: str | None, version: int, blob: bytes) -> dict[str, Any]:
        """Returns the fields of one record; raises EnvelopeBroken, SubjectKeyMissing or ProviderAway."""
        try:
            return self._blob_sealer(table).open(row_id, subject_id, version, blob)
        except UnknownKey:
            # Another process promoted a key that this one has not read yet.
            if self._life.learn_of(blob):
                return self._blob_sealer(table).open(row_id, subject_id, version, blob)
            raise EnvelopeBroken(table, row_id) from None

    def create_subject(self, subject_id: str) -> SubjectKeyRow:
        """Makes and keeps a subject's key and returns the row to store in the same transaction as its first blob.

        When that transaction rolls back, `forget_subjects`: a kept key without a row would seal what nobody can open.
        """
        return self._held().subjects.create(subject_id)

    def rewrap_subject(self, row: SubjectKeyRow) -> SubjectKeyRow:
        """Returns the row of a subject's key wrapped under the primary key; raises EnvelopeBroken and KeyUnusable."""
        return self._held().subjects.rewrap(row)

    def add_subjects(self, rows: Iterable[SubjectKeyRow]) -> None:
        """Unwraps and keeps the keys of a batch; raises EnvelopeBroken naming the subject of an altered row."""
        batch = list(rows)
        try:
            self._held().subjects.add(batch)
        except KeyUnusable:
            if not any(self._life.learn(row.key_id) for row in batch):
                raise
            self._held().subjects.add(batch)

    def has_subject(self, subject_id: str) -> bool:
        return self._held().subjects.has(subject_id)

    def forget_subjects(self, subject_ids: Iterable[str]) -> None:
        """Drops kept keys, after a rollback or an erasure."""
        self._life.forget(subject_ids)

    def digest(self, *parts: bytes, like: bytes | None = None) -> bytes:
        """Returns the keyed digest of the parts: 16 bytes, behind the id of the key unless that is the first one.

        With `like` it is made under the key that made that one, if the key is still held: only such digests compare.
        """
        keys = self._held()
        mark = keys.digest_mark
        if like is not None and (made := _mark(like, DIGEST)) in keys.digests:
            mark = made
        return mark + keys.digests[mark].digest(*parts)[:DIGEST]

    def recognise(self, *parts: bytes) -> Keyed:
        """Returns the digest of the parts, with those under the other keys at hand, to recognise what is stored."""
        keys = self._held()
        if keys.alone:
            return Keyed(keys.digest_mark + keys.digests[keys.digest_mark].digest(*parts)[:DIGEST])
        return _keyed([mark + key.digest(*parts)[:DIGEST] for mark, key in keys.digests.items()])

    def blind(self, domain: str, value: str, width: int = INDEX) -> bytes:
        """Returns the blind index of a normalised value in a domain: `width` bytes behind the id of a later key.

        While the index key is replaced it also knows what the value is under the other keys.
        """
        keys = self._held()
        if keys.alone:
            return keys.index_mark + keys.indexes[keys.index_mark].blind(domain, value)[:width]
        return _keyed([mark + index.blind(domain, value)[:width] for mark, index in keys.indexes.items()])

    def seal_secret(self, name: str, value: bytes) -> bytes:
        """Returns the blob of one secret, its length hidden in buckets of 32 bytes."""
        return seal(self._held().secret, encode_bytes(value, pad=True), self._secret_aad(name))

    def open_secret(self, name: str, blob: bytes) -> bytes:
        """Returns one secret; raises EnvelopeBroken or ProviderAway."""
        key = self._held().secrets.get(blob[:6])
        if key is None and self._life.learn_of(blob):
            key = self._held().secrets.get(blob[:6])
        if key is None:
            raise EnvelopeBroken("secret", name)
        return decode_bytes(open_(key, blob, self._secret_aad(name)))

    def _secret_aad(self, name: str) -> Aad:
        return Aad(self._tenant, "secret", "value", name, None, 0)

    # New keys; none of these changes what the ring holds.

    def make_key(self, key_id: int, purpose: Purpose, suite: Suite, now: float) -> KeyRow:
        """Makes a pending key and returns its row; raises what the provider raises."""
        return make_row(self._life.provider, self._tenant, key_id, purpose, suite, KeyState.PENDING, now)[0]

    def make_canary(self, row: KeyRow, field: KeyRow) -> KeyRow:
        """Returns the canary sealed anew under a `field` key that the ring holds."""
        return make_canary(row, self._held().fields[header_of(Suite(field.suite), field.id)])

    def rewrap(self, rows: Iterable[KeyRow]) -> tuple[KeyRow, ...]:
        """Returns rows wrapped under the provider's current key; raises what the providers raise."""
        return tuple(rewrap(self._life.provider, row) for row in rows)

    # How long keys are held, and which: see `Life`.

    @property
    def given_up(self) -> bool:
        """Tells whether the keys were given up because the provider is away."""
        return self._life.given_up

    @property
    def kek_ids(self) -> tuple[str, ...]:
        """Returns the names of the key-encrypting keys that this process can use, the current one first."""
        return self._life.kek_ids

    def providers(self) -> tuple[KeyProvider, ...]:
        """Returns the configured key providers, the current one first."""
        return self._life.providers

    def fetch_by(self, fetch: Callable[[], Iterable[KeyRow]]) -> None:
        """Says how the rows are read again when a blob names a key that is not held."""
        self._life.fetch = fetch

    def renew(self, rows: Iterable[KeyRow]) -> None:
        """Holds the keys of these rows from now on; raises KeyUnusable and then goes on with those of before."""
        self._life.renew(rows)

    def prove(self) -> ProviderStatus:
        """Asks the provider whether it is there, and holds the keys for another `TTL` seconds if it is."""
        return self._life.prove()

    def _blob_sealer(self, table: str) -> Sealer:
        keys = self._held()
        of, blobs = self._blobs
        if of is not keys:
            blobs = {}
            self._blobs = (keys, blobs)
        sealer = blobs.get(table)
        if sealer is None:
            sealer = blobs[table] = self._sealer(keys, table)
        return sealer

    def _sealer(self, keys: RingKeys, table: str) -> Sealer:
        return RecordSealer(keys, table, "blob")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(tenant={self.tenant!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key ring is never pickled")


def _keyed(found: list[bytes]) -> Keyed:
    made = Keyed(found[0])
    if len(found) > 1:
        made.others = tuple(found[1:])
    return made


def _mark(made: bytes, width: int) -> bytes:
    """Returns what names the key of a digest or an index of so many bytes."""
    return made[:MARK] if len(made) > width else b""
