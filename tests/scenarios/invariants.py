"""What must hold of a world: at every moment, and once it has come to rest. Numbers are those of the semantics, §14.

The systems' own change logs are the truth against which the hub's store is judged.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from connectors.base import Deletes
from hub.audit.event import instant
from hub.audit.tree import RowTuple
from hub.audit.verify import verify
from hub.core.state import BaseField, Binding, BindingState, GoldenState
from hub.mapping.references import is_native_ref
from hub.store import history as past
from hub.store import quarantine, questions, records
from hub.store.anchor import Anchor, head_of, holds
from hub.store.records import Stored
from hub.store.vault import audit_rows
from tests.scenarios.parents import (
    Family,
    check_followed,
    check_joined,
    check_losers,
    check_merges,
    check_references,
    check_rollup,
    references_of,
)
from tests.scenarios.world import (
    BYSTANDERS,
    ENTITY_OF,
    KEY_FIELDS,
    LAST_VISIT,
    TENANT,
    World,
    canonical_value,
    merged_into,
    natives_of,
    schema,
)

if TYPE_CHECKING:
    from tests.scenarios.history import History

SAID_BY_OBJECT = ("customer_kind", "channel", "opened_by")
"""Fields of which some mapping reads what no log shows: the object decides, or only the first sight counts."""
HUB_ACTS = {
    "create": "remote.create",
    "update": "remote.update",
    "delete": "remote.delete",
    "restore": "remote.restore",
}


def check_always(world: World) -> None:
    """Checks what must hold at every moment, also right after a crash."""
    with world.engine.connect() as conn:
        rows = conn.execute(_BINDINGS).all()
        settled = conn.execute(_SETTLED).all()
        log = list(audit_rows(conn))
    verdict = verify(log)
    natives = Counter((row.system, row.object, row.native_id) for row in rows if row.native_id)
    active = Counter((row.hub_id, row.system) for row in rows if row.state in ("pending", "active", "doomed"))
    assert not [key for key, number in natives.items() if number > 1], "inv 11: a native record with two hub records"
    assert not [key for key, number in active.items() if number > 1], "inv 11: two bindings of one record in a system"
    assert verdict.ok, f"inv 31: the audit log is broken at {verdict.first_bad}"
    check_settled(settled, log)
    check_creates(world)
    check_budget(world)


_BINDINGS = sa.text("SELECT hub_id, system, object, native_id, state FROM binding")
_SETTLED = sa.text("SELECT system, hub_id, op, outcome FROM intent WHERE state = 'settled'")
_DONE = ("written", "found", "adopted")
"""Are the outcomes of writes that took effect."""


def check_settled(settled: Sequence[Any], log: Sequence[RowTuple]) -> None:
    """Each outcome of a write stands beside its event at every moment, so both were committed at once (31)."""
    kept = Counter((row.system, row.hub_id, row.op) for row in settled if row.outcome in _DONE)
    told: Counter[tuple[str, str, str]] = Counter()
    for _, _, body, _, _ in log:
        if b'"act":"remote.' in body:
            event = orjson.loads(body)
            if event["outcome"] == "success":
                told[event["obj"]["connection"], event["obj"]["id"], event["act"].removeprefix("remote.")] += 1
    assert kept == told, f"inv 31: outcomes without an event {kept - told}, events without an outcome {told - kept}"


def check_creates(world: World) -> None:
    """At no moment do two live records stand in one system that the hub created for one hub id (10)."""
    for name, system in world.systems.items():
        ours: dict[str, set[str]] = defaultdict(set)
        owner: dict[str, str] = {}
        for commit in system.log:
            if commit.hub_id is not None and commit.op == "create":
                ours[commit.hub_id].add(commit.native_id)
                owner[commit.native_id] = commit.hub_id
                assert len(ours[commit.hub_id]) == 1, f"inv 10: {name} got two records of {commit.hub_id}"
            elif commit.op in ("delete", "merge") and commit.native_id in owner:
                ours[owner[commit.native_id]].discard(commit.native_id)


def check_budget(world: World) -> None:
    """No create is sent again unless somebody looked, and nothing is called after a system said stop (29)."""
    for name, ledger in world.ledgers.items():
        assert not ledger.late_calls, f"inv 29: {name} was called after it said stop: {ledger.late_calls}"
        open_: set[str] = set()
        for act, hub_id in ledger.asked:
            if act == "create":
                assert hub_id not in open_, f"inv 29: {name} was sent {hub_id} again blindly"
                open_.add(hub_id)
            else:
                open_.discard(hub_id)


@dataclass(slots=True)
class Facts:
    """Is everything the store says once the world is at rest."""

    stored: dict[str, Stored]
    frozen: dict[str, frozenset[str]]
    candidates: dict[tuple[str, str], list[Any]]
    refused: dict[tuple[str, str], set[str]]
    unread: set[tuple[str, str]]
    asked_natives: set[tuple[str, str]]
    asked_hubs: set[tuple[str, str]]
    asked_writes: set[tuple[str, str]]
    past: dict[tuple[str, str], list[Any]]
    joined_at: dict[tuple[str, str], float]
    heirs: dict[str, str] = field(default_factory=dict)
    merged_at: dict[str, float] = field(default_factory=dict)
    rebound_at: dict[tuple[str, str], float] = field(default_factory=dict)
    """When a record last took the place of another one: (system, hub id) -> epoch seconds"""
    bound: dict[tuple[str, str], Binding] = field(default_factory=dict)

    def heir(self, hub_id: str) -> str:
        """Returns the record that stands now for one that may have been merged away."""
        return self.heirs.get(hub_id, hub_id)

    def line(self, hub_id: str) -> list[str]:
        """Returns a record's heir and everybody who was merged into it."""
        heir = self.heir(hub_id)
        return [heir, *(loser for loser, other in self.heirs.items() if other == heir)]

    def kept(self, hub_id: str, name: str) -> list[Any]:
        """Returns every value that the history or a question still knows of a field."""
        return [v for each in self.line(hub_id) for v in (*self.past[each, name], *self.candidates[each, name])]


