"""The ring: keys made, stored as rows, loaded again; records, secrets, digests and indexes under them."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.crypto.envelope import key_id_of
from hub.crypto.errors import EnvelopeBroken, NotSealable, SubjectKeyMissing, WrongKey
from hub.crypto.suites import Suite
from hub.kernel.errors import KeyUnusable
from hub.keys.file import FileKeyProvider
from hub.keys.keyring import Keyring, SealMode
from hub.keys.rows import KeyRow, KeyState, Purpose
from hub.keys.unlock import wrap_context

TENANT = "bank-1"
ROW = "0190f0aa-0000-7000-8000-000000000001"
SUBJECT = "0190f0aa-0000-7000-8000-0000000000aa"
FIELDS = {"name": "张三", "phones": ["13800138000"], "vip": True, "score": 1.5, "note": None}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> FileKeyProvider:
    return FileKeyProvider.create(tmp_path_factory.mktemp("keys") / "hub.key")


def _rows(provider: FileKeyProvider, suite: Suite = Suite.XAES_256_GCM, first: int = 1) -> tuple[KeyRow, ...]:
    return Keyring.bootstrap(provider, TENANT, itertools.count(first).__next__, 1_764_000_000.0, suite)


@pytest.fixture(scope="module")
def rows(provider: FileKeyProvider) -> tuple[KeyRow, ...]:
    return _rows(provider)


@pytest.fixture
def ring(provider: FileKeyProvider, rows: tuple[KeyRow, ...]) -> Keyring:
    return Keyring.load(provider, TENANT, rows)


def _changed(rows: tuple[KeyRow, ...], purpose: Purpose, **changes: object) -> tuple[KeyRow, ...]:
    return tuple(replace(row, **changes) if row.purpose is purpose else row for row in rows)


def test_bootstrap_makes_one_primary_key_of_every_purpose(rows: tuple[KeyRow, ...]) -> None:
    assert {row.purpose for row in rows} == set(Purpose)
    assert [row.id for row in rows] == list(range(1, len(Purpose) + 1))
    assert {row.state for row in rows} == {KeyState.PRIMARY}
    assert len({row.wrapped for row in rows}) == len(rows)


@pytest.mark.parametrize("suite", list(Suite))
def test_records_come_back_in_another_process(provider: FileKeyProvider, suite: Suite) -> None:
    rows = _rows(provider, suite)
    ring = Keyring.load(provider, TENANT, rows)
    subject = ring.create_subject(SUBJECT)
    plain = ring.seal_record("observation", ROW, None, 1, FIELDS)
    sealed = ring.seal_record("golden", ROW, SUBJECT, 1, FIELDS)
    again = Keyring.load(provider, TENANT, rows)
    assert again.open_record("observation", ROW, None, 1, plain) == FIELDS
    again.add_subjects([subject])
    assert again.open_record("golden", ROW, SUBJECT, 1, sealed) == FIELDS
    by_purpose = {row.purpose: row.id for row in rows}
    assert key_id_of(plain) == by_purpose[Purpose.FIELD]
    assert key_id_of(sealed) == subject.key_id == by_purpose[Purpose.SUBJECT_WRAP]
    assert plain[1] == sealed[1] == suite
    assert "张三".encode() not in plain + sealed


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.text(max_size=5), st.integers(0, 9) | st.text(max_size=9), max_size=5),
    st.booleans(),
    st.integers(0, 2**64 - 1),
)
def test_any_record_comes_back(ring: Keyring, fields: dict[str, object], own: bool, version: int) -> None:
    if not ring.has_subject(SUBJECT):
        ring.create_subject(SUBJECT)
    subject = SUBJECT if own else None
    blob = ring.seal_record("golden", ROW, subject, version, fields)
    assert ring.open_record("golden", ROW, subject, version, blob) == fields


@pytest.mark.parametrize("subject", [None, SUBJECT])
def test_every_flipped_bit_cut_and_swap_is_refused(ring: Keyring, subject: str | None) -> None:
    ring.create_subject(SUBJECT)
    ring.create_subject("another")
    blob = ring.seal_record("golden", ROW, subject, 4, {"a": 1})
    for bit in range(len(blob) * 8):
        flipped = bytearray(blob)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(EnvelopeBroken):
            ring.open_record("golden", ROW, subject, 4, bytes(flipped))
    for end in range(len(blob)):
        with pytest.raises(EnvelopeBroken):
            ring.open_record("golden", ROW, subject, 4, blob[:end])
    other = None if subject else SUBJECT
    for place in (
        ("base", ROW, subject, 4),
        ("golden", ROW[:-1] + "2", subject, 4),
        ("golden", ROW, other, 4),
        ("golden", ROW, "another", 4),
        ("golden", ROW, subject, 3),
    ):
        with pytest.raises(EnvelopeBroken):
            ring.open_record(*place, blob)
    with pytest.raises(EnvelopeBroken):
        ring.sealer("golden", "before").open(ROW, subject, 4, blob)


def test_another_installation_opens_nothing(provider: FileKeyProvider, ring: Keyring) -> None:
    rows = Keyring.bootstrap(provider, "bank-2", itertools.count(1).__next__, 0.0)
    blob = ring.seal_record("golden", ROW, None, 1, FIELDS)
    with pytest.raises(EnvelopeBroken) as raised:
        Keyring.load(provider, "bank-2", rows).open_record("golden", ROW, None, 1, blob)
    assert f"golden/{ROW}" in raised.value.en
    assert "张三" not in raised.value.en


def test_a_subject_must_be_in_the_ring(ring: Keyring) -> None:
    row = ring.create_subject(SUBJECT)
    blob = ring.seal_record("golden", ROW, SUBJECT, 1, FIELDS)
    ring.forget_subjects([SUBJECT, "never seen"])
    assert not ring.has_subject(SUBJECT)
    with pytest.raises(SubjectKeyMissing):
        ring.open_record("golden", ROW, SUBJECT, 1, blob)
    with pytest.raises(SubjectKeyMissing):
        ring.seal_record("golden", ROW, SUBJECT, 1, FIELDS)
    with pytest.raises(SubjectKeyMissing):
        ring.seal_record("golden", ROW, "", 1, FIELDS)
    ring.add_subjects([row])
    assert ring.open_record("golden", ROW, SUBJECT, 1, blob) == FIELDS


def test_a_subject_row_is_bound_to_its_subject(ring: Keyring) -> None:
    first, second = ring.create_subject("first"), ring.create_subject("second")
    ring.forget_subjects(["first", "second"])
    for bad in (replace(first, wrapped=second.wrapped), replace(first, wrapped=first.wrapped[:-1])):
        with pytest.raises(EnvelopeBroken, match="subject_key/first"):
            ring.add_subjects([bad])
    with pytest.raises(KeyUnusable, match="not loaded"):
        ring.add_subjects([replace(first, key_id=999)])
    assert not ring.has_subject("first")


def test_the_stored_row_wins_over_a_kept_key(provider: FileKeyProvider, rows: tuple[KeyRow, ...]) -> None:
    ring, elsewhere = (Keyring.load(provider, TENANT, rows) for _ in range(2))
    ring.create_subject(SUBJECT)  # its transaction rolled back and nobody told the ring
    stored = elsewhere.create_subject(SUBJECT)
    blob = elsewhere.seal_record("golden", ROW, SUBJECT, 1, FIELDS)
    ring.add_subjects([stored])
    assert ring.open_record("golden", ROW, SUBJECT, 1, blob) == FIELDS


def test_the_least_recently_used_subjects_are_forgotten(provider: FileKeyProvider, rows: tuple[KeyRow, ...]) -> None:
    ring = Keyring.load(provider, TENANT, rows, capacity=3)
    stored = [ring.create_subject(name) for name in "abc"]
    ring.seal_record("golden", ROW, "a", 1, {})
    ring.create_subject("d")
    assert [ring.has_subject(name) for name in "abcd"] == [True, False, True, True]
    batch = [ring.create_subject(f"s{n}") for n in range(5)]
    ring.add_subjects(batch)
    assert all(ring.has_subject(row.subject_id) for row in batch)
    ring.add_subjects(stored)
    assert [ring.has_subject(name) for name in "abc"] == [True] * 3
    assert not ring.has_subject("s4")


def test_secrets_come_back_under_their_name_only(ring: Keyring) -> None:
    blob = ring.seal_secret("zoho.refresh_token", b"1000.abc")
    assert ring.open_secret("zoho.refresh_token", blob) == b"1000.abc"
    assert len(blob) == len(ring.seal_secret("zoho.refresh_token", b"1000.abcdef"))
    record = ring.seal_record("secret", "zoho.refresh_token", None, 0, {})
    for name, bad in (("fxiaoke.token", blob), ("zoho.refresh_token", record), ("zoho.refresh_token", b"")):
        with pytest.raises(EnvelopeBroken):
            ring.open_secret(name, bad)


def test_digests_and_indexes_are_stable_and_keyed(
    provider: FileKeyProvider, rows: tuple[KeyRow, ...], ring: Keyring
) -> None:
    again = Keyring.load(provider, TENANT, rows)
    other = Keyring.load(provider, TENANT, _rows(provider))
    assert len(ring.digest(b"a", b"b")) == 16
    assert len(ring.blind("person.phone/1", "+8613800138000")) == 8
    assert ring.digest(b"a", b"b") == again.digest(b"a", b"b") != other.digest(b"a", b"b")
    assert ring.blind("d", "x") == again.blind("d", "x") != other.blind("d", "x")
    assert ring.digest_key_id == next(row.id for row in rows if row.purpose is Purpose.DIGEST)


def test_the_wrong_key_file_is_one_clear_error(tmp_path: Path, rows: tuple[KeyRow, ...]) -> None:
    wrong = FileKeyProvider.create(tmp_path / "wrong.key")
    with pytest.raises(KeyUnusable) as raised:
        Keyring.load(wrong, TENANT, rows)
    assert raised.value.code == "HUB-KEY-006"
    assert rows[0].kek_id in raised.value.en
    assert wrong.kek_id() in raised.value.zh


@pytest.mark.parametrize("purpose", list(Purpose))
def test_an_altered_key_row_is_refused(provider: FileKeyProvider, rows: tuple[KeyRow, ...], purpose: Purpose) -> None:
    def refused(*changed: KeyRow) -> None:
        with pytest.raises(KeyUnusable):
            Keyring.load(provider, TENANT, changed)

    wrapped = next(row.wrapped for row in rows if row.purpose is purpose)
    refused(*_changed(rows, purpose, wrapped=wrapped[:-1] + bytes([wrapped[-1] ^ 1])))
    refused(*_changed(rows, purpose, wrapped=b""))
    refused(*_changed(rows, purpose, state=KeyState.DISABLED))
    refused(*(row for row in rows if row.purpose is not purpose))
    refused(*rows, *(replace(row, id=100) for row in rows if row.purpose is purpose))
    if purpose is not Purpose.CANARY:
        refused(*_changed(rows, purpose, suite=Suite.SM4_GCM))
        refused(*_changed(rows, purpose, suite=0x12))
        refused(*_changed(rows, purpose, id=99))


def test_keys_of_another_installation_are_no_keys(provider: FileKeyProvider, rows: tuple[KeyRow, ...]) -> None:
    with pytest.raises(KeyUnusable, match="no keys of installation bank-9"):
        Keyring.load(provider, "bank-9", rows)
    moved = tuple(replace(row, tenant="bank-9") for row in rows)
    with pytest.raises(WrongKey):
        Keyring.load(provider, "bank-9", moved)


def test_older_generations_open_and_newer_ones_seal(
    provider: FileKeyProvider, rows: tuple[KeyRow, ...], ring: Keyring
) -> None:
    fresh = _rows(provider, Suite.SM4_GCM, first=50)
    rotated = (Purpose.FIELD, Purpose.SECRET, Purpose.SUBJECT_WRAP)
    both = tuple(replace(row, state=KeyState.ACTIVE) if row.purpose in rotated else row for row in rows)
    after = Keyring.load(provider, TENANT, (*both, *(row for row in fresh if row.purpose in rotated)))
    row = ring.create_subject(SUBJECT)
    after.add_subjects([row])
    for subject in (None, SUBJECT):
        old = ring.seal_record("golden", ROW, subject, 1, FIELDS)
        assert after.open_record("golden", ROW, subject, 1, old) == FIELDS
        new = after.seal_record("golden", ROW, subject, 1, FIELDS)
        assert new[1] == Suite.SM4_GCM
        assert after.open_record("golden", ROW, subject, 1, new) == FIELDS
        with pytest.raises(EnvelopeBroken):
            ring.open_record("golden", ROW, subject, 1, new)
    assert after.open_secret("n", ring.seal_secret("n", b"v")) == b"v"


def test_a_disabled_key_opens_nothing(provider: FileKeyProvider, rows: tuple[KeyRow, ...], ring: Keyring) -> None:
    blob = ring.seal_record("golden", ROW, None, 1, FIELDS)
    fresh = _rows(provider, first=50)
    old = _changed(rows, Purpose.FIELD, state=KeyState.DISABLED)
    keep = [row for row in old if row.purpose is not Purpose.CANARY]
    new = [row for row in fresh if row.purpose in (Purpose.FIELD, Purpose.CANARY)]
    after = Keyring.load(provider, TENANT, (*keep, *new))
    with pytest.raises(EnvelopeBroken):
        after.open_record("golden", ROW, None, 1, blob)


def test_what_is_no_json_is_not_sealed(ring: Keyring) -> None:
    with pytest.raises(NotSealable):
        ring.seal_record("golden", ROW, None, 1, {"a": object()})


def test_sealing_is_off_in_the_lab_only(provider: FileKeyProvider, rows: tuple[KeyRow, ...]) -> None:
    for profile in ("production", "Lab", ""):
        with pytest.raises(KeyUnusable) as raised:
            Keyring.load(provider, TENANT, rows, seal_mode=SealMode.OFF, profile=profile)
        assert raised.value.code == "HUB-KEY-008"
    with pytest.raises(KeyUnusable):
        Keyring.load(provider, TENANT, rows, seal_mode=SealMode.OFF)


def test_plain_and_sealed_blobs_never_mix(provider: FileKeyProvider, rows: tuple[KeyRow, ...], ring: Keyring) -> None:
    plain = Keyring.load(provider, TENANT, rows, seal_mode=SealMode.OFF, profile="lab")
    row = plain.create_subject(SUBJECT)
    plain.add_subjects([row])
    assert plain.has_subject(SUBJECT)
    ring.create_subject(SUBJECT)
    for subject in (None, SUBJECT):
        blob = plain.seal_record("golden", ROW, subject, 1, FIELDS)
        assert blob[0] == 0
        assert "张三".encode() in blob
        assert plain.open_record("golden", ROW, subject, 1, blob) == FIELDS
        with pytest.raises(EnvelopeBroken):
            ring.open_record("golden", ROW, subject, 1, blob)
        with pytest.raises(EnvelopeBroken):
            plain.open_record("golden", ROW, subject, 1, ring.seal_record("golden", ROW, subject, 1, FIELDS))
    secret = plain.seal_secret("n", b"token")
    assert plain.open_secret("n", secret) == b"token"
    assert b"token" in secret
    for opener, blob in ((ring, secret), (plain, ring.seal_secret("n", b"token"))):
        with pytest.raises(EnvelopeBroken):
            opener.open_secret("n", blob)
    ring.forget_subjects([SUBJECT])
    with pytest.raises(EnvelopeBroken):
        ring.add_subjects([row])
    assert plain.digest(b"a") == ring.digest(b"a")


@pytest.mark.parametrize("show", [repr, str])
def test_nothing_shows_a_key(
    ring: Keyring, rows: tuple[KeyRow, ...], provider: FileKeyProvider, show: Callable[[object], str]
) -> None:
    row = next(row for row in rows if row.purpose is Purpose.FIELD)
    context = wrap_context(row.kek_id, row.id, row.tenant, row.purpose, row.suite)
    key = provider.unwrap(row.wrapped, context)
    subject = ring.create_subject(SUBJECT)
    shown = " ".join(show(thing) for thing in (ring, ring._held(), *rows, subject))
    for secret in (key, row.wrapped, subject.wrapped):
        assert repr(secret) not in shown
        assert secret.hex() not in shown
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(ring)
