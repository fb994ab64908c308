"""Allowances in the store, on both databases: two processes use up one window, and status tells how it stands."""

from __future__ import annotations

import threading

import pytest
from store_kit import START, Kit

from connectors.allowance import SLOTS, Allowance, Spent, Terms
from hub.store.allowances import Remaining, StoredBooks, load

TERMS = Terms(1_000, 200, heeded=300.0)
NAME = "crm:credits"


def opened(kit: Kit, kept: int = 200, name: str = NAME, terms: Terms = TERMS) -> Allowance:
    return Allowance(terms, StoredBooks(kit.engine)(name, terms), kept, kit.clock)


def drain(allowance: Allowance) -> int:
    taken = 0
    while True:
        try:
            allowance.take(1)
        except Spent:
            return taken
        taken += 1


def standing(kit: Kit) -> list[Remaining]:
    with kit.store.read() as conn:
        return list(load(conn, kit.clock.now()))


def test_two_processes_use_up_one_window(kit: Kit) -> None:
    other = kit.other()
    taken: list[int] = []

    def work(each: Kit) -> None:
        allowance = opened(each)
        taken.append(drain(allowance))
        allowance.close()

    threads = [threading.Thread(target=work, args=(each,)) for each in (kit, other, kit, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rest = opened(kit)
    assert sum(taken) + drain(rest) == 800
    rest.close()
    assert drain(opened(other, kept=0)) == 200
    other.close()


def test_a_window_of_another_name_is_another_one(kit: Kit) -> None:
    assert drain(opened(kit)) == 800
    assert drain(opened(kit, name="other:credits")) == 800


def test_what_the_vendor_said_is_heard_by_all_for_a_while(kit: Kit) -> None:
    other = kit.other()
    one, two = opened(kit), opened(other)
    one.take(1)
    one.hear(0)
    with pytest.raises(Spent) as spent:
        one.take(1)
    with pytest.raises(Spent):
        two.take(1)
    kit.clock.at = spent.value.until
    two.take(1)
    other.close()


def test_the_window_rolls_on_and_forgets(kit: Kit) -> None:
    allowance = opened(kit)
    assert drain(allowance) == 800
    [stopped] = standing(kit)
    assert stopped.frees_at is not None
    kit.clock.at = stopped.frees_at - 1
    assert drain(allowance) == 0
    kit.clock.at = stopped.frees_at
    assert drain(allowance) == 800
    kit.clock.at += 3 * TERMS.seconds
    allowance.take(1)
    with kit.store.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM allowance_use").scalar_one() == 1


def test_status_tells_what_is_used_left_and_kept_and_when_it_frees(kit: Kit) -> None:
    assert standing(kit) == []
    allowance = opened(kit)
    for _ in range(300):
        allowance.take(1)
    allowance.close()
    assert standing(kit) == [Remaining(NAME, 1_000, 200, 300, 700, None, spare=80)]
    assert drain(allowance) == 500
    slot = TERMS.seconds / SLOTS
    frees_at = (START // slot + 1) * slot + TERMS.seconds
    assert standing(kit) == [Remaining(NAME, 1_000, 200, 800, 200, frees_at, spare=80)]


def test_a_raised_limit_counts_at_once(kit: Kit) -> None:
    assert drain(opened(kit)) == 800
    raised = Terms(2_000, 200)
    assert drain(opened(kit, terms=raised)) == 1_000


def test_a_window_that_begins_anew_each_day_frees_all_at_once(kit: Kit) -> None:
    terms = Terms(1_000, 200, heeded=300.0, starts_at=-28_800.0, spare=150)
    one = opened(kit, terms=terms)
    assert drain(one) == 800
    [stopped] = standing(kit)
    assert stopped.ends_at is not None
    assert (stopped.ends_at + 28_800) % 86_400 == 0
    assert (stopped.spare, stopped.frees_at) == (150, stopped.ends_at)
    kit.clock.at = stopped.ends_at - 1
    assert drain(one) == 0
    kit.clock.at = stopped.ends_at
    other = kit.other()
    assert drain(opened(other, terms=terms)) == 800
    other.close()
    assert standing(kit)[0].ends_at == stopped.ends_at + 86_400
