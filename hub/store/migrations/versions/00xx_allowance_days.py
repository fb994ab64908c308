"""Let an allowance begin anew at a time of day, and say how much of it is left to what is due."""

import sqlalchemy as sa
from alembic import op

revision = "00xx_allowance_days"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("allowance", sa.Column("starts_at", sa.Double))
    op.add_column("allowance", sa.Column("spare", sa.BigInteger))


def downgrade() -> None:
    op.drop_column("allowance", "spare")
    op.drop_column("allowance", "starts_at")
