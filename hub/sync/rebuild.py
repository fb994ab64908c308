"""The safe path of a store that was put back to an earlier state.

What the hub did since then still stands in the systems, and the store knows nothing of it. So nothing is merged before
everything is listed, nothing is written before everything listed is bound again, and a record is first looked for by
the hub id it carries, then by its keys, then by its content: never created a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from connectors.base import Page
from connectors.errors import ConnectorError
from hub.audit.event import Event
from hub.canonical.schema import Kind
from hub.canonical.values import Value
from hub.core.match import Certainty
from hub.core.state import Base, BaseField, Fields, GoldenRecord, Observation
from hub.store import anchor, inbox, records
from hub.store.anchor import LISTING, Rebuild, head_of
from hub.store.database import Connection
from hub.store.inbox import Queued, Wait
from hub.store.unit_of_work import Store, UnitOfWork
from hub.sync.engine import Link, RunContext
from hub.sync.identify import Identity

LONGEST_WAIT = 120.0
"""Seconds that a run waits for an index to catch up; what lags longer is left to the next run."""
MOST_ASKED = 5
ANCHOR_EVERY = 5.0
"""Seconds between two notes of the anchor while a long run writes."""
_OPEN = (Certainty.NEW, Certainty.UNSURE)
_TELLING = frozenset({Kind.STRING, Kind.TEXT, Kind.DATETIME, Kind.DATE, Kind.REF, Kind.DECIMAL})


# Noticing.


def notice(store: Store, file: Path, entities: Iterable[str]) -> bool:
    """Compares the store with its anchor; one that fell behind goes on the safe path, audited. Call before a lease."""
    try:
        found = anchor.read_anchor(file)
    except ValueError:
        known, seq, said = False, -1, "anchor_unreadable"
    else:
        if found is None or found.installation != store.ring.tenant:
            return False
        with store.read() as conn:
            if anchor.holds(conn, found):
                return False
        known, seq, said = True, found.seq, "behind_anchor"
    with store.begin() as work:
        before = anchor.restored_at(work.conn)
        fresh = not (known and found is not None and before is not None and found.kept_at <= before)
        if fresh:
            _mark(store, work, entities, seq, said)
    anchor.keep_anchor(store, file)
    return fresh


def _mark(store: Store, work: UnitOfWork, entities: Iterable[str], seq: int, said: str) -> None:
    epoch, head, chain = head_of(work.conn)
    anchor.mark_restored(work, entities, f"{epoch}:{head}:{chain.hex()}")
    work.audit(Event("restore", "store", store.ring.tenant, reason=said, counts={"head": head, "anchor": seq}))


def anchored(run: RunContext, file: Path) -> RunContext:
    """Returns the run with its anchor noted now and every few seconds as it goes on."""
    tell: Callable[[str, str, int], None] = run.progress
    kept = [run.clock.now()]
    anchor.keep_anchor(run.store, file)

    def progress(phase: str, system: str, done: int) -> None:
        if phase == "push" and abs(run.clock.now() - kept[0]) >= ANCHOR_EVERY:
            kept[0] = run.clock.now()
            anchor.keep_anchor(run.store, file)
        tell(phase, system, done)

    return replace(run, progress=progress)


# The steps of a cycle.


def resume(run: RunContext) -> RunContext:
    """Returns the run with what is left of the safe path; waits until the systems show what was written last."""
    with run.store.read() as conn:
        found = anchor.load_rebuild(conn, run.entity)
    if found is None:
        return run
    wait = found.since + max((_lag(link) for link in run.links.values()), default=0.0) - run.clock.now()
    if 0 < wait <= LONGEST_WAIT:
        run.clock.sleep(wait)
    run.tally.add("rebuilding")
    return replace(run, rebuild=found)


def _lag(link: Link) -> float:
    try:
        return max((link.can(name).visibility_lag for name in link.objects), default=0.0)
    except ConnectorError:
        return 0.0


def note_listed(run: RunContext, link: Link, object_: str, stream: str, page: Page) -> None:
    """Notes that an object was listed to its end; a page read too soon to show our own last writes proves nothing."""
    found = run.rebuild
    if found is None or stream != LISTING or not page.complete or (link.system, object_) in found.listed:
        return
    if run.clock.now() < found.since + link.can(object_).visibility_lag:
        return
    found.listed.add((link.system, object_))
    with run.store.begin(run.held) as work:
        anchor.save_rebuild(work, run.entity, found)


def unlisted(run: RunContext) -> list[tuple[str, str]]:
    """Returns the (system, object) pairs whose complete listing is still missing."""
    if run.rebuild is None:
        return []
    every = [(name, object_) for name, link in run.links.items() for object_ in link.objects]
    return [place for place in every if place not in run.rebuild.listed]


def stamped(row: Queued) -> bool:
    """Tells whether an inbox row is a stranger that carries a hub id: those are bound before all others."""
    return row.hub_id is None and row.stamp is not None


def finish(run: RunContext) -> bool:
    """Ends the safe path once everything listed is bound again; tells whether systems may be written to now."""
    found = run.rebuild
    if found is None or found.done:
        return True
    parents = {name for name in run.rules.references.values() if name != run.entity}
    with run.store.read() as conn:
        unread = inbox.depth(conn, run.entity).get(Wait.NEW.value, 0)
        if unread or unlisted(run) or anchor.rebuilding_any(conn, parents):
            return False
    found.done = True
    with run.store.begin(run.held) as work:
        anchor.save_rebuild(work, run.entity, found)
        counts = {"listed": len(found.listed)}
        work.audit(Event("rebuild.end", run.entity, run.run_id, counts=counts, corr=run.run_id))
    return True


def still_rebuilding(run: RunContext) -> list[str]:
    """Returns the stable word for an entity that is still on the safe path, with the listings it waits for."""
    found = run.rebuild
    return [] if found is None or found.done else [f"rebuild={len(unlisted(run)) or 1}"]


# Who is who.


def recognise(run: RunContext, conn: Connection, system: str, found: Sequence[Identity]) -> list[Identity]:
    """Looks for strangers without a hub id among the records that came back from other systems under theirs.

    The record such a one was made from is often not stamped itself. Equal content in all fields that both show is
    proof where it is unique; equal required fields ask a person.
    """
    new = [item for item in found if item.certainty in _OPEN and item.observation.stamp is None]
    if run.rebuild is None or not new:
        return list(found)
    taken = {item.hub_id for item in found}
    hub_ids = [each for each in anchor.recovered(conn, run.entity, system, run.rebuild.since) if each not in taken]
    likeness = _Likeness(run, records.load_golden(conn, run.ring, hub_ids))
    near = {item.observation.obs_id: likeness.of(item.observation) for item in new}
    claims: dict[str, int] = {}
    for alike in near.values():
        for hub_id, equal in alike.items():
            claims[hub_id] = claims.get(hub_id, 0) + equal
    return [_settled(item, near.get(item.observation.obs_id, {}), claims) for item in found]


def _settled(item: Identity, alike: Mapping[str, bool], claims: Mapping[str, int]) -> Identity:
    equal = [hub_id for hub_id, same in alike.items() if same]
    if len(equal) == 1 and claims[equal[0]] == 1:
        return Identity(item.observation, equal[0], False, Certainty.SURE, "content", "hub", {})
    if not alike or item.certainty != Certainty.NEW:
        return item
    asked = dict.fromkeys((equal or list(alike))[:MOST_ASKED], ("same:content", "restored"))
    return Identity(item.observation, None, False, Certainty.UNSURE, "", "", asked)


class _Likeness:
    """Finds golden records by the required fields that a stranger shows."""

    def __init__(self, run: RunContext, candidates: Mapping[str, GoldenRecord]) -> None:
        fields = run.rules.entity.fields
        self._required = tuple(name for name, item in fields.items() if item.required)
        self._telling = {name for name in self._required if fields[name].kind in _TELLING}
        self._candidates = candidates
        self._shelves: dict[tuple[str, ...], dict[tuple[Value, ...], list[str]]] = {}

    def of(self, seen: Observation) -> dict[str, bool]:
        """Returns the records with the same required fields; True for those equal in every field both show."""
        names = tuple(name for name in self._required if seen.fields.get(name) is not None)
        if not self._telling & set(names) or not self._candidates:
            return {}
        found = self._shelf(names).get(tuple(seen.fields[name] for name in names), [])
        return {hub_id: _equal(seen.fields, self._candidates[hub_id].fields) for hub_id in found}

    def _shelf(self, names: tuple[str, ...]) -> dict[tuple[Value, ...], list[str]]:
        if names not in self._shelves:
            shelf = self._shelves[names] = {}
            for hub_id, record in self._candidates.items():
                shelf.setdefault(tuple(record.fields.get(name) for name in names), []).append(hub_id)
        return self._shelves[names]


def _equal(one: Fields, other: Fields) -> bool:
    return all(other.get(name) in (None, value) for name, value in one.items() if value is not None)


def base_of_stamped(run: RunContext, link: Link, golden: GoldenRecord, seen: Observation) -> Base:
    """Returns what a record that carries our hub id was surely made from, as far as the store still knows.

    Only values it shows count: an empty one may have been refused there. Without a base its later edits would compete
    with the older golden values as at a first sync.
    """
    if run.rebuild is None or seen.stamp != golden.hub_id:
        return {}
    names = link.scope(seen.object).writable & link.scope(seen.object).readable
    values = {name: golden.fields.get(name) for name in names if seen.fields.get(name) is not None}
    kept = {name: value for name, value in values.items() if value is not None}
    shown = link.mapping.round_trip(seen.object, kept)
    return {name: BaseField(value, shown.get(name, value)) for name, value in kept.items()}


__all__ = [
    "Rebuild",
    "anchored",
    "base_of_stamped",
    "finish",
    "note_listed",
    "notice",
    "recognise",
    "resume",
    "stamped",
    "still_rebuilding",
    "unlisted",
]
