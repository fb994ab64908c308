"""A backup is one moment of the store, proven when it is written and again before anything is replaced."""

from __future__ import annotations

import resource
import signal
import sqlite3
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from postgres_server import PostgresServer
from store_kit import ENTITY, TENANT, FixedKeys, Kit, bound, event

from hub.audit.event import Actor, Origin, Source
from hub.audit.tree import Appender
from hub.audit.verify import verify
from hub.crypto.wrapping import KeyWrap
from hub.kernel.errors import Busy, Declined, HubError, KeyUnusable
from hub.store import anchor
from hub.store.backup import (
    MANIFEST,
    BackupDamaged,
    BackupFailed,
    Manifest,
    decode,
    known_tables,
    read_backup,
    write_backup,
)
from hub.store.database import open_engine
from hub.store.migrate import migrate
from hub.store.restoring import BackupRefused, Bench, restore_backup
from hub.store.vault import audit_rows


class OtherKeys(FixedKeys):
    """Is another key file."""

    def __init__(self) -> None:
        self._wrap = KeyWrap(b"o" * 32)

    def kek_id(self) -> str:
        return "kit:2"


def bench(kit: Kit, **changes: Any) -> Bench:
    numbers = iter(range(1, 1000))

    def new_id() -> str:
        return f"restore-{next(numbers):04d}"

    append = Appender(kit.clock, new_id, Origin(Actor("local", "kit"), Source("cli"), "0"))
    parts: dict[str, Any] = {"installation": TENANT, "provider": FixedKeys()} | changes
    return Bench(parts["installation"], "lab", (ENTITY,), parts["provider"], kit.clock, new_id, append)


def fill(kit: Kit, count: int = 5) -> None:
    for number in range(count):
        kit.create(f"h{number}", bound(f"h{number}", native_id=f"n{number}"), fields={"full_name": f"王\t{number}\\n"})
    with kit.store.begin() as work:
        work.audit(event("record.read"))


def dump(engine: sa.Engine, but: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    with engine.connect() as conn:
        return {
            name: sorted(conn.execute(sa.text(f"SELECT * FROM {name}")).all(), key=repr)
            for name in known_tables()
            if name not in but and sa.inspect(conn).has_table(name)
        }


@pytest.fixture
def empty(kit: Kit, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Is the address of a second, empty database of the kit's kind."""
    if kit.is_sqlite:
        yield f"sqlite:///{tmp_path / 'second' / 'hub.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.fresh()
    yield server.url(name)
    server.drop(name)


def backed_up(kit: Kit, folder: Path, name: str = "one.backup") -> Path:
    write_backup(kit.store, folder / name, "9.9")
    return folder / name


def test_restored_store_holds_every_row_and_opens_with_the_key(kit: Kit, empty: str, tmp_path: Path) -> None:
    fill(kit)
    before = dump(kit.engine)
    file = backed_up(kit, tmp_path)
    manifest = restore_backup(file, empty, bench(kit))
    engine = open_engine(empty)
    after = dump(engine)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"audit_entry", "audit_head", "meta"}, "only the mark and the audit row are added"
    assert after["audit_entry"][: len(before["audit_entry"])] == before["audit_entry"]
    assert manifest.tables["golden"] == 5
    engine.dispose()
    other = Kit(empty, kit.clock)
    assert other.load("h3").golden.fields == {"full_name": "王\t3\\n"}
    assert other.audited()[-1] == "restore"
    with other.store.read() as conn:
        assert verify(audit_rows(conn)).ok
        assert anchor.load_rebuild(conn, ENTITY) is not None
    other.close()


def test_manifest_says_what_is_inside_and_the_file_is_the_owners(kit: Kit, tmp_path: Path) -> None:
    fill(kit)
    file = backed_up(kit, tmp_path)
    manifest, _, _ = read_backup(file)
    assert (manifest.release, manifest.installation, manifest.keys) == ("9.9", TENANT, ("kit:1",))
    assert manifest.database == kit.engine.dialect.name
    with kit.store.read() as conn:
        assert (manifest.epoch, manifest.seq) == tuple(conn.execute(sa.text("SELECT epoch, seq FROM audit_head")).one())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("*one.backup*")] == ["one.backup"], "nothing is left beside it"


def test_backup_holds_no_key_that_opens_it(kit: Kit, tmp_path: Path) -> None:
    kit.create("h1", bound("h1"), fields={"full_name": "王小明明明", "mobile": "+8613800138000"})
    file = backed_up(kit, tmp_path)
    with zipfile.ZipFile(file) as archive:
        inside = b"".join(archive.read(name) for name in archive.namelist())
    for secret in (b"k" * 32, (b"k" * 32).hex().encode(), "王小明明明".encode(), b"13800138000"):
        assert secret not in inside


