"""Clauses about writing."""

from __future__ import annotations

from connectors.base import NativeRecord, Op, Refused, Stale, Written
from connectors.conformance.kit import Kit, demand, refusal, same_value
from connectors.conformance.reading import newer
from connectors.conformance.registration import clause
from connectors.conformance.world import NotOffered
from connectors.errors import Unsupported


@clause("WRITE-01")
def creates(kit: Kit) -> None:
    fields = kit.filled({kit.subject.other: "乙"})
    hub_id = kit.new_hub_id()
    written = kit.created(fields, hub_id)
    stored = kit.world.records().get(written.native_id)
    demand(stored is not None, "the id of the created record names no record")
    assert stored is not None
    wrong = [name for name, value in fields.items() if not same_value(stored.get(name), value)]
    demand(not wrong, f"a create did not store {wrong}")
    if kit.can.external_key_field:
        demand(stored.get(kit.subject.key_field) == hub_id, "a create did not store the hub id")


@clause("WRITE-02")
def updates_only_its_fields(kit: Kit) -> None:
    native_id = kit.people_create({kit.subject.other: "旁观"})
    before = kit.world.records()[native_id]
    result = kit.write(kit.request(Op.UPDATE, native_id, {kit.subject.text: "新"}, kit.live(native_id).version))
    demand(isinstance(result, Written), f"a plain update ended in {type(result).__name__}")
    after = kit.world.records()[native_id]
    demand(after.get(kit.subject.text) == "新", "an update did not store its field")
    for name in {*kit.fields} - {kit.subject.text}:
        demand(same_value(after.get(name), before.get(name)), f"an update changed {name}, which it did not name")


@clause("WRITE-03")
def keeps_the_order(kit: Kit) -> None:
    size = min(3, kit.can.batch_size)
    requests = [kit.create_request() for _ in range(size)]
    results = kit.connector.write(requests)
    demand(len(results) == size, "results and requests differ in number")
    stored = kit.world.records()
    for request, result in zip(requests, results, strict=True):
        demand(isinstance(result, Written), f"a plain create in a batch ended in {type(result).__name__}")
        if isinstance(result, Written):
            text = stored.get(result.native_id, {}).get(kit.subject.text)
            demand(text == request.fields[kit.subject.text], "a result does not belong to its request")


@clause("WRITE-04")
def isolates_refused_rows(kit: Kit) -> None:
    if kit.subject.refused is None:
        raise NotOffered("the subject names no refused value")
    name, value = kit.subject.refused
    bad, before = kit.create_request({name: value}), len(kit.world.records())
    good = [kit.create_request(), kit.create_request()] if kit.can.batch_size >= 3 else []
    results = kit.connector.write([good[0], bad, good[1]] if good else [bad])
    demand(len(results) == 1 + len(good), "results and requests differ in number")
    refused = results[1] if good else results[0]
    demand(isinstance(refused, Refused), f"a refused row ended in {type(refused).__name__}")
    if isinstance(refused, Refused):
        demand(refused.field == name, "a refusal does not name its field")
        demand(refused.code and refused.en and refused.zh, "a refusal lacks its code or a language")
    written = sum(isinstance(result, Written) for result in results)
    demand(written == len(good), "a refused row took its neighbours along")
    demand(len(kit.world.records()) == before + len(good), "a refused row left a record, or a good one did not")


@clause("WRITE-05")
def respects_versions(kit: Kit) -> None:
    native_id = kit.people_create()
    observed = kit.live(native_id).version
    kit.world.advance(kit.can.cursor_resolution)
    kit.world.edit(native_id, {kit.subject.text: "别人的修改"})
    result = kit.write(kit.request(Op.UPDATE, native_id, {kit.subject.text: "我们的修改"}, observed))
    stored = kit.world.records()[native_id].get(kit.subject.text)
    if not kit.can.conditional_write:
        demand(isinstance(result, Written) and stored == "我们的修改", "conditional_write is done but not declared")
        return
    demand(isinstance(result, Stale), f"a stale write ended in {type(result).__name__}")
    demand(stored == "别人的修改", "a stale write overwrote an edit")
    current = result.current if isinstance(result, Stale) else None
    if isinstance(current, NativeRecord):
        demand(current.version != observed, "Stale shows the version that was expected")
        demand(current.fields.get(kit.subject.text, "别人的修改") == "别人的修改", "Stale shows an old value")


