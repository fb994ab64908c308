"""Notices that the store is older than it was, and remembers how far the safe path after that has come.

The anchor is a small file outside the database that holds the newest audit head. A store whose audit log lacks that row
was put back to an earlier state, by whatever means.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import mkstemp

import orjson
import sqlalchemy as sa

from hub.store.database import Prepared, store_errors
from hub.store.review_tables import match_decision
from hub.store.tables import audit_entry, audit_head, binding, checkpoint, lease, meta
from hub.store.unit_of_work import Store, UnitOfWork

FILE = "anchor.json"
"""The anchor's name in the folder of an installation's own state."""
RESTORED_AT, RESTORED_HEAD = "restored_at", "restored_head"
_REBUILD = "rebuild."
LISTING = "changes"
"""The stream whose cursors are dropped. Those of deletions stay: what was deleted since is still to be read there."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Is the newest audit row that a machine saw; `kept_at` is when it was noted, in epoch seconds."""

    installation: str
    epoch: int
    seq: int
    chain: str
    kept_at: float


def read_anchor(file: Path) -> Anchor | None:
    """Returns the anchor, or None where there is none yet. Raises ValueError for one that cannot be read."""
    try:
        return Anchor(**orjson.loads(file.read_bytes()))
    except FileNotFoundError:
        return None
    except TypeError:
        raise ValueError("the anchor lacks a member") from None


def keep_anchor(store: Store, file: Path) -> None:
    """Notes the newest audit row outside the store, so that no moment shows half a note."""
    with store.read() as conn:
        epoch, seq, chain = head_of(conn)
    body = orjson.dumps(asdict(Anchor(store.ring.tenant, epoch, seq, chain.hex(), store.clock.now())))
    with store_errors():
        file.parent.mkdir(parents=True, exist_ok=True)
        with scratch(file.parent, file.name) as fresh:
            fresh.write_bytes(body)
            flush(fresh)
            os.replace(fresh, file)
            flush(file.parent)


def holds(conn: sa.Connection, anchor: Anchor) -> bool:
    """Tells whether the audit log still has the anchor's row."""
    if anchor.seq < 0:
        return True
    here = sa.and_(audit_entry.c.epoch == anchor.epoch, audit_entry.c.seq == anchor.seq)
    chain = conn.execute(sa.select(audit_entry.c.chain).where(here)).scalar_one_or_none()
    return chain is not None and bytes(chain).hex() == anchor.chain


def restored_at(conn: sa.Connection) -> float | None:
    """Returns when the store was last known to be restored, in epoch seconds."""
    found = _get(conn, RESTORED_AT)
    return None if found is None else float(found)


def mark_restored(work: UnitOfWork, entities: Iterable[str], head: str) -> None:
    """Puts every entity on the safe path: full listings, and no lease of before may commit any more."""
    _put(work, RESTORED_AT, repr(work.now))
    _put(work, RESTORED_HEAD, head)
    for entity in entities:
        save_rebuild(work, entity, Rebuild(work.now))
    work.conn.execute(checkpoint.delete().where(checkpoint.c.stream == LISTING))
    work.conn.execute(lease.update().values(epoch=lease.c.epoch + 1))


@dataclass(slots=True)
class Rebuild:
    """Is how far an entity has come on the safe path: what was listed completely since the store was restored."""

    since: float
    listed: set[tuple[str, str]] = field(default_factory=set)
    done: bool = False


_TOLD = Prepared(
    sa.select(meta.c.key, meta.c.value).where(
        sa.or_(meta.c.key == sa.bindparam("one"), meta.c.key == sa.bindparam("other"))
    )
)


def load_rebuild(conn: sa.Connection, entity: str) -> Rebuild | None:
    """Returns where an entity stands on the safe path, or None when it is not on it."""
    keys = (RESTORED_AT, _REBUILD + entity)
    rows = {row[0]: row[1] for row in _TOLD.run(conn, dict(zip(("one", "other"), keys, strict=True)))}
    if RESTORED_AT not in rows:
        return None
    if _REBUILD + entity not in rows:
        # An entity that came into use after the restore: its records may carry stamps of before.
        return Rebuild(float(rows[RESTORED_AT]))
    said = orjson.loads(rows[_REBUILD + entity])
    return None if said["done"] else Rebuild(said["since"], {(system, name) for system, name in said["listed"]})


def rebuilding_any(conn: sa.Connection, entities: Iterable[str]) -> bool:
    """Tells whether one of these entities was put on the safe path and has not come to its end."""
    keys = [_REBUILD + entity for entity in entities]
    rows = conn.execute(sa.select(meta.c.value).where(meta.c.key.in_(keys))).scalars()
    return any(not orjson.loads(said)["done"] for said in rows)


def save_rebuild(work: UnitOfWork, entity: str, found: Rebuild) -> None:
    said = {"since": found.since, "listed": sorted(found.listed), "done": found.done}
    _put(work, _REBUILD + entity, orjson.dumps(said).decode())


def recovered(conn: sa.Connection, entity: str, system: str, since: float) -> list[str]:
    """Returns the records found again by the hub id they carry in another system and not yet placed in this one."""
    here = sa.exists().where(
        binding.c.hub_id == match_decision.c.hub_id, binding.c.system == system, binding.c.native_id.isnot(None)
    )
    found = sa.select(match_decision.c.hub_id).where(
        match_decision.c.entity == entity, match_decision.c.rule == "hub_id", match_decision.c.decided_at >= since
    )
    return list(conn.execute(found.where(~here).distinct().order_by(match_decision.c.hub_id)).scalars())


def _get(conn: sa.Connection, key: str) -> str | None:
    return conn.execute(sa.select(meta.c.value).where(meta.c.key == key)).scalar_one_or_none()


def _put(work: UnitOfWork, key: str, value: str) -> None:
    work.conn.execute(meta.delete().where(meta.c.key == key))
    work.conn.execute(meta.insert().values(key=key, value=value))


def head_of(conn: sa.Connection) -> tuple[int, int, bytes]:
    """Returns epoch, seq and chain of the newest audit row; seq is -1 while there is none."""
    epoch, seq = conn.execute(sa.select(audit_head.c.epoch, audit_head.c.seq).where(audit_head.c.id == 1)).one()
    here = sa.and_(audit_entry.c.epoch == epoch, audit_entry.c.seq == seq)
    chain = conn.execute(sa.select(audit_entry.c.chain).where(here)).scalar_one_or_none()
    return epoch, seq, bytes(chain or b"")


@contextmanager
def scratch(folder: Path, name: str) -> Iterator[Path]:
    """Yields an empty file beside `name` that only its owner can read; whatever is left of it at the end is removed."""
    handle, made = mkstemp(prefix=f".{name}.", suffix=".partial", dir=folder)
    os.close(handle)
    path = Path(made)
    try:
        yield path
    finally:
        for left in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
            left.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Makes a file, or the names in a folder, outlive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
