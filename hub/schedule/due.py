"""When something is due: pure functions of a plan and instants (epoch seconds), without any clock of their own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from hub.kernel.timetable import DAY, At, Cron, Days, Every, Freeze, Kind, Never, Timing, Window

WorkingDay = Callable[[date], bool]
HORIZON = 366 * 8
"""Days looked ahead: 29 February comes back within eight years."""
MISSED_MAX = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """Is everything that decides when a schedule runs."""

    timing: Timing
    zone: ZoneInfo
    blackout: tuple[Window, ...] = ()
    freeze: tuple[Freeze, ...] = ()


class Verdict(StrEnum):
    """Says what to do with a schedule now."""

    WAIT = "wait"
    START = "start"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Decision:
    """Is what to do now and when the schedule is due next; `late` in seconds, `missed` counts starts that fell out.

    `catch_up` marks a start that makes up for missed ones, however many they were.
    """

    verdict: Verdict
    next_due_at: float | None
    late: float = 0.0
    missed: int = 0
    catch_up: bool = False


def next_fire(plan: Plan, after: float, working_day: WorkingDay) -> float | None:
    """Returns the first instant strictly after `after` that the timing names, None where it names none.

    A local time that a zone change skips happens as much later as the gap is wide; one that it repeats happens once,
    except where cron leaves the hour open.
    """
    timing = plan.timing
    if isinstance(timing, Never):
        return None
    if isinstance(timing, Every):
        return after + timing.seconds
    first = _local(after, plan.zone).date() - timedelta(days=1)
    for offset in range(HORIZON):
        fires = _fires_on(timing, first + timedelta(days=offset), plan.zone, working_day)
        place = bisect_right(fires, after)
        if place < len(fires):
            return fires[place]
    return None


def is_blacked_out(plan: Plan, at: float, working_day: WorkingDay) -> bool:
    """Tells whether nothing may start at an instant."""
    return _end_of_blackout(plan, at, working_day) is not None


def released_at(plan: Plan, at: float, working_day: WorkingDay) -> float | None:
    """Returns the first instant from `at` on at which something may start, None where the windows leave none."""
    for _ in range(HORIZON):
        end = _end_of_blackout(plan, at, working_day)
        if end is None:
            return at
        at = max(end, at + 60)
    return None


def next_due(plan: Plan, after: float, working_day: WorkingDay) -> float | None:
    """Returns when a start after `after` is due, moved out of blackout windows and freeze dates."""
    fire = next_fire(plan, after, working_day)
    return None if fire is None else released_at(plan, fire, working_day)


def first_due(plan: Plan, now: float, working_day: WorkingDay) -> float | None:
    """Returns when a schedule that never ran is due: an interval at once, a time of day when it comes."""
    if isinstance(plan.timing, Every):
        return released_at(plan, now, working_day)
    return next_due(plan, now, working_day)


def decide(plan: Plan, due: float | None, now: float, grace: float, working_day: WorkingDay) -> Decision:
    """Decides about a schedule whose next start was noted as `due`; after a gap of any length one start follows."""
    if due is None or due > now:
        return Decision(Verdict.WAIT, due)
    release = released_at(plan, now, working_day)
    if release is None or release > now:
        return Decision(Verdict.MOVE, release)
    late = now - due
    missed = count_missed(plan, due, now, working_day)
    return Decision(Verdict.START, next_due(plan, now, working_day), late, missed, late > grace)


def reanchored(plan: Plan, due: float | None, now: float, working_day: WorkingDay) -> float | None:
    """Returns a due instant that the plan could have set at `now`: after a clock was set back none lies too far off."""
    latest = next_due(plan, now, working_day)
    if due is None or latest is None:
        return latest
    return min(due, latest)


def count_missed(plan: Plan, due: float, now: float, working_day: WorkingDay) -> int:
    """Returns how many starts after `due` have passed as well, at most MISSED_MAX."""
    if isinstance(plan.timing, Every):
        return min(MISSED_MAX, int((now - due) // plan.timing.seconds))
    count, at = 0, next_fire(plan, due, working_day)
    while at is not None and at <= now and count < MISSED_MAX:
        count, at = count + 1, next_fire(plan, at, working_day)
    return count


def _local(at: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(zone)


def _instant(day: date, minute: int, zone: ZoneInfo, fold: int = 0) -> float:
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    return local.replace(tzinfo=zone, fold=fold).timestamp()


def _is_kind(days: Days, day: date, working_day: WorkingDay) -> bool:
    if days is Kind.DAILY:
        return True
    if isinstance(days, Kind):
        return working_day(day) is (days is Kind.WORKDAYS)
    return day.weekday() in days


def _fires_on(timing: At | Cron, day: date, zone: ZoneInfo, working_day: WorkingDay) -> Sequence[float]:
    """Returns the instants of a local day, in order."""
    if isinstance(timing, Cron):
        return _cron_fires(timing, day, zone) if _cron_day(timing, day) else ()
    if not _is_kind(timing.days, day, working_day):
        return ()
    return sorted(_instant(day, minute, zone) for minute in timing.minutes)


@lru_cache(maxsize=64)
def _cron_fires(timing: Cron, day: date, zone: ZoneInfo) -> Sequence[float]:
    found: set[float] = set()
    for minute in (hour * 60 + minute for hour in timing.hours for minute in timing.minutes):
        first = _instant(day, minute, zone)
        found.add(first)
        if timing.any_hour and (again := _instant(day, minute, zone, fold=1)) > first:
            found.add(again)
    return tuple(sorted(found))


def _cron_day(timing: Cron, day: date) -> bool:
    if day.month not in timing.months:
        return False
    by_day, by_weekday = day.day in timing.days, day.weekday() in timing.weekdays
    if timing.any_day or timing.any_weekday:
        return by_day and by_weekday
    return by_day or by_weekday


def _end_of_blackout(plan: Plan, at: float, working_day: WorkingDay) -> float | None:
    """Returns the end of a window or freeze that holds `at`, None where none does."""
    if not plan.blackout and not plan.freeze:
        return None
    local = _local(at, plan.zone)
    today, minute = local.date(), local.hour * 60 + local.minute
    for freeze in plan.freeze:
        if freeze.first <= today <= freeze.last:
            return _instant(freeze.last + timedelta(days=1), 0, plan.zone)
    for window in plan.blackout:
        if (day := _day_of(window, today, minute, working_day)) is not None:
            end = window.end if window.end > window.start else window.end + DAY
            return _instant(day, end, plan.zone, local.fold)
    return None


def _day_of(window: Window, today: date, minute: int, working_day: WorkingDay) -> date | None:
    """Returns the day on which the window that holds this minute began."""
    over_midnight = window.end < window.start
    if window.start <= minute and (over_midnight or minute < window.end) and _is_kind(window.days, today, working_day):
        return today
    yesterday = today - timedelta(days=1)
    if over_midnight and minute < window.end and _is_kind(window.days, yesterday, working_day):
        return yesterday
    return None
