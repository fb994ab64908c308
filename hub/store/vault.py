"""What the installation itself keeps: its id, its wrapped keys, and the sealed tokens of its connections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from hub.keys.rows import KeyRow, KeyState, Purpose
from hub.store.database import WRITE, store_errors
from hub.store.tables import audit_entry, crypto_key, meta, secret
from hub.store.unit_of_work import Store, UnitOfWork


def read_meta(engine: sa.Engine, key: str) -> str | None:
    with store_errors(), engine.connect() as conn:
        return conn.execute(sa.select(meta.c.value).where(meta.c.key == key)).scalar_one_or_none()


def write_meta(engine: sa.Engine, values: dict[str, str]) -> None:
    with store_errors(), engine.connect().execution_options(**{WRITE: True}) as conn, conn.begin():
        for key, value in values.items():
            conn.execute(meta.delete().where(meta.c.key == key))
            conn.execute(meta.insert().values(key=key, value=value))


def has_acted(engine: sa.Engine) -> bool:
    """Tells whether anything was ever done with the store; making it is no act."""
    with store_errors(), engine.connect() as conn:
        return conn.execute(sa.select(audit_entry.c.seq).limit(1)).first() is not None


def load_keys(engine: sa.Engine) -> tuple[KeyRow, ...]:
    with store_errors(), engine.connect() as conn:
        return tuple(
            KeyRow(
                row.id,
                row.tenant,
                Purpose(row.purpose),
                row.suite,
                row.kek_id,
                bytes(row.wrapped),
                KeyState(row.state),
                row.created_at,
            )
            for row in conn.execute(sa.select(crypto_key).order_by(crypto_key.c.id))
        )


def save_keys(engine: sa.Engine, rows: Iterable[KeyRow]) -> None:
    with store_errors(), engine.connect().execution_options(**{WRITE: True}) as conn, conn.begin():
        conn.execute(
            crypto_key.insert(),
            [
                {
                    "id": row.id,
                    "tenant": row.tenant,
                    "purpose": row.purpose.value,
                    "suite": int(row.suite),
                    "kek_id": row.kek_id,
                    "wrapped": row.wrapped,
                    "state": row.state.value,
                    "created_at": row.created_at,
                }
                for row in rows
            ],
        )


class SealedTokens:
    """Keeps a connection's tokens and stored credentials sealed in the store, shared by all processes."""

    def __init__(self, store: Store, system: str) -> None:
        self._store = store
        self._system = system

    def get(self, name: str) -> bytes | None:
        key = f"{self._system}/{name}"
        with self._store.read() as conn:
            blob = conn.execute(sa.select(secret.c.blob).where(secret.c.name == key)).scalar_one_or_none()
        return None if blob is None else self._store.ring.open_secret(key, bytes(blob))

    def put(self, name: str, value: bytes) -> None:
        with self._store.begin() as work:
            self.put_all(work, {name: value})

    def put_all(self, work: UnitOfWork, values: Mapping[str, bytes]) -> None:
        """Keeps several in the commit of a unit of work."""
        for name, value in values.items():
            key = f"{self._system}/{name}"
            work.conn.execute(secret.delete().where(secret.c.name == key))
            sealed = self._store.ring.seal_secret(key, value)
            work.conn.execute(secret.insert().values(name=key, blob=sealed, stored_at=work.now))


AuditTuple = tuple[int, int, bytes, bytes, bytes]


def audit_rows(conn: sa.Connection, batch: int = 2000) -> Iterator[AuditTuple]:
    """Streams the audit log in order."""
    query = sa.select(audit_entry).order_by(audit_entry.c.epoch, audit_entry.c.seq)
    for row in conn.execution_options(yield_per=batch).execute(query):
        yield row.epoch, row.seq, bytes(row.body), bytes(row.leaf), bytes(row.chain)


def audit_tail(conn: sa.Connection, limit: int) -> Sequence[AuditTuple]:
    """Returns the newest rows, oldest first."""
    query = sa.select(audit_entry).order_by(audit_entry.c.epoch.desc(), audit_entry.c.seq.desc()).limit(limit)
    rows = [(r.epoch, r.seq, bytes(r.body), bytes(r.leaf), bytes(r.chain)) for r in conn.execute(query)]
    return rows[::-1]
