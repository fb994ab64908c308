"""Takes the inbox in: loads what is known of the touched records, plans each, and writes a batch in one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from hub.canonical.values import Value
from hub.core.parts import MAIN
from hub.core.plan import Act, EntityPolicy, OnDelete, plan_record
from hub.core.state import (
    HUB,
    UNSET,
    Base,
    BaseField,
    Binding,
    BindingState,
    GoldenRecord,
    Kind,
    Observation,
    Resolution,
    Side,
    Snapshot,
)
from hub.kernel.clock import iso
from hub.kernel.failpoints import hit
from hub.store import history, inbox, matches, merges, questions, records, references
from hub.store.database import Connection
from hub.store.inbox import Queued, Wait
from hub.store.questions import Question
from hub.store.records import Stored, binding_id
from hub.store.unit_of_work import UnitOfWork
from hub.sync.backfill import half_read
from hub.sync.batch import Loaded, Outcome, settle_heirs, settle_inbox, settle_keys, settle_moves, settle_parts
from hub.sync.engine import CUT_SHORT, RunContext
from hub.sync.heirs import silence_merged, survivors_of, taken_over, untwin
from hub.sync.identify import Identity, identify, note_decisions
from hub.sync.merging import carry_out, repoint
from hub.sync.moves import stray, strayed_by
from hub.sync.parts import claim, fresh_parts
from hub.sync.rebuild import base_of_stamped, recognise, stamped
from hub.sync.references import follow_heirs, split, wake
from hub.sync.rollup import edits_of, note
from hub.sync.survivors import find_survivors
from hub.sync.trail import bound_event, changed_event, created_event
from hub.sync.writes import write_of


def take_in(run: RunContext, shut: Iterable[str] = ()) -> int:
    """Consumes the inbox of every system but the `shut` ones; returns how many records were planned."""
    closed = frozenset(shut)
    wake(run)
    with run.store.read() as conn:
        new = inbox.depth(conn, run.entity).get(Wait.NEW.value)
        half = half_read(run, conn)
    if half:
        # A namesake may be on a page that was not read yet: nobody is matched to anybody until then.
        return _consume(run, closed, lambda row: row.hub_id is not None) if new else 0
    planned = 0
    if new and run.rebuild is not None:
        # Who carries a hub id is bound before anybody is judged by evidence.
        planned = _consume(run, closed, stamped)
    if new and not run.cut_short():
        planned += _consume(run, closed)
    if run.cut_short():
        return planned
    # Records of this entity that point at each other are known by now, and so is everything said of merged ones.
    again = [new and wake(run), carry_out(run), repoint(run), claim(run)]
    return planned + _consume(run, closed) if any(again) else planned


def _consume(run: RunContext, closed: frozenset[str], only: Callable[[Queued], bool] = lambda row: True) -> int:
    planned = 0
    for system in (*run.systems(), HUB):
        after = ""
        while system not in closed:
            with run.store.read() as conn:
                rows = inbox.queue_page(conn, run.entity, system, after, run.page)
            if not rows:
                break
            after = rows[-1].obs_id
            rows = [row for row in rows if only(row) and not _aside(run, row)]
            if not rows:
                continue
            planned += _take_batch(run, system, rows, closed)
            run.progress("merge", system, len(rows))
            if run.turn.used_up():
                run.tally.add(CUT_SHORT)
                return planned
    return planned


def _aside(run: RunContext, row: Queued) -> bool:
    """Tells whether a row is a side record that is nobody's part yet: `claim` decides about it."""
    return row.hub_id is None and row.system in run.links and run.links[row.system].mapping.part(row.object) is not None


def _strayed_part(run: RunContext, row: Queued) -> bool:
    """Tells whether a row is of a part that points elsewhere than at its main record."""
    link = run.links.get(row.system)
    return row.state is Wait.PARKED and link is not None and link.mapping.part(row.object) is not None


