"""Copies the store into one archive file while it is in use, and reads such a file again.

The archive is a ZIP. `manifest.json` says what is inside and `manifest.mac` is its keyed digest; the rest is the SQLite
database, or one file per PostgreSQL table in the text form of COPY. Sealed blobs and wrapped data keys are inside; the
key that opens them never is.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import orjson
import psycopg
import sqlalchemy as sa
from psycopg import sql

import hub.store
from hub.kernel.clock import iso
from hub.kernel.errors import Declined, HubError
from hub.keys.keyring import Keyring
from hub.store.anchor import flush, head_of, scratch
from hub.store.database import store_errors
from hub.store.migrate import revision_of
from hub.store.tables import crypto_key, meta, metadata
from hub.store.unit_of_work import Store

FORMAT = 1
MANIFEST, SEAL, DATABASE = "manifest.json", "manifest.mac", "hub.db"
CHUNK = 1 << 20
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, TypeError, NotImplementedError)


class BackupFailed(HubError):
    """Is raised when a backup cannot be written; nothing is left behind."""

    code = "HUB-BACKUP-001"
    exit_code = 5


class BackupDamaged(HubError):
    """Is raised when a file is no backup, is cut off, or is not what its manifest says."""

    code = "HUB-BACKUP-002"
    exit_code = 5


@dataclass(frozen=True, slots=True)
class Member:
    """Is one file of the archive: its size in bytes and its SHA-256; `columns` of a table in the order of COPY."""

    size: int
    sha256: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """Says what a backup holds: of which installation and release, sealed under which keys, up to which audit row.

    `tables` are rows per table in an order in which they can be loaded; `chain` is that of audit row `seq`.
    """

    format: int
    release: str
    made_at: str
    database: str
    revision: str
    installation: str
    keys: tuple[str, ...]
    epoch: int
    seq: int
    chain: str
    tables: Mapping[str, int]
    members: Mapping[str, Member]

    @property
    def rows(self) -> int:
        return sum(self.tables.values())

    def encode(self) -> bytes:
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)


def decode(body: bytes) -> Manifest:
    """Reads a manifest. Raises ValueError, KeyError or TypeError for what is none."""
    read = orjson.loads(body)
    members = {
        str(name): Member(int(item["size"]), str(item["sha256"]), tuple(item["columns"]))
        for name, item in read.pop("members").items()
    }
    return Manifest(**{**read, "keys": tuple(read["keys"])}, members=members)


def write_backup(store: Store, file: Path, release: str) -> Manifest:
    """Writes a consistent copy of the store and reads it back; the file appears under its name once it is proven.

    Raises Declined where the file exists, BackupFailed and StoreUnavailable.
    """
    if file.exists():
        raise Declined(
            f"{file} exists and is not overwritten; name another file", f"{file} 已存在，不会覆盖；请指定其他文件名"
        )
    with _failing(file), scratch(file.parent, file.name) as partial:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            copy = _copy_sqlite if store.engine.dialect.name == "sqlite" else _copy_postgres
            body = copy(store, archive, file.parent, release).encode()
            archive.writestr(MANIFEST, body)
            archive.writestr(SEAL, seal_of(store.ring, body).hex())
        flush(partial)
        manifest, _, _ = read_backup(partial)
        check_members(partial, manifest)
        os.replace(partial, file)
        flush(file.parent)
    return manifest


def seal_of(ring: Keyring, body: bytes) -> bytes:
    """Returns the keyed digest of a manifest: only who holds the installation's keys can make it."""
    return ring.digest(b"backup", body)


def _copy_sqlite(store: Store, archive: zipfile.ZipFile, folder: Path, release: str) -> Manifest:
    with scratch(folder, DATABASE) as copy:
        source, target = store.engine.raw_connection(), sqlite3.connect(copy)
        try:
            # In one step: the copy is one moment of the store, and writers go on beside it.
            source.driver_connection.backup(target)  # type: ignore[union-attr]
            target.execute("PRAGMA journal_mode=DELETE")
            _prove(target)
        finally:
            target.close()
            source.close()
        engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(copy), poolclass=sa.pool.NullPool)
        with store_errors(), engine.connect() as conn:
            with copy.open("rb") as stream:
                member = _add(archive, DATABASE, iter(lambda: stream.read(CHUNK), b""))
            counts = {name: _count(conn, name) for name in own_tables(conn)}
            return _manifest(store, conn, release, counts, {DATABASE: member})


def _prove(copy: sqlite3.Connection) -> None:
    """Raises BackupFailed when the store itself is damaged: such a copy is worth nothing."""
    verdict = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok" or copy.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise BackupFailed(
            "the store itself is damaged, so no backup was written; keep its file and restore an earlier backup",
            "存储本身已损坏，未生成备份；请保留该文件并从较早的备份恢复",
        )