def load_facts(world: World) -> Facts:
    store = world.hub.store
    with store.read() as conn:
        hub_ids = [row[0] for row in conn.execute(sa.text("SELECT hub_id FROM golden"))]
        stored = records.load(conn, store.ring, hub_ids)
        kept: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for kind in ("conflict", "hold"):
            for question in questions.load(conn, store.ring, kind, hub_ids=hub_ids, states=(), limit=10_000):
                kept[question.hub_id, question.field] += [value for _, value in question.candidates]
        changes: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for hub_id in hub_ids:
            for change in past.timeline(conn, store.ring, hub_id):
                values = [change.before, change.after, *(value for _, value in change.losers)]
                changes[hub_id, change.field] += values
        held = [row for entity in world.entities for row in quarantine.listing(conn, entity, limit=10_000)]
        live = "state IN ('open', 'decided')"
        asked = conn.execute(sa.text(f"SELECT system, native_id FROM match_question WHERE {live}")).all()
        hubs = conn.execute(
            sa.text(
                f"SELECT q.system, hub_id FROM match_candidate JOIN match_question q USING (question_id) WHERE {live}"
            )
        ).all()
        writes = conn.execute(sa.text("SELECT system, hub_id FROM intent WHERE state = 'asked'")).all()
        frozen = questions.frozen_fields(conn, hub_ids)
        joined = conn.execute(
            sa.text("SELECT system, native_id, min(decided_at) FROM match_decision GROUP BY 1, 2")
        ).all()
        merged = conn.execute(sa.text("SELECT loser_id, heir_id, merged_at FROM golden_merge")).all()
        rebound = {}
        for _, _, body, _, _ in audit_rows(conn):
            if b'"act":"binding.change"' in body and (event := orjson.loads(body))["code"] == "rebind":
                rebound[event["obj"]["connection"], event["obj"]["id"]] = instant(event["ts"])
    refused: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in held:
        if row.direction == quarantine.OUTBOUND and row.hub_id:
            refused[row.system, row.hub_id].add(row.field)
    facts = Facts(
        stored,
        frozen,
        kept,
        refused,
        {(row.system, row.native_id) for row in held if row.direction == quarantine.INBOUND},
        {(row[0], row[1]) for row in asked},
        {(row[0], row[1]) for row in hubs},
        {(row[0], row[1]) for row in writes},
        changes,
        {(row[0], row[1]): row[2] for row in joined},
        {row.loser_id: row.heir_id for row in merged},
        {row.loser_id: row.merged_at for row in merged},
        rebound,
    )
    for item in stored.values():
        for found in item.bindings:
            if found.native_id is not None:
                facts.bound[found.system, found.native_id] = found
    return facts


