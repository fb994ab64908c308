"""Which values were shown whole, or were guessed at, to whom: what the daily quota counts."""

from __future__ import annotations

import sqlalchemy as sa

from hub.store.access_tables import reveal, users
from hub.store.unit_of_work import UnitOfWork


def spent(work: UnitOfWork, user_id: str, since: float) -> int:
    """Counts what a person has been shown since an instant; until the commit nobody else counts for that person."""
    work.conn.execute(sa.select(users.c.user_id).where(users.c.user_id == user_id).with_for_update())
    mine = sa.and_(reveal.c.user_id == user_id, reveal.c.shown_at >= since)
    return work.conn.execute(sa.select(sa.func.count()).select_from(reveal).where(mine)).scalar_one()


def note(work: UnitOfWork, user_id: str, entity: str, hub_id: str, field: str, ticket: str) -> None:
    """Notes one value that is about to be shown."""
    work.conn.execute(
        reveal.insert().values(
            reveal_id=work.new_id(),
            user_id=user_id,
            entity=entity,
            hub_id=hub_id,
            field=field,
            ticket=ticket,
            shown_at=work.now,
        )
    )
