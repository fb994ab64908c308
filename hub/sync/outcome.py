"""What came of a batch of writes: binding, base, intent, quarantine and audit events, in one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.base import NativeRecord, NotVisible, Op, Refused, Stale, Unknown, WriteRequest, WriteResult, Written
from connectors.errors import ConnectorError, ProtocolViolation
from hub.canonical.values import Value
from hub.core.merge import collapse, debts, settle_base
from hub.core.state import UNSET, Base, BaseField, Binding, BindingState, Fields, Maybe, Side
from hub.store import intents, quarantine, questions, records
from hub.store.database import Connection
from hub.store.history import value_digest
from hub.store.intents import KEY_TAKEN, Intent, IntentState
from hub.store.quarantine import OUTBOUND, Fault
from hub.store.records import Stored, Write, rewrite
from hub.store.unit_of_work import UnitOfWork
from hub.sync.abroad import count_persons, noted
from hub.sync.engine import Link, RunContext
from hub.sync.references import resolve
from hub.sync.stage import Stream, proven, stage
from hub.sync.trail import written_event

PATIENCE = 86_400.0
"""How long, in seconds, a record may be locked or busy in a system before a person is told of it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Is one request on its way, with the intent that was committed for it and the record it was made from."""

    intent: Intent
    request: WriteRequest
    binding: Binding
    stored: Stored


def settle(
    run: RunContext, link: Link, batch: Sequence[Sent], results: Sequence[WriteResult], error: ConnectorError | None
) -> int:
    """Commits the outcome of a batch; returns how many writes were accepted.

    A call that failed as a whole leaves its intents uncertain: recovery looks before anything is sent again.
    """
    if error is None and len(results) != len(batch):
        raise ProtocolViolation(
            f"{link.system} answered {len(results)} results for {len(batch)} writes; recovery will look each one up",
            f"{link.system} 对 {len(batch)} 条写入返回 {len(results)} 个结果；将逐条核查",
            system=link.system,
        )
    if error is not None:
        results = [Unknown(error.code)] * len(batch)
    # What a stale write found is staged first: the version it teaches must never be known before its content.
    for item, result in zip(batch, results, strict=True):
        found = proven(item.request.object, result.current) if isinstance(result, Stale) else None
        if found is not None:
            stage(run, link, Stream(item.request.object, "stale", None), [found], strong=True)
    accepted = [item for item, result in zip(batch, results, strict=True) if isinstance(result, Written)]
    with run.store.begin(run.held) as work:
        outcomes: dict[str, tuple[IntentState, str]] = {}
        writes: list[Write] = []
        faults: list[Fault] = []
        frozen = questions.frozen_fields(work.conn, [item.intent.hub_id for item in batch])
        late = _out_of_patience(work, batch, results)
        shown = _seen(run, link, work.conn, batch, results)
        for item, result in zip(batch, results, strict=True):
            outcomes[item.intent.intent_id] = _judge(run, link, item, result, writes, faults, frozen, shown)
            if item.binding.binding_id in late and isinstance(result, Refused):
                faults.append(_reported(run, link, item, result))
            _audit(run, link, work, item, result)
        records.write(work, writes)
        count_persons(run, link, work, [item.stored.golden for item in accepted if item.intent.sent])
        intents.settle(work, outcomes)
        gone_through = {i.intent.hub_id: ("", *i.intent.sent) for i in accepted}
        part = link.mapping.part(batch[0].request.object)
        quarantine.clear_fields(work, link.system, gone_through, lambda object_: link.mapping.part(object_) == part)
        run.tally.add("quarantined", quarantine.put(work, run.ring, run.entity, run.run_id, faults))
    return len(accepted)


def _judge(
    run: RunContext,
    link: Link,
    item: Sent,
    result: WriteResult,
    writes: list[Write],
    faults: list[Fault],
    frozen: Mapping[str, frozenset[str]],
    shown: Mapping[str, Fields],
) -> tuple[IntentState, str]:
    op = item.request.op
    if isinstance(result, Written):
        seen = shown.get(item.intent.intent_id, {})
        names = run.rules.pointers
        writes.append(confirm(link, item.stored, item.binding, item.intent, result, seen, frozen, names))
        run.tally.add(f"written:{op.value}")
        if op is Op.CREATE:
            run.tally.add(f"creates:{link.system}")
        return IntentState.SETTLED, "written"
    if isinstance(result, Unknown):
        run.tally.add("uncertain")
        return IntentState.UNCERTAIN, "unknown"
    if isinstance(result, Stale):
        run.tally.add("stale_writes")
        # Where nobody knows what stands there now, the next write must look first.
        version = result.current.version if isinstance(result.current, NativeRecord) else None
        kept = None if op is Op.RESTORE and _nothing_left(result) else item.binding.native_id
        writes.append(rewrite(item.stored, replace(item.binding, native_id=kept, version=version)))
        if kept is not None and isinstance(result.current, NotVisible):
            run.tally.unseen.add(f"{link.system}/{item.request.object}/{kept}")
        return IntentState.SETTLED, "stale"
    if op is Op.CREATE and result.existing_id is not None and result.field in (None, _stamp(link, item)):
        return IntentState.UNCERTAIN, KEY_TAKEN
    if result.retry_later:
        run.tally.add(intents.DEFERRED)
        run.tally.add(f"{intents.DEFERRED}:{result.code}")
        return IntentState.SETTLED, intents.DEFERRED if _is_put_off(result) else "postponed"
    faults.append(_fault(run, link, item, result))
    return IntentState.SETTLED, "refused"


def _nothing_left(result: Stale) -> bool:
    """Tells that a record which was seen deleted is not even there to be restored any more: it is made anew."""
    return isinstance(result.current, NotVisible) and not result.current.refused


def _out_of_patience(work: UnitOfWork, batch: Sequence[Sent], results: Sequence[WriteResult]) -> set[str]:
    """Returns the bindings of which a person is told, because the system has put them off for a day."""
    ids = [item.binding.binding_id for item in batch]
    put_off = [key for key, result in zip(ids, results, strict=True) if _is_put_off(result)]
    if not put_off:
        return set()
    since = intents.deferred_since(work.conn, put_off)
    return {key for key, at in since.items() if work.now - at >= PATIENCE and key in put_off}


def _is_put_off(result: WriteResult) -> bool:
    # What stopped the rest of a batch, told by a code of ours, says nothing of this record.
    return isinstance(result, Refused) and result.retry_later and not result.code.startswith("HUB-")


def _reported(run: RunContext, link: Link, item: Sent, result: Refused) -> Fault:
    """Returns what tells a person of a lock that nobody opens; it holds nothing out, so the record is tried on."""
    en, zh = f"{result.en}; for a day now: see to it there", f"{result.zh}；已持续一天，请在该系统处理"
    fault = _fault(run, link, item, replace(result, field=None, en=en, zh=zh))
    return replace(fault, input_digest=b"")


def _seen(
    run: RunContext, link: Link, conn: Connection, batch: Sequence[Sent], results: Sequence[WriteResult]
) -> dict[str, Fields]:
    """Returns what the system showed of accepted writes in canonical form, by intent."""
    shown = {
        item.intent.intent_id: link.mapping.to_canonical(item.request.object, result.seen).fields
        for item, result in zip(batch, results, strict=True)
        if isinstance(result, Written) and result.seen is not None
    }
    return dict(zip(shown, resolve(run, conn, link.system, list(shown.values())), strict=True))


def _stamp(link: Link, item: Sent) -> str:
    return link.mapping.hub_id_field(item.request.object)


def confirm(
    link: Link,
    stored: Stored,
    binding: Binding,
    intent: Intent,
    result: Written,
    seen: Mapping[str, Value],
    frozen: Mapping[str, frozenset[str]],
    pointers: Sequence[str] = (),
) -> Write:
    """Returns the record after an accepted write: the base moves to what the write was made from, never to `now`.

    A record that was created without some of its `pointers`, because they are not bound there yet, is owed them.
    """
    golden = stored.golden
    if intent.op == Op.DELETE:
        return rewrite(stored, replace(binding, state=BindingState.DETACHED, dirty=False))
    native_id = result.native_id or binding.native_id
    active = replace(
        binding,
        state=BindingState.ACTIVE,
        object=intent.object,
        native_id=native_id,
        version=result.version,
        obs_digest=None,
        stamped=binding.stamped or intent.op != Op.RESTORE,
    )
    scope = link.scope(intent.object)
    moved = {
        name: _field(agreed, sent, seen.get(name, UNSET), link.egress.rule(name))
        for name, (agreed, sent) in intent.sent.items()
    }
    before: Base | None = link.base_of(binding, golden, stored.bases.get(binding.binding_id))
    if intent.op == Op.CREATE:
        empty = {n: BaseField(None, None) for n in scope.readable | scope.writable if golden.fields.get(n) is None}
        edges = {n: BaseField(None, None) for n in pointers if n in scope.writable}
        before = {**empty, **edges, **moved}
    writable = link.writable_in(intent.object, golden.fields)
    shows, limits = link.shows_empty(intent.object), link.limits_of(intent.object)
    side = Side(active, None, None, scope.readable, writable, scope.clearable, shows, **limits)
    base = collapse(settle_base(before, golden, side.mapped, moved), golden, side.mapped)
    left = debts(golden, side, base, frozen.get(golden.hub_id, frozenset()))
    active = replace(active, dirty=bool(left.fields), agreed_revision=golden.revision)
    return rewrite(stored, active, base)


def _field(agreed: Value, sent: Value, seen: Maybe, rule: str) -> BaseField:
    return BaseField(agreed, sent, UNSET if seen == sent else seen, rule)


def _fault(run: RunContext, link: Link, item: Sent, result: Refused) -> Fault:
    """Holds out one value where the system named it, else the whole payload; other fields go with the next write."""
    golden = item.stored.golden
    named = _named_field(run, link, item, result.field)
    digest = item.intent.payload_digest
    if named is not None:
        digest = value_digest(run.ring, named, item.intent.sent[named][0])
    return Fault(
        link.system,
        item.request.object,
        item.binding.native_id or golden.hub_id,
        OUTBOUND,
        named or "",
        result.code,
        result.en,
        result.zh,
        digest,
        golden.hub_id,
        golden.subject_id,
    )


def _named_field(run: RunContext, link: Link, item: Sent, native: str | None) -> str | None:
    """Returns the one canonical field that a refused native field came from; None holds out the whole record."""
    if native is None:
        return None
    found = [name for name in item.intent.sent if native in link.mapping.written_to(item.request.object, name)]
    if len(found) != 1:
        return None
    spec = run.rules.entity.fields.get(found[0])
    return None if spec is not None and spec.required else found[0]


def _audit(run: RunContext, link: Link, work: UnitOfWork, item: Sent, result: WriteResult) -> None:
    if isinstance(result, Unknown):
        return
    said = {Written: "written", Stale: "stale", Refused: "refused"}[type(result)]
    fields = handed_out(item.intent)
    event = written_event(run, item.intent.hub_id, link.system, item.request.op.value, said, fields)
    work.audit(replace(event, egress=noted(link, fields)))


def handed_out(intent: Intent) -> dict[str, Value]:
    """Returns the values of a write as the audit log knows them: golden ones, and defaults where nobody set any."""
    return {name: sent if agreed is None else agreed for name, (agreed, sent) in intent.sent.items()}
