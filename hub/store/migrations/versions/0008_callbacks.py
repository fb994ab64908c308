"""Create the tables of callbacks: channels and hints."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channel",
        sa.Column("system", sa.String(64), primary_key=True),
        sa.Column("channel_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("granted", sa.Text, nullable=False),
        sa.Column("blob", sa.LargeBinary),
        sa.Column("renew_at", sa.Double),
        sa.Column("expires_at", sa.Double),
        sa.Column("looked_at", sa.Double),
        sa.Column("retry_at", sa.Double),
        sa.Column("code", sa.String(64)),
        sa.Column("changed_at", sa.Double, nullable=False),
        sa.Column("heard_at", sa.Double),
        sa.Column("received", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("late", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("forged", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        "hint",
        sa.Column("system", sa.String(64), primary_key=True),
        sa.Column("object", sa.String(120), primary_key=True),
        sa.Column("native_id", sa.String(160), primary_key=True),
        sa.Column("received_at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("hint")
    op.drop_table("channel")
