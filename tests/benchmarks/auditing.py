"""The audit log: how long verifying it takes, and what its rows cost against a bare chain of SHA-256 into SQLite."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from hub.app import initialise, open_installation, prepare
from hub.audit.event import Actor, Event, FieldNote, Origin, Source
from hub.audit.tree import GENESIS, Head, RowTuple, Stamped, append
from hub.kernel.clock import SystemClock
from hub.kernel.ids import Uuid7
from hub.operations.auditing import OK, examine
from hub.operations.checkpointing import make_checkpoint
from hub.operations.installation import Installation

from .measure import Result, Took, compare, stopwatch

MILLION = 1_000_000
WITHIN = 60.0
"""Seconds in which a million rows are to be verified on one core."""
PAGE, PAGES = 200, 40
_INSERT = "INSERT INTO audit_entry (epoch, seq, body, leaf, chain) VALUES (?, ?, ?, ?, ?)"
_ORIGIN = Origin(Actor("local", "bench"), Source("daemon", host="bench", pid=1), "0", "sha256:" + "0" * 64)


def results(_: object = None, *, rows: int | None = None, pages: int = PAGES, rounds: int = 3) -> list[Result]:
    """Verifies a log of `rows`, by default what CRMHUB_BENCH_AUDIT says, and writes pages of rows by turns."""
    number = rows or int(os.environ.get("CRMHUB_BENCH_AUDIT", "100000"))
    with TemporaryDirectory(prefix="crmhub-audit-") as folder:
        return [_verifying(Path(folder) / "hub", number), _writing(Path(folder), pages, rounds)]


def event(number: int) -> Event:
    """Returns an act as a sync writes it: an update of one field."""
    note = FieldNote("mobile", "C2", "a" * 32, "b" * 32)
    return Event("golden.change", "customer", f"0190{number:032x}", fields=(note,), corr="r" * 36)


def log_of(rows: int) -> Iterator[RowTuple]:
    """Yields a valid log."""
    head, made, start = Head(), 0, 1_790_000_000.0
    while made < rows:
        part = min(1000, rows - made)
        stamped = [Stamped(event(made + n), f"id-{made + n}", start + made + n) for n in range(part)]
        page = append(head, stamped, _ORIGIN)
        yield from page
        made += part
        head = Head(1, page[-1].seq, page[-1].chain, None)


def _open(home: Path) -> Installation:
    initialise(home)
    file = home / "config" / "hub.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("profile: production", "profile: lab"), encoding="utf-8")
    prepare(home)
    return open_installation(home)


def _verifying(home: Path, rows: int) -> Result:
    hub = _open(home)
    try:
        with sqlite3.connect(home / "var" / "hub.db") as conn:
            stream = log_of(rows)
            while page := list(islice(stream, 10_000)):
                conn.executemany(_INSERT, page)
            conn.execute("UPDATE audit_head SET seq = ?", (rows - 1,))
        conn.close()
        make_checkpoint(hub)
        with stopwatch() as took:
            report = examine(hub, full=True)
        assert report.exit_code == OK, report.findings
        assert report.rows > rows
    finally:
        hub.close()
    seconds = took.cpu * MILLION / report.rows
    note = f"{report.rows:,} rows in {took.cpu:.1f} s of the processor; a million in {seconds:.1f} s"
    return Result(
        "audit verify, seconds per million rows", WITHIN, seconds, seconds, WITHIN, "s", report.rows, (took,), (),
        at_most=True, note=note,
    )  # fmt: skip


def _writing(folder: Path, pages: int, rounds: int) -> Result:
    numbers = iter(range(1000))

    def ours() -> Took:
        hub = _open(folder / f"ours-{next(numbers)}")
        try:
            with stopwatch() as took:
                for page in range(pages):
                    with hub.store.begin() as work:
                        for number in range(PAGE):
                            work.audit(event(page * PAGE + number))
        finally:
            hub.close()
        return took

    def bare() -> Took:
        return _bare(folder / f"bare-{next(numbers)}.db", pages)

    return compare(
        "audit rows : bare SHA-256 chain", 0.5, pages * PAGE, ours, bare, rounds, "one commit a page of 200 rows"
    )


def _bare(file: Path, pages: int) -> Took:
    """Writes the same number of bytes with ids, one chain of SHA-256 and nothing else."""
    conn = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        conn.execute(f"PRAGMA {pragma}")
    conn.execute("CREATE TABLE log (seq INTEGER PRIMARY KEY, body BLOB, chain BLOB)")
    bodies: Sequence[bytes] = [row[2] for row in log_of(PAGE)]
    new_id, link, seq = Uuid7(SystemClock()), GENESIS, 0
    with stopwatch() as took:
        for _ in range(pages):
            rows = []
            for body in bodies:
                text = new_id().encode() + body
                link = hashlib.sha256(link + text).digest()
                rows.append((seq, text, link))
                seq += 1
            conn.execute("BEGIN IMMEDIATE")
            conn.executemany("INSERT INTO log VALUES (?, ?, ?)", rows)
            conn.execute("COMMIT")
    conn.close()
    return took
