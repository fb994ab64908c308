"""Callbacks that came in: believed or not, and kept as hints at records to read again. Nothing else comes of them.

One that is signed is answered once its hint is kept, so that its system repeats what was lost; any other one was
answered when it came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from hmac import compare_digest

from connectors.channels import Hint, Receive, Told
from hub.operations import signing
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import callbacks
from hub.store.callbacks import ChannelRow
from hub.store.unit_of_work import UnitOfWork
from hub.sync.hints import ECHO

RECEIVED, LATE, REPEATED, FORGED = "received", "late", "repeated", "forged"
LATE_AFTER = 900.0
"""Seconds between the sending of a callback, by its system's clock, and its coming from which on it counts as late."""
MOST_HINTS = 20_000
"""Hints that may wait at once; what changes beyond that is left to the poll."""


@dataclass(frozen=True, slots=True)
class Call:
    """Is one call that came in from outside: the last part of its path, and its body. Both may be secret or forged."""

    path: str = attribute(repr=False)
    body: bytes = attribute(repr=False)
    answer: Callable[[bytes | None], None] | None = attribute(default=None, repr=False)
    """Takes the answer to a signed call, None where it was not believed; any other call has been answered."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Is what came of calls: numbers by (system, outcome), the system empty where nobody knows; and hints by system."""

    calls: Mapping[tuple[str, str], int]
    hints: Mapping[str, int]


class _Ear:
    """Judges calls one by one and gathers what comes of them."""

    def __init__(self, hub: Installation, rows: Sequence[ChannelRow]) -> None:
        self._hub, self._rows = hub, rows
        self._listeners, self._objects = _listeners(hub)
        self._signed = signing.listeners(hub)
        self.told: Counter[tuple[str, str]] = Counter()
        self.hints: dict[tuple[str, str, str], None] = {}

    def plain(self, call: Call) -> None:
        """Judges a call that says its channel's token."""
        row = _channel_of(call.path, self._rows)
        listener = self._listeners.get(row.system) if row is not None else None
        hint = listener.receive(call.body, row.channel_id, row.tokens) if listener and row else None
        if row is None or hint is None:
            self.told["" if row is None else row.system, FORGED] += 1
            return
        self._believe(row.system, hint)

    def signed(self, call: Call) -> tuple[str, Told | None]:
        """Judges a call that is signed: (its system, what it tells or None)."""
        system = call.path if any(row.system == call.path for row in self._rows) else ""
        found = signing.judge(call.body, system, self._signed, self._rows)
        if found is None:
            self.told[system, FORGED] += 1
        return system, found

    def take(self, work: UnitOfWork, system: str, messages: Sequence[Told]) -> None:
        """Takes the hints of signed calls, of one that came before none; remembers them all."""
        known = callbacks.heard_before(work.conn, system, (each.message_id for each in messages))
        for each in messages:
            if each.message_id in known:
                self.told[system, REPEATED] += 1
            elif each.hint is None:
                self.told[system, RECEIVED] += 1
            else:
                self._believe(system, each.hint)
            known.add(each.message_id)
        callbacks.remember(work, system, {each.message_id: each.until for each in messages})

    def _believe(self, system: str, hint: Hint) -> None:
        self.told[system, LATE if _is_late(hint, self._hub.clock.now()) else RECEIVED] += 1
        if (system, hint.object) in self._objects:
            self.hints |= dict.fromkeys((system, hint.object, each) for each in hint.native_ids)


@permit("daemon.run")
def hear(hub: Installation, calls: Iterable[Call]) -> Heard:
    """Verifies calls and keeps what they hint at, all in one commit; then answers the signed ones. Calls nobody."""
    with hub.store.read() as conn:
        rows = callbacks.channels(conn, hub.store.ring)
        room = MOST_HINTS - sum(callbacks.waiting(conn).values())
    ear = _Ear(hub, rows)
    answers: list[tuple[Call, Told | None]] = []
    messages: dict[str, list[Told]] = {}
    for call in calls:
        if call.answer is None:
            ear.plain(call)
            continue
        system, found = ear.signed(call)
        answers.append((call, found))
        if found is not None:
            messages.setdefault(system, []).append(found)
    with hub.store.begin() as work:
        for system in sorted(messages):
            ear.take(work, system, messages[system])
        taken = list(ear.hints)[: max(0, room)]
        callbacks.add_hints(work, taken)
        for system in sorted({system for system, _ in ear.told} - {""}):
            number = {outcome: ear.told[system, outcome] for outcome in (RECEIVED, LATE, REPEATED, FORGED)}
            received = number[RECEIVED] + number[LATE] + number[REPEATED]
            callbacks.count(work, system, received=received, late=number[LATE], forged=number[FORGED])
    for call, found in answers:
        if call.answer is not None:
            call.answer(None if found is None else found.answer)
    return Heard(+ear.told, Counter(system for system, _, _ in taken))


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


@permit("daemon.run")
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


@permit("sync.run")
def forget_echoes(hub: Installation, entity: str, systems: Iterable[str]) -> int:
    """Forgets the hints that our own writes caused; returns how many. A person's edit beside one waits for the poll."""
    links = hub.links(entity)
    with hub.store.begin() as work:
        return sum(callbacks.drop_echoes(work, system, links[system].objects, ECHO) for system in sorted(systems))
