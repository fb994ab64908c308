"""`crmhub worker`: carries out shares until a signal asks it to stop, and tells how it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from hub.kernel.clock import Clock
from hub.kernel.errors import ConfigInvalid, problem
from hub.kernel.settings import FILE, Settings, line_in_settings
from hub.operations.installation import Installation
from hub.schedule.dispatch import spreads
from hub.schedule.loop import STUCK_EXIT, TICK, leave, listening, notifier
from hub.schedule.management import Health, Listener, make_app
from hub.schedule.metrics import Meters
from hub.schedule.watchdog import stacks
from hub.schedule.workers import Workers
from hub.telemetry import logger


def run_worker(
    settings: Settings,
    open_hub: Callable[[], Installation],
    clock: Clock,
    at_once: int | None,
    management: str | None,
) -> int:
    """Runs until a signal asks it to stop; returns the exit code.

    Raises ConfigInvalid where the settings spread nothing, or the management address cannot be served.
    """
    if not spreads(settings):
        raise _alone(settings)
    log, meters, notify = logger("schedule"), Meters(), notifier()
    workers = Workers(open_hub, at_once or settings.daemon.workers or 1, meters.share)
    bounds = settings.daemon
    with ExitStack() as ends:
        asked = ends.enter_context(listening())
        if management is not None:
            place = settings.model_copy(update={"daemon": bounds.model_copy(update={"management": management})})
            served = Listener(place, make_app(lambda: _health(workers, clock, settings), meters.page))
            ends.callback(served.close)
        workers.start()
        log.info("worker_started", at_once=at_once or bounds.workers or 1)
        notify("READY=1")
        stuck = False
        while not asked.stop.wait(TICK) and not stuck:
            if asked.reload.is_set():
                asked.reload.clear()
                workers.reload()
            meters.waits(None if workers.ready() else "store", clock.now())
            stuck = workers.stuck(clock.now(), bounds)
            if not stuck:
                notify("WATCHDOG=1")
        notify("STOPPING=1")
        ended = not stuck and workers.stop(bounds.stop_within_seconds)
        code = STUCK_EXIT if stuck else 0
        log.info("worker_stopped", exit_code=code, signal=asked.name or None, left_behind=not ended)
        if not ended:
            log.error("share_left_behind", stacks=stacks())
            leave(code)
    return code


def _health(workers: Workers, clock: Clock, settings: Settings) -> Health:
    stuck = workers.stuck(clock.now(), settings.daemon)
    reasons = [name for name, holds in (("store", not workers.ready()), ("stuck", stuck)) if holds]
    return Health(not stuck, tuple(reasons), 0.0, "works")


def _alone(settings: Settings) -> ConfigInvalid:
    line = line_in_settings(settings, "daemon", "dispatch")
    en = "`daemon.dispatch` is not `workers`, so there is nothing for a worker to do; set it, and PostgreSQL as store"
    zh = "`daemon.dispatch` 不是 `workers`，无任务可执行；请设置该项，并以 PostgreSQL 作为存储"
    return ConfigInvalid([problem(settings.home / FILE, line, "HUB-CONF-001", en, zh)])
