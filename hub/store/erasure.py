"""Erasing records: their keys destroyed, their rows emptied or removed, and a list that keeps them from coming back."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import sqlalchemy as sa

from hub.core.state import BindingState, GoldenState
from hub.store.database import Connection, bulk_insert, store_errors
from hub.store.erasure_tables import erasure, legal_hold, stop_list
from hub.store.reference_tables import former_place, golden_merge, golden_ref
from hub.store.review_tables import conflict, hold, match_candidate, match_decision, quarantine
from hub.store.tables import base, binding, blind_index, field_change, golden, intent, observation, subject_key
from hub.store.unit_of_work import UnitOfWork

FILE = "erasures.jsonl"
"""The name of that file in the folder of an installation's own state."""
_LEFT = (BindingState.DETACHED.value, BindingState.SUPERSEDED.value)
_UNDER_WAY = ("sent", "uncertain", "asked")


@dataclass(frozen=True, slots=True)
class Doomed:
    """Is one record that an erasure takes: the one that was named, who was merged into it, or what belongs to it."""

    hub_id: str
    entity: str
    subject_id: str
    state: str
    updated_at: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """Is what stands of an erasure: ids, counts and the digest of the key that was destroyed; no value of anybody."""

    erasure_id: str
    hub_id: str
    entity: str
    records: Mapping[str, int]
    rows: Mapping[str, int]
    destroyed_keys: tuple[str, ...]
    """SHA-256 of each wrapped key as it stood: a backup that still holds one can be told by it."""
    reason: str
    ticket: str | None
    erased_by: str
    erased_at: float
    admitted_by: str | None = None
    admitted_at: float | None = None


def family(conn: Connection, hub_id: str, owned: Mapping[str, str]) -> list[Doomed]:
    """Returns all that is erased with a record: who was merged into it, and what belongs to any of them.

    `owned` says what belongs to another record and has no life beyond it: entity -> the field that points at the owner.
    """
    found: set[str] = set()
    fresh = {hub_id}
    while fresh:
        found |= fresh
        losers = sa.select(golden_merge.c.loser_id).where(golden_merge.c.heir_id.in_(fresh))
        children = (
            sa.select(golden_ref.c.hub_id)
            .join(golden, golden.c.hub_id == golden_ref.c.hub_id)
            .where(
                golden_ref.c.parent_id.in_(fresh),
                sa.or_(*[(golden.c.entity == name) & (golden_ref.c.field == field) for name, field in owned.items()]),
            )
        )
        fresh = {row[0] for statement in (losers, children) for row in conn.execute(statement)} - found
    columns = (golden.c.hub_id, golden.c.entity, golden.c.subject_id, golden.c.state, golden.c.updated_at)
    rows = conn.execute(sa.select(*columns).where(golden.c.hub_id.in_(found)).order_by(golden.c.hub_id))
    return [Doomed(*row) for row in rows]


def places(conn: Connection, hub_ids: Sequence[str]) -> list[tuple[str, str, str]]:
    """Returns where records still stand: hub id, system, native id."""
    rows = conn.execute(
        sa.select(binding.c.hub_id, binding.c.system, binding.c.native_id)
        .where(binding.c.hub_id.in_(hub_ids), binding.c.state.not_in(_LEFT), binding.c.native_id.is_not(None))
        .order_by(binding.c.binding_id)
    )
    return [(row.hub_id, row.system, row.native_id) for row in rows]


def under_way(conn: Connection, hub_ids: Sequence[str]) -> int:
    """Returns how many writes of records have no known end yet."""
    open_ = (intent.c.hub_id.in_(hub_ids), intent.c.state.in_(_UNDER_WAY))
    return int(conn.execute(sa.select(sa.func.count()).select_from(intent).where(*open_)).scalar_one())


def begin(work: UnitOfWork, hub_id: str, entity: str, by: str) -> str:
    """Opens an erasure and returns its id."""
    erasure_id = work.new_id()
    row = {"erasure_id": erasure_id, "hub_id": hub_id, "entity": entity, "erased_by": by, "erased_at": work.now}
    work.conn.execute(erasure.insert().values(certificate="", **row))
    return erasure_id


