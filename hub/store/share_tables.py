"""The tables of work that is spread over machines: shares of a run, and the call budgets that all keep to."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, String, Table, Text

from hub.store.tables import metadata as metadata

share = Table(
    "share",
    metadata,
    Column("share_id", String(64), primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("act", String(16), nullable=False),
    Column("system", String(64), nullable=False),
    Column("place", Text, nullable=False),
    Column("scope", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("turn", Integer, nullable=False),
    Column("holder", String(160)),
    Column("stop_asked", Boolean, nullable=False),
    Column("done", Integer, nullable=False),
    Column("outcome", Text),
    Column("made_at", Double, nullable=False),
    Column("beat_at", Double),
    Index("share_of_run", "run_id"),
)

budget = Table(
    "budget",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("tokens", Double, nullable=False),
    Column("filled_at", Double, nullable=False),
    Column("paused_until", Double, nullable=False),
)
