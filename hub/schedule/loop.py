"""The thin shell around the daemon: APScheduler ticks, signals steer, systemd hears."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from sdnotify import SystemdNotifier

from hub.kernel.clock import Clock
from hub.kernel.errors import StoreUnavailable
from hub.kernel.settings import Settings
from hub.operations.installation import Installation
from hub.schedule.callbacks import Bell
from hub.schedule.daemon import Daemon
from hub.schedule.dispatch import spread, spreads
from hub.schedule.jobs import in_thread
from hub.schedule.management import Listener, make_app
from hub.schedule.watchdog import stacks
from hub.schedule.workers import Workers
from hub.telemetry import logger
from hub.web.hooks.receiver import BOUNDS, Inbox, make_receiver

STUCK_EXIT = 75
"""Exit code after a cycle that did not stop when asked: the supervisor starts the daemon anew (EX_TEMPFAIL)."""
TICK = 1.0
PATIENCE = 5
"""Looks without a tick after which the timer is set anew: APScheduler waits by the wall clock, which may go back."""
JOB = "tick"

Notify = Callable[[str], None]


class Signals:
    """Turns signals into what the loop looks at: handlers must do next to nothing."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.reload = threading.Event()
        self.name = ""

    def ask_stop(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
        self.stop.set()

    def ask_reload(self, number: int, frame: FrameType | None) -> None:
        self.reload.set()


@contextmanager
def listening() -> Iterator[Signals]:
    """Turns the signals of a supervisor into what a loop looks at, until the block ends."""
    asked = Signals()
    wanted = {
        signal.SIGTERM: asked.ask_stop,
        signal.SIGINT: asked.ask_stop,
        signal.SIGHUP: asked.ask_reload,
    }
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_daemon(
    settings: Settings, open_hub: Callable[[], Installation], clock: Clock, told: Callable[[int | None], None]
) -> int:
    """Runs until a signal asks it to stop; returns the exit code. `told` hears the management port once it serves.

    Raises ConfigInvalid where the settings do not hold. A job that does not end in time is left behind: what it
    wrote is recorded, and the next start settles what is open.
    """
    notify = notifier()
    with ExitStack() as ends:
        asked = ends.enter_context(listening())
        daemon = Daemon(lambda: spread(open_hub()), clock, launch=in_thread)
        # Who is called at night asks the management address first, so it answers before a store can be opened.
        management = _manage(settings, daemon)
        if management is not None:
            ends.callback(management.close)
        ends.enter_context(_hearing(settings, daemon, clock))
        ends.enter_context(_serving(settings, daemon))
        daemon.start()
        workers = _workers(settings, open_hub, daemon)
        told(None if management is None else management.port)
        timer = _timer(daemon)
        ends.callback(lambda: timer.shutdown(wait=False) if timer.running else None)
        notify(f"READY=1\n{_status(daemon)}")
        _wait(daemon, workers, timer, asked, notify)
        return _end(daemon, workers, timer, asked, notify)


def _workers(settings: Settings, open_hub: Callable[[], Installation], daemon: Daemon) -> Workers | None:
    """Starts what carries out shares here, where cycles are spread and this host takes part."""
    if not spreads(settings) or not settings.daemon.workers:
        return None
    workers = Workers(open_hub, settings.daemon.workers, daemon.meters.share)
    workers.start()
    return workers


def notifier() -> Notify:
    """Returns what tells systemd, where it started us; one that does not listen holds up nothing."""
    told = SystemdNotifier()
    if told.socket is not None:
        told.socket.setblocking(False)
    notify: Notify = told.notify
    return notify


def _manage(settings: Settings, daemon: Daemon) -> Listener | None:
    if settings.daemon.management is None:
        return None
    return Listener(settings, make_app(daemon.health, daemon.meters.page))


@contextmanager
def _hearing(settings: Settings, daemon: Daemon, clock: Clock) -> Iterator[None]:
    """Serves the address for callbacks, apart from all others, where the settings have one."""
    if settings.callbacks.base is None:
        yield
        return
    inbox = Inbox(clock)
    daemon.callbacks.source = inbox.take
    listener = Listener(settings, make_receiver(inbox), ("callbacks", "listen"), BOUNDS)
    bell = Bell(inbox.rung, daemon.hear)
    try:
        yield
    finally:
        listener.close()
        bell.close()


@contextmanager
def _serving(settings: Settings, daemon: Daemon) -> Iterator[None]:
    """Serves the REST API at an address of its own, where the settings have one; it uses the hub that is open."""
    if settings.web.listen is None:
        yield
        return
    # It brings much along; a daemon without it starts sooner.
    from hub.web.api.app import bounds_of, make_api

    def opened() -> Installation:
        if daemon.hub is None:
            raise StoreUnavailable(
                "the hub is opening, or its store is away; try again soon", "系统正在启动或存储不可用；请稍后重试"
            )
        return daemon.hub

    listener = Listener(settings, make_api(settings, opened), ("web", "listen"), bounds_of(settings))
    try:
        yield
    finally:
        listener.close()


def _timer(daemon: Daemon) -> BackgroundScheduler:
    # Two lines a second about the timer itself would bury everything else.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    timer = BackgroundScheduler(
        jobstores={"default": MemoryJobStore()},
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 30},
        timezone="UTC",
    )
    timer.add_job(daemon.tick, IntervalTrigger(seconds=TICK, timezone="UTC"), id=JOB)
    timer.start()
    return timer


