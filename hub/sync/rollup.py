"""Fields of a parent that the hub computes from its children: noted with the children, written once a batch.

A note is an edit of the parent that its own next cycle takes in; of several notes the latest value stands, so that a
page of logs of one customer, or a thousand pages, come to one write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.canonical.values import Value
from hub.core.state import HUB, Fields, GoldenRecord, Kind, Observation
from hub.kernel.clock import iso
from hub.store import inbox, records
from hub.store.unit_of_work import UnitOfWork
from hub.sync.engine import RunContext
from hub.sync.moves import is_move

_SECONDS = len("2026-01-01T00:00:00")
DERIVED = "derived"
"""Is the object under which notes stand in the inbox; a person's edit stands under the name of its entity."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """Says that `target` of the parent is the latest `value` among its children, those with `unless` left out."""

    child: str
    reference: str
    value: str
    parent: str
    target: str
    unless: tuple[str, frozenset[str]]


ROLLUPS = (
    Rollup(
        "contact_log",
        "customer_id",
        "started_at",
        "customer",
        "last_contacted_at",
        ("outcome", frozenset({"no_answer", "wrong_number"})),
    ),
)


def note(run: RunContext, work: UnitOfWork, changed: Iterable[GoldenRecord]) -> None:
    """Notes what new or changed children mean for their parents."""
    rules = [rule for rule in ROLLUPS if rule.child == run.entity]
    if not rules:
        return
    children = list(changed)
    for rule in rules:
        _keep(run, work, rule, _latest(rule, children, iso(run.clock.now())))


def _latest(rule: Rollup, children: Iterable[GoldenRecord], now: str) -> dict[str, str]:
    name, without = rule.unless
    found: dict[str, str] = {}
    for child in children:
        parent, value = child.fields.get(rule.reference), child.fields.get(rule.value)
        # What lies in the future is planned and did not happen.
        if not isinstance(parent, str) or not isinstance(value, str) or value[:_SECONDS] > now[:_SECONDS]:
            continue
        if child.fields.get(name) not in without:
            found[parent] = max(value, found.get(parent, ""))
    return found


def _keep(run: RunContext, work: UnitOfWork, rule: Rollup, latest: Mapping[str, str]) -> None:
    parents = sorted(latest)
    subjects = records.load_subjects(work.conn, run.ring, parents) if parents else {}
    noted = inbox.by_native(work.conn, HUB, DERIVED, parents) if parents else {}
    known = {parent: inbox.open_row(run.ring, row).fields for parent, row in noted.items()}
    rows, replaced = [], []
    for parent, subject_id in subjects.items():
        stood = known.get(parent, {})
        value = latest[parent]
        if str(stood.get(rule.target) or "") >= value:
            continue
        fields: dict[str, Value] = {**stood, rule.target: value}
        made = Observation(work.new_id(), rule.parent, HUB, DERIVED, parent, Kind.EDIT, fields)
        rows.append(inbox.seal_row(run.ring, made, parent, subject_id, run.run_id, work.now))
        if parent in noted:
            replaced.append(noted[parent].obs_id)
    inbox.consume(work, replaced)
    inbox.stage(work, rows)
    run.tally.add("noted", len(rows))


def edits_of(golden: GoldenRecord, seen: Iterable[Observation]) -> Fields:
    """Returns what people and children ask of a record; a note that is not later than what stands asks nothing."""
    edits: dict[str, Value] = {}
    for item in sorted(seen, key=lambda each: each.object != DERIVED):
        if item.kind is not Kind.EDIT or is_move(item):
            continue
        for name, value in item.fields.items():
            if item.object != DERIVED or str(value) > str(golden.fields.get(name) or ""):
                edits[name] = value
    return edits