def _copy_postgres(store: Store, archive: zipfile.ZipFile, folder: Path, release: str) -> Manifest:
    """Copies all tables in one read-only REPEATABLE READ transaction: one moment of the store."""
    options = store.engine.connect().execution_options(isolation_level="REPEATABLE READ")
    with store_errors(), options as conn, conn.begin():
        conn.exec_driver_sql("SET TRANSACTION READ ONLY")
        counts: dict[str, int] = {}
        members: dict[str, Member] = {}
        for name in own_tables(conn):
            columns = tuple(str(column["name"]) for column in sa.inspect(conn).get_columns(name))
            member = _add(archive, member_of(name), _rows_out(conn, name, columns))
            members[member_of(name)] = Member(member.size, member.sha256, columns)
            counts[name] = _count(conn, name)
        return _manifest(store, conn, release, counts, members)


def _rows_out(conn: sa.Connection, table: str, columns: tuple[str, ...]) -> Iterator[bytes]:
    with cursor_of(conn) as cursor, cursor.copy(copy_statement("TO STDOUT", table, columns)) as rows:
        for chunk in rows:
            yield bytes(chunk)


def cursor_of(conn: sa.Connection) -> psycopg.Cursor[tuple[object, ...]]:
    """Returns a cursor of the driver inside the open transaction."""
    raw = conn.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw.cursor()


def copy_statement(direction: str, table: str, columns: Iterable[str]) -> sql.Composed:
    """Returns a COPY in text form; `direction` is `TO STDOUT` or `FROM STDIN`."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    way = sql.SQL("TO STDOUT" if direction == "TO STDOUT" else "FROM STDIN")
    return sql.SQL("COPY {} ({}) {} (FORMAT text, ENCODING 'UTF8')").format(sql.Identifier(table), names, way)


def member_of(table: str) -> str:
    return f"tables/{table}.copy"


def _add(archive: zipfile.ZipFile, name: str, chunks: Iterable[bytes]) -> Member:
    digest, size = hashlib.sha256(), 0
    with archive.open(name, "w", force_zip64=True) as sink:
        for chunk in chunks:
            sink.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return Member(size, digest.hexdigest())


def known_tables() -> list[str]:
    """Returns the names of every table of this release, parents first."""
    for module in iter_modules(hub.store.__path__):
        if module.name.endswith("tables"):
            import_module(f"hub.store.{module.name}")
    return [str(table.name) for table in metadata.sorted_tables]


def own_tables(conn: sa.Connection) -> list[str]:
    """Returns our own tables as they stand in a database; other tables that live there are none of our business."""
    there = set(sa.inspect(conn).get_table_names())
    return [name for name in known_tables() if name in there]


def _count(conn: sa.Connection, table: str) -> int:
    return int(conn.execute(sa.select(sa.func.count()).select_from(metadata.tables[table])).scalar_one())


def _manifest(
    store: Store, conn: sa.Connection, release: str, counts: dict[str, int], members: dict[str, Member]
) -> Manifest:
    epoch, seq, chain = head_of(conn)
    tenant = sa.select(meta.c.value).where(meta.c.key == "tenant")
    return Manifest(
        FORMAT,
        release,
        iso(store.clock.now()),
        store.engine.dialect.name,
        revision_of(conn) or "",
        conn.execute(tenant).scalar_one_or_none() or store.ring.tenant,
        tuple(conn.execute(sa.select(crypto_key.c.kek_id).distinct()).scalars()),
        epoch,
        seq,
        chain.hex(),
        counts,
        members,
    )


def read_backup(file: Path) -> tuple[Manifest, bytes, bytes]:
    """Returns the manifest of a backup, its bytes and their keyed digest. Raises BackupDamaged."""
    with _reading(file), zipfile.ZipFile(file) as archive:
        body = archive.read(MANIFEST)
        return decode(body), body, bytes.fromhex(archive.read(SEAL).decode())


def check_members(file: Path, manifest: Manifest) -> None:
    """Reads the whole archive and compares it with its manifest. Raises BackupDamaged."""
    for name in manifest.members:
        for _ in member_chunks(file, manifest, name):
            pass


def member_chunks(file: Path, manifest: Manifest, name: str) -> Iterator[bytes]:
    """Yields one file of a backup in pieces; raises BackupDamaged at its end when it is not what was written."""
    digest, size = hashlib.sha256(), 0
    with _reading(file), zipfile.ZipFile(file) as archive, archive.open(name) as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            yield chunk
    if (size, digest.hexdigest()) != (manifest.members[name].size, manifest.members[name].sha256):
        raise damaged(file)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE:
        raise damaged(file) from None


def damaged(file: Path) -> BackupDamaged:
    return BackupDamaged(
        f"{file} is no backup of crmhub, or is damaged; nothing was changed: use another copy of it",
        f"{file} 不是 crmhub 备份，或已损坏；未做任何改动，请使用其他备份",
    )


@contextmanager
def _failing(file: Path) -> Iterator[None]:
    """Turns what the place of the backup refuses into one message."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        cause = getattr(error, "strerror", None) or ("disk full" if "full" in str(error) else type(error).__name__)
        raise BackupFailed(
            f"the backup cannot be written to {file.parent}: {cause}; nothing was left there: free space or name "
            "another folder",
            f"无法将备份写入 {file.parent}：{cause}；未留下任何文件，请清理空间或指定其他目录",
        ) from None
