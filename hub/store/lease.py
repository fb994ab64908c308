"""Admits one cycle per entity: a lock that the kernel frees when its holder dies, and an epoch that outlives it.

SQLite: a file lock beside the database. PostgreSQL: a session advisory lock on a connection of its own.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path

import sqlalchemy as sa

from hub.kernel.errors import Busy
from hub.store.database import Prepared, bulk_insert, store_errors
from hub.store.tables import lease
from hub.store.unit_of_work import Lease, Store

_EPOCH = Prepared(sa.select(lease.c.epoch).where(lease.c.entity == sa.bindparam("of")))
_FREE = Prepared(lease.delete().where(lease.c.entity == sa.bindparam("of")))
_in_process: dict[tuple[int, str], threading.Lock] = {}
_registry = threading.Lock()


@contextmanager
def hold(store: Store, entity: str, holder: str) -> Iterator[Lease]:
    """Takes the entity's lock and the next epoch. Raises Busy when another process or thread holds it."""
    with ExitStack() as stack:
        stack.enter_context(kernel_lock(store.engine, entity))
        with store.begin() as work:
            epoch = (_EPOCH.run(work.conn, {"of": entity}).scalar_one_or_none() or 0) + 1
            _FREE.run(work.conn, {"of": entity})
            row = {"entity": entity, "epoch": epoch, "holder": holder, "taken_at": work.now}
            bulk_insert(work.conn, lease, [row])
        yield Lease(entity, epoch)


@contextmanager
def kernel_lock(engine: sa.Engine, entity: str) -> Iterator[None]:
    """Holds the lock of an entity that the kernel frees when the process dies. Raises Busy."""
    with _thread_lock(engine, entity):
        if engine.dialect.name == "postgresql":
            with _advisory_lock(engine, entity):
                yield
        elif engine.url.database in (None, "", ":memory:"):
            yield
        else:
            with _file_lock(Path(str(engine.url.database)), entity):
                yield


@contextmanager
def _thread_lock(engine: sa.Engine, entity: str) -> Iterator[None]:
    with _registry:
        lock = _in_process.setdefault((id(engine), entity), threading.Lock())
    if not lock.acquire(blocking=False):
        raise _busy(entity)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _file_lock(database: Path, entity: str) -> Iterator[None]:
    with store_errors():
        handle = os.open(database.with_name(f"{database.name}.{entity}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(entity) from None
        yield
    finally:
        os.close(handle)


@contextmanager
def _advisory_lock(engine: sa.Engine, entity: str) -> Iterator[None]:
    key = int.from_bytes(blake2b(f"crmhub:{entity}".encode(), digest_size=8).digest(), "big", signed=True)
    with store_errors(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        if not conn.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one():
            raise _busy(entity)
        try:
            yield
        finally:
            conn.execute(sa.select(sa.func.pg_advisory_unlock(key)))


def _busy(entity: str) -> Busy:
    return Busy(
        f"a cycle of {entity} is already running; wait for it to end, or look at `crmhub status`",
        f"{entity} 的同步批次正在运行；请等待其结束，或查看 `crmhub status`",
    )
