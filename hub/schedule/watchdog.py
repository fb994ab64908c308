"""The watchdog: finds a cycle that takes too long or does nothing, says where it stands and asks it to stop."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterable
from enum import StrEnum

from hub.kernel.settings import Daemon as Bounds
from hub.schedule.jobs import Running
from hub.telemetry import logger

DEPTH = 25


class Finding(StrEnum):
    """Says what the watchdog thinks of a job."""

    WELL = "well"
    OVER_TIME = "over_time"
    SILENT = "silent"
    STUCK = "stuck"


def judge(running: Running, now: float, bounds: Bounds) -> Finding:
    """Returns what to think of a job: one that was asked to stop and did not in time is stuck."""
    if running.asked_at is not None:
        silent = now - max(running.asked_at, running.beat_at)
        return Finding.STUCK if silent > bounds.stop_within_seconds else Finding.WELL
    if now - running.beat_at > bounds.stuck_after_seconds:
        return Finding.SILENT
    if now - running.started_at > bounds.max_cycle_seconds:
        return Finding.OVER_TIME
    return Finding.WELL


def watch(jobs: Iterable[Running], now: float, bounds: Bounds) -> bool:
    """Looks at every job and asks those that took too long to stop; returns True once one of them is stuck."""
    stuck = False
    for running in jobs:
        finding = judge(running, now, bounds)
        if finding is Finding.WELL:
            continue
        words = {"phase": running.phase, "system": running.system, "seconds": round(now - running.started_at)}
        words |= {"silent_seconds": round(now - running.beat_at)}
        logger("schedule").error(f"cycle_{finding}", **{**words, **running.job.words()}, stacks=stacks())
        stuck = stuck or finding is Finding.STUCK
        running.asked_at = now
        running.stop.set()
    return stuck


def stacks() -> list[str]:
    """Returns where every thread stands: file, line and function only, never a local or a source line."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found = []
    for ident, frame in sys._current_frames().items():
        steps = [(step.f_code, line) for step, line in traceback.walk_stack(frame)][:DEPTH]
        places = [f"{code.co_filename}:{line} {code.co_name}" for code, line in steps]
        found.append(f"{names.get(ident, ident)}: {' < '.join(places)}")
    return found
