"""The queue's own schema: made once, anew for another release, and never believed where it is not there."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from store_kit import Kit

from hub.kernel.errors import StoreUnavailable
from hub.store import queue_schema

pytestmark = pytest.mark.postgres
TABLE = "CREATE TABLE offer (id text); INSERT INTO offer VALUES ('100%')"


def offers(kit: Kit) -> list[str]:
    with kit.engine.connect() as conn:
        return list(conn.execute(sa.text(f"SELECT id FROM {queue_schema.SCHEMA}.offer")).scalars())


def test_it_is_made_once(shared_kit: Kit) -> None:
    queue_schema.prepare(shared_kit.url, "1.0", TABLE)
    with shared_kit.engine.begin() as conn:
        conn.execute(sa.text(f"INSERT INTO {queue_schema.SCHEMA}.offer VALUES ('kept')"))
    queue_schema.prepare(shared_kit.url, "1.0", "this would be a syntax error")
    queue_schema.require(shared_kit.engine, "1.0")
    assert offers(shared_kit) == ["100%", "kept"]


def test_another_release_makes_it_anew(shared_kit: Kit) -> None:
    queue_schema.prepare(shared_kit.url, "1.0", TABLE)
    with pytest.raises(StoreUnavailable, match="crmhub init") as caught:
        queue_schema.require(shared_kit.engine, "2.0")
    assert caught.value.code == "HUB-STORE-003"
    queue_schema.prepare(shared_kit.url, "2.0", TABLE.replace("100%", "new"))
    assert offers(shared_kit) == ["new"]


def test_a_database_without_it_names_the_command_that_makes_it(shared_kit: Kit) -> None:
    with pytest.raises(StoreUnavailable, match="crmhub init"):
        queue_schema.require(shared_kit.engine, "1.0")


def test_a_user_who_may_not_make_it_is_told_what_to_grant(shared_kit: Kit) -> None:
    place = sa.make_url(shared_kit.url)
    with shared_kit.engine.begin() as conn:
        conn.execute(sa.text("DROP ROLE IF EXISTS plain"))
        conn.execute(sa.text("CREATE ROLE plain LOGIN"))
        conn.execute(sa.text("GRANT SELECT, UPDATE, INSERT, DELETE ON ALL TABLES IN SCHEMA public TO plain"))
    plain = place.set(username="plain").render_as_string(hide_password=False)
    with pytest.raises(StoreUnavailable, match="grant CREATE on the database"):
        queue_schema.prepare(plain, "1.0", TABLE)
    with shared_kit.engine.begin() as conn:
        conn.execute(sa.text("DROP OWNED BY plain"))
        conn.execute(sa.text("DROP ROLE plain"))


def test_connections_see_the_queue_by_its_bare_names(shared_kit: Kit) -> None:
    made = queue_schema.connection_of(
        "postgresql+psycopg://crmhub:p%40ss@db.example.com:5432/crmhub?sslmode=verify-full"
    )
    assert made["conninfo"] == "postgresql://crmhub:p%40ss@db.example.com:5432/crmhub?sslmode=verify-full"
    assert made["kwargs"]["options"] == "-c search_path=crmhub_jobs"
