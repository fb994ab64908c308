"""The ledger of persons whose values were sent abroad, a row a person, system and calendar year."""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, String, Table

from hub.store.tables import metadata

egress_ledger = Table(
    "egress_ledger",
    metadata,
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("system", String(64), primary_key=True),
    Column("person", String(64), primary_key=True),
    Column("basis", String(120), nullable=False),
    Column("sent_at", Double, nullable=False),
)