def _take_batch(run: RunContext, system: str, rows: Sequence[Queued], closed: frozenset[str]) -> int:
    with run.store.read() as conn:
        loaded = _load(run, conn, system, rows, closed)
    computed = frozenset(name for name, field in run.rules.entity.fields.items() if field.computed)
    policy = replace(run.policy, survivors=loaded.survivors, computed=computed)
    outcomes = [_plan(run, policy, loaded, hub_id) for hub_id in loaded.seen]
    asked = {
        (system, item.observation.object, item.observation.native_id): item.asked
        for item in loaded.identities
        if item.hub_id is None
    }
    with run.store.begin(run.held) as work:
        taken = taken_over(outcomes, loaded)
        for system, object_, native_id in taken:
            merges.release(work, system, object_, [native_id])
        records.write(work, [write_of(run, outcome, taken) for outcome in outcomes])
        history.keep(work, run.run_id, [(o.plan.golden, o.plan.changes) for o in outcomes if o.before is not None])
        _settle_questions(run, work, outcomes, loaded.asked)
        settle_inbox(run, work, outcomes, loaded)
        settle_heirs(work, outcomes)
        settle_moves(run, work, outcomes, loaded)
        settle_parts(work, outcomes)
        settle_keys(run, work, outcomes)
        matches.drop_keys(work, loaded.late)
        run.tally.add("questions", matches.ask(work, run.entity, run.run_id, asked))
        note_decisions(run, work, loaded.identities)
        records.place_new(work, run.entity, run.systems())
        note(run, work, [o.plan.golden for o in outcomes if o.before is None or o.plan.changes])
        for outcome in outcomes:
            _audit(run, work, outcome)
    hit("batch_taken_in")
    _count(run, outcomes)
    return len(outcomes)


def _load(run: RunContext, conn: Connection, system: str, rows: Sequence[Queued], closed: frozenset[str]) -> Loaded:
    loaded = Loaded()
    unbound = [inbox.open_row(run.ring, row) for row in rows if row.hub_id is None]
    late = _bound_meanwhile(conn, system, unbound)
    loaded.late = list(late)
    unbound = [item for item in unbound if item.obs_id not in late]
    first = split(run, system, conn, unbound, known=False)
    loaded.marks, loaded.strayed = first.marks, first.strayed
    if unbound:
        loaded.identities = recognise(run, conn, system, identify(run, conn, system, unbound))
    loaded.linked = {item.hub_id: item for item in loaded.identities if item.hub_id is not None}
    bound = [row.hub_id or late[row.obs_id][0] for row in rows if row.hub_id is not None or row.obs_id in late]
    hub_ids = list(dict.fromkeys([*bound, *loaded.linked]))
    loaded.stored = records.load(conn, run.ring, hub_ids)
    known = [hub_id for hub_id in hub_ids if hub_id in loaded.stored]
    queued = inbox.by_hub(conn, known) if known else {}
    for hub_id in hub_ids:
        rows_of = [row for row in queued.get(hub_id, ()) if row.system not in closed and not _strayed_part(run, row)]
        seen = [_reopen(run, row) for row in rows_of]
        queued_here = {item.obs_id for item in seen}
        seen += [item for owner, item in late.values() if owner == hub_id and item.obs_id not in queued_here]
        if hub_id in loaded.linked:
            seen.append(loaded.linked[hub_id].observation)
        loaded.seen[hub_id] = seen
    _resolve(run, conn, loaded)
    silence_merged(run, loaded)
    if run.rules.policy.on_delete is not OnDelete.DETACH:
        loaded.children = references.children(conn, _stricken(loaded))
    if known:
        for kind in ("conflict", "hold"):
            for question in questions.load(conn, run.ring, kind, hub_ids=known, limit=100_000):
                loaded.asked.setdefault(question.hub_id, []).append(question)
        since = run.clock.now() - run.rules.oscillation_window
        if run.rules.policy.oscillation:
            loaded.returns = history.returns(conn, known, since, run.rules.policy.oscillation)
    find_survivors(run, conn, loaded.seen)
    loaded.survivors = survivors_of(conn, loaded)
    _leave_heirs(loaded)
    return loaded


