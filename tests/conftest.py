"""Fixtures for every test: a real PostgreSQL, and one database of each kind.

Where no PostgreSQL can run, its tests are skipped with the reason; with REQUIRE_ALL=1 they fail.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from postgres_server import NoServer, PostgresServer

# How long an example takes says how busy the machine is, and nothing about the example.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

DATABASES = (pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Is one server for all tests of a worker."""
    try:
        server = PostgresServer()
    except NoServer as error:
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"REQUIRE_ALL=1, and {error}")
        pytest.skip(str(error))
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """Is the URL of an empty PostgreSQL database of the test's own."""
    name = postgres.fresh()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Is the URL of an empty database of the test's own, on SQLite and on PostgreSQL in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    return str(request.getfixturevalue("postgres_url"))
