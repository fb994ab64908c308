"""One job of the daemon: a cycle, or one slice of a reconciliation, with the heart that the watchdog listens to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as attribute

from connectors.errors import AuthRejected
from hub.kernel.clock import Clock
from hub.kernel.errors import Busy, HubError
from hub.operations import cycles
from hub.operations.cycles import CUT_SHORT
from hub.operations.installation import Installation
from hub.operations.scheduling import RECONCILE
from hub.telemetry import logger

FAILED = "failed"
Told = Callable[[str, str, int], None]
Launch = Callable[[Callable[[], None]], None]


def at_once(work: Callable[[], None]) -> None:
    """Runs a job in the calling thread, for tests that step through days."""
    work()


def in_thread(work: Callable[[], None]) -> None:
    """Runs a job in a thread that does not keep the process alive."""
    threading.Thread(target=work, name="cycle", daemon=True).start()


@dataclass(frozen=True, slots=True)
class Job:
    """Is what runs: `ids` are the schedules that it serves, `piece` the slice, `resting` the systems left alone."""

    act: str
    entity: str
    ids: tuple[str, ...]
    piece: tuple[str, str] | None = None
    resting: frozenset[str] = frozenset()
    left: tuple[tuple[str, str], ...] = ()
    """Slices that come after this one."""

    def words(self) -> dict[str, str]:
        """Returns what names the job in a log line."""
        named = {"act": self.act, "entity": self.entity}
        return named if self.piece is None else named | {"system": self.piece[0], "object": self.piece[1]}


@dataclass(slots=True)
class Running:
    """Is a job that runs; instants in epoch seconds. `asked_at` is when the watchdog asked it to stop."""

    job: Job
    started_at: float
    beat_at: float
    stop: threading.Event = attribute(default_factory=threading.Event)
    phase: str = "start"
    system: str = ""
    asked_at: float | None = None

    def shift(self, seconds: float) -> None:
        """Follows a clock that jumped, so that no job looks stuck for it."""
        self.started_at += seconds
        self.beat_at += seconds
        if self.asked_at is not None:
            self.asked_at += seconds


@dataclass(frozen=True, slots=True)
class Done:
    """Is how a job ended: `refused` are (system, code) of systems that do not accept the hub."""

    job: Job
    outcome: str
    seconds: float
    run_id: str | None = None
    counts: Mapping[str, int] = attribute(default_factory=dict)
    refused: tuple[tuple[str, str], ...] = ()
    stopped: bool = False
    unfinished: bool = False
    """The sync yielded before it came to its end."""
    blocked: frozenset[str] = frozenset()
    error: Exception | None = None


def run_job(hub: Installation, running: Running, clock: Clock, told: Told) -> Done:
    """Runs a job to its end and returns how it ended; raises nothing, what failed is in the answer."""
    job = running.job

    def beat(phase: str, system: str, number: int) -> None:
        running.beat_at, running.phase, running.system = clock.now(), phase, system
        told(phase, system, number)

    begun = clock.now()
    try:
        # Its own progress: two entities may run at once, each with a heart of its own.
        heard = replace(hub, progress=beat)
        done = _reconcile(heard, running) if job.act == RECONCILE else _sync(heard, running)
    except Exception as error:  # noqa: BLE001 - the daemon outlives whatever a cycle ends with
        done = Done(job, FAILED, 0.0, _run_id(error), error=error)
    done = replace(done, seconds=max(0.0, clock.now() - begun), stopped=running.stop.is_set())
    _say(done)
    return done


def _sync(hub: Installation, running: Running) -> Done:
    job = running.job
    bound = hub.settings.daemon.slice_seconds
    synced = cycles.sync(hub, job.entity, stop=running.stop, resting=job.resting, slice_seconds=bound)
    named = [item.reason.split(":") for item in synced.advice if item.reason.startswith("system:")]
    refused = tuple((parts[1], parts[2]) for parts in named if parts[2] == AuthRejected.code)
    blocked = frozenset(parts[1] for parts in named)
    unfinished = bool(synced.counts.get(CUT_SHORT))
    done = Done(job, synced.outcome, 0.0, synced.run_id, synced.counts, refused)
    return replace(done, unfinished=unfinished, blocked=blocked)


def _reconcile(hub: Installation, running: Running) -> Done:
    job = running.job
    found, failed = cycles.reconcile_entity(hub, job.entity, running.stop, job.piece)
    names = ("known", "listed", "missing", "gone", "unseen", "hidden", "extra", "moved")
    counts = {name: sum(getattr(item, name) for item in found) for name in names}
    refused = tuple((system, code) for system, code, _ in failed if code == AuthRejected.code)
    outcome = "blocked" if failed or any(item.stopped for item in found) else "compared"
    return Done(job, outcome, 0.0, None, counts, refused)


def _run_id(error: Exception) -> str | None:
    notes = (note for note in getattr(error, "__notes__", ()) if note.startswith(cycles.RUN_NOTE))
    return next((note.removeprefix(cycles.RUN_NOTE) for note in notes), None)


def _say(done: Done) -> None:
    words: dict[str, object] = {**done.job.words(), "outcome": done.outcome, "seconds": round(done.seconds, 3)}
    if done.run_id is not None:
        words["run_id"] = done.run_id
    log = logger("schedule")
    if isinstance(done.error, Busy):
        log.info("cycle_waits", **words, code=done.error.code)
    elif isinstance(done.error, HubError):
        log.error("cycle_ended", **words, code=done.error.code, message=done.error.en)
    elif done.error is not None:
        log.error("cycle_ended", **words, exc_info=done.error)
    else:
        log.info("cycle_ended", **words, stopped=done.stopped, counts=dict(done.counts))
