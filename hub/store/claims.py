"""Side records that wait in the inbox for a main record: noted in `awaited` under a name that no field can have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from hub.core.state import BindingState, GoldenState
from hub.store.database import Connection
from hub.store.reference_tables import awaited
from hub.store.tables import binding, golden, observation
from hub.store.unit_of_work import UnitOfWork

MAIN_RECORD = "$main"
"""Is the field under which a side record notes the main record that it points at."""
ONE_OF_SEVERAL = "not_unique:part"
"""Is why a person is asked which of several side records is the part of a record."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Is one waiting side record whose main record is bound. `hub_id` is set where it is a part of somebody already."""

    obs_id: str
    system: str
    object: str
    native_id: str
    hub_id: str | None
    owner: str
    digest: bytes | None
    stamp: str | None
    state: str


_WAITING = (
    sa.select(
        observation.c.obs_id,
        observation.c.system,
        observation.c.object,
        observation.c.native_id,
        observation.c.hub_id,
        binding.c.hub_id.label("owner"),
        observation.c.digest,
        observation.c.stamp,
        observation.c.state,
    )
    .join(awaited, sa.and_(awaited.c.obs_id == observation.c.obs_id, awaited.c.field == MAIN_RECORD))
    .join(
        binding,
        sa.and_(
            binding.c.system == awaited.c.system,
            binding.c.object == awaited.c.object,
            binding.c.native_id == awaited.c.native_id,
        ),
    )
    .join(golden, golden.c.hub_id == binding.c.hub_id)
    .where(
        observation.c.entity == sa.bindparam("of"),
        binding.c.part == "main",
        binding.c.state == BindingState.ACTIVE.value,
        golden.c.state == GoldenState.LIVE.value,
    )
)
_OWNERS = (
    _WAITING.with_only_columns(binding.c.hub_id)
    .where(binding.c.hub_id > sa.bindparam("after"))
    .distinct()
    .order_by(binding.c.hub_id)
    .limit(sa.bindparam("most"))
)


def owners(conn: Connection, entity: str, after: str, limit: int) -> list[str]:
    """Returns the next golden records at whose main records something in the inbox points."""
    return list(conn.execute(_OWNERS, {"of": entity, "after": after, "most": limit}).scalars())


def of_owners(conn: Connection, entity: str, hub_ids: Sequence[str]) -> list[Claimant]:
    """Returns everything in the inbox that points at the main records of these golden records."""
    here = _WAITING.where(binding.c.hub_id.in_(hub_ids)).order_by(observation.c.obs_id)
    return [Claimant(*row) for row in conn.execute(here, {"of": entity})]


_LEFT = (
    sa.select(observation.c.obs_id, observation.c.system, observation.c.object, observation.c.native_id)
    .join(awaited, sa.and_(awaited.c.obs_id == observation.c.obs_id, awaited.c.field == MAIN_RECORD))
    .where(
        observation.c.entity == sa.bindparam("of"),
        observation.c.state.in_(("new", "waiting")),
        observation.c.hub_id.is_(None),
        ~sa.exists().where(
            binding.c.system == awaited.c.system,
            binding.c.object == awaited.c.object,
            binding.c.native_id == awaited.c.native_id,
            binding.c.part == "main",
            binding.c.state == BindingState.ACTIVE.value,
            golden.c.hub_id == binding.c.hub_id,
            golden.c.state == GoldenState.LIVE.value,
        ),
    )
)


def left_alone(conn: Connection, entity: str) -> list[tuple[str, str, str, str]]:
    """Returns side records about which somebody was asked and whose main record is gone meanwhile.

    Each is named by its obs id, system, object and native id.
    """
    return [(row[0], row[1], row[2], row[3]) for row in conn.execute(_LEFT, {"of": entity})]


def park_again(work: UnitOfWork, obs_ids: Sequence[str]) -> None:
    """Lets side records wait for their main record once more."""
    work.conn.execute(observation.update().where(observation.c.obs_id.in_(obs_ids)).values(state="parked"))


def grant(work: UnitOfWork, granted: Sequence[tuple[str, str]]) -> None:
    """Puts side records into the queue as those of their golden records: (obs id, hub id)."""
    if granted:
        here = observation.c.obs_id == sa.bindparam("key")
        work.conn.execute(
            observation.update().where(here).values(hub_id=sa.bindparam("owner"), state="new"),
            [{"key": obs_id, "owner": hub_id} for obs_id, hub_id in granted],
        )
        ids = [obs_id for obs_id, _ in granted]
        work.conn.execute(awaited.delete().where(awaited.c.obs_id.in_(ids), awaited.c.field == MAIN_RECORD))
