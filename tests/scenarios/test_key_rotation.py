"""Keys are replaced while everything runs: nothing becomes unreadable, and nothing stays under the old key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub.cli.backups import _bench
from hub.core.state import GoldenRecord
from hub.crypto.envelope import key_id_of
from hub.crypto.errors import ProviderAway
from hub.crypto.suites import Suite
from hub.kernel.errors import Declined, KeyUnusable
from hub.keys.file import FileKeyProvider
from hub.keys.keyring import TTL
from hub.keys.rows import KeyState, Purpose
from hub.operations import backups, keys, rotating
from hub.operations.installation import Installation
from hub.store import matches, records
from hub.store.key_rows import key_rows
from hub.store.records import Write
from hub.store.rotations import Phase
from hub.store.tables import blind_index, golden
from tests.scenarios.key_lab import ENTITY, Hand, KeyLab, acts, everything, fields_of, fill, make_lab, rotate


@pytest.fixture
def lab(tmp_path: Path, database_url: str) -> Iterator[KeyLab]:
    made = make_lab(tmp_path, database_url, Hand())
    yield made
    made.close()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[KeyLab]:
    made = make_lab(tmp_path, "sqlite:///var/hub.db", Hand())
    yield made
    made.close()


def _states(hub: Installation, purpose: Purpose) -> list[str]:
    return [item.state for item in keys.list_keys(hub).keys if item.purpose == purpose]


def test_every_key_is_replaced_and_nothing_is_lost(lab: KeyLab) -> None:
    hub, other = lab.open(), lab.open()
    ids = fill(hub, 12)
    before = everything(hub, ids)
    with other.store.begin():
        pass
    for purpose in rotating.ROTATED:
        assert sum(rotating.rows_left(hub, purpose).values()) == 0
        done = rotate(hub, purpose, [other])
        assert done.broken == 0
        assert done.done == done.total > 0
        assert set(rotating.rows_left(hub, purpose).values()) == {0}
        assert _states(hub, purpose) == ["active", "primary"]
        assert everything(hub, ids) == everything(other, ids) == before
    fresh = lab.open()
    assert everything(fresh, ids) == before
    # Evidence finds the same records as before, under the new index key.
    rules, ring = fresh.rules[ENTITY], fresh.store.ring
    digests = list(rules.keys(ring, fields_of(3)).values())
    with fresh.store.read() as conn:
        found = matches.share(conn, ENTITY, digests)
    assert {entry.golden for entry in found.values()} == {(ids[3],)}
    said = [(act["act"], act["stage"], act["code"]) for act in acts(hub)]
    assert said[:4] == [
        ("key.add", "attempt", "field"),
        ("key.add", "result", "field"),
        ("key.promote", "single", "field"),
        ("key.reseal", "single", "field"),
    ]
    assert len(said) == 4 * len(rotating.ROTATED)


def test_nobody_seals_with_a_key_that_another_process_has_not_loaded(lab: KeyLab) -> None:
    hub, other = lab.open(), lab.open()
    fill(hub, 1)
    with other.store.begin():
        pass
    item = rotating.begin_rotation(hub, Purpose.FIELD, "yearly")
    for _ in range(3):
        item, waits = rotating.advance(hub, Purpose.FIELD)
        assert item.phase is Phase.ANNOUNCED
        assert [one.pid for one in waits] == [other.store.watch.pid]  # type: ignore[union-attr]
    # A process that looks round every few seconds loads the key by itself, and tells it.
    lab.clock.sleep(25)
    with other.store.begin():
        pass
    item, waits = rotating.advance(hub, Purpose.FIELD)
    assert (item.phase, waits) == (Phase.SEALING, [])


def test_a_process_that_is_dead_stops_counting(embedded: KeyLab) -> None:
    hub, other = embedded.open(), embedded.open()
    watch = other.store.watch
    assert watch is not None
    watch.host = "another-host"
    watch.beat(now=True)
    rotating.begin_rotation(hub, Purpose.SECRET, "yearly")
    assert rotating.advance(hub, Purpose.SECRET)[1]
    embedded.clock.sleep(119)
    hub.store.watch.beat(now=True)  # type: ignore[union-attr]
    assert rotating.advance(hub, Purpose.SECRET)[1]
    embedded.clock.sleep(2)
    assert rotating.advance(hub, Purpose.SECRET)[0].phase is Phase.SEALING
    # On this host a process is known to be dead at once.
    watch.host, watch.pid = hub.store.watch.host, 2**22 + 1  # type: ignore[union-attr]
    watch.beat(now=True)
    assert other.store.watch is not None
    assert [one.pid for one in keys.list_keys(hub).holders] == [hub.store.watch.pid]  # type: ignore[union-attr]


def test_a_process_that_slept_through_a_rotation_reads_everything(embedded: KeyLab) -> None:
    hub, sleeper = embedded.open(), embedded.open()
    ids = fill(hub, 3)
    before = everything(hub, ids)
    for purpose in rotating.ROTATED:
        rotate(hub, purpose)
    # It never looked: it learns the keys from the first blob that names one.
    sleeper.store.watch.every = 1e9  # type: ignore[union-attr]
    embedded.clock.sleep(2)
    assert everything(sleeper, ids) == before


def test_what_a_late_process_sealed_is_sealed_anew(embedded: KeyLab) -> None:
    hub, late = embedded.open(), embedded.open()
    late.store.watch.every = 1e9  # type: ignore[union-attr]
    ids = fill(hub, 2)
    item = rotating.begin_rotation(hub, Purpose.SUBJECT_WRAP, "yearly")
    while item.phase is not Phase.SETTLING:
        item, _ = rotating.advance(hub, Purpose.SUBJECT_WRAP)
    more = fill_one(late)
    assert sum(rotating.rows_left(hub, Purpose.SUBJECT_WRAP).values()) > 0
    late.store.watch.beat(now=True)  # type: ignore[union-attr]
    while item.phase is not Phase.DONE:
        item, waits = rotating.advance(hub, Purpose.SUBJECT_WRAP)
        assert not waits
    assert set(rotating.rows_left(hub, Purpose.SUBJECT_WRAP).values()) == {0}
    assert len(everything(hub, [*ids, *more])) > 2


def fill_one(hub: Installation) -> list[str]:
    hub_id = hub.new_id()
    with hub.store.begin() as work:
        made = GoldenRecord(hub_id, ENTITY, fields_of(77), {"*": "alpha"}, 1, subject_id=hub.new_id())
        records.write(work, [Write(None, made, (), {}, {})])
    return [hub_id]


def test_the_end_of_a_key(embedded: KeyLab) -> None:
    hub, clock = embedded.open(), embedded.clock
    fill(hub, 2)
    [first] = [row for row in keys.list_keys(hub).keys if row.purpose == Purpose.FIELD]
    with pytest.raises(Declined, match="is primary, not active"):
        keys.retire_key(hub, first.id, "old")
    rotate(hub, Purpose.FIELD)
    with pytest.raises(Declined, match="say why"):
        keys.retire_key(hub, first.id, " ")
    assert keys.retire_key(hub, first.id, "old").state == "disabled"
    assert keys.retire_key(hub, first.id, "needed once more", undo=True).state == "active"
    keys.retire_key(hub, first.id, "old")
    with pytest.raises(Declined, match="disabled for 0 of 30 days"):
        keys.destroy_key(hub, first.id, "old")
    clock.sleep(31 * 86_400)
    assert keys.destroy_key(hub, first.id, "old").state == "destroyed"
    with hub.store.read() as conn:
        [row] = [row for row in key_rows(conn) if row.id == first.id]
    assert (row.state, row.wrapped) == (KeyState.DESTROYED, b"")
    ended = [(act["act"], act["obj"]["id"], act["reason"]) for act in acts(hub)[-2:]]
    assert ended == [("key.retire", str(first.id), "old"), ("key.destroy", str(first.id), "old")]
    embedded.open()


def test_whoever_changes_keys_waits_for_others_before_reading_them(embedded: KeyLab) -> None:
    hub = embedded.open()
    opened: list[list[str]] = []
    sa.event.listen(hub.store.engine, "begin", lambda conn: opened.append([]))

    def note(conn: object, cursor: object, statement: str, *more: object) -> None:
        opened[-1] += [table for table in ("meta", "crypto_key") if f" {table} " in f"{statement} "]

    sa.event.listen(hub.store.engine, "before_cursor_execute", note)
    rotate(hub, Purpose.FIELD)
    old = next(item.id for item in keys.list_keys(hub).keys if (item.purpose, item.state) == ("field", "active"))
    keys.retire_key(hub, old, "nothing is left")
    changes = [tables for tables in opened if tables.count("crypto_key") > 1]
    # Added, promoted, retired; a change that was worked out before it waited would undo the one it waited for.
    assert len(changes) == 3
    assert [tables[0] for tables in changes] == ["meta"] * 3


def test_a_key_with_rows_under_it_is_not_retired(embedded: KeyLab) -> None:
    hub, late = embedded.open(), embedded.open()
    late.store.watch.every = 1e9  # type: ignore[union-attr]
    fill(hub, 1)
    [first] = [row for row in keys.list_keys(hub).keys if row.purpose == Purpose.SUBJECT_WRAP]
    rotate(hub, Purpose.SUBJECT_WRAP)
    fill_one(late)
    late.store.watch.close()  # type: ignore[union-attr]
    with pytest.raises(Declined, match=r"subject_key.wrapped 1, golden.blob 1"):
        keys.retire_key(hub, first.id, "old")


def test_digest_keys_outlive_the_audit_log(embedded: KeyLab) -> None:
    hub = embedded.open()
    fill(hub, 1)
    [first] = [row for row in keys.list_keys(hub).keys if row.purpose == Purpose.DIGEST]
    rotate(hub, Purpose.DIGEST)
    keys.retire_key(hub, first.id, "old")
    embedded.clock.sleep(400 * 86_400)
    with pytest.raises(Declined, match="only it can compare"):
        keys.destroy_key(hub, first.id, "old")


def test_the_suite_changes_with_the_next_key(embedded: KeyLab) -> None:
    lab, hub = embedded, embedded.open()
    ids = fill(hub, 4)
    before = everything(hub, ids)
    lab.write_settings("sm4")
    hub = lab.open()
    assert everything(hub, ids) == before
    lab.opened[0].store.watch.close()  # type: ignore[union-attr]
    for purpose in rotating.ROTATED:
        rotate(hub, purpose)
    assert everything(hub, ids) == before
    now = {row.purpose: row.suite for row in keys.list_keys(hub).keys if row.state == "primary"}
    assert set(now.values()) == {"sm4"}
    assert hub.store.ring.seal_record("golden", "r", None, 1, {})[1] == Suite.SM4_GCM
    lab.write_settings("xaes")
    assert everything(lab.open(), ids) == before


def test_a_new_key_encrypting_key_in_two_phases(embedded: KeyLab) -> None:
    hub, other = embedded.open(), embedded.open()
    ids = fill(hub, 2)
    with other.store.begin():
        pass
    with pytest.raises(Declined, match="wrapped under file:.* already"):
        keys.rewrap_keys(hub, "yearly")
    FileKeyProvider.create(embedded.home / "keys" / "new.key")
    old_settings = ", also: [{provider: file, path: keys/hub.key}]"
    text = "path: keys/hub.key, suite: xaes"
    file = embedded.home / "config" / "hub.yaml"
    file.write_text(file.read_text().replace(text, "path: keys/new.key, suite: xaes" + old_settings))
    fresh = embedded.open()
    with pytest.raises(Declined, match="cannot use key file:.* yet"):
        keys.rewrap_keys(fresh, "yearly")
    for process in (hub, other):
        process.store.watch.close()  # type: ignore[union-attr]
    assert keys.rewrap_keys(fresh, "yearly") == 6
    assert everything(fresh, ids) == everything(hub, ids)
    file.write_text(file.read_text().replace(old_settings, ""))
    (embedded.home / "keys" / "hub.key").rename(embedded.home / "keys" / "kept-elsewhere")
    assert everything(embedded.open(), ids) == everything(fresh, ids)
    said = [(act["act"], act["stage"]) for act in acts(fresh)]
    assert said == [("key.rewrap", "attempt"), ("key.rewrap", "result")]


def test_a_provider_away_for_ten_minutes(embedded: KeyLab) -> None:
    hub, clock = embedded.open(), embedded.clock
    ids = fill(hub, 2)
    before = everything(hub, ids)
    key = embedded.home / "keys" / "hub.key"
    away = key.rename(key.with_name("away"))
    began = clock.now()
    while clock.now() - began < TTL:
        assert everything(hub, ids) == before
        clock.sleep(13)
    while clock.now() - began < 600:
        with pytest.raises(ProviderAway, match="everything goes on by itself"):
            everything(hub, ids)
        with pytest.raises(KeyUnusable):
            hub.store.ring.digest(b"x")
        with pytest.raises(ProviderAway):
            hub.store.ring.create_subject("s")
        assert "SubjectKeys" not in repr(vars(hub.store.ring))
        clock.sleep(13)
    away.rename(key)
    clock.sleep(6)
    assert everything(hub, ids) == before


def test_a_damaged_row_is_counted_and_left_alone(embedded: KeyLab) -> None:
    hub = embedded.open()
    ids = fill(hub, 3)
    with hub.store.begin() as work:
        here = golden.c.hub_id == ids[0]
        blob = work.conn.execute(golden.select().where(here)).one().blob
        damaged = blob[:-1] + bytes([blob[-1] ^ 1])
        work.conn.execute(golden.update().where(here).values(blob=damaged))
    done = rotate(hub, Purpose.SUBJECT_WRAP)
    assert (done.phase, done.broken) == (Phase.DONE, 1)
    assert rotating.rows_left(hub, Purpose.SUBJECT_WRAP)["golden.blob"] == 1
    with hub.store.read() as conn:
        assert bytes(conn.execute(golden.select().where(here)).one().blob) == damaged
    assert key_id_of(damaged) != hub.store.ring.subject_key_id
    # Its blind indexes are left alone as well, and those of the others come under the new key.
    done = rotate(hub, Purpose.INDEX)
    assert done.phase is Phase.DONE
    assert done.broken == rotating.rows_left(hub, Purpose.INDEX)["blind_index.digest"] > 0
    with hub.store.read() as conn:
        assert ids[0] in set(conn.execute(sa.select(blind_index.c.owner)).scalars())


def test_a_backup_of_before_is_read_after_everything_was_replaced(embedded: KeyLab) -> None:
    hub = embedded.open()
    ids = fill(hub, 3)
    before = everything(hub, ids)
    file = embedded.home.parent / "before.backup"
    backups.back_up(hub, file)
    for purpose in rotating.ROTATED:
        rotate(hub, purpose)
        [old] = [row for row in keys.list_keys(hub).keys if (row.purpose, row.state) == (purpose, "active")]
        keys.retire_key(hub, old.id, "old")
    place = embedded.home.parent / "tried"
    shutil.copytree(embedded.home, place, ignore=shutil.ignore_patterns("var"))
    backups.restore(hub.settings, _bench(hub.settings), file, into=place / "var")
    tried = KeyLab(place, embedded.url, embedded.clock)
    assert everything(tried.open(), ids) == before
    tried.close()
