"""A migrated store with keys for each test, on SQLite and on PostgreSQL: a copy of one made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from store_kit import START, TENANT, FixedKeys, Kit

from hub.keys.keyring import Keyring
from hub.store.database import open_engine
from hub.store.migrate import migrate
from hub.store.vault import save_keys

DATABASES = (pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres))


def _prepare(url: str) -> None:
    engine = open_engine(url)
    migrate(engine)
    save_keys(engine, Keyring.bootstrap(FixedKeys(), TENANT, count(1).__next__, START))  # type: ignore[arg-type]
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("store") / "hub.db"
    _prepare(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    name = postgres.fresh()
    _prepare(postgres.url(name))
    return name


@pytest.fixture(params=DATABASES)
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    if request.param == "sqlite":
        file = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "hub.db")
        made = Kit(f"sqlite:///{file}")
        yield made
        made.close()
        return
    yield request.getfixturevalue("shared_kit")


@pytest.fixture
def shared_kit(postgres: PostgresServer, postgres_template: str) -> Iterator[Kit]:
    """Is a store that several hosts may use."""
    name = postgres.fresh(postgres_template)
    made = Kit(postgres.url(name))
    yield made
    made.close()
    postgres.drop(name)
