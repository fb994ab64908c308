"""The pace of a connection is that of all its processes together: the day's calls, and a rest the vendor asked for."""

from __future__ import annotations

from typing import Any, cast

import pytest

from connectors.allowance import Allowance, Terms
from connectors.base import Budget, Http
from connectors.conformance.context import KitContext, PatientClock
from connectors.errors import QuotaExhausted
from connectors.fxiaoke.pacing import Pace, Slowed, Speed, next_reset, terms
from connectors.fxiaoke.settings import FxiaokeSettings

PATH = "/cgi/crm/v2/data/query"
OTHER = "/cgi/crm/v2/data/get"


def settings(**more: Any) -> FxiaokeSettings:
    chosen = {"rate_per_second": 1000, "rate_burst": 1000, **more}
    return FxiaokeSettings(app_id="FSAID_1", operator_id="1000", **chosen)


class Common(KitContext):
    """Shares its budgets among the connectors that are opened with it, as the hub does; `asked` as in the hub."""

    clock: PatientClock
    budgets: dict[str, Budget]
    asked = False

    def budget(self, name: str, rate: float, burst: float) -> Budget:
        return self.budgets.setdefault(name, super().budget(name, rate, burst))

    def allowance(self, name: str, terms: Terms) -> Allowance:
        return Allowance(terms, self.books(name, terms), 0 if self.asked else terms.reserve, self.clock)


@pytest.fixture
def context() -> Common:
    made = Common("fx", cast(Http, None))
    made.budgets = {}
    # Ten in the morning in China, so that no test meets midnight.
    made.clock.offset = next_reset(made.clock.now()) + 36_000 - made.clock.now()
    return made


def drain(*paces: Pace, most: int = 10_000) -> int:
    """Makes calls in turn until each is refused; returns how many left."""
    made, open_ones = 0, list(paces)
    while open_ones and made < most:
        for pace in list(open_ones):
            try:
                pace.of(PATH).take(1, "query")
                made += 1
            except QuotaExhausted:
                open_ones.remove(pace)
    return made


def test_a_day_is_used_up_together_down_to_what_is_kept_for_people(context: Common) -> None:
    bought = settings(daily_calls=200, daily_stop=0.9)
    assert drain(Pace(bought, context), Pace(bought, context)) in range(170, 181)
    context.asked = True
    person = Pace(bought, context)
    assert drain(person) in range(20, 31)
    context.clock.offset += next_reset(context.clock.now()) - context.clock.now() + 1
    context.asked = False
    assert drain(Pace(bought, context)) == 180


@pytest.mark.parametrize(
    ("bought", "stop", "backfill", "reserve", "spare"),
    [(100_000, 0.95, 0.8, 5_000, 15_000), (100_000, 1.0, 1.0, 0, 0), (200_000, 0.5, 0.8, 100_000, 0)],
)
def test_what_is_bought_is_divided(bought: int, stop: float, backfill: float, reserve: int, spare: int) -> None:
    found = terms(settings(daily_calls=bought, daily_stop=stop, backfill_stop=backfill))
    assert found is not None
    assert (found.size, found.reserve, found.spare, found.starts_at) == (bought, reserve, spare, -28_800.0)
    assert terms(settings()) is None


def test_the_vendors_refusal_stops_everybody_until_a_call_finds_out(context: Common) -> None:
    bought = settings(daily_calls=10_000, quota_recheck=600)
    one, two = Pace(bought, context), Pace(bought, context)
    assert drain(one, two, most=20) == 20
    error = one.day.refused(context.clock.now())
    assert error.resets_at == next_reset(context.clock.now())
    context.asked = True
    assert drain(one, two, Pace(bought, context)) <= 16, "only what was drawn already"
    context.clock.offset += 601
    assert drain(two, most=1) == 1


@pytest.mark.parametrize("server_at", [-30.0, None])
def test_a_refusal_around_midnight_says_nothing_about_the_new_day(context: Common, server_at: float | None) -> None:
    pace = Pace(settings(daily_calls=10_000), context)
    clock = context.clock
    clock.offset += next_reset(clock.now()) - clock.now() + 10
    error = pace.day.refused(None if server_at is None else clock.now() + server_at)
    assert error.resets_at is not None
    assert 0 < error.resets_at - clock.now() <= 150
    assert drain(pace, most=50) == 50


def test_a_rest_of_one_path_holds_for_every_process_and_for_no_other_path(context: Common) -> None:
    one, two = (Pace(settings(), context) for _ in range(2))
    assert one.pause(PATH).after == 20.0
    for pace in (one, two):
        with pytest.raises(Slowed):
            pace.of(PATH).take(1, "query")
    two.of(OTHER).take(1, "get")


def test_a_refused_interface_is_used_at_half_the_speed_and_comes_back(context: Common) -> None:
    pace = Pace(settings(rate_per_second=5, rate_burst=5), context)
    clock = context.clock

    def seconds(calls: int) -> float:
        began = clock.offset
        for _ in range(calls):
            pace.of(PATH).take(1, "query")
        return clock.offset - began

    pace.pause(PATH)
    pace.pause(PATH)  # of the same burst
    clock.offset += 21
    assert seconds(25) == pytest.approx((2 * 25 - 5) / 5, abs=0.5)
    clock.offset += 60
    assert seconds(25) == pytest.approx((25 - 5) / 5, abs=0.5)


def test_speed_falls_to_a_quarter_and_no_further() -> None:
    speed = Speed()
    for burst in range(4):
        speed.refused(1_000.0 + 20.0 * burst, 20.0)
    assert speed.cost(1_060.0) == 4
    assert speed.cost(1_121.0) == 2
    assert speed.cost(1_182.0) == 1
    assert speed.cost(900.0) == 1, "a clock that was set back slows nobody down"


@pytest.mark.parametrize(
    ("now", "reset"),
    [
        (1_700_000_000, 1_700_064_000),  # 2023-11-15 06:13 in China -> the 16th, 00:00
        (1_700_063_999, 1_700_064_000),
        (1_700_064_000, 1_700_150_400),
    ],
)
def test_the_day_ends_at_midnight_in_china(now: float, reset: float) -> None:
    assert next_reset(now) == reset
