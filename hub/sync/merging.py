"""Carries out merges of golden records that people accepted, and lets what points at the losers point at the survivors.

One commit moves both records: the survivor takes the loser's values by their policies and its places in the systems
where it has none. Where both have one, the loser's is superseded: it lives on, nothing flows back from it, and people
are to merge it in its system. Where the loser was merged away its binding is detached and keeps the dead native id, so
that no late page makes a record of it again.

What points at a loser belongs to other entities, under leases of their own: each finds it when it next takes in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub.canonical.values import Value
from hub.core.base import settle_base
from hub.core.fates import JOIN, MERGE, Act
from hub.core.merge_golden import merge_golden
from hub.core.parts import MAIN
from hub.core.plan import Action, RecordPlan
from hub.core.state import (
    HUB,
    Base,
    BaseField,
    Binding,
    BindingState,
    FieldChange,
    GoldenRecord,
    GoldenState,
    Kind,
    Maybe,
    Side,
    Snapshot,
)
from hub.kernel.clock import iso
from hub.kernel.failpoints import hit
from hub.store import history, inbox, intents, matches, merges, quarantine, questions, records
from hub.store.inbox import Queued, Wait
from hub.store.questions import Question
from hub.store.records import Stored, Write
from hub.store.unit_of_work import UnitOfWork
from hub.sync.engine import RunContext
from hub.sync.moves import follow, remind_of
from hub.sync.parts import part_name
from hub.sync.rollup import note
from hub.sync.trail import bound_event, changed_event, merged_event

_PLACED = (BindingState.ACTIVE, BindingState.DOOMED)
Taken = set[tuple[str, str]]
"""Are the places, (system, part), that the survivor takes over."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Is a merge under way: both records as stored, what waits of them, and the question that was answered."""

    question: Question
    by: str
    loser: Stored
    survivor: Stored
    rows: Mapping[str, Sequence[Queued]]
    asked: Mapping[str, Sequence[Question]]

    def waits(self, hub_id: str, bound: Binding) -> Queued | None:
        place = (bound.system, bound.object, bound.native_id)
        found = (row for row in self.rows.get(hub_id, ()) if (row.system, row.object, row.native_id) == place)
        return next(found, None)


def carry_out(run: RunContext) -> int:
    """Carries out what people accepted, one merge a commit; returns how many records moved.

    A merge waits while anything about the two is still to be read or a write to either is uncertain.
    """
    with run.store.read() as conn:
        accepted = merges.proposed(conn, run.entity, "decided")
    moved = 0
    for hub_id in accepted:
        with run.store.begin(run.held) as work:
            moved += _carry_out(run, work, hub_id)
        hit("golden_merged")
    return moved


def _carry_out(run: RunContext, work: UnitOfWork, loser: str) -> int:
    records.load_subjects(work.conn, run.ring, [loser])
    found = questions.load(work.conn, run.ring, "hold", hub_ids=[loser], states=("decided",))
    question = next((item for item in found if item.rule == MERGE), None)
    answer = None if question is None else questions.resolutions(run.ring, [question]).get("*")
    if question is None or answer is None or answer.value != JOIN:
        return 0
    heir = str(question.candidates[0][1])
    pair = _load(run, work, question, heir)
    if pair is None or pair.survivor.golden.state in (GoldenState.MERGED, GoldenState.ERASED):
        # The survivor is gone itself by now: the question is asked anew.
        inbox.wake(work, [loser])
        return 1
    if _unsettled(work, pair):
        run.tally.add("waiting_merge")
        return 0
    _merge(run, work, pair)
    run.tally.add("golden_merged")
    return 1


def _load(run: RunContext, work: UnitOfWork, question: Question, heir: str) -> _Pair | None:
    both = [question.hub_id, heir]
    stored = records.load(work.conn, run.ring, both)
    if len(stored) < len(both):
        return None
    asked: dict[str, list[Question]] = {}
    for kind in ("conflict", "hold"):
        for item in questions.load(work.conn, run.ring, kind, hub_ids=both):
            asked.setdefault(item.hub_id, []).append(item)
    by = questions.answered_by(work.conn, question)
    return _Pair(question, by, stored[question.hub_id], stored[heir], inbox.by_hub(work.conn, both), asked)


def _unsettled(work: UnitOfWork, pair: _Pair) -> bool:
    if any(row.state is Wait.NEW for rows in pair.rows.values() for row in rows):
        return True
    return bool(intents.open_bindings(work.conn, [b.binding_id for b in pair.loser.bindings + pair.survivor.bindings]))


