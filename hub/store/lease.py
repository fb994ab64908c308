"""Admits one cycle per entity: a lock that the kernel frees when its holder dies, and an epoch that outlives it.

SQLite: a file lock beside the database. PostgreSQL: a session advisory lock on a connection of its own.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa

from hub.kernel.errors import Busy
from hub.store.common import lock_key
from hub.store.database import store_errors
from hub.store.tables import lease
from hub.store.unit_of_work import Lease, Store

_in_process: dict[tuple[int, str], threading.Lock] = {}
_registry = threading.Lock()


@contextmanager
def hold(store: Store, entity: str, holder: str) -> Iterator[Lease]:
    """Takes the entity's lock and the next epoch. Raises Busy when another process or thread holds it."""
    with ExitStack() as stack:
        stack.enter_context(kernel_lock(store.engine, entity))
        with store.begin() as work:
            row = sa.select(lease.c.epoch).where(lease.c.entity == entity)
            before = work.conn.execute(row).scalar_one_or_none()
            values = {"epoch": (before or 0) + 1, "holder": holder, "taken_at": work.now}
            if before is None:
                work.conn.execute(lease.insert().values(entity=entity, **values))
            else:
                # An update, not a new row: who checks the old epoch meanwhile waits for this commit and sees it.
                work.conn.execute(lease.update().where(lease.c.entity == entity).values(values))
        yield Lease(entity, (before or 0) + 1)


@contextmanager
def kernel_lock(engine: sa.Engine, name: str) -> Iterator[Callable[[], bool]]:
    """Holds the lock of a name that the kernel frees when the process dies; yields what tells if it is held still.

    Raises Busy.
    """
    with _thread_lock(engine, name):
        if many_machines(engine):
            with _advisory_lock(engine, name) as holds:
                yield holds
        elif engine.url.database in (None, "", ":memory:"):
            yield _always
        else:
            with _file_lock(Path(str(engine.url.database)), name):
                yield _always


def _always() -> bool:
    return True


def many_machines(engine: sa.Engine) -> bool:
    """Tells whether other hosts may use this store: an embedded one belongs to one machine."""
    return engine.dialect.name == "postgresql"


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
def _advisory_lock(engine: sa.Engine, name: str) -> Iterator[Callable[[], bool]]:
    key = lock_key(name)
    with store_errors(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        if not conn.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one():
            raise _busy(name)
        server = conn.execute(sa.select(sa.func.pg_backend_pid())).scalar_one()

        def holds() -> bool:
            """Asks the server: a session that broke off lost the lock, and a new one never had it."""
            try:
                return bool(conn.execute(sa.select(sa.func.pg_backend_pid())).scalar_one() == server)
            except sa.exc.SQLAlchemyError:
                return False

        try:
            yield holds
        finally:
            if holds():
                conn.execute(sa.select(sa.func.pg_advisory_unlock(key)))


def held_elsewhere(conn: sa.Connection, names: Sequence[str]) -> set[str]:
    """Returns which of these names are locked by anybody now; on PostgreSQL only, in one look."""
    keys = {lock_key(name) % 2**64: name for name in names}
    rows = conn.execute(_LOCKS)
    return {keys[key] for row in rows if (key := (row.classid << 32) | row.objid) in keys}


# How pg_locks shows a lock of one 64-bit key. Source: PostgreSQL documentation, "pg_locks".
_LOCKS = sa.text(
    "SELECT classid::bigint AS classid, objid::bigint AS objid FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def _busy(entity: str) -> Busy:
    return Busy(
        f"a cycle of {entity} is already running; wait for it to end, or look at `crmhub status`",
        f"{entity} 的同步批次正在运行；请等待其结束，或查看 `crmhub status`",
    )
