"""Create the table of signed callbacks that were heard, so that one that comes again is known."""

import sqlalchemy as sa
from alembic import op

revision = "00xx_callback_messages"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
