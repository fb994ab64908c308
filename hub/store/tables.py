"""The tables. Personal values stand only in sealed `blob` columns; constraints that must always hold stand here."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata: Final = MetaData()
Facets = JSON().with_variant(JSONB(), "postgresql")


meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

crypto_key = Table(
    "crypto_key",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant", String(64), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("suite", Integer, nullable=False),
    Column("kek_id", String(160), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("promoted_at", Double),
    Column("retired_at", Double),
)

subject_key = Table(
    "subject_key",
    metadata,
    Column("subject_id", String(64), primary_key=True),
    Column("key_id", BigInteger, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

golden = Table(
    "golden",
    metadata,
    Column("hub_id", String(64), primary_key=True),
    Column("entity", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("subject_id", String(64), ForeignKey("subject_key.subject_id"), nullable=False),
    Column("unplaced", Boolean, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Column("facets", Facets, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
)
Index(
    "golden_unplaced",
    golden.c.entity,
    postgresql_where=text("unplaced"),
    sqlite_where=text("unplaced = 1"),
)

binding = Table(
    "binding",
    metadata,
    Column("binding_id", String(160), primary_key=True),
    Column("hub_id", String(64), ForeignKey("golden.hub_id"), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("part", String(64), nullable=False),
    Column("object", String(120)),
    Column("native_id", String(160)),
    Column("state", String(16), nullable=False),
    Column("version", String(64)),
    Column("obs_digest", LargeBinary),
    Column("mapping_version", String(64)),
    Column("agreed_revision", Integer, nullable=False),
    Column("stamped", Boolean, nullable=False),
    Column("dirty", Boolean, nullable=False),
    Column("swept", Boolean, nullable=False, server_default=false()),
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("system", "object", "native_id", name="binding_native"),
    CheckConstraint("state <> 'active' OR native_id IS NOT NULL", name="binding_active_has_native"),
)
_live = text("state IN ('pending', 'active', 'doomed')")
Index(
    "binding_one_active",
    binding.c.hub_id,
    binding.c.system,
    binding.c.part,
    unique=True,
    postgresql_where=_live,
    sqlite_where=_live,
)
Index("binding_by_hub", binding.c.hub_id)
Index(
    "binding_dirty",
    binding.c.entity,
    binding.c.system,
    binding.c.binding_id,
    postgresql_where=text("dirty"),
    sqlite_where=text("dirty = 1"),
)
Index("binding_tally", binding.c.entity, binding.c.system, binding.c.state, binding.c.dirty)

base = Table(
    "base",
    metadata,
    Column("binding_id", String(160), ForeignKey("binding.binding_id"), primary_key=True),
    Column("blob_version", Integer, nullable=False),
    Column("blob", LargeBinary, nullable=False),
)

observation = Table(
    "observation",
    metadata,
    Column("obs_id", String(64), primary_key=True),
    Column("entity", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("object", String(120), nullable=False),
    Column("native_id", String(160), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("hub_id", String(64)),
    Column("subject_id", String(64)),
    Column("version", String(64)),
    Column("digest", LargeBinary),
    Column("stamp", String(64)),
    Column("survivor", String(160)),
    Column("run_id", String(64), nullable=False),
    Column("blob", LargeBinary),
    Column("seen_at", Double, nullable=False),
    UniqueConstraint("system", "object", "native_id", name="observation_native"),
)
Index("observation_by_hub", observation.c.hub_id)
Index("observation_queue", observation.c.entity, observation.c.state, observation.c.system, observation.c.obs_id)

blind_index = Table(
    "blind_index",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("rule", String(64), primary_key=True),
    Column("entity", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("digest", LargeBinary, nullable=False),
)
Index("blind_index_digest", blind_index.c.digest)

intent = Table(
    "intent",
    metadata,
    Column("intent_id", String(64), primary_key=True),
    Column("idempotency_key", String(64), nullable=False, unique=True),
    Column("entity", String(64), nullable=False),
    Column("hub_id", String(64), ForeignKey("golden.hub_id"), nullable=False),
    Column("binding_id", String(160), ForeignKey("binding.binding_id"), nullable=False),
    Column("subject_id", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("object", String(120), nullable=False),
    Column("native_id", String(160)),
    Column("op", String(16), nullable=False),
    Column("payload_digest", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("blob", LargeBinary),
    Column("sent_at", Double, nullable=False),
    Column("settled_at", Double),
    Column("outcome", String(64)),
)
_open_intent = text("state IN ('sent', 'uncertain', 'asked')")
Index(
    "intent_open",
    intent.c.binding_id,
    unique=True,
    postgresql_where=_open_intent,
    sqlite_where=_open_intent,
)

Index("intent_by_binding", intent.c.binding_id)
Index("intent_by_state", intent.c.entity, intent.c.state)
Index("intent_by_hub", intent.c.hub_id)

field_change = Table(
    "field_change",
    metadata,
    Column("change_id", String(64), primary_key=True),
    Column("hub_id", String(64), ForeignKey("golden.hub_id"), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("field", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("origin", String(64), nullable=False),
    Column("after_digest", LargeBinary, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("subject_id", String(64), nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Column("changed_at", Double, nullable=False),
)
Index("field_change_by_hub", field_change.c.hub_id, field_change.c.changed_at)


run = Table(
    "run",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("entity", String(64), nullable=False),
    Column("act", String(32), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("outcome", String(32)),
    Column("reasons", Text),
    Column("counts", Text),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("entity", String(64), primary_key=True),
    Column("system", String(64), primary_key=True),
    Column("object", String(120), primary_key=True),
    Column("stream", String(16), primary_key=True),
    Column("scope", String(64), nullable=False),
    Column("cursor", Text, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("moved_at", Double, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("entity", String(64), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", String(160), nullable=False),
    Column("taken_at", Double, nullable=False),
)

secret = Table(
    "secret",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("blob", LargeBinary, nullable=False),
    Column("stored_at", Double, nullable=False),
)

mapping_version = Table(
    "mapping_version",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("object", String(120), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("fields", Text, nullable=False),
    Column("used_at", Double, nullable=False),
)

schema_snapshot = Table(
    "schema_snapshot",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("object", String(120), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("mapping_version", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("taken_at", Double, nullable=False),
)

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
)
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
)
