"""Makes the data keys of an installation and unwraps them again: rows in, keys out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hub.crypto.digests import BlindIndex, Digester
from hub.crypto.envelope import Aad, DataKey, header_of, lp, open_, seal
from hub.crypto.errors import EnvelopeBroken, WrongKey
from hub.crypto.provider import KeyProvider
from hub.crypto.suites import Suite
from hub.crypto.values import decode_bytes, encode_bytes
from hub.crypto.wrapping import KEY, new_key
from hub.kernel.errors import KeyUnusable
from hub.keys.chain import provider_for
from hub.keys.rows import LOADED, KeyRow, KeyState, Purpose
from hub.keys.subjects import CAPACITY, SubjectKeys, WrapKey

_LABEL = b"csh1/kek"
_CANARY = b"crmhub canary"
_KEYS = tuple(purpose for purpose in Purpose if purpose is not Purpose.CANARY)


@dataclass(frozen=True, slots=True)
class RingKeys:
    """Holds the unwrapped keys of one tenant; by header where a blob may name any generation."""

    tenant: str
    field: DataKey
    fields: Mapping[bytes, DataKey]
    secret: DataKey
    secrets: Mapping[bytes, DataKey]
    subject_header: bytes
    subject_suite: Suite
    wraps: Mapping[bytes, Suite]
    subjects: SubjectKeys = dataclasses.field(repr=False)
    digests: Mapping[bytes, Digester] = dataclasses.field(repr=False)
    """By the mark that stands before each digest; see `mark_of`."""
    digest_mark: bytes
    digest_key_id: int
    indexes: Mapping[bytes, BlindIndex] = dataclasses.field(repr=False)
    """By the mark that stands before each index, the primary key first: a look-up asks for all of them."""
    index_mark: bytes
    alone: bool
    """Tells whether there is one key of each purpose, as nearly always: then nothing else need be asked."""
    kek_ids: frozenset[str]
    """Names whose provider must be there for these keys to be held in memory."""


def make_rows(
    provider: KeyProvider, tenant: str, new_id: Callable[[], int], now: float, suite: Suite
) -> tuple[KeyRow, ...]:
    """Makes one primary key of every purpose, and the canary."""
    rows, field = [], None
    for purpose in _KEYS:
        row, key = make_row(provider, tenant, new_id(), purpose, suite, KeyState.PRIMARY, now)
        rows.append(row)
        if purpose is Purpose.FIELD:
            field = DataKey(row.id, suite, key)
    assert field is not None
    kek_id = provider.kek_id()
    canary = KeyRow(new_id(), tenant, Purpose.CANARY, suite, kek_id, b"", KeyState.PRIMARY, now, now)
    return (*rows, make_canary(canary, field))


def unlock(
    provider: KeyProvider,
    tenant: str,
    rows: Iterable[KeyRow],
    capacity: int = CAPACITY,
    before: SubjectKeys | None = None,
) -> RingKeys:
    """Unwraps the keys of one tenant and opens the canary; raises KeyUnusable with the remedy.

    The subjects' keys that a ring held `before` stay unwrapped: a record may just be open under one of them.
    """
    own = [row for row in rows if row.tenant == tenant]
    if not own:
        raise _incomplete(f"has no keys of installation {tenant}", f"没有安装 {tenant} 的密钥")
    raw = {row.id: _unwrap(provider, row) for row in own if row.state in LOADED and row.purpose in _KEYS}
    field_row, fields = _data_keys(own, raw, Purpose.FIELD)
    secret_row, secrets = _data_keys(own, raw, Purpose.SECRET)
    digest_row, index_row = _primary(own, Purpose.DIGEST), _primary(own, Purpose.INDEX)
    wrap_row = _primary(own, Purpose.SUBJECT_WRAP)
    wrap_rows = [row for row in own if row.purpose is Purpose.SUBJECT_WRAP]
    generations = {r.id: WrapKey(r.id, _suite(r), raw[r.id], tenant) for r in wrap_rows if r.id in raw}
    keys = RingKeys(
        tenant=tenant,
        field=fields[_header(field_row)],
        fields=fields,
        secret=secrets[_header(secret_row)],
        secrets=secrets,
        subject_header=_header(wrap_row),
        subject_suite=_suite(wrap_row),
        # Every generation ever, destroyed ones too: a re-wrapped subject key still opens blobs that name the old one.
        wraps={_header(row): _suite(row) for row in wrap_rows},
        subjects=SubjectKeys(generations[wrap_row.id], generations, capacity, before),
        digests={mark_of(own, r): Digester(raw[r.id], _suite(r)) for r in _loaded(own, raw, Purpose.DIGEST)},
        digest_mark=mark_of(own, digest_row),
        digest_key_id=digest_row.id,
        indexes={mark_of(own, r): BlindIndex(raw[r.id], _suite(r)) for r in _loaded(own, raw, Purpose.INDEX)},
        index_mark=mark_of(own, index_row),
        alone=len(_loaded(own, raw, Purpose.DIGEST)) == len(_loaded(own, raw, Purpose.INDEX)) == 1,
        kek_ids=frozenset(row.kek_id for row in own if row.id in raw),
    )
    _open_canary(keys, _primary(own, Purpose.CANARY))
    return keys


def mark_of(rows: Iterable[KeyRow], row: KeyRow) -> bytes:
    """Returns what stands before a digest or an index made under a key: its id, so that keys are never tried in turn.

    What the first key of a purpose made carries no mark: it is older than rotation.
    """
    first = min(item.id for item in rows if item.purpose is row.purpose)
    return b"" if row.id == first else row.id.to_bytes(4, "big")


def _loaded(rows: Sequence[KeyRow], raw: Mapping[int, bytes], purpose: Purpose) -> list[KeyRow]:
    """Returns the rows of a purpose whose keys are at hand, the primary one first."""
    found = [row for row in rows if row.purpose is purpose and row.id in raw]
    return sorted(found, key=lambda row: row.state is not KeyState.PRIMARY)


def make_row(
    provider: KeyProvider, tenant: str, key_id: int, purpose: Purpose, suite: Suite, state: KeyState, now: float
) -> tuple[KeyRow, bytes]:
    """Makes one key; returns its row and the key itself, which goes no further than the caller."""
    key, kek_id = new_key(), provider.kek_id()
    wrapped = provider.wrap(key, wrap_context(kek_id, key_id, tenant, purpose, suite))
    promoted = now if state is KeyState.PRIMARY else None
    return KeyRow(key_id, tenant, purpose, suite, kek_id, wrapped, state, now, promoted), key


def make_canary(row: KeyRow, field: DataKey) -> KeyRow:
    """Returns the canary sealed anew under a `field` key."""
    return dataclasses.replace(row, wrapped=seal(field, encode_bytes(_CANARY), _canary_aad(row.tenant)))


def rewrap(provider: KeyProvider, row: KeyRow) -> KeyRow:
    """Returns a row wrapped under the provider's current key; raises KeyUnusable."""
    kek_id = provider.kek_id()
    if row.purpose is Purpose.CANARY or row.state is KeyState.DESTROYED:
        return dataclasses.replace(row, kek_id=kek_id)
    context = wrap_context(kek_id, row.id, row.tenant, row.purpose, row.suite)
    return dataclasses.replace(row, kek_id=kek_id, wrapped=provider.wrap(_unwrap(provider, row), context))


