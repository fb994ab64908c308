"""When something is due: a table of what people expect, and properties over zones, windows and clocks that jump."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.kernel.timetable import parse_freeze, parse_timing, parse_window
from hub.kernel.workdays import Workdays
from hub.schedule.due import (
    MISSED_MAX,
    Plan,
    Verdict,
    count_missed,
    decide,
    first_due,
    is_blacked_out,
    next_due,
    next_fire,
    reanchored,
    released_at,
)

SHANGHAI, BERLIN = "Asia/Shanghai", "Europe/Berlin"
GRACE = 60.0


def no_report(year: int) -> None:
    return None


WORKDAYS = Workdays(no_report)


def plan(timing: str, zone: str = SHANGHAI, blackout: tuple[str, ...] = (), freeze: tuple[str, ...] = ()) -> Plan:
    windows, dates = tuple(map(parse_window, blackout)), tuple(map(parse_freeze, freeze))
    return Plan(parse_timing(timing), ZoneInfo(zone), windows, dates)


def at(text: str, zone: str = SHANGHAI, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def shown(instant: float | None, zone: str = SHANGHAI) -> str:
    assert instant is not None
    return datetime.fromtimestamp(instant, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("timing", "after", "expected"),
    [
        ("every 5m", "2026-11-23 10:00:30", "2026-11-23 10:05:30"),
        ("daily 02:00", "2026-11-23 01:59:59", "2026-11-23 02:00:00"),
        ("daily 02:00", "2026-11-23 02:00:00", "2026-11-24 02:00:00"),
        ("daily 02:00,14:00", "2026-11-23 02:00:00", "2026-11-23 14:00:00"),
        ("mon 06:00", "2026-11-23 06:00:00", "2026-11-30 06:00:00"),
        # Source: State Council notice for 2026: 1 October to 7 October off, 10 October worked.
        ("workdays 08:30", "2026-09-30 09:00", "2026-10-08 08:30:00"),
        ("workdays 08:30", "2026-10-09 09:00", "2026-10-10 08:30:00"),
        ("restdays 08:30", "2026-10-09 09:00", "2026-10-11 08:30:00"),
        ("cron 0 2 * * 1-5", "2026-11-20 03:00", "2026-11-23 02:00:00"),
        ("cron */15 * * * *", "2026-11-23 10:00", "2026-11-23 10:15:00"),
        ("cron 0 0 29 2 *", "2026-11-23 10:00", "2028-02-29 00:00:00"),
        # Both day fields restricted: either of them counts.
        ("cron 0 9 13 * 5", "2026-11-09 10:00", "2026-11-13 09:00:00"),
        ("cron 0 9 1 * 5", "2026-11-24 10:00", "2026-11-27 09:00:00"),
    ],
)
def test_next_fire(timing: str, after: str, expected: str) -> None:
    assert shown(next_fire(plan(timing), at(after), WORKDAYS)) == expected


def test_what_never_comes_is_none() -> None:
    assert next_fire(plan("never"), at("2026-11-23"), WORKDAYS) is None
    assert next_fire(plan("cron 0 0 30 2 *"), at("2026-11-23"), WORKDAYS) is None
    assert next_due(plan("every 5m", blackout=("daily 00:00-24:00",)), at("2026-11-23"), WORKDAYS) is None


def test_the_hour_that_summer_time_skips_is_made_up_once() -> None:
    # Berlin, 2026-03-29: 02:00 becomes 03:00.
    nightly = plan("daily 02:30", BERLIN)
    first = next_fire(nightly, at("2026-03-28 12:00", BERLIN), WORKDAYS)
    assert shown(first, BERLIN) == "2026-03-29 03:30:00"
    assert shown(next_fire(nightly, first or 0, WORKDAYS), BERLIN) == "2026-03-30 02:30:00"


def test_the_hour_that_winter_time_repeats_counts_once_for_a_time_and_twice_for_an_open_hour() -> None:
    # Berlin, 2026-10-25: 03:00 becomes 02:00.
    nightly = plan("daily 02:30", BERLIN)
    first = next_fire(nightly, at("2026-10-24 12:00", BERLIN), WORKDAYS)
    assert first == at("2026-10-25 02:30", BERLIN, fold=0)
    assert shown(next_fire(nightly, first or 0, WORKDAYS), BERLIN) == "2026-10-26 02:30:00"
    quarter = plan("cron */15 * * * *", BERLIN)
    fires: list[float] = []
    instant: float | None = at("2026-10-25 01:50", BERLIN)
    for _ in range(9):
        assert instant is not None
        instant = next_fire(quarter, instant, WORKDAYS)
        assert instant is not None
        fires.append(instant)
    assert [second - first for first, second in pairwise(fires)] == [900.0] * 8


def test_beyond_the_published_calendar_weekdays_count_and_it_is_said_once_a_year() -> None:
    told: list[int] = []
    days = Workdays(told.append)
    friday, saturday = date(2095, 4, 1), date(2095, 4, 2)
    assert friday.weekday() == 4
    assert days(friday)
    assert not days(saturday)
    assert shown(next_fire(plan("workdays 08:00"), at("2095-04-01 09:00"), days)) == "2095-04-04 08:00:00"
    assert told == [2095]


@pytest.mark.parametrize(
    ("now", "release"),
    [
        ("2026-11-23 21:59", "2026-11-23 21:59:00"),
        ("2026-11-23 23:00", "2026-11-24 00:30:00"),
        ("2026-11-24 00:29", "2026-11-24 00:30:00"),
        ("2026-11-24 00:30", "2026-11-24 00:30:00"),
        # 31 December is frozen, and the window of the night before reaches into it.
        ("2026-12-30 23:10", "2027-01-01 00:30:00"),
        ("2026-12-31 12:00", "2027-01-01 00:00:00"),
    ],
)
def test_windows_and_frozen_dates_hold_back(now: str, release: str) -> None:
    held = plan("every 5m", blackout=("daily 23:00-00:30",), freeze=("2026-12-31",))
    if now == "2026-12-31 12:00":
        # Midnight after the frozen day lies in the window that began on it.
        release = "2027-01-01 00:30:00"
    assert shown(released_at(held, at(now), WORKDAYS)) == release
    assert is_blacked_out(held, at(now), WORKDAYS) is (shown(at(now)) != release)


def test_a_window_of_workdays_leaves_a_holiday_alone() -> None:
    held = plan("every 5m", blackout=("workdays 09:00-17:00",))
    assert is_blacked_out(held, at("2026-10-10 10:00"), WORKDAYS), "a Saturday that is worked"
    assert not is_blacked_out(held, at("2026-10-06 10:00"), WORKDAYS), "a Tuesday that is a holiday"


@pytest.mark.parametrize(
    ("timing", "due", "now", "missed"),
    [
        ("every 5m", "2026-11-23 10:00", "2026-11-23 10:00:20", 0),
        ("every 5m", "2026-11-23 10:00", "2026-11-23 13:00", 36),
        ("daily 02:00", "2026-11-20 02:00", "2026-11-23 08:00", 3),
    ],
)
def test_after_a_stop_one_start_stands_for_all_that_were_missed(timing: str, due: str, now: str, missed: int) -> None:
    made = decide(plan(timing), at(due), at(now), GRACE, WORKDAYS)
    assert made.verdict is Verdict.START
    assert (made.missed, made.catch_up) == (missed, at(now) - at(due) > GRACE)
    assert made.next_due_at is not None
    assert decide(plan(timing), made.next_due_at, at(now) + 1, GRACE, WORKDAYS).verdict is Verdict.WAIT


def test_what_comes_due_in_a_window_moves_to_its_end_and_starts_there_without_being_late() -> None:
    held = plan("every 5m", blackout=("daily 23:00-00:30",))
    due, now = at("2026-11-23 23:10"), at("2026-11-23 23:11")
    moved = decide(held, due, now, GRACE, WORKDAYS)
    assert (moved.verdict, shown(moved.next_due_at)) == (Verdict.MOVE, "2026-11-24 00:30:00")
    started = decide(held, moved.next_due_at, at("2026-11-24 00:30"), GRACE, WORKDAYS)
    assert (started.verdict, started.catch_up, started.missed) == (Verdict.START, False, 0)


def test_missed_starts_are_counted_up_to_a_bound() -> None:
    assert count_missed(plan("cron * * * * *"), at("2026-11-20 00:00"), at("2026-11-23 00:00"), WORKDAYS) == MISSED_MAX


def test_a_new_interval_starts_at_once_and_a_new_time_of_day_when_it_comes() -> None:
    now = at("2026-11-23 10:00")
    assert first_due(plan("every 5m"), now, WORKDAYS) == now
    assert shown(first_due(plan("daily 02:00"), now, WORKDAYS)) == "2026-11-24 02:00:00"
    assert first_due(plan("never"), now, WORKDAYS) is None


def test_a_changed_zone_moves_the_time_of_day() -> None:
    now = at("2026-11-23 10:00")
    assert (first_due(plan("daily 02:00", BERLIN), now, WORKDAYS) or 0) - (
        first_due(plan("daily 02:00"), now, WORKDAYS) or 0
    ) == 7 * 3600


TIMINGS = (
    "every 10s",
    "every 5m",
    "every 1d",
    "daily 02:00",
    "daily 00:00,02:30,23:59",
    "workdays 08:30",
    "restdays 01:15",
    "sun 02:30",
    "cron */15 * * * *",
    "cron 30 2 * * *",
    "cron 0 9 13 * 5",
)
ZONES = (SHANGHAI, BERLIN, "America/New_York", "Australia/Lord_Howe", "UTC")
BLACKOUTS = ((), ("daily 23:00-00:30",), ("workdays 01:30-03:30", "sun 02:15-02:45"), ("daily 00:00-12:00",))
plans = st.builds(plan, st.sampled_from(TIMINGS), st.sampled_from(ZONES), st.sampled_from(BLACKOUTS))
instants = st.integers(int(at("2026-01-01")), int(at("2027-01-01"))).map(float)


@given(plans, instants)
@settings(max_examples=60, deadline=None)
def test_a_fire_lies_strictly_ahead_and_none_lies_between(made: Plan, after: float) -> None:
    fire = next_fire(made, after, WORKDAYS)
    assert fire is not None
    assert fire > after
    if "Every" not in type(made.timing).__name__:
        assert next_fire(made, (after + fire) / 2, WORKDAYS) == fire
        assert next_fire(made, fire - 0.5, WORKDAYS) == fire


@given(plans, instants)
@settings(max_examples=60, deadline=None)
def test_a_due_instant_is_never_blacked_out_and_never_early(made: Plan, after: float) -> None:
    due = next_due(made, after, WORKDAYS)
    assert due is not None
    assert due > after
    assert not is_blacked_out(made, due, WORKDAYS)


@given(plans, instants, st.floats(0, 40 * 86_400))
@settings(max_examples=60, deadline=None)
def test_however_long_the_stop_exactly_one_start_follows(made: Plan, due: float, stopped: float) -> None:
    now, starts = due + stopped, 0
    at_: float | None = due
    for step in range(4):
        decision = decide(made, at_, now + step * 0.1, GRACE, WORKDAYS)
        starts += decision.verdict is Verdict.START
        at_ = decision.next_due_at
    blacked = is_blacked_out(made, now, WORKDAYS)
    assert starts == (0 if blacked else 1)


@given(plans, instants, st.floats(-20 * 86_400, 20 * 86_400))
@settings(max_examples=60, deadline=None)
def test_a_clock_that_jumps_leaves_nothing_due_too_far_off(made: Plan, before: float, jump: float) -> None:
    now = before + jump
    due = reanchored(made, next_due(made, before, WORKDAYS), now, WORKDAYS)
    latest = next_due(made, now, WORKDAYS)
    assert due is not None
    assert latest is not None
    assert due <= latest
    if jump >= 0:
        assert due == min(next_due(made, before, WORKDAYS) or 0, latest), "a clock that goes on changes nothing"


@given(plans, instants, st.floats(0, 86_400))
@settings(max_examples=60, deadline=None)
def test_without_a_jump_the_anchor_holds(made: Plan, before: float, passed: float) -> None:
    due = next_due(made, before, WORKDAYS)
    assert reanchored(made, due, before + passed, WORKDAYS) == due


def test_midnight_of_every_day_in_a_year_is_found_once() -> None:
    nightly, found, instant = plan("daily 00:00", BERLIN), [], at("2025-12-31 12:00", BERLIN)
    for _ in range(365):
        fire = next_fire(nightly, instant, WORKDAYS)
        assert fire is not None
        instant = fire
        found.append(datetime.fromtimestamp(fire, ZoneInfo(BERLIN)).date())
    assert found == [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
