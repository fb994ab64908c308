"""Conflicts and holds: one open row per record and field, answered by a person, closed by the merge.

When the candidates of an open question move, the row is superseded by a new one with a new id: an answer to the old id
is refused, because it quotes candidates that no longer stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa

from hub.canonical.values import Value
from hub.core.fates import MERGE
from hub.core.state import Conflict, GoldenRecord, Hold, Resolution
from hub.keys.keyring import Keyring
from hub.store.codec import value_in
from hub.store.database import Prepared
from hub.store.review_tables import conflict, hold
from hub.store.row_scope import Reach, reached
from hub.store.unit_of_work import UnitOfWork

_TABLES = {"conflict": (conflict, conflict.c.conflict_id), "hold": (hold, hold.c.hold_id)}
LIVE = ("open", "decided")


def _live(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.or_(*(table.c.state == state for state in LIVE))


@dataclass(frozen=True, slots=True)
class Question:
    """Is one conflict or hold. `rule` is the policy or guard that asks; `system` who changed a held field."""

    kind: str
    id: str
    entity: str
    hub_id: str
    field: str
    rule: str
    system: str
    state: str
    opened_at: float
    digest: bytes
    subject_id: str
    candidates: tuple[tuple[str, Value], ...] = attribute(repr=False)
    answer: bytes | None = attribute(default=None, repr=False)


def load(
    conn: sa.Connection,
    ring: Keyring,
    kind: str,
    *,
    hub_ids: Sequence[str] | None = None,
    question_id: str | None = None,
    states: Sequence[str] = LIVE,
    limit: int = 1000,
) -> list[Question]:
    """Loads questions; the subjects' keys must be in the ring."""
    key = _TABLES[kind][1]
    values: dict[str, object] = {"most": limit}
    if hub_ids is not None:
        values["ids"] = list(hub_ids)
    if question_id is not None:
        values["one"] = question_id
    rows = _chosen(kind, tuple(states), frozenset(values)).run(conn, values)
    return [_question_of(ring, kind, key.name, row) for row in rows]


@lru_cache(maxsize=32)
def _chosen(kind: str, states: tuple[str, ...], by: frozenset[str]) -> Prepared:
    """Returns what finds the questions of one kind in some states, chosen by the values that will be given."""
    table, key = _TABLES[kind]
    query = sa.select(table).order_by(key).limit(sa.bindparam("most"))
    if states:
        query = query.where(table.c.state.in_(states))
    if "ids" in by:
        query = query.where(table.c.hub_id.in_(sa.bindparam("ids", expanding=True)))
    return Prepared(query.where(key == sa.bindparam("one")) if "one" in by else query)


def subjects(
    conn: sa.Connection,
    kind: str,
    states: Sequence[str] = LIVE,
    limit: int = 1000,
    *,
    reach: Reach | None = None,
) -> list[str]:
    """Returns the hub ids of the oldest questions, those about records within reach only."""
    table, key = _TABLES[kind]
    query = sa.select(table.c.hub_id).where(table.c.state.in_(states)).order_by(key).limit(limit)
    if reach is not None:
        query = query.where(reached(conn.dialect.name, table.c.entity, table.c.hub_id, reach))
    return list(dict.fromkeys(conn.execute(query).scalars()))


def record_of(conn: sa.Connection, kind: str, question_id: str) -> str | None:
    """Returns the hub id that a question is about, so that its record's key can be loaded."""
    table, key = _TABLES[kind]
    return conn.execute(sa.select(table.c.hub_id).where(key == question_id)).scalar_one_or_none()


def _question_of(ring: Keyring, kind: str, key: str, row: Any) -> Question:
    question_id = getattr(row, key)
    sealed = ring.open_record(kind, question_id, row.subject_id, 0, bytes(row.blob))
    candidates = tuple((origin, value_in(value)) for origin, value in sealed["candidates"])
    return Question(
        kind,
        question_id,
        row.entity,
        row.hub_id,
        row.field,
        row.rule,
        row.system,
        row.state,
        row.opened_at,
        bytes(row.digest),
        row.subject_id,
        candidates,
        None if row.answer is None else bytes(row.answer),
    )


def resolutions(ring: Keyring, questions: Iterable[Question]) -> dict[str, Resolution]:
    """Returns the answers of decided questions of one record, by field."""
    found = {}
    for item in questions:
        if item.state == "decided" and item.answer is not None:
            sealed = ring.open_record(f"{item.kind}_answer", item.id, item.subject_id, 0, item.answer)
            found[item.field] = Resolution(item.field, value_in(sealed["value"]), item.candidates)
    return found


