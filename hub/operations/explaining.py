"""Why a field is what it is: who changed it, by which run, rule and mapping, and what the other side answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from hub.audit.event import instant
from hub.core.state import HUB
from hub.operations.installation import Installation
from hub.store import audit_index
from hub.store.audit_index import Wanted
from hub.store.history import PastChange

CHANGES = ("golden.create", "golden.change")
DECISIONS = ("record.edit", "conflict.resolve", "hold.resolve")
WRITES = ("remote.create", "remote.update", "remote.delete", "remote.restore")
RUNS = ("run.start",)

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Is what a system said to the write that carried a change there; `at` is in epoch seconds."""

    system: str
    at: float
    outcome: str
    code: str | None
    recovered: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """Is how a change came about: `by` a person or a system, `row` where the log says so."""

    by: str
    rule: str
    run_by: str | None
    mapping: str | None
    row: str | None
    answers: tuple[Answer, ...]


def explain(hub: Installation, hub_id: str, entity: str, past: Sequence[PastChange]) -> list[Explained]:
    """Explains every change of a record from the audit log, in the order given."""
    run_ids = sorted({item.run_id for item in past})
    with audit_index.snapshot(hub.store) as conn:
        told = [orjson.loads(body) for body in audit_index.of_objects(conn, [hub_id], (*CHANGES, *DECISIONS, *WRITES))]
        runs = [orjson.loads(body) for body in audit_index.of_objects(conn, run_ids, RUNS)]
        used = audit_index.page(conn, Wanted(act="mapping.use"), before=None, limit=1000)
    mappings = [orjson.loads(body) for body in used]
    policies = hub.rules[entity].policy.rules if entity in hub.rules else {}
    found = []
    for number, item in enumerate(past):
        later = next((other.at for other in past[number + 1 :] if other.field == item.field), None)
        earlier = max((other.at for other in past[:number] if other.field == item.field), default=0.0)
        decision = _decision(told, item, earlier)
        rule = policies.get(item.field)
        found.append(
            Explained(
                decision["actor"]["id"] if decision is not None else item.origin,
                _rule(item, decision, rule.policy if rule is not None else None),
                next((run["actor"]["id"] for run in runs if run["obj"]["id"] == item.run_id), None),
                _mapping(mappings, item),
                _row(told, item),
                tuple(_answers(told, item, later)),
            )
        )
    return found


def _decision(told: Sequence[Entry], item: PastChange, earlier: float) -> Entry | None:
    """Returns the last thing a person decided about the field between its change before and this one."""
    fitting = [entry for entry in told if entry["act"] in DECISIONS and _names(entry, item.field)]
    fitting = [entry for entry in fitting if earlier <= instant(entry["ts"]) <= item.at]
    edited = fitting and fitting[-1]["act"] == "record.edit"
    return fitting[-1] if fitting and (item.origin == HUB or not edited) else None


def _rule(item: PastChange, decision: Entry | None, policy: str | None) -> str:
    if decision is not None:
        return str(decision["act"])
    return policy if item.losers and policy is not None else "one_sided"


def _mapping(uses: Sequence[Entry], item: PastChange) -> str | None:
    """Returns the mapping version in use for the origin; the log names each when it was used first."""
    for entry in uses:  # newest first
        system, _, version = entry.get("reason", "").partition(" ")
        if system == item.origin and instant(entry["ts"]) <= item.at:
            return version or None
    return None


def _row(told: Sequence[Entry], item: PastChange) -> str | None:
    for entry in told:
        if entry["act"] == "golden.change" and entry.get("corr") == item.run_id and _names(entry, item.field):
            return f"{entry['epoch']}:{entry['seq']}"
    return None


def _answers(told: Sequence[Entry], item: PastChange, later: float | None) -> list[Answer]:
    found = []
    for entry in told:
        at = instant(entry["ts"])
        if entry["act"] in WRITES and _names(entry, item.field) and at >= item.at and (later is None or at < later):
            recovered = entry.get("reason") == "recovered"
            found.append(Answer(entry["obj"]["connection"], at, entry["outcome"], entry.get("code"), recovered))
    return found


def _names(entry: Entry, field: str) -> bool:
    return any(note["name"] == field for note in entry.get("fields", ()))