def _merge(run: RunContext, work: UnitOfWork, pair: _Pair) -> None:
    loser, survivor = pair.loser.golden, pair.survivor.golden
    taken = _taken(run, pair)
    sides = tuple(_sides(run, pair, taken))
    plan = merge_golden(
        Snapshot(survivor, sides),
        loser,
        replace(run.policy, computed=frozenset(n for n, f in run.rules.entity.fields.items() if f.computed)),
        iso(run.clock.now()),
        asked={item.field: item.candidates for item in pair.asked.get(loser.hub_id, ()) if item.field != "*"},
        frozen=frozenset(item.field for item in pair.asked.get(survivor.hub_id, ())),
        references=frozenset(run.rules.pointers),
    )
    ended = replace(loser, state=GoldenState.MERGED, revision=loser.revision + 1)
    records.write(work, [_left(run, pair, ended, taken)])
    records.write(work, [_kept(run, pair, sides, plan)])
    merges.keep(work, run.entity, loser.hub_id, survivor.hub_id, pair.question.system, pair.by, run.run_id)
    _leave_places(run, work, pair, taken)
    _settle_inbox(run, work, pair, plan, taken)
    _settle_evidence(run, work, pair, plan)
    history.keep(work, run.run_id, [(plan.golden, plan.changes)])
    note(run, work, [plan.golden])
    _audit(run, work, pair, plan, taken)


def _taken(run: RunContext, pair: _Pair) -> Taken:
    """Returns the places of the loser that the survivor takes: main records and parts that it has not itself."""
    taken = {(system, MAIN) for system in run.links if _takes(pair, system)}
    for theirs in pair.loser.bindings:
        if theirs.part == MAIN or theirs.native_id is None or not _lives(pair, theirs):
            continue
        main, own = _at(pair.survivor, theirs.system), _at(pair.survivor, theirs.system, theirs.part)
        stands = (theirs.system, MAIN) in taken or (main is not None and _lives(pair, main))
        if stands and (own is None or own.native_id is None or own.state is BindingState.DETACHED):
            taken.add((theirs.system, theirs.part))
    return taken


def _takes(pair: _Pair, system: str) -> bool:
    """Tells whether the survivor takes the loser's place in a system: it has none, or its own became the loser's."""
    theirs, own = _at(pair.loser, system), _at(pair.survivor, system)
    if theirs is None or not _lives(pair, theirs):
        return False
    if own is None or own.native_id is None or own.state is BindingState.DETACHED:
        return True
    row = pair.waits(pair.survivor.golden.hub_id, own)
    return row is not None and row.kind is Kind.MERGED and row.survivor == theirs.native_id


def _lives(pair: _Pair, bound: Binding) -> bool:
    """Tells whether a record stands in its system, as far as anybody knows."""
    row = pair.waits(bound.hub_id, bound)
    return bound.state in _PLACED and (row is None or row.kind is Kind.UPSERT)


def _at(stored: Stored, system: str, part: str = MAIN) -> Binding | None:
    return next((bound for bound in stored.bindings if bound.system == system and bound.part == part), None)


def _sides(run: RunContext, pair: _Pair, taken: Taken) -> list[Side]:
    """Returns the survivor's sides; a place taken over comes with what the loser had agreed to there."""
    sides = []
    hub_id = pair.survivor.golden.hub_id
    every = (*pair.survivor.bindings, *pair.loser.bindings)
    for system, part in dict.fromkeys((each.system, each.part) for each in every if each.system in run.links):
        link, inherited = run.links[system], (system, part) in taken
        source = pair.loser if inherited else pair.survivor
        bound = _at(source, system, part)
        if bound is None:
            continue
        base = link.base_of(bound, source.golden, source.bases.get(bound.binding_id))
        scope = link.scope(bound.object)
        if inherited:
            base = settle_base(base, source.golden, scope.readable | scope.writable, {})
            bound = replace(
                bound,
                binding_id=records.binding_id(hub_id, system, part),
                hub_id=hub_id,
                state=BindingState.ACTIVE,
                stamped=False,
            )
        shows = link.shows_empty(bound.object)
        limits = link.limits_of(bound.object)
        sides.append(Side(bound, base, None, scope.readable, scope.writable, scope.clearable, shows, **limits))
    return sides