def _resolve(run: RunContext, conn: Connection, loaded: Loaded) -> None:
    """Resolves the references of everything that was seen; what waits for a parent is taken out and kept apart."""
    if not run.rules.references:
        return
    owners = [hub_id for hub_id, items in loaded.seen.items() for _ in items]
    flat = follow_heirs(run, conn, [item for items in loaded.seen.values() for item in items])
    for system in sorted({item.system for item in flat} - {HUB}):
        found = split(run, system, conn, flat, known=True)
        loaded.marks |= found.marks
        loaded.strayed |= found.strayed
        if found.twins:
            flat = [untwin(loaded, owner, item, found) for owner, item in zip(owners, flat, strict=True)]
    rest = iter(flat)
    loaded.seen = {hub_id: [next(rest) for _ in items] for hub_id, items in loaded.seen.items()}


def _stricken(loaded: Loaded) -> list[str]:
    """Returns the records that are gone somewhere, or about to be deleted."""
    return [
        hub_id
        for hub_id, items in loaded.seen.items()
        if any(item.kind is Kind.GONE for item in items)
        or (hub_id in loaded.stored and any(b.state is BindingState.DOOMED for b in loaded.stored[hub_id].bindings))
    ]


def _leave_heirs(loaded: Loaded) -> None:
    """Leaves unknown records that others were merged into for the next batch: they inherit a binding in this one."""
    unknown = [identity.observation for identity in loaded.identities]
    left = {item.obs_id for item in unknown if (item.system, item.object, item.native_id) in loaded.survivors}
    for identity in loaded.identities:
        if identity.observation.obs_id in left and identity.hub_id is not None:
            del loaded.linked[identity.hub_id]
            loaded.seen[identity.hub_id].remove(identity.observation)
            if not loaded.seen[identity.hub_id]:
                del loaded.seen[identity.hub_id]
    loaded.identities = [each for each in loaded.identities if each.observation.obs_id not in left]


def _bound_meanwhile(
    conn: Connection, system: str, unbound: Sequence[Observation]
) -> dict[str, tuple[str, Observation]]:
    """Returns rows staged before their record was bound (a survivor, a recovered create): obs id -> (hub id, row)."""
    found: dict[str, tuple[str, Observation]] = {}
    for object_ in {item.object for item in unbound}:
        here = {item.native_id: item for item in unbound if item.object == object_}
        for native_id, bound in records.bindings_by_native(conn, system, object_, list(here)).items():
            found[here[native_id].obs_id] = (bound.hub_id, here[native_id])
    return found


def _reopen(run: RunContext, row: Queued) -> Observation:
    """Opens an inbox row; one that waited says nothing of the version any more, since we may have written since."""
    found = inbox.open_row(run.ring, row)
    return found if row.state is Wait.NEW else replace(found, version=None)


def _plan(run: RunContext, policy: EntityPolicy, loaded: Loaded, hub_id: str) -> Outcome:
    stored, identity = loaded.stored.get(hub_id), loaded.linked.get(hub_id)
    observations = loaded.seen[hub_id]
    golden = stored.golden if stored else GoldenRecord(hub_id, run.entity, {}, subject_id=hub_id)
    edits = edits_of(golden, observations)
    asked = loaded.asked.get(hub_id, [])
    answers: Mapping[str, Resolution] = questions.resolutions(run.ring, asked) if asked else {}
    snapshot = Snapshot(
        golden,
        tuple(_sides(run, loaded, stored, identity, hub_id)),
        edits,
        answers,
        _returns(run, loaded, hub_id, observations),
        loaded.children.get(hub_id, 0),
    )
    return Outcome(snapshot, stored, plan_record(snapshot, policy, iso(run.clock.now())), observations, identity)


def _returns(
    run: RunContext, loaded: Loaded, hub_id: str, observations: Sequence[Observation]
) -> dict[tuple[str, Value], int]:
    if not loaded.returns:
        return {}
    found: dict[tuple[str, Value], int] = {}
    restless = [(name, digest, times) for (owner, name, digest), times in loaded.returns.items() if owner == hub_id]
    for item in observations:
        for name, digest, times in restless:
            if name in item.fields:
                value = item.fields[name]
                if history.value_digest(run.ring, name, value, digest) == digest:
                    found[name, value] = times
    return found


