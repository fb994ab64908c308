"""Writes what is owed: intents first, then the call, then the outcome with its audit event in one commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any

import orjson

from connectors.base import Op, WriteRequest
from hub.canonical.values import Value
from hub.core.merge import Debt, debts
from hub.core.parts import MAIN
from hub.core.state import HUB, UNSET, Base, Binding, BindingState, Fields, GoldenRecord, Kind, Observation, Side
from hub.store import inbox, intents, matches, quarantine, questions, records, references
from hub.store.history import value_digest
from hub.store.inbox import Wait
from hub.store.intents import Intent
from hub.store.quarantine import OUTBOUND, Fault
from hub.store.records import Stored, Write, rewrite
from hub.store.unit_of_work import UnitOfWork
from hub.sync.abroad import Counted, count_of, held_back
from hub.sync.engine import CUT_SHORT, Link, RunContext, Turn
from hub.sync.looking import look
from hub.sync.outcome import Sent
from hub.sync.parts import IDLE, held_out, lookup_of, part_name, waits
from hub.sync.references import Outward, outward
from hub.sync.sending import batches, send
from hub.sync.steps import next_step, owed_second
from hub.sync.walks import Pages, debts_of, of_parts, take_turns

HUB_ID = "$hub_id"
"""Is the declared default that stands for the record's own hub id, where a system demands a unique name."""


@dataclass(slots=True)
class _Known:
    """Is what stands against writing the records of one page."""

    stored: dict[str, Stored]
    frozen: dict[str, frozenset[str]]
    refused: dict[tuple[str, str], dict[str, bytes]]
    open_intents: set[str]
    looked_for: set[str]
    asked_about: set[str]
    outside: set[tuple[str | None, str | None]]
    unread: set[str]
    outward: Outward
    parents: Mapping[str, int]
    held_out: set[str | None]
    counted: Counted


@dataclass(slots=True)
class _Page:
    """Gathers what a page of dirty bindings comes to; `second` says that only second steps are to be made.

    `moot` is what was refused and is owed no more: hub id, object, fields.
    """

    second: bool = False
    first: list[Intent] = attribute(default_factory=list)
    ready: list[Sent] = attribute(default_factory=list)
    faults: list[Fault] = attribute(default_factory=list)
    closed: list[Write] = attribute(default_factory=list)
    look: dict[str, list[str]] = attribute(default_factory=dict)
    spared: list[GoldenRecord] = attribute(default_factory=list)
    moot: list[tuple[str, str, tuple[str, ...]]] = attribute(default_factory=list)


def push(run: RunContext, link: Link, turn: Turn) -> int:
    """Walks every debt to one system once; returns how many writes were accepted.

    Creates, updates and deletes share the turn; what it leaves over stays owed. Parts go before their main records,
    and come after them.
    """
    gone = push_parts(run, link, turn, going=True)
    written = push_walks(run, link, debts_of(run, link, turn), turn)
    return gone + written + push_parts(run, link, turn, going=False)


def push_parts(run: RunContext, link: Link, turn: Turn, *, going: bool) -> int:
    """Walks what is owed to the parts of records: their deletes, or else everything; returns what was accepted."""
    return push_walks(run, link, of_parts(run, link, going=going), turn) if link.mapping.has_parts else 0


def push_walks(run: RunContext, link: Link, walks: Sequence[Pages], turn: Turn) -> int:
    """Walks some debts to one system by turns; returns how many writes were accepted."""
    written, ended = take_turns([_write(run, link, pages) for pages in walks], turn)
    if not ended:
        run.tally.add(CUT_SHORT)
    return written


def _write(run: RunContext, link: Link, pages: Pages) -> Iterator[int]:
    """Yields how many writes of each batch were accepted."""
    for page in pages:
        yield from _push_page(run, link, page)


def _push_page(run: RunContext, link: Link, bindings: Sequence[Binding], *, second: bool = False) -> Iterator[int]:
    known = _load(run, link, bindings)
    page = _Page(second)
    for binding in bindings:
        _prepare(run, link, binding, known, page)
    _close_page(run, link, page)
    look(run, link, page.look)
    for batch in batches(link, page.ready):
        if run.blocked(link.system) or run.stop.is_set():
            break
        yield send(run, link, batch)
    if page.first and (owed := owed_second(run, link, page.first)):
        yield from _push_page(run, link, owed, second=True)


