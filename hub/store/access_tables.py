"""The tables of access: who may act, what was granted to whom, what two persons agreed to, and what was revealed."""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, text

from hub.store.tables import metadata as metadata

ADMINISTRATORS = "('system_admin', 'security_admin', 'audit_admin')"

users = Table(
    "users",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("login", String(64), nullable=False, unique=True),
    Column("display_name", String(120), nullable=False),
    Column("staff_no", String(64)),
    Column("branch_path", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("seal", LargeBinary, nullable=False),
)

user_role = Table(
    "user_role",
    metadata,
    Column("grant_id", String(64), primary_key=True),
    Column("user_id", String(64), ForeignKey("users.user_id"), nullable=False),
    Column("role", String(32), nullable=False),
    Column("scope", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("expires_at", Double),
    Column("granted_by", String(64), nullable=False),
    Column("granted_at", Double, nullable=False),
    Column("approval_id", String(64)),
    Column("revoked_at", Double),
    Column("revoked_by", String(64)),
    Index("user_role_of_user", "user_id"),
)
_standing = f"revoked_at IS NULL AND role IN {ADMINISTRATORS}"
Index(
    "user_role_one_administrator",
    user_role.c.user_id,
    unique=True,
    postgresql_where=text(_standing),
    sqlite_where=text(_standing),
)

approval = Table(
    "approval",
    metadata,
    Column("approval_id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("author_id", String(64), nullable=False),
    Column("ticket", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("activate_at", Double),
    Column("decided_by", String(64)),
    Column("decided_at", Double),
    Column("done_at", Double),
    Column("revision", Integer, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Index("approval_by_state", "state", "kind"),
)

reveal = Table(
    "reveal",
    metadata,
    Column("reveal_id", String(64), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("entity", String(64), nullable=False),
    Column("hub_id", String(64), nullable=False),
    Column("field", String(64), nullable=False),
    Column("ticket", String(64), nullable=False),
    Column("shown_at", Double, nullable=False),
    Index("reveal_by_user", "user_id", "shown_at"),
)