def check_quiet(history: History) -> None:
    """Checks what must hold once nothing moves any more."""
    world, facts = history.world, load_facts(history.world)
    family = Family(world, facts)
    for stored in facts.stored.values():
        for found in stored.bindings:
            check_binding(history, family, stored, found)
    for name in world.systems:
        for native_id in world.live(name):
            check_known(family, name, native_id)
    check_edits(history, family)
    check_references(world, history.edits)
    check_merges(family)
    check_losers(world, facts)
    check_joined(history, facts)
    check_followed(family)
    check_rollup(family)
    check_bystanders(world)
    check_deletes(world)
    check_audit(world)
    check_tail(world)
    check_secrets(history)


def check_binding(history: History, family: Family, stored: Stored, found: Binding) -> None:
    """Every binding shows the golden record, or says why it does not (2, 16)."""
    world, facts = history.world, family.facts
    place, golden = f"{found.system} {found.native_id} of {found.hub_id}", stored.golden
    if golden.state is not GoldenState.LIVE:
        return
    spec = world.spec(found.system)
    if found.state is BindingState.PENDING:
        explained = (
            facts.refused.get((found.system, found.hub_id))
            or (found.system, found.hub_id) in facts.asked_hubs
            or (found.system, found.hub_id) in facts.asked_writes
            or family.lacks_parent(golden.entity, golden.fields, found.system)
        )
        assert explained, f"inv 2: {place} was never created and nothing says why"
        return
    if found.native_id is None:
        return
    table = world.systems[found.system].table(str(found.object))
    if found.native_id in table.hidden_records:
        return
    row = table.rows[found.native_id][-1]
    if found.state is BindingState.DETACHED:
        assert row.deleted, f"inv 2: {place} lives there and is detached here"
        return
    if row.deleted:
        unprovable = spec.can.deletes is Deletes.NONE or "*" in facts.frozen.get(found.hub_id, frozenset())
        # A listing that lacks everything is not believed, even where everything is gone.
        unbelieved = (found.system, found.object) in history.unbelieved
        assert unprovable or unbelieved, f"inv 16: the delete of {place} was never noticed"
        return
    assert found.state is BindingState.ACTIVE, f"inv 2: {place} is {found.state} for good"
    if (found.system, found.native_id) not in facts.unread:
        _check_fields(family, stored, found, row.fields)


