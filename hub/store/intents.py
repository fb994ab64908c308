"""Intents: the notes committed before a remote write, so that nobody who dies ever makes a twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from hub.canonical.values import Value
from hub.keys.keyring import Keyring
from hub.store.codec import value_in
from hub.store.database import Prepared, bulk_insert
from hub.store.tables import intent
from hub.store.unit_of_work import Lease, UnitOfWork


class IntentState(StrEnum):
    """Says where a write stands; ASKED waits for a person, because nobody can prove that it did not happen."""

    SENT = "sent"
    UNCERTAIN = "uncertain"
    ASKED = "asked"
    SETTLED = "settled"


KEY_TAKEN = "key_taken"
"""Is what is said of a create that the system refused because another record holds our hub id."""
TWINS = "twins"
"""Is what is said of a create of which the system holds several records."""
ABSENT = "absent"
"""Is what is said of a create that somebody looked for in vain, so that it may be sent once more."""
CHUNK = 500
OPEN = (IntentState.SENT, IntentState.UNCERTAIN, IntentState.ASKED)


@dataclass(frozen=True, slots=True)
class Intent:
    """Is one remote write that was about to happen.

    `sent` maps canonical fields to (golden value it was made from, value as the system will show it).
    """

    intent_id: str
    entity: str
    hub_id: str
    binding_id: str
    subject_id: str
    system: str
    object: str
    native_id: str | None
    op: str
    payload_digest: bytes
    sent: Mapping[str, tuple[Value, Value]] = attribute(repr=False)
    state: IntentState = IntentState.SENT
    sent_at: float = 0.0
    epoch: int = 0
    said: str = ""


def commit(work: UnitOfWork, held: Lease, run_id: str, intents: Sequence[Intent]) -> None:
    """Notes a whole batch as sent, in the one commit that precedes the call."""
    rows = [
        {
            "intent_id": item.intent_id,
            "idempotency_key": item.intent_id,
            "entity": item.entity,
            "hub_id": item.hub_id,
            "binding_id": item.binding_id,
            "subject_id": item.subject_id,
            "system": item.system,
            "object": item.object,
            "native_id": item.native_id,
            "op": item.op,
            "payload_digest": item.payload_digest,
            "state": IntentState.SENT.value,
            "epoch": held.epoch,
            "run_id": run_id,
            "blob": work.ring.seal_record(
                "intent", item.intent_id, item.subject_id, 0, {name: list(pair) for name, pair in item.sent.items()}
            ),
            "sent_at": work.now,
        }
        for item in intents
    ]
    bulk_insert(work.conn, intent, rows)


_SAID = intent.update().where(intent.c.intent_id == sa.bindparam("key"))
_KEPT = _SAID.values(state=sa.bindparam("to"), outcome=sa.bindparam("said"))
_CLOSE, _KEEP_OPEN = Prepared(_KEPT.values(settled_at=sa.bindparam("at"), blob=sa.null())), Prepared(_KEPT)


def settle(work: UnitOfWork, outcomes: Mapping[str, tuple[IntentState, str]]) -> None:
    """Notes what became of intents; a settled one drops its sealed payload."""
    closed = [
        {"key": key, "to": state.value, "said": said} for key, (state, said) in outcomes.items() if state not in OPEN
    ]
    _CLOSE.run_each(work.conn, [{**row, "at": work.now} for row in closed])
    still = [{"key": key, "to": state.value, "said": said} for key, (state, said) in outcomes.items() if state in OPEN]
    _KEEP_OPEN.run_each(work.conn, still)


def prove_created(work: UnitOfWork, found: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Settles the creates of records seen under their hub id; returns (hub id, system, what was said of it).

    Beside those that are open it is the newest one that somebody looked for in vain: it was carried out afterwards.
    """
    newest = _creates(work, found)
    proven = [row for row in newest.values() if row.state in OPEN or row.outcome == ABSENT]
    _note_found(work, proven)
    return [(row.hub_id, row.system, row.outcome or "") for row in proven]


def came_late(work: UnitOfWork, found: Sequence[tuple[str, str]], part: str = "main") -> set[str]:
    """Settles anew the creates that were looked for in vain and whose record is there now; returns their hub ids."""
    late = [row for row in _creates(work, found, settled=True, part=part).values() if row.outcome == ABSENT]
    _note_found(work, late)
    return {row.hub_id for row in late}


def _creates(
    work: UnitOfWork, found: Sequence[tuple[str, str]], *, settled: bool = False, part: str = "main"
) -> dict[tuple[str, str], Any]:
    """Returns the newest create of a part of each (hub id, system)."""
    wanted, names = set(found), sorted({hub_id for hub_id, _ in found})
    columns = (
        intent.c.intent_id,
        intent.c.hub_id,
        intent.c.system,
        intent.c.state,
        intent.c.outcome,
        intent.c.binding_id,
    )
    newest = {}
    for start in range(0, len(names), CHUNK):
        here = sa.and_(intent.c.hub_id.in_(names[start : start + CHUNK]), intent.c.op == "create")
        for row in work.conn.execute(sa.select(*columns).where(here).order_by(intent.c.intent_id)):
            meant = row.binding_id.endswith(f"/{part}") and (row.hub_id, row.system) in wanted
            if meant and not (settled and row.state in OPEN):
                newest[row.hub_id, row.system] = row
    return newest


