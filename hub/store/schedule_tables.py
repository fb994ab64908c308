"""The tables of the daemon: when what is due, and what is paused."""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, LargeBinary, String, Table, Text

from hub.store.tables import metadata as metadata

schedule = Table(
    "schedule",
    metadata,
    Column("schedule_id", String(200), primary_key=True),
    Column("act", String(16), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("timing", String(200), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("windows", Text, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("next_due_at", Double),
    Column("last_started_at", Double),
    Column("last_ended_at", Double),
    Column("last_outcome", String(32)),
    Column("last_run_id", String(64)),
    Column("missed", Integer, nullable=False),
    Column("slices", Text),
    Column("changed_at", Double, nullable=False),
    Column("changed_by", String(64), nullable=False),
)

pause = Table(
    "pause",
    metadata,
    Column("scope", String(80), primary_key=True),
    Column("cause", String(16), primary_key=True),
    Column("reason", String(512), nullable=False),
    Column("paused_by", String(64), nullable=False),
    Column("paused_at", Double, nullable=False),
    Column("secret_digest", LargeBinary),
    Column("digest_key_id", Integer),
)
