"""What the hosts of an installation have in common on PostgreSQL: one budget, places and locks that a kill frees."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from store_kit import Clock, Kit

from connectors.base import Resting
from hub.store.common import ManyMachines

pytestmark = pytest.mark.postgres
Pair = tuple[ManyMachines, ManyMachines]


class Sleeper(Clock):
    """Notes how long it was asked to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        time.sleep(min(seconds, 0.02))


@pytest.fixture
def hosts(shared_kit: Kit) -> Iterator[Pair]:
    other = shared_kit.other()
    yield ManyMachines(shared_kit.engine, Sleeper()), ManyMachines(other.engine, Sleeper())
    other.close()


def _break_off(kit: Kit, other: ManyMachines) -> None:
    """Ends every session of the other host, as its death does."""
    with other._engine.connect() as conn:
        user = conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    with kit.engine.begin() as conn:
        mine = conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        assert user != mine
        ends = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> :mine AND datname = current_database()"
        )
        conn.execute(sa.text(ends), {"mine": mine})


def test_two_hosts_take_from_the_same_tokens(hosts: Pair) -> None:
    one, two = (host.budget("fx:query", 0.005, 6) for host in hosts)
    for _ in range(3):
        one.take(1, "x")
        two.take(1, "x")
    assert [host._clock.slept for host in hosts] == [[], []]  # type: ignore[attr-defined]
    one.take(1, "x")
    two.take(1, "x")
    (first,), (second,) = (host._clock.slept for host in hosts)  # type: ignore[attr-defined]
    # The seventh and the eighth of six: owed one and two tokens at 200 seconds a token, less the time gone by.
    assert 100.0 < first <= 200.0
    assert 300.0 < second <= 400.0


def test_a_budget_of_another_name_is_another_budget(hosts: Pair) -> None:
    one, two = hosts[0].budget("a", 0.1, 1), hosts[1].budget("b", 0.1, 1)
    one.take(1, "x")
    two.take(1, "x")
    assert [host._clock.slept for host in hosts] == [[], []]  # type: ignore[attr-defined]


def test_what_one_host_was_told_to_wait_every_host_waits(hosts: Pair) -> None:
    one, two = (host.budget("fx:query", 100, 100) for host in hosts)
    one.pause(300.0)
    for budget in (one, two):
        with pytest.raises(Resting) as resting:
            budget.take(1, "x")
        assert 0 < resting.value.left <= 300.0
    other, over = (host.budget("fx:write", 100, 100) for host in hosts)
    other.pause(0.1)
    time.sleep(0.15)
    over.take(1, "x")


def test_all_hosts_together_have_so_many_places(hosts: Pair) -> None:
    admitted, most = 0, 0
    guard = threading.Lock()

    def work(host: ManyMachines) -> None:
        nonlocal admitted, most
        place = host.places("zoho:api", 3)
        for _ in range(10):
            with place():
                with guard:
                    admitted += 1
                    most = max(most, admitted)
                time.sleep(0.005)
                with guard:
                    admitted -= 1

    threads = [threading.Thread(target=work, args=(host,)) for host in hosts for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert most == 3


def test_a_place_of_a_dead_host_is_free_again(shared_kit: Kit, hosts: Pair) -> None:
    with hosts[1].places("zoho:api", 1)():
        _break_off(shared_kit, hosts[1])
        with hosts[0].places("zoho:api", 1)():
            pass
    # What was done on a place whose session broke off did not fail for that.


def test_a_lock_admits_one_host_and_the_other_waits(hosts: Pair) -> None:
    order: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with hosts[0].lock("zoho:token"):
            inside.set()
            go_on.wait(30)
            order.append("first")

    def second() -> None:
        with hosts[1].lock("zoho:token"):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(30)
    threads[1].start()
    time.sleep(0.2)
    assert order == []
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert order == ["first", "second"]