def erase(work: UnitOfWork, erasure_id: str, doomed: Sequence[Doomed]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Destroys the keys of records and empties their rows; returns the rows by table, and the digests of the keys.

    What is left of a record is its id, its entity and that it was erased, sealed empty under a new key.
    """
    ids = [item.hub_id for item in doomed]
    subjects = sorted({item.subject_id for item in doomed})
    _stop(work, erasure_id, doomed)
    keys = _rekey(work, subjects)
    counts = _remove(work, ids, subjects)
    for item in doomed:
        _empty(work, item)
    work.conn.execute(
        binding.update()
        .where(binding.c.hub_id.in_(ids))
        .values(
            state=BindingState.DETACHED.value,
            native_id=None,
            obs_digest=None,
            version=None,
            dirty=False,
            updated_at=work.now,
        )
    )
    return {**counts, "golden": len(ids)}, keys


def _empty(work: UnitOfWork, item: Doomed) -> None:
    mine = golden.c.hub_id == item.hub_id
    revision = 1 + work.conn.execute(sa.select(golden.c.revision).where(mine)).scalar_one()
    blob = work.ring.seal_record("golden", item.hub_id, item.subject_id, revision, {"fields": {}, "origins": {}})
    state = GoldenState.ERASED.value
    values = {"state": state, "revision": revision, "blob": blob, "unplaced": False, "updated_at": work.now}
    work.conn.execute(golden.update().where(mine).values(facets={}, **values))


def _stop(work: UnitOfWork, erasure_id: str, doomed: Sequence[Doomed]) -> None:
    """Notes the places and the match keys of records before they are gone."""
    entities = {item.hub_id: item.entity for item in doomed}
    ids = list(entities)
    here = binding.c.hub_id.in_(ids) & binding.c.native_id.is_not(None)
    found: list[dict[str, object]] = [
        {"entity": row.entity, "system": row.system, "object": row.object, "native_id": row.native_id}
        for row in work.conn.execute(
            sa.select(binding.c.entity, binding.c.system, binding.c.object, binding.c.native_id).where(here)
        )
    ]
    found += [
        {"entity": entities[row.hub_id], "system": row.system, "object": row.object, "native_id": row.native_id}
        for row in work.conn.execute(sa.select(former_place).where(former_place.c.hub_id.in_(ids)))
    ]
    found += [
        {"entity": row.entity, "rule": row.rule, "digest": bytes(row.digest)}
        for row in work.conn.execute(sa.select(blind_index).where(blind_index.c.owner.in_(ids)))
    ]
    # The hub id itself may stand in a record of a system.
    found += [{"entity": item.entity, "system": "", "object": "", "native_id": item.hub_id} for item in doomed]
    empty: dict[str, object] = dict.fromkeys(("system", "object", "native_id", "rule", "digest"))
    bulk_insert(
        work.conn, stop_list, [{**empty, **row, "stop_id": work.new_id(), "erasure_id": erasure_id} for row in found]
    )


def _rekey(work: UnitOfWork, subjects: Sequence[str]) -> tuple[str, ...]:
    """Overwrites the keys of subjects by new ones that have sealed nothing; returns the digests of the old rows."""
    digests = []
    for subject_id in subjects:
        (wrapped,) = work.conn.execute(
            sa.select(subject_key.c.wrapped).where(subject_key.c.subject_id == subject_id)
        ).one()
        digests.append(hashlib.sha256(bytes(wrapped)).hexdigest())
        fresh = work.ring.create_subject(subject_id)
        work.created.append(subject_id)
        values = {"key_id": fresh.key_id, "wrapped": fresh.wrapped}
        work.conn.execute(subject_key.update().where(subject_key.c.subject_id == subject_id).values(values))
    return tuple(digests)


def _remove(work: UnitOfWork, ids: Sequence[str], subjects: Sequence[str]) -> dict[str, int]:
    """Removes every row about records but their own and their bindings; returns how many by table."""
    bound = sa.select(binding.c.binding_id).where(binding.c.hub_id.in_(ids))
    which: list[tuple[sa.Table, sa.ColumnElement[bool]]] = [
        (base, base.c.binding_id.in_(bound)),
        (observation, sa.or_(observation.c.hub_id.in_(ids), observation.c.subject_id.in_(subjects))),
        (intent, intent.c.hub_id.in_(ids)),
        (field_change, field_change.c.hub_id.in_(ids)),
        (conflict, conflict.c.hub_id.in_(ids)),
        (hold, hold.c.hub_id.in_(ids)),
        (quarantine, sa.or_(quarantine.c.hub_id.in_(ids), quarantine.c.subject_id.in_(subjects))),
        (blind_index, blind_index.c.owner.in_(ids)),
        (match_candidate, match_candidate.c.hub_id.in_(ids)),
        (match_decision, match_decision.c.hub_id.in_(ids)),
        (former_place, former_place.c.hub_id.in_(ids)),
        (golden_ref, golden_ref.c.hub_id.in_(ids)),
    ]
    return {str(table.name): work.conn.execute(table.delete().where(rows)).rowcount for table, rows in which}


def note(work: UnitOfWork, made: Certificate) -> None:
    """Writes the certificate of an erasure in the commit that carries it out."""
    body = orjson.dumps(
        {
            "records": dict(made.records),
            "rows": dict(made.rows),
            "destroyed_keys": list(made.destroyed_keys),
            "reason": made.reason,
            "ticket": made.ticket,
        }
    ).decode()
    mine = erasure.c.erasure_id == made.erasure_id
    work.conn.execute(erasure.update().where(mine).values(certificate=body))


def note_outside(folder: Path, made: Certificate) -> None:
    """Adds an erasure to a file beside the store, so that a restored backup can be told whom to erase again.

    Raises StoreUnavailable.
    """
    line = {"erasure_id": made.erasure_id, "hub_id": made.hub_id, "entity": made.entity, "erased_at": made.erased_at}
    with store_errors():
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # A line that a crash cut off is ended first, so that it does not swallow this one.
            text = b"\n" + orjson.dumps(line) + b"\n"
            if os.write(descriptor, text) != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def erased_since(folder: Path, at: float) -> list[str]:
    """Returns the hub ids of those erased after an instant, by the file beside the store; a torn line is none."""
    try:
        lines = (folder / FILE).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    found: dict[str, None] = {}
    for line in lines:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if row["erased_at"] > at:
            found[row["hub_id"]] = None
    return list(found)


def certificates(conn: Connection, hub_id: str | None = None, limit: int = 1000) -> list[Certificate]:
    """Returns the certificates of erasures, the newest first: of one record, if named."""
    statement = sa.select(erasure).order_by(erasure.c.erased_at.desc(), erasure.c.erasure_id.desc()).limit(limit)
    if hub_id is not None:
        statement = statement.where(erasure.c.hub_id == hub_id)
    return [_certificate_of(row) for row in conn.execute(statement)]


def _certificate_of(row: sa.Row[tuple[object, ...]]) -> Certificate:
    body = orjson.loads(row.certificate)
    return Certificate(
        row.erasure_id,
        row.hub_id,
        row.entity,
        body["records"],
        body["rows"],
        tuple(body["destroyed_keys"]),
        body["reason"],
        body["ticket"],
        row.erased_by,
        row.erased_at,
        row.admitted_by,
        row.admitted_at,
    )


def admit(work: UnitOfWork, erasure_id: str, by: str) -> bool:
    """Ends the stop list of an erasure; returns False where it had ended."""
    mine = (erasure.c.erasure_id == erasure_id) & erasure.c.admitted_at.is_(None)
    if not work.conn.execute(erasure.update().where(mine).values(admitted_by=by, admitted_at=work.now)).rowcount:
        return False
    work.conn.execute(stop_list.delete().where(stop_list.c.erasure_id == erasure_id))
    return True


def stops_any(conn: Connection, entity: str) -> bool:
    """Tells whether anything of an entity must not come back."""
    found = sa.select(stop_list.c.stop_id).where(stop_list.c.entity == entity).limit(1)
    return conn.execute(found).one_or_none() is not None


def stopped_places(conn: Connection, system: str, object_: str, native_ids: Sequence[str]) -> dict[str, str]:
    """Returns which native records stand on the stop list: native id -> hub id of who was erased."""
    found = (
        sa.select(stop_list.c.native_id, erasure.c.hub_id)
        .join(erasure, erasure.c.erasure_id == stop_list.c.erasure_id)
        .where(stop_list.c.system == system, stop_list.c.object == object_, stop_list.c.native_id.in_(native_ids))
    )
    return {row.native_id: row.hub_id for row in conn.execute(found)}


def stopped_keys(conn: Connection, entity: str, digests: Iterable[bytes]) -> dict[bytes, str]:
    """Returns which match keys stand on the stop list: digest -> hub id of who was erased."""
    keys = list(digests)
    if not keys:
        return {}
    found = (
        sa.select(stop_list.c.digest, erasure.c.hub_id)
        .join(erasure, erasure.c.erasure_id == stop_list.c.erasure_id)
        .where(stop_list.c.entity == entity, stop_list.c.digest.in_(keys))
    )
    return {bytes(row.digest): row.hub_id for row in conn.execute(found)}


@dataclass(frozen=True, slots=True)
class LegalHold:
    """Is a word that a record must be kept, whoever asks for its erasure; `lifted_at` ends it."""

    legal_hold_id: str
    hub_id: str
    reason: str
    ticket: str | None
    placed_by: str
    placed_at: float
    lifted_by: str | None = None
    lifted_at: float | None = None


def keep(work: UnitOfWork, made: LegalHold) -> None:
    """Keeps a legal hold."""
    work.conn.execute(legal_hold.insert().values({name: getattr(made, name) for name in LegalHold.__slots__}))


def release(work: UnitOfWork, legal_hold_id: str, by: str) -> bool:
    """Lifts a legal hold; returns False where there is none that stands."""
    mine = (legal_hold.c.legal_hold_id == legal_hold_id) & legal_hold.c.lifted_at.is_(None)
    done = work.conn.execute(legal_hold.update().where(mine).values(lifted_by=by, lifted_at=work.now))
    return done.rowcount == 1


def legal_holds(conn: Connection, hub_ids: Sequence[str] | None = None, *, standing: bool = True) -> list[LegalHold]:
    """Returns legal holds, the oldest first: of some records, if named, and those that stand alone, unless all."""
    statement = sa.select(legal_hold).order_by(legal_hold.c.placed_at, legal_hold.c.legal_hold_id)
    if hub_ids is not None:
        statement = statement.where(legal_hold.c.hub_id.in_(hub_ids))
    if standing:
        statement = statement.where(legal_hold.c.lifted_at.is_(None))
    return [LegalHold(**{name: row._mapping[name] for name in LegalHold.__slots__}) for row in conn.execute(statement)]
