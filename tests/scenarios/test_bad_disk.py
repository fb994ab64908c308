"""A full disk and a read-only database: one clear message, nothing half-written, and the next good run goes on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from laboratory import Bank, Simulators, make_home
from postgres_server import UNPRIVILEGED
from sync_process import Nursery

from hub.cli.failures import STORE
from hub.operations.cycles import sync
from hub.store import runs

STORE_URL = "sqlite:///var/hub.db"


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    started = Simulators.start(records=60, seed=11)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def nursery(simulators: Simulators) -> Iterator[Nursery]:
    started = Nursery()
    yield started
    started.stop()


@pytest.fixture
def bank(simulators: Simulators) -> Iterator[Bank]:
    """Is a bank whose folder other users can reach."""
    folder = Path(tempfile.mkdtemp(prefix="crmhub-disk-"))
    folder.chmod(0o755)
    made = Bank(folder / "hub", simulators)
    simulators.reset(made)
    yield make(made)
    shutil.rmtree(folder)


def make(bank: Bank) -> Bank:
    make_home(bank.home, STORE_URL, bank.simulators)
    return bank


@pytest.mark.slow
@pytest.mark.parametrize("room", [60_000, 250_000, 500_000])
def test_a_full_disk_stops_the_sync_and_loses_nothing(room: int, bank: Bank, nursery: Nursery) -> None:
    nursery.start(bank.home, file_limit=room)
    assert nursery.wait() == STORE
    said = (bank.home / "sync.log").read_text()
    assert "HUB-STORE" in said
    assert "disk" in said
    assert "Traceback" not in said
    with bank.hub() as hub:
        bank.settle(hub)
        bank.check(hub)


def test_locks_that_cannot_be_written_stop_a_system_and_the_cycle_ends(bank: Bank) -> None:
    locks = bank.home / "var" / "locks"
    with bank.hub() as hub:
        shutil.rmtree(locks, ignore_errors=True)
        locks.write_text("")
        stopped = sync(hub, "customer")
        assert stopped.outcome == "blocked"
        assert {advice.reason for advice in stopped.advice} == {
            "system:zoho:HUB-DISK-001",
            "system:fxiaoke:HUB-DISK-001",
        }
        assert all(str(locks) in advice.en and str(locks) in advice.zh for advice in stopped.advice)
        locks.unlink()
        assert not [advice.reason for advice in sync(hub, "customer").advice if "HUB-DISK" in advice.reason]


@pytest.mark.slow
def test_a_read_only_database_stops_the_sync_and_loses_nothing(bank: Bank, nursery: Nursery) -> None:
    with bank.hub() as hub:
        bank.settle(hub)
        bank.check(hub)
        with hub.store.read() as conn:
            before = runs.latest(conn, "customer", 1)
    user = UNPRIVILEGED if os.geteuid() == 0 else os.geteuid()
    give(bank.home, user)
    places = (bank.home / "var", *(bank.home / "var").iterdir())
    for place in places:
        place.chmod(place.stat().st_mode & ~0o222)
    nursery.start(bank.home, user=user)
    assert nursery.wait() == STORE
    said = (bank.home / "sync.log").read_text()
    assert "read-only" in said
    assert "Traceback" not in said
    for place in places:
        place.chmod(place.stat().st_mode | 0o200)
    give(bank.home, os.geteuid())
    with bank.hub() as hub:
        with hub.store.read() as conn:
            assert runs.latest(conn, "customer", 1) == before
        bank.settle(hub)
        bank.check(hub)


def give(home: Path, user: int) -> None:
    """Makes a user the owner of a folder and all that is in it."""
    for place in (home, *home.rglob("*")):
        os.chown(place, user, -1)
