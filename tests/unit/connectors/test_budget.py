"""Budgets keep to their rate on an injected clock."""

from __future__ import annotations

import threading

import pytest

from connectors.base import Resting
from connectors.budget import RateBudget


class SkippingClock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_a_rate_budget_lets_a_burst_through_and_then_keeps_the_rate() -> None:
    clock = SkippingClock()
    budget = RateBudget(rate=2.0, burst=5, clock=clock)
    for _ in range(5):
        budget.take(1, "x")
    assert clock.at == 1000.0
    for _ in range(10):
        budget.take(1, "x")
    assert clock.at == pytest.approx(1005.0)


def test_a_cost_above_the_burst_waits_instead_of_failing() -> None:
    clock = SkippingClock()
    RateBudget(rate=1.0, burst=2, clock=clock).take(10, "x")
    assert clock.at == pytest.approx(1008.0)


def test_a_paused_budget_grants_nothing_and_takes_nothing() -> None:
    clock = SkippingClock()
    budget = RateBudget(rate=1.0, burst=1, clock=clock)
    budget.pause(20.0)
    clock.at += 5.0
    with pytest.raises(Resting) as resting:
        budget.take(1, "x")
    assert resting.value.left == pytest.approx(15.0)
    clock.at += 15.0
    budget.take(1, "x")
    assert clock.at == pytest.approx(1020.0), "the refused take cost nothing"


def test_threads_take_no_more_than_there_is() -> None:
    class Frozen(SkippingClock):
        def __init__(self) -> None:
            super().__init__()
            self.slept: list[float] = []

        def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)

    clock = Frozen()
    budget = RateBudget(rate=1.0, burst=10, clock=clock)

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
def test_senseless_sizes_are_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        RateBudget(*wrong, SkippingClock())
