"""Evidence of identity: blind match keys, questions about who is who, and the decisions taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from hub.keys.keyring import Keyed
from hub.store.database import Prepared, bulk_insert
from hub.store.review_tables import match_candidate, match_decision, match_question
from hub.store.tables import binding, blind_index, observation
from hub.store.unit_of_work import UnitOfWork

GOLDEN = ""
"""Stands for the golden records in `blind_index.system`."""
FIND = 2
"""Bytes of an index that only looks people up: of a million records some fifteen share one, and are opened."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Is what is known of one match key: golden records and observations that hold it."""

    golden: tuple[str, ...]
    rivals: Mapping[str, int]
    """system -> unbound records there that hold the key"""


def put_keys(
    work: UnitOfWork, entity: str, system: str, keys: Mapping[str, Mapping[str, bytes]], fresh: bool = False
) -> None:
    """Stores the match keys of golden records or inbox rows: owner -> rule -> digest; replaces what stood."""
    if keys and not fresh:
        drop_keys(work, keys)
    rows = [
        {"owner": owner, "rule": rule, "entity": entity, "system": system, "digest": bytes(digest)}
        for owner, by_rule in keys.items()
        for rule, digest in by_rule.items()
    ]
    bulk_insert(work.conn, blind_index, rows)


_KEYS = Prepared(
    sa.select(blind_index.c.owner, blind_index.c.rule, blind_index.c.digest).where(
        blind_index.c.owner.in_(sa.bindparam("ids", expanding=True))
    )
)


def keys_of(conn: sa.Connection, owners: Sequence[str]) -> dict[str, dict[str, bytes]]:
    """Returns the stored keys of inbox rows: owner -> rule -> digest."""
    found: dict[str, dict[str, bytes]] = {owner: {} for owner in owners}
    for owner, rule, digest in _KEYS.run(conn, {"ids": list(owners)}):
        found[owner][rule] = bytes(digest)
    return found


def take_over(work: UnitOfWork, owners: Sequence[str]) -> None:
    """Makes the keys of inbox rows those of the golden records that were made from them under the same id."""
    if owners:
        work.conn.execute(blind_index.update().where(blind_index.c.owner.in_(owners)).values(system=GOLDEN))


_DROP_KEYS = blind_index.delete().where(blind_index.c.owner.in_(sa.bindparam("ids", expanding=True)))


def drop_keys(work: UnitOfWork, owners: Iterable[str]) -> None:
    ids = list(owners)
    if ids:
        work.conn.execute(_DROP_KEYS, {"ids": ids})


_SHARED = Prepared(
    sa.select(blind_index.c.digest, blind_index.c.system, blind_index.c.owner).where(
        blind_index.c.digest.in_(sa.bindparam("ids", expanding=True)), blind_index.c.entity == sa.bindparam("of")
    )
)


def share(conn: sa.Connection, entity: str, digests: Sequence[bytes]) -> dict[bytes, Shared]:
    """Looks up who else holds each key: one query for the batch."""
    golden: dict[bytes, list[str]] = {}
    rivals: dict[bytes, dict[str, int]] = {}
    if digests:
        asked = as_any(digests)
        rows = _SHARED.run(conn, {"ids": list(asked), "of": entity})
        for raw, system, owner in rows:
            digest = asked[bytes(raw)]
            if system == GOLDEN:
                golden.setdefault(digest, []).append(owner)
            else:
                counts = rivals.setdefault(digest, {})
                counts[system] = counts.get(system, 0) + 1
    return {
        digest: Shared(tuple(golden.get(digest, ())), rivals.get(digest, {}))
        for digest in golden.keys() | rivals.keys()
    }


def as_any(digests: Iterable[bytes]) -> dict[bytes, bytes]:
    """Returns each index as it may be stored, under whichever key -> as it was asked for."""
    asked: dict[bytes, bytes] = {}
    for digest in digests:
        for form in (digest, *(digest.others if isinstance(digest, Keyed) else ())):
            asked.setdefault(bytes(form), bytes(digest))
    return asked


@dataclass(frozen=True, slots=True)
class Holder:
    """Is one native record that holds a match key, bound or still in the inbox."""

    system: str
    object: str
    native_id: str


