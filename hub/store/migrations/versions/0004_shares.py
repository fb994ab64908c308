"""Create the tables of work that is spread over machines: shares of a run and common call budgets."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "share",
        sa.Column("share_id", sa.String(64), primary_key=True),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("entity", sa.String(64), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("system", sa.String(64), nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("holder", sa.String(160)),
        sa.Column("stop_asked", sa.Boolean, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("made_at", sa.Double, nullable=False),
        sa.Column("beat_at", sa.Double),
    )
    op.create_index("share_of_run", "share", ["run_id"])
    op.create_table(
        "budget",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("tokens", sa.Double, nullable=False),
        sa.Column("filled_at", sa.Double, nullable=False),
        sa.Column("paused_until", sa.Double, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("budget")
    op.drop_table("share")