def _check_fields(family: Family, stored: Stored, found: Binding, native: Any) -> None:
    world, facts = family.world, family.facts
    spec, golden = world.spec(found.system), stored.golden
    object_ = str(found.object)
    mapping, pointers = world.mapping_at(found.system, object_), references_of(golden.entity)
    table = world.systems[found.system].table(object_)
    shown = mapping.to_canonical(object_, {n: native.get(n) for n in mapping.native_fields(object_)}).fields
    refused = facts.refused.get((found.system, found.hub_id), set())
    frozen = facts.frozen.get(found.hub_id, frozenset())
    base = stored.bases.get(found.binding_id)
    for name in sorted(set(mapping.in_fields(object_)) & set(mapping.out_fields(object_))):
        there, here = family.owner(found.system, shown.get(name)), golden.fields.get(name)
        if name in pointers and family.explains(found.system, str(found.native_id), name, shown.get(name), here):
            continue
        if there == here or name in frozen or name in refused or "" in refused:
            continue
        if set(natives_of(mapping, object_, name)) & table.hidden_fields:
            continue
        known: BaseField | None = base.get(name) if base is not None else None
        if here is None and name not in mapping.clearable(object_):
            continue  # declared: the system's field is never cleared
        if there is None and not spec.can.returns_nulls:
            continue  # declared: the system does not show that a field was emptied
        rewritten = known is not None and known.agreed == here and known.seen == there
        assert rewritten, (
            f"inv 2: {found.system} {found.native_id} shows {name}={there!r}, the golden record {found.hub_id} "
            f"has {here!r}; base {known and (known.agreed, known.sent, known.seen)} dirty={found.dirty}"
        )


def check_known(family: Family, system: str, native_id: str) -> None:
    """Every live record is bound, or a person is asked about it, or it is held out or waits (16, 11)."""
    world, facts = family.world, family.facts
    object_, fields = world.live(system)[native_id]
    if native_id in world.systems[system].table(object_).hidden_records:
        return
    if (system, native_id) in facts.asked_natives or (system, native_id) in facts.unread:
        return
    found = facts.bound.get((system, native_id))
    if found is None and family.check_waiting(system, native_id):
        return
    assert found is not None, f"inv 16: {system} {native_id} was never taken in"
    who, golden = world.identity(system, native_id, fields), world.who_is(found.hub_id)
    assert not who or not golden or world.same(who, golden), f"inv 15: {system} {native_id} ({who}) linked to {golden}"


@dataclass(frozen=True, slots=True)
class Edit:
    """Is one value that a person put into a system, and what happened to the record there afterwards."""

    system: str
    native_id: str
    field: str
    value: Any
    before: Any
    at: float
    overtaken: bool


def edits_of(world: World) -> list[Edit]:
    """Reads from the systems' logs what people changed; an edit is `overtaken` by a later one or by a delete."""
    found: list[Edit] = []
    for name, system in world.systems.items():
        states: dict[str, dict[str, Any]] = defaultdict(dict)
        touched: dict[tuple[str, str], int] = {}
        ended: dict[str, int] = {}
        rows: list[tuple[int, str, str, Any, Any, float]] = []
        for place, commit in enumerate(system.log):
            if commit.hub_id is None and commit.op in ("delete", "merge"):
                ended[commit.native_id] = place
            mapping = world.mapping_at(name, commit.object)
            named = mapping.out_fields(commit.object)
            readable = {native for name_ in named for native in natives_of(mapping, commit.object, name_)}
            shown = {native: value for native, value in commit.fields.items() if native in readable}
            joint = [natives for n in named if len(natives := natives_of(mapping, commit.object, n)) > 1]
            for natives in joint:
                if shown.keys() & set(natives):
                    shown = dict.fromkeys(natives) | shown
            if commit.op == "create":
                shown = dict.fromkeys(readable) | shown
            for field_, value in mapping.to_canonical(commit.object, shown).fields.items():
                if field_ not in named:
                    continue
                before = states[commit.native_id].get(field_)
                states[commit.native_id][field_] = value
                if commit.hub_id is None and value != before:
                    touched[commit.native_id, field_] = place
                    rows.append((place, commit.native_id, field_, value, before, commit.at - system.clock.skew))
        for place, native_id, field_, value, before, at in rows:
            later = touched[native_id, field_] > place or ended.get(native_id, -1) > place
            found.append(Edit(name, native_id, field_, value, before, at, later))
    return found