def _sides(
    run: RunContext, loaded: Loaded, stored: Stored | None, identity: Identity | None, hub_id: str
) -> Iterable[Side]:
    place = {(item.system, item.object, item.native_id): item for item in loaded.seen[hub_id]}
    fresh = identity.observation if identity is not None else None
    taken = fresh_parts(run, stored.golden, stored.bindings, loaded.seen[hub_id]) if stored else {}
    for found in stored.bindings if stored else ():
        if found.system not in run.links or found.binding_id in taken:
            continue
        if fresh is not None and found.system == fresh.system and found.part == MAIN:
            continue
        seen = place.get((found.system, found.object or "", found.native_id or ""))
        base = stored.bases.get(found.binding_id) if stored else None
        if stored is not None:
            base = run.links[found.system].base_of(found, stored.golden, base)
            base = _strayed(run, loaded, found, stored.golden, base, seen)
        yield _side(run, found, base, seen)
    for bound, seen in taken.values():
        yield _side(run, bound, {}, seen)
    if fresh is not None:
        bound = Binding(
            binding_id(hub_id, fresh.system),
            hub_id,
            run.entity,
            fresh.system,
            fresh.object,
            fresh.native_id,
            BindingState.ACTIVE,
            mapping_version=run.links[fresh.system].mapping.version,
            stamped=fresh.stamp == hub_id,
        )
        base = base_of_stamped(run, run.links[fresh.system], stored.golden, fresh) if stored else {}
        yield _side(run, bound, base, fresh, first=True)


def _strayed(
    run: RunContext,
    loaded: Loaded,
    found: Binding,
    golden: GoldenRecord,
    base: Base | None,
    seen: Observation | None,
) -> Base | None:
    """Returns the base without the references that this side shows at a place their parent left."""
    names = strayed_by(found.system, loaded.seen[golden.hub_id], base, golden)
    if seen is not None:
        names |= loaded.strayed.get(seen.obs_id, frozenset())
    if not names:
        return base
    scope = run.links[found.system].scope(found.object)
    return stray(base, golden, scope.readable | scope.writable, names)


def _side(run: RunContext, found: Binding, base: Base | None, seen: Observation | None, *, first: bool = False) -> Side:
    link = run.links[found.system]
    scope = link.scope(found.object)
    readable = scope.readable | scope.once if first else scope.readable
    shows, limits = link.shows_empty(found.object), link.limits_of(found.object)
    return Side(found, base, seen, readable, scope.writable, scope.clearable, shows, **limits)


def _settle_questions(
    run: RunContext, work: UnitOfWork, outcomes: Sequence[Outcome], asked: Mapping[str, list[Question]]
) -> None:
    for outcome in outcomes:
        plan = outcome.plan
        stood = asked.get(plan.golden.hub_id, [])
        if stood or plan.conflicts or plan.holds:
            opened, closed = questions.reconcile(work, run.run_id, plan.golden, stood, plan.conflicts, plan.holds)
            run.tally.add("questions_opened", opened)
            run.tally.add("questions_closed", closed)


def _audit(run: RunContext, work: UnitOfWork, outcome: Outcome) -> None:
    if outcome.before is None:
        work.audit(created_event(run, outcome.plan.golden))
    elif outcome.plan.changes:
        work.audit(changed_event(run, outcome.plan.golden, outcome.plan.changes))
    for action in outcome.plan.actions:
        if action.act not in (Act.CREATE, Act.UPDATE):
            work.audit(bound_event(run, outcome.plan.golden.hub_id, action))


def _differs(waived: BaseField) -> bool:
    """Tells whether a field stays otherwise in a system that does not take the change: a declared limit."""
    return waived.last_known() is not UNSET and waived.last_known() != waived.agreed


def _count(run: RunContext, outcomes: Sequence[Outcome]) -> None:
    tally = run.tally
    for outcome in outcomes:
        tally.add("created" if outcome.before is None else "merged")
        tally.add("echoes", outcome.plan.echoes)
        tally.add(
            "not_taken", sum(any(_differs(item) for item in side.debt.waived.values()) for side in outcome.plan.sides)
        )
        for action in outcome.plan.actions:
            if action.act not in (Act.CREATE, Act.UPDATE):
                tally.add(f"{action.act}:{action.reason}")
