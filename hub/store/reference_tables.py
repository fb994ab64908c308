"""The tables of references: who points at whom, what waits for a parent, where records once stood, who became whom."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Index, String, Table

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

# `survivor_id` is what was accepted; `heir_id` is where a chain of merges ends now, so that one step finds it.
golden_merge = Table(
    "golden_merge",
    metadata,
    Column("loser_id", String(64), ForeignKey("golden.hub_id"), primary_key=True),
    Column("survivor_id", String(64), ForeignKey("golden.hub_id"), nullable=False),
    Column("heir_id", String(64), ForeignKey("golden.hub_id"), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("accepted_by", String(64), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("merged_at", Double, nullable=False),
)
Index("golden_merge_by_heir", golden_merge.c.heir_id)
