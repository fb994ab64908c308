"""Finds entries of the audit log by columns beside their bodies, page by page; the index is caught up before a look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from hub.audit.event import instant
from hub.audit.tree import RowTuple
from hub.store import audit_log
from hub.store.audit_log import entries_after
from hub.store.audit_tables import audit_field, audit_index
from hub.store.database import WRITE, as_bytes, bulk_insert, store_errors
from hub.store.tables import audit_entry, golden
from hub.store.unit_of_work import Store

BATCH = 2000
Place = tuple[int, int]
"""Epoch and sequence number of an entry."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Says which entries are wanted: `act` or its beginning, `about` an id, run or name; instants in epoch seconds."""

    person: str | None = None
    act: str | None = None
    system: str | None = None
    about: str | None = None
    field: str | None = None
    branch: str | None = None
    outcome: str | None = None
    since: float | None = None
    until: float | None = None


def catch_up(store: Store) -> int:
    """Indexes what was written since the last look; returns how many entries."""
    total = 0
    while True:
        with store_errors(), store.engine.connect().execution_options(**{WRITE: True}) as conn, conn.begin():
            rows = entries_after(conn, *_newest(conn), BATCH)
            indexed, fields = _index_rows(rows)
            _insert(conn, audit_index, indexed)
            _insert(conn, audit_field, fields)
        total += len(rows)
        if len(rows) < BATCH:
            return total


@contextmanager
def snapshot(store: Store) -> Iterator[sa.Connection]:
    """Yields a connection that sees one moment of the store, all of whose entries stand in the index."""
    while True:
        catch_up(store)
        with audit_log.snapshot(store) as conn:
            # Another process may have written since.
            if not entries_after(conn, *_newest(conn), 1):
                yield conn
                return


def unlike(conn: sa.Connection) -> list[Place]:
    """Returns the entries whose act or object the index does not hold as they say it, oldest first.

    The index is no part of the chain: whoever may write it could hide entries from those who ask by it.
    """
    here = sa.and_(audit_entry.c.epoch == audit_index.c.epoch, audit_entry.c.seq == audit_index.c.seq)
    query = (
        sa.select(audit_entry.c.epoch, audit_entry.c.seq, audit_entry.c.body, audit_index.c.act, audit_index.c.obj_id)
        .select_from(audit_entry.outerjoin(audit_index, here))
        .order_by(audit_entry.c.epoch, audit_entry.c.seq)
        .execution_options(yield_per=BATCH)
    )
    found = []
    for epoch, seq, body, act, obj_id in conn.execute(query):
        try:
            record = orjson.loads(as_bytes(body))
        except orjson.JSONDecodeError:
            continue  # The verification of the chain names it.
        if (act, obj_id) != (record["act"], record["obj"].get("id")):
            found.append((epoch, seq))
    return found


def put_right(store: Store, places: Sequence[Place]) -> None:
    """Makes the index of some entries anew from their bodies."""
    for start in range(0, len(places), 500):
        part = places[start : start + 500]
        with store_errors(), store.engine.connect().execution_options(**{WRITE: True}) as conn, conn.begin():
            for table in (audit_field, audit_index):
                for epoch in sorted({place[0] for place in part}):
                    seqs = [seq for other, seq in part if other == epoch]
                    conn.execute(table.delete().where(table.c.epoch == epoch, table.c.seq.in_(seqs)))
            told = zip(part, bodies(conn, part), strict=True)
            indexed, fields = _index_rows([(epoch, seq, body, b"", b"") for (epoch, seq), body in told])
            _insert(conn, audit_index, indexed)
            _insert(conn, audit_field, fields)


def _newest(conn: sa.Connection) -> Place:
    query = sa.select(audit_index.c.epoch, audit_index.c.seq)
    row = conn.execute(query.order_by(audit_index.c.epoch.desc(), audit_index.c.seq.desc()).limit(1)).one_or_none()
    return (0, -1) if row is None else (row.epoch, row.seq)


