"""The schema in which the queue of shares keeps its own tables, beside ours in the same PostgreSQL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from hub.kernel.errors import StoreUnavailable
from hub.store.database import KEPT_ALIVE, open_engine, store_errors
from hub.store.lease import kernel_lock

SCHEMA = "crmhub_jobs"
_MARK = "crmhub queue "
_COMMENT = sa.text("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = :name")


def connection_of(url: str) -> dict[str, Any]:
    """Returns what a psycopg pool needs to reach the queue's tables and no others by their bare names."""
    place = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return {"conninfo": place, "kwargs": {"options": f"-c search_path={SCHEMA}", **KEPT_ALIVE}}


def prepare(url: str, release: str, statements: str) -> None:
    """Makes the tables of a release of the queue; those of another release are dropped, for they hold only offers.

    Raises StoreUnavailable where the user of the database may not make a schema.
    """
    engine = open_engine(url)
    try:
        with kernel_lock(engine, "queue"):
            if _made_for(engine) == release:
                return
            with store_errors(), engine.connect() as conn, conn.begin():
                conn.execute(sa.schema.DropSchema(SCHEMA, cascade=True, if_exists=True))
                conn.execute(sa.schema.CreateSchema(SCHEMA))
                conn.execute(sa.text(f"SET LOCAL search_path TO {SCHEMA}"))
                conn.execution_options(no_parameters=True).exec_driver_sql(statements)
                # Beside the tables and not in ours: a restored store says nothing about the queue of this database.
                conn.execute(sa.text(f"COMMENT ON SCHEMA {SCHEMA} IS '{_MARK}{release}'"))
    except sa.exc.ProgrammingError as error:
        if "permission denied" not in str(error.orig):
            raise
        raise StoreUnavailable(
            f"the user of the database may not make the schema {SCHEMA}; grant CREATE on the database, or let its "
            "owner run `crmhub init`",
            f"数据库用户无权建立模式 {SCHEMA}；请授予该库的 CREATE 权限，或由其所有者运行 `crmhub init`",
        ) from None
    finally:
        engine.dispose()


def _made_for(engine: sa.Engine) -> str | None:
    """Returns the release of the queue whose tables stand here, None where there are none."""
    with store_errors(), engine.connect() as conn:
        said = conn.execute(_COMMENT, {"name": SCHEMA}).scalar_one_or_none()
    return said.removeprefix(_MARK) if said is not None and said.startswith(_MARK) else None


def require(engine: sa.Engine, release: str) -> None:
    """Raises StoreUnavailable where the tables of this release of the queue are not there."""
    if _made_for(engine) != release:
        raise StoreUnavailable(
            "the queue of shares is not set up for this release; run `crmhub init` in the folder of the hub",
            "任务队列尚未按本版本建立；请在 crmhub 目录运行 `crmhub init`",
            code="HUB-STORE-003",
        )
