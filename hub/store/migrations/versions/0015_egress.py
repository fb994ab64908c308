"""Count the persons whose values were sent abroad."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "egress_ledger",
        sa.Column("year", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("system", sa.String(64), primary_key=True),
        sa.Column("person", sa.String(64), primary_key=True),
        sa.Column("basis", sa.String(120), nullable=False),
        sa.Column("sent_at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("egress_ledger")
