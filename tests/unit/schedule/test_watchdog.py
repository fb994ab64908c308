"""The watchdog and the waits, as tables: when a job is stuck, what makes everything wait, how patience grows."""

from __future__ import annotations

import threading

import pytest

from hub.kernel.errors import AuditUnavailable, Busy, HubError, KeyUnusable, StoreUnavailable
from hub.kernel.settings import Daemon as Bounds
from hub.schedule.jobs import Job, Running
from hub.schedule.waiting import LONGEST, begin, cause_of
from hub.schedule.watchdog import Finding, judge, stacks, watch

BOUNDS = Bounds(max_cycle_seconds=1000.0, stuck_after_seconds=100.0, stop_within_seconds=10.0)


def job(started: float = 0.0, beat: float = 0.0, asked: float | None = None) -> Running:
    return Running(Job("sync", "customer", ()), started, beat, asked_at=asked)


@pytest.mark.parametrize(
    ("running", "now", "finding"),
    [
        (job(), 100.0, Finding.WELL),
        (job(), 101.0, Finding.SILENT),
        (job(beat=950.0), 1000.0, Finding.WELL),
        (job(beat=950.0), 1001.0, Finding.OVER_TIME),
        (job(asked=101.0), 111.0, Finding.WELL),
        (job(asked=101.0), 112.0, Finding.STUCK),
        # It still brings a batch to its end: alive, so not stuck.
        (job(asked=101.0, beat=111.0), 115.0, Finding.WELL),
    ],
)
def test_when_a_job_is_stuck(running: Running, now: float, finding: Finding) -> None:
    assert judge(running, now, BOUNDS) is finding


def test_a_silent_job_is_asked_to_stop_and_then_counts_as_stuck() -> None:
    running = job()
    assert not watch([running], 50.0, BOUNDS)
    assert not running.stop.is_set()
    assert not watch([running], 101.0, BOUNDS)
    assert running.stop.is_set()
    assert not watch([running], 111.0, BOUNDS)
    assert watch([running], 112.0, BOUNDS)


def test_a_clock_that_jumps_makes_no_job_stuck() -> None:
    running = job()
    running.shift(5000.0)
    assert judge(running, 5050.0, BOUNDS) is Finding.WELL


def test_stacks_name_places_and_show_no_value() -> None:
    secret, ready, done = "1000.aaaaaaaaaaaaaaaa", threading.Event(), threading.Event()

    def hold(token: str) -> None:
        ready.set()
        done.wait(10)
        assert token

    thread = threading.Thread(target=hold, args=(secret,), name="held")
    thread.start()
    ready.wait(10)
    try:
        found = stacks()
    finally:
        done.set()
        thread.join()
    [held] = [line for line in found if line.startswith("held: ")]
    assert "test_watchdog.py" in held
    assert " hold" in held
    assert secret not in "".join(found)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (StoreUnavailable("the disk of the database is full; free space and start again", "满"), "disk"),
        (StoreUnavailable("the database cannot be reached", "无法连接"), "store"),
        (AuditUnavailable("the audit row cannot be written", "无法写入"), "store"),
        (KeyUnusable("key file x cannot be used", "无法使用"), "keys"),
        (Busy("a cycle runs", "正在运行"), None),
        (ValueError("x"), None),
    ],
)
def test_what_makes_everything_wait(error: Exception, cause: str | None) -> None:
    assert cause_of(error) == cause


def test_patience_doubles_up_to_five_minutes_and_a_clock_set_back_does_not_stretch_it() -> None:
    wait = begin("store", HubError("x", "x"), 0.0)
    gaps = []
    for _ in range(8):
        now = wait.retry_at
        assert wait.due(now)
        assert not wait.due(now - 1)
        wait = wait.again(now)
        gaps.append(wait.retry_at - now)
    assert gaps == [10, 20, 40, 80, 160, LONGEST, LONGEST, LONGEST]
    assert wait.since == 0.0
    assert wait.due(-100_000.0)
