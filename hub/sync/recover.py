"""Settles the writes that an earlier epoch left open before anything new is sent; never resends blindly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from connectors.base import Fetched, Gone, NativeRecord, Op, Written
from connectors.errors import ConnectorError
from hub.audit.event import Event
from hub.canonical.values import Value
from hub.core.merge import collapse, debts, settle_base
from hub.core.state import Base, BaseField, Binding, BindingState, Fields, GoldenRecord
from hub.kernel.failpoints import hit
from hub.store import intents, quarantine, questions, records
from hub.store.database import Connection
from hub.store.intents import KEY_TAKEN, Intent, IntentState
from hub.store.quarantine import OUTBOUND, Fault
from hub.store.records import Stored, Write, rewrite
from hub.sync.abroad import count_persons, noted
from hub.sync.engine import Link, RunContext
from hub.sync.looking import learn_versions
from hub.sync.outcome import confirm, handed_out
from hub.sync.push import side_of
from hub.sync.references import resolve
from hub.sync.trail import linked_event, written_event

Verdicts = dict[str, tuple[IntentState, str]]


LOOK = 1.0
"""Seconds between two looks at whether a wait was asked to end."""


def recover(run: RunContext, *, patient: bool = False, own: bool = False) -> int:
    """Settles the sent and uncertain intents of older epochs; returns how many are settled.

    A create that is not found proves its absence only after the vendor's lag: whoever is `patient` waits for that, else
    it stays open. `own` takes in the creates of this epoch too, where the system itself refuses twins. Call it so only
    when every share has ended: what is `sent` then was left by a process that died.
    """
    before = run.held.epoch + 1 if own else run.held.epoch
    with run.store.read() as conn:
        if not (hub_ids := intents.unsettled_records(conn, run.entity, before)):
            return 0
        records.load_subjects(conn, run.ring, hub_ids)
        left = intents.unsettled(conn, run.ring, run.entity, before)
    settled = 0

    def key(item: Intent) -> tuple[str, str, bool]:
        return item.system, item.object, item.op == Op.CREATE

    for (system, object_, creating), group in groupby(sorted(left, key=key), key):
        link = run.links.get(system)
        if link is None or run.blocked(system):
            continue
        batch = list(group)
        try:
            if own and not (creating and link.can(object_).external_key_unique):
                # A call that timed out may be carried out late: only a unique key makes so early a look safe.
                batch = [item for item in batch if item.epoch < run.held.epoch]
            if not batch:
                continue
            if creating:
                settled += _recover_creates(run, link, object_, batch, patient=patient)
            else:
                settled += _recover_changes(run, link, object_, batch)
        except ConnectorError as error:
            run.block(system, error)
    return settled


def _recover_creates(run: RunContext, link: Link, object_: str, batch: Sequence[Intent], *, patient: bool) -> int:
    """Adopts what exists under our hub id. Finding nothing proves something only after the vendor's lag."""
    found, young = _look_up(run, link, object_, batch, patient=patient)
    batch = [item for item in batch if item.intent_id not in young]
    if not batch:
        return 0
    # Asked anew: looking may have shown that the key, unique when the process began, is so no longer.
    now = link.connector.capabilities(object_)
    may_resend = now.external_key_unique or now.strong_read_by_key
    hub_ids = [item.hub_id for item in batch]
    verdicts: Verdicts = {}
    writes: list[Write] = []
    faults: list[Fault] = []
    arrived: list[GoldenRecord] = []
    adopted: dict[str, Fetched] = {}
    with run.store.begin(run.held) as work:
        stored = records.load(work.conn, run.ring, hub_ids)
        frozen = questions.frozen_fields(work.conn, hub_ids)
        held = [one for same in found.values() for one in same]
        shown = _canonical(run, work.conn, link, object_, held)
        for item in batch:
            twins = found.get(item.hub_id, [])
            binding = _binding(stored[item.hub_id], item)
            if len(twins) == 1 and item.said == KEY_TAKEN:
                there = shown[twins[0].native_id]
                writes.append(_adopt(link, stored[item.hub_id], binding, item, twins[0].native_id, there, frozen))
                verdicts[item.intent_id] = (IntentState.SETTLED, "adopted")
                work.audit(linked_event(run, item.hub_id, link.system, "stamped", "hub_id"))
                if intents.came_late(work, [(item.hub_id, link.system)], binding.part):
                    # It was our own create of before, carried out after somebody had looked for it in vain.
                    work.audit(_recovered(run, link, item, "written", {}))
                    arrived.append(stored[item.hub_id].golden)
                adopted[twins[0].native_id] = twins[0]
            elif len(twins) == 1:
                written = Written(twins[0].native_id, twins[0].version)
                names = run.rules.pointers
                writes.append(confirm(link, stored[item.hub_id], binding, item, written, {}, frozen, names))
                verdicts[item.intent_id] = (IntentState.SETTLED, "written")
                work.audit(_recovered(run, link, item, "written", handed_out(item)))
                arrived.append(stored[item.hub_id].golden)
            elif twins:
                faults.append(_twins(link, item, len(twins)))
                verdicts[item.intent_id] = (IntentState.ASKED, intents.TWINS)
            elif may_resend:
                verdicts[item.intent_id] = (IntentState.SETTLED, intents.ABSENT)
                work.audit(written_event(run, item.hub_id, link.system, item.op, "absent", {}, recovered=True))
            else:
                faults.append(_unprovable(link, item))
                verdicts[item.intent_id] = (IntentState.ASKED, "unprovable")
        records.write(work, writes)
        count_persons(run, link, work, arrived)
        intents.settle(work, verdicts)
        quarantine.put(work, run.ring, run.entity, run.run_id, faults)
    hit("recovered")
    if adopted:
        learn_versions(run, link, object_, adopted)
    run.tally.add("recovered", len(batch))
    return sum(1 for state, _ in verdicts.values() if state is IntentState.SETTLED)