def test_backup_beside_writers_is_one_moment(kit: Kit, empty: str, tmp_path: Path) -> None:
    stop, failed = threading.Event(), list[BaseException]()

    def write() -> None:
        writer, number = kit.other(), 0
        try:
            while not stop.is_set():
                number += 1
                writer.create(f"w{number}", bound(f"w{number}", native_id=f"w{number}"))
                with writer.store.begin() as work:
                    work.audit(event("record.read", f"w{number}"))
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failed.append(error)
        finally:
            writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        files = [backed_up(kit, tmp_path, f"{number}.backup") for number in range(4)]
    finally:
        stop.set()
        thread.join()
    assert failed == []
    manifest = restore_backup(files[-1], empty, bench(kit))
    other = Kit(empty, kit.clock)
    with other.store.read() as conn:
        verdict = verify(audit_rows(conn))
        orphans = conn.execute(
            sa.text("SELECT count(*) FROM binding WHERE hub_id NOT IN (SELECT hub_id FROM golden)")
        ).scalar_one()
        goldens = conn.execute(sa.text("SELECT count(*) FROM golden")).scalar_one()
    other.close()
    assert verdict.ok
    assert verdict.count == manifest.seq + 2, "all rows up to the head of the copy, and the restore"
    assert (orphans, goldens) == (0, manifest.tables["golden"])


