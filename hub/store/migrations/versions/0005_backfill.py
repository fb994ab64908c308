"""Create the table of backfills; what was read before counts as listed to its end."""

import sqlalchemy as sa
from alembic import op

from hub.store.backfill_tables import unrouted

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backfill",
        sa.Column("entity", sa.String(64), primary_key=True),
        sa.Column("system", sa.String(64), primary_key=True),
        sa.Column("object", sa.String(120), primary_key=True),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("bound", sa.String(40)),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer),
        sa.Column("begun_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("moved_at", sa.Double, nullable=False),
        sa.Column("mark_at", sa.Double, nullable=False),
        sa.Column("mark_done", sa.Integer, nullable=False),
        sa.Column("next_at", sa.Double, nullable=False),
        sa.Column("next_done", sa.Integer, nullable=False),
    )
    op.execute(
        "INSERT INTO backfill (entity, system, object, scope, done, begun_at, ended_at, moved_at, mark_at, mark_done,"
        " next_at, next_done) SELECT entity, system, object, scope, 0, moved_at, moved_at, moved_at, moved_at, 0,"
        " moved_at, 0 FROM checkpoint WHERE stream = 'changes'"
    )
    # The first revision creates the tables as the code has them, with their indexes.
    unrouted.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    unrouted.drop(op.get_bind())
    op.drop_table("backfill")
