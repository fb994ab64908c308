"""No query of the engine walks a whole table: SQLite's own plans say so for every statement the repositories send."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hub.core.state import BindingState
from hub.store import backfills, claims, history, inbox, intents, matches, quarantine, questions, records, runs, sweeps
from hub.store.database import open_engine
from hub.store.migrate import migrate
from hub.store.unit_of_work import UnitOfWork

IDS = ["a", "b"]


class _Ring:
    """Takes subject rows and opens nothing: the database is empty."""

    def add_subjects(self, rows: Any) -> None:
        assert list(rows) == []


@pytest.fixture
def sent(tmp_path: Path) -> Iterator[tuple[sa.Connection, list[str]]]:
    """Is a connection and the statements that reach SQLite over it, whoever sends them, with their values in place."""
    engine = open_engine(f"sqlite:///{tmp_path / 'plans.db'}")
    migrate(engine)
    found: list[str] = []
    with engine.connect() as conn:
        driver: Any = conn.connection.driver_connection
        driver.set_trace_callback(found.append)
        yield conn, found
        driver.set_trace_callback(None)
    engine.dispose()


def plans_of(conn: sa.Connection, sent: list[str]) -> dict[str, list[str]]:
    statements = [text for text in sent if text.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))]
    cursor = conn.connection.cursor()
    found = {}
    for text in statements:
        cursor.execute(f"EXPLAIN QUERY PLAN {text}")
        found[text] = [str(row[3]) for row in cursor.fetchall()]
    return found


def read_everything(conn: sa.Connection) -> None:
    ring: Any = _Ring()
    records.dirty_page(conn, "customer", "one", "", 200, BindingState.ACTIVE)
    records.bindings_by_native(conn, "one", "Account", IDS)
    records.fresh_page(conn, "customer", "one", None, 200, "a")
    records.fresh_page(conn, "customer", "one", "b", 200, "a")
    records.unrouted_page(conn, "customer", "one", "v1", "", 200)
    records.binds_any(conn, "one", "Account")
    backfills.load(conn, "customer")
    backfills.find(conn, ("customer", "one", "Account"))
    records.tally(conn, "customer")
    records.load_golden(conn, ring, IDS)
    records.load_subjects(conn, ring, IDS)
    sweeps.swept(conn, "one", "Account")
    inbox.by_native(conn, "one", "Account", IDS)
    inbox.by_hub(conn, IDS)
    inbox.queue_page(conn, "customer", "one", "", 200)
    inbox.load_of(conn, "customer")
    inbox.depth(conn, "customer")
    intents.open_bindings(conn, IDS)
    intents.unsettled_records(conn, "customer", 5)
    intents.unsettled(conn, ring, "customer", 5)
    intents.count(conn, "customer")
    intents.asked(conn, "customer")
    matches.share(conn, "customer", [b"1", b"2"])
    matches.keys_of(conn, IDS)
    matches.placed(conn, IDS, "one")
    matches.answers(conn, "one", "Account", IDS)
    matches.asked_about(conn, IDS, "one")
    matches.tally(conn, "customer")
    claims.owners(conn, "customer", "", 200)
    claims.of_owners(conn, "customer", IDS)
    claims.left_alone(conn, "customer")
    quarantine.of_records(conn, "one", IDS)
    quarantine.inbound_digests(conn, "one", "Account", IDS)
    quarantine.outside(conn, "one", [("Account", "a"), ("Account", "b"), (None, None)])
    quarantine.causes(conn, "customer")
    questions.frozen_fields(conn, IDS)
    questions.count(conn, "conflict", "customer")
    history.returns(conn, IDS, 0.0, 3)
    runs.load_cursor(conn, "customer", "one", "Account", "changes", "scope")
    runs.guards(conn, "customer")
    runs.accepted_schema(conn, "one", "Account")


def write_everything(conn: sa.Connection) -> None:
    ring: Any = None
    work = UnitOfWork(conn, ring, 0.0, lambda: "id")
    records.place_new(work, "customer", ["one"])
    sweeps.begin_sweep(work, "one", "Account")
    sweeps.sweep(work, "one", "Account", {"a": None})
    matches.drop_keys(work, IDS)
    matches.take_over(work, IDS)
    matches.close(work, "one", "Account", "a")
    inbox.consume(work, IDS)
    inbox.put_off(work, IDS)
    inbox.wake(work, IDS)
    inbox.wake_native(work, "one", "Account", "a")
    quarantine.clear(work, "one", "Account", IDS, "in")
    quarantine.clear_fields(work, "one", {"a": [""]})
    intents.prove_created(work, [("a", "one")])


def test_no_statement_scans_a_table(sent: tuple[sa.Connection, list[str]]) -> None:
    conn, statements = sent
    read_everything(conn)
    write_everything(conn)
    found = plans_of(conn, list(statements))
    assert len(found) > 50
    scans = {text: plan for text, plan in found.items() if any(step.startswith("SCAN") for step in plan)}
    # A count over the covering index of one entity's bindings is a search, a walk of the table is not.
    assert {text: plan for text, plan in scans.items() if not all("CONSTANT" in s for s in plan)} == {}
