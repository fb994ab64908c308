"""Create every table of the first release."""

import sqlalchemy as sa
from alembic import op

from hub.store import review_tables, tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

FIRST = (
    "meta",
    "crypto_key",
    "subject_key",
    "golden",
    "binding",
    "base",
    "observation",
    "blind_index",
    "intent",
    "field_change",
    "run",
    "checkpoint",
    "lease",
    "secret",
    "mapping_version",
    "schema_snapshot",
    "audit_entry",
    "audit_head",
    "conflict",
    "hold",
    "quarantine",
    "match_question",
    "match_candidate",
    "match_decision",
    "guard_trip",
)
"""The tables of the first release. What they hold changes by a later revision only."""

TRIPWIRE = "the audit log is append-only"


def upgrade() -> None:
    connection = op.get_bind()
    metadata = review_tables.metadata
    metadata.create_all(connection, tables=[metadata.tables[name] for name in FIRST])
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
    metadata = tables.metadata
    metadata.drop_all(op.get_bind(), tables=[metadata.tables[name] for name in FIRST])
