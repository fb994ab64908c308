"""Note when keys were promoted and retired, who holds which, how far a rotation is, and who looked people up."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The first revision makes its tables as the code has them, so a new store has these already.
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("crypto_key")}
    for name in ("promoted_at", "retired_at"):
        if name not in known:
            op.add_column("crypto_key", sa.Column(name, sa.Double))
    op.create_table(
        "key_holder",
        sa.Column("holder_id", sa.String(64), primary_key=True),
        sa.Column("host", sa.String(160), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("kek_ids", sa.Text, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
    )
    op.create_table(
        "key_rotation",
        sa.Column("purpose", sa.String(32), primary_key=True),
        sa.Column("key_id", sa.BigInteger, nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("last_id", sa.String(200), nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("broken", sa.BigInteger, nullable=False),
        sa.Column("begun_at", sa.Double, nullable=False),
        sa.Column("phase_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
    )
    op.create_table(
        "identifier_search",
        sa.Column("search_id", sa.String(64), primary_key=True),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("searched_at", sa.Double, nullable=False),
    )
    op.create_index("identifier_search_actor", "identifier_search", ["actor", "searched_at"])


def downgrade() -> None:
    op.drop_index("identifier_search_actor", "identifier_search")
    op.drop_table("identifier_search")
    op.drop_table("key_rotation")
    op.drop_table("key_holder")
    op.drop_column("crypto_key", "retired_at")
    op.drop_column("crypto_key", "promoted_at")
