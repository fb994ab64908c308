"""Create the table of golden records that were merged into others."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "golden_merge",
        sa.Column("loser_id", sa.String(64), sa.ForeignKey("golden.hub_id"), primary_key=True),
        sa.Column("survivor_id", sa.String(64), sa.ForeignKey("golden.hub_id"), nullable=False),
        sa.Column("heir_id", sa.String(64), sa.ForeignKey("golden.hub_id"), nullable=False),
        sa.Column("entity", sa.String(64), nullable=False),
        sa.Column("system", sa.String(64), nullable=False),
        sa.Column("accepted_by", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("merged_at", sa.Double, nullable=False),
    )
    op.create_index("golden_merge_by_heir", "golden_merge", ["heir_id"])


def downgrade() -> None:
    op.drop_table("golden_merge")