def holders(conn: sa.Connection, entity: str, digests: Sequence[bytes]) -> dict[bytes, list[Holder]]:
    """Returns the live native records behind match keys: those of golden records and those that wait."""
    if not digests:
        return {}
    asked = as_any(digests)
    key = sa.and_(blind_index.c.digest.in_(asked), blind_index.c.entity == entity)
    bound = (
        sa.select(blind_index.c.digest, binding.c.system, binding.c.object, binding.c.native_id)
        .join(binding, binding.c.hub_id == blind_index.c.owner)
        .where(key, blind_index.c.system == GOLDEN, binding.c.state == "active", binding.c.part == "main")
    )
    queued = (
        sa.select(blind_index.c.digest, observation.c.system, observation.c.object, observation.c.native_id)
        .join(observation, observation.c.obs_id == blind_index.c.owner)
        .where(key, blind_index.c.system != GOLDEN, observation.c.kind == "upsert")
    )
    found: dict[bytes, list[Holder]] = {}
    for statement in (bound, queued):
        for digest, system, object_, native_id in conn.execute(statement):
            found.setdefault(asked[bytes(digest)], []).append(Holder(system, object_, native_id))
    return found


_PLACED = Prepared(
    sa.select(binding.c.hub_id).where(
        binding.c.hub_id.in_(sa.bindparam("ids", expanding=True)),
        binding.c.system == sa.bindparam("at"),
        binding.c.native_id.isnot(None),
        binding.c.part == "main",
    )
)


def placed(conn: sa.Connection, hub_ids: Sequence[str], system: str) -> set[str]:
    """Returns which golden records already have, or are being given, a record in a system."""
    return set(_PLACED.run(conn, {"ids": list(hub_ids), "at": system}).scalars())


@dataclass(frozen=True, slots=True)
class MatchQuestion:
    """Is one open question: whose record is this? `candidates` maps hub id to reasons."""

    question_id: str
    entity: str
    system: str
    object: str
    native_id: str
    state: str
    answer: str | None
    opened_at: float
    candidates: Mapping[str, tuple[str, ...]]


def ask(
    work: UnitOfWork, entity: str, run_id: str, asked: Mapping[tuple[str, str, str], Mapping[str, tuple[str, ...]]]
) -> int:
    """Opens questions for (system, object, native id) with their candidates; one already open is replaced."""
    for (system, object_, native_id), candidates in asked.items():
        _close(work, _live(system, object_, native_id), "superseded")
        question_id = work.new_id()
        work.conn.execute(
            match_question.insert().values(
                question_id=question_id,
                entity=entity,
                system=system,
                object=object_,
                native_id=native_id,
                kind="identity",
                state="open",
                run_id=run_id,
                opened_at=work.now,
            )
        )
        rows = [
            {"question_id": question_id, "hub_id": hub, "system": system, "reasons": orjson.dumps(why).decode()}
            for hub, why in candidates.items()
        ]
        work.conn.execute(match_candidate.insert(), rows)
    return len(asked)


def _live(system: str, object_: str, native_id: str) -> sa.ColumnElement[bool]:
    table = match_question.c
    here = sa.and_(table.system == system, table.object == object_, table.native_id == native_id)
    return sa.and_(here, table.state.in_(("open", "decided")))


def _close(work: UnitOfWork, which: sa.ColumnElement[bool], state: str) -> None:
    work.conn.execute(match_question.update().where(which).values(state=state, closed_at=work.now))


def close(work: UnitOfWork, system: str, object_: str, native_id: str) -> None:
    _close(work, _live(system, object_, native_id), "applied")


def answer(work: UnitOfWork, question_id: str, reply: str, by: str) -> bool:
    """Notes a person's answer: a hub id to link with, or `new`; False where a cycle closed the question meanwhile."""
    here = sa.and_(match_question.c.question_id == question_id, match_question.c.state.in_(("open", "decided")))
    values = {"state": "decided", "answer": reply, "answered_by": by}
    return work.conn.execute(match_question.update().where(here).values(values)).rowcount == 1