def wrap_context(kek_id: str, key_id: int, tenant: str, purpose: Purpose, suite: int) -> bytes:
    """Returns what binds a wrapped data key to its row."""
    return lp(_LABEL, kek_id.encode(), key_id.to_bytes(4, "big"), tenant.encode(), purpose.encode(), bytes([suite]))


def _unwrap(provider: KeyProvider, row: KeyRow) -> bytes:
    provider = provider_for(provider, row.kek_id)
    try:
        key = provider.unwrap(row.wrapped, wrap_context(row.kek_id, row.id, row.tenant, row.purpose, row.suite))
    except WrongKey:
        raise WrongKey(f"crypto_key {row.id} ({row.purpose})") from None
    if len(key) != KEY:
        raise WrongKey(f"crypto_key {row.id} ({row.purpose})")
    return key


def _data_keys(
    rows: Sequence[KeyRow], raw: Mapping[int, bytes], purpose: Purpose
) -> tuple[KeyRow, dict[bytes, DataKey]]:
    primary = _primary(rows, purpose)
    keys = [DataKey(r.id, _suite(r), raw[r.id]) for r in rows if r.purpose is purpose and r.id in raw]
    return primary, {key.header: key for key in keys}


def _primary(rows: Sequence[KeyRow], purpose: Purpose) -> KeyRow:
    primaries = [row for row in rows if row.purpose == purpose and row.state == KeyState.PRIMARY]
    if len(primaries) != 1:
        raise _incomplete(
            f"has {len(primaries)} primary keys of purpose {purpose}, not one",
            f"用途 {purpose} 的主密钥有 {len(primaries)} 个，应为一个",
        )
    return primaries[0]


def _suite(row: KeyRow) -> Suite:
    try:
        return Suite(row.suite)
    except ValueError:
        raise _incomplete(
            f"names the unknown suite {row.suite} in row {row.id}", f"第 {row.id} 行的套件 {row.suite} 未知"
        ) from None


def _header(row: KeyRow) -> bytes:
    return header_of(_suite(row), row.id)


def _canary_aad(tenant: str) -> Aad:
    return Aad(tenant, "crypto_key", "canary", "canary", None, 0)


def _open_canary(keys: RingKeys, row: KeyRow) -> None:
    key = keys.fields.get(row.wrapped[:6])
    try:
        intact = key is not None and decode_bytes(open_(key, row.wrapped, _canary_aad(keys.tenant))) == _CANARY
    except EnvelopeBroken:
        intact = False
    if not intact:
        raise WrongKey("the canary of crypto_key")


def _incomplete(en: str, zh: str) -> KeyUnusable:
    return KeyUnusable(
        f"table crypto_key {en}; restore it from a backup",
        f"crypto_key 表{zh}；请从备份恢复",
        code="HUB-KEY-007",
    )