def check_edits(history: History, family: Family) -> None:
    """No edit is lost (7) and no value is invented (8)."""
    world, facts = history.world, family.facts
    origins: dict[tuple[str, str], list[Any]] = defaultdict(list)
    edits = [
        replace(each, value=family.owner(each.system, each.value), before=family.owner(each.system, each.before))
        for each in edits_of(world)
    ]
    # Tags are merged one by one: what somebody took away anywhere may be missing.
    gone = {tag for edit in edits if edit.field == "tags" for tag in set(edit.before or ()) - set(edit.value or ())}
    if any(name == "tags" for _, name, _ in history.edits):
        gone |= {tag for edit in edits if edit.field == "tags" for tag in edit.value or ()}
    for edit in edits:
        found = facts.bound.get((edit.system, edit.native_id))
        # What a record held that was merged away is known of the record that inherited its binding, and of the one
        # that it stood for before.
        heir = found or facts.bound.get((edit.system, merged_into(world, edit.system, edit.native_id)))
        left = family.former.get((edit.system, edit.native_id))
        for hub_id in {left, None if heir is None else heir.hub_id} - {None}:
            origins[facts.heir(str(hub_id)), edit.field] += [edit.value, edit.before]
        waits = (edit.system, edit.native_id, edit.field) in family.awaited
        if not edit.overtaken and not waits and not is_native_ref(edit.value):
            check_edit(world, facts, edit, found, gone)
    for (hub_id, name), value in history.given.items():
        origins[facts.heir(hub_id), name].append(facts.heir(value) if isinstance(value, str) else value)
    for hub_id, name, value in [*history.edits, *history.answers]:
        golden = facts.stored[facts.heir(hub_id)].golden
        raw, value = value, canonical_value(name, value, golden.entity)
        value = facts.heir(value) if isinstance(value, str) else value
        origins[golden.hub_id, name].append(value)
        kept = [golden.fields.get(name), *facts.kept(hub_id, name)]
        kept = [facts.heir(each) if isinstance(each, str) else each for each in kept]
        if (hub_id, name, raw) in history.edits:
            assert name == "tags" or value in kept, f"inv 7: the hub's edit {name}={value!r} of {hub_id} is lost"
    for hub_id, stored in facts.stored.items():
        for name, value in stored.golden.fields.items() if hub_id not in facts.heirs else ():
            if name in SAID_BY_OBJECT or name == LAST_VISIT.target:
                continue
            known = origins[hub_id, name]
            if name == "tags":
                sources = {tag for each in known if each for tag in each}
                assert sources.issuperset(value or ()), f"inv 8: {hub_id} has invented tags {value!r} out of {sources}"
            else:
                known = known + [form for each in known for form in rewritten(world, name, each)]
                assert value in known, f"inv 8: nobody ever set {name}={value!r} of {hub_id}; known: {known}"


def rewritten(world: World, name: str, value: Any) -> list[Any]:
    """Returns what the systems' rewrite rules make of a value: a form that only the systems held."""
    found = []
    for system, spec in ((world.systems[spec.name], spec) for spec in world.specs):
        for object_, table in system.tables.items():
            for native in natives_of(world.mapping_at(spec.name, object_), object_, name):
                if native in table.rewrites:
                    found.append(table.rewrites[native](value))
    return found


