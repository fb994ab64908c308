"""Turns native records into inbox rows: unchanged ones stay closed, stale ones are dropped, broken ones quarantined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

import orjson

from connectors.base import Fetched, Gone, NativeRecord
from hub.audit.event import Event
from hub.core.state import Binding, BindingState, Observation
from hub.kernel.failpoints import hit
from hub.keys.keyring import Keyed
from hub.mapping.compiling import Part
from hub.store import erasure, inbox, matches, quarantine, records, references, runs
from hub.store.inbox import Queued, Wait
from hub.store.quarantine import INBOUND, Fault
from hub.store.records import Glimpse
from hub.store.references import Awaited
from hub.store.unit_of_work import UnitOfWork
from hub.sync.adopt import adopt
from hub.sync.backfill import Listing, note_page
from hub.sync.echo import Heard, quiet_echoes
from hub.sync.engine import Link, RunContext
from hub.sync.erased import erased_fault, keep_out
from hub.sync.observe import observe
from hub.sync.parts import awaits_main, find_strayed, pointing
from hub.sync.references import awaits, marks_of, orphan, parks, resolve_seen

_ABSENT = {"absent": True}
_ALIVE = frozenset({BindingState.ACTIVE.value, BindingState.DOOMED.value, BindingState.SUPERSEDED.value})


@dataclass(frozen=True, slots=True)
class Stream:
    """Says where a page came from, so that its cursor commits with what it brought."""

    object: str
    name: str
    cursor: Mapping[str, Any] | None
    listing: Listing | None = None
    """Is the complete listing that the page belongs to."""


@dataclass(slots=True)
class _Known:
    """Is what is known of a page; bindings are loaded for changed records only."""

    glimpses: dict[str, Glimpse]
    queued: dict[str, Queued]
    held: dict[str, bytes]
    bindings: dict[str, Binding]
    stopped: Mapping[str, str]
    """native id -> hub id of an erased record that stood there"""
    stops: bool = False
    """Tells whether anybody of the entity was erased."""


@dataclass(slots=True)
class _Batch:
    rows: list[dict[str, Any]] = attribute(default_factory=list)
    parked: list[Awaited] = attribute(default_factory=list)
    keys: dict[str, dict[str, bytes]] = attribute(default_factory=dict)
    strangers: list[Observation] = attribute(default_factory=list)
    faults: list[Fault] = attribute(default_factory=list)
    forget: list[str] = attribute(default_factory=list)
    cured: list[str] = attribute(default_factory=list)
    vanished: list[str] = attribute(default_factory=list)
    newer: dict[str, str] = attribute(default_factory=dict)
    redigested: dict[str, bytes] = attribute(default_factory=dict)
    unchanged: int = 0
    stale: int = 0
    mains: dict[str, str | None] = attribute(default_factory=dict)
    """native id of a side record -> main record that it points at"""


def stage(run: RunContext, link: Link, stream: Stream, found: Sequence[NativeRecord], *, strong: bool = False) -> int:
    """Stages one page and its cursor in one commit; returns how many observations are new.

    `strong` says that the records come from a strong read and need no second proof.
    """
    newest = {record.native_id: record for record in found}
    known = _look_up(run, link, stream.object, list(newest))
    changed, batch = _sift(run, link, stream.object, newest, known)
    if not strong:
        changed = _confirm(run, link, stream.object, changed, known)
    seen = resolve_seen(run, link.system, _translate(run, link, stream.object, changed, known, batch))
    part = link.mapping.part(stream.object)
    if part is not None:
        seen = _set_aside(run, link, part, known, batch, seen)
    heard = quiet_echoes(
        run, link, [(i, known.bindings.get(i.native_id)) for i in seen if i.native_id not in known.queued]
    )
    _queue(run, known, batch, seen, {str(after.native_id) for _, after in heard})
    new = _lone(run, batch)
    _commit(run, link, stream, batch, new, heard, len(found))
    return len(batch.rows) + len(new)


def _lone(run: RunContext, batch: _Batch) -> list[Observation]:
    """Returns the strangers that share no evidence with anyone: they can be nobody but themselves.

    The others wait in the inbox until everybody is known, because uniqueness is judged over both systems.
    """
    if not batch.strangers:
        return []
    digests = [digest for keys in batch.keys.values() for digest in keys.values()]
    with run.store.read() as conn:
        shared = matches.share(conn, run.entity, digests)
    lone: list[Observation] = []
    for item in batch.strangers:
        if (
            item.stamp is None
            and run.adopts
            and run.rebuild is None
            and not marks_of(run, item.fields)
            and shared.keys().isdisjoint(batch.keys[item.obs_id].values())
        ):
            lone.append(item)
        else:
            batch.rows.append(inbox.seal_row(run.ring, item, None, None, run.run_id, run.clock.now()))
    return lone


def _look_up(run: RunContext, link: Link, object_: str, ids: list[str]) -> _Known:
    if not ids:
        return _Known({}, {}, {}, {}, {})
    system = link.system
    with run.store.read() as conn:
        glimpses = records.glimpse(conn, system, object_, ids)
        queued = inbox.by_native(conn, system, object_, ids) if inbox.holds_any(conn, system, object_) else {}
        held = {}
        if quarantine.holds_any(conn, system, object_):
            held = quarantine.inbound_digests(conn, system, object_, ids)
        stops = erasure.stops_any(conn, run.entity)
        stopped = erasure.stopped_places(conn, system, object_, ids) if stops else {}
    return _Known(glimpses, queued, held, {}, stopped, stops)


def native_digest(run: RunContext, link: Link, record: NativeRecord) -> Keyed:
    """Returns the keyed digest of what a record shows in the mapped fields; nothing is translated for it."""
    names, fields = link.native_fields(record.object), record.fields
    # Connectors return the fields in the order in which they were asked for.
    shown = list(fields.values()) if tuple(fields) == names else [fields.get(name, _ABSENT) for name in names]
    body = orjson.dumps([record.deleted, record.merged_into, shown], option=orjson.OPT_SORT_KEYS)
    return run.ring.recognise(link.version_bytes, record.object.encode(), body)


def _sift(
    run: RunContext, link: Link, object_: str, newest: Mapping[str, NativeRecord], known: _Known
) -> tuple[list[tuple[NativeRecord, bytes]], _Batch]:
    """Splits a page into what is news and what is an echo, a repetition or a stale read."""
    batch, changed = _Batch(), []
    ordered = link.can(object_).ordered_versions
    for native_id, record in newest.items():
        digest = native_digest(run, link, record)
        bound, queued = known.glimpses.get(native_id), known.queued.get(native_id)
        if ordered and _older(record.version, _latest(bound, queued)):
            batch.stale += 1
        elif digest.matches(known.held[native_id]) if native_id in known.held else _said(record, digest, bound, queued):
            batch.unchanged += 1
            if bound is not None and queued is None and digest.matches(bound[3]):
                if record.version not in (None, bound[2]):
                    # Something that is not mapped moved: the next write must not be refused for it.
                    batch.newer[native_id] = str(record.version)
                if bound[3] != digest:
                    batch.redigested[native_id] = bytes(digest)
        else:
            changed.append((record, bytes(digest)))
    if changed:
        with run.store.read() as conn:
            ids = [record.native_id for record, _ in changed]
            known.bindings = records.bindings_by_native(conn, link.system, object_, ids)
    return changed, batch


def _said(record: NativeRecord, digest: Keyed, bound: Glimpse | None, queued: Queued | None) -> bool:
    """Tells whether a record says nothing that is not known or queued already."""
    if queued is not None:
        return digest.matches(queued.digest)
    # A delete of nobody, or of a record already let go, has nothing more to lose.
    alive = bound is not None and bound[1] in _ALIVE
    if record.deleted and not alive:
        return True
    return bound is not None and alive and digest.matches(bound[3])


def _latest(bound: Glimpse | None, queued: Queued | None) -> str | None:
    known = None if bound is None else bound[2]
    if queued is None or not queued.version:
        return known
    return queued.version if known is None else max(known, queued.version, key=_rank)


def _rank(version: str) -> tuple[int, str]:
    return (int(version), "") if version.isdigit() else (0, version)


def _older(version: str | None, known: str | None) -> bool:
    return version is not None and known is not None and version != known and _rank(version) < _rank(known)


def _confirm(
    run: RunContext, link: Link, object_: str, changed: list[tuple[NativeRecord, bytes]], known: _Known
) -> list[tuple[NativeRecord, bytes]]:
    """Reads again, strongly, what a page alone does not prove: deletes, returns from the dead, unordered versions."""
    ordered = link.can(object_).ordered_versions
    doubtful = []
    for record, _ in changed:
        binding = known.bindings.get(record.native_id)
        if binding is None:
            continue
        if record.deleted or binding.state is BindingState.DETACHED or not ordered:
            doubtful.append(record.native_id)
    if not doubtful:
        return changed
    proofs: Mapping[str, Fetched] = link.connector.fetch(object_, doubtful, link.native_fields(object_))
    run.tally.add("confirmed", len(doubtful))
    kept: list[tuple[NativeRecord, bytes]] = []
    for record, digest in changed:
        if record.native_id not in proofs:
            kept.append((record, digest))
            continue
        proof = proofs[record.native_id]
        if isinstance(proof, NativeRecord):
            kept.append((proof, bytes(native_digest(run, link, proof))))
        elif record.deleted:
            survivor = proof.merged_into if isinstance(proof, Gone) else None
            kept.append((_deleted(record, survivor), digest))
        else:
            run.tally.add("unproven")
    return kept


def proven(object_: str, answer: Fetched | None) -> NativeRecord | None:
    """Returns what a strong read proves, the record or its delete; None where the record is only out of sight."""
    if isinstance(answer, Gone):
        return NativeRecord(object_, answer.native_id, {}, deleted=True, merged_into=answer.merged_into)
    return answer if isinstance(answer, NativeRecord) else None


def _deleted(record: NativeRecord, survivor: str | None) -> NativeRecord:
    survivor = record.merged_into or survivor
    return NativeRecord(record.object, record.native_id, {}, record.version, deleted=True, merged_into=survivor)


def _translate(
    run: RunContext,
    link: Link,
    object_: str,
    changed: list[tuple[NativeRecord, bytes]],
    known: _Known,
    batch: _Batch,
) -> list[Observation]:
    """Returns what can be read of the changed records; notes in the batch what cannot, and what vanished."""
    seen: list[Observation] = []
    part = link.mapping.part(object_)
    for record, digest in changed:
        binding = known.bindings.get(record.native_id)
        queued = known.queued.get(record.native_id)
        if queued is not None:
            batch.forget.append(queued.obs_id)
        if record.native_id in known.held:
            batch.cured.append(record.native_id)
        if record.native_id in known.stopped and not record.deleted:
            erased = known.stopped[record.native_id]
            batch.faults.append(erased_fault(link.system, object_, record.native_id, erased, digest))
            continue
        if record.deleted and binding is None:
            batch.vanished.append(record.native_id)
            continue
        if part is not None:
            batch.mains[record.native_id] = pointing(part, record)
        made = observe(run, link, record, digest, bound=binding is not None)
        if isinstance(made, Fault):
            batch.faults.append(made)
        elif made is not None:
            seen.append(made)
    return seen


def _queue(run: RunContext, known: _Known, batch: _Batch, seen: Sequence[Observation], heard: set[str]) -> None:
    """Seals what must wait for the merge under its subject's key; strangers are looked at first."""
    subjects = _subjects(run, known, [item.native_id for item in seen if item.native_id not in heard])
    if known.stops:
        seen = keep_out(run, batch.faults, [i for i in seen if i.native_id not in known.bindings], seen)
    for item in seen:
        binding = known.bindings.get(item.native_id)
        if binding is None:
            _queue_stranger(run, batch, item)
        elif item.native_id not in heard:
            subject = subjects.get(binding.hub_id)
            batch.rows.append(inbox.seal_row(run.ring, item, binding.hub_id, subject, run.run_id, run.clock.now()))


