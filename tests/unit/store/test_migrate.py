"""Migrations: from nothing, again, and against stores of other releases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from hub.kernel.errors import StoreTooNew, StoreUnavailable
from hub.store import (  # noqa: F401 - their tables join the metadata
    access_tables,
    allowance_tables,
    audit_tables,
    callback_tables,
    erasure_tables,
    key_tables,
    reference_tables,
    schedule_tables,
    share_tables,
    signin_tables,
)
from hub.store.database import open_engine
from hub.store.migrate import config_of, migrate, require_current, revisions
from hub.store.review_tables import metadata


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = open_engine(database_url)
    yield made
    made.dispose()


def _stamp(engine: sa.Engine, revision: str) -> None:
    with engine.begin() as conn:
        conn.execute(sa.text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_an_empty_database_gets_every_table_and_one_audit_head(engine: sa.Engine) -> None:
    migrate(engine)
    require_current(engine)
    assert set(sa.inspect(engine).get_table_names()) == {*metadata.tables, "alembic_version"}
    with engine.connect() as conn:
        assert conn.execute(sa.text("SELECT id, epoch, seq FROM audit_head")).all() == [(1, 1, -1)]


def test_revisions_are_those_of_the_migrations_in_their_order() -> None:
    scripts = ScriptDirectory.from_config(config_of())
    assert revisions() == [script.revision for script in scripts.walk_revisions()][::-1]
    assert scripts.get_heads() == revisions()[-1:]


def test_migrating_again_changes_nothing(engine: sa.Engine) -> None:
    migrate(engine)
    with engine.begin() as conn:
        conn.execute(sa.text("INSERT INTO meta (key, value) VALUES ('tenant', 'kept')"))
    migrate(engine)
    with engine.connect() as conn:
        assert conn.execute(sa.text("SELECT value FROM meta")).scalar_one() == "kept"
        assert conn.execute(sa.text("SELECT count(*) FROM audit_head")).scalar_one() == 1


def test_the_tables_are_those_of_the_code(engine: sa.Engine) -> None:
    migrate(engine)
    with engine.connect() as conn:
        # An index on expressions stands in the migration alone: how it is spelled differs from database to database.
        spelled = {"include_name": lambda name, kind, parents: name != "golden_complaint"}
        assert compare_metadata(MigrationContext.configure(conn, opts=spelled), metadata) == []


@pytest.mark.parametrize("act", [migrate, require_current])
def test_a_store_of_a_newer_release_is_refused_and_left_alone(engine: sa.Engine, act: object) -> None:
    migrate(engine)
    _stamp(engine, "9999")
    with pytest.raises(StoreTooNew, match=r"schema 9999.*nothing was changed"):
        act(engine)  # type: ignore[operator]
    with engine.connect() as conn:
        assert conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


def test_a_store_that_was_never_set_up_names_the_command_that_does(engine: sa.Engine) -> None:
    with pytest.raises(StoreUnavailable, match="run `crmhub init`") as caught:
        require_current(engine)
    assert caught.value.code == "HUB-STORE-003"


def test_a_store_that_is_behind_names_the_command_that_upgrades(engine: sa.Engine) -> None:
    migrate(engine)
    with engine.begin() as conn:
        conn.execute(sa.text("DELETE FROM alembic_version"))
    with pytest.raises(StoreUnavailable, match="not set up for this release"):
        require_current(engine)