def check_edit(world: World, facts: Facts, edit: Edit, found: Binding | None, gone: set[str]) -> None:
    """One person's last word about a field in a system: final, kept as a loser, or waiting in a question."""
    if found is None or (edit.system, edit.native_id) in facts.unread:
        return  # check_known has asked why
    spec, object_ = world.spec(edit.system), str(found.object)
    table = world.systems[edit.system].table(object_)
    natives = set(natives_of(world.mapping_at(edit.system, object_), object_, edit.field))
    if edit.native_id in table.hidden_records or natives & table.hidden_fields:
        return
    if edit.value is None and not spec.can.returns_nulls:
        return
    joined_at = max(
        facts.joined_at.get((edit.system, edit.native_id), 0.0), facts.rebound_at.get((edit.system, found.hub_id), 0.0)
    )
    if edit.value is None and edit.at <= joined_at:
        return  # who joins with an empty field is filled; nobody knew that it was emptied on purpose
    base = facts.stored[found.hub_id].bases.get(found.binding_id)
    golden = facts.stored[facts.heir(found.hub_id)].golden.fields.get(edit.field)
    if edit.field == "tags":
        there = set(golden or ())
        if found.hub_id in facts.heirs:
            there |= {tag for each in facts.kept(found.hub_id, "tags") for tag in each or ()}
        assert edit.value is None or set(edit.value) - set(edit.before or ()) <= there | gone, (
            f"inv 7: tags added in {edit.system} {edit.native_id} of {found.hub_id} are lost: {edit.value} {golden}"
        )
        return
    known = base.get(edit.field) if base is not None else None
    kept = [golden, *facts.kept(found.hub_id, edit.field)]
    kept = [facts.heir(each) if isinstance(each, str) else each for each in kept]
    assert edit.value in kept or (known is not None and known.knows(edit.value)), (
        f"inv 7: {edit.field}={edit.value!r} set in {edit.system} {edit.native_id} of {found.hub_id} is lost: "
        f"golden {golden!r}, kept {kept[1:]}"
    )


def check_bystanders(world: World) -> None:
    """What the hub was not asked to change is as it was (22)."""
    for name, system in world.systems.items():
        for commit in system.writes:
            mapping, object_ = world.mapping_at(name, commit.object), commit.object
            named = [*mapping.out_fields(object_), *mapping.create_fields(object_)]
            writable = {n for field_ in named for n in natives_of(mapping, object_, field_)}
            foreign = set(commit.fields) - writable - {KEY_FIELDS[world.spec(name).kind]}
            assert not foreign, f"inv 22: {name} {commit.native_id} was written {foreign}"
        for object_, table in system.tables.items():
            for native_id, versions in table.rows.items():
                for own in BYSTANDERS:
                    values = {row.fields.get(own) for row in versions}
                    assert len(values) == 1, f"inv 22: {own} of {name} {object_} {native_id} changed"


def check_deletes(world: World) -> None:
    """Each remote delete follows a delete by a person elsewhere, under the rule that spreads deletes (12, 14)."""
    with world.engine.connect() as conn:
        rows = conn.execute(sa.text("SELECT hub_id, system, native_id FROM binding WHERE native_id IS NOT NULL")).all()
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for hub_id, name, native_id in rows:
        places[hub_id].append((name, native_id))
    for name, commit in world.writes():
        if commit.op != "delete":
            continue
        assert world.settings.on_delete == "propagate", f"inv 12: {name} {commit.native_id} deleted under no rule"
        causes = [
            other
            for place, native_id in places[str(commit.hub_id)]
            for other in world.systems[place].log
            if place != name
            and other.native_id == native_id
            and other.hub_id is None
            and other.op in ("delete", "merge")
        ]
        assert causes, f"inv 12: {name} {commit.native_id} was deleted though nobody deleted it elsewhere"


def check_tampering(rows: list[RowTuple], rng: Random) -> None:
    """A row that was altered, removed or moved fails the verification (31)."""
    place = rng.randrange(len(rows) - 1)
    epoch, seq, body, leaf, link = rows[place]
    altered = (epoch, seq, body.replace(b'"act"', b'"Act"'), leaf, link)
    start = max(0, place - 1)
    before = verify(rows[:start]).head
    window = rows[start : place + 3]
    at = place - start
    for tampered in (
        [*window[:at], altered, *window[at + 1 :]],
        [*window[:at], *window[at + 1 :]],
        [*window[:at], window[at + 1], window[at], *window[at + 2 :]],
    ):
        assert not verify(tampered, before).ok, f"inv 31: nobody noticed what was done to row {place}"


_TRIGGERS = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entry'")


