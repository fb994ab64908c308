"""One transaction: the change, the epoch check of the lease and the audit rows, committed together or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as attribute

import sqlalchemy as sa

from hub.audit.event import Event
from hub.audit.tree import AppendEvents, BrokenTail, Tail
from hub.kernel.clock import Clock
from hub.kernel.errors import AuditUnavailable, LeaseLost, StoreUnavailable
from hub.kernel.failpoints import hit
from hub.kernel.ids import NewId
from hub.keys.keyring import Keyring
from hub.keys.rows import SubjectKeyRow
from hub.store.audit_tables import audit_epoch
from hub.store.database import WRITE, Prepared, as_bytes, bulk_insert, insert_rows, store_errors
from hub.store.ring_watch import RingWatch
from hub.store.share_tables import share
from hub.store.tables import audit_entry, audit_head, lease, subject_key


@dataclass(frozen=True, slots=True)
class Lease:
    """Is the right to run cycles of one entity, under one epoch.

    `share` is (share id, turn) for who carries out one share of such a cycle: it commits only while it is its turn.
    """

    entity: str
    epoch: int
    share: tuple[str, int] | None = None


@dataclass(slots=True)
class UnitOfWork:
    """Is one open write transaction; audit events are buffered and appended last, just before the commit."""

    conn: sa.Connection
    ring: Keyring
    now: float
    new_id: NewId
    events: list[Event] = attribute(default_factory=list)
    subjects: list[SubjectKeyRow] = attribute(default_factory=list)
    created: list[str] = attribute(default_factory=list)

    def audit(self, event: Event) -> None:
        self.events.append(event)

    def create_subject(self, subject_id: str) -> None:
        """Makes a subject's key; its row is inserted with `flush_subjects`."""
        self.created.append(subject_id)
        self.subjects.append(self.ring.create_subject(subject_id))

    def flush_subjects(self) -> None:
        if self.subjects:
            rows = [{"subject_id": r.subject_id, "key_id": r.key_id, "wrapped": r.wrapped} for r in self.subjects]
            bulk_insert(self.conn, subject_key, rows)
            self.subjects = []


@dataclass(frozen=True, slots=True)
class Store:
    """Is the door to the database: reads on one connection, writes as units of work."""

    engine: sa.Engine
    ring: Keyring
    clock: Clock
    new_id: NewId
    append: AppendEvents
    watch: RingWatch | None = attribute(default=None, kw_only=True)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        if self.watch is not None:
            self.watch.look()
        with store_errors(), self.engine.connect() as conn:
            yield conn

    @contextmanager
    def begin(self, held: Lease | None = None) -> Iterator[UnitOfWork]:
        """Opens a write transaction. Raises LeaseLost when `held` is no longer the newest epoch of its entity."""
        if self.watch is not None:
            self.watch.beat()
        work: UnitOfWork | None = None
        try:
            with store_errors(), self.engine.connect().execution_options(**{WRITE: True}) as conn, conn.begin():
                work = UnitOfWork(conn, self.ring, self.clock.now(), self.new_id)
                if held is not None:
                    _check_epoch(conn, held)
                yield work
                work.flush_subjects()
                self.append_events(work)
                hit("before_commit")
        except BaseException:
            # A kept key without its row would seal what nobody can open.
            if work is not None:
                self.ring.forget_subjects(work.created)
            raise
        hit("after_commit")

    def append_events(self, work: UnitOfWork) -> None:
        """Appends the events of a unit of work to the log, last before its commit.

        Raises AuditUnavailable where they cannot be written, or would stand on a last row that is not what was
        written; nothing of the unit of work is committed then.
        """
        if not work.events:
            return
        try:
            with store_errors():
                rows = self.append(_tail(work.conn), work.events)
                insert_rows(work.conn, audit_entry, ("epoch", "seq", "body", "leaf", "chain"), rows)
                _MOVE_HEAD.run(work.conn, {"to_epoch": rows[-1][0], "to_seq": rows[-1][1]})
        except (BrokenTail, sa.exc.IntegrityError):
            raise _broken() from None
        except StoreUnavailable as lost:
            raise AuditUnavailable(
                f"nothing was done, because its audit row cannot be written: {lost.en} ({lost.code})",
                f"审计记录无法写入，操作未执行：{lost.zh}（{lost.code}）",
            ) from None


def _tail(conn: sa.Connection) -> Tail:
    """Returns the last row, holding the head for this transaction. Raises AuditUnavailable where it is missing."""
    epoch, seq, hash_ = _HEAD.run(conn).one()
    if hash_ is None:  # the epoch was opened while this transaction waited for the head
        hash_ = _HASH.run(conn, {"of": epoch}).scalar()
    if seq < 0 and hash_ is not None:
        return Tail(None, epoch, hash_)
    row = _ENTRY.run(conn, {"at_epoch": epoch, "at_seq": seq}).one_or_none()
    if row is None or hash_ is None:
        raise _broken()
    last = (row.epoch, row.seq, as_bytes(row.body), as_bytes(row.leaf), as_bytes(row.chain))
    return Tail(last, epoch, hash_)


def _broken() -> AuditUnavailable:
    return AuditUnavailable(
        "the last row of the audit log is missing or was changed, and nothing is built on it; keep the database as it "
        "is, run `crmhub audit verify` and tell the auditors",
        "审计日志末行缺失或被改动，拒绝继续写入；请保留数据库原状，运行 `crmhub audit verify` 并通知审计人员",
    )


# What every unit of work asks.
_HASH_OF = sa.select(audit_epoch.c.hash).where(audit_epoch.c.epoch == audit_head.c.epoch).scalar_subquery()
_HEAD = Prepared(
    sa.select(audit_head.c.epoch, audit_head.c.seq, _HASH_OF.label("hash"))
    .where(audit_head.c.id == 1)
    .with_for_update(of=audit_head)
)
_HASH = Prepared(sa.select(audit_epoch.c.hash).where(audit_epoch.c.epoch == sa.bindparam("of")))
_ENTRY = Prepared(
    sa.select(audit_entry).where(
        audit_entry.c.epoch == sa.bindparam("at_epoch"), audit_entry.c.seq == sa.bindparam("at_seq")
    )
)
_MOVE_HEAD = Prepared(
    audit_head.update().where(audit_head.c.id == 1).values(epoch=sa.bindparam("to_epoch"), seq=sa.bindparam("to_seq"))
)
# Locked, so that nobody takes the lease over between this look and the commit; SQLite has one writer anyway.
_EPOCH = Prepared(sa.select(lease.c.epoch).where(lease.c.entity == sa.bindparam("of")).with_for_update(read=True))
_TURN = Prepared(sa.select(share.c.turn).where(share.c.share_id == sa.bindparam("of")).with_for_update(read=True))


def _check_epoch(conn: sa.Connection, held: Lease) -> None:
    valid = _EPOCH.run(conn, {"of": held.entity}).scalar() == held.epoch
    if valid and held.share is not None:
        valid = _TURN.run(conn, {"of": held.share[0]}).scalar() == held.share[1]
    if not valid:
        raise LeaseLost(
            f"another process took over the cycle of {held.entity}; this one stops without writing",
            f"另一进程已接管 {held.entity} 的同步批次；本进程停止，不再写入",
        )
