"""The statements of golden records, bindings and bases, each built once: building one costs more than running it."""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from hub.core.state import Binding, BindingState, GoldenState
from hub.store.database import Prepared
from hub.store.tables import base, binding, golden, subject_key

# Facets are left out: they repeat what stands sealed, and decoding them costs more than opening the record.
_GOLDEN = ("hub_id", "entity", "subject_id", "revision", "state", "blob")
_IDS: sa.BindParameter[list[str]] = sa.bindparam("ids", expanding=True)
# Named in the order of the type that is made of them: a row is unpacked, not asked name by name.
BINDING = tuple(binding.c[item.name] for item in fields(Binding))
BINDINGS = Prepared(sa.select(*BINDING).where(binding.c.hub_id.in_(_IDS)).order_by(binding.c.binding_id))
GOLDEN = Prepared(
    sa.select(*[golden.c[name] for name in _GOLDEN], subject_key.c.key_id, subject_key.c.wrapped)
    .join(subject_key, subject_key.c.subject_id == golden.c.subject_id)
    .where(golden.c.hub_id.in_(_IDS))
)
SUBJECTS = Prepared(
    sa.select(golden.c.hub_id, subject_key)
    .join(subject_key, subject_key.c.subject_id == golden.c.subject_id)
    .where(golden.c.hub_id.in_(_IDS))
)
BASES = Prepared(
    sa.select(base, binding.c.hub_id)
    .join(binding, binding.c.binding_id == base.c.binding_id)
    .where(binding.c.hub_id.in_(_IDS))
)
DROP_BASES = Prepared(base.delete().where(base.c.binding_id.in_(_IDS)))
CHANGE = (
    golden.update()
    .where(golden.c.hub_id == sa.bindparam("key"))
    .values({name: sa.bindparam(name) for name in ("revision", "state", "blob", "facets", "updated_at")})
)
BY_NATIVE = Prepared(
    sa.select(*BINDING).where(
        binding.c.system == sa.bindparam("at"), binding.c.object == sa.bindparam("of"), binding.c.native_id.in_(_IDS)
    )
)
OWED = Prepared(
    sa.select(*BINDING)
    .where(
        binding.c.entity == sa.bindparam("of"),
        binding.c.system == sa.bindparam("at"),
        binding.c.dirty,
        binding.c.state == sa.bindparam("in_state"),
        binding.c.binding_id > sa.bindparam("after"),
    )
    .order_by(binding.c.binding_id)
    .limit(sa.bindparam("most"))
)
_NUMBERED = (
    sa.select(
        binding.c.binding_id,
        sa.func.row_number().over(order_by=binding.c.binding_id).label("place"),
        sa.func.count().over().label("number"),
    )
    .where(
        binding.c.entity == sa.bindparam("of"),
        binding.c.system == sa.bindparam("at"),
        binding.c.dirty,
        binding.c.state == sa.bindparam("in_state"),
        binding.c.binding_id <= sa.bindparam("until"),
    )
    .subquery()
)
OWED_BOUNDS = Prepared(
    sa.select(_NUMBERED.c.binding_id)
    .where(
        sa.or_(_NUMBERED.c.place % sa.bindparam("size", type_=sa.Integer) == 0, _NUMBERED.c.place == _NUMBERED.c.number)
    )
    .order_by(_NUMBERED.c.binding_id)
)
YOUNGEST = (
    sa.select(*BINDING)
    .where(
        binding.c.entity == sa.bindparam("of"),
        binding.c.system == sa.bindparam("at"),
        binding.c.dirty,
        binding.c.state == BindingState.PENDING.value,
        binding.c.binding_id > sa.bindparam("after"),
    )
    .order_by(binding.c.binding_id.desc())
    .limit(sa.bindparam("most"))
)
YOUNGER = YOUNGEST.where(binding.c.binding_id < sa.bindparam("before"))
UNROUTED = Prepared(
    sa.select(*BINDING)
    .where(
        binding.c.entity == sa.bindparam("of"),
        binding.c.system == sa.bindparam("at"),
        sa.text("state = 'detached' AND native_id IS NULL AND mapping_version IS NOT NULL"),
        binding.c.mapping_version != sa.bindparam("version"),
        binding.c.binding_id > sa.bindparam("after"),
    )
    .order_by(binding.c.binding_id)
    .limit(sa.bindparam("most"))
)
BINDS_ANY = Prepared(
    sa.select(binding.c.binding_id)
    .where(
        binding.c.system == sa.bindparam("at"), binding.c.object == sa.bindparam("of"), binding.c.native_id.isnot(None)
    )
    .limit(1)
)
TALLY = Prepared(
    sa.select(binding.c.system, binding.c.state, binding.c.dirty, sa.func.count())
    .where(binding.c.entity == sa.bindparam("of"))
    .group_by(binding.c.system, binding.c.state, binding.c.dirty)
)


MOVE_VERSION = (
    binding.update()
    .where(
        binding.c.system == sa.bindparam("at"),
        binding.c.object == sa.bindparam("of"),
        binding.c.native_id == sa.bindparam("key"),
    )
    .values(version=sa.bindparam("shown"))
)
MOVE_DIGEST = (
    binding.update()
    .where(
        binding.c.system == sa.bindparam("at"),
        binding.c.object == sa.bindparam("of"),
        binding.c.native_id == sa.bindparam("key"),
    )
    .values(obs_digest=sa.bindparam("seen"))
)
_HERE = sa.bindparam("at", type_=sa.String)
PLACE = Prepared(
    binding.insert().from_select(
        [
            "binding_id",
            "hub_id",
            "entity",
            "system",
            "part",
            "state",
            "agreed_revision",
            "stamped",
            "dirty",
            "updated_at",
        ],
        sa.select(
            golden.c.hub_id + sa.bindparam("place", type_=sa.String),
            golden.c.hub_id,
            golden.c.entity,
            _HERE,
            sa.literal("main"),
            sa.literal(BindingState.PENDING.value),
            sa.literal(0),
            sa.literal(False),
            sa.literal(True),
            sa.bindparam("now", type_=sa.Double),
        )
        .where(golden.c.entity == sa.bindparam("of"), golden.c.unplaced, golden.c.state == GoldenState.LIVE.value)
        .where(
            ~sa.exists().where(binding.c.hub_id == golden.c.hub_id, binding.c.system == _HERE, binding.c.part == "main")
        ),
    )
)
PLACED = Prepared(
    golden.update().where(golden.c.entity == sa.bindparam("of"), golden.c.unplaced).values(unplaced=sa.false())
)


@lru_cache(maxsize=256)
def update_binding(names: tuple[str, ...]) -> Prepared:
    """Returns the update of just these columns: an index not named is not touched."""
    values: dict[str, Any] = {name: sa.bindparam(name) for name in (*names, "at")}
    values["updated_at"] = values.pop("at")
    return Prepared(binding.update().where(binding.c.binding_id == sa.bindparam("key")).values(values))
