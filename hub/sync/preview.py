"""What a run would write, for a person to read before it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from connectors.base import Op
from connectors.pricing import Price, Pricing
from hub.core.merge import debts
from hub.core.plan import Act, Action
from hub.core.state import Binding, BindingState
from hub.store import questions, records
from hub.store.database import Connection
from hub.store.records import Stored
from hub.sync.engine import Link, RunContext
from hub.sync.push import side_of

_ACTS = (
    (BindingState.PENDING, Act.CREATE),
    (BindingState.ACTIVE, Act.UPDATE),
    (BindingState.DOOMED, Act.DELETE),
)

_PRICED = 5000


def price_owed(run: RunContext, system: str, owed: Mapping[str, int]) -> Price | None:
    """Returns what the owed writes cost, None where the system's connector does not know its vendor's price."""
    link = run.links[system]
    pricing = link.connector
    if not isinstance(pricing, Pricing) or not link.objects:
        return None
    # Where a new record goes is decided when it is made; every object of a system costs the same.
    first = link.objects[0]
    total = pricing.price(first, Op.CREATE, [None] * owed.get("creates", 0))
    total += pricing.price(first, Op.DELETE, [None] * owed.get("deletes", 0))
    for object_, versions in _owed_versions(run, system):
        total += pricing.price(object_, Op.UPDATE, versions)
    return total


def _owed_versions(run: RunContext, system: str) -> Iterator[tuple[str, list[str | None]]]:
    """Yields the versions of the records that are owed an update, by object, some thousands at a time."""
    waiting: dict[str, list[str | None]] = {}
    after = ""
    while True:
        with run.store.read() as conn:
            page = records.dirty_page(conn, run.entity, system, after, _PRICED, BindingState.ACTIVE)
        if not page:
            break
        after = page[-1].binding_id
        for item in page:
            waiting.setdefault(str(item.object), []).append(item.version)
        for object_ in [name for name, versions in waiting.items() if len(versions) >= _PRICED]:
            yield object_, waiting.pop(object_)
    yield from waiting.items()


def owed_stand_ins(run: RunContext, system: str) -> int:
    """Counts the owed writes in which somebody stands in for an owner whom the system no longer accepts."""
    link, found = run.links[system], 0
    if not link.mapping.has_stand_ins:
        return 0
    for state in (BindingState.PENDING, BindingState.ACTIVE):
        after = ""
        while True:
            with run.store.read() as conn:
                page = records.dirty_page(conn, run.entity, system, after, run.page, state)
                stored = records.load(conn, run.ring, [item.hub_id for item in page])
            if not page:
                break
            after = page[-1].binding_id
            found += sum(len(_stand_ins(link, item, stored[item.hub_id])) for item in page)
    return found


def _stand_ins(link: Link, item: Binding, stored: Stored) -> tuple[str, ...]:
    golden, is_new = stored.golden, item.state is BindingState.PENDING
    object_ = link.mapping.route(golden.fields) if is_new else item.object
    if object_ is None:
        return ()
    base = {} if is_new else link.base_of(item, golden, stored.bases.get(item.binding_id))
    owed = debts(golden, side_of(link, replace(item, object=object_), base, golden), base, frozenset()).fields
    return link.mapping.stand_ins(object_, owed)


def owed_actions(conn: Connection, run: RunContext, system: str, limit: int) -> list[tuple[str, Action]]:
    """Returns (hub id, action) of what is owed to a system, for a dry run; fields are named, values are not."""
    link = run.links[system]
    found: list[tuple[str, Action]] = []
    for state, act in _ACTS:
        page = records.dirty_page(conn, run.entity, system, "", limit, state)
        stored = records.load(conn, run.ring, [item.hub_id for item in page])
        frozen = questions.frozen_fields(conn, [item.hub_id for item in page])
        for item in page:
            fields: tuple[str, ...] = ()
            if state is BindingState.ACTIVE:
                base = stored[item.hub_id].bases.get(item.binding_id)
                base = link.base_of(item, stored[item.hub_id].golden, base)
                kept = frozen.get(item.hub_id, frozenset())
                debt = debts(
                    stored[item.hub_id].golden, side_of(link, item, base, stored[item.hub_id].golden), base, kept
                )
                fields = tuple(debt.fields)
            found.append((item.hub_id, Action(act, system, "owed", fields)))
    return found[:limit]
