"""Keep epochs, signed checkpoints, what sinks have had, and an index of the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INDEXED = ("act", "actor", "obj_id", "connection", "branch", "corr", "outcome", "at")


def upgrade() -> None:
    op.create_table(
        "audit_epoch",
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(16), nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
    )
    op.execute("INSERT INTO audit_epoch (epoch, hash, opened_at) SELECT epoch, 'sha256', 0 FROM audit_head")
    op.create_table(
        "audit_checkpoint",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("signed_at", sa.Double, nullable=False),
    )
    op.create_index("audit_checkpoint_size", "audit_checkpoint", ["epoch", "size", "number"])
    op.create_table(
        "audit_outbox",
        sa.Column("sink", sa.String(32), primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("delivered_at", sa.Double),
        sa.Column("retry_at", sa.Double),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("code", sa.String(160)),
    )
    op.create_table(
        "audit_index",
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("act", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(512), nullable=False),
        sa.Column("obj_id", sa.String(512)),
        sa.Column("connection", sa.String(512)),
        sa.Column("branch", sa.String(512)),
        sa.Column("corr", sa.String(512)),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
    )
    for name in INDEXED:
        op.create_index(f"audit_index_{name}", "audit_index", [name, "epoch", "seq"])
    staged = sa.text("stage <> 'single'")
    columns = ["stage", "epoch", "seq"]
    op.create_index("audit_index_stage", "audit_index", columns, postgresql_where=staged, sqlite_where=staged)
    op.create_table(
        "audit_field",
        sa.Column("field", sa.String(512), primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    )


def downgrade() -> None:
    for name in ("audit_field", "audit_index", "audit_outbox", "audit_checkpoint", "audit_epoch"):
        op.drop_table(name)
