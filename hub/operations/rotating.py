"""Rotation of data keys in two phases: everybody loads the new key before anybody seals with it.

Every step is small and may be repeated; whoever comes by takes the next one, a person's command or the daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from hub.audit.event import Event
from hub.crypto.suites import SUITES
from hub.kernel.errors import Declined, HubError, KeyUnusable
from hub.keys.rows import KeyState, Purpose
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import rotations
from hub.store.digested import DIGESTS, Indexes
from hub.store.key_rows import key_rows, next_version, put_keys
from hub.store.ring_watch import Holder, RingWatch, holders
from hub.store.rotations import Phase, Rotation
from hub.store.sealed import SEALED, Place

ROTATED = (Purpose.FIELD, Purpose.SECRET, Purpose.SUBJECT_WRAP, Purpose.INDEX, Purpose.DIGEST)
Made = TypeVar("Made")


@permit("key.change")
def begin_rotation(hub: Installation, purpose: Purpose, reason: str) -> Rotation:
    """Adds a pending key of a purpose, or returns the rotation that is under way. Raises KeyUnusable."""
    watch = watch_of(hub)
    watch.beat(now=True)
    with hub.store.read() as conn:
        rows, under_way = key_rows(conn), rotations.rotations(conn).get(purpose)
    if under_way is not None and under_way.phase is not Phase.DONE:
        return under_way
    suite = SUITES[hub.settings.keys.suite]
    key_id = max(row.id for row in rows) + 1
    row = with_provider(
        hub,
        Event("key.add", "key", str(key_id), code=purpose, reason=reason),
        lambda: hub.store.ring.make_key(key_id, purpose, suite, hub.clock.now()),
    )
    with hub.store.begin() as work:
        version = next_version(work.conn)
        if any(item.id == key_id for item in key_rows(work.conn)):
            raise Declined(
                "another process added a key at the same moment; try again", "另一进程同时新增了密钥，请重试"
            )
        put_keys(work.conn, [row])
        made = Rotation(purpose, key_id, Phase.ANNOUNCED, version, work.now, work.now)
        rotations.begin(work, made)
        work.audit(Event("key.add", "key", str(key_id), code=purpose, reason=reason, stage="result"))
    watch.beat(now=True)
    return made


@permit("key.change")
def advance(hub: Installation, purpose: Purpose) -> tuple[Rotation, list[Holder]]:
    """Takes the next small step of a rotation; returns how it stands and whom it waits for. Safe to repeat."""
    watch = watch_of(hub)
    with hub.store.read() as conn:
        item = rotations.rotations(conn)[purpose]
        lagging = [one for one in holders(conn, hub.clock.now()) if one.version < item.version]
    if watch.version < item.version:
        watch.beat(now=True)
    if item.phase is Phase.DONE or watch.version < item.version:
        return item, lagging
    if item.phase is Phase.SEALING:
        return _seal_page(hub, item), []
    if lagging:
        return item, lagging
    after = _promote(hub, item) if item.phase is Phase.ANNOUNCED else _settle(hub, item)
    watch.beat(now=True)
    return after, []


@permit("status.read")
def under_way(hub: Installation) -> list[Rotation]:
    """Returns the rotations that have not ended."""
    with hub.store.read() as conn:
        return [item for item in rotations.rotations(conn).values() if item.phase is not Phase.DONE]


@permit("key.change")
def carry_on(hub: Installation, seconds: float) -> list[Rotation]:
    """Moves every rotation that is under way forward for so long; returns those that have not ended."""
    until, left = hub.clock.now() + seconds, []
    for item in under_way(hub):
        waits: list[Holder] = []
        while item.phase is not Phase.DONE and not waits and until - hub.clock.now() >= 0:
            before = item
            item, waits = advance(hub, item.purpose)
            if item == before:
                break
        if item.phase is not Phase.DONE:
            left.append(item)
    return left


def places(hub: Installation, purpose: Purpose) -> tuple[Place, ...]:
    """Returns the columns that stand under the keys of a purpose."""
    if purpose is Purpose.DIGEST:
        return DIGESTS
    if purpose is Purpose.INDEX:

        def index_of(entity: str, fields: Mapping[str, Any], golden: bool) -> Mapping[str, bytes]:
            rules = hub.rules[entity]
            return rules.standing_keys(hub.store.ring, fields) if golden else rules.keys(hub.store.ring, fields)

        return (Indexes(index_of),)
    return SEALED[purpose]


@permit("key.read")
def rows_left(hub: Installation, purpose: Purpose) -> dict[str, int]:
    """Counts the rows of each column that stand under another key than the primary one; reads whole tables."""
    with hub.store.read() as conn:
        return {place.name: place.left(conn, hub.store.ring) for place in places(hub, purpose)}


def _promote(hub: Installation, item: Rotation) -> Rotation:
    """Makes the pending key the one that seals; the one of before only opens from now on."""
    with hub.store.begin() as work:
        version = next_version(work.conn)
        rows = {row.id: row for row in key_rows(work.conn)}
        fresh = rows[item.key_id]
        if fresh.state is not KeyState.PENDING:
            return item
        changed = [
            replace(row, state=KeyState.ACTIVE)
            for row in rows.values()
            if row.purpose is item.purpose and row.state is KeyState.PRIMARY
        ]
        changed.append(replace(fresh, state=KeyState.PRIMARY, promoted_at=work.now))
        if item.purpose is Purpose.FIELD:
            canary = next(row for row in rows.values() if row.purpose is Purpose.CANARY)
            changed.append(hub.store.ring.make_canary(canary, fresh))
        put_keys(work.conn, changed)
        after = replace(item, phase=Phase.SEALING, version=version, phase_at=work.now, total=-1)
        if rotations.move(work, item, after):
            work.audit(Event("key.promote", "key", str(item.key_id), code=item.purpose))
    return after


def _seal_page(hub: Installation, item: Rotation) -> Rotation:
    todo = places(hub, item.purpose)
    names = [place.name for place in todo]
    total = item.total if item.total >= 0 else sum(rows_left(hub, item.purpose).values())
    at = names.index(item.place) if item.place in names else 0
    step = todo[at].step(hub.store, item.last_id)
    done, broken = item.done + step.seen, item.broken + step.broken
    after = replace(item, done=done, total=max(total, done), broken=broken, place=names[at], last_id=step.last or "")
    if step.last is None and at + 1 < len(names):
        after = replace(after, place=names[at + 1])
    elif step.last is None:
        after = replace(after, phase=Phase.SETTLING, place="", phase_at=hub.clock.now())
    with hub.store.begin() as work:
        rotations.move(work, item, after)
    return after


def _settle(hub: Installation, item: Rotation) -> Rotation:
    """Counts once everybody seals with the new key; what came under the old one meanwhile is sealed anew as well."""
    left = sum(rows_left(hub, item.purpose).values())
    with hub.store.begin() as work:
        if left > item.broken:
            after = replace(item, phase=Phase.SEALING, phase_at=work.now, done=0, total=left, broken=0)
            rotations.move(work, item, after)
            return after
        after = replace(item, phase=Phase.DONE, ended_at=work.now)
        if rotations.move(work, item, after):
            counts = {"sealed": item.done, "unreadable": left}
            work.audit(Event("key.reseal", "key", str(item.key_id), code=item.purpose, counts=counts))
    return after


def who(found: list[Holder]) -> str:
    """Names processes as people find them."""
    return ", ".join(f"{item.channel} {item.host}:{item.pid}" for item in found)


def with_provider(hub: Installation, event: Event, call: Callable[[], Made]) -> Made:
    """Notes that the provider is about to be called, and how that failed; the caller notes that it succeeded."""
    with hub.store.begin() as work:
        work.audit(replace(event, stage="attempt"))
    try:
        return call()
    except HubError as error:
        with hub.store.begin() as work:
            work.audit(replace(event, stage="result", outcome="error", code=error.code))
        raise


def watch_of(hub: Installation) -> RingWatch:
    """Returns the watch of the ring. Raises KeyUnusable where nothing is sealed at all."""
    if hub.store.watch is None or not hub.store.ring.kek_ids:
        raise KeyUnusable(
            "sealing is switched off; there are no keys to rotate", "未启用封存，没有可轮换的密钥", code="HUB-KEY-008"
        )
    return hub.store.watch