def _load(run: RunContext, link: Link, bindings: Sequence[Binding]) -> _Known:
    hub_ids = [item.hub_id for item in bindings]
    with run.store.read() as conn:
        stored = records.load(conn, run.ring, hub_ids)
        queued = inbox.by_hub(conn, hub_ids)
        frozen = questions.frozen_fields(conn, hub_ids)
        outside = outward(run, conn, link.system, stored.values())
        if run.rules.references or link.mapping.has_parts:
            for hub_id, names in references.awaited_fields(conn, link.system, hub_ids).items():
                frozen[hub_id] = frozen.get(hub_id, frozenset()) | names
        return _Known(
            stored,
            frozen,
            quarantine.of_records(conn, link.system, hub_ids, lambda object_: part_name(link, object_)),
            intents.open_bindings(conn, [item.binding_id for item in bindings]),
            intents.looked_for(conn, [item.binding_id for item in bindings if item.native_id is None]),
            matches.asked_about(conn, hub_ids, link.system),
            quarantine.outside(conn, link.system, [(item.object, item.native_id) for item in bindings]),
            {hub for hub, rows in queued.items() if any(r.state is Wait.NEW for r in rows)},
            outside,
            references.children(conn, [item.hub_id for item in bindings if item.state is BindingState.DOOMED]),
            held_out(conn, link, bindings) if link.mapping.has_parts else set(),
            count_of(run, link, conn, [item.golden for item in stored.values()]),
        )


def _prepare(run: RunContext, link: Link, binding: Binding, known: _Known, page: _Page) -> None:
    """Turns one debt into a request, or says why it must wait."""
    stored = known.stored[binding.hub_id]
    why = waits(link, binding, stored, known.frozen.get(binding.hub_id, ()), known.held_out)
    if why == IDLE:
        page.closed.append(rewrite(stored, replace(binding, dirty=False)))
    elif why is not None:
        run.tally.add(why)
    elif binding.binding_id in known.open_intents:
        run.tally.add("waiting_intent")
    elif binding.hub_id in known.unread:
        run.tally.add("waiting_merge")
    elif (binding.object, binding.native_id) in known.outside:
        run.tally.add("waiting_filter")
    elif binding.state is BindingState.DOOMED and binding.hub_id in known.parents:
        # Somebody came to point at it since it was condemned: it is planned again, and a person is asked.
        run.tally.add("waiting_children")
        if "*" not in known.frozen.get(binding.hub_id, frozenset()):
            page.spared.append(stored.golden)
    elif binding.state is BindingState.DOOMED:
        _prepare_lone(run, link, binding, stored, Op.DELETE, page)
    elif binding.state is BindingState.ACTIVE:
        _prepare_update(run, link, binding, stored, known, page)
    elif binding.native_id is not None:
        _prepare_lone(run, link, binding, stored, Op.RESTORE, page)
    elif binding.hub_id in known.asked_about:
        run.tally.add("waiting_question")
    else:
        _prepare_create(run, link, binding, stored, known, page)


def _prepare_create(run: RunContext, link: Link, binding: Binding, stored: Stored, known: _Known, page: _Page) -> None:
    golden, part = stored.golden, binding.part != MAIN
    admitted = part or link.mapping.admits(golden.fields)
    object_ = (binding.object if part else link.mapping.route(golden.fields)) if admitted else None
    if object_ is None or not link.can(object_).can_create:
        left_out = replace(binding, state=BindingState.DETACHED, mapping_version=link.mapping.version, dirty=False)
        page.closed.append(rewrite(stored, left_out))
        run.tally.add("not_routed")
        return
    placed = replace(binding, object=object_, mapping_version=link.mapping.version)
    frozen = known.frozen.get(golden.hub_id, frozenset())
    if frozen & _required(run) & (link.scope(object_).writable if part else frozen):
        run.tally.add("waiting_question")
        return
    debt = debts(golden, side_of(link, placed, {}, golden), {}, frozen)
    wanted = _allowed(run, golden, debt.fields, known, binding.part)
    if part and not wanted:
        # It is made when it first has a value.
        page.closed.append(rewrite(stored, replace(binding, dirty=bool(debt.fields))))
        return
    if not part and (why := held_back(run, link, golden, known.counted)):
        run.tally.withheld.setdefault(why, set()).add(binding.binding_id)
        return
    for name in link.mapping.create_fields(object_):
        if (value := golden.fields.get(name)) is not None and name not in link.egress.blocked:
            wanted[name] = value
    _request(run, link, placed, stored, {}, wanted, Op.CREATE, known, page)


