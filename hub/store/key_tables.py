"""The tables of the life of keys: who holds which ring, how far a rotation is, who looked people up."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Integer, String, Table, Text

from hub.store.tables import metadata as metadata

key_holder = Table(
    "key_holder",
    metadata,
    Column("holder_id", String(64), primary_key=True),
    Column("host", String(160), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("kek_ids", Text, nullable=False),
    Column("seen_at", Double, nullable=False),
)

key_rotation = Table(
    "key_rotation",
    metadata,
    Column("purpose", String(32), primary_key=True),
    Column("key_id", BigInteger, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("place", String(64), nullable=False),
    Column("last_id", String(200), nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("broken", BigInteger, nullable=False),
    Column("begun_at", Double, nullable=False),
    Column("phase_at", Double, nullable=False),
    Column("ended_at", Double),
)

identifier_search = Table(
    "identifier_search",
    metadata,
    Column("search_id", String(64), primary_key=True),
    Column("actor", String(160), nullable=False),
    Column("searched_at", Double, nullable=False),
)
Index("identifier_search_actor", identifier_search.c.actor, identifier_search.c.searched_at)
