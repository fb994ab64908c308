"""Finds customers by what a caller says: a number, an address or a name, none of which stands in the store readable."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute

from hub.access.masking import mask_fields
from hub.audit.event import Event
from hub.canonical.values import ValueRefused, canonicalise, normalise_for_match
from hub.core.state import GoldenRecord, GoldenState
from hub.kernel.errors import Declined
from hub.operations.choice import person
from hub.operations.installation import Installation
from hub.operations.permission import codes, permit
from hub.store import lookups, records
from hub.store.matches import FIND
from hub.sync.engine import EntityRules, Find

KINDS = ("phone", "email", "id_number", "account", "name")
HOURLY, DAILY = 60, 300
"""Searches of one person: more would be guessing."""
MOST = 200
"""Candidates that are opened for one search."""


@dataclass(frozen=True, slots=True)
class Match:
    """Is one record found; its values are masked."""

    hub_id: str
    state: str
    fields: Mapping[str, str] = attribute(repr=False)


@permit("record.find")
def find_records(hub: Installation, entity: str, kind: str, value: str) -> list[Match]:
    """Returns the records that hold exactly this value. Raises Declined for one that is none, or for too many searches.

    Every search is counted and audited before anything is opened, with the keyed digest of what was asked.
    """
    rules = hub.entity_rules(entity)
    asked = _shapes(hub, rules, kind, value)
    attempt = Event("record.find", entity, code=kind, digest=_digest(hub, kind, asked), stage="attempt")
    _count(hub, attempt)
    _index(hub, rules)
    ring = hub.store.ring
    indexes = {item.rule: [ring.blind(item.domain, shape, item.width)] for item, shape in asked.items()}
    with hub.store.read() as conn:
        owners = lookups.owners(conn, entity, indexes, MOST)
        opened = records.load_golden(conn, ring, owners)
    found = [
        record
        for record in opened.values()
        if record.state is not GoldenState.MERGED
        and _in_reach(hub, record)
        and any(normalise_for_match(i.shape, record.fields.get(i.field)) == shape for i, shape in asked.items())
    ]
    with hub.store.begin() as work:
        counts = {"opened": len(opened), "found": len(found)}
        work.audit(Event("record.find", entity, code=kind, digest=attempt.digest, stage="result", counts=counts))
    names = list(dict.fromkeys(item.field for item in rules.finds))
    fields = hub.schema.entity(entity).fields
    return [
        Match(
            record.hub_id,
            record.state.value,
            mask_fields(fields, {name: record.fields[name] for name in names if record.fields.get(name) is not None}),
        )
        for record in sorted(found, key=lambda record: record.hub_id)
    ]


def _in_reach(hub: Installation, record: GoldenRecord) -> bool:
    """Tells whether a record is of a branch that the person may search; another one's is, for them, not there."""
    near = codes(hub, "record.find", record.entity)
    return near is None or record.fields.get("branch_code") in near


def _shapes(hub: Installation, rules: EntityRules, kind: str, value: str) -> dict[Find, str]:
    """Returns the form in which each field that is asked would hold the value. Raises Declined."""
    plan = [item for item in rules.finds if item.kind == kind]
    if not plan:
        raise Declined(
            f"{rules.name} records are not looked up by {kind}; see `find` in mappings/canonical/{rules.name}.yaml",
            f"{rules.name} 不支持按 {kind} 查找；见 mappings/canonical/{rules.name}.yaml 的 find",
        )
    found = {}
    for item in plan:
        try:
            shape = normalise_for_match(item.shape, canonicalise(rules.entity.fields[item.field], value))
        except ValueRefused:
            continue
        if shape:
            found[item] = shape
    if not found:
        raise Declined(f"what was given is no {kind}; nothing was searched", f"输入内容不是有效的 {kind}；未执行查找")
    return found


def _digest(hub: Installation, kind: str, asked: Mapping[Find, str]) -> str:
    shapes = sorted(set(asked.values()))
    return hub.store.ring.digest(b"find", kind.encode(), *(shape.encode() for shape in shapes)).hex()


def _count(hub: Installation, attempt: Event) -> None:
    """Notes a search before it is made. Raises Declined, which is audited as well, for one too many."""
    actor = person(hub)
    with hub.store.begin() as work:
        hour = lookups.searches(work.conn, actor, work.now - lookups.HOUR)
        day = lookups.searches(work.conn, actor, work.now - 24 * lookups.HOUR)
        denied = hour >= HOURLY or day >= DAILY
        if denied:
            work.audit(
                Event("record.find", attempt.obj_type, code=attempt.code, digest=attempt.digest, outcome="denied")
            )
        else:
            lookups.note_search(work, actor)
            work.audit(attempt)
    if denied:
        raise Declined(
            f"{actor} searched {hour} times this hour and {day} times today; {HOURLY} an hour and {DAILY} a day are "
            "allowed: wait",
            f"{actor} 本小时已查找 {hour} 次、今日 {day} 次；限每小时 {HOURLY} 次、每日 {DAILY} 次，请稍后再试",
            code="HUB-REQ-429",
        )


def _index(hub: Installation, rules: EntityRules) -> None:
    """Makes the indexes of records that are older than this release, or than the last change of `find`."""
    plan = [(item.rule, item.domain, item.shape) for item in rules.finds if item.width == FIND]
    made = hashlib.sha256(repr(plan).encode()).hexdigest()[:16]
    ring = hub.store.ring
    names = [rule for rule, _, _ in plan]
    lookups.index_all(hub.store, rules.name, made, names, lambda fields: rules.find_keys(ring, fields))
