"""The keys of subjects: one random key a customer, wrapped in a row, so that destroying the row erases the customer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from hub.crypto.envelope import lp
from hub.crypto.errors import EnvelopeBroken, SubjectKeyMissing, WrongKey
from hub.crypto.suites import Aead, Suite, aead_for
from hub.crypto.wrapping import KeyWrap, new_key
from hub.kernel.errors import KeyUnusable
from hub.keys.rows import SubjectKeyRow

CAPACITY = 8192
_LABEL = b"csh1/subject"


class WrapKey:
    """Is one generation of the `subject_wrap` key."""

    __slots__ = ("_prefix", "_wrap", "id", "suite")

    def __init__(self, key_id: int, suite: Suite, key: bytes, tenant: str) -> None:
        self.id = key_id
        self.suite = suite
        self._wrap = KeyWrap(key, suite)
        self._prefix = lp(_LABEL, key_id.to_bytes(4, "big"), tenant.encode())

    def wrap(self, key: bytes, subject_id: str) -> bytes:
        return self._wrap.wrap(key, self._prefix + lp(subject_id.encode()))

    def unwrap(self, row: SubjectKeyRow) -> bytes:
        """Returns the subject's key; raises EnvelopeBroken when the row was altered or moved."""
        try:
            return self._wrap.unwrap(row.wrapped, self._prefix + lp(row.subject_id.encode()))
        except WrongKey:
            raise EnvelopeBroken("subject_key", row.subject_id) from None


class _SubjectKey:
    __slots__ = ("aead", "key", "suite", "wrapped")

    def __init__(self, key: bytes, wrapped: bytes, suite: Suite) -> None:
        self.key = key
        self.suite = suite
        self.wrapped = wrapped
        self.aead = aead_for(suite, key)


class SubjectKeys:
    """Makes, unwraps and keeps subject keys; the least recently used are forgotten beyond `capacity`.

    One call to `add` is never forgotten by itself, however long it is. What was kept `before` is shared, since work
    that began under the ring of before goes on under it.
    """

    def __init__(
        self,
        primary: WrapKey,
        generations: Mapping[int, WrapKey],
        capacity: int = CAPACITY,
        before: SubjectKeys | None = None,
    ) -> None:
        self._primary = primary
        self._generations = generations
        self._capacity = capacity
        self._kept: OrderedDict[str, _SubjectKey] = OrderedDict() if before is None else before._kept
        self._lock: threading.Lock = threading.Lock() if before is None else before._lock

    def new(self, subject_id: str) -> tuple[bytes, SubjectKeyRow]:
        """Returns a fresh key and its wrapped row, and keeps neither."""
        key = new_key()
        return key, SubjectKeyRow(subject_id, self._primary.id, self._primary.wrap(key, subject_id))

    def unwrap(self, row: SubjectKeyRow) -> bytes:
        """Returns the key of a row; raises EnvelopeBroken, or KeyUnusable when its wrapping key is not loaded."""
        generation = self._generations.get(row.key_id)
        if generation is None:
            raise KeyUnusable(
                f"the key of subject {row.subject_id} is wrapped by key {row.key_id}, which is not loaded; "
                "see `crmhub key list`",
                f"主体 {row.subject_id} 的密钥由密钥 {row.key_id} 封装，而该密钥未载入；见 `crmhub key list`",
                code="HUB-KEY-007",
            )
        return generation.unwrap(row)

    def create(self, subject_id: str) -> SubjectKeyRow:
        key, row = self.new(subject_id)
        self._keep({subject_id: _SubjectKey(key, row.wrapped, self._primary.suite)})
        return row

    def add(self, rows: Iterable[SubjectKeyRow]) -> None:
        suite = self._primary.suite
        fresh = {}
        for row in rows:
            kept = self._kept.get(row.subject_id)
            # A kept key of another row is a leftover of a transaction that was rolled back: the row is the truth.
            if kept is None or kept.wrapped != row.wrapped:
                kept = _SubjectKey(self.unwrap(row), row.wrapped, suite)
            fresh[row.subject_id] = kept
        self._keep(fresh)

    def rewrap(self, row: SubjectKeyRow) -> SubjectKeyRow:
        """Returns the row of the same key wrapped by the primary generation; raises EnvelopeBroken, KeyUnusable."""
        return SubjectKeyRow(row.subject_id, self._primary.id, self._primary.wrap(self.unwrap(row), row.subject_id))

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def forget(self, subject_ids: Iterable[str]) -> None:
        with self._lock:
            for subject_id in subject_ids:
                self._kept.pop(subject_id, None)

    def has(self, subject_id: str) -> bool:
        return subject_id in self._kept

    def aead(self, subject_id: str, suite: Suite) -> Aead:
        """Returns the cipher of a kept subject; raises SubjectKeyMissing."""
        kept = self._kept.get(subject_id)
        if kept is None:
            raise SubjectKeyMissing(subject_id)
        try:  # noqa: SIM105 - hot path: suppress() costs a third of the whole call
            self._kept.move_to_end(subject_id)
        except KeyError:  # forgotten by another thread just now; the key in hand is still the right one
            pass
        return kept.aead if suite is kept.suite else aead_for(suite, kept.key)

    def _keep(self, fresh: Mapping[str, _SubjectKey]) -> None:
        with self._lock:
            for subject_id, key in fresh.items():
                self._kept[subject_id] = key
                self._kept.move_to_end(subject_id)
            while len(self._kept) > max(self._capacity, len(fresh)):
                self._kept.popitem(last=False)
