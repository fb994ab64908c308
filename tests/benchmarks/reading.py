"""The read path: connector, HTTP client and native records into SQLite, against requests and orjson into SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from connectors.base import Connector, Cursor
from hub.sync.engine import Link

from .bare import Pages, fxiaoke_pages, fxiaoke_session, zoho_pages, zoho_session
from .lab import ENTITY, FXIAOKE, ZOHO, Lab, opened
from .measure import Result, Took, compare, stopwatch

Walk = Callable[[str, Sequence[str]], Pages]
_INSERT = "INSERT INTO record VALUES (?, ?, ?)"


def open_file(path: Path) -> sqlite3.Connection:
    """Makes a database as durable as the hub's."""
    conn = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        conn.execute(f"PRAGMA {pragma}")
    conn.execute("CREATE TABLE record (native_id TEXT PRIMARY KEY, version TEXT, body BLOB NOT NULL)")
    return conn


def read_by_connector(connector: Connector, link: Link, path: Path) -> Took:
    """Reads everything through the contract, one commit a page; returns the time."""
    conn = open_file(path)
    with stopwatch() as took:
        for object_ in link.objects:
            fields, size = link.native_fields(object_), link.can(object_).page_size
            cursor: Cursor | None = None
            complete = False
            while not complete:
                page = connector.changes(object_, fields, cursor, size)
                rows = [(record.native_id, record.version, orjson.dumps(record.fields)) for record in page.records]
                conn.execute("BEGIN IMMEDIATE")
                conn.executemany(_INSERT, rows)
                conn.execute("COMMIT")
                cursor, complete = page.next_cursor, page.complete
    conn.close()
    return took


def read_bare(walk: Walk, link: Link, path: Path, keys: tuple[str, str]) -> Took:
    """Reads the same pages as they come, one commit a page; returns the time."""
    conn = open_file(path)
    with stopwatch() as took:
        id_, version = keys
        for object_ in link.objects:
            for page, _ in walk(object_, link.native_fields(object_)):
                rows = [(row[id_], row[version], orjson.dumps(row)) for row in page]
                conn.execute("BEGIN IMMEDIATE")
                conn.executemany(_INSERT, rows)
                conn.execute("COMMIT")
    conn.close()
    return took


def walks(lab: Lab) -> dict[str, tuple[Walk, tuple[str, str]]]:
    """Returns the bare walk of each system and the names of its id and version, signed in."""
    zoho, fxiaoke = zoho_session(lab.zoho.base_url), fxiaoke_session(lab.fxiaoke.base_url)
    return {
        ZOHO: (lambda object_, fields: zoho_pages(zoho, lab.zoho.base_url, object_, fields), ("id", "Modified_Time")),
        FXIAOKE: (
            lambda object_, fields: fxiaoke_pages(fxiaoke, lab.fxiaoke.base_url, object_, fields),
            ("_id", "version"),
        ),
    }


def results(lab: Lab) -> list[Result]:
    """Compares both systems; raises AssertionError where one read something that the other did not."""
    made = []
    with opened(lab.home()) as hub:
        for system, (walk, keys) in walks(lab).items():
            link = hub.link(system, ENTITY)
            sample = lab.scratch("ours"), lab.scratch("other")
            read_by_connector(link.connector, link, sample[0])
            read_bare(walk, link, sample[1], keys)
            records = same(link, *sample)

            def ours(link: Link = link) -> Took:
                took = read_by_connector(link.connector, link, path := lab.scratch("ours"))
                path.unlink()
                return took

            def other(link: Link = link, walk: Walk = walk, keys: tuple[str, str] = keys) -> Took:
                took = read_bare(walk, link, path := lab.scratch("other"), keys)
                path.unlink()
                return took

            made.append(compare(f"read into SQLite, {system}", 0.6, records, ours, other, lab.rounds))
    return made


def same(link: Link, ours: Path, other: Path) -> int:
    """Returns how many records both read; raises AssertionError where they differ in a mapped field."""
    mapped = {name for object_ in link.objects for name in link.native_fields(object_)}
    read = [_records(path, mapped) for path in (ours, other)]
    assert read[0].keys() == read[1].keys()
    differ = [native_id for native_id, fields in read[0].items() if fields != read[1][native_id]]
    assert not differ, f"{len(differ)} records differ, first {differ[0]}"
    return len(read[0])


def _records(path: Path, mapped: set[str]) -> dict[str, dict[str, object]]:
    conn = sqlite3.connect(path)
    rows = conn.execute("SELECT native_id, body FROM record").fetchall()
    conn.close()
    return {
        native_id: {name: value for name, value in orjson.loads(body).items() if name in mapped}
        for native_id, body in rows
    }
