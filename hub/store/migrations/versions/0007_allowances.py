"""Create the tables of allowances: what was used of the rolling windows that vendors grant."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "allowance",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("reserve", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("heeded", sa.Double, nullable=False),
        sa.Column("heard", sa.BigInteger),
        sa.Column("heard_at", sa.Double, nullable=False),
    )
    op.create_table(
        "allowance_use",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("slot", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("used", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("allowance_use")
    op.drop_table("allowance")
