"""Brings a database to the schema of this release, and refuses one made by a newer release."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError

from hub.kernel.errors import StoreTooNew, StoreUnavailable
from hub.store.database import WRITE, store_errors

_FOLDER = Path(__file__).parent / "migrations"


def config_of(connection: sa.Connection | None = None) -> Config:
    """Returns the settings by which Alembic finds our migrations."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(engine: sa.Engine) -> None:
    """Creates or upgrades the tables in one transaction. Raises StoreTooNew and StoreUnavailable."""
    with store_errors(), engine.connect().execution_options(**{WRITE: True}) as connection, connection.begin():
        _refuse_newer(connection)
        command.upgrade(config_of(connection), "head")


def require_current(engine: sa.Engine) -> None:
    """Raises StoreTooNew for a newer store and StoreUnavailable for one that was never set up or is behind."""
    with store_errors(), engine.connect() as connection:
        found = _refuse_newer(connection)
        if found != ScriptDirectory.from_config(config_of()).get_current_head():
            raise StoreUnavailable(
                "the store is not set up for this release; run `crmhub init` in its folder",
                "存储尚未按本版本建立；请在其目录运行 `crmhub init`",
                code="HUB-STORE-003",
            )


def revision(connection: sa.Connection) -> str | None:
    """Returns the schema revision of a store, None for one that was never set up."""
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(connection: sa.Connection) -> str | None:
    found = revision(connection)
    if found is None:
        return None
    try:
        ScriptDirectory.from_config(config_of()).get_revision(found)
    except (CommandError, ResolutionError):
        raise StoreTooNew(
            f"the store was made by a newer crmhub (schema {found}); start that release, nothing was changed",
            f"该存储由更新版本的 crmhub 建立（结构 {found}）；请使用该版本启动，未做任何改动",
        ) from None
    return found
