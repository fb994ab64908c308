"""Erase customers: certificates, what must not come back, and legal holds."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasure",
        sa.Column("erasure_id", sa.String(64), primary_key=True),
        sa.Column("hub_id", sa.String(64), sa.ForeignKey("golden.hub_id"), nullable=False),
        sa.Column("entity", sa.String(64), nullable=False),
        sa.Column("certificate", sa.Text, nullable=False),
        sa.Column("erased_by", sa.String(64), nullable=False),
        sa.Column("erased_at", sa.Double, nullable=False),
        sa.Column("admitted_by", sa.String(64)),
        sa.Column("admitted_at", sa.Double),
    )
    op.create_index("erasure_by_hub", "erasure", ["hub_id"])
    op.create_table(
        "stop_list",
        sa.Column("stop_id", sa.String(64), primary_key=True),
        sa.Column("erasure_id", sa.String(64), sa.ForeignKey("erasure.erasure_id"), nullable=False),
        sa.Column("entity", sa.String(64), nullable=False),
        sa.Column("system", sa.String(64)),
        sa.Column("object", sa.String(120)),
        sa.Column("native_id", sa.String(160)),
        sa.Column("rule", sa.String(64)),
        sa.Column("digest", sa.LargeBinary),
    )
    op.create_index("stop_list_native", "stop_list", ["system", "object", "native_id"])
    op.create_index("stop_list_digest", "stop_list", ["digest"])
    op.create_index("stop_list_by_erasure", "stop_list", ["erasure_id"])
    op.create_table(
        "legal_hold",
        sa.Column("legal_hold_id", sa.String(64), primary_key=True),
        sa.Column("hub_id", sa.String(64), sa.ForeignKey("golden.hub_id"), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ticket", sa.String(64)),
        sa.Column("placed_by", sa.String(64), nullable=False),
        sa.Column("placed_at", sa.Double, nullable=False),
        sa.Column("lifted_by", sa.String(64)),
        sa.Column("lifted_at", sa.Double),
    )
    op.create_index("legal_hold_by_hub", "legal_hold", ["hub_id"])


def downgrade() -> None:
    for name in ("legal_hold", "stop_list", "erasure"):
        op.drop_table(name)
