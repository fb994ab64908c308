"""Add the references between golden records, the observations that wait for a parent, and the places once held."""

from alembic import op

from hub.store.complaints import index_statement
from hub.store.reference_tables import awaited, former_place, golden_ref

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in (golden_ref, awaited, former_place):
        table.create(op.get_bind())
    op.execute(index_statement(op.get_bind().dialect.name))


def downgrade() -> None:
    op.execute("DROP INDEX golden_complaint")
    for table in (former_place, awaited, golden_ref):
        table.drop(op.get_bind())
