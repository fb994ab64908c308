"""Callbacks that came in: believed or not, and kept as hints at records to read again. Nothing else comes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from hmac import compare_digest

from connectors.channels import Hint, Receive
from hub.operations.installation import Installation
from hub.store import callbacks
from hub.store.callbacks import ChannelRow
from hub.sync.hints import ECHO

RECEIVED, LATE, FORGED = "received", "late", "forged"
LATE_AFTER = 900.0
"""Seconds between the sending of a callback, by its system's clock, and its coming from which on it counts as late."""
MOST_HINTS = 20_000
"""Hints that may wait at once; what changes beyond that is left to the poll."""


@dataclass(frozen=True, slots=True)
class Call:
    """Is one call that came in from outside: the last part of its path, and its body. Both may be secret or forged."""

    path: str = attribute(repr=False)
    body: bytes = attribute(repr=False)


@dataclass(frozen=True, slots=True)
class Heard:
    """Is what came of calls: numbers by (system, outcome), the system empty where nobody knows; and hints by system."""

    calls: Mapping[tuple[str, str], int]
    hints: Mapping[str, int]


def hear(hub: Installation, calls: Iterable[Call]) -> Heard:
    """Verifies calls and keeps what they hint at, all in one commit. Calls nobody."""
    with hub.store.read() as conn:
        rows = callbacks.channels(conn, hub.store.ring)
        room = MOST_HINTS - sum(callbacks.waiting(conn).values())
    listeners, objects = _listeners(hub)
    told: Counter[tuple[str, str]] = Counter()
    hints: dict[tuple[str, str, str], None] = {}
    for call in calls:
        row = _channel_of(call.path, rows)
        listener = listeners.get(row.system) if row is not None else None
        hint = listener.receive(call.body, row.channel_id, row.tokens) if listener and row else None
        if row is None or hint is None:
            told["" if row is None else row.system, FORGED] += 1
            continue
        told[row.system, LATE if _is_late(hint, hub.clock.now()) else RECEIVED] += 1
        if (row.system, hint.object) in objects:
            hints |= dict.fromkeys((row.system, hint.object, each) for each in hint.native_ids)
    taken = list(hints)[: max(0, room)]
    with hub.store.begin() as work:
        callbacks.add_hints(work, taken)
        for system in sorted({system for system, _ in told} - {""}):
            late, forged = told[system, LATE], told[system, FORGED]
            callbacks.count(work, system, received=told[system, RECEIVED] + late, late=late, forged=forged)
    return Heard(+told, Counter(system for system, _, _ in taken))


def _channel_of(path: str, rows: Sequence[ChannelRow]) -> ChannelRow | None:
    """Returns the channel that a path belongs to; all are compared, so that the time it takes tells nothing."""
    said, found = path.encode("utf-8", "replace"), None
    for row in rows:
        if compare_digest(said, row.path.encode()) and row.tokens:
            found = row
    return found


def _is_late(hint: Hint, now: float) -> bool:
    return hint.sent_at is not None and now - hint.sent_at > LATE_AFTER


def _listeners(hub: Installation) -> tuple[dict[str, Receive], set[tuple[str, str]]]:
    """Returns who understands the callbacks of each system, and the objects that are mapped: (system, object)."""
    listeners: dict[str, Receive] = {}
    objects: set[tuple[str, str]] = set()
    for entity in hub.rules:
        for system, link in hub.links(entity).items():
            objects |= {(system, name) for name in link.objects}
            if isinstance(link.connector, Receive):
                listeners[system] = link.connector
    return listeners, objects


def hinted(hub: Installation) -> dict[str, set[str]]:
    """Returns what there is to read again: entity -> the systems that hinted at records of it."""
    with hub.store.read() as conn:
        waiting = callbacks.waiting(conn)
    found: dict[str, set[str]] = {}
    if waiting:
        for entity in hub.rules:
            for system, link in hub.links(entity).items():
                if any((system, name) in waiting for name in link.objects):
                    found.setdefault(entity, set()).add(system)
    return found


def forget_echoes(hub: Installation, entity: str, systems: Iterable[str]) -> int:
    """Forgets the hints that our own writes caused; returns how many. A person's edit beside one waits for the poll."""
    links = hub.links(entity)
    with hub.store.begin() as work:
        return sum(callbacks.drop_echoes(work, system, links[system].objects, ECHO) for system in sorted(systems))
