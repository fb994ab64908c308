"""Puts a backup in the place of the store, all or nothing, and marks the store as restored."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from psycopg import sql

from hub.audit.event import Event
from hub.audit.tree import AppendEvents
from hub.crypto.provider import KeyProvider
from hub.kernel.clock import Clock
from hub.kernel.errors import Busy, Declined, HubError, KeyUnusable, StoreUnavailable
from hub.kernel.ids import NewId
from hub.keys.chain import missing
from hub.keys.keyring import Keyring
from hub.store.anchor import flush, mark_restored, scratch
from hub.store.backup import (
    DATABASE,
    FORMAT,
    Manifest,
    check_members,
    copy_statement,
    cursor_of,
    damaged,
    known_tables,
    member_chunks,
    member_of,
    own_tables,
    read_backup,
    seal_of,
)
from hub.store.database import WRITE, open_engine, store_errors
from hub.store.key_rows import key_rows
from hub.store.lease import kernel_lock
from hub.store.migrate import VERSION, config_of, revisions
from hub.store.tables import audit_entry, golden
from hub.store.unit_of_work import Store, UnitOfWork

_SQLITE = "sqlite:///"


class BackupRefused(HubError):
    """Is raised when a backup does not belong into this store; nothing was changed."""

    code = "HUB-BACKUP-003"
    exit_code = 3


@dataclass(frozen=True, slots=True)
class Bench:
    """Is what a restore needs of an installation: its name and entities, its key, and how an audit row is made."""

    installation: str
    profile: str
    entities: tuple[str, ...]
    provider: KeyProvider = field(repr=False)
    clock: Clock = field(repr=False)
    new_id: NewId = field(repr=False)
    append: AppendEvents = field(repr=False)


def restore_backup(file: Path, url: str, bench: Bench, *, replace: bool = False) -> Manifest:
    """Puts a backup into the store at `url` and brings it to this release; `replace` gives up what stands there.

    Raises BackupDamaged, BackupRefused, KeyUnusable, Declined for a store that holds records, Busy for one in use.
    """
    manifest, body, seal = read_backup(file)
    _judge(manifest, bench, "sqlite" if url.startswith("sqlite") else "postgresql")
    check_members(file, manifest)
    proof = _Proof(file, manifest, body, seal)
    with store_errors():
        if manifest.database == "sqlite":
            _restore_sqlite(proof, Path(url.removeprefix(_SQLITE).partition("?")[0]), bench, replace)
        else:
            _restore_postgres(proof, url, bench, replace)
    return manifest


@dataclass(frozen=True, slots=True)
class _Proof:
    """Is a backup under way: its file, its manifest, and the manifest's bytes with their keyed digest."""

    file: Path
    manifest: Manifest
    body: bytes = field(repr=False)
    seal: bytes = field(repr=False)


def _judge(manifest: Manifest, bench: Bench, database: str) -> None:
    """Refuses what does not belong here before anything is touched."""
    if manifest.format > FORMAT or manifest.revision not in revisions():
        raise BackupRefused(
            f"the backup was made by a newer crmhub ({manifest.release}, schema {manifest.revision}); "
            "restore it with that release",
            f"该备份由更新版本的 crmhub 生成（{manifest.release}，结构 {manifest.revision}）；请使用该版本恢复",
            code="HUB-BACKUP-004",
        )
    if manifest.installation != bench.installation:
        raise BackupRefused(
            f"the backup belongs to installation {manifest.installation}, this is {bench.installation}; "
            "restore it in the folder of its own installation",
            f"该备份属于安装 {manifest.installation}，当前为 {bench.installation}；请在其所属安装的目录中恢复",
        )
    if manifest.database != database:
        raise Declined(
            f"the backup was taken of {manifest.database}, but store.url names {database}; "
            f"point store.url at a database of kind {manifest.database}",
            f"该备份取自 {manifest.database}，而 store.url 指向 {database}；请将 store.url 改为 {manifest.database}",
        )
    if not manifest.keys or missing(bench.provider, manifest.keys):
        raise KeyUnusable(
            f"the backup was sealed under key {', '.join(manifest.keys)}, but the configured key is "
            f"{bench.provider.kek_id()}; bring back the key file of that time, or add it under keys.also",
            f"该备份由密钥 {'、'.join(manifest.keys)} 封存，而当前配置的密钥为 {bench.provider.kek_id()}；"
            "请换回备份当时的密钥文件，或将其加入 keys.also",
            code="HUB-BACKUP-005",
        )


# SQLite: a new file is finished beside the old one and takes its name.


