"""Allowances: how many units a vendor grants within a window, used up by all who act for one account together.

A part is kept back for people: work that no person asked for stops before it. Units are drawn from the common book in
portions, so that most calls cost no look at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

SLOTS = 96
"""Slots of a window. A unit counts until its whole slot is older than the window, so never too short."""
FIRST, PORTION = 8, 100
"""Units drawn at once: few at first, then twice as many each time, at most so many. What a killed process had drawn and
not yet used counts as used: no more than it had used before."""


class Spent(Exception):
    """Is raised by an allowance that has too little left; `until` is when there may be more, in epoch seconds."""

    def __init__(self, until: float) -> None:
        super().__init__(f"until {until:.0f}")
        self.until = until


@dataclass(frozen=True, slots=True)
class Terms:
    """Says how many units a window holds, how many of them are kept back for people, and its length in seconds.

    The window rolls on, or with `starts_at` begins anew each time, that many seconds after midnight UTC (a whole number
    of slots). What the vendor said last is heeded for `heeded` seconds; then a call may find out whether it still
    holds. While no more than `spare` are left above the reserve, what can wait leaves them to what is due; None: a
    tenth.
    """

    size: int
    reserve: int
    seconds: float = 86_400.0
    heeded: float = 300.0
    starts_at: float | None = None
    spare: int | None = None

    @property
    def spared(self) -> int:
        """Returns how many units above the reserve are left to what is due."""
        return (self.size - self.reserve) // 10 if self.spare is None else self.spare

    def slot(self, instant: float) -> int:
        """Returns the number of the slot of an instant."""
        return int(instant // (self.seconds / SLOTS))

    def oldest(self, now: float) -> int:
        """Returns the first slot whose units count."""
        return self.slot(now - self.seconds if self.starts_at is None else self.ends_at(now) - self.seconds)

    def ends_at(self, now: float) -> float:
        """Returns when the window of an instant ends that does not roll, in epoch seconds."""
        starts_at = self.starts_at or 0.0
        return ((now - starts_at) // self.seconds + 1) * self.seconds + starts_at

    def over_at(self, slot: int) -> float:
        """Returns when what was used in a slot counts no more, in epoch seconds."""
        return (slot + 1) * (self.seconds / SLOTS) + self.seconds


@dataclass(slots=True)
class Book:
    """Is what was used of a window, in units per slot, and what the vendor said was left of it."""

    terms: Terms
    used: dict[int, int] = field(default_factory=dict)
    heard: int | None = None
    heard_at: float = 0.0

    def total(self, now: float) -> int:
        """Returns the units that count as used."""
        oldest = self.terms.oldest(now)
        return sum(units for slot, units in self.used.items() if slot >= oldest)

    def left(self, now: float) -> int:
        """Returns the units that are left, by our own count or the vendor's, whichever is less."""
        ours = self.terms.size - self.total(now)
        return ours if (told := self._told(now)) is None else min(ours, told)

    def frees_at(self, now: float, wanted: int) -> float:
        """Returns when so many units may be left, in epoch seconds; `now` where they are."""
        if self.terms.starts_at is not None:
            return now if self.left(now) >= wanted else self.terms.ends_at(now)
        told, until = self._told(now), now
        if told is not None and told < wanted:
            until = self.heard_at + self.terms.heeded
        over = self.total(now) - (self.terms.size - wanted)
        oldest = self.terms.oldest(now)
        for slot in sorted(slot for slot in self.used if slot >= oldest):
            if over <= 0:
                break
            over -= self.used[slot]
            until = max(until, self.terms.over_at(slot))
        return until

    def note(self, slot: int, units: int) -> None:
        """Notes units as used, or as given back where they are negative."""
        self.used[slot] = max(0, self.used.get(slot, 0) + units)
        if self.heard is not None:
            self.heard -= units

    def hear(self, left: int, at: float) -> None:
        """Notes what the vendor said; the newest word counts."""
        if self.heard is None or at >= self.heard_at or at < self.heard_at - self.terms.seconds:
            self.heard, self.heard_at = left, at

    def _told(self, now: float) -> int | None:
        terms, since = self.terms, now - self.heard_at
        if terms.starts_at is not None and terms.ends_at(self.heard_at) != terms.ends_at(now):
            return None
        return self.heard if 0 <= since < terms.heeded else None


OpenBook = Callable[[], AbstractContextManager[Book]]
"""Opens the common book for one change at a time; what was changed is kept when the block ends without an error."""


class Books(Protocol):
    """Keeps the common books, by the names of the allowances."""

    def __call__(self, name: str, terms: Terms) -> OpenBook: ...


class MemoryBooks:
    """Keeps books for the threads of one process."""

    def __init__(self) -> None:
        self._books: dict[tuple[str, Terms], Book] = {}
        self._lock = Lock()

    def __call__(self, name: str, terms: Terms) -> OpenBook:
        """Returns what opens the book of a name."""
        book = self._books.setdefault((name, terms), Book(terms))

        @contextmanager
        def opened() -> Iterator[Book]:
            with self._lock:
                yield book

        return opened


class _Clock(Protocol):
    def now(self) -> float: ...


class Allowance:
    """Hands out the units of a book; threads may share it. The last `kept` units are never touched."""

    def __init__(self, terms: Terms, open_book: OpenBook, kept: int, clock: _Clock) -> None:
        self._terms, self._open, self._kept, self._clock = terms, open_book, kept, clock
        self._units, self._slot = 0, 0
        self._portion = FIRST
        self._heard: tuple[int, float] | None = None
        self._short = False
        self._lock = Lock()

    def take(self, cost: int) -> None:
        """Takes `cost` units. Raises Spent where fewer are left above what is kept back."""
        with self._lock:
            now = self._clock.now()
            if self._units < cost or self._short or self._slot != self._terms.slot(now):
                self._draw(cost, now)
            self._units -= cost

    def hear(self, left: int) -> None:
        """Learns from the vendor how much is left; it counts where it is less than what is known here."""
        with self._lock:
            self._heard = (left, self._clock.now())
            self._short = left - self._kept < max(1, self._units)

    def close(self) -> None:
        """Gives back what was drawn and not used."""
        with self._lock:
            if self._units:
                with self._open() as book:
                    self._settle(book)

    def _draw(self, cost: int, now: float) -> None:
        with self._open() as book:
            self._settle(book)
            free = book.left(now) - self._kept
            # Smaller portions towards the end, so that none lies idle in one process while another stops.
            units = max(cost, min(self._portion, free // 8)) if free >= cost else 0
            slot = self._terms.slot(now)
            if units:
                book.note(slot, units)
            until = book.frees_at(now, self._kept + cost)
        # Not before the block has ended well: what the book does not know must not be spent.
        self._short = False
        if free < cost:
            raise Spent(until)
        self._units, self._slot = units, slot
        self._portion = min(PORTION, 2 * self._portion)

    def _settle(self, book: Book) -> None:
        if self._units:
            book.note(self._slot, -self._units)
            self._units = 0
        if self._heard is not None:
            book.hear(*self._heard)
            self._heard = None
