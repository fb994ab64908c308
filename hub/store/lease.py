"""Admits one cycle per entity: a lock that the kernel frees when its holder dies, and an epoch that outlives it.

SQLite: a file lock beside the database. PostgreSQL: a session advisory lock on a connection of its own.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from hub.kernel.errors import Busy, StoreUnavailable
from hub.store.common import lock_key
from hub.store.database import Prepared, bulk_insert, store_errors
from hub.store.tables import lease
from hub.store.unit_of_work import Lease, Store

LEAD = "daemon"
"""Is the name of the lease of whoever steers by the schedules."""

_EPOCH = Prepared(sa.select(lease.c.epoch).where(lease.c.entity == sa.bindparam("of")))
# An update, not a new row: who checks the old epoch meanwhile waits for this commit and sees it.
_NEXT = Prepared(
    lease.update()
    .where(lease.c.entity == sa.bindparam("of"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("epoch", "holder", "taken_at")})
)
_in_process: set[tuple[int, str]] = set()
_registry = threading.Lock()


@contextmanager
def hold(store: Store, entity: str, holder: str) -> Iterator[Lease]:
    """Takes the entity's lock and the next epoch. Raises Busy when another process or thread holds it."""
    with ExitStack() as stack:
        stack.enter_context(kernel_lock(store.engine, entity))
        yield Lease(entity, _next_epoch(store, entity, holder))


def _next_epoch(store: Store, name: str, holder: str) -> int:
    with store.begin() as work:
        before = _EPOCH.run(work.conn, {"of": name}).scalar()
        row = {"epoch": (before or 0) + 1, "holder": holder, "taken_at": work.now}
        if before is None:
            bulk_insert(work.conn, lease, [{"entity": name, **row}])
        else:
            _NEXT.run(work.conn, {"of": name, **{f"new_{key}": value for key, value in row.items()}})
    return (before or 0) + 1


class Lead:
    """Is the right to steer by the schedules: one process of the installation has it, the others stand by."""

    def __init__(self, store: Store, holder: str) -> None:
        self._store, self._holder = store, holder
        self._kept = ExitStack()
        self._holds: Callable[[], bool] | None = None

    def take(self) -> bool:
        """Takes the lead; False while another process has it."""
        with ExitStack() as stack:
            try:
                holds = stack.enter_context(kernel_lock(self._store.engine, LEAD))
            except Busy:
                return False
            _next_epoch(self._store, LEAD, self._holder)
            self._kept, self._holds = stack.pop_all(), holds
        return True

    @property
    def led(self) -> bool:
        """Tells whether this process took the lead and has not found that it lost it."""
        return self._holds is not None

    def holds(self) -> bool:
        """Tells whether this process leads still; a connection that broke off lost the lead."""
        if self._holds is not None and not self._holds():
            self.release()
        return self._holds is not None

    def release(self) -> None:
        """Leaves the lead to others."""
        self._holds = None
        with suppress(StoreUnavailable, sa.exc.SQLAlchemyError):  # a connection that broke off took its lock with it
            self._kept.pop_all().close()


@dataclass(frozen=True, slots=True)
class Holder:
    """Is who has a lease, or had it last; `held` says whether it is in use now."""

    name: str
    since: float
    held: bool


def leader(store: Store) -> Holder | None:
    """Returns who steers by the schedules, or did so last; None where nobody ever did."""
    with store.read() as conn:
        row = conn.execute(sa.select(lease).where(lease.c.entity == LEAD)).one_or_none()
    return None if row is None else Holder(row.holder, row.taken_at, _is_held(store.engine, LEAD))


def _is_held(engine: sa.Engine, name: str) -> bool:
    try:
        with kernel_lock(engine, name):
            return False
    except Busy:
        return True


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
    mine = (id(engine), entity)
    with _registry:
        if mine in _in_process:
            raise _busy(entity)
        _in_process.add(mine)
    try:
        yield
    finally:
        with _registry:
            _in_process.discard(mine)


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
    """Returns which of these names are locked by anybody now, in one look; an embedded store has nobody else."""
    if conn.dialect.name != "postgresql":
        return set()
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