def _prepare_update(run: RunContext, link: Link, binding: Binding, stored: Stored, known: _Known, page: _Page) -> None:
    golden = stored.golden
    base = link.base_of(binding, golden, stored.bases.get(binding.binding_id))
    if base == {} and binding.version is None:
        # It took another record's place: nobody has looked at it yet.
        page.look.setdefault(str(binding.object), []).append(str(binding.native_id))
        return
    frozen = known.frozen.get(golden.hub_id, frozenset())
    debt: Debt = debts(golden, side_of(link, binding, base, golden), base, frozen)
    if not debt.fields:
        page.closed.append(rewrite(stored, replace(binding, dirty=False)))
        if not frozen and (refused := known.refused.get((golden.hub_id, binding.part))):
            page.moot.append((golden.hub_id, str(binding.object), tuple(refused)))
        return
    wanted = _allowed(run, golden, debt.fields, known, binding.part)
    if not wanted:
        run.tally.add("waiting_quarantine")
        return
    capabilities = link.can(str(binding.object))
    if binding.version is None and capabilities.conditional_write:
        page.look.setdefault(str(binding.object), []).append(str(binding.native_id))
        return
    _request(run, link, binding, stored, base or {}, wanted, Op.UPDATE, known, page)


def _allowed(run: RunContext, golden: GoldenRecord, fields: Fields, known: _Known, part: str) -> dict[str, Value]:
    """Leaves out the values that the system refused before and that have not changed since."""
    refused = known.refused.get((golden.hub_id, part))
    if not refused:
        return dict(fields)
    return {
        name: value
        for name, value in fields.items()
        if name not in refused or refused[name] != value_digest(run.ring, name, value, refused[name])
    }


def _request(
    run: RunContext,
    link: Link,
    binding: Binding,
    stored: Stored,
    base: Base,
    wanted: Mapping[str, Value],
    op: Op,
    known: _Known,
    page: _Page,
) -> None:
    object_, golden, names = str(binding.object), stored.golden, run.rules.pointers
    current = {name: value for name, item in base.items() if (value := item.last_known()) is not UNSET}
    outside, missing = known.outward.fields(names, wanted)
    if missing:
        run.tally.orphans.add(binding.binding_id)
        if op is Op.CREATE and any(run.rules.references[name] != run.entity for name in missing):
            return
    outside = dict(link.egress.shape(outside))
    patch = link.mapping.to_native(object_, outside, known.outward.fields(names, current)[0], create=op is Op.CREATE)
    if not page.second:
        run.tally.add("defaulted", len(patch.defaulted))
        run.tally.add("fallback_owner", len(patch.stood_in))
    for refusal in () if page.second else patch.refusals:
        page.faults.append(
            _fault(run, link, binding, golden, refusal.field, "HUB-VALUE-002", refusal.reason.en, refusal.reason.zh)
        )
    barred = {refusal.field for refusal in patch.refusals}
    once = set(link.mapping.create_fields(object_))
    sent_fields = {name: value for name, value in outside.items() if name not in barred | once}
    native = {name: golden.hub_id if value == HUB_ID else value for name, value in patch.fields.items()}
    if not native or (op is Op.CREATE and barred & _required(run)):
        return
    follows = False
    if op is Op.UPDATE:
        step = next_step(link, object_, native, sent_fields, stamped=binding.stamped, second=page.second)
        native, follows = dict(step.native), step.follows
        sent_fields = {name: value for name, value in sent_fields.items() if name in step.names}
        if page.second and not native:
            return
    payload = orjson.dumps(native, option=orjson.OPT_SORT_KEYS)
    digest, refused = run.ring.digest(b"payload", payload), known.refused.get((golden.hub_id, binding.part), {}).get("")
    if refused is not None and run.ring.digest(b"payload", payload, like=refused) == refused:
        run.tally.add("waiting_quarantine")
        return
    if op is Op.CREATE or not binding.stamped:
        native[link.mapping.hub_id_field(object_)] = golden.hub_id
    whole = op is Op.CREATE
    if whole:
        native |= lookup_of(link, binding, stored)
    shown = _shown(link, object_, patch.fields) if whole else link.mapping.round_trip(object_, sent_fields)
    shown = known.outward.back(names, shown)
    leaves = {name: link.egress.shaped(name, wanted[name]) for name in sent_fields}
    sent = {name: (wanted[name], shown.get(name, leaves[name])) for name in sent_fields}
    if whole:
        sent |= _made_up(link.scope(object_).readable, golden, shown)
    if not missing:
        run.tally.orphans.discard(binding.binding_id)
        if names and not run.adopts:
            run.tally.placed.add(binding.binding_id)
    made = _sent(run, link, binding, stored, op, native, sent, digest)
    if whole and binding.binding_id in known.looked_for:
        made = replace(made, request=replace(made.request, may_exist=True))
    page.ready.append(made)
    if follows:
        page.first.append(made.intent)


