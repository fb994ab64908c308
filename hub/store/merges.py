"""Golden records that were merged into others: who became whom, and what of the losers still stands in a system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.core.fates import MERGE
from hub.core.state import BindingState, GoldenState
from hub.store.database import Connection, Prepared
from hub.store.reference_tables import former_place, golden_merge, golden_ref
from hub.store.review_tables import hold, match_candidate, match_question
from hub.store.tables import binding, golden
from hub.store.unit_of_work import UnitOfWork

_IDS: sa.BindParameter[list[str]] = sa.bindparam("ids", expanding=True)
_HEIRS = sa.select(golden_merge.c.loser_id, golden_merge.c.heir_id).where(golden_merge.c.loser_id.in_(_IDS))
_PROPOSED = Prepared(
    sa.select(hold.c.hub_id)
    .where(hold.c.entity == sa.bindparam("of"), hold.c.state == sa.bindparam("at"), hold.c.rule == MERGE)
    .order_by(hold.c.hold_id)
)
_POINTING = Prepared(
    sa.select(golden_ref.c.hub_id, golden_ref.c.field, golden_ref.c.parent_id, golden_merge.c.heir_id)
    .join(golden_merge, golden_merge.c.loser_id == golden_ref.c.parent_id)
    .join(golden, golden.c.hub_id == golden_ref.c.hub_id)
    .where(golden.c.entity == sa.bindparam("of"), golden.c.state != GoldenState.MERGED.value)
    .order_by(golden_ref.c.hub_id, golden_ref.c.field)
    .limit(sa.bindparam("most"))
)
_LEFT = binding.c.state == BindingState.SUPERSEDED.value
_TWINS = (
    sa.select(binding.c.system, binding.c.object, binding.c.native_id, golden_merge.c.loser_id, golden_merge.c.heir_id)
    .join(golden_merge, golden_merge.c.loser_id == binding.c.hub_id)
    .where(_LEFT, binding.c.entity == sa.bindparam("of"))
    .order_by(binding.c.binding_id)
)


@dataclass(frozen=True, slots=True)
class Merged:
    """Is one golden record that was merged into `survivor_id`; the record that stands now is `heir_id`."""

    loser_id: str
    survivor_id: str
    heir_id: str
    system: str
    accepted_by: str
    merged_at: float


@dataclass(frozen=True, slots=True)
class Twin:
    """Is a native record whose golden record was merged away, still living beside the heir's own in its system."""

    system: str
    object: str
    native_id: str
    loser_id: str
    heir_id: str
    beside: str | None
    """The heir's own native id there."""


def heirs(conn: Connection, hub_ids: Iterable[str]) -> dict[str, str]:
    """Returns who stands now for each of these that was merged away."""
    ids = sorted(set(hub_ids))
    return {row.loser_id: row.heir_id for row in conn.execute(_HEIRS, {"ids": ids})} if ids else {}


def of_record(conn: Connection, hub_id: str) -> list[Merged]:
    """Returns the merges in which a record lost or won, oldest first."""
    here = sa.or_(golden_merge.c.loser_id == hub_id, golden_merge.c.heir_id == hub_id)
    columns = [golden_merge.c[name] for name in Merged.__slots__]
    rows = conn.execute(sa.select(*columns).where(here).order_by(golden_merge.c.merged_at, golden_merge.c.loser_id))
    return [Merged(*row) for row in rows]


def proposed(conn: Connection, entity: str, state: str) -> list[str]:
    """Returns the records about which it is asked (`open`) or answered (`decided`) whether they are another one."""
    return _PROPOSED.run(conn, {"of": entity, "at": state}).scalars()


def pointing(conn: Connection, entity: str, most: int) -> Sequence[Any]:
    """Returns references that still name a merged record: rows of hub_id, field, parent_id and heir_id."""
    return _POINTING.run(conn, {"of": entity, "most": most})


def twins(conn: Connection, entity: str) -> list[Twin]:
    """Returns the native records that people are to merge in their system."""
    rows = conn.execute(_TWINS, {"of": entity}).all()
    heir_ids = sorted({row.heir_id for row in rows})
    own = sa.select(binding.c.hub_id, binding.c.system, binding.c.native_id).where(
        binding.c.hub_id.in_(heir_ids), binding.c.state == BindingState.ACTIVE.value
    )
    beside = {(row.hub_id, row.system): row.native_id for row in conn.execute(own)} if rows else {}
    return [Twin(*row, beside.get((row.heir_id, row.system))) for row in rows]


def twin_places(conn: Connection, system: str, places: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Returns which places of a system, object and native id, are held by living records of merged ones."""
    wanted = set(places)
    rows = conn.execute(
        sa.select(binding.c.object, binding.c.native_id).where(
            _LEFT, binding.c.system == system, binding.c.native_id.in_(sorted({native for _, native in wanted}))
        )
    )
    return {(row.object, row.native_id) for row in rows} & wanted


def held_places(conn: Connection, system: str, places: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Returns which places of a system a merged record still holds, living there or not."""
    wanted = set(places)
    rows = conn.execute(
        sa.select(binding.c.object, binding.c.native_id)
        .join(golden_merge, golden_merge.c.loser_id == binding.c.hub_id)
        .where(binding.c.system == system, binding.c.native_id.in_(sorted({native for _, native in wanted})))
    )
    return {(row.object, row.native_id) for row in rows} & wanted


def release(work: UnitOfWork, system: str, object_: str, native_ids: Sequence[str]) -> None:
    """Lets merged records give up places that their heirs take over."""
    merged = sa.select(golden_merge.c.loser_id)
    work.conn.execute(
        binding.update()
        .where(binding.c.system == system, binding.c.object == object_, binding.c.native_id.in_(native_ids))
        .where(binding.c.hub_id.in_(merged))
        .values(native_id=None, state=BindingState.DETACHED.value, dirty=False, updated_at=work.now)
    )


def keep(work: UnitOfWork, entity: str, loser: str, survivor: str, system: str, by: str, run_id: str) -> None:
    """Notes a merge; whoever was merged into the loser before, and places it left, are the survivor's from now on."""
    conn = work.conn
    conn.execute(golden_merge.update().where(golden_merge.c.heir_id == loser).values(heir_id=survivor))
    conn.execute(former_place.update().where(former_place.c.hub_id == loser).values(hub_id=survivor))
    conn.execute(
        golden_merge.insert().values(
            loser_id=loser,
            survivor_id=survivor,
            heir_id=survivor,
            entity=entity,
            system=system,
            accepted_by=by,
            run_id=run_id,
            merged_at=work.now,
        )
    )
    _inherit_questions(work, loser, survivor)


def _inherit_questions(work: UnitOfWork, loser: str, survivor: str) -> None:
    """Puts the survivor in the place of the loser wherever it is asked whose record something is."""
    here = match_candidate.c.hub_id == loser
    both = sa.select(match_candidate.c.question_id).where(match_candidate.c.hub_id == survivor)
    work.conn.execute(match_candidate.delete().where(here, match_candidate.c.question_id.in_(both)))
    work.conn.execute(match_candidate.update().where(here).values(hub_id=survivor))
    live = match_question.c.state.in_(("open", "decided"))
    work.conn.execute(match_question.update().where(match_question.c.answer == loser, live).values(answer=survivor))