def _restore_sqlite(proof: _Proof, target: Path, bench: Bench, replace: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not replace and _file_holds_rows(target):
        raise _full()
    with _alone(open_engine(f"{_SQLITE}{target}"), bench), scratch(target.parent, target.name) as fresh:
        with fresh.open("wb") as sink:
            for chunk in member_chunks(proof.file, proof.manifest, DATABASE):
                sink.write(chunk)
        engine = open_engine(f"{_SQLITE}{fresh}")
        try:
            with engine.connect().execution_options(**{WRITE: True}) as conn, conn.begin():
                _complete(conn, proof, bench)
        finally:
            engine.dispose()
        _settle_file(fresh)
        _let_go(target)
        os.replace(fresh, target)
        flush(target.parent)


def _file_holds_rows(file: Path) -> bool:
    if not file.exists() or file.stat().st_size == 0:
        return False
    conn = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        there = {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return any(
            conn.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone()  # noqa: S608 - names of our own tables
            for name in (audit_entry.name, golden.name)
            if name in there
        )
    except sqlite3.DatabaseError:
        # What cannot be read may hold anything.
        return True
    finally:
        conn.close()


def _settle_file(file: Path) -> None:
    """Leaves one file without a log beside it, safe on the disk."""
    conn = sqlite3.connect(file)
    try:
        conn.execute("PRAGMA journal_mode=DELETE")
    finally:
        conn.close()
    flush(file)


def _let_go(target: Path) -> None:
    """Makes sure that nobody has the old file open, and removes the logs that would be replayed into the new one."""
    if target.exists():
        old = sqlite3.connect(target, timeout=0, isolation_level=None)
        try:
            # Leaving WAL mode needs the file alone: any other process that has it open refuses this.
            alone = old.execute("PRAGMA journal_mode=DELETE").fetchone()[0] == "delete"
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise StoreUnavailable(
                    "the old database file cannot be written; check its folder, its owner and free space",
                    "无法写入原数据库文件；请检查目录、属主和磁盘空间",
                ) from None
            alone = False
        except sqlite3.DatabaseError:
            # A damaged file is a reason to restore, not to refuse.
            alone = True
        finally:
            old.close()
        if not alone:
            raise _in_use()
    for end in ("-wal", "-shm", "-journal"):
        target.with_name(target.name + end).unlink(missing_ok=True)


# PostgreSQL: everything happens in one transaction.


def _restore_postgres(proof: _Proof, url: str, bench: Bench, replace: bool) -> None:
    engine = open_engine(url)
    with _alone(engine, bench), engine.connect() as conn, conn.begin():
        if not replace and _holds_rows(conn):
            raise _full()
        _drop_tables(conn)
        command.upgrade(config_of(conn), proof.manifest.revision)
        _load_tables(conn, proof)
        _complete(conn, proof, bench)


def _holds_rows(conn: sa.Connection) -> bool:
    there = set(own_tables(conn))
    return any(
        conn.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None
        for table in (audit_entry, golden)
        if table.name in there
    )


def _drop_tables(conn: sa.Connection) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, [*known_tables(), VERSION]))
    with cursor_of(conn) as cursor:
        cursor.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(names))
        cursor.execute("DROP FUNCTION IF EXISTS audit_entry_refuse() CASCADE")


def _load_tables(conn: sa.Connection, proof: _Proof) -> None:
    manifest = proof.manifest
    names = sql.SQL(", ").join(map(sql.Identifier, manifest.tables))
    with cursor_of(conn) as cursor:
        cursor.execute(sql.SQL("TRUNCATE {}").format(names))
        for table in manifest.tables:
            member = manifest.members[member_of(table)]
            with cursor.copy(copy_statement("FROM STDIN", table, member.columns)) as rows:
                for chunk in member_chunks(proof.file, manifest, member_of(table)):
                    rows.write(chunk)
    for table in manifest.tables:
        _count_on(conn, table)


def _count_on(conn: sa.Connection, table: str) -> None:
    """Makes counted ids go on after the highest that was loaded."""
    for column in sa.inspect(conn).get_columns(table):
        if column.get("autoincrement") is True or "nextval" in str(column.get("default")):
            place = sql.SQL("SELECT setval(pg_get_serial_sequence({}, {}), GREATEST(max({}), 1)) FROM {}").format(
                sql.Literal(table), sql.Literal(column["name"]), sql.Identifier(column["name"]), sql.Identifier(table)
            )
            with cursor_of(conn) as cursor:
                cursor.execute(place)


# Both.


def _complete(conn: sa.Connection, proof: _Proof, bench: Bench) -> None:
    """Brings what was loaded to this release, proves it with the keys, marks it and writes the audit row."""
    command.upgrade(config_of(conn), "head")
    ring = Keyring.load(bench.provider, bench.installation, key_rows(conn), profile=bench.profile)
    if seal_of(ring, proof.body) != proof.seal:
        raise damaged(proof.file)
    manifest = proof.manifest
    work = UnitOfWork(conn, ring, bench.clock.now(), bench.new_id)
    mark_restored(work, bench.entities, f"{manifest.epoch}:{manifest.seq}:{manifest.chain}")
    work.audit(
        Event(
            "restore",
            "store",
            manifest.installation,
            reason="command",
            digest=manifest.chain,
            counts={"rows": manifest.rows, "head": manifest.seq},
        )
    )
    Store(conn.engine, ring, bench.clock, bench.new_id, bench.append).append_events(work)


@contextmanager
def _alone(engine: sa.Engine, bench: Bench) -> Iterator[None]:
    """Holds the cycles of every entity off. Raises Busy while one runs."""
    try:
        with ExitStack() as stack:
            for entity in bench.entities:
                stack.enter_context(kernel_lock(engine, entity))
            yield
    finally:
        engine.dispose()


def _full() -> Declined:
    return Declined(
        "the store holds records already; take a backup of it first, then add --replace to give it up",
        "存储中已有记录；请先备份，再加 --replace 替换",
    )


def _in_use() -> Busy:
    return Busy(
        "the database is open in another process; stop the daemon and every other crmhub, then restore again",
        "数据库正被其他进程使用；请停止守护进程及其他 crmhub 进程后重试",
    )