def _queue_stranger(run: RunContext, batch: _Batch, item: Observation) -> None:
    if orphan(run, item):
        run.tally.add("unlinked")
    elif parks(run, item):
        row = inbox.seal_row(run.ring, item, None, None, run.run_id, run.clock.now())
        batch.rows.append({**row, "state": Wait.PARKED.value})
        batch.parked += awaits(run, item, marks_of(run, item.fields), known=False)
    else:
        batch.keys[item.obs_id] = run.rules.keys(run.ring, item.fields)
        batch.strangers.append(item)


def _set_aside(
    run: RunContext, link: Link, part: Part, known: _Known, batch: _Batch, seen: Sequence[Observation]
) -> list[Observation]:
    """Returns what may be merged of side records: unknown ones wait for their main record, strayed ones are kept out.

    They carry no evidence of identity and are never adopted.
    """
    strayed = find_strayed(run, link, part, seen, known.bindings, batch.mains)
    batch.faults += strayed.faults
    out = {fault.native_id for fault in strayed.faults}
    subjects = _subjects(run, known, list(strayed.waiting))
    kept: list[Observation] = []
    for item in seen:
        binding, main = known.bindings.get(item.native_id), batch.mains.get(item.native_id)
        if binding is not None and item.native_id not in out and item.native_id not in strayed.waiting:
            kept.append(item)
        elif item.native_id not in out and main is not None:
            hub_id = None if binding is None else binding.hub_id
            row = inbox.seal_row(run.ring, item, hub_id, subjects.get(hub_id or ""), run.run_id, run.clock.now())
            batch.rows.append({**row, "state": Wait.PARKED.value})
            batch.parked.append(awaits_main(run, part, item, main))
        elif binding is None:
            run.tally.add("unlinked")
    return kept


