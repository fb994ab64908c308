"""Let an allowance begin anew at a time of day and spare some of it; know a signed callback that comes again."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("allowance", sa.Column("starts_at", sa.Double))
    op.add_column("allowance", sa.Column("spare", sa.BigInteger))
    op.create_table(
        "callback_message",
        sa.Column("system", sa.String(64), primary_key=True),
        sa.Column("message_id", sa.String(128), primary_key=True),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_index("callback_message_until", "callback_message", ["until"])


def downgrade() -> None:
    op.drop_index("callback_message_until", "callback_message")
    op.drop_table("callback_message")
    op.drop_column("allowance", "spare")
    op.drop_column("allowance", "starts_at")
