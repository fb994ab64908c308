"""Create every table of the first release."""

import sqlalchemy as sa
from alembic import op

from hub.store import review_tables, tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TRIPWIRE = "the audit log is append-only"


def upgrade() -> None:
    connection = op.get_bind()
    review_tables.metadata.create_all(connection)
    connection.execute(tables.audit_head.insert().values(id=1, epoch=1, seq=-1))
    if connection.dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            connection.execute(
                sa.text(
                    f"CREATE TRIGGER audit_entry_no_{verb.lower()} BEFORE {verb} ON audit_entry "
                    f"BEGIN SELECT RAISE(ABORT, '{TRIPWIRE}'); END"
                )
            )
    else:
        connection.execute(
            sa.text(
                "CREATE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE EXCEPTION '{TRIPWIRE}'; END $$"
            )
        )
        connection.execute(
            sa.text(
                "CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE ON audit_entry "
                "FOR EACH ROW EXECUTE FUNCTION audit_entry_refuse()"
            )
        )


def downgrade() -> None:
    tables.metadata.drop_all(op.get_bind())