def _note_found(work: UnitOfWork, rows: Sequence[Any]) -> None:
    values = {"state": IntentState.SETTLED.value, "outcome": "found", "settled_at": work.now, "blob": None}
    for row in rows:
        work.conn.execute(intent.update().where(intent.c.intent_id == row.intent_id).values(values))


_UNSETTLED = Prepared(
    sa.select(intent)
    .where(intent.c.entity == sa.bindparam("of"), intent.c.epoch < sa.bindparam("before"))
    .where(intent.c.state.in_(sa.bindparam("ids", expanding=True)))
    .order_by(intent.c.intent_id)
)


def unsettled(
    conn: sa.Connection, ring: Keyring, entity: str, before_epoch: int, states: Sequence[IntentState] = OPEN[:2]
) -> list[Intent]:
    """Returns the intents left open by older epochs of the entity's lease; their subjects' keys must be in the ring."""
    rows = _UNSETTLED.run(conn, {"of": entity, "ids": [state.value for state in states], "before": before_epoch})
    return [_intent_of(ring, row) for row in rows]


_UNSETTLED_OWNERS = Prepared(
    sa.select(intent.c.hub_id)
    .where(intent.c.entity == sa.bindparam("of"), intent.c.epoch < sa.bindparam("before"))
    .where(sa.or_(*(intent.c.state == state.value for state in OPEN[:2])))
    .distinct()
)


def unsettled_records(conn: sa.Connection, entity: str, before_epoch: int) -> list[str]:
    """Returns the hub ids of the intents that `unsettled` would return."""
    return _UNSETTLED_OWNERS.run(conn, {"of": entity, "before": before_epoch}).scalars()


def _intent_of(ring: Keyring, row: Any) -> Intent:
    sealed = ring.open_record("intent", row.intent_id, row.subject_id, 0, bytes(row.blob))
    return Intent(
        row.intent_id,
        row.entity,
        row.hub_id,
        row.binding_id,
        row.subject_id,
        row.system,
        row.object,
        row.native_id,
        row.op,
        bytes(row.payload_digest),
        {name: (value_in(pair[0]), value_in(pair[1])) for name, pair in sealed.items()},
        IntentState(row.state),
        row.sent_at,
        row.epoch,
        row.outcome or "",
    )


_OPEN_AT = Prepared(
    sa.select(intent.c.binding_id).where(
        intent.c.binding_id.in_(sa.bindparam("ids", expanding=True)),
        intent.c.state.in_([state.value for state in OPEN]),
    )
)


def open_bindings(conn: sa.Connection, binding_ids: Sequence[str]) -> set[str]:
    """Returns which bindings have an open intent: nothing more is sent for them until it is settled."""
    return set(_OPEN_AT.run(conn, {"ids": list(binding_ids)}).scalars())


_LOOKED_FOR = Prepared(
    sa.select(intent.c.binding_id)
    .where(intent.c.binding_id.in_(sa.bindparam("ids", expanding=True)))
    .where(intent.c.op == "create", intent.c.outcome == ABSENT)
)


def looked_for(conn: sa.Connection, binding_ids: Sequence[str]) -> set[str]:
    """Returns the bindings of which a create was looked for in vain: it may still take effect late."""
    return set(_LOOKED_FOR.run(conn, {"ids": list(binding_ids)}).scalars()) if binding_ids else set()


def written(conn: sa.Connection, intent_ids: Sequence[str]) -> set[str]:
    """Returns which of some writes the system accepted."""
    here = sa.and_(intent.c.intent_id.in_(list(intent_ids)), intent.c.outcome == "written")
    return set(conn.execute(sa.select(intent.c.intent_id).where(here)).scalars())


DEFERRED = "deferred"
"""Is what is said of a write that the system put off, because the record is locked or busy there."""


def deferred_since(conn: sa.Connection, binding_ids: Sequence[str]) -> dict[str, float]:
    """Returns since when every write of a binding was put off, in epoch seconds; by binding, those that were."""
    since: dict[str, float] = {}
    columns = (intent.c.binding_id, intent.c.outcome, intent.c.sent_at)
    here = sa.and_(intent.c.binding_id.in_(list(binding_ids)), intent.c.settled_at.is_not(None))
    for row in conn.execute(sa.select(*columns).where(here).order_by(intent.c.intent_id)):
        if row.outcome == DEFERRED:
            since.setdefault(row.binding_id, row.sent_at)
        else:
            since.pop(row.binding_id, None)
    return since


_ASKED = Prepared(
    sa.select(intent.c.intent_id, intent.c.hub_id, intent.c.binding_id, intent.c.system, intent.c.op, intent.c.sent_at)
    .where(intent.c.entity == sa.bindparam("of"), intent.c.state == IntentState.ASKED.value)
    .order_by(intent.c.intent_id)
)


def asked(conn: sa.Connection, entity: str) -> list[Any]:
    """Returns the writes that wait for a person, without their payload."""
    return _ASKED.run(conn, {"of": entity})


_COUNT = Prepared(
    sa.select(intent.c.state, sa.func.count())
    .where(intent.c.entity == sa.bindparam("of"), sa.or_(*(intent.c.state == state.value for state in OPEN)))
    .group_by(intent.c.state)
)


def count(conn: sa.Connection, entity: str) -> dict[str, int]:
    return {row[0]: row[1] for row in _COUNT.run(conn, {"of": entity})}
