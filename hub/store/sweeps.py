"""A sweep: which bound records a complete listing showed, told apart in the database and not in memory."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from hub.core.state import BindingState
from hub.store.tables import binding
from hub.store.unit_of_work import UnitOfWork


def _placed(system: str, object_: str) -> sa.ColumnElement[bool]:
    live = binding.c.state.in_((BindingState.ACTIVE.value, BindingState.DOOMED.value))
    return sa.and_(binding.c.system == system, binding.c.object == object_, live)


def begin_sweep(work: UnitOfWork, system: str, object_: str) -> None:
    """Marks every bound record of an object as not yet listed."""
    work.conn.execute(binding.update().where(_placed(system, object_), binding.c.swept).values(swept=False))


def sweep(work: UnitOfWork, system: str, object_: str, listed: Mapping[str, str | None]) -> tuple[list[str], list[str]]:
    """Marks listed records; returns the unknown ids and those that carry another version than the hub knows."""
    here = sa.and_(binding.c.system == system, binding.c.object == object_, binding.c.native_id.in_(list(listed)))
    known = {row.native_id: row for row in work.conn.execute(sa.select(binding).where(here))}
    work.conn.execute(binding.update().where(here).values(swept=True))
    moved = [
        native_id
        for native_id, row in known.items()
        if row.state in (BindingState.DETACHED, BindingState.SUPERSEDED)
        or (listed[native_id] is not None and listed[native_id] != row.version)
    ]
    return [native_id for native_id in listed if native_id not in known], moved


def swept(conn: sa.Connection, system: str, object_: str) -> tuple[int, list[str]]:
    """Returns how many records are bound, and the native ids of those that the listing lacked."""
    here = _placed(system, object_)
    known = conn.execute(sa.select(sa.func.count()).where(here)).scalar_one()
    return known, list(conn.execute(sa.select(binding.c.native_id).where(here, ~binding.c.swept)).scalars())