def _look_up(
    run: RunContext, link: Link, object_: str, batch: Sequence[Intent], *, patient: bool
) -> tuple[dict[str, list[NativeRecord]], set[str]]:
    """Returns what is found by hub id, and the intents whose record is not found but may still come into sight."""
    can, asked_at = link.can(object_), run.clock.now()
    found = _find(run, link, object_, [item.hub_id for item in batch])
    if can.strong_read_by_key:
        return found, set()
    young = [i for i in batch if i.hub_id not in found and i.sent_at + can.visibility_lag > asked_at]
    # Where the clock was set back no wait is longer than the lag.
    if young and patient and _wait(run, min(asked_at, max(i.sent_at for i in young)) + can.visibility_lag):
        found |= _find(run, link, object_, [item.hub_id for item in young])
        young = []
    return found, {item.intent_id for item in young}


def _wait(run: RunContext, until: float) -> bool:
    """Waits until an instant; tells whether it came before a stop."""
    while (left := until - run.clock.now()) > 0 and not run.stop.is_set():
        run.clock.sleep(min(left, LOOK))
    return left <= 0


def _adopt(
    link: Link,
    stored: Stored,
    binding: Binding,
    item: Intent,
    native_id: str,
    shown: Fields,
    frozen: Mapping[str, frozenset[str]],
) -> Write:
    """Binds the record that holds our hub id and refused the create: it never took what was sent.

    Only what it shows alike is agreed; its version stays unknown until its content was read.
    """
    alike = {name: pair for name, pair in item.sent.items() if name in shown and shown[name] == pair[1]}
    return confirm(link, stored, binding, replace(item, sent=alike), Written(native_id, None), {}, frozen)


def _find(run: RunContext, link: Link, object_: str, hub_ids: Sequence[str]) -> dict[str, list[NativeRecord]]:
    field = link.mapping.hub_id_field(object_)
    found: dict[str, list[NativeRecord]] = {}
    for record in link.connector.find(object_, field, hub_ids, link.native_fields(object_)):
        found.setdefault(str(record.fields.get(field)), []).append(record)
    return found


def _recover_changes(run: RunContext, link: Link, object_: str, batch: Sequence[Intent]) -> int:
    """Compares what stands there now with what was sent; a field that shows what we sent is ours."""
    ids = [item.native_id for item in batch if item.native_id is not None]
    shown = link.connector.fetch(object_, ids, link.native_fields(object_))
    learn_versions(run, link, object_, shown)
    verdicts: Verdicts = {}
    writes: list[Write] = []
    arrived: list[GoldenRecord] = []
    with run.store.begin(run.held) as work:
        stored = records.load(work.conn, run.ring, [item.hub_id for item in batch])
        alive = [each for each in shown.values() if isinstance(each, NativeRecord)]
        fields_of = _canonical(run, work.conn, link, object_, alive)
        for item in batch:
            write, said = _compare(link, stored[item.hub_id], item, shown, fields_of)
            writes.append(write)
            verdicts[item.intent_id] = (IntentState.SETTLED, said)
            work.audit(_recovered(run, link, item, said, handed_out(item)))
            if said == "written" and item.sent:
                arrived.append(stored[item.hub_id].golden)
        records.write(work, writes)
        count_persons(run, link, work, arrived)
        intents.settle(work, verdicts)
    hit("recovered")
    run.tally.add("recovered", len(batch))
    return len(verdicts)


