"""The tables of erasure: what was erased, what must not come back, and who may not be erased."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Index, LargeBinary, String, Table, Text

from hub.store.tables import metadata

erasure = Table(
    "erasure",
    metadata,
    Column("erasure_id", String(64), primary_key=True),
    Column("hub_id", String(64), ForeignKey("golden.hub_id"), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("certificate", Text, nullable=False),
    Column("erased_by", String(64), nullable=False),
    Column("erased_at", Double, nullable=False),
    Column("admitted_by", String(64)),
    Column("admitted_at", Double),
)
Index("erasure_by_hub", erasure.c.hub_id)

# A row names a native record, or a blind match key; neither can be read as a value.
stop_list = Table(
    "stop_list",
    metadata,
    Column("stop_id", String(64), primary_key=True),
    Column("erasure_id", String(64), ForeignKey("erasure.erasure_id"), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("system", String(64)),
    Column("object", String(120)),
    Column("native_id", String(160)),
    Column("rule", String(64)),
    Column("digest", LargeBinary),
)
Index("stop_list_native", stop_list.c.system, stop_list.c.object, stop_list.c.native_id)
Index("stop_list_digest", stop_list.c.digest)
Index("stop_list_by_erasure", stop_list.c.erasure_id)

legal_hold = Table(
    "legal_hold",
    metadata,
    Column("legal_hold_id", String(64), primary_key=True),
    Column("hub_id", String(64), ForeignKey("golden.hub_id"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("ticket", String(64)),
    Column("placed_by", String(64), nullable=False),
    Column("placed_at", Double, nullable=False),
    Column("lifted_by", String(64)),
    Column("lifted_at", Double),
)
Index("legal_hold_by_hub", legal_hold.c.hub_id)
