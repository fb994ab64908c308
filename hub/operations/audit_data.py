"""Stored records against the newest digests of the log: a row rolled back or changed behind the hub's back is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from hub.audit.event import Event
from hub.core.state import GoldenRecord, GoldenState
from hub.crypto.errors import EnvelopeBroken, SubjectKeyMissing
from hub.kernel.errors import Text
from hub.keys.keyring import DIGEST, Keyring
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import audit_index, history, records
from hub.store.database import Connection
from hub.store.history import value_digest

CREATE, CHANGE = "golden.create", "golden.change"
BATCH = 200
_TEXTS = {
    "changed": Text(
        "{fields}: the stored value is not the one the log says was written last",
        "{fields}：库内值与日志最后记录的值不符",
    ),
    "created": Text(
        "the record without its later changes is not the one that the log says was created",
        "去除后续变更后，与日志所记新建内容不符",
    ),
    "missing": Text("the log says it was created, and the store does not have it", "日志记有新建，库内没有该记录"),
    "unknown": Text("it stands in the store, and the log never says it was created", "库内有该记录，日志无新建记录"),
    "retired": Text(
        "its digests stand under a digest key that is disabled: crmhub key retire ID --undo, then compare again",
        "其摘要所用的摘要密钥已停用：请先执行 crmhub key retire 编号 --undo，再比对",
    ),
    "index": Text(
        "the index over the log did not hold this row as the log says; it was put right before records were compared",
        "日志索引与该行不符；索引已按日志更正，随后比对记录",
    ),
    "sealed": Text("its sealed content does not open in this place", "其加密内容在此处无法打开"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Is one record that is not as the log says; `fields` names those that differ, never a value.

    Of kind `index` it is a row of the log itself.
    """

    entity: str
    hub_id: str
    kind: str
    fields: tuple[str, ...] = ()

    @property
    def text(self) -> Text:
        """Returns what differs, in both languages."""
        text, names = _TEXTS[self.kind], ", ".join(self.fields)
        return Text(text.en.format(fields=names), text.zh.format(fields=names))


@dataclass(slots=True)
class Comparison:
    """Is the outcome: how many records were compared, every one that differs, and those that cannot be told."""

    records: int = 0
    findings: list[Difference] = field(default_factory=list)
    unclear: list[Difference] = field(default_factory=list)


@dataclass(slots=True)
class _Told:
    """Is what the log says of one record: the digest it was created with, and the newest one of each changed field."""

    created: str | None = None
    newest: dict[str, str | None] = field(default_factory=dict)


@permit("audit.verify")
def compare(hub: Installation) -> Comparison:
    """Compares every golden record with the log, a batch at a time, and the index with the log first; audited."""
    found = Comparison()
    with audit_index.snapshot(hub.store) as conn:
        hidden = audit_index.unlike(conn)
    found.findings += [Difference("audit", f"{epoch}:{seq}", "index") for epoch, seq in hidden]
    audit_index.put_right(hub.store, hidden)
    with audit_index.snapshot(hub.store) as conn:
        for hub_ids in _batches(conn):
            found.records += len(hub_ids)
            told = _told(conn, [hub_id for hub_id, _ in hub_ids])
            for each in _compare(conn, hub.store.ring, dict(hub_ids), told):
                (found.unclear if each.kind == "retired" else found.findings).append(each)
        found.findings += [Difference(*each, "missing") for each in audit_index.created_and_gone(conn, CREATE)]
    outcome = "error" if found.findings else "success"
    counts = {"records": found.records, "findings": len(found.findings)}
    with hub.store.begin() as work:
        about = hub.settings.installation.id
        work.audit(Event("audit.compare", "audit", about, outcome=outcome, counts=counts))  # type: ignore[arg-type]
    return found


def _batches(conn: Connection) -> Iterator[list[tuple[str, str]]]:
    after = ""
    while page := audit_index.record_ids(conn, after, BATCH):
        yield page
        after = page[-1][0]


def _told(conn: Connection, hub_ids: Sequence[str]) -> Mapping[str, _Told]:
    told: dict[str, _Told] = {}
    for body in audit_index.of_objects(conn, hub_ids, (CREATE, CHANGE)):
        record = orjson.loads(body)
        entry = told.setdefault(record["obj"]["id"], _Told())
        if record["act"] == CREATE:
            entry.created = record["digest"]
        for note in record.get("fields", ()):
            entry.newest[note["name"]] = note.get("after")
    return told


def _compare(
    conn: Connection, ring: Keyring, entities: Mapping[str, str], told: Mapping[str, _Told]
) -> Iterator[Difference]:
    for hub_id, golden in _opened(conn, ring, list(entities)):
        entity, said = entities[hub_id], told.get(hub_id)
        if golden is None:
            yield Difference(entity, hub_id, "sealed")
        elif golden.state is GoldenState.ERASED and not golden.fields:
            continue  # Empty under a seal of its own, which nobody but the hub can make.
        elif said is None or said.created is None:
            yield Difference(entity, hub_id, "unknown")
        else:
            yield from _judge(conn, ring, golden, said)


def _opened(conn: Connection, ring: Keyring, hub_ids: list[str]) -> Iterator[tuple[str, GoldenRecord | None]]:
    try:
        opened = records.load_golden(conn, ring, hub_ids)
        yield from ((hub_id, opened.get(hub_id)) for hub_id in hub_ids)
    except (EnvelopeBroken, SubjectKeyMissing):
        for hub_id in hub_ids:  # one of them; which is found by opening each alone
            try:
                yield hub_id, records.load_golden(conn, ring, [hub_id]).get(hub_id)
            except (EnvelopeBroken, SubjectKeyMissing):
                yield hub_id, None


def _judge(conn: Connection, ring: Keyring, golden: GoldenRecord, said: _Told) -> Iterator[Difference]:
    differing, retired = [], False
    for name, digest in said.newest.items():
        value, told = golden.fields.get(name), None if digest is None else bytes.fromhex(digest)
        now = None if value is None else value_digest(ring, name, value, like=told)
        if now != told:
            if _under_other_keys(now, told):
                retired = True
            else:
                differing.append(name)
    if differing:
        yield Difference(golden.entity, golden.hub_id, "changed", tuple(sorted(differing)))
        return
    first = dict(golden.fields)
    if said.newest:
        for past in reversed(history.timeline(conn, ring, golden.hub_id)):
            if past.field not in said.newest:
                continue  # Derived as the record was made: the digest of the creation holds it.
            first.pop(past.field, None)
            if past.before is not None:
                first[past.field] = past.before
    created = bytes.fromhex(said.created or "")
    made = ring.digest(b"record", orjson.dumps(first, option=orjson.OPT_SORT_KEYS), like=created)
    if _under_other_keys(made, created):
        retired = True
    elif made != created:
        yield Difference(golden.entity, golden.hub_id, "created")
        return
    if retired:
        yield Difference(golden.entity, golden.hub_id, "retired")


def _under_other_keys(one: bytes | None, other: bytes | None) -> bool:
    """Tells whether two digests name two keys: nothing follows from their being unequal."""
    return one is not None and other is not None and one[:-DIGEST] != other[:-DIGEST]