def _recovered(run: RunContext, link: Link, item: Intent, said: str, fields: Fields) -> Event:
    """Returns the event of a write whose end was found out later; what left is named from what was sent."""
    event = written_event(run, item.hub_id, link.system, item.op, said, fields, recovered=True)
    return replace(event, egress=noted(link, handed_out(item)))


def _canonical(
    run: RunContext, conn: Connection, link: Link, object_: str, found: Sequence[NativeRecord]
) -> dict[str, dict[str, Value]]:
    """Returns what records show in canonical form, by native id."""
    shown = [link.mapping.to_canonical(object_, item.fields).fields for item in found]
    return {item.native_id: fields for item, fields in zip(found, resolve(run, conn, link.system, shown), strict=True)}


def _compare(
    link: Link, stored: Stored, item: Intent, shown: Mapping[str, Fetched], fields_of: Mapping[str, Fields]
) -> tuple[Write, str]:
    binding, now = _binding(stored, item), shown.get(str(item.native_id))
    alive = isinstance(now, NativeRecord) and not now.deleted
    if item.op == Op.DELETE:
        # Out of sight proves nothing; a delete that is sent again harms nobody.
        gone = isinstance(now, Gone) or (isinstance(now, NativeRecord) and now.deleted)
        state = BindingState.DETACHED if gone else binding.state
        return rewrite(stored, replace(binding, state=state, dirty=not gone)), "written" if gone else "absent"
    if item.op == Op.RESTORE:
        state = BindingState.ACTIVE if alive else binding.state
        return rewrite(stored, replace(binding, state=state, dirty=True)), "written" if alive else "absent"
    if not isinstance(now, NativeRecord) or now.deleted:
        return rewrite(stored, replace(binding, version=None)), "gone" if isinstance(now, Gone) else "unseen"
    fields = fields_of[now.native_id]
    ours = {name for name, (_, sent) in item.sent.items() if name in fields and fields[name] == sent}
    if ours and ours == item.sent.keys() & fields.keys():
        # All that can be seen of the write is there, so what is only written is there too.
        ours = set(item.sent)
    moved = {name: BaseField(*item.sent[name], rule=link.egress.rule(name)) for name in ours}
    if not moved:
        # Where the system shows none of the fields nobody can tell; they are sent once more, which changes nothing.
        said = "absent" if item.sent.keys() & fields.keys() else "unproven"
        return rewrite(stored, replace(binding, version=None)), said
    golden = stored.golden
    side = side_of(link, binding, None, golden)
    before: Base | None = link.base_of(binding, golden, stored.bases.get(binding.binding_id))
    base = collapse(settle_base(before, golden, side.mapped, moved), golden, side.mapped)
    dirty = bool(debts(golden, side, base, frozenset()).fields)
    return rewrite(stored, replace(binding, version=None, dirty=dirty), base), "written"


def _binding(stored: Stored, item: Intent) -> Binding:
    found = next(bound for bound in stored.bindings if bound.binding_id == item.binding_id)
    return replace(found, object=item.object)


def _twins(link: Link, item: Intent, number: int) -> Fault:
    return _ask(
        link,
        item,
        "HUB-TWIN-001",
        f"{number} records of {link.system} carry this hub id; merge them there, then retry this row",
        f"{link.system} 中有 {number} 条记录带有同一统一编号；请先在该系统合并，再重新处理",
    )


def _unprovable(link: Link, item: Intent) -> Fault:
    return _ask(
        link,
        item,
        "HUB-CREATE-001",
        f"nobody can prove whether the record was created in {link.system}; look there, then retry this row",
        f"无法确认该记录是否已在 {link.system} 中建立；请到该系统核实后重新处理",
    )


def _ask(link: Link, item: Intent, code: str, en: str, zh: str) -> Fault:
    return Fault(
        link.system,
        item.object,
        item.native_id or item.hub_id,
        OUTBOUND,
        "",
        code,
        en,
        zh,
        item.payload_digest,
        item.hub_id,
        item.subject_id,
    )
