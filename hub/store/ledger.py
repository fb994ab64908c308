"""How many distinct persons were sent abroad since 1 January, per system: an id of ours each, no value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from hub.store.database import Connection
from hub.store.egress_tables import egress_ledger
from hub.store.unit_of_work import UnitOfWork


def counted(conn: Connection, year: int, system: str, persons: Iterable[str]) -> set[str]:
    """Returns those of these persons who are counted already."""
    ids = sorted(set(persons))
    if not ids:
        return set()
    here = (egress_ledger.c.year == year, egress_ledger.c.system == system, egress_ledger.c.person.in_(ids))
    return set(conn.execute(sa.select(egress_ledger.c.person).where(*here)).scalars())


def totals(conn: Connection, year: int) -> Mapping[str, int]:
    """Returns how many persons are counted, by system."""
    rows = conn.execute(
        sa.select(egress_ledger.c.system, sa.func.count())
        .where(egress_ledger.c.year == year)
        .group_by(egress_ledger.c.system)
    )
    return {row[0]: row[1] for row in rows}


_COUNT = sa.text(
    "INSERT INTO egress_ledger (year, system, person, basis, sent_at) "
    "VALUES (:year, :system, :person, :basis, :sent_at) ON CONFLICT DO NOTHING"
)


def count(work: UnitOfWork, year: int, system: str, basis: str, persons: Iterable[str]) -> None:
    """Counts persons, each once, whoever else counts them at the same time."""
    shared = {"year": year, "system": system, "basis": basis, "sent_at": work.now}
    rows = [{**shared, "person": person} for person in sorted(set(persons))]
    if rows:
        work.conn.execute(_COUNT, rows)
