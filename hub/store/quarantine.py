"""Records held out with their reason, and retried when what made them fail has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.keys.keyring import Keyring
from hub.store.database import Prepared
from hub.store.review_tables import quarantine
from hub.store.row_scope import reached
from hub.store.unit_of_work import UnitOfWork

INBOUND, OUTBOUND = "in", "out"


@dataclass(frozen=True, slots=True)
class Held:
    """Is one record, or one field of a record, that cannot go on; `field` is empty for the whole record."""

    quarantine_id: str
    entity: str
    system: str
    object: str
    native_id: str
    hub_id: str | None
    direction: str
    field: str
    code: str
    en: str
    zh: str
    input_digest: bytes
    state: str
    opened_at: float


@dataclass(frozen=True, slots=True)
class Fault:
    """Is what goes into quarantine. `payload` is the native input, kept sealed so that nothing is lost."""

    system: str
    object: str
    native_id: str
    direction: str
    field: str
    code: str
    en: str
    zh: str
    input_digest: bytes
    hub_id: str | None = None
    subject_id: str | None = None
    payload: Mapping[str, Any] | None = None


def put(work: UnitOfWork, ring: Keyring, entity: str, run_id: str, faults: Sequence[Fault]) -> int:
    """Opens quarantine rows; one with the same cause stays as it is. Returns how many are new."""
    opened = 0
    for fault in faults:
        row = work.conn.execute(
            sa.select(quarantine.c.quarantine_id, quarantine.c.input_digest, quarantine.c.code).where(_place(fault))
        ).one_or_none()
        if row is not None and bytes(row.input_digest) == fault.input_digest and row.code == fault.code:
            continue
        if row is not None:
            _close(work, quarantine.c.quarantine_id == row.quarantine_id, "superseded")
        quarantine_id = work.new_id()
        blob = None
        if fault.payload is not None:
            blob = ring.seal_record("quarantine", quarantine_id, fault.subject_id, 0, fault.payload)
        work.conn.execute(
            quarantine.insert().values(
                quarantine_id=quarantine_id,
                entity=entity,
                system=fault.system,
                object=fault.object,
                native_id=fault.native_id,
                hub_id=fault.hub_id,
                direction=fault.direction,
                field=fault.field,
                code=fault.code,
                en=fault.en,
                zh=fault.zh,
                input_digest=fault.input_digest,
                subject_id=fault.subject_id,
                blob=blob,
                state="open",
                run_id=run_id,
                opened_at=work.now,
            )
        )
        opened += 1
    return opened


def _place(fault: Fault) -> sa.ColumnElement[bool]:
    table = quarantine.c
    return sa.and_(
        table.system == fault.system,
        table.object == fault.object,
        table.native_id == fault.native_id,
        table.field == fault.field,
        table.state == "open",
    )


def _close(work: UnitOfWork, which: sa.ColumnElement[bool], state: str) -> int:
    return work.conn.execute(quarantine.update().where(which).values(state=state, closed_at=work.now)).rowcount


def clear(work: UnitOfWork, system: str, object_: str, native_ids: Sequence[str], direction: str) -> int:
    """Closes the rows of records that went through after all."""
    if not native_ids:
        return 0
    table = quarantine.c
    here = sa.and_(table.system == system, table.object == object_, table.native_id.in_(native_ids))
    return _close(work, sa.and_(here, table.direction == direction, table.state == "open"), "done")


def clear_fields(
    work: UnitOfWork,
    system: str,
    accepted: Mapping[str, Sequence[str]],
    concerns: Callable[[str], bool] = lambda object_: True,
) -> int:
    """Closes the outbound rows of what a system accepted after all: hub id -> fields ('' for the whole record).

    `concerns` tells by its object whether a row is about what was written: the parts of a record are held out apart.
    """
    if not accepted:
        return 0
    table = quarantine.c
    rows = _REFUSED.run(work.conn, {"at": system, "ids": list(accepted)})
    done = [row.quarantine_id for row in rows if row.field in accepted[row.hub_id] and concerns(row.object)]
    return _close(work, table.quarantine_id.in_(done), "done") if done else 0


def clear_record(work: UnitOfWork, hub_id: str) -> int:
    """Closes whatever is held out of a golden record; returns how much."""
    return _close(work, sa.and_(quarantine.c.hub_id == hub_id, quarantine.c.state == "open"), "done")


def retry(work: UnitOfWork, quarantine_id: str) -> int:
    """Lets one row be tried again in the next cycle; a record still at fault comes back."""
    which = sa.and_(quarantine.c.quarantine_id == quarantine_id, quarantine.c.state == "open")
    return _close(work, which, "released")


_REFUSED = Prepared(
    sa.select(
        quarantine.c.hub_id,
        quarantine.c.field,
        quarantine.c.input_digest,
        quarantine.c.quarantine_id,
        quarantine.c.object,
    ).where(
        quarantine.c.system == sa.bindparam("at"),
        quarantine.c.hub_id.in_(sa.bindparam("ids", expanding=True)),
        quarantine.c.direction == OUTBOUND,
        quarantine.c.state == "open",
    )
)


def of_records(
    conn: sa.Connection, system: str, hub_ids: Sequence[str], part_of: Callable[[str], str] = lambda object_: ""
) -> dict[tuple[str, str], dict[str, bytes]]:
    """Returns what the system refused: (hub id, part) -> field ('' for all of it) -> digest of the refused input.

    `part_of` names the part that an object is.
    """
    rows = _REFUSED.run(conn, {"at": system, "ids": list(hub_ids)})
    found: dict[tuple[str, str], dict[str, bytes]] = {}
    for hub_id, name, digest, _, object_ in rows:
        found.setdefault((hub_id, part_of(object_)), {})[name] = bytes(digest)
    return found


_HOLDS_ANY = Prepared(
    sa.select(
        sa.exists().where(
            quarantine.c.system == sa.bindparam("at"),
            quarantine.c.object == sa.bindparam("of"),
            quarantine.c.state == "open",
        )
    )
)


def holds_any(conn: sa.Connection, system: str, object_: str) -> bool:
    """Tells whether any record of an object is held out."""
    return bool(_HOLDS_ANY.run(conn, {"at": system, "of": object_}).one()[0])


def inbound_digests(conn: sa.Connection, system: str, object_: str, native_ids: Sequence[str]) -> dict[str, bytes]:
    """Returns the input digest of records held out on arrival, so that the same input is not judged again."""
    table = quarantine.c
    rows = conn.execute(
        sa.select(table.native_id, table.input_digest).where(
            table.system == system,
            table.object == object_,
            table.native_id.in_(native_ids),
            table.direction == INBOUND,
            table.state == "open",
        )
    )
    return {native_id: bytes(digest) for native_id, digest in rows}


OUTSIDE = "HUB-FILTER-001"
"""The code of bound records that left the filter of their mapping."""


_OUTSIDE = Prepared(
    sa.select(quarantine.c.object, quarantine.c.native_id).where(
        quarantine.c.system == sa.bindparam("at"),
        quarantine.c.object == sa.bindparam("of"),
        quarantine.c.native_id.in_(sa.bindparam("ids", expanding=True)),
        quarantine.c.state == "open",
        quarantine.c.code == OUTSIDE,
    )
)


def outside(
    conn: sa.Connection, system: str, places: Sequence[tuple[str | None, str | None]]
) -> set[tuple[str | None, str | None]]:
    """Returns those places (object, native id) whose bound record left the filter: nothing is written to it."""
    found: set[tuple[str | None, str | None]] = set()
    for object_ in {object_ for object_, native_id in places if object_ is not None and native_id is not None}:
        ids = [native_id for name, native_id in places if name == object_ and native_id is not None]
        rows = _OUTSIDE.run(conn, {"at": system, "of": object_, "ids": ids})
        found.update((row[0], row[1]) for row in rows)
    return found


def listing(
    conn: sa.Connection,
    entity: str,
    *,
    quarantine_id: str | None = None,
    limit: int = 1000,
    codes: frozenset[str] | None = None,
) -> list[Held]:
    """Returns open rows, oldest first; with `codes` those only whose record is of one of these branches."""
    query = sa.select(quarantine).where(quarantine.c.entity == entity, quarantine.c.state == "open")
    if quarantine_id is not None:
        query = query.where(quarantine.c.quarantine_id == quarantine_id)
    if codes is not None:
        near = reached(conn.dialect.name, quarantine.c.entity, quarantine.c.hub_id, {entity: codes})
        query = query.where(near)
    return [
        Held(
            row.quarantine_id,
            row.entity,
            row.system,
            row.object,
            row.native_id,
            row.hub_id,
            row.direction,
            row.field,
            row.code,
            row.en,
            row.zh,
            bytes(row.input_digest),
            row.state,
            row.opened_at,
        )
        for row in conn.execute(query.order_by(quarantine.c.quarantine_id).limit(limit))
    ]


_CAUSES = Prepared(
    sa.select(quarantine.c.system, quarantine.c.code, quarantine.c.field, sa.func.count())
    .where(quarantine.c.entity == sa.bindparam("of"), quarantine.c.state == "open")
    .group_by(quarantine.c.system, quarantine.c.code, quarantine.c.field)
)


def causes(conn: sa.Connection, entity: str) -> list[tuple[str, str, str, int]]:
    """Returns (system, code, field, rows): one cause makes one line, however many records it blocks."""
    rows = _CAUSES.run(conn, {"of": entity})
    return [(row[0], row[1], row[2], row[3]) for row in rows]
