"""Budgets keep to their rate on an injected clock."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from connectors.base import Resting
from connectors.budget import FileBudget, RateBudget
from connectors.errors import DiskUnusable

Make = Callable[..., RateBudget]


class SkippingClock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture(params=["memory", "file"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    return RateBudget if request.param == "memory" else partial(FileBudget, tmp_path / "one.pace")


def test_a_rate_budget_lets_a_burst_through_and_then_keeps_the_rate(made: Make) -> None:
    clock = SkippingClock()
    budget = made(rate=2.0, burst=5, clock=clock)
    for _ in range(5):
        budget.take(1, "x")
    assert clock.at == 1000.0
    for _ in range(10):
        budget.take(1, "x")
    assert clock.at == pytest.approx(1005.0)


def test_a_cost_above_the_burst_waits_instead_of_failing(made: Make) -> None:
    clock = SkippingClock()
    made(rate=1.0, burst=2, clock=clock).take(10, "x")
    assert clock.at == pytest.approx(1008.0)


def test_a_paused_budget_grants_nothing_and_takes_nothing(made: Make) -> None:
    clock = SkippingClock()
    budget = made(rate=1.0, burst=1, clock=clock)
    budget.pause(20.0)
    clock.at += 5.0
    with pytest.raises(Resting) as resting:
        budget.take(1, "x")
    assert resting.value.left == pytest.approx(15.0)
    clock.at += 15.0
    budget.take(1, "x")
    assert clock.at == pytest.approx(1020.0), "the refused take cost nothing"


def test_threads_take_no_more_than_there_is(made: Make) -> None:
    class Frozen(SkippingClock):
        def __init__(self) -> None:
            super().__init__()
            self.slept: list[float] = []

        def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)

    clock = Frozen()
    budget = made(rate=1.0, burst=10, clock=clock)

    def work() -> None:
        for _ in range(10):
            budget.take(1, "x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(clock.slept) == [float(n) for n in range(1, 31)]


@pytest.mark.parametrize("wrong", [(0, 1), (1, 0), (-1, 1)])
def test_senseless_sizes_are_refused(made: Make, wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        made(*wrong, SkippingClock())


def test_a_file_is_one_bucket_for_all_who_open_it(tmp_path: Path) -> None:
    clock = SkippingClock()
    one, two = (FileBudget(tmp_path / "locks" / "one.pace", 2.0, 5, clock) for _ in range(2))
    for _ in range(5):
        one.take(1, "x")
        two.take(1, "x")
    assert clock.at == pytest.approx(1002.5), "ten calls: five at once, five at two a second"
    one.pause(20.0)
    two.pause(5.0)
    with pytest.raises(Resting) as resting:
        two.take(1, "x")
    assert resting.value.left == pytest.approx(20.0)
    clock.at -= 3600.0
    with pytest.raises(Resting) as resting:
        one.take(1, "x")
    assert resting.value.left == pytest.approx(20.0), "a clock that was set back extends no pause"


def test_a_full_disk_grants_nothing_and_names_the_folder(tmp_path: Path) -> None:
    budget = FileBudget(tmp_path / "one.pace", 1.0, 1, SkippingClock())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 8):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            with pytest.raises(DiskUnusable) as told:
                budget.take(1, "x")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert f"folder {tmp_path} cannot be written" in told.value.en
        assert str(tmp_path) in told.value.zh
        assert told.value.__cause__ is None
    budget.take(1, "x")


def test_a_folder_that_is_none_is_told_before_a_call_leaves(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("")
    with pytest.raises(DiskUnusable, match="locks cannot be written"):
        FileBudget(tmp_path / "locks" / "one.pace", 1.0, 1, SkippingClock()).pause(1.0)


def test_a_file_system_without_locks_is_told_and_costs_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        tried.append(descriptor)
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    tried: list[int] = []
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(DiskUnusable):
        FileBudget(tmp_path / "one.pace", rate=1.0, burst=5, clock=SkippingClock()).take(1, "x")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(*tried)
