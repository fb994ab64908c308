"""Create the tables of the daemon: schedules and pauses."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedule",
        sa.Column("schedule_id", sa.String(200), primary_key=True),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("entity", sa.String(64), nullable=False),
        sa.Column("system", sa.String(64), nullable=False),
        sa.Column("timing", sa.String(200), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("windows", sa.Text, nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("next_due_at", sa.Double),
        sa.Column("last_started_at", sa.Double),
        sa.Column("last_ended_at", sa.Double),
        sa.Column("last_outcome", sa.String(32)),
        sa.Column("last_run_id", sa.String(64)),
        sa.Column("missed", sa.Integer, nullable=False),
        sa.Column("slices", sa.Text),
        sa.Column("changed_at", sa.Double, nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
    )
    op.create_table(
        "pause",
        sa.Column("scope", sa.String(80), primary_key=True),
        sa.Column("cause", sa.String(16), primary_key=True),
        sa.Column("reason", sa.String(512), nullable=False),
        sa.Column("paused_by", sa.String(64), nullable=False),
        sa.Column("paused_at", sa.Double, nullable=False),
        sa.Column("secret_digest", sa.LargeBinary),
        sa.Column("digest_key_id", sa.Integer),
    )


def downgrade() -> None:
    op.drop_table("pause")
    op.drop_table("schedule")
