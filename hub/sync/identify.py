"""Finds out whose record an unbound observation is: stamped, answered, sure, to be asked, or new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hub.core.match import Candidate, Certainty, judge
from hub.core.state import GoldenRecord, GoldenState, Observation
from hub.store import intents, matches, merges, quarantine, records
from hub.store.database import Connection
from hub.store.matches import Shared
from hub.store.unit_of_work import UnitOfWork
from hub.sync.engine import RunContext
from hub.sync.trail import linked_event, written_event

COMMON = 10
"""A key that more golden records share than this is no evidence of identity (a switchboard number, a placeholder)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Is what was found out: the hub id to bind to (a new one where `created`), or the candidates to ask about."""

    observation: Observation
    hub_id: str | None
    created: bool
    certainty: str
    rule: str
    decided_by: str
    asked: Mapping[str, tuple[str, ...]]


def identify(run: RunContext, conn: Connection, system: str, found: Sequence[Observation]) -> list[Identity]:
    """Judges a batch of unbound observations of one system: a fixed number of queries, whatever its size."""
    if run.ring.reindexing:
        # What was stored under the old key finds nothing that is under the new one.
        keys = {item.obs_id: run.rules.keys(run.ring, item.fields) for item in found}
    else:
        keys = matches.keys_of(conn, [item.obs_id for item in found])
    shared = matches.share(conn, run.entity, [digest for by_rule in keys.values() for digest in by_rule.values()])
    heirs = merges.heirs(conn, [item.stamp for item in found if item.stamp])
    if heirs:
        # A record that carries the id of a merged one belongs to whoever stands for it now.
        found = [replace(item, stamp=heirs.get(item.stamp, item.stamp)) if item.stamp else item for item in found]
    stamps = records.load_golden(conn, run.ring, [item.stamp for item in found if item.stamp])
    names = sorted({hub for entry in shared.values() for hub in entry.golden if len(entry.golden) <= COMMON})
    replies = _answers(conn, system, found)
    placed = matches.placed(conn, [*names, *stamps, *(answer for answer, _ in replies.values())], system)
    golden = records.load_golden(conn, run.ring, [hub_id for hub_id in names if hub_id not in placed])
    taken: set[str] = set()
    identities = []
    for item in found:
        made = _stamped(item, stamps, placed, taken) or _answered(item, replies, taken | placed)
        if made is None:
            made = _judged(run, system, item, keys[item.obs_id], shared, golden, taken)
        if made.hub_id is not None:
            taken.add(made.hub_id)
        identities.append(made)
    return identities


def _answers(conn: Connection, system: str, found: Sequence[Observation]) -> dict[tuple[str, str], tuple[str, str]]:
    replies: dict[tuple[str, str], tuple[str, str]] = {}
    for object_ in {item.object for item in found}:
        ids = [item.native_id for item in found if item.object == object_]
        for native_id, reply in matches.answers(conn, system, object_, ids).items():
            replies[object_, native_id] = reply
    return replies


def _stamped(
    item: Observation, stamps: Mapping[str, GoldenRecord], placed: set[str], taken: set[str]
) -> Identity | None:
    """Adopts by the hub id the record carries; one that another record of the system already answers to is asked."""
    if item.stamp is None:
        return None
    if item.stamp not in stamps:
        # The store lost this record, or never had it: the stamp keeps both systems together.
        return None if item.stamp in taken else Identity(item, item.stamp, True, "stamped", "hub_id", "hub", {})
    if stamps[item.stamp].state is GoldenState.ERASED:
        # Whoever was erased and is admitted again comes back as somebody new.
        return None
    if item.stamp in placed or item.stamp in taken:
        return Identity(item, None, False, Certainty.UNSURE, "", "", {item.stamp: ("same:hub_id", "bound_already")})
    return Identity(item, item.stamp, False, "stamped", "hub_id", "hub", {})


def _answered(
    item: Observation, replies: Mapping[tuple[str, str], tuple[str, str]], taken: set[str]
) -> Identity | None:
    reply = replies.get((item.object, item.native_id))
    if reply is None:
        return None
    answer, by = reply
    if answer == "new":
        return Identity(item, item.obs_id, True, "answered", "new", by, {})
    if answer in taken:
        return None
    return Identity(item, answer, False, "answered", "linked", by, {})


def _judged(
    run: RunContext,
    system: str,
    item: Observation,
    keys: Mapping[str, bytes],
    shared: Mapping[bytes, Shared],
    golden: Mapping[str, GoldenRecord],
    taken: set[str],
) -> Identity:
    evidence: dict[str, dict[str, tuple[int, int]]] = {}
    for rule, digest in keys.items():
        entry = shared.get(digest)
        if entry is None or len(entry.golden) > COMMON:
            continue
        rivals = max(1, entry.rivals.get(system, 0))
        peers = len(entry.golden) + sum(number for name, number in entry.rivals.items() if name != system)
        for hub_id in entry.golden:
            if hub_id in golden and hub_id not in taken:
                evidence.setdefault(hub_id, {})[rule] = (rivals, peers)
    candidates = [Candidate(hub_id, golden[hub_id].fields, rules) for hub_id, rules in sorted(evidence.items())]
    verdict = judge(item.fields, candidates, run.rules.match_rules, run.rules.entity.contradicts)
    if verdict.certainty is Certainty.NEW:
        return Identity(item, item.obs_id, True, Certainty.NEW, "", "hub", {})
    if verdict.certainty is Certainty.SURE:
        return Identity(item, verdict.hub_id, False, Certainty.SURE, verdict.rule or "", "hub", {})
    return Identity(item, None, False, Certainty.UNSURE, "", "", verdict.reasons)


def note_decisions(run: RunContext, work: UnitOfWork, identities: Sequence[Identity]) -> None:
    """Notes who was found to be who, in the commit that binds them."""
    rows = []
    for item in identities:
        if item.hub_id is None or item.certainty == "new":
            continue
        seen = item.observation
        if item.certainty == "answered":
            matches.close(work, seen.system, seen.object, seen.native_id)
        work.audit(linked_event(run, item.hub_id, seen.system, item.certainty, item.rule))
        rows.append(
            {
                "entity": run.entity,
                "system": seen.system,
                "object": seen.object,
                "native_id": seen.native_id,
                "hub_id": item.hub_id,
                "certainty": str(item.certainty),
                "rule": item.rule,
                "decided_by": item.decided_by,
                "run_id": run.run_id,
            }
        )
    matches.decide(work, rows)
    # A record that shows our stamp proves the create that brought it there.
    stamped = [(str(i.hub_id), i.observation.system) for i in identities if i.rule == "hub_id"]
    for hub_id, system, said in intents.prove_created(work, stamped):
        work.audit(written_event(run, hub_id, system, "create", "written", {}, recovered=True))
        if said != intents.TWINS:
            quarantine.clear_fields(work, system, {hub_id: ("",)})