def test_file_that_exists_is_never_overwritten(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "one.backup").write_bytes(b"precious")
    with pytest.raises(Declined):
        backed_up(kit, tmp_path)
    assert (tmp_path / "one.backup").read_bytes() == b"precious"


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """Lets no file grow beyond a limit, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("limit", [500, 8_000])
def test_full_disk_leaves_nothing_and_says_so(kit: Kit, tmp_path: Path, limit: int) -> None:
    fill(kit, 60)
    folder = tmp_path / "backups"
    folder.mkdir()
    with small_disk(limit), pytest.raises(BackupFailed, match="HUB-BACKUP-001") as said:
        backed_up(kit, folder)
    assert str(folder) in said.value.zh
    assert list(folder.iterdir()) == []
    backed_up(kit, folder)


def test_folder_that_is_not_there_is_named(kit: Kit, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="nowhere"):
        backed_up(kit, tmp_path / "nowhere")


def refused(kit: Kit, file: Path, url: str, error: type[HubError], code: str, **changes: Any) -> str:
    """Expects one clear refusal, in both languages, that leaves the target as it was."""
    target = open_engine(url)
    before = dump(target)
    target.dispose()
    options = {name: changes.pop(name) for name in ("replace",) if name in changes}
    with pytest.raises(error) as said:
        restore_backup(file, url, bench(kit, **changes), **options)
    assert said.value.code == code
    assert said.value.en
    assert said.value.zh
    target = open_engine(url)
    assert dump(target) == before
    target.dispose()
    return said.value.en


def test_another_key_is_refused_before_anything_is_touched(kit: Kit, empty: str, tmp_path: Path) -> None:
    fill(kit)
    file = backed_up(kit, tmp_path)
    said = refused(kit, file, empty, KeyUnusable, "HUB-BACKUP-005", provider=OtherKeys())
    assert "kit:1" in said
    assert "kit:2" in said


def test_a_key_that_only_has_the_same_name_is_refused_too(kit: Kit, empty: str, tmp_path: Path) -> None:
    class Pretender(OtherKeys):
        def kek_id(self) -> str:
            return "kit:1"

    fill(kit)
    with pytest.raises(HubError) as said:
        restore_backup(backed_up(kit, tmp_path), empty, bench(kit, provider=Pretender()))
    assert said.value.code.startswith("HUB-KEY")
    assert not any(dump(open_engine(empty)).values())


def test_backup_of_another_installation_is_refused(kit: Kit, empty: str, tmp_path: Path) -> None:
    fill(kit)
    file = backed_up(kit, tmp_path)
    said = refused(kit, file, empty, BackupRefused, "HUB-BACKUP-003", installation="elsewhere")
    assert TENANT in said
    assert "elsewhere" in said


def rewritten(file: Path, change: Callable[[dict[str, Any]], None], seal: bool = True) -> Path:
    """Writes a copy of a backup whose manifest was changed."""
    made = file.with_name(f"changed-{file.name}")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            body = source.read(name)
            if name == MANIFEST:
                manifest = orjson.loads(body)
                change(manifest)
                body = orjson.dumps(manifest)
            target.writestr(name, body)
    return made


def test_backup_of_a_newer_release_is_refused(kit: Kit, empty: str, tmp_path: Path) -> None:
    fill(kit)
    file = rewritten(backed_up(kit, tmp_path), lambda manifest: manifest.update(revision="9999"))
    refused(kit, file, empty, BackupRefused, "HUB-BACKUP-004")
    newer = rewritten(backed_up(kit, tmp_path, "two.backup"), lambda manifest: manifest.update(format=2))
    refused(kit, newer, empty, BackupRefused, "HUB-BACKUP-004")


def test_manifest_that_was_not_written_by_this_installation_is_refused(kit: Kit, empty: str, tmp_path: Path) -> None:
    fill(kit)
    file = rewritten(backed_up(kit, tmp_path), lambda manifest: manifest.update(made_at="2020-01-01T00:00:00.000Z"))
    refused(kit, file, empty, BackupDamaged, "HUB-BACKUP-002")


@pytest.mark.parametrize("place", [0.05, 0.3, 0.5, 0.8, 0.999])
def test_one_flipped_byte_is_found(kit: Kit, empty: str, tmp_path: Path, place: float) -> None:
    fill(kit)
    file = backed_up(kit, tmp_path)
    body = bytearray(file.read_bytes())
    body[int(len(body) * place)] ^= 0x55
    file.write_bytes(body)
    try:
        restore_backup(file, empty, bench(kit))
    except (BackupDamaged, BackupRefused):
        return
    # A byte of the container that says nothing about the content may be anything.
    assert dump(open_engine(empty))["golden"] == dump(kit.engine)["golden"]


@pytest.mark.parametrize("part", [0.0, 0.4, 0.9])
def test_file_that_was_cut_off_is_refused(kit: Kit, empty: str, tmp_path: Path, part: float) -> None:
    fill(kit)
    file = backed_up(kit, tmp_path)
    body = file.read_bytes()
    file.write_bytes(body[: int(len(body) * part)])
    refused(kit, file, empty, BackupDamaged, "HUB-BACKUP-002")


def test_content_that_its_digest_does_not_name_is_refused(kit: Kit, empty: str, tmp_path: Path) -> None:
    fill(kit)
    file = backed_up(kit, tmp_path)
    made = tmp_path / "swapped.backup"
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            body = source.read(name)
            changed = name in ("hub.db", "tables/binding.copy")
            target.writestr(name, body.replace(b"n1", b"n9") if changed else body)
    refused(kit, made, empty, BackupDamaged, "HUB-BACKUP-002")


def test_store_that_holds_records_is_replaced_only_when_told(kit: Kit, tmp_path: Path) -> None:
    fill(kit, 3)
    file = backed_up(kit, tmp_path)
    kit.create("later", bound("later", native_id="later"))
    kit.engine.dispose()
    refused(kit, file, kit.url, Declined, "HUB-REQ-409")
    restore_backup(file, kit.url, bench(kit), replace=True)
    again = Kit(kit.url, kit.clock)
    with again.store.read() as conn:
        ids = set(conn.execute(sa.text("SELECT hub_id FROM golden")).scalars())
    again.close()
    assert ids == {"h0", "h1", "h2"}


def test_store_without_records_is_replaced_without_asking(kit: Kit, empty: str, tmp_path: Path) -> None:
    fill(kit)
    file = backed_up(kit, tmp_path)
    fresh = open_engine(empty)
    migrate(fresh)
    fresh.dispose()
    restore_backup(file, empty, bench(kit))
    assert len(dump(open_engine(empty))["golden"]) == 5


def test_database_file_that_a_process_has_open_is_not_replaced(tmp_path: Path, sqlite_template: Path) -> None:
    file = tmp_path / "hub.db"
    file.write_bytes(sqlite_template.read_bytes())
    kit = Kit(f"sqlite:///{file}")
    fill(kit)
    backup = backed_up(kit, tmp_path)
    other = sqlite3.connect(file)
    other.execute("SELECT count(*) FROM golden").fetchone()
    kit.engine.dispose()
    with pytest.raises(Busy):
        restore_backup(backup, kit.url, bench(kit), replace=True)
    other.close()
    restore_backup(backup, kit.url, bench(kit), replace=True)
    assert sorted(path.name for path in tmp_path.glob(".*")) == [], "no scratch file is left"


def test_damaged_store_is_replaced_and_its_log_is_not_replayed(tmp_path: Path, sqlite_template: Path) -> None:
    file = tmp_path / "hub.db"
    file.write_bytes(sqlite_template.read_bytes())
    kit = Kit(f"sqlite:///{file}")
    fill(kit)
    backup = backed_up(kit, tmp_path)
    kit.close()
    file.write_bytes(b"garbage" * 1000)
    file.with_name("hub.db-wal").write_bytes(b"stale")
    with pytest.raises(Declined):
        restore_backup(backup, kit.url, bench(kit))
    restore_backup(backup, kit.url, bench(kit), replace=True)
    assert len(dump(open_engine(kit.url))["golden"]) == 5


def test_every_table_of_the_schema_is_known_to_the_backup(kit: Kit) -> None:
    with kit.engine.connect() as conn:
        there = set(sa.inspect(conn).get_table_names()) - {"alembic_version"}
    assert there == {name for name in known_tables() if name in there}
    assert there <= set(known_tables())


def test_manifest_comes_back_as_it_was_written(kit: Kit, tmp_path: Path) -> None:
    made = write_backup(kit.store, tmp_path / "one.backup", "1")
    read: Manifest = decode(made.encode())
    assert read == made
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(b"{}")
