"""The daemon, step by step: every tick looks at the clock, the board and the running jobs, and starts what is due."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import replace

from structlog.stdlib import BoundLogger

from hub.core.plan import order_entities
from hub.kernel.clock import Clock
from hub.kernel.errors import Busy, ConfigInvalid, HubError, InvariantBroken, StoreUnavailable
from hub.kernel.settings import Daemon as Bounds
from hub.kernel.workdays import Workdays
from hub.operations import pausing, scheduling
from hub.operations.installation import Installation
from hub.operations.progress import progress
from hub.operations.scheduling import BACKFILL, PASSING, RECONCILE, SYNC, Board
from hub.operations.standing import allowances
from hub.schedule import board as boards
from hub.schedule.anchoring import Anchoring
from hub.schedule.board import View
from hub.schedule.callbacks import HINTED, Callbacks
from hub.schedule.chores import Chores
from hub.schedule.claiming import claim
from hub.schedule.due import WorkingDay
from hub.schedule.jobs import Done, Job, Launch, Running, at_once, run_job
from hub.schedule.leading import Lead, lead_of, steers
from hub.schedule.management import Health
from hub.schedule.metrics import Meters
from hub.schedule.settings_file import SettingsFile
from hub.schedule.slicing import slice_of
from hub.schedule.turns import Candidate, ancestors_of, choose
from hub.schedule.unfinished import Unfinished
from hub.schedule.waiting import SETTINGS, Waiting, begin, cause_of
from hub.schedule.watchdog import watch
from hub.telemetry import logger

PROBE, RECHECK, BUSY = 30.0, 5.0, 10.0
"""Seconds between two looks at the key, and at files and secrets; and until a busy entity is tried again."""
BACK, GAP, ALIVE = 1.0, 120.0, 60.0
"""Seconds by which a clock may go back, or leap, before it counts as set; and without a tick before it is not alive."""


def log() -> BoundLogger:
    """Returns the logger of this room as it is configured now."""
    return logger("schedule")


class Daemon:
    """Runs the schedules of one installation. One thread calls `tick`; any may ask for `health` and `reload`."""

    def __init__(
        self,
        open_hub: Callable[[], Installation],
        clock: Clock,
        *,
        launch: Launch = at_once,
        working_day: WorkingDay | None = None,
        meters: Meters | None = None,
    ) -> None:
        self._open_hub, self.clock, self._launch = open_hub, clock, launch
        self._working_day = working_day or Workdays(lambda year: log().warning("calendar_guessed", year=year))
        self.meters = meters or Meters()
        self.callbacks = Callbacks(clock, launch, self.meters)
        self._chores = Chores(self.meters)
        self.anchoring = Anchoring(clock, launch, self.meters)
        self.hub: Installation | None = None
        self.running: dict[str, Running] = {}
        self.waiting: Waiting | None = None
        self.stuck = self.stopping = self.ticking = self.leading = False
        self.ticks = 0
        self._looking = threading.Lock()
        self._done: queue.Queue[Done] = queue.Queue()
        self._board = Board((), ())
        self._sliced_at: dict[str, float] = {}
        self._unfinished = Unfinished()
        self._held_until: dict[str, float] = {}
        self._short: frozenset[str] = frozenset()
        self._ticked_at: float | None = None
        self._probed_at = self._rechecked_at = 0.0
        self._reanchor, self._reload_wanted = True, False
        self._file: SettingsFile | None = None
        self._failed: str | None = None
        self._lead: Lead | None = None

    @property
    def bounds(self) -> Bounds:
        return self.hub.settings.daemon if self.hub is not None else Bounds()

    def start(self) -> None:
        """Opens the hub. Raises ConfigInvalid; a lost store or key is waited for instead."""
        now = self._ticked_at = self.clock.now()
        try:
            self._open(now)
            scheduling.note_start(self._hub())
        except ConfigInvalid:
            raise
        except HubError as error:
            if not self._wait(error, now):
                raise

    def tick(self) -> None:
        """Looks round once. What fails is logged and looked at again; nothing leaves this method but a kill."""
        with self._looking:
            self.ticking = True
            try:
                self._tick(self.clock.now())
            finally:
                self.ticking, self.ticks = False, self.ticks + 1

    def hear(self) -> None:
        """Judges at once what came in, for somebody waits. Raises what a look at the store may raise."""
        with self._looking:
            if self.hub is not None and self.waiting is None and not self.stopping:
                self.callbacks.hear(self.hub, self.clock.now())

    def _tick(self, now: float) -> None:
        try:
            self._follow_clock(now)
            self._collect()
            if not self.stopping and self._ready(now):
                self.callbacks.hear(self._hub(), now)
                if self._leads():
                    self._steer(now)
                self._failed = None
        except Exception as error:  # noqa: BLE001 - a daemon that dies of one bad look would need a person
            self._fail(error, now)
        if watch(list(self.running.values()), now, self.bounds):
            self.stuck = True
        waiting = self.waiting.cause if self.waiting else None
        self.meters.board(self._board.schedules, self._board.pauses, waiting, now)

    def reload(self) -> None:
        """Asks for the settings and mappings to be read again once no cycle runs."""
        self._reload_wanted = True

    def stop(self) -> None:
        """Starts nothing any more and asks every job to end between two pages or batches."""
        self.stopping = True
        for running in self.running.values():
            running.stop.set()

    def close(self, reason: str) -> None:
        """Takes in how the last jobs ended, says that the daemon stops, and closes the hub."""
        try:
            self._collect()
            if self.hub is not None:
                scheduling.note_stop(self.hub, reason)
        except HubError as error:
            log().error("stop_not_recorded", code=error.code, message=error.en)
        finally:
            self.callbacks.wait(5.0)
            self.anchoring.wait(5.0)
            if self.hub is not None and not self.running:
                self._shut()
                self.hub = None

    def health(self) -> Health:
        """Returns how the daemon is, as the management address tells it."""
        since = abs(self.clock.now() - self._ticked_at) if self._ticked_at is not None else 0.0
        reasons = [self.waiting.cause] if self.waiting else []
        if self.hub is None and not reasons:
            reasons.append("opening")
        elif self.hub is not None and not any(self._view(0.0).able(entity) for entity in self.hub.rules):
            reasons.append("all_paused")
        reasons += [name for name, holds in (("stuck", self.stuck), ("stopping", self.stopping)) if holds]
        role = "leads" if self.leading else "stands_by"
        return Health(since < ALIVE, tuple(reasons), since, role, self.anchoring.alarms)

    # Opening, waiting, reading again.

    def _hub(self) -> Installation:
        assert self.hub is not None
        return self.hub

    def _open(self, now: float) -> None:
        try:
            fresh = self._open_hub()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StoreUnavailable(
                f"the folder of the store cannot be used: {reason}; mount it or correct its rights",
                f"存储目录无法使用：{reason}；请挂载或更正权限",
            ) from None
        if self.hub is not None:
            self._shut()
        self.hub, self._file = fresh, SettingsFile(fresh)
        self._lead = lead_of(fresh)
        self._probed_at = self._rechecked_at = now
        log().info("hub_opened", installation=fresh.settings.installation.id)
        self._leads()
        for entity in fresh.rules:
            self.meters.converged(entity, scheduling.converged_at(fresh, entity))
            self.meters.standing(entity, scheduling.standing_of(fresh, entity))

    def _shut(self) -> None:
        if self._lead is not None:
            self._lead.release()
        self.leading = False
        self._hub().close()

    def _leads(self) -> bool:
        """Tells whether this process steers; one that lost the lead ends what it runs before it tries again."""
        assert self._lead is not None
        before, self.leading = self.leading, steers(self._lead, self._hub(), idle=not self.running)
        if before and not self.leading:
            for running in self.running.values():
                running.stop.set()
        if self.leading and not before:
            self._unfinished.since |= dict.fromkeys(scheduling.cut_short(self._hub()), self.clock.now())
        self.meters.leads(self.leading)
        return self.leading

    def _ready(self, now: float) -> bool:
        """Tells whether jobs may start: the hub is open, its key can be read, and nothing waits to be read again."""
        if self.waiting is not None:
            return self.waiting.due(now) and not self.running and self._try_again(now)
        if abs(now - self._probed_at) >= PROBE:
            self._probed_at = now
            scheduling.tend(self._hub())
            self._chores.ask_about_keys(self.leading)
        if abs(now - self._rechecked_at) >= RECHECK:
            self._rechecked_at = now
            self._reload_wanted |= self._file is not None and self._file.changed()
        if self._reload_wanted and not (self.running or self.callbacks.busy or self.anchoring.busy):
            self._read_again(now)
        return not self._reload_wanted

    def _try_again(self, now: float) -> bool:
        waited = self.waiting
        assert waited is not None
        try:
            self._open(now)
            scheduling.note_wait(self._hub(), waited.cause, waited.code, now - waited.since)
        except HubError as error:
            cause = SETTINGS if isinstance(error, ConfigInvalid) else cause_of(error)
            if cause is None:
                raise
            self.waiting = waited.again(now)
            if cause != waited.cause:
                self.waiting = replace(self.waiting, cause=cause, code=error.code)
                log().error("everything_waits", cause=cause, code=error.code, message=error.en)
            return False
        log().warning("goes_on", cause=waited.cause, waited_seconds=round(now - waited.since))
        self.waiting, self._reanchor = None, True
        return True

    def _wait(self, error: BaseException, now: float) -> bool:
        """Makes everything wait if the error asks for it; says so once, however often it is tried again."""
        cause = cause_of(error)
        if cause is None or not isinstance(error, HubError):
            return False
        if self.waiting is None:
            self.waiting = begin(cause, error, now)
            log().error("everything_waits", cause=cause, code=error.code, message=error.en)
            for running in self.running.values():
                running.stop.set()
        return True

    def _fail(self, error: Exception, now: float) -> None:
        if self._wait(error, now):
            return
        name = f"{type(error).__name__} {getattr(error, 'code', '')}"
        if name != self._failed:
            log().error("tick_failed", exc_info=error)
        self._failed = name

    def _read_again(self, now: float) -> None:
        self._reload_wanted = False
        try:
            self._open(now)
            log().info("settings_read_again")
        except ConfigInvalid as invalid:
            log().error("settings_refused", code=invalid.code, message=invalid.en)

    def _follow_clock(self, now: float) -> None:
        gap = 0.0 if self._ticked_at is None else now - self._ticked_at
        self._ticked_at = now
        if -BACK <= gap <= GAP:
            return
        log().warning("clock_jumped", seconds=round(gap, 3))
        for running in self.running.values():
            running.shift(gap)
        self._held_until.clear()
        self._reanchor = self._reanchor or gap < 0

    # Steering.

    def _view(self, now: float) -> View:
        settings = self._hub().settings
        systems = {name: settings.entities[name].systems for name in self._order()}
        grace = settings.schedule.misfire_grace_seconds
        left = self._unfinished
        view = View(self._board, systems, now, grace, self._working_day, self._sliced_at, left.since, left.synced)
        return replace(view, pass_seconds=self.bounds.pass_seconds, short=self._short)

    def _order(self) -> tuple[str, ...]:
        return order_entities(self._references())

    def _references(self) -> dict[str, list[str]]:
        rules = self._hub().rules
        return {name: [t for t in rules[name].entity.references().values() if t in rules] for name in rules}

    def _steer(self, now: float) -> None:
        hub = self._hub()
        self._board = scheduling.read_board(hub)
        resumed = pausing.resume_rotated(hub, self._board.pauses) if self._board.pauses else []
        if resumed:
            log().warning("system_resumed", systems=resumed, cause=pausing.AUTH)
        due = boards.moves(self._view(now), reanchor=self._reanchor)
        self._reanchor = False
        if due:
            scheduling.move(hub, due)
        if due or resumed:
            self._board = scheduling.read_board(hub)
        self.callbacks.keep(hub, now)
        self.anchoring.keep(hub, now)
        self._chores.keep(hub, now)
        while len(self.running) < self.bounds.parallel and self.waiting is None and not self.stopping:
            if not self._start_next(self.clock.now()):
                return
            self._collect()
            self._board = scheduling.read_board(hub)

    def _start_next(self, now: float) -> bool:
        view = self._view(now)
        waiting = boards.candidates(view) + self.callbacks.candidates(view, list(self.running))
        free = [item for item in waiting if self._held_until.get(item.entity, now) <= now]
        chosen = choose(free, set(self.running), ancestors_of(self._references()), self._order(), now)
        if chosen is None:
            return False
        extra = {BACKFILL: self._unfinished.go_on, PASSING: self._unfinished.passing, HINTED: self.callbacks.job}
        job = {**extra, RECONCILE: self._slice}.get(chosen.act, self._cycle)(view, chosen)
        if job is None:
            return False
        running = self.running[job.entity] = Running(job, now, now)
        hub = self._hub()

        def told(phase: str, system: str, number: int) -> None:
            self.meters.progress(job.entity, phase, system, number)

        self._launch(lambda: self._done.put(run_job(hub, running, self.clock, told)))
        return True

    def _cycle(self, view: View, chosen: Candidate) -> Job | None:
        taken = [start.row for start in claim(self._hub(), boards.starts(view, SYNC, chosen.entity))]
        if not taken:
            return None
        ids = tuple(row.schedule_id for row in taken)
        self._unfinished.drop(chosen.entity)
        return Job(SYNC, chosen.entity, ids, None, boards.resting(view, chosen.entity, taken))

    def _slice(self, view: View, chosen: Candidate) -> Job | None:
        return slice_of(self._hub(), view, chosen.entity, self._sliced_at)

    def _collect(self) -> None:
        """Takes in how jobs ended."""
        while True:
            try:
                done = self._done.get_nowait()
            except queue.Empty:
                return
            self.running.pop(done.job.entity, None)
            self.meters.ended(done)
            if done.error is None or not self._wait(done.error, self.clock.now()):
                self._note(done)

    def _note(self, done: Done) -> None:
        hub, job, now = self._hub(), done.job, self.clock.now()
        self.meters.calls(hub.calls())
        self.meters.allowances(windows := allowances(hub))
        self._short = frozenset(item.system for item in windows if item.is_short)
        self._unfinished.note(done, now)
        if isinstance(done.error, Busy):
            self._held_until[job.entity] = now + BUSY
            if job.act == SYNC and job.ids:
                scheduling.move(hub, dict.fromkeys(job.ids, now + BUSY))
            return
        if isinstance(done.error, InvariantBroken):
            pausing.pause(hub, f"entity:{job.entity}", done.error.en, cause=pausing.BUG)
            log().critical("entity_paused", entity=job.entity, cause=pausing.BUG, code=done.error.code)
        for system, code in done.refused:
            if pausing.pause_refused(hub, system, code) is not None:
                log().error("system_paused", system=system, cause=pausing.AUTH, code=code)
        if job.act == RECONCILE:
            self._sliced_at[job.entity] = now
            # One that the watchdog ended is not begun again tonight; one that a stop or a wait cut short is.
            if not done.stopped or not (self.stopping or self.waiting):
                scheduling.keep_slices(hub, job.ids[0], job.left)
        scheduling.end(hub, job.ids, done.outcome, done.run_id)
        self._board = scheduling.read_board(hub)
        if due := boards.overrun(self._view(now), job.ids):
            scheduling.move(hub, due)
        if done.outcome == "converged":
            self.meters.converged(job.entity, now)
        self.meters.standing(job.entity, scheduling.standing_of(hub, job.entity))
        self.meters.backfill(job.entity, progress(hub, job.entity))
