"""The table of backfills: how far the first load of each object, and what it owes, has come."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Integer, String, Table, text

from hub.store.tables import binding, metadata

backfill = Table(
    "backfill",
    metadata,
    Column("entity", String(64), primary_key=True),
    Column("system", String(64), primary_key=True),
    Column("object", String(120), primary_key=True),
    Column("scope", String(64), nullable=False),
    Column("bound", String(40)),
    Column("done", Integer, nullable=False),
    Column("total", Integer),
    Column("begun_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("moved_at", Double, nullable=False),
    Column("mark_at", Double, nullable=False),
    Column("mark_done", Integer, nullable=False),
    Column("next_at", Double, nullable=False),
    Column("next_done", Integer, nullable=False),
)

unrouted = Index(
    "binding_unrouted",
    binding.c.entity,
    binding.c.system,
    binding.c.binding_id,
    postgresql_where=text("state = 'detached' AND native_id IS NULL AND mapping_version IS NOT NULL"),
    sqlite_where=text("state = 'detached' AND native_id IS NULL AND mapping_version IS NOT NULL"),
)