_ANSWERS = Prepared(
    sa.select(match_question.c.native_id, match_question.c.answer, match_question.c.answered_by).where(
        match_question.c.system == sa.bindparam("at"),
        match_question.c.object == sa.bindparam("of"),
        match_question.c.native_id.in_(sa.bindparam("ids", expanding=True)),
        match_question.c.state == "decided",
    )
)


def answers(conn: sa.Connection, system: str, object_: str, native_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Returns decided answers by native id: (answer, who decided)."""
    rows = _ANSWERS.run(conn, {"at": system, "of": object_, "ids": list(native_ids)})
    return {native_id: (str(reply), str(by)) for native_id, reply, by in rows}


_OPEN = sa.or_(match_question.c.state == "open", match_question.c.state == "decided")
_QUESTIONS = Prepared(
    sa.select(match_question)
    .where(match_question.c.entity == sa.bindparam("of"), _OPEN)
    .order_by(match_question.c.question_id)
    .limit(sa.bindparam("most"))
)
_CANDIDATES = Prepared(
    sa.select(match_candidate).where(
        match_candidate.c.question_id.in_(sa.select(match_question.c.question_id).where(_OPEN))
    )
)


def questions(
    conn: sa.Connection, entity: str, *, question_id: str | None = None, limit: int = 10_000
) -> list[MatchQuestion]:
    """Returns open and decided questions with their candidates, oldest first."""
    found = _QUESTIONS.run(conn, {"of": entity, "most": limit})
    rows = [row for row in found if question_id in (None, row.question_id)]
    reasons: dict[str, dict[str, tuple[str, ...]]] = {}
    for row in _CANDIDATES.run(conn) if rows else ():
        reasons.setdefault(row.question_id, {})[row.hub_id] = tuple(orjson.loads(row.reasons))
    return [_question_of(row, reasons.get(row.question_id, {})) for row in rows]


def _question_of(row: Any, candidates: Mapping[str, tuple[str, ...]]) -> MatchQuestion:
    return MatchQuestion(
        row.question_id,
        row.entity,
        row.system,
        row.object,
        row.native_id,
        row.state,
        row.answer,
        row.opened_at,
        candidates,
    )


_ASKED_ABOUT = Prepared(
    sa.select(match_candidate.c.hub_id)
    .join(match_question, match_question.c.question_id == match_candidate.c.question_id)
    .where(
        match_candidate.c.hub_id.in_(sa.bindparam("ids", expanding=True)),
        match_candidate.c.system == sa.bindparam("at"),
    )
    .where(_OPEN)
)


def asked_about(conn: sa.Connection, hub_ids: Sequence[str], system: str) -> set[str]:
    """Returns which golden records an open question in this system is about: nothing is created for them there."""
    return set(_ASKED_ABOUT.run(conn, {"ids": list(hub_ids), "at": system}).scalars())


def decide(work: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    """Notes decisions: who is who, by which rule, by whom."""
    if rows:
        stamped = [{"decision_id": work.new_id(), "decided_at": work.now, "state": "applied", **row} for row in rows]
        work.conn.execute(match_decision.insert(), stamped)


_DECIDED = Prepared(
    sa.select(match_decision.c.certainty, sa.func.count())
    .where(match_decision.c.entity == sa.bindparam("of"), match_decision.c.state == "applied")
    .group_by(match_decision.c.certainty)
)
_UNSURE = Prepared(
    sa.select(sa.func.count()).where(match_question.c.entity == sa.bindparam("of"), match_question.c.state == "open")
)


def tally(conn: sa.Connection, entity: str) -> dict[str, int]:
    """Returns how many records were linked as sure, answered by a person, or taken as new, and how many are asked."""
    counts = {row[0]: row[1] for row in _DECIDED.run(conn, {"of": entity})}
    return {**counts, "unsure": _UNSURE.run(conn, {"of": entity}).one()[0]}


def decisions(conn: sa.Connection, entity: str, system: str, native_id: str) -> list[Any]:
    rows = conn.execute(
        sa.select(match_decision)
        .where(
            match_decision.c.entity == entity,
            match_decision.c.system == system,
            match_decision.c.native_id == native_id,
        )
        .order_by(match_decision.c.decision_id)
    )
    return list(rows)