def _shown(link: Link, object_: str, made: Mapping[str, Any]) -> dict[str, Value]:
    """Returns what the system will show of a record that is created from these native fields."""
    return link.mapping.to_canonical(object_, {**dict.fromkeys(link.native_fields(object_)), **made}).fields


def _made_up(readable: Iterable[str], golden: GoldenRecord, shown: Fields) -> dict[str, tuple[Value, Value]]:
    """Returns the fields that nobody filled and the system will show: declared defaults are no facts to carry on."""
    return {
        name: (None, value)
        for name in readable
        if (value := shown.get(name)) is not None and golden.fields.get(name) is None
    }


def _required(run: RunContext) -> set[str]:
    return {name for name, item in run.rules.entity.fields.items() if item.required}


def _prepare_lone(run: RunContext, link: Link, binding: Binding, stored: Stored, op: Op, page: _Page) -> None:
    digest = run.ring.digest(b"payload", op.encode())
    page.ready.append(_sent(run, link, binding, stored, op, {}, {}, digest))


def _sent(
    run: RunContext,
    link: Link,
    binding: Binding,
    stored: Stored,
    op: Op,
    native: Mapping[str, Any],
    sent: Mapping[str, tuple[Value, Value]],
    digest: bytes,
) -> Sent:
    intent_id, golden, object_ = run.new_id(), stored.golden, str(binding.object)
    intent = Intent(
        intent_id,
        run.entity,
        golden.hub_id,
        binding.binding_id,
        golden.subject_id,
        link.system,
        object_,
        binding.native_id,
        op.value,
        digest,
        sent,
    )
    request = WriteRequest(op, object_, binding.native_id, native, golden.hub_id, intent_id, binding.version)
    return Sent(intent, request, binding, stored)


def _fault(
    run: RunContext, link: Link, binding: Binding, golden: GoldenRecord, field: str, code: str, en: str, zh: str
) -> Fault:
    digest = value_digest(run.ring, field, golden.fields.get(field))
    return Fault(
        link.system,
        str(binding.object),
        binding.native_id or golden.hub_id,
        OUTBOUND,
        field,
        code,
        f"{field}: {en}; correct the value, or the mapping of {link.system}",
        f"{field}：{zh}；请更正该值，或修改 {link.system} 的映射",
        digest,
        golden.hub_id,
        golden.subject_id,
    )


def side_of(link: Link, binding: Binding, base: Base | None, golden: GoldenRecord) -> Side:
    scope, writable = link.scope(binding.object), link.writable_in(binding.object, golden.fields)
    shows, limits = link.shows_empty(binding.object), link.limits_of(binding.object)
    return Side(binding, base, None, scope.readable, writable, scope.clearable, shows, **limits)


def _close_page(run: RunContext, link: Link, page: _Page) -> None:
    if not page.closed and not page.faults and not page.spared:
        return
    with run.store.begin(run.held) as work:
        records.write(work, page.closed)
        for hub_id, object_, fields in page.moot:
            quarantine.clear_fields(work, link.system, {hub_id: fields}, object_.__eq__)
        inbox.stage(work, [_reconsidered(run, work, golden) for golden in page.spared])
        run.tally.add("quarantined", quarantine.put(work, run.ring, run.entity, run.run_id, page.faults))


def _reconsidered(run: RunContext, work: UnitOfWork, golden: GoldenRecord) -> dict[str, Any]:
    """Returns the inbox row that says nothing but that a record is to be planned again."""
    made = Observation(work.new_id(), run.entity, HUB, "children", golden.hub_id, Kind.EDIT, {})
    return inbox.seal_row(run.ring, made, golden.hub_id, golden.subject_id, run.run_id, work.now)
