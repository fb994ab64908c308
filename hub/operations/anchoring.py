"""Carries checkpoints, and entries for a SIEM, to the sinks; tells how the log stands towards its anchors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from hub.audit.event import Event, instant
from hub.audit.tree import RowTuple
from hub.kernel.audit_settings import Sink as SinkSettings
from hub.kernel.errors import HubError
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.operations.signer import Verified, verified
from hub.operations.sinks import open_sink, open_syslog
from hub.store import audit_log
from hub.store.anchor import head_of
from hub.store.audit_log import Outbox
from hub.store.database import Connection

LATE = 900.0
"""Seconds after which what a sink has not had is an alarm."""
BATCH, ROWS = 100, 1000
"""Checkpoints and entries that go out at once."""
FIRST, LONGEST = 5.0, 300.0
SIEM = "siem"


@dataclass(frozen=True, slots=True)
class SinkStanding:
    """Is how a sink stands: `lag` is how long something has waited for it, in seconds; `late` that this is too long."""

    name: str
    kind: str
    delivered_at: float | None
    lag: float
    late: bool
    code: str | None


@dataclass(frozen=True, slots=True)
class AuditStanding:
    """Is how the log stands: `unanchored` that nothing outside the database knows of it."""

    unanchored: bool
    signed_at: float | None
    size: int
    epoch: int
    sinks: tuple[SinkStanding, ...]
    verified: Verified | None

    @property
    def alarms(self) -> tuple[str, ...]:
        """Returns codes of what somebody must look at."""
        broken = self.verified is not None and not self.verified.ok
        late = any(sink.late for sink in self.sinks)
        return tuple(name for name, holds in (("audit_broken", broken), ("audit_sink_late", late)) if holds)


@permit("status.read")
def standing(hub: Installation) -> AuditStanding:
    """Returns how the log stands towards its anchors; reads the store and the files beside the signing key."""
    now = hub.clock.now()
    with hub.store.read() as conn:
        newest = audit_log.newest_checkpoint(conn)
        had = audit_log.outboxes(conn)
        epoch, seq, _ = head_of(conn)
        sinks = tuple(_sink(conn, name, item, had.get(name), now) for name, item in hub.settings.audit.sinks.items())
    anchored = any(item.delivered_at is not None for item in sinks if item.kind != SIEM)
    signed_at = None if newest is None else newest.signed_at
    return AuditStanding(not anchored, signed_at, seq + 1, epoch, sinks, verified(hub.settings))


def _sink(conn: Connection, name: str, item: SinkSettings, had: Outbox | None, now: float) -> SinkStanding:
    box = had or _fresh(name, item)
    since: float | None
    if item.kind == SIEM:
        since = next((instant(orjson.loads(row[2])["ts"]) for row in _entries(conn, box, 1)), None)
    else:
        since = next((kept.signed_at for kept in audit_log.checkpoints_after(conn, _position(conn, box), 1)), None)
    lag = 0.0 if since is None else max(0.0, now - since)
    return SinkStanding(name, item.kind, box.delivered_at, lag, lag > LATE, box.code)


def _fresh(name: str, item: SinkSettings) -> Outbox:
    return Outbox(name, 0, -1 if item.kind == SIEM else 0)


def _entries(conn: Connection, box: Outbox, limit: int) -> Sequence[RowTuple]:
    return audit_log.entries_after(conn, box.epoch, box.position, limit)


def _position(conn: Connection, box: Outbox) -> int:
    """Returns the number of the checkpoint that a sink had last; one that is new begins with the newest."""
    if box.delivered_at is None and not box.failures and (newest := audit_log.newest_checkpoint(conn)) is not None:
        return newest.number - 1
    return box.position


@permit("audit.sign")
def deliver(hub: Installation) -> Mapping[str, int]:
    """Gives every sink what it has not had, in order, at least once; returns how much each took.

    A sink that is away is tried again with growing gaps and holds up no other one.
    """
    with hub.store.read() as conn:
        had = audit_log.outboxes(conn)
    taken = {}
    for name, item in hub.settings.audit.sinks.items():
        box = had.get(name) or _fresh(name, item)
        if box.retry_at is None or not 0 < box.retry_at - hub.clock.now() <= LONGEST:
            taken[name] = _carry(hub, item, box)
    return taken


@dataclass(frozen=True, slots=True)
class _Parcel:
    """Is what a sink gets next: how many, the places before and after them, and what gives them."""

    number: int
    before: tuple[int, int]
    after: tuple[int, int]
    give: Callable[[], None]


def _carry(hub: Installation, item: SinkSettings, box: Outbox) -> int:
    total = 0
    while True:
        with hub.store.read() as conn:
            parcel = _rows(hub, conn, item, box) if item.kind == SIEM else _notes(hub, conn, item, box)
        if parcel is None:
            return total
        try:
            parcel.give()
        except HubError as error:
            _note_failure(hub, replace(box, epoch=parcel.before[0], position=parcel.before[1]), error)
            return total
        box = _note_delivery(hub, box, parcel.after)
        total += parcel.number


def _rows(hub: Installation, conn: Connection, item: SinkSettings, box: Outbox) -> _Parcel | None:
    rows = _entries(conn, box, ROWS)
    if not rows:
        return None
    return _Parcel(len(rows), (box.epoch, box.position), rows[-1][:2], lambda: open_syslog(hub, item).forward(rows))


def _notes(hub: Installation, conn: Connection, item: SinkSettings, box: Outbox) -> _Parcel | None:
    position = _position(conn, box)
    kept = audit_log.checkpoints_after(conn, position, BATCH)
    if not kept:
        return None
    return _Parcel(len(kept), (0, position), (0, kept[-1].number), lambda: open_sink(hub, item).take(kept))


def _note_delivery(hub: Installation, box: Outbox, after: tuple[int, int]) -> Outbox:
    now = hub.clock.now()
    with hub.store.begin() as work:
        made = Outbox(box.sink, after[0], after[1], now)
        audit_log.put_outbox(work, made)
        if box.failures:
            work.audit(Event("audit.sink_back", "sink", box.sink, counts={"failures": box.failures}))
    return made


def _note_failure(hub: Installation, box: Outbox, error: HubError) -> None:
    now = hub.clock.now()
    gap = min(LONGEST, FIRST * 2 ** min(box.failures, 10))
    with hub.store.begin() as work:
        made = replace(box, retry_at=now + gap, failures=box.failures + 1, code=error.code)
        audit_log.put_outbox(work, made)
        if not box.failures:
            work.audit(Event("audit.sink_away", "sink", box.sink, outcome="error", code=error.code, reason=error.en))