def _wait(daemon: Daemon, workers: Workers | None, timer: BackgroundScheduler, asked: Signals, notify: Notify) -> None:
    """Waits for a signal or a stuck cycle, keeps the timer going and tells systemd that all is well."""
    seen, idle, status = daemon.ticks, 0, ""
    while not asked.stop.wait(TICK) and not daemon.stuck:
        if workers is not None and workers.stuck(daemon.clock.now(), daemon.bounds):
            daemon.stuck = True
        if asked.reload.is_set():
            asked.reload.clear()
            notify("RELOADING=1")
            daemon.reload()
            if workers is not None:
                workers.reload()
            notify("READY=1")
        idle = idle + 1 if daemon.ticks == seen else 0
        if idle and idle % PATIENCE == 0 and not daemon.ticking:
            timer.reschedule_job(JOB, trigger=IntervalTrigger(seconds=TICK, timezone="UTC"))
        if daemon.ticks != seen:
            notify("WATCHDOG=1")
        seen = daemon.ticks
        if status != (now := _status(daemon)):
            notify(now)
            status = now


def _status(daemon: Daemon) -> str:
    reasons = daemon.health().reasons
    busy = ", ".join(sorted(daemon.running))
    return f"STATUS={'waits: ' + ', '.join(reasons) if reasons else 'runs: ' + busy if busy else 'idle'}"


def _end(daemon: Daemon, workers: Workers | None, timer: BackgroundScheduler, asked: Signals, notify: Notify) -> int:
    """Ends cleanly within the bound, or leaves what does not end behind."""
    log = logger("schedule")
    notify("STOPPING=1")
    log.info("daemon_stops", signal=asked.name or None, stuck=daemon.stuck)
    daemon.stop()
    timer.shutdown(wait=False)
    bound = daemon.bounds.stop_within_seconds
    pause, waited = threading.Event(), 0.0
    working = workers is not None and not workers.stop(0.0)
    while (daemon.running or working) and waited < bound and not daemon.stuck:
        pause.wait(0.1)
        waited += 0.1
        notify("WATCHDOG=1")
        daemon.tick()
        working = workers is not None and not workers.stop(0.0)
    code = STUCK_EXIT if daemon.stuck else 0
    daemon.close("stuck" if daemon.stuck else asked.name.lower() or "stop")
    log.info("daemon_stopped", exit_code=code, left_behind=sorted(daemon.running))
    if daemon.running or working:
        log.error("cycle_left_behind", entities=sorted(daemon.running), shares=working, stacks=stacks())
        leave(code)
    return code


def leave(code: int) -> None:
    """Ends the process without waiting for threads that do not end."""
    logger("schedule").info("daemon_left", exit_code=code)
    os._exit(code)
