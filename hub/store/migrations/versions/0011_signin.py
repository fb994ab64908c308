"""Keep what proves who somebody is, who is signed in, API tokens, and links to an identity provider."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credential",
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.user_id"), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failed_at", sa.Double),
        sa.Column("locked_until", sa.Double),
        sa.Column("totp_step", sa.BigInteger),
        sa.Column("blob", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "session",
        sa.Column("session_ref", sa.String(64), primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.user_id"), nullable=False),
        sa.Column("begun_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("blob", sa.LargeBinary, nullable=False),
    )
    op.create_index("session_of_user", "session", ["user_id"])
    op.create_index("session_by_seen", "session", ["seen_at"])
    op.create_table(
        "api_token",
        sa.Column("token_id", sa.String(16), primary_key=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.user_id"), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("only", sa.Text),
        sa.Column("branch", sa.String(200)),
        sa.Column("networks", sa.Text, nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        sa.Column("revoked_by", sa.String(64)),
        sa.Column("ended", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("api_token_of_user", "api_token", ["user_id"])
    op.create_table(
        "sign_in_source",
        sa.Column("source", sa.LargeBinary, primary_key=True),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("failed_at", sa.Double, nullable=False),
    )
    op.create_index("sign_in_source_by_time", "sign_in_source", ["failed_at"])
    op.create_table(
        "oidc_flow",
        sa.Column("state", sa.String(64), primary_key=True),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("blob", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "oidc_identity",
        sa.Column("identity", sa.LargeBinary, primary_key=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.user_id"), nullable=False),
        sa.Column("linked_at", sa.Double, nullable=False),
        sa.Column("linked_by", sa.String(64), nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
    op.create_index("oidc_identity_of_user", "oidc_identity", ["user_id"])


def downgrade() -> None:
    for name in ("oidc_identity", "oidc_flow", "sign_in_source", "api_token", "session", "credential"):
        op.drop_table(name)
