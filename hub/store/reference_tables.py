"""The tables of references: who points at whom, which observations wait for a parent, and where records once stood."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table

from hub.store.tables import metadata

golden_ref = Table(
    "golden_ref",
    metadata,
    Column("hub_id", String(64), ForeignKey("golden.hub_id"), primary_key=True),
    Column("field", String(64), primary_key=True),
    Column("parent_id", String(64), ForeignKey("golden.hub_id"), nullable=False),
)
Index("golden_ref_by_parent", golden_ref.c.parent_id)

awaited = Table(
    "awaited",
    metadata,
    Column("obs_id", String(64), ForeignKey("observation.obs_id", ondelete="CASCADE"), primary_key=True),
    Column("field", String(64), primary_key=True),
    Column("entity", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("object", String(120), nullable=False),
    Column("native_id", String(160), nullable=False),
)
Index("awaited_by_native", awaited.c.system, awaited.c.object, awaited.c.native_id)

former_place = Table(
    "former_place",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("object", String(120), primary_key=True),
    Column("native_id", String(160), primary_key=True),
    Column("hub_id", String(64), ForeignKey("golden.hub_id"), nullable=False),
)
