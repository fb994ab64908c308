"""Keep users and their roles, approvals by a second person, and which values were shown to whom."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ONE = "revoked_at IS NULL AND role IN ('system_admin', 'security_admin', 'audit_admin')"


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("login", sa.String(64), nullable=False, unique=True),
        sa.Column("display_name", sa.String(120), nullable=False),
        sa.Column("staff_no", sa.String(64)),
        sa.Column("branch_path", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "user_role",
        sa.Column("grant_id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.user_id"), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("scope", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("granted_by", sa.String(64), nullable=False),
        sa.Column("granted_at", sa.Double, nullable=False),
        sa.Column("approval_id", sa.String(64)),
        sa.Column("revoked_at", sa.Double),
        sa.Column("revoked_by", sa.String(64)),
    )
    op.create_index("user_role_of_user", "user_role", ["user_id"])
    op.create_index(
        "user_role_one_administrator",
        "user_role",
        ["user_id"],
        unique=True,
        postgresql_where=sa.text(ONE),
        sqlite_where=sa.text(ONE),
    )
    op.create_table(
        "approval",
        sa.Column("approval_id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("author_id", sa.String(64), nullable=False),
        sa.Column("ticket", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("activate_at", sa.Double),
        sa.Column("decided_by", sa.String(64)),
        sa.Column("decided_at", sa.Double),
        sa.Column("done_at", sa.Double),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("blob", sa.LargeBinary, nullable=False),
    )
    op.create_index("approval_by_state", "approval", ["state", "kind"])
    op.create_table(
        "reveal",
        sa.Column("reveal_id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("entity", sa.String(64), nullable=False),
        sa.Column("hub_id", sa.String(64), nullable=False),
        sa.Column("field", sa.String(64), nullable=False),
        sa.Column("ticket", sa.String(64), nullable=False),
        sa.Column("shown_at", sa.Double, nullable=False),
    )
    op.create_index("reveal_by_user", "reveal", ["user_id", "shown_at"])


def downgrade() -> None:
    for name in ("reveal", "approval", "user_role", "users"):
        op.drop_table(name)
