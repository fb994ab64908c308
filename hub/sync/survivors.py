"""Looks for the survivor before a delete is honoured: vendors without a merge feed show a merge as a delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hub.core.state import Kind, Observation
from hub.store import matches, records
from hub.store.database import Connection
from hub.sync.engine import RunContext

Seen = dict[str, list[Observation]]


def find_survivors(run: RunContext, conn: Connection, seen: Seen) -> None:
    """Turns a delete into a merge where exactly one other record of its object holds the loser's strong evidence."""
    gone = {
        hub_id: item
        for hub_id, items in seen.items()
        for item in items
        if item.kind is Kind.GONE and _is_main(run, item)
    }
    if not gone:
        return
    strong = {rule.name for rule in run.rules.match_rules if rule.strong}
    keys: Mapping[str, Mapping[str, bytes]] = matches.keys_of(conn, list(gone))
    if run.ring.reindexing:
        known = records.load_golden(conn, run.ring, list(gone))
        keys = {hub_id: run.rules.keys(run.ring, record.fields) for hub_id, record in known.items()}
    wanted = {digest for by_rule in keys.values() for rule, digest in by_rule.items() if rule in strong}
    holders = matches.holders(conn, run.entity, sorted(wanted))
    for hub_id, item in gone.items():
        digests = [digest for rule, digest in keys.get(hub_id, {}).items() if rule in strong]
        heirs = _heirs(holders, digests, item)
        if len(heirs) == 1:
            merged = replace(item, kind=Kind.MERGED, survivor=heirs.pop())
            seen[hub_id] = [merged if other is item else other for other in seen[hub_id]]
            run.tally.add("survivors")


def _is_main(run: RunContext, item: Observation) -> bool:
    """Tells whether a main record is meant: what is known of a record is no evidence about its parts."""
    return run.links[item.system].mapping.part(item.object) is None


def _heirs(holders: Mapping[bytes, Sequence[matches.Holder]], digests: Sequence[bytes], item: Observation) -> set[str]:
    """Returns the native ids of the other live records of the object that share a digest."""
    return {
        holder.native_id
        for digest in digests
        for holder in holders.get(digest, ())
        if (holder.system, holder.object) == (item.system, item.object) and holder.native_id != item.native_id
    }