def answered_by(conn: sa.Connection, question: Question) -> str:
    """Returns who answered a question, empty while nobody did."""
    table, key = _TABLES[question.kind]
    return conn.execute(sa.select(table.c.answered_by).where(key == question.id)).scalar_one() or ""


def answer(work: UnitOfWork, question: Question, value: Value, by: str) -> bool:
    """Notes a person's answer, which the next cycle applies; False where a cycle closed the question meanwhile."""
    table, key = _TABLES[question.kind]
    sealed = work.ring.seal_record(f"{question.kind}_answer", question.id, question.subject_id, 0, {"value": value})
    here = sa.and_(key == question.id, table.c.state.in_(LIVE))
    values = {"state": "decided", "answer": sealed, "answered_by": by}
    return work.conn.execute(table.update().where(here).values(values)).rowcount == 1


def reconcile(
    work: UnitOfWork,
    run_id: str,
    record: GoldenRecord,
    stood: Sequence[Question],
    conflicts: Sequence[Conflict],
    holds: Sequence[Hold],
) -> tuple[int, int]:
    """Makes the open rows of a record equal to what its merge asks now; returns (opened, closed)."""
    asked: dict[tuple[str, str], Conflict | Hold] = {("conflict", item.field): item for item in conflicts}
    asked |= {("hold", item.field): item for item in holds}
    closed: dict[str, dict[str, str]] = {"conflict": {}, "hold": {}}
    for question in stood:
        now = asked.get((question.kind, question.field))
        if now is not None and _digest(work.ring, now) == question.digest and _stands(question):
            del asked[question.kind, question.field]
            continue
        if now is None:
            closed[question.kind][question.id] = "resolved" if question.state == "decided" else "dissolved"
        else:
            closed[question.kind][question.id] = "superseded"
    for kind, states in closed.items():
        table, key = _TABLES[kind]
        for question_id, state in states.items():
            work.conn.execute(table.update().where(key == question_id).values(state=state, closed_at=work.now))
    for (kind, _), item in asked.items():
        table, key = _TABLES[kind]
        work.conn.execute(
            table.insert().values({key.name: (new := work.new_id()), **_row(work, new, run_id, record, item)})
        )
    return len(asked), sum(len(states) for states in closed.values())


def _stands(question: Question) -> bool:
    """Tells whether a question asked again stays as it is; an accepted merge waits until it is carried out."""
    return question.state == "open" or (question.state == "decided" and question.rule == MERGE)


def _digest(ring: Keyring, item: Conflict | Hold) -> bytes:
    rule = item.policy if isinstance(item, Conflict) else item.guard
    return ring.digest(b"candidates", rule.encode(), orjson.dumps(item.candidates))


def _row(
    work: UnitOfWork, question_id: str, run_id: str, record: GoldenRecord, item: Conflict | Hold
) -> Mapping[str, object]:
    kind = "conflict" if isinstance(item, Conflict) else "hold"
    sealed = {"candidates": [[origin, value] for origin, value in item.candidates]}
    return {
        "entity": record.entity,
        "hub_id": record.hub_id,
        "field": item.field,
        "rule": item.policy if isinstance(item, Conflict) else item.guard,
        "system": "" if isinstance(item, Conflict) else item.system,
        "subject_id": record.subject_id,
        "digest": _digest(work.ring, item),
        "blob": work.ring.seal_record(kind, question_id, record.subject_id, 0, sealed),
        "state": "open",
        "run_id": run_id,
        "opened_at": work.now,
    }


_FROZEN = [
    Prepared(
        sa.select(table.c.hub_id, table.c.field).where(
            table.c.hub_id.in_(sa.bindparam("ids", expanding=True)), _live(table)
        )
    )
    for table, _ in _TABLES.values()
]
_COUNTS = {
    kind: Prepared(sa.select(sa.func.count()).where(table.c.entity == sa.bindparam("of"), _live(table)))
    for kind, (table, _) in _TABLES.items()
}


def frozen_fields(conn: sa.Connection, hub_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """Returns the fields that open questions freeze, per record."""
    found: dict[str, set[str]] = {}
    for query in _FROZEN:
        for hub_id, name in query.run(conn, {"ids": list(hub_ids)}):
            found.setdefault(hub_id, set()).add(name)
    return {hub_id: frozenset(names) for hub_id, names in found.items()}


def count(conn: sa.Connection, kind: str, entity: str) -> int:
    return int(_COUNTS[kind].run(conn, {"of": entity}).one()[0])
