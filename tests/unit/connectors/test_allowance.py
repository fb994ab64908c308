"""Allowances: nothing is handed out twice or beyond what is kept back, and it comes back as the window rolls on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from connectors.allowance import FIRST, PORTION, SLOTS, Allowance, Book, MemoryBooks, OpenBook, Spent, Terms

DAY = 86_400.0
SLOT = DAY / SLOTS
TERMS = Terms(1_000, 200, DAY, heeded=300.0)
START = 1_790_000_100.0


class Hands:
    """Is a clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> float:
        return self.at


class Watched:
    """Counts how often the common book is opened."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.opened = 0
        self.books = MemoryBooks()
        self._open = self.books("x", terms)

    @contextmanager
    def __call__(self) -> Iterator[Book]:
        self.opened += 1
        with self._open() as book:
            yield book

    def used(self, now: float) -> int:
        with self._open() as book:
            return book.total(now)


def drain(allowance: Allowance, cost: int = 1) -> tuple[int, Spent]:
    """Takes until nothing is left; returns how much that was and how it ended."""
    taken = 0
    while True:
        try:
            allowance.take(cost)
        except Spent as spent:
            return taken, spent
        taken += cost


@pytest.mark.parametrize(
    ("kept", "cost", "taken"), [(0, 1, 1_000), (200, 1, 800), (200, 7, 798), (0, 50, 1_000), (200, 900, 0)]
)
def test_so_much_is_handed_out_and_no_more(kept: int, cost: int, taken: int) -> None:
    clock, book = Hands(), Watched()
    allowance = Allowance(TERMS, book, kept, clock)
    assert drain(allowance, cost)[0] == taken
    assert book.used(clock.at) <= TERMS.size - kept


def test_most_takes_do_not_open_the_common_book() -> None:
    book = Watched(Terms(100_000, 0))
    allowance = Allowance(Terms(100_000, 0), book, 0, Hands())
    for _ in range(10_000):
        allowance.take(1)
    assert book.opened <= 10_000 // PORTION + 4


def test_two_who_share_a_book_use_up_the_same_units() -> None:
    book, clock = Watched(), Hands()
    one, two = (Allowance(TERMS, book, TERMS.reserve, clock) for _ in range(2))
    taken = 0
    for _ in range(300):
        one.take(1)
        two.take(1)
        taken += 2
    taken += drain(one)[0] + drain(two)[0]
    assert taken <= 800
    one.close()
    two.close()
    # What one had drawn and the other wanted is there again once it was given back.
    assert taken + drain(Allowance(TERMS, book, TERMS.reserve, clock))[0] == 800


def test_people_may_use_what_is_kept_from_the_rest() -> None:
    book, clock = Watched(), Hands()
    assert drain(Allowance(TERMS, book, TERMS.reserve, clock))[0] == 800
    assert drain(Allowance(TERMS, book, 0, clock))[0] == 200


def test_units_count_until_their_slot_is_a_day_old() -> None:
    book, clock = Watched(), Hands()
    allowance = Allowance(TERMS, book, 200, clock)
    taken, spent = drain(allowance)
    assert taken == 800
    assert 0 <= spent.until - (START + DAY) <= SLOT
    for early in (1.0, DAY / 2, spent.until - START - 1.0):
        clock.at = START + early
        assert drain(allowance)[0] == 0, early
    clock.at = spent.until
    assert drain(allowance)[0] == 800


def test_a_day_frees_as_it_was_used() -> None:
    book, clock = Watched(), Hands()
    allowance = Allowance(TERMS, book, 200, clock)
    for _ in range(8):
        for _ in range(100):
            allowance.take(1)
        clock.at += 3_600
    _, first = drain(allowance)
    _, more = drain(allowance, 150)
    assert first.until < more.until < START + 2 * DAY
    clock.at = first.until
    assert drain(allowance)[0] == 100


def test_what_was_drawn_is_not_used_in_another_slot() -> None:
    book, clock = Watched(), Hands()
    allowance = Allowance(TERMS, book, 0, clock)
    allowance.take(1)
    clock.at += SLOT
    allowance.take(1)
    allowance.close()
    with book() as opened:
        assert sorted(units for units in opened.used.values()) == [1, 1]


@pytest.mark.parametrize("kept", [0, 200])
def test_the_vendors_lower_number_counts(kept: int) -> None:
    book, clock = Watched(), Hands()
    allowance = Allowance(TERMS, book, kept, clock)
    allowance.take(10)
    allowance.hear(kept + 25)
    assert drain(allowance)[0] == 25
    # Others who share the book hear it too.
    taken, spent = drain(Allowance(TERMS, book, kept, clock))
    assert taken == 0
    assert spent.until == clock.at + TERMS.heeded


def test_the_vendors_higher_number_changes_nothing() -> None:
    book, clock = Watched(), Hands()
    allowance = Allowance(TERMS, book, 0, clock)
    allowance.take(10)
    allowance.hear(5_000)
    assert drain(allowance)[0] == 990


def test_the_vendors_word_is_tried_again_after_a_while() -> None:
    book, clock = Watched(), Hands()
    allowance = Allowance(TERMS, book, 0, clock)
    allowance.take(1)
    allowance.hear(0)
    _, spent = drain(allowance)
    clock.at = spent.until
    allowance.take(1)
    allowance.hear(0)
    assert drain(allowance)[0] == 0


@pytest.mark.parametrize("leap", [-3 * DAY, -60.0, 60.0])
def test_a_clock_that_was_set_hands_out_no_more_than_there_is(leap: float) -> None:
    book, clock = Watched(), Hands()
    allowance = Allowance(TERMS, book, 200, clock)
    for _ in range(400):
        allowance.take(1)
    clock.at += leap
    assert 400 + drain(allowance)[0] == 800


def test_threads_take_no_more_than_there_is() -> None:
    clock, books = Hands(), MemoryBooks()
    opened: OpenBook = books("x", TERMS)
    taken: list[int] = []

    def work(allowance: Allowance) -> None:
        taken.append(drain(allowance)[0])
        allowance.close()

    shared = Allowance(TERMS, opened, 200, clock)
    each = [shared, shared, Allowance(TERMS, opened, 200, clock), Allowance(TERMS, opened, 200, clock)]
    threads = [threading.Thread(target=work, args=(one,)) for one in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rest = drain(Allowance(TERMS, opened, 200, clock))[0]
    assert sum(taken) + rest == 800


@pytest.mark.parametrize("calls", [1, 20, 500])
def test_a_killed_process_costs_about_what_it_had_used(calls: int) -> None:
    terms = Terms(100_000, 0)
    book, clock = Watched(terms), Hands()
    killed = Allowance(terms, book, 0, clock)
    for _ in range(calls):
        killed.take(1)
    lost = book.used(clock.at) - calls
    assert 0 <= lost <= min(PORTION, max(FIRST, calls))


CHINA = Terms(1_000, 200, DAY, heeded=300.0, starts_at=-28_800.0)
MIDNIGHT = (START + 28_800) // DAY * DAY + DAY - 28_800


def test_a_day_begins_anew_at_its_own_midnight() -> None:
    clock, books = Hands(), MemoryBooks()
    allowance = Allowance(CHINA, books("x", CHINA), 200, clock)
    taken, spent = drain(allowance)
    assert (taken, spent.until) == (800, MIDNIGHT)
    clock.at = MIDNIGHT - 1.0
    assert drain(allowance)[0] == 0
    clock.at = MIDNIGHT
    assert drain(allowance)[0] == 800


def test_the_vendors_word_about_a_day_ends_with_the_day() -> None:
    clock, books = Hands(), MemoryBooks()
    allowance = Allowance(CHINA, books("x", CHINA), 0, clock)
    allowance.take(1)
    allowance.hear(0)
    assert drain(allowance)[1].until == MIDNIGHT
    clock.at += CHINA.heeded
    allowance.take(1)
    clock.at = MIDNIGHT - 1.0
    allowance.hear(0)
    assert drain(allowance)[0] == 0
    clock.at = MIDNIGHT + 1.0
    assert drain(allowance)[0] == 1_000
