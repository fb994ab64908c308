"""Shares: whoever takes one over begins the next turn; no older turn and no older epoch commits any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from store_kit import ENTITY, RUN, Kit

from hub.kernel.errors import LeaseLost
from hub.store import shares
from hub.store.lease import Lead, held_elsewhere, hold, kernel_lock, leader
from hub.store.shares import Share, ShareState
from hub.store.unit_of_work import Lease


@contextmanager
def led(kit: Kit) -> Iterator[Lease]:
    with hold(kit.store, ENTITY, "leader") as held:
        yield held


def share(number: int = 1, epoch: int = 1) -> Share:
    return Share(f"share-{number}", RUN, ENTITY, epoch, "pull", "zoho", {"object": "Contacts"}, "scope")


def made(kit: Kit, held: Lease, *numbers: int) -> None:
    with kit.store.begin(held) as work:
        shares.make(work, [share(number, held.epoch) for number in numbers])


def taken(kit: Kit, held: Lease, number: int = 1, holder: str = "w") -> Share:
    with kit.store.begin(held) as work:
        found = shares.take(work, f"share-{number}", holder)
    assert found is not None
    return found


def test_a_share_is_found_as_it_was_cut(kit: Kit) -> None:
    with led(kit) as held:
        made(kit, held, 1, 2)
        with kit.store.read() as conn:
            found = shares.of_run(conn, RUN)
    assert [(item.share_id, item.place, item.state, item.turn) for item in found] == [
        ("share-1", {"object": "Contacts"}, ShareState.OPEN, 0),
        ("share-2", {"object": "Contacts"}, ShareState.OPEN, 0),
    ]


def test_who_was_overtaken_commits_nothing(kit: Kit) -> None:
    with led(kit) as held:
        made(kit, held, 1)
        slow = taken(kit, held, holder="slow")
        quick = taken(kit, held, holder="quick")
        assert (slow.turn, quick.turn) == (1, 2)
        with pytest.raises(LeaseLost), kit.store.begin(slow.lease):
            raise AssertionError("an older turn was let in")
        assert shares.beat(kit.store, slow.lease, 5), "and it hears that it must stop"
        with kit.store.begin(quick.lease) as work:
            shares.put_down(work, quick.lease, ShareState.ENDED, {"counts": {"read": 3}})
        with kit.store.begin(held) as work:
            assert shares.take(work, "share-1", "late") is None, "what is over is not begun again"
            found = shares.find(work.conn, "share-1")
    assert found is not None
    assert (found.state, found.holder, found.done, found.outcome) == ("ended", "quick", 0, {"counts": {"read": 3}})


def test_who_carries_out_a_share_of_an_older_epoch_commits_nothing(kit: Kit) -> None:
    with led(kit) as held:
        made(kit, held, 1)
        old = taken(kit, held)
    with led(kit) as newer:
        assert newer.epoch == held.epoch + 1
        with pytest.raises(LeaseLost), kit.store.begin(old.lease):
            raise AssertionError("an older epoch was let in")


def test_a_stop_takes_back_what_nobody_began(kit: Kit) -> None:
    with led(kit) as held:
        made(kit, held, 1, 2)
        mine = taken(kit, held, 1)
        assert not shares.beat(kit.store, mine.lease, 200)
        with kit.store.begin(held) as work:
            shares.ask_to_stop(work, RUN)
        assert shares.beat(kit.store, mine.lease, 0)
        with kit.store.read() as conn:
            states = {item.share_id: (item.state, item.done) for item in shares.of_run(conn, RUN)}
    assert states == {"share-1": (ShareState.TAKEN, 200), "share-2": (ShareState.DROPPED, 0)}


def test_a_new_epoch_names_the_locks_of_what_is_still_carried_out(kit: Kit) -> None:
    with led(kit) as held:
        made(kit, held, 1, 2)
        taken(kit, held, 2)
    with led(kit) as newer:
        with kit.store.begin(newer) as work:
            assert shares.retire(work, ENTITY, newer.epoch) == ["share:share-2"]
        with kit.store.begin(newer) as work:
            assert shares.retire(work, ENTITY, newer.epoch) == [], "told once"
            shares.forget(work, ENTITY, newer.epoch)
            assert shares.of_run(work.conn, RUN) == []


@pytest.mark.postgres
def test_locks_that_somebody_holds_are_seen_in_one_look(shared_kit: Kit) -> None:
    other = shared_kit.other()
    names = [f"share:{number}" for number in range(5)]
    with kernel_lock(other.engine, names[1]), kernel_lock(other.engine, names[3]), shared_kit.store.read() as conn:
        assert held_elsewhere(conn, names) == {names[1], names[3]}
    other.close()


def test_one_of_two_leads_and_the_other_goes_on_after_it(kit: Kit) -> None:
    other = kit.other()
    first, second = Lead(kit.store, "one"), Lead(other.store, "two")
    assert first.take()
    assert not second.take()
    assert (first.holds(), second.holds()) == (True, False)
    first.release()
    assert not first.holds()
    assert second.take()
    found = leader(kit.store)
    assert found is not None
    assert (found.name, found.held) == ("two", True)
    second.release()
    last = leader(kit.store)
    assert last is not None
    assert (last.name, last.held) == ("two", False)
    other.close()


@pytest.mark.postgres
def test_a_leader_whose_session_broke_off_knows_it(shared_kit: Kit) -> None:
    other = shared_kit.other()
    lead = Lead(other.store, "one")
    assert lead.take()
    with shared_kit.engine.begin() as conn:
        ends = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        conn.exec_driver_sql(ends)
    assert not lead.holds()
    assert lead.take(), "nobody else took it, so it leads again"
    lead.release()
    other.close()


@pytest.mark.postgres
def test_nobody_takes_a_lease_over_between_the_look_at_it_and_the_commit(shared_kit: Kit) -> None:
    other = shared_kit.other()
    with led(shared_kit) as held:
        pass
    order: list[str] = []

    def take_over() -> None:
        with hold(other.store, ENTITY, "next"):
            order.append("next epoch")

    thread = threading.Thread(target=take_over)
    with shared_kit.store.begin(held):
        thread.start()
        thread.join(0.5)
        assert order == [], "the new epoch waits for a commit that was admitted under the old one"
        order.append("old commit")
    thread.join(30)
    assert order == ["old commit", "next epoch"]
    other.close()
