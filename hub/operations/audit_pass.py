"""One pass over an epoch of the log: what is wanted goes into a package, what is not becomes roots between it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.audit.package import Gap
from hub.audit.tree import GENESIS, RowTuple
from hub.crypto.hashes import HASHES
from hub.operations.audit_files import Files
from hub.store import audit_log
from hub.store.audit_index import Place
from hub.store.audit_log import Epoch
from hub.store.database import Connection

DAY = 86_400.0


class Places:
    """Is the places that are wanted, in order, looked at one ahead; None wants every one."""

    def __init__(self, places: Iterator[Place] | None) -> None:
        self._places = places
        self._next = None if places is None else next(places, None)

    def take(self, place: Place) -> bool:
        """Tells whether a place is wanted; places are asked for in order."""
        if self._places is None:
            return True
        if self._next != place:
            return False
        self._next = next(self._places, None)
        return True

    def drop(self, epoch: int) -> int:
        """Passes over what is wanted of an epoch and is not signed yet; returns how many."""
        number = 0
        while self._places is not None and self._next is not None and self._next[0] <= epoch:
            self._next, number = next(self._places, None), number + 1
        return number


class Pass:
    """Writes the signed rows of one epoch."""

    def __init__(self, conn: Connection, item: Epoch, files: Files, complete: bool) -> None:
        self._conn, self._item, self._files, self._complete = conn, item, files, complete
        self._hash = HASHES[item.hash]
        self._gap = Gap.at(0, self._hash)
        self._entries, self._unsigned, self._chain = 0, 0, GENESIS
        self._first: str | None = None
        self._last: str | None = None

    def run(self, places: Places) -> dict[str, Any]:
        """Writes checkpoints, entries and gaps; returns what the manifest says of the epoch."""
        size, stops = self._write_checkpoints()
        for row in audit_log.rows_from(self._conn, self._item.epoch, 0):
            if row[1] >= size:
                self._unsigned += 1
                continue
            self._chain = row[4]
            if places.take(row[:2]):
                self._add(row)
            else:
                self._gap.append(row[3])
                if row[1] + 1 in stops:
                    self._end_gap(row[1] + 1)
        self._end_gap(size)
        places.drop(self._item.epoch)
        return {
            "epoch": self._item.epoch,
            "hash": self._item.hash,
            "size": size,
            "entries": self._entries,
            "first": self._first,
            "last": self._last,
            "chain": self._chain.hex(),
            "unsigned": self._unsigned,
        }

    def _add(self, row: RowTuple) -> None:
        self._end_gap(row[1] + 1)
        self._files.add(row[2], row[3])
        self._entries += 1
        self._last = f"{row[0]}:{row[1]}"
        self._first = self._first or self._last

    def _end_gap(self, following: int) -> None:
        if self._gap.high > self._gap.low:
            self._files.add_gap(self._gap)
        self._gap = Gap.at(following, self._hash)

    def _write_checkpoints(self) -> tuple[int, set[int]]:
        """Writes the notes of the epoch: all of them, or with a filter the last of each day (UTC).

        Returns the size of the newest one, and every size where a gap has to end.
        """
        size, stops, waiting = 0, set[int](), None
        for kept in audit_log.checkpoints(self._conn, self._item.epoch):
            if waiting is not None and (self._complete or waiting.signed_at // DAY != kept.signed_at // DAY):
                self._write_note(waiting.note)
                stops.add(waiting.size)
            waiting, size = kept, kept.size
        if waiting is not None:
            self._write_note(waiting.note)
        return size, set() if self._complete else stops | {size}

    def _write_note(self, note: str) -> None:
        self._files.checkpoints.write(note.encode() + b"\n")
