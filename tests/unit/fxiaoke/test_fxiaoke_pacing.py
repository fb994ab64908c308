"""The pace of a connection is that of all its processes together: the day's count, and a pause the vendor asked for."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from connectors.base import Budget, Http
from connectors.conformance.context import KitContext
from connectors.errors import QuotaExhausted, RateLimited
from connectors.fxiaoke.pacing import Pace
from connectors.fxiaoke.settings import FxiaokeSettings

PATH = "/cgi/crm/v2/data/query"


def settings(**more: Any) -> FxiaokeSettings:
    return FxiaokeSettings(app_id="FSAID_1", operator_id="1000", rate_per_second=1000, rate_burst=1000, **more)


class Common(KitContext):
    """Shares its budgets among the connectors that are opened with it, as the hub does."""

    budgets: dict[str, Budget]

    def budget(self, name: str, rate: float, burst: float) -> Budget:
        return self.budgets.setdefault(name, super().budget(name, rate, burst))


@pytest.fixture
def context() -> KitContext:
    made = Common("fx", cast(Http, None))
    made.budgets = {}
    return made


def test_the_calls_of_two_processes_add_up(context: KitContext) -> None:
    one, two = (Pace(settings(daily_calls=10_000), context) for _ in range(2))
    for _ in range(60):
        one.take(PATH)
        two.take(PATH)
    one.save()
    two.save()
    kept = context.tokens.get("day")
    assert kept is not None
    assert json.loads(kept)[1] == 120


def test_the_day_stops_for_both_when_it_is_used_up_together(context: KitContext) -> None:
    one, two = (Pace(settings(daily_calls=100, daily_stop=1.0), context) for _ in range(2))
    made = 0
    with pytest.raises(QuotaExhausted):
        for _ in range(100):
            one.take(PATH)
            two.take(PATH)
            made += 2
    # Each knows the other's calls up to the 25 that it has not told yet.
    assert 100 <= made <= 150


def test_a_pause_of_one_path_holds_for_every_process_and_for_no_other_path(context: KitContext) -> None:
    one, two = (Pace(settings(), context) for _ in range(2))
    raised = one.pause(PATH)
    assert isinstance(raised, RateLimited)
    assert raised.after == 20.0
    for pace in (one, two):
        with pytest.raises(RateLimited, match="Fxiaoke asks to slow down"):
            pace.take(PATH)
    two.take("/cgi/crm/v2/data/get")
