"""What the audit log keeps beside its entries: epochs, signed checkpoints, and how far each sink has come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from hub.audit.tree import RowTuple
from hub.store.anchor import head_of
from hub.store.audit_tables import audit_checkpoint, audit_epoch, audit_outbox
from hub.store.database import WRITE, as_bytes, store_errors
from hub.store.tables import audit_entry, audit_head
from hub.store.unit_of_work import Store, UnitOfWork


@dataclass(frozen=True, slots=True)
class Epoch:
    """Is one epoch of the log and the name of its hash."""

    epoch: int
    hash: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Is one signed checkpoint as it is stored; `number` counts them, `signed_at` is in epoch seconds."""

    number: int
    epoch: int
    size: int
    note: str
    signed_at: float


@dataclass(frozen=True, slots=True)
class Outbox:
    """Is how far a sink has come: the newest that it has had, and when it is tried again after a failure."""

    sink: str
    epoch: int = 0
    position: int = 0
    delivered_at: float | None = None
    retry_at: float | None = None
    failures: int = 0
    code: str | None = None


@contextmanager
def snapshot(store: Store) -> Iterator[sa.Connection]:
    """Yields a connection that sees one moment of the store, however long it reads."""
    with store_errors(), store.engine.connect() as conn:
        if conn.dialect.name != "sqlite":  # SQLite always does
            conn = conn.execution_options(isolation_level="REPEATABLE READ")
        yield conn


def epochs(conn: sa.Connection) -> list[Epoch]:
    """Returns the epochs, oldest first."""
    rows = conn.execute(sa.select(audit_epoch.c.epoch, audit_epoch.c.hash).order_by(audit_epoch.c.epoch))
    return [Epoch(*row) for row in rows]


def rows_from(conn: sa.Connection, epoch: int, seq: int, batch: int = 2000) -> Iterator[RowTuple]:
    """Streams the rows of one epoch from a place on, in order."""
    query = (
        sa.select(audit_entry)
        .where(audit_entry.c.epoch == epoch, audit_entry.c.seq >= seq)
        .order_by(audit_entry.c.seq)
        .execution_options(yield_per=batch)
    )
    for part in conn.execute(query).partitions():
        for epoch_, seq_, body, leaf, chain in part:
            yield epoch_, seq_, as_bytes(body), as_bytes(leaf), as_bytes(chain)


def row_at(conn: sa.Connection, epoch: int, seq: int) -> RowTuple | None:
    """Returns one row."""
    here = sa.and_(audit_entry.c.epoch == epoch, audit_entry.c.seq == seq)
    row = conn.execute(sa.select(audit_entry).where(here)).one_or_none()
    return None if row is None else (row.epoch, row.seq, as_bytes(row.body), as_bytes(row.leaf), as_bytes(row.chain))


def strays(conn: sa.Connection) -> list[tuple[int, int]]:
    """Returns (epoch, rows) of entries that no opened epoch holds, or that lie behind the head."""
    epoch, seq, _ = head_of(conn)
    known = sa.select(audit_epoch.c.epoch)
    behind = sa.and_(audit_entry.c.epoch == epoch, audit_entry.c.seq > seq)
    query = (
        sa.select(audit_entry.c.epoch, sa.func.count())
        .where(sa.or_(audit_entry.c.epoch > epoch, behind, audit_entry.c.epoch.not_in(known)))
        .group_by(audit_entry.c.epoch)
    )
    return [(found, int(number)) for found, number in conn.execute(query)]


def choose_hash(engine: sa.Engine, hash_: str) -> None:
    """Sets the hash of a log that has no entry yet; one that has keeps its own."""
    with store_errors(), engine.connect().execution_options(**{WRITE: True}) as conn, conn.begin():
        epoch, seq, _ = head_of(conn)
        if seq < 0:
            conn.execute(audit_epoch.update().where(audit_epoch.c.epoch == epoch).values(hash=hash_))


def open_epoch(work: UnitOfWork, hash_: str, above: int = 0) -> int:
    """Opens an epoch with a number that none had: the events of this unit of work are its first entries."""
    epoch = work.conn.execute(sa.select(audit_head.c.epoch).where(audit_head.c.id == 1).with_for_update()).scalar_one()
    fresh = max(int(epoch), above) + 1
    work.conn.execute(audit_epoch.insert().values(epoch=fresh, hash=hash_, opened_at=work.now))
    work.conn.execute(audit_head.update().where(audit_head.c.id == 1).values(epoch=fresh, seq=-1))
    return fresh


# Checkpoints.


def keep_checkpoint(work: UnitOfWork, epoch: int, size: int, note: str) -> int:
    """Keeps a signed checkpoint; returns its number."""
    newest = work.conn.execute(sa.select(sa.func.max(audit_checkpoint.c.number))).scalar()
    number = int(newest or 0) + 1
    work.conn.execute(
        audit_checkpoint.insert().values(number=number, epoch=epoch, size=size, note=note, signed_at=work.now)
    )
    return number


def newest_checkpoint(conn: sa.Connection) -> Kept | None:
    """Returns the checkpoint that was signed last."""
    query = sa.select(audit_checkpoint).order_by(audit_checkpoint.c.number.desc()).limit(1)
    row = conn.execute(query).one_or_none()
    return None if row is None else Kept(*row)


def checkpoints(conn: sa.Connection, epoch: int, size: int = 0) -> Iterator[Kept]:
    """Streams the checkpoints of an epoch from a size on, in order of size."""
    query = (
        sa.select(audit_checkpoint)
        .where(audit_checkpoint.c.epoch == epoch, audit_checkpoint.c.size >= size)
        .order_by(audit_checkpoint.c.size, audit_checkpoint.c.number)
        .execution_options(yield_per=500)
    )
    for row in conn.execute(query):
        yield Kept(*row)


def checkpoints_after(conn: sa.Connection, number: int, limit: int) -> list[Kept]:
    """Returns the checkpoints that follow one, oldest first."""
    query = (
        sa.select(audit_checkpoint)
        .where(audit_checkpoint.c.number > number)
        .order_by(audit_checkpoint.c.number)
        .limit(limit)
    )
    return [Kept(*row) for row in conn.execute(query)]


# Sinks.


def outboxes(conn: sa.Connection) -> dict[str, Outbox]:
    """Returns how far every sink has come, by its name."""
    return {row.sink: Outbox(*row) for row in conn.execute(sa.select(audit_outbox))}


def put_outbox(work: UnitOfWork, made: Outbox) -> None:
    """Notes how far a sink has come."""
    work.conn.execute(audit_outbox.delete().where(audit_outbox.c.sink == made.sink))
    names = Outbox.__slots__
    work.conn.execute(audit_outbox.insert().values({name: getattr(made, name) for name in names}))


def entries_after(conn: sa.Connection, epoch: int, seq: int, limit: int) -> Sequence[RowTuple]:
    """Returns the entries that follow a place, over the ends of epochs."""
    here = sa.or_(audit_entry.c.epoch > epoch, sa.and_(audit_entry.c.epoch == epoch, audit_entry.c.seq > seq))
    query = sa.select(audit_entry).where(here).order_by(audit_entry.c.epoch, audit_entry.c.seq).limit(limit)
    return [(r.epoch, r.seq, as_bytes(r.body), as_bytes(r.leaf), as_bytes(r.chain)) for r in conn.execute(query)]