def check_tail(world: World) -> None:
    """A log that lost its newest rows verifies by itself, but not against the anchor kept outside the store (31)."""
    with world.engine.connect() as conn:
        anchor = Anchor(TENANT, *_newest(conn), world.clock.now())
        assert holds(conn, anchor), "inv 31: the anchor does not hold its own log"
        # Whoever cuts the log in the database also takes away the trigger that forbids it.
        for name in conn.execute(_TRIGGERS).scalars().all():
            conn.exec_driver_sql(f"DROP TRIGGER {name}")
        conn.execute(sa.text("DELETE FROM audit_entry WHERE seq = :seq"), {"seq": anchor.seq})
        assert verify(audit_rows(conn)).ok
        assert not holds(conn, anchor), "inv 31: nobody noticed that the newest row is gone"
        conn.rollback()


def _newest(conn: sa.Connection) -> tuple[int, int, str]:
    epoch, seq, chain = head_of(conn)
    return epoch, seq, chain.hex()


def check_secrets(history: History) -> None:
    """What people entered stands nowhere in the store but sealed, and in no message (30).

    The whole database is searched byte by byte: every column, the audit rows, and pages that are free by now.
    """
    world = history.world
    with world.engine.connect() as conn:
        dump = conn.connection.driver_connection.serialize()  # type: ignore[union-attr]
    said = "\n".join(history.said)
    for value in planted(world):
        assert value.encode() not in dump, f"inv 30: {value[:2]}… stands in the store"
        assert value not in said, f"inv 30: {value[:2]}… was said in a report or a log"
    for _, _, body, _, _ in _log(world):
        assert not _PERSONAL.search(body), "inv 30: an audit row holds a personal value"


_PERSONAL = re.compile(rb"Person \d\d|Renamed \d\d|\+86138|\+86139|ID0\d{4}")


def _log(world: World) -> list[RowTuple]:
    with world.engine.connect() as conn:
        return list(audit_rows(conn))


def planted(world: World) -> set[str]:
    """Returns the personal values and identity numbers that anybody ever put into a system."""
    found: set[str] = set()
    for name, system in world.systems.items():
        for commit in system.log:
            mapping = world.mapping_at(name, commit.object)
            fields = schema().entity(ENTITY_OF[commit.object]).fields
            for field_ in mapping.out_fields(commit.object):
                if fields[field_].klass not in ("C2", "C3", "-") or field_ in references_of(ENTITY_OF[commit.object]):
                    continue
                values = (commit.fields.get(native) for native in natives_of(mapping, commit.object, field_))
                found.update(value for value in values if isinstance(value, str) and len(value) > 5)
    return found


def check_audit(world: World) -> None:
    """The log verifies, and each effective remote write has one event (31)."""
    said: Counter[tuple[str, str, str]] = Counter()
    unproven: Counter[tuple[str, str, str]] = Counter()
    with world.engine.connect() as conn:
        rows = list(audit_rows(conn))
    verdict = verify(rows)
    assert verdict.ok, f"inv 31: the audit log is broken at {verdict.first_bad}"
    check_tampering(rows, Random(f"tampering:{world.seed}"))
    for row in rows:
        body = orjson.loads(row[2])
        if body["act"].startswith("remote."):
            key = body["obj"]["connection"], body["obj"]["id"], body["act"]
            if body["outcome"] == "success":
                said[key] += 1
            elif body.get("reason") == "recovered":
                unproven[key] += 1
    done: Counter[tuple[str, str, str]] = Counter()
    for name, commit in world.writes():
        done[name, str(commit.hub_id), HUB_ACTS[commit.op]] += 1
    for key, number in done.items():
        # An update whose answer was lost and whose value was changed again proves nothing: its event says so.
        assert said[key] <= number <= said[key] + unproven[key], f"inv 31: {number} writes {key}, {said[key]} events"
    for key, number in said.items():
        assert done[key] >= number, f"inv 31: {number} events {key} for {done[key]} writes"
