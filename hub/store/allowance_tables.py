"""The tables of allowances: what the installation used of each window that a vendor grants."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, String, Table

from hub.store.tables import metadata

allowance = Table(
    "allowance",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("reserve", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("heeded", Double, nullable=False),
    Column("heard", BigInteger),
    Column("heard_at", Double, nullable=False),
    Column("starts_at", Double),
    Column("spare", BigInteger),
)

allowance_use = Table(
    "allowance_use",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("used", Integer, nullable=False),
)