def _insert(conn: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    # Two lists at once index the same entries; on PostgreSQL neither waits for the other.
    if conn.dialect.name == "sqlite":
        bulk_insert(conn, table, rows)
    elif rows:
        from sqlalchemy.dialects.postgresql import insert

        conn.execute(insert(table).on_conflict_do_nothing(), list(rows))


def _index_rows(rows: Sequence[RowTuple]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    indexed: list[dict[str, Any]] = []
    fields: list[dict[str, Any]] = []
    for epoch, seq, body, _, _ in rows:
        record = orjson.loads(body)
        about = record["obj"]
        indexed.append(
            {
                "epoch": epoch,
                "seq": seq,
                "at": instant(record["ts"]),
                "act": record["act"],
                "actor": record["actor"]["id"],
                "obj_id": about.get("id"),
                "connection": about.get("connection"),
                "branch": about.get("branch"),
                "corr": record.get("corr"),
                "outcome": record["outcome"],
                "stage": record["stage"],
            }
        )
        names = {note["name"] for note in record.get("fields", ())}
        fields += [{"field": name, "epoch": epoch, "seq": seq} for name in sorted(names)]
    return indexed, fields


def page(conn: sa.Connection, wanted: Wanted, *, before: Place | None, limit: int) -> list[bytes]:
    """Returns the bodies of the newest entries that are wanted and lie before a place, newest first."""
    return [body for _, _, body in _page(conn, wanted, before, limit)]


def _page(conn: sa.Connection, wanted: Wanted, before: Place | None, limit: int) -> list[tuple[int, int, bytes]]:
    query, led = _places(wanted)
    if before is not None:
        query = query.where(_earlier(led, before))
    places = query.order_by(led.c.epoch.desc(), led.c.seq.desc()).limit(limit).subquery()
    here = sa.and_(audit_entry.c.epoch == places.c.epoch, audit_entry.c.seq == places.c.seq)
    query = sa.select(audit_entry.c.epoch, audit_entry.c.seq, audit_entry.c.body).select_from(
        places.join(audit_entry, here)
    )
    rows = conn.execute(query.order_by(places.c.epoch.desc(), places.c.seq.desc()))
    return [(row[0], row[1], as_bytes(row[2])) for row in rows]


def every(conn: sa.Connection, wanted: Wanted) -> Iterator[Place]:
    """Streams the places of all entries that are wanted, oldest first."""
    query, led = _places(wanted)
    rows = conn.execute(query.order_by(led.c.epoch, led.c.seq).execution_options(yield_per=5000))
    yield from ((epoch, seq) for epoch, seq in rows)


def bodies(conn: sa.Connection, places: Sequence[Place]) -> list[bytes]:
    """Returns the bodies of some entries, oldest first."""
    found: list[tuple[Place, bytes]] = []
    for epoch in sorted({place[0] for place in places}):
        seqs = [seq for other, seq in places if other == epoch]
        for start in range(0, len(seqs), 500):
            query = sa.select(audit_entry.c.seq, audit_entry.c.body).where(
                audit_entry.c.epoch == epoch, audit_entry.c.seq.in_(seqs[start : start + 500])
            )
            found += [((epoch, seq), as_bytes(body)) for seq, body in conn.execute(query)]
    return [body for _, body in sorted(found)]


def of_objects(conn: sa.Connection, ids: Sequence[str], acts: Sequence[str]) -> Iterator[bytes]:
    """Yields the bodies of some acts on some objects, oldest first."""
    here = sa.and_(audit_entry.c.epoch == audit_index.c.epoch, audit_entry.c.seq == audit_index.c.seq)
    query = (
        sa.select(audit_entry.c.body)
        .select_from(audit_index.join(audit_entry, here))
        .where(audit_index.c.obj_id.in_(ids), audit_index.c.act.in_(acts))
        .order_by(audit_index.c.epoch, audit_index.c.seq)
    )
    for (body,) in conn.execute(query):
        yield as_bytes(body)


def _places(wanted: Wanted) -> tuple[sa.Select[Any], sa.Table]:
    """Returns what finds the places that are wanted, and the table by which they are put in order."""
    if wanted.field is None:
        return sa.select(audit_index.c.epoch, audit_index.c.seq).where(*_where(wanted)), audit_index
    there = sa.and_(audit_field.c.epoch == audit_index.c.epoch, audit_field.c.seq == audit_index.c.seq)
    query = sa.select(audit_field.c.epoch, audit_field.c.seq).select_from(audit_field.join(audit_index, there))
    return query.where(audit_field.c.field == wanted.field, *_where(wanted)), audit_field


def _where(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    columns = audit_index.c
    found: list[sa.ColumnElement[bool]] = []
    for column, value in (
        (columns.actor, wanted.person),
        (columns.connection, wanted.system),
        (columns.branch, wanted.branch),
        (columns.outcome, wanted.outcome),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.act is not None:
        found.append(sa.and_(columns.act >= wanted.act, columns.act < wanted.act + "\x7f"))
    if wanted.about is not None:
        found.append(sa.or_(columns.obj_id == wanted.about, columns.corr == wanted.about))
    if wanted.since is not None:
        found.append(columns.at >= wanted.since)
    if wanted.until is not None:
        found.append(columns.at < wanted.until)
    return found


def _earlier(led: sa.Table, place: Place) -> sa.ColumnElement[bool]:
    return sa.tuple_(led.c.epoch, led.c.seq) < sa.tuple_(*place)


def open_attempts(conn: sa.Connection, since: float, limit: int) -> list[bytes]:
    """Returns the bodies of attempts since an instant of which no result is known, oldest first."""
    result = audit_index.alias("result")
    ended = sa.exists().where(result.c.corr == audit_index.c.corr, result.c.stage == "result")
    here = sa.and_(audit_entry.c.epoch == audit_index.c.epoch, audit_entry.c.seq == audit_index.c.seq)
    query = (
        sa.select(audit_entry.c.body)
        .select_from(audit_index.join(audit_entry, here))
        .where(audit_index.c.stage == "attempt", audit_index.c.stage != "single", audit_index.c.at >= since, ~ended)
        .order_by(audit_index.c.epoch, audit_index.c.seq)
        .limit(limit)
    )
    return [as_bytes(body) for (body,) in conn.execute(query)]


def record_ids(conn: sa.Connection, after: str, limit: int) -> list[tuple[str, str]]:
    """Returns (hub id, entity) of the records that follow one, in order."""
    query = sa.select(golden.c.hub_id, golden.c.entity).where(golden.c.hub_id > after)
    return [(hub_id, entity) for hub_id, entity in conn.execute(query.order_by(golden.c.hub_id).limit(limit))]


def created_and_gone(conn: sa.Connection, act: str) -> list[tuple[str, str]]:
    """Returns (entity, hub id) of records that an act of the log made and the store does not have."""
    there = sa.exists().where(golden.c.hub_id == audit_index.c.obj_id)
    here = sa.and_(audit_entry.c.epoch == audit_index.c.epoch, audit_entry.c.seq == audit_index.c.seq)
    query = sa.select(audit_entry.c.body).select_from(audit_index.join(audit_entry, here))
    rows = conn.execute(query.where(audit_index.c.act == act, ~there))
    found = (orjson.loads(body)["obj"] for (body,) in rows)
    return sorted({(about["type"], about["id"]) for about in found})