@clause("WRITE-06")
def accepts_any_version(kit: Kit) -> None:
    native_id = kit.people_create()
    result = kit.write(kit.request(Op.UPDATE, native_id, {kit.subject.text: "不限版本"}))
    demand(isinstance(result, Written), f"an update without a version ended in {type(result).__name__}")
    demand(kit.world.records()[native_id].get(kit.subject.text) == "不限版本", "the update was not stored")


@clause("WRITE-07")
def orders_versions(kit: Kit) -> None:
    native_id = kit.people_create()
    before = kit.live(native_id).version
    kit.world.advance(kit.can.cursor_resolution)
    result = kit.write(kit.request(Op.UPDATE, native_id, {kit.subject.text: "有序"}, before))
    demand(isinstance(result, Written), f"a plain update ended in {type(result).__name__}")
    after = kit.live(native_id).version
    if not isinstance(result, Written) or result.version is None or not kit.can.ordered_versions:
        return
    demand(newer(result.version, before), "a write's version does not pass the observation before it")
    demand(not newer(result.version, after), "a write's version passes the observation after it")


@clause("WRITE-08")
def clears(kit: Kit) -> None:
    name = kit.subject.other
    native_id = kit.people_create({name: "待清空"})
    result = kit.write(kit.request(Op.UPDATE, native_id, {name: None}))
    stored = kit.world.records()[native_id].get(name)
    if kit.can.can_clear:
        demand(isinstance(result, Written) and stored in (None, ""), f"{name} was not cleared")
    else:
        demand(isinstance(result, Refused) and stored == "待清空", "a clear was not honestly refused")


@clause("WRITE-09")
def never_cuts(kit: Kit) -> None:
    length = kit.connector.describe(kit.object).fields[kit.subject.text].length
    if length is None:
        raise NotOffered("describe gives no length for the text field")
    before = len(kit.world.records())
    result = kit.write(kit.create_request({kit.subject.text: "长" * (length + 1)}))
    demand(isinstance(result, Refused), f"a text that is too long ended in {type(result).__name__}")
    demand(len(kit.world.records()) == before, "a text that is too long was stored")


@clause("WRITE-10")
def refuses_wrong_batches(kit: Kit) -> None:
    ids = kit.people_create_many(kit.can.batch_size + 1)
    before = dict(kit.world.records())
    with refusal(Unsupported):
        kit.connector.write([kit.request(Op.UPDATE, each, {kit.subject.text: "超"}) for each in ids])
    if kit.can.batch_size > 1:
        mixed = [kit.request(Op.UPDATE, ids[0], {kit.subject.text: "混"}), kit.request(Op.DELETE, ids[1])]
        with refusal(Unsupported):
            kit.connector.write(mixed)
    demand(dict(kit.world.records()) == before, "a refused batch wrote something")


@clause("WRITE-11")
def refuses_absent_ops(kit: Kit) -> None:
    declared = {
        Op.CREATE: kit.can.can_create,
        Op.UPDATE: kit.can.can_update,
        Op.DELETE: kit.can.can_delete,
        Op.RESTORE: kit.can.can_restore,
    }
    native_id = kit.people_create()
    before = dict(kit.world.records())
    for op, can in declared.items():
        if not can:
            with refusal(Unsupported):
                target = (None, kit.filled()) if op == Op.CREATE else (native_id, {})
                kit.connector.write([kit.absent(op, *target)])
    demand(dict(kit.world.records()) == before, "an op declared absent changed something")


@clause("WRITE-12")
def updates_nothing_absent(kit: Kit) -> None:
    native_id = kit.people_create()
    kit.world.delete(native_id)
    before = set(kit.world.records())
    result = kit.write(kit.request(Op.UPDATE, native_id, {kit.subject.text: "复活"}))
    demand(isinstance(result, Stale | Refused), f"an update of a deleted record ended in {type(result).__name__}")
    demand(set(kit.world.records()) == before, "an update of a deleted record made one")


@clause("WRITE-13")
def shows_what_was_stored(kit: Kit) -> None:
    written = kit.created({kit.subject.other: "乙"})
    fetched = kit.live(written.native_id).fields
    for name, value in (written.seen or {}).items():
        if name in kit.fields:
            demand(same_value(value, fetched.get(name)), f"a write saw another {name} than fetch shows")
