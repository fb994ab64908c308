"""Looking golden records up by blind indexes, and how often a person did so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa

from hub.canonical.values import Value
from hub.store import matches, records
from hub.store.database import Connection
from hub.store.key_tables import identifier_search
from hub.store.matches import GOLDEN, as_any
from hub.store.tables import blind_index, golden, meta
from hub.store.unit_of_work import Store, UnitOfWork

HOUR = 3600.0
PAGE = 500
FindKeys = Callable[[Mapping[str, Value]], Mapping[str, bytes]]


def owners(conn: Connection, entity: str, asked: Mapping[str, Sequence[bytes]], most: int) -> list[str]:
    """Returns the golden records that may hold a value: rule -> its indexes; those found must be opened."""
    c = blind_index.c
    found: set[str] = set()
    for rule, digests in asked.items():
        here = sa.and_(c.digest.in_(as_any(digests)), c.rule == rule, c.entity == entity, c.system == GOLDEN)
        found.update(conn.execute(sa.select(c.owner).where(here).order_by(c.owner).limit(most)).scalars())
    return sorted(found)[:most]


def searches(conn: Connection, actor: str, since: float) -> int:
    """Returns how often somebody looked people up since an instant."""
    c = identifier_search.c
    query = sa.select(sa.func.count()).where(c.actor == actor, c.searched_at >= since)
    return int(conn.execute(query).scalar_one())


def note_search(work: UnitOfWork, actor: str) -> None:
    """Counts a search; those of the day before yesterday are forgotten."""
    work.conn.execute(identifier_search.delete().where(identifier_search.c.searched_at < work.now - 48 * HOUR))
    values = {"search_id": work.new_id(), "actor": actor, "searched_at": work.now}
    work.conn.execute(identifier_search.insert().values(values))


def index_all(store: Store, entity: str, plan: str, rules: Sequence[str], find_keys: FindKeys) -> int:
    """Gives every golden record the indexes of `plan`, once; returns how many were opened for it.

    Each page is one transaction that holds its records, so that nobody changes one meanwhile.
    """
    name, c = f"finds:{entity}", golden.c
    with store.read() as conn:
        if conn.execute(sa.select(meta.c.value).where(meta.c.key == name)).scalar_one_or_none() == plan:
            return 0
    last, seen = "", 0
    while True:
        with store.begin() as work:
            here = sa.select(c.hub_id).where(c.entity == entity, c.hub_id > last).order_by(c.hub_id).limit(PAGE)
            ids = list(work.conn.execute(here.with_for_update()).scalars())
            if not ids:
                work.conn.execute(meta.delete().where(meta.c.key == name))
                work.conn.execute(meta.insert().values(key=name, value=plan))
                return seen
            b = blind_index.c
            work.conn.execute(blind_index.delete().where(b.owner.in_(ids), b.rule.in_(rules)))
            known = records.load_golden(work.conn, store.ring, ids)
            made = {hub_id: find_keys(item.fields) for hub_id, item in known.items()}
            matches.put_keys(work, entity, GOLDEN, made, fresh=True)
        last, seen = ids[-1], seen + len(ids)
