"""A sweep: which bound records a complete listing showed, told apart in the database and not in memory."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from hub.core.state import BindingState
from hub.store.database import Prepared
from hub.store.tables import binding
from hub.store.unit_of_work import UnitOfWork

_OBJECT = sa.and_(binding.c.system == sa.bindparam("at"), binding.c.object == sa.bindparam("of"))
_STANDING = (BindingState.ACTIVE.value, BindingState.DOOMED.value, BindingState.SUPERSEDED.value)
_PLACED = sa.and_(_OBJECT, binding.c.state.in_(_STANDING))
_LISTED = binding.c.native_id.in_(sa.bindparam("ids", expanding=True))
_BEGIN = Prepared(binding.update().where(_PLACED, binding.c.swept).values(swept=False))
_KNOWN = Prepared(sa.select(binding.c.native_id, binding.c.state, binding.c.version).where(_OBJECT, _LISTED))
_MARK = Prepared(binding.update().where(_OBJECT, _LISTED).values(swept=True))
_COUNT = Prepared(sa.select(sa.func.count()).select_from(binding).where(_PLACED))
_MISSING = Prepared(sa.select(binding.c.native_id).where(_PLACED, ~binding.c.swept))


def begin_sweep(work: UnitOfWork, system: str, object_: str) -> None:
    """Marks every bound record of an object as not yet listed."""
    _BEGIN.run(work.conn, {"at": system, "of": object_})


def sweep(work: UnitOfWork, system: str, object_: str, listed: Mapping[str, str | None]) -> tuple[list[str], list[str]]:
    """Marks listed records; returns the unknown ids and those that carry another version than the hub knows."""
    here = {"at": system, "of": object_, "ids": list(listed)}
    known = {row.native_id: row for row in _KNOWN.run(work.conn, here)}
    _MARK.run(work.conn, here)
    moved = [
        native_id
        for native_id, row in known.items()
        if row.state == BindingState.DETACHED or (listed[native_id] is not None and listed[native_id] != row.version)
    ]
    return [native_id for native_id in listed if native_id not in known], moved


def swept(conn: sa.Connection, system: str, object_: str) -> tuple[int, list[str]]:
    """Returns how many records are bound, and the native ids of those that the listing lacked."""
    here = {"at": system, "of": object_}
    return _COUNT.run(conn, here).one()[0], _MISSING.run(conn, here).scalars()
