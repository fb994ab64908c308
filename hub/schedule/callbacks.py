"""Callbacks as the daemon has them: calls are judged at every look, hints start early cycles, channels are kept."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from structlog.stdlib import BoundLogger

from connectors.errors import ConnectorError
from hub.kernel.clock import Clock
from hub.kernel.errors import Busy, HubError
from hub.operations import channels, hearing, signing
from hub.operations.channels import Kept, Step
from hub.operations.hearing import Call
from hub.operations.installation import Installation
from hub.operations.scheduling import SYNC
from hub.schedule import board as boards
from hub.schedule.board import View
from hub.schedule.jobs import Job, Launch
from hub.schedule.metrics import Meters
from hub.schedule.turns import Candidate
from hub.store.schedules import ALL
from hub.telemetry import logger

HINTED = "hinted"
"""Is a sync that systems hinted at; it has no schedule of its own."""
SETTLE = 2.0
"""Seconds that hints are gathered before a cycle starts for them."""
KEEP, SAY = 30.0, 60.0
"""Seconds between two looks at the channels, and between two lines about calls that were not believed."""

Source = Callable[[], tuple[Sequence[Call], Mapping[str, int]]]


def log() -> BoundLogger:
    """Returns the logger of this room as it is configured now."""
    return logger("callbacks")


def silence() -> tuple[Sequence[Call], Mapping[str, int]]:
    """Returns that nobody called."""
    return (), {}


class Bell:
    """Has calls judged as soon as somebody waits for it, in a thread of its own."""

    def __init__(self, rung: threading.Event, hear: Callable[[], None]) -> None:
        self._rung, self._hear, self._closed = rung, hear, False
        self._failed: str | None = None
        self._thread = threading.Thread(target=self._listen, name="bell", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            self._rung.wait()
            self._rung.clear()
            if self._closed:
                return
            try:
                self._hear()
                self._failed = None
            except Exception as error:  # noqa: BLE001 - who waits is not answered, and calls again
                # Said once, however often it fails alike; the daemon's own looks find what lies behind it.
                if self._failed != (name := type(error).__name__):
                    log().error("call_not_judged", exc_info=error)
                self._failed = name

    def close(self) -> None:
        """Listens no more."""
        self._closed = True
        self._rung.set()
        self._thread.join(5)


class Callbacks:
    """Hears, starts and keeps for one daemon. One thread calls it; what speaks to systems runs beside."""

    def __init__(self, clock: Clock, launch: Launch, meters: Meters) -> None:
        self._clock, self._launch, self._meters = clock, launch, meters
        self.source: Source = silence
        self._hub: Installation | None = None
        self._since: dict[str, float] = {}
        self._systems: Mapping[str, set[str]] = {}
        self._begun_at: dict[str, float] = {}
        self._kept_at: float | None = None
        self._said_at: float | None = None
        self._unbelieved: Counter[str] = Counter()
        self._idle = threading.Event()
        self._idle.set()

    @property
    def busy(self) -> bool:
        """Tells whether a system is being spoken to; the hub must stay open for that."""
        return not self._idle.is_set()

    def wait(self, seconds: float) -> None:
        """Waits until no system is spoken to."""
        self._idle.wait(seconds)

    def hear(self, hub: Installation, now: float) -> None:
        """Judges the calls that came in since the last look. Any host may: what it hears is kept for the leader."""
        if self._hub is not hub and hub.settings.callbacks.base is not None:
            # The first call of a hub just opened would wait until its systems are; who signs does not wait long.
            signing.listeners(hub)
        self._hub = hub
        calls, refused = self.source()
        for why, number in refused.items():
            self._meters.callback("", why, number)
            self._unbelieved[why] += number
        if calls:
            heard = hearing.hear(hub, calls)
            for (system, outcome), number in heard.calls.items():
                self._meters.callback(system, outcome, number)
                if outcome == hearing.FORGED:
                    self._unbelieved[outcome] += number
            for system, number in heard.hints.items():
                log().info("callbacks_heard", system=system, records=number)
        # One line a minute, however many are sent to fill the disk.
        if self._unbelieved and not self._fresh(self._said_at, now, SAY):
            self._said_at = now
            log().warning("callbacks_refused", counts=dict(self._unbelieved))
            self._unbelieved.clear()

    def keep(self, hub: Installation, now: float) -> None:
        """Looks after the channels, beside the ticking: systems may be slow."""
        if self.busy or self._fresh(self._kept_at, now, KEEP):
            return
        self._kept_at = now
        rows = channels.list_channels(hub)
        self._meters.channels(rows)
        if hub.settings.callbacks.base is None and not rows:
            return
        self._idle.clear()
        self._launch(lambda: self._keep(hub))

    def _keep(self, hub: Installation) -> None:
        try:
            for done in channels.keep(hub):
                _say(done)
        except Busy:
            log().info("channels_wait")
        except HubError as error:
            log().error("channels_not_kept", code=error.code, message=error.en)
        except Exception as error:  # noqa: BLE001 - callbacks may fail, the poll goes on
            log().error("channels_not_kept", exc_info=error)
        finally:
            self._idle.set()

    @staticmethod
    def _fresh(at: float | None, now: float, seconds: float) -> bool:
        return at is not None and 0 <= now - at < seconds

    def candidates(self, view: View, running: Sequence[str]) -> list[Candidate]:
        """Returns the entities of which something was hinted at, once the hints have settled."""
        hub = self._hub
        if hub is None or hub.settings.callbacks.base is None:
            return []
        self._systems = hearing.hinted(hub)
        self._since = {name: min(view.now, self._since.get(name, view.now)) for name in self._systems}
        found = []
        for entity, systems in self._systems.items():
            able = systems & set(view.able(entity))
            if entity in running or not able or not boards.may_go_on(view, entity):
                continue
            begun, pause = self._begun_at.get(entity), hub.settings.callbacks.pause_seconds
            if view.now - self._since[entity] < SETTLE or self._fresh(begun, view.now, pause):
                continue
            if hearing.forget_echoes(hub, entity, able) and entity not in hearing.hinted(hub):
                continue
            found.append(Candidate(HINTED, entity, self._since[entity]))
        return found

    def job(self, view: View, chosen: Candidate) -> Job:
        """Returns the early cycle of an entity; systems that go slower on purpose rest unless they hinted."""
        entity = chosen.entity
        self._since.pop(entity, None)
        self._begun_at[entity] = view.now
        awake = {ALL, *self._systems.get(entity, ())}
        rows = [row for row in view.rows(SYNC, entity) if row.system in awake]
        return Job(SYNC, entity, (), None, boards.resting(view, entity, rows))


def _say(done: Kept) -> None:
    words: dict[str, object] = {"system": done.system}
    if isinstance(done.error, ConnectorError):
        log().error("channel_failed", **words, step=done.step.value, code=done.error.code, message=done.error.en)
        return
    if done.lost:
        log().warning("channel_lost", **words, message="its system dropped it; a new one was opened")
    if done.missing:
        log().warning("channel_partial", **words, step=done.step.value, missing=list(done.missing))
    elif not done.lost and done.step is not Step.LOOK:
        log().info(f"channel_{done.step}", **words)
