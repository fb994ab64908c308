"""The tables of sign-in: what proves who somebody is, who is signed in, API tokens, and who failed from where."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from hub.store.access_tables import users as users
from hub.store.tables import metadata as metadata

credential = Table(
    "credential",
    metadata,
    Column("user_id", String(64), ForeignKey("users.user_id"), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("failed_at", Double),
    Column("locked_until", Double),
    Column("totp_step", BigInteger),
    Column("blob", LargeBinary, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("session_ref", String(64), primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("user_id", String(64), ForeignKey("users.user_id"), nullable=False),
    Column("begun_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Index("session_of_user", "user_id"),
    Index("session_by_seen", "seen_at"),
)

api_token = Table(
    "api_token",
    metadata,
    Column("token_id", String(16), primary_key=True),
    Column("user_id", String(64), ForeignKey("users.user_id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("only", Text),
    Column("branch", String(200)),
    Column("networks", Text, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double),
    Column("revoked_at", Double),
    Column("revoked_by", String(64)),
    Column("ended", Integer, nullable=False, server_default="0"),
    Index("api_token_of_user", "user_id"),
)

sign_in_source = Table(
    "sign_in_source",
    metadata,
    Column("source", LargeBinary, primary_key=True),
    Column("failed", Integer, nullable=False),
    Column("failed_at", Double, nullable=False),
    Index("sign_in_source_by_time", "failed_at"),
)

oidc_flow = Table(
    "oidc_flow",
    metadata,
    Column("state", String(64), primary_key=True),
    Column("expires_at", Double, nullable=False),
    Column("blob", LargeBinary, nullable=False),
)

oidc_identity = Table(
    "oidc_identity",
    metadata,
    Column("identity", LargeBinary, primary_key=True),
    Column("user_id", String(64), ForeignKey("users.user_id"), nullable=False),
    Column("linked_at", Double, nullable=False),
    Column("linked_by", String(64), nullable=False),
    Column("seal", LargeBinary, nullable=False),
    Index("oidc_identity_of_user", "user_id"),
)
