"""The wrapped data keys, and the number that tells every process that they are others than those it holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from hub.keys.rows import KeyRow, KeyState, Purpose
from hub.store.database import WRITE, store_errors
from hub.store.tables import crypto_key, meta

VERSION = "key_ring"
"""Is where `meta` keeps the version of the ring: it grows with every change of a key's state."""


def load_keys(engine: sa.Engine) -> tuple[KeyRow, ...]:
    with store_errors(), engine.connect() as conn:
        return key_rows(conn)


def key_rows(conn: sa.Connection) -> tuple[KeyRow, ...]:
    """Returns every key of the installation, the oldest first."""
    return tuple(_key_of(row) for row in conn.execute(sa.select(crypto_key).order_by(crypto_key.c.id)))


def _key_of(row: sa.Row[Any]) -> KeyRow:
    plain = {name: getattr(row, name) for name in ("id", "tenant", "suite", "kek_id", "created_at")}
    dates = {"promoted_at": row.promoted_at, "retired_at": row.retired_at}
    return KeyRow(purpose=Purpose(row.purpose), wrapped=bytes(row.wrapped), state=KeyState(row.state), **plain, **dates)


def save_keys(engine: sa.Engine, rows: Iterable[KeyRow]) -> None:
    with store_errors(), engine.connect().execution_options(**{WRITE: True}) as conn, conn.begin():
        put_keys(conn, rows)


def put_keys(conn: sa.Connection, rows: Iterable[KeyRow]) -> None:
    """Keeps keys, in the place of those of the same id."""
    for row in rows:
        values = {name: getattr(row, name) for name in KeyRow.__slots__}
        values |= {"purpose": row.purpose.value, "suite": int(row.suite), "state": row.state.value}
        conn.execute(crypto_key.delete().where(crypto_key.c.id == row.id))
        conn.execute(crypto_key.insert().values(values))


def ring_version(conn: sa.Connection) -> int:
    """Returns the version of the ring as stored; 0 before the first change."""
    found = conn.execute(sa.select(meta.c.value).where(meta.c.key == VERSION)).scalar_one_or_none()
    return int(found or 0)


def next_version(conn: sa.Connection) -> int:
    """Counts a change of the ring and returns its version; whoever changes it at the same time waits here.

    It comes before the keys are read: what a change was worked out from is then still what stands.
    """
    conn.execute(sa.text(_COUNT), {"key": VERSION})
    return ring_version(conn)


_COUNT = (
    "INSERT INTO meta AS m (key, value) VALUES (:key, '1') "
    "ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(m.value AS INTEGER) + 1 AS TEXT)"
)