def _left(run: RunContext, pair: _Pair, ended: GoldenRecord, taken: Taken) -> Write:
    """Returns the loser after the merge: a place given up, superseded where it lives on, detached where it is gone."""
    bindings = tuple(_left_binding(pair, bound, taken) for bound in pair.loser.bindings)
    bases: dict[str, Base | None] = {
        bound.binding_id: None if (bound.system, bound.part) in taken else pair.loser.bases.get(bound.binding_id)
        for bound in bindings
    }
    return Write(pair.loser, ended, bindings, bases, run.rules.facets(ended.fields), run.rules.pointers)


def _left_binding(pair: _Pair, bound: Binding, taken: Taken) -> Binding:
    if (bound.system, bound.part) in taken:
        return replace(bound, native_id=None, state=BindingState.DETACHED, dirty=False)
    state = BindingState.SUPERSEDED if _lives(pair, bound) else BindingState.DETACHED
    return replace(bound, state=state, dirty=False)


def _kept(run: RunContext, pair: _Pair, sides: Sequence[Side], plan: RecordPlan) -> Write:
    moved = {side.binding.binding_id for side in sides}
    others = tuple(item for item in pair.survivor.bindings if item.binding_id not in moved)
    revision = plan.golden.revision
    bindings = tuple(replace(planned.binding, agreed_revision=revision) for planned in plan.sides)
    bases = {planned.binding.binding_id: planned.base for planned in plan.sides}
    bases |= {item.binding_id: pair.survivor.bases.get(item.binding_id) for item in others}
    facets = run.rules.facets(plan.golden.fields)
    return Write(pair.survivor, plan.golden, bindings + others, bases, facets, run.rules.pointers)


def _leave_places(run: RunContext, work: UnitOfWork, pair: _Pair, taken: Taken) -> None:
    """Lets children follow where the survivor left a place of its own for the loser's."""
    hub_id = pair.survivor.golden.hub_id
    mains = (_at(pair.survivor, system) for system, part in taken if part == MAIN)
    left = [bound for bound in mains if bound and bound.native_id is not None]
    if left:
        follow(run, work, [(hub_id, bound) for bound in left])


def _settle_inbox(run: RunContext, work: UnitOfWork, pair: _Pair, plan: RecordPlan, taken: Taken) -> None:
    """Hands what waited at places taken over to the survivor, drops the rest of the loser, and thinks again."""
    loser, survivor = pair.loser.golden.hub_id, plan.golden
    subject_id = survivor.subject_id
    rows = pair.rows.get(loser, ())
    opened = [inbox.open_row(run.ring, row) for row in rows]
    inbox.consume(work, [row.obs_id for row in rows])
    handed: list[dict[str, Any]] = [
        inbox.seal_row(run.ring, replace(item, version=None), survivor.hub_id, subject_id, run.run_id, work.now)
        for item in opened
        if item.kind is Kind.UPSERT and (item.system, part_name(run.links[item.system], item.object)) in taken
    ]
    passed = [bound for system, part in taken if (bound := _at(pair.survivor, system, part)) is not None]
    stale = [row.obs_id for bound in passed if (row := pair.waits(survivor.hub_id, bound)) is not None]
    inbox.consume(work, stale)
    inbox.stage(work, handed)
    # What is asked about the survivor, and whether others are one of these two, is to be thought over again.
    inbox.wake(work, [survivor.hub_id, *merges.proposed(work.conn, run.entity, "open")])


def _settle_evidence(run: RunContext, work: UnitOfWork, pair: _Pair, plan: RecordPlan) -> None:
    """Ends what was asked and held out of the loser, and lets nobody match to it any more."""
    loser = pair.loser.golden
    questions.reconcile(work, run.run_id, loser, pair.asked.get(loser.hub_id, ()), (), ())
    # Whether the survivor is the loser need not be asked either, where another system merged them the other way round.
    mutual = [q for q in pair.asked.get(plan.golden.hub_id, ()) if q.rule == MERGE and _names(q) == {loser.hub_id}]
    questions.reconcile(work, run.run_id, plan.golden, mutual, (), ())
    quarantine.clear_record(work, loser.hub_id)
    for bound in (*pair.loser.bindings, *pair.survivor.bindings):
        if bound.part != MAIN and bound.native_id is not None:
            # Where it points at is judged anew when it is next read.
            quarantine.clear(work, bound.system, str(bound.object), [bound.native_id], quarantine.INBOUND)
    matches.drop_keys(work, [loser.hub_id])
    if run.rules.keyed(pair.survivor.golden, plan.golden):
        keys = run.rules.standing_keys(run.ring, plan.golden.fields)
        matches.put_keys(work, run.entity, matches.GOLDEN, {plan.golden.hub_id: keys})


