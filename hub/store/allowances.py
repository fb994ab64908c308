"""Allowances in the store: every process and host of the installation uses up the same windows.

Instants are those of the hosts' own clocks: a few seconds between them are nothing to a slot of minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from connectors.allowance import SLOTS, Book, OpenBook, Terms
from hub.store.allowance_tables import allowance, allowance_use
from hub.store.database import WRITE, store_errors

# Locks the row until the commit, on both databases, so that one process changes a book at a time.
_OPEN = sa.text(
    """
    INSERT INTO allowance AS a (name, size, reserve, seconds, heeded, heard, heard_at, starts_at, spare)
    VALUES (:name, :size, :reserve, :seconds, :heeded, NULL, 0, :starts_at, :spare)
    ON CONFLICT (name) DO UPDATE SET
        size = excluded.size, reserve = excluded.reserve, seconds = excluded.seconds, heeded = excluded.heeded,
        starts_at = excluded.starts_at, spare = excluded.spare
    RETURNING heard, heard_at
    """
)
_PUT = sa.text(
    """
    INSERT INTO allowance_use (name, slot, used) VALUES (:name, :slot, :used)
    ON CONFLICT (name, slot) DO UPDATE SET used = excluded.used
    """
)


@dataclass(frozen=True, slots=True)
class Remaining:
    """Is how a window stands: units used and left of `size`; `frees_at` is when work may go on that has stopped.

    `spare` units above the reserve are left to what is due. `ends_at` is when a window begins anew that does not roll.
    """

    name: str
    size: int
    reserve: int
    used: int
    left: int
    frees_at: float | None
    spare: int = 0
    ends_at: float | None = None
    seconds: float = 86_400.0


class StoredBooks:
    """Keeps the books of all allowances of an installation."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def __call__(self, name: str, terms: Terms) -> OpenBook:
        """Returns what opens the book of a name, in a transaction of its own."""

        @contextmanager
        def opened() -> Iterator[Book]:
            with store_errors(), self._engine.connect().execution_options(**{WRITE: True}) as conn, conn.begin():
                book = _read(conn, name, terms)
                before = dict(book.used)
                yield book
                _write(conn, name, book, before)

        return opened


def _read(conn: sa.Connection, name: str, terms: Terms) -> Book:
    head = conn.execute(_OPEN, {"name": name, **asdict(terms)}).one()
    return Book(terms, _used(conn, name), head.heard, head.heard_at)


def _used(conn: sa.Connection, name: str) -> dict[int, int]:
    rows = conn.execute(sa.select(allowance_use.c.slot, allowance_use.c.used).where(allowance_use.c.name == name))
    return {row.slot: row.used for row in rows}


def _write(conn: sa.Connection, name: str, book: Book, before: dict[int, int]) -> None:
    heard = {"heard": book.heard, "heard_at": book.heard_at}
    conn.execute(allowance.update().where(allowance.c.name == name).values(heard))
    changed = {slot: used for slot, used in book.used.items() if before.get(slot) != used}
    if changed.keys() - before.keys():
        newest = max(book.used)
        oldest = newest - 2 * SLOTS
        conn.execute(allowance_use.delete().where(allowance_use.c.name == name, allowance_use.c.slot < oldest))
    for slot, used in changed.items():
        conn.execute(_PUT, {"name": name, "slot": slot, "used": used})


def load(conn: sa.Connection, now: float) -> Sequence[Remaining]:
    """Returns how every window stands that was ever drawn on."""
    found = []
    for row in conn.execute(sa.select(allowance).order_by(allowance.c.name)):
        terms = Terms(row.size, row.reserve, row.seconds, row.heeded, row.starts_at, row.spare)
        book = Book(terms, _used(conn, row.name), row.heard, row.heard_at)
        left = book.left(now)
        frees_at = book.frees_at(now, row.reserve + 1) if left <= row.reserve else None
        ends_at = None if row.starts_at is None else terms.ends_at(now)
        used = book.total(now)
        found.append(
            Remaining(row.name, row.size, row.reserve, used, left, frees_at, terms.spared, ends_at, row.seconds)
        )
    return found
