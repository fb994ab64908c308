"""The parts of records in the systems: which side record is whose, which are still to be made, and which must wait.

A side record belongs to the record at whose main it points. Until that one is bound it waits in the inbox, and it never
becomes a record of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from connectors.base import NativeRecord
from hub.audit.event import Event
from hub.core.parts import MAIN, judge_claims
from hub.core.state import Binding, BindingState, GoldenRecord, GoldenState, Kind, Observation
from hub.mapping.compiling import Part
from hub.store import claims, inbox, matches, quarantine, records
from hub.store.claims import MAIN_RECORD, ONE_OF_SEVERAL, Claimant
from hub.store.database import Connection
from hub.store.inbox import Wait
from hub.store.quarantine import INBOUND, Fault
from hub.store.records import Stored, binding_id
from hub.store.references import Awaited
from hub.sync.engine import Link, RunContext
from hub.sync.trail import linked_event

_REASONS = ("same:main", ONE_OF_SEVERAL)
AT_ONCE = 1000
"""Records whose side records are judged in one commit."""
_LEFT = (BindingState.DETACHED, BindingState.SUPERSEDED)


# Reading: side records and the main records they point at.


def pointing(part: Part, record: NativeRecord) -> str | None:
    """Returns the native id of the main record that a side record points at."""
    shown: Any = record.fields.get(part.lookup)
    if isinstance(shown, list | tuple) and shown:
        shown = shown[0]
    if isinstance(shown, Mapping):
        shown = shown.get("id")
    return str(shown) if shown else None


def awaits_main(run: RunContext, part: Part, item: Observation, main: str) -> Awaited:
    """Returns the note that a side record waits for its main record."""
    return Awaited(item.obs_id, MAIN_RECORD, run.entity, item.system, part.main_object, main)


@dataclass(slots=True)
class Strayed:
    """Are bound side records of a page that do not point at their main record: at another place, or at none."""

    waiting: dict[str, str] = attribute(default_factory=dict)
    """native id -> native id of the main record that it points at; `claim` decides what that means"""
    faults: list[Fault] = attribute(default_factory=list)


def find_strayed(
    run: RunContext,
    link: Link,
    part: Part,
    seen: Sequence[Observation],
    bindings: Mapping[str, Binding],
    mains: Mapping[str, str | None],
) -> Strayed:
    """Tells which bound side records of a page point elsewhere: one query, whatever its size."""
    found = Strayed()
    shown = [item for item in seen if item.kind is Kind.UPSERT and item.native_id in bindings]
    if not shown:
        return found
    with run.store.read() as conn:
        every = records.load_bindings(conn, sorted({bindings[item.native_id].hub_id for item in shown}))
        own = {each.hub_id: each.native_id for each in every if each.system == link.system and each.part == MAIN}
    for item in shown:
        main = mains.get(item.native_id)
        if main is not None and main != own.get(bindings[item.native_id].hub_id):
            found.waiting[item.native_id] = main
        elif main is None:
            found.faults.append(_elsewhere(part, item.system, item.object, item.native_id, item.digest or b""))
    return found


def _elsewhere(part: Part, system: str, object_: str, native_id: str, digest: bytes) -> Fault:
    return Fault(
        system,
        object_,
        native_id,
        INBOUND,
        "",
        "HUB-PART-001",
        f"{part.lookup} points at another record than the one it is a part of, or at none; put it back in {system}, "
        "or delete it there and answer the hold that follows",
        f"{part.lookup} 指向的不是它所属的记录，或为空；请在 {system} 中改回，或在该系统删除后处理随后的待确认事项",
        digest,
    )


# Whose they are.


def claim(run: RunContext) -> int:
    """Gives waiting side records to the records that they are parts of; returns how many are taken.

    Where the part is bound the others are passed over; of several for an unbound one a person is asked.
    """
    if not any(link.mapping.has_parts for link in run.links.values()):
        return 0
    taken, after = 0, ""
    while True:
        with run.store.read() as conn:
            hub_ids = claims.owners(conn, run.entity, after, AT_ONCE)
            groups = _groups(run, conn, hub_ids) if hub_ids else []
        if not hub_ids:
            break
        after = hub_ids[-1]
        if groups:
            taken += _settle(run, groups)
    _park_left_alone(run)
    return taken


def _park_left_alone(run: RunContext) -> None:
    """Takes back what was asked about side records whose main record does not stand any more: they wait for it."""
    with run.store.read() as conn:
        left = claims.left_alone(conn, run.entity)
    if left:
        with run.store.begin(run.held) as work:
            claims.park_again(work, [obs_id for obs_id, *_ in left])
            for _, *place in left:
                matches.close(work, *place)


@dataclass(slots=True)
class _Group:
    """Are the side records of one object that point at one main record."""

    owner: str
    system: str
    part: Part
    bound: bool
    leaving: Collection[str]
    """Records of which the main one is gone or merged, as far as the inbox knows: their parts are about to follow."""
    rows: list[Claimant] = attribute(default_factory=list)
    answers: dict[str, bool] = attribute(default_factory=dict)


def _groups(run: RunContext, conn: Connection, hub_ids: Sequence[str]) -> list[_Group]:
    bound = {
        (item.hub_id, item.system, item.part)
        for item in records.load_bindings(conn, hub_ids)
        if item.native_id is not None and item.state not in _LEFT
    }
    found: dict[tuple[str, str, str], _Group] = {}
    rows = claims.of_owners(conn, run.entity, hub_ids)
    leaving = _leaving(run, conn, sorted({row.hub_id for row in rows if row.hub_id and row.hub_id != row.owner}))
    for row in rows:
        link = run.links.get(row.system)
        part = None if link is None else link.mapping.part(row.object)
        if part is not None:
            taken = (row.owner, row.system, part.name) in bound
            group = _Group(row.owner, row.system, part, taken, leaving)
            found.setdefault((row.owner, row.system, row.object), group).rows.append(row)
    groups = list(found.values())
    said = _said(conn, groups)
    for group in groups:
        group.answers = _answers(group, said)
    return groups


def _leaving(run: RunContext, conn: Connection, hub_ids: Sequence[str]) -> set[str]:
    """Returns which of these records are told to be gone or merged somewhere, and wait for what that means."""
    queued = inbox.by_hub(conn, hub_ids) if hub_ids else {}
    return {hub_id for hub_id, rows in queued.items() if any(row.kind in (Kind.GONE, Kind.MERGED) for row in rows)}


def _asked(group: _Group) -> list[str]:
    return [row.native_id for row in group.rows if row.state == Wait.NEW and row.hub_id is None]


def _said(conn: Connection, groups: Sequence[_Group]) -> dict[tuple[str, str, str], str]:
    """Returns what people said of the claimants of a page, by system, object and native id: a query an object."""
    asked: dict[tuple[str, str], list[str]] = {}
    for group in groups:
        asked.setdefault((group.system, group.part.object), []).extend(_asked(group))
    return {
        (*place, native_id): answer
        for place, native_ids in asked.items()
        if native_ids
        for native_id, (answer, _) in matches.answers(conn, *place, native_ids).items()
    }


def _answers(group: _Group, said: Mapping[tuple[str, str, str], str]) -> dict[str, bool]:
    """Returns what people said of the claimants of a group; our own hub id in one of them says the same."""
    place = (group.system, group.part.object)
    answers = {each: said[*place, each] == group.owner for each in _asked(group) if (*place, each) in said}
    stamped = [row.native_id for row in group.rows if row.stamp == group.owner]
    return answers or ({stamped[0]: True} if len(stamped) == 1 else {})


@dataclass(slots=True)
class _Page:
    """Gathers what a page of groups comes to, so that it is written at once."""

    granted: list[tuple[str, str]] = attribute(default_factory=list)
    consumed: list[str] = attribute(default_factory=list)
    put_off: list[str] = attribute(default_factory=list)
    closed: list[tuple[str, str, str]] = attribute(default_factory=list)
    asked: dict[tuple[str, str, str], dict[str, tuple[str, ...]]] = attribute(default_factory=dict)
    faults: list[Fault] = attribute(default_factory=list)
    events: list[Event] = attribute(default_factory=list)


def _settle(run: RunContext, groups: Sequence[_Group]) -> int:
    page = _Page()
    for group in groups:
        _judge(run, group, page)
    with run.store.begin(run.held) as work:
        claims.grant(work, page.granted)
        inbox.consume(work, page.consumed)
        for place in page.closed:
            matches.close(work, *place)
        run.tally.add("questions", matches.ask(work, run.entity, run.run_id, page.asked))
        inbox.put_off(work, page.put_off)
        run.tally.add("quarantined", quarantine.put(work, run.ring, run.entity, run.run_id, page.faults))
        for event in page.events:
            work.audit(event)
    return len(page.granted)


def _judge(run: RunContext, group: _Group, page: _Page) -> None:
    strangers = [row for row in group.rows if not row.hub_id]
    for row in group.rows:
        if row.hub_id == group.owner:
            # A part that points at its own main record after all.
            page.granted.append((row.obs_id, group.owner))
        elif row.hub_id and row.hub_id not in group.leaving:
            page.consumed.append(row.obs_id)
            page.faults.append(_elsewhere(group.part, row.system, row.object, row.native_id, row.digest or b""))
    verdict = judge_claims(group.bound, [row.native_id for row in strangers], group.answers)
    for row in strangers:
        place = (row.system, row.object, row.native_id)
        if row.native_id in verdict.asked:
            if row.state != Wait.WAITING:
                page.asked[place] = {group.owner: _REASONS}
                page.put_off.append(row.obs_id)
            continue
        if row.state != Wait.PARKED:
            page.closed.append(place)
        if row.native_id == verdict.taken:
            page.granted.append((row.obs_id, group.owner))
            page.events.append(linked_event(run, group.owner, group.system, "sure", f"part:{group.part.name}"))
        else:
            page.consumed.append(row.obs_id)
            run.tally.add("spare_parts")


def fresh_parts(
    run: RunContext, golden: GoldenRecord, bindings: Iterable[Binding], seen: Sequence[Observation]
) -> dict[str, tuple[Binding, Observation]]:
    """Returns the side records taken in for the first time, by the binding that each gets."""
    found: dict[str, tuple[Binding, Observation]] = {}
    known = {(each.system, each.object, each.native_id) for each in bindings}
    for item in seen:
        link = run.links.get(item.system)
        part = None if link is None else link.mapping.part(item.object)
        if link is None or part is None or (item.system, item.object, item.native_id) in known:
            continue
        name = binding_id(golden.hub_id, item.system, part.name)
        state, version = BindingState.ACTIVE, link.mapping.version
        place = (name, golden.hub_id, run.entity, item.system, item.object, item.native_id, state, part.name)
        found[name] = Binding(*place, mapping_version=version, stamped=item.stamp == golden.hub_id), item
    return found


# Writing: parts to make, and who waits for whom.


def missing_parts(run: RunContext, golden: GoldenRecord, bindings: Sequence[Binding]) -> tuple[Binding, ...]:
    """Returns the parts of a record that have a value by now and no place in their system yet."""
    if golden.state is not GoldenState.LIVE:
        return ()
    made: list[Binding] = []
    for system, link in run.links.items():
        if not link.mapping.has_parts:
            continue
        here = {each.part: each for each in bindings if each.system == system}
        main = here.get(MAIN)
        if main is not None and main.state not in (BindingState.ACTIVE, BindingState.PENDING):
            continue
        object_ = main.object if main is not None and main.object else _routed(link, golden)
        for part in link.mapping.parts_of(object_ or ""):
            wanted = any(golden.fields.get(name) is not None for name in link.scope(part.object).writable)
            if wanted and part.name not in here:
                name = binding_id(golden.hub_id, system, part.name)
                place = (name, golden.hub_id, run.entity, system, part.object, None, BindingState.PENDING, part.name)
                made.append(Binding(*place, dirty=True))
    return tuple(made)


def _routed(link: Link, golden: GoldenRecord) -> str | None:
    return link.mapping.route(golden.fields) if link.mapping.admits(golden.fields) else None


IDLE = "idle"
"""Says that a binding is owed nothing, whatever its mark says."""


def waits(
    link: Link, binding: Binding, stored: Stored, frozen: Collection[str], held_out: Collection[str | None]
) -> str | None:
    """Says for what a write must wait: a main record for its parts to go, a part for its main record to stand."""
    if (binding.part == MAIN) is not (binding.state is BindingState.DOOMED):
        return None
    here = [each for each in stored.bindings if each.system == binding.system]
    if binding.part == MAIN:
        going = any(each.part != MAIN and each.state is BindingState.DOOMED for each in here)
        return "waiting_parts" if going else None
    main = next((each for each in here if each.part == MAIN), None)
    if link.mapping.part(binding.object) is None or (main is not None and main.state in _LEFT):
        return IDLE
    if main is None or main.state is not BindingState.ACTIVE or MAIN_RECORD in frozen or binding.native_id in held_out:
        return "waiting_main"
    return "waiting_question" if binding.state is BindingState.PENDING and "*" in frozen else None


def held_out(conn: Connection, link: Link, bindings: Sequence[Binding]) -> set[str | None]:
    """Returns the native ids of parts that are quarantined as they were last read: they may be somebody else's."""
    found: set[str | None] = set()
    for object_ in {each.object for each in bindings if each.part != MAIN and each.object}:
        ids = [each.native_id for each in bindings if each.object == object_ and each.native_id]
        found |= quarantine.inbound_digests(conn, link.system, object_, ids).keys()
    return found


def lookup_of(link: Link, binding: Binding, stored: Stored) -> dict[str, Any]:
    """Returns what a new part is written beside its fields: the lookup at its main record."""
    part = link.mapping.part(binding.object)
    if part is None:
        return {}
    mains = (each for each in stored.bindings if each.system == binding.system and each.part == MAIN)
    return {part.lookup: part.pointing_at(str(next(mains).native_id))}


def part_name(link: Link, object_: str) -> str:
    """Returns the part that an object is in its system."""
    found = link.mapping.part(object_)
    return MAIN if found is None else found.name
