"""The tables of callbacks: which channels systems tell us by, which records they hinted at, what was heard already."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, LargeBinary, String, Table, Text

from hub.store.tables import metadata as metadata

channel = Table(
    "channel",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("channel_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked", Text, nullable=False),
    Column("granted", Text, nullable=False),
    Column("blob", LargeBinary),
    Column("renew_at", Double),
    Column("expires_at", Double),
    Column("looked_at", Double),
    Column("retry_at", Double),
    Column("code", String(64)),
    Column("changed_at", Double, nullable=False),
    Column("heard_at", Double),
    Column("received", BigInteger, nullable=False, server_default="0"),
    Column("late", BigInteger, nullable=False, server_default="0"),
    Column("forged", BigInteger, nullable=False, server_default="0"),
)

hint = Table(
    "hint",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("object", String(120), primary_key=True),
    Column("native_id", String(160), primary_key=True),
    Column("received_at", Double, nullable=False),
)

callback_message = Table(
    "callback_message",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("message_id", String(128), primary_key=True),
    Column("until", Double, nullable=False),
    Index("callback_message_until", "until"),
)
