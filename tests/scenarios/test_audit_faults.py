"""No audit row, no act: the log fails closed on every fault, and goes on by itself once the fault is gone."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import audit_lab
import orjson
import pytest
import sqlalchemy as sa
from audit_lab import HandClock, act, opened

from hub.audit.event import Event
from hub.core.state import GoldenRecord
from hub.kernel.errors import AuditUnavailable, StoreUnavailable
from hub.operations import audit_search, auditing, checkpointing
from hub.operations.inspection import show_record
from hub.operations.installation import Installation
from hub.schedule.waiting import AUDIT, DISK, STORE, cause_of
from hub.store import records, vault
from hub.store.audit_index import Wanted
from hub.store.records import Write
from hub.store.tables import meta

WRITES = int(os.environ.get("CRMHUB_AUDIT_WRITES", "8"))
"""Commits of each of the eight processes; 1000 on demand."""
DATABASES = (pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = audit_lab.make_home(tmp_path_factory.mktemp("faults") / "hub")
    with opened(home, HandClock()) as hub:
        act(hub, 3)
    return home


@pytest.fixture
def hub(template: Path, tmp_path: Path) -> Iterator[Installation]:
    with opened(audit_lab.copy(template, tmp_path / "hub"), HandClock(audit_lab.START + 60)) as made:
        yield made


def write(hub: Installation, key: str, fault: str | None = None) -> None:
    """Changes something and audits it in one commit; the fault comes between the two."""
    with hub.store.begin() as work:
        work.conn.execute(meta.insert().values(key=key, value="x"))
        work.audit(Event("record.edit", "customer", key, reason="r" * 500))
        if fault is not None:
            work.conn.exec_driver_sql(fault)


def refusal(hub: Installation, key: str, fault: str) -> Exception | None:
    try:
        write(hub, key, fault)
    except (AuditUnavailable, StoreUnavailable) as error:
        return error
    return None


def stands(hub: Installation, key: str) -> tuple[bool, bool]:
    """Tells whether the change and its row are there."""
    with hub.store.read() as conn:
        there = conn.execute(sa.select(meta.c.key).where(meta.c.key == key)).one_or_none()
        acts = [orjson.loads(row[2]).get("obj", {}).get("id") for row in vault.audit_rows(conn)]
    return there is not None, key in acts


def fill(hub: Installation) -> str:
    """Returns what leaves a database no page more: SQLite answers as on a full disk."""
    with hub.store.read() as conn:
        # Pages that were given back would still take a row.
        assert conn.exec_driver_sql("PRAGMA freelist_count").scalar() == 0
        return f"PRAGMA max_page_count={conn.exec_driver_sql('PRAGMA page_count').scalar()}"


def test_a_full_disk_and_a_read_only_one_take_the_act_back_with_its_row(hub: Installation) -> None:
    full = fill(hub)
    causes: set[str | None] = set()
    for number in range(40):  # the last page has room for some rows
        refused = refusal(hub, f"full-{number}", full)
        causes |= set() if refused is None else {cause_of(refused)}
        assert stands(hub, f"full-{number}") == ((False, False) if refused else (True, True))
    assert causes == {DISK}
    hub.store.engine.dispose()
    with pytest.raises(AuditUnavailable, match="HUB-STORE-001") as found:
        write(hub, "read-only", "PRAGMA query_only=ON")
    assert cause_of(found.value) == STORE
    hub.store.engine.dispose()
    assert stands(hub, "read-only") == (False, False)
    write(hub, "after")
    assert stands(hub, "after") == (True, True)
    assert auditing.verify_log(hub).ok


def test_a_locked_database_refuses_the_act(hub: Installation) -> None:
    with hub.store.read() as conn:
        conn.exec_driver_sql("PRAGMA busy_timeout=20")
    other = sqlite3.connect(hub.settings.home / audit_lab.DATABASE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable) as refused:
        write(hub, "locked")
    assert cause_of(refused.value) == STORE
    other.execute("ROLLBACK")
    other.close()
    assert stands(hub, "locked") == (False, False)
    write(hub, "locked")
    assert stands(hub, "locked") == (True, True)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE audit_entry SET body = x'7b7d' WHERE seq = (SELECT max(seq) FROM audit_entry)",
        "DELETE FROM audit_entry WHERE seq = (SELECT max(seq) FROM audit_entry)",
        "UPDATE audit_head SET seq = seq - 1",
        "DELETE FROM audit_epoch",
    ],
)
def test_nothing_is_built_on_a_last_row_that_is_not_what_was_written(damage: str, hub: Installation) -> None:
    audit_lab.tamper(hub.settings.home, lambda conn: conn.execute(damage))
    with pytest.raises(AuditUnavailable) as refused:
        write(hub, "built")
    assert cause_of(refused.value) == AUDIT
    assert stands(hub, "built") == (False, False)


def test_no_value_is_shown_without_its_row(hub: Installation) -> None:
    fields = {"full_name": "王小明"}
    made = GoldenRecord("h-1", "customer", fields, {"*": "zoho"}, 1, subject_id="s-1")
    with hub.store.begin() as work:
        records.write(work, [Write(None, made, (), {}, {})])
    assert show_record(hub, "h-1", reveal="asked").fields[0].value == "王小明"
    with hub.store.read() as conn:
        conn.exec_driver_sql("PRAGMA query_only=ON")
    with pytest.raises((AuditUnavailable, StoreUnavailable)):
        show_record(hub, "h-1", reveal="asked again")
    with pytest.raises((AuditUnavailable, StoreUnavailable)):
        audit_search.read_page(hub, Wanted())


@pytest.mark.parametrize("verb", ["UPDATE audit_entry SET body = ''", "DELETE FROM audit_entry"])
@pytest.mark.parametrize("backend", DATABASES)
def test_the_database_refuses_to_change_the_log(verb: str, backend: str, request: pytest.FixtureRequest) -> None:
    hub = request.getfixturevalue("hub" if backend == "sqlite" else "shared")
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), hub.store.engine.begin() as conn:
        conn.exec_driver_sql(verb)


@pytest.fixture
def shared(postgres_url: str, tmp_path: Path) -> Iterator[Installation]:
    home = audit_lab.make_home(tmp_path / "shared", store=postgres_url)
    with opened(home, HandClock()) as made:
        act(made)
        yield made


def burst(home: Path, name: str, number: int) -> None:
    with opened(home) as mine:
        for each in range(number):
            with mine.store.begin() as work:
                work.audit(Event("record.edit", "customer", f"{name}-{each}"))


@pytest.mark.parametrize("backend", DATABASES)
def test_eight_processes_write_one_log_without_gap_or_fork(backend: str, request: pytest.FixtureRequest) -> None:
    hub = request.getfixturevalue("hub" if backend == "sqlite" else "shared")
    hub.store.engine.dispose()
    start = multiprocessing.get_context("fork").Process
    crowd: list[BaseProcess] = [start(target=burst, args=(hub.settings.home, f"p{n}", WRITES)) for n in range(8)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join(300)
    assert [each.exitcode for each in crowd] == [0] * 8
    with hub.store.read() as conn:
        rows = list(vault.audit_rows(conn))
    assert [row[1] for row in rows] == list(range(len(rows)))
    written = [orjson.loads(row[2])["obj"]["id"] for row in rows]
    assert {f"p{n}-{each}" for n in range(8) for each in range(WRITES)} <= set(written)
    assert len(set(written)) == len(written), "no act twice"
    assert checkpointing.make_checkpoint(hub) is not None
    report = auditing.examine(hub, full=True)
    assert report.exit_code == auditing.OK, report.findings
    assert report.rows > len(rows)
