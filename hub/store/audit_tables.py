"""The tables beside the audit log: epochs, signed checkpoints, what each sink has had, the index of entries."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, String, Table, Text, text

from hub.store.tables import metadata

audit_epoch = Table(
    "audit_epoch",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(16), nullable=False),
    Column("opened_at", Double, nullable=False),
)

audit_checkpoint = Table(
    "audit_checkpoint",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("signed_at", Double, nullable=False),
)
Index("audit_checkpoint_size", audit_checkpoint.c.epoch, audit_checkpoint.c.size, audit_checkpoint.c.number)

audit_outbox = Table(
    "audit_outbox",
    metadata,
    Column("sink", String(32), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("delivered_at", Double),
    Column("retry_at", Double),
    Column("failures", Integer, nullable=False),
    Column("code", String(160)),
)

audit_index = Table(
    "audit_index",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("act", String(64), nullable=False),
    Column("actor", String(512), nullable=False),
    Column("obj_id", String(512)),
    Column("connection", String(512)),
    Column("branch", String(512)),
    Column("corr", String(512)),
    Column("outcome", String(16), nullable=False),
    Column("stage", String(16), nullable=False),
)
"""Is made from the bodies after they were written, so that no act waits for it; a list opens the bodies themselves."""
for _name in ("act", "actor", "obj_id", "connection", "branch", "corr", "outcome", "at"):
    Index(f"audit_index_{_name}", audit_index.c[_name], audit_index.c.epoch, audit_index.c.seq)

_staged = text("stage <> 'single'")
Index(
    "audit_index_stage",
    audit_index.c.stage,
    audit_index.c.epoch,
    audit_index.c.seq,
    postgresql_where=_staged,
    sqlite_where=_staged,
)

audit_field = Table(
    "audit_field",
    metadata,
    Column("field", String(512), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
)
