"""Bounds what is read to branches: the one place where a reach becomes SQL, by whole codes and bound values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from hub.store.complaints import facet
from hub.store.tables import golden

Reach = Mapping[str, frozenset[str] | None]
"""Says per entity which branch codes may be seen, None for every record; an entity that is not named has none."""


def reached(
    dialect: str, entity: sa.ColumnElement[str], hub_id: sa.ColumnElement[Any], reach: Reach
) -> sa.ColumnElement[bool]:
    """Returns the condition that a row is about a record within reach; one about no record is in nobody's branch."""
    parts = []
    for name, codes in reach.items():
        if codes is None:
            parts.append(entity == name)
        elif codes:
            own = sa.select(golden.c.hub_id).where(
                golden.c.entity == name, facet(dialect, "branch_code").in_(sorted(codes))
            )
            parts.append(sa.and_(entity == name, hub_id.in_(own)))
    return sa.or_(*parts) if parts else sa.false()


def places(conn: sa.Connection, hub_ids: Iterable[str]) -> dict[str, tuple[str, str | None]]:
    """Returns the entity and the branch code of golden records, without opening them."""
    code = facet(conn.dialect.name, "branch_code").label("code")
    query = sa.select(golden.c.hub_id, golden.c.entity, code).where(golden.c.hub_id.in_(list(hub_ids)))
    return {row.hub_id: (row.entity, row.code) for row in conn.execute(query)}
