"""The unit of work: all or nothing, with the audit rows in the same commit; and the audit log's tripwire."""

from __future__ import annotations

import errno
import multiprocessing
import os

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from store_kit import ENTITY, Kit, bound, event, golden, write_new

from hub.audit.verify import verify
from hub.core.state import Fields
from hub.kernel.errors import LeaseLost, StoreUnavailable
from hub.store.database import open_engine, store_errors
from hub.store.lease import hold
from hub.store.tables import audit_entry, audit_head, meta, subject_key
from hub.store.tables import golden as golden_table
from hub.store.unit_of_work import Lease, Store
from hub.store.vault import audit_rows

FIELDS: Fields = {"full_name": "王小明"}


def _create(store: Store, hub_id: str, *, fail: bool = False) -> None:
    with store.begin() as work:
        work.audit(event("golden.create", hub_id))
        write_new(work, golden(hub_id, **FIELDS))
        assert work.ring.seal_record("golden", hub_id, f"subject-{hub_id}", 1, {})
        if fail:
            raise ZeroDivisionError


def _count(kit: Kit, table: sa.Table) -> int:
    with kit.store.read() as conn:
        return conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_a_change_and_its_audit_rows_commit_together_and_the_log_verifies(kit: Kit) -> None:
    for number in range(3):
        with kit.store.begin() as work:
            work.audit(event("golden.create", f"h{number}"))
            write_new(work, golden(f"h{number}", **FIELDS))
            work.audit(event("golden.change", f"h{number}"))
    assert kit.audited() == ["golden.create", "golden.change"] * 3
    with kit.store.read() as conn:
        verdict = verify(audit_rows(conn))
        head = conn.execute(sa.select(audit_head.c.epoch, audit_head.c.seq)).one()
    assert (verdict.ok, verdict.count) == (True, 6)
    assert tuple(head) == (verdict.head.epoch, verdict.head.seq)


def test_events_are_appended_last(kit: Kit) -> None:
    with kit.store.begin() as work:
        work.audit(event("golden.create"))
        assert work.conn.execute(sa.select(sa.func.count()).select_from(audit_entry)).scalar_one() == 0


def test_a_failure_leaves_neither_change_nor_audit_row_nor_key(kit: Kit) -> None:
    with pytest.raises(ZeroDivisionError):
        _create(kit.store, "h1", fail=True)
    assert [_count(kit, table) for table in (golden_table, subject_key, audit_entry)] == [0, 0, 0]
    with pytest.raises(Exception, match="subject-h1"):
        kit.ring.seal_record("golden", "h1", "subject-h1", 1, {})
    kit.create("h1", bound("h1"))
    assert kit.load("h1").golden.fields["full_name"] == "王小明"


def test_a_failing_append_takes_the_change_with_it(kit: Kit) -> None:
    def refuse(last: object, events: object) -> list[tuple[int, int, bytes, bytes, bytes]]:
        raise OSError("the log cannot be written")

    broken = Store(kit.engine, kit.ring, kit.clock, kit.new_id, refuse)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="cannot be written"):
        _create(broken, "h1")
    assert _count(kit, golden_table) == 0


def test_an_outdated_epoch_writes_nothing(kit: Kit) -> None:
    with hold(kit.store, ENTITY, "first") as old:
        pass
    with hold(kit.store, ENTITY, "second") as new:
        with pytest.raises(LeaseLost), kit.store.begin(old) as work:
            write_new(work, golden("h1", **FIELDS))
        with kit.store.begin(new) as work:
            write_new(work, golden("h2", **FIELDS))
    assert _count(kit, golden_table) == 1


def test_a_lease_that_nobody_ever_took_writes_nothing(kit: Kit) -> None:
    with pytest.raises(LeaseLost), kit.store.begin(Lease(ENTITY, 1)):
        raise AssertionError("the transaction was opened")


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entry SET body = body WHERE seq = 0", "DELETE FROM audit_entry WHERE seq = 0"]
)
def test_audit_rows_can_be_neither_changed_nor_deleted(kit: Kit, statement: str) -> None:
    with kit.store.begin() as work:
        work.audit(event("golden.create"))
    with pytest.raises(DBAPIError, match="append-only"), kit.engine.begin() as conn:
        conn.execute(sa.text(statement))
    assert kit.audited() == ["golden.create"]


def _append_many(url: str, number: int) -> None:
    kit = Kit(url, name=f"w{number}")
    for _ in range(25):
        with kit.store.begin() as work:
            work.conn.execute(meta.insert().values(key=kit.new_id(), value="x"))
            work.audit(event("golden.change", f"w{number}"))
    kit.close()


def test_processes_that_write_at_once_leave_one_unbroken_chain(kit: Kit) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(kit.url, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    with kit.store.read() as conn:
        verdict = verify(audit_rows(conn))
    assert (verdict.ok, verdict.count, _count(kit, meta)) == (True, 75, 75)


def test_a_read_only_database_says_so_and_keeps_what_it_has(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    if kit.is_sqlite:
        refusing = open_engine(kit.url.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true")
    else:
        refusing = open_engine(kit.url + "&options=-c%20default_transaction_read_only%3Don")
    store = Store(refusing, kit.ring, kit.clock, kit.new_id, kit.store.append)
    with pytest.raises(StoreUnavailable, match="read-only"):
        _create(store, "h2")
    refusing.dispose()
    assert _count(kit, golden_table) == 1


@pytest.mark.parametrize(
    ("number", "word"), [(errno.ENOSPC, "disk"), (errno.EDQUOT, "disk quota"), (errno.EROFS, "read-only")]
)
def test_what_the_disk_refuses_is_said_with_its_remedy(number: int, word: str) -> None:
    with pytest.raises(StoreUnavailable, match=word), store_errors():
        raise OSError(number, os.strerror(number))