def _names(question: Question) -> set[Value]:
    return {value for _, value in question.candidates}


def _audit(run: RunContext, work: UnitOfWork, pair: _Pair, plan: RecordPlan, taken: Taken) -> None:
    loser, survivor = pair.loser.golden, plan.golden.hub_id
    work.audit(merged_event(run, loser, survivor, pair.question.system, pair.by))
    if plan.changes:
        work.audit(changed_event(run, plan.golden, plan.changes))
    for bound in pair.loser.bindings:
        if (bound.system, bound.part) in taken:
            work.audit(bound_event(run, loser.hub_id, Action(Act.REBIND, bound.system, "merged"), survivor))
        elif bound.native_id is not None and bound.state is not BindingState.DETACHED:
            work.audit(bound_event(run, loser.hub_id, Action(Act.MERGE_GOLDEN, bound.system, "merged"), survivor))


def repoint(run: RunContext) -> int:
    """Lets the records of this entity that point at a merged one point at its heir; returns how many.

    The golden record and what its bases agreed to take the new name, so that nobody's edit is read out of it. Where a
    system shows the place of the loser, the reference is owed to it by a note, as after any move.
    """
    done = 0
    while True:
        with run.store.read() as conn:
            rows = merges.pointing(conn, run.entity, run.page)
        if not rows:
            return done
        moved: dict[str, dict[str, tuple[str, str]]] = {}
        for row in rows:
            moved.setdefault(row.hub_id, {})[row.field] = (row.parent_id, row.heir_id)
        with run.store.begin(run.held) as work:
            _repoint(run, work, moved)
        hit("children_repointed")
        done += len(moved)


def _repoint(run: RunContext, work: UnitOfWork, moved: Mapping[str, Mapping[str, tuple[str, str]]]) -> None:
    stored = records.load(work.conn, run.ring, list(moved))
    renamed = [_renamed(run, stored[hub_id], names) for hub_id, names in moved.items()]
    records.write(work, [write for write, _ in renamed])
    history.keep(work, run.run_id, [(write.golden, changes) for write, changes in renamed])
    note(run, work, [write.golden for write, _ in renamed])
    for write, changes in renamed:
        work.audit(changed_event(run, write.golden, changes))
    losers = {loser for names in moved.values() for loser, _ in names.values()}
    left = {(b.hub_id, b.system) for b in records.load_bindings(work.conn, sorted(losers)) if b.native_id is not None}
    for system in run.links:
        pointing = {
            (hub_id, run.entity): {n: heir for n, (loser, heir) in names.items() if (loser, system) in left}
            for hub_id, names in moved.items()
            if any((loser, system) in left for loser, _ in names.values()) and _stands(stored[hub_id], system)
        }
        remind_of(run, work, system, pointing)
    run.tally.add("followed_heirs", len(moved))


def _stands(stored: Stored, system: str) -> bool:
    bound = _at(stored, system)
    return bound is not None and bound.native_id is not None


def _renamed(
    run: RunContext, stored: Stored, names: Mapping[str, tuple[str, str]]
) -> tuple[Write, tuple[FieldChange, ...]]:
    golden = stored.golden
    # Who pointed at the record that it was merged with points at nobody.
    now: dict[str, Value] = {n: None if heir == golden.hub_id else heir for n, (_, heir) in names.items()}
    changes = tuple(FieldChange(name, golden.fields.get(name), now[name], HUB) for name in sorted(names))
    fields = {name: value for name, value in {**golden.fields, **now}.items() if value is not None}
    after = replace(
        golden, fields=fields, origins={**golden.origins, **dict.fromkeys(now, HUB)}, revision=golden.revision + 1
    )
    bases = {key: base and _renamed_base(base, names, now) for key, base in stored.bases.items()}
    return Write(stored, after, stored.bindings, bases, run.rules.facets(fields), run.rules.pointers), changes


def _renamed_base(base: Base, names: Mapping[str, tuple[str, str]], now: Mapping[str, Value]) -> Base:
    made = dict(base)
    for name, (loser, _) in names.items():
        known = base.get(name)
        if known is not None:
            agreed, sent, seen = (_named(value, loser, now[name]) for value in (known.agreed, known.sent, known.seen))
            made[name] = BaseField(agreed, sent, seen, known.rule)
    return made


def _named(value: Maybe, loser: str, heir: Value) -> Maybe:
    return heir if value == loser else value


__all__ = ["carry_out", "repoint"]
