"""`kill -9` amid the bulk load of a first sync: the next one goes on with the same job, at the row where it stood."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from laboratory import ENTITY, Bank, Simulators, make_home
from sync_process import Nursery

from hub.store import backfills, runs

PEOPLE, SEED = 240, 11
KILLED = -9
JOB_ROWS, PAGE_ROWS, ABOVE = 60, 10, 10
PAGES = f"page_size: {PAGE_ROWS}, coql_page_size: {PAGE_ROWS}"
BULK = f"overlap: 2, {PAGES}, bulk_read_above: {ABOVE}, bulk_look_seconds: 0.1"


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    started = Simulators.start(records=PEOPLE, seed=SEED)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def nursery(simulators: Simulators) -> Iterator[Nursery]:
    started = Nursery()
    yield started
    started.stop()


@pytest.fixture
def bank(tmp_path: Path, simulators: Simulators) -> Bank:
    simulators.reset(None)
    simulators.running["zoho"].admin.settings(bulk_rows=JOB_ROWS, bulk_seconds=0.3)
    home = make_home(tmp_path / "hub", "sqlite:///var/hub.db", simulators)
    settings = home / "config" / "hub.yaml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("overlap: 2", BULK, 1), encoding="utf-8")
    return Bank(home, simulators)


def stored(bank: Bank) -> dict[str, dict[str, Any]]:
    """Returns the places of the bulk loads that stand in the cursors, by module."""
    found: dict[str, dict[str, Any]] = {}
    with bank.hub() as hub:
        link = hub.links(ENTITY)["zoho"]
        with hub.store.read() as conn:
            for module in link.objects:
                cursor = runs.load_cursor(conn, ENTITY, "zoho", module, "changes", link.stream_scope(module))
                if cursor is not None and cursor["mode"] == "bulk":
                    found[module] = dict(cursor["place"])
    return found


def bulk_calls(bank: Bank, module: str) -> dict[str, int]:
    calls = bank.simulators.running["zoho"].admin.calls()["calls"]
    return {act: calls.get(f"bulk {act} {module}", 0) for act in ("create", "download")}


@pytest.mark.parametrize("page", [3, 5, 8, 13])
def test_a_killed_first_load_goes_on_with_its_jobs_and_ends_equal(bank: Bank, nursery: Nursery, page: int) -> None:
    rows = {module: len(bank.simulators.rows("zoho", module)) for module in ("Contacts", "Accounts")}
    assert all(number > ABOVE for number in rows.values())
    nursery.start(bank.home, failpoint=f"page_staged:{page}")
    assert nursery.wait() == KILLED
    before = stored(bank)
    made = {module: bulk_calls(bank, module) for module in rows}
    nursery.start(bank.home)
    nursery.wait()
    for module, number in rows.items():
        jobs = -(-number // JOB_ROWS)
        after = bulk_calls(bank, module)
        # Pages are read ahead of their commits: a job that no commit names yet is made again, no other is.
        assert jobs <= after["create"] <= jobs + 1, (module, before, made, after)
        # A file is fetched again only by the process that goes on with it.
        assert jobs <= after["download"] <= jobs + 2, (module, before, made, after)
    with bank.hub() as hub:
        with hub.store.read() as conn:
            listings = {row.object: row for row in backfills.load(conn, ENTITY) if row.system == "zoho"}
        for module, number in rows.items():
            assert (listings[module].done, listings[module].total) == (number, number)
            assert listings[module].ended_at is not None
        bank.settle(hub)
        bank.check(hub)


def test_kills_meet_a_waiting_job_and_the_middle_of_a_file(bank: Bank, nursery: Nursery) -> None:
    """Proves that kills at pages reach every state that a cursor of a bulk load can name."""
    states: set[str] = set()
    for run in range(12):
        nursery.start(bank.home, failpoint=f"page_staged:{3 + run % 3}")
        nursery.wait()
        states |= {"reading" if place["row"] else "waiting" for place in stored(bank).values()}
        if states == {"reading", "waiting"}:
            return
    raise AssertionError(f"met only {states}")