def _subjects(run: RunContext, known: _Known, ids: list[str]) -> dict[str, str]:
    hub_ids = [known.bindings[native_id].hub_id for native_id in ids if native_id in known.bindings]
    if not hub_ids:
        return {}
    with run.store.read() as conn:
        return records.load_subjects(conn, run.ring, hub_ids)


def _commit(
    run: RunContext,
    link: Link,
    stream: Stream,
    batch: _Batch,
    new: Sequence[Observation],
    heard: Sequence[Heard],
    read: int,
) -> None:
    tally = run.tally
    tally.add("read", read)
    tally.add("unchanged", batch.unchanged)
    tally.add("stale", batch.stale)
    tally.add("echoed", len(heard))
    news = bool(batch.rows or new or heard or batch.faults or batch.forget or batch.cured)
    if not news and not batch.newer and not batch.redigested and stream.cursor is None and stream.listing is None:
        return
    with run.store.begin(run.held) as work:
        matches.drop_keys(work, batch.forget)
        inbox.consume(work, batch.forget)
        inbox.stage(work, batch.rows)
        references.park(work, batch.parked)
        _put_keys(run, work, link, batch, new)
        adopt(run, work, link, new)
        records.change_bindings(work, heard)
        records.move_versions(work, link.system, stream.object, batch.newer)
        records.move_digests(work, link.system, stream.object, batch.redigested)
        quarantine.clear(work, link.system, stream.object, batch.cured, INBOUND)
        for native_id in batch.vanished:
            matches.close(work, link.system, stream.object, native_id)
        tally.add("quarantined", quarantine.put(work, run.ring, run.entity, run.run_id, batch.faults))
        if stream.cursor is not None:
            scope = link.stream_scope(stream.object)
            runs.save_cursor(
                work, run.entity, link.system, stream.object, stream.name, scope, stream.cursor, run.run_id
            )
        if stream.listing is not None:
            note_page(run, work, link, stream.object, stream.listing, read)
        if news:
            counts = {"read": read, "changed": len(batch.rows) + len(new), "echoed": len(heard)}
            counts["quarantined"] = len(batch.faults)
            work.audit(Event("record.read", stream.object, connection=link.system, counts=counts, corr=run.run_id))
    hit("page_staged")
    tally.add("changed", len(batch.rows) + len(new))


def _put_keys(run: RunContext, work: UnitOfWork, link: Link, batch: _Batch, new: Sequence[Observation]) -> None:
    lone = {item.obs_id: item for item in new}
    waiting = {owner: keys for owner, keys in batch.keys.items() if owner not in lone}
    known = {
        owner: {**keys, **run.rules.find_keys(run.ring, lone[owner].fields)}
        for owner, keys in batch.keys.items()
        if owner in lone
    }
    matches.put_keys(work, run.entity, link.system, waiting, fresh=True)
    matches.put_keys(work, run.entity, matches.GOLDEN, known, fresh=True)
