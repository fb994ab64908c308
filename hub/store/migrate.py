"""Brings a database to the schema of this release, and refuses one made by a newer release."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hub.kernel.errors import StoreTooNew, StoreUnavailable
from hub.store.database import WRITE, store_errors

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"
VERSION = "alembic_version"
_REVISION = sa.select(sa.column("version_num", sa.String)).select_from(sa.table(VERSION))


def revisions() -> list[str]:
    """Returns the schema revisions that this release knows, oldest first: their files begin with them."""
    return sorted(file.name.partition("_")[0] for file in (_FOLDER / "versions").glob("[0-9]*_*.py"))


def revision_of(connection: sa.Connection) -> str | None:
    """Returns the schema revision of a database, or None where it was never set up.

    Every command asks; Alembic, which answers the same, takes long to load and is needed only to change a schema.
    """
    if not sa.inspect(connection).has_table(VERSION):
        return None
    found: str | None = connection.execute(_REVISION).scalar_one_or_none()
    return found


def config_of(connection: sa.Connection | None = None) -> Config:
    """Returns the settings by which Alembic finds our migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(engine: sa.Engine) -> None:
    """Creates or upgrades the tables in one transaction. Raises StoreTooNew and StoreUnavailable."""
    with store_errors(), engine.connect().execution_options(**{WRITE: True}) as connection, connection.begin():
        if _refuse_newer(connection) != revisions()[-1]:
            from alembic import command

            command.upgrade(config_of(connection), "head")


def require_current(engine: sa.Engine) -> None:
    """Raises StoreTooNew for a newer store and StoreUnavailable for one that was never set up or is behind."""
    with store_errors(), engine.connect() as connection:
        found = _refuse_newer(connection)
        if found != revisions()[-1]:
            raise StoreUnavailable(
                "the store is not set up for this release; run `crmhub init` in its folder",
                "存储尚未按本版本建立；请在其目录运行 `crmhub init`",
                code="HUB-STORE-003",
            )


def _refuse_newer(connection: sa.Connection) -> str | None:
    found = revision_of(connection)
    if found is not None and found not in revisions():
        raise StoreTooNew(
            f"the store was made by a newer crmhub (schema {found}); start that release, nothing was changed",
            f"该存储由更新版本的 crmhub 建立（结构 {found}）；请使用该版本启动，未做任何改动",
        )
    return found
