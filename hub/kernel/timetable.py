"""The small language of times in the settings: when something runs, and when nothing may."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

DAY = 24 * 60
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EVERY = re.compile(r"every ([1-9]\d{0,5})([smhd])")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_PART = re.compile(r"(\*|\d{1,2}(?:-\d{1,2})?)(?:/(\d{1,2}))?")
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
SHORTEST = 10.0
"""Seconds between two starts at least: a shorter interval would only burn calls."""


class Malformed(ValueError):
    """Is raised for a text that is no time of this language; says in both languages what is wrong."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en, self.zh = en, zh


class Kind(StrEnum):
    """Is a kind of day: every one, one on which people work, or one on which they rest (by the Chinese calendar)."""

    DAILY = "daily"
    WORKDAYS = "workdays"
    RESTDAYS = "restdays"


Days = Kind | frozenset[int]
"""A kind of day, or week days with Monday as 0."""


@dataclass(frozen=True, slots=True)
class Never:
    """Starts nothing by itself."""


@dataclass(frozen=True, slots=True)
class Every:
    """Starts again so many seconds after the last start."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cron:
    """Starts by the five fields of cron; `weekdays` count Monday as 0.

    Where both day fields are restricted, a day that meets either of them counts, as in cron itself.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    any_hour: bool


@dataclass(frozen=True, slots=True)
class At:
    """Starts at times of day, in minutes after midnight, on days of a kind."""

    days: Days
    minutes: tuple[int, ...]


Timing = Never | Every | Cron | At


@dataclass(frozen=True, slots=True)
class Window:
    """Is a span of the day in which nothing starts; one that ends before it starts goes over midnight."""

    days: Days
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """Are dates on which nothing starts, both ends included."""

    first: date
    last: date


def parse_timing(text: str) -> Timing:
    """Reads `every 5m`, `daily 02:00,14:00`, `workdays 08:30`, `mon,thu 06:00`, `cron 0 2 * * 1-5` or `never`.

    Raises Malformed.
    """
    text = " ".join(text.split())
    if text == "never":
        return Never()
    if found := _EVERY.fullmatch(text):
        seconds = float(int(found[1]) * _SECONDS[found[2]])
        if seconds < SHORTEST:
            raise Malformed(f"is shorter than {SHORTEST:.0f} seconds", f"短于 {SHORTEST:.0f} 秒")
        return Every(seconds)
    head, _, rest = text.partition(" ")
    if head == "cron":
        return _parse_cron(rest)
    return At(_parse_days(head), tuple(sorted({_parse_clock(part) for part in rest.split(",")})))


def parse_window(text: str) -> Window:
    """Reads `daily 23:30-00:30` or `workdays 17:00-18:00`. Raises Malformed."""
    head, _, rest = " ".join(text.split()).partition(" ")
    start, dash, end = rest.partition("-")
    if not dash:
        raise _not("DAYS HH:MM-HH:MM")
    window = Window(_parse_days(head), _parse_clock(start), DAY if end.strip() == "24:00" else _parse_clock(end))
    if window.start == window.end:
        raise Malformed("starts and ends at the same time", "起止时间相同")
    return window


def parse_freeze(text: str) -> Freeze:
    """Reads `2026-12-31` or `2026-12-25..2027-01-02`. Raises Malformed."""
    first, dots, last = text.strip().partition("..")
    try:
        freeze = Freeze(date.fromisoformat(first), date.fromisoformat(last if dots else first))
    except ValueError:
        raise _not("YYYY-MM-DD, YYYY-MM-DD..YYYY-MM-DD") from None
    if freeze.last < freeze.first:
        raise Malformed("ends before it starts", "结束早于开始")
    return freeze


def _parse_days(text: str) -> Days:
    if text in tuple(Kind):
        return Kind(text)
    names = text.lower().split(",")
    if not all(name in _NAMES for name in names):
        raise _not("every N(s|m|h|d), DAYS HH:MM, cron M H D M W, never; DAYS: daily, workdays, restdays, mon,tue,…")
    return frozenset(_NAMES.index(name) for name in names)


def _parse_clock(text: str) -> int:
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise _not("HH:MM")
    return int(found[1]) * 60 + int(found[2])


def _parse_cron(text: str) -> Cron:
    fields = text.split()
    if len(fields) != len(_RANGES):
        raise _not("cron MINUTE HOUR DAY MONTH WEEKDAY")
    minutes, hours, days, months, raw = (_parse_field(*pair) for pair in zip(fields, _RANGES, strict=True))
    # cron counts Sunday as 0 and as 7.
    weekdays = frozenset((number - 1) % 7 for number in raw)
    free = [field.startswith("*") for field in fields]
    return Cron(minutes, hours, days, months, weekdays, free[2], free[4], free[1])


def _parse_field(text: str, bounds: tuple[int, int]) -> frozenset[int]:
    low, high = bounds
    found: set[int] = set()
    for part in text.split(","):
        shape = _PART.fullmatch(part)
        if shape is None:
            raise _not("*, 5, 1-5, */10, 1,3")
        step = int(shape[2] or 1)
        first, _, last = shape[1].partition("-")
        start = low if first == "*" else int(first)
        end = high if first == "*" or (shape[2] and not last) else int(last or first)
        if step == 0 or not low <= start <= end <= high:
            raise Malformed(f"{part} is outside {low}-{high}", f"{part} 超出 {low}-{high}")
        found.update(range(start, end + 1, step))
    return frozenset(found)


def _not(form: str) -> Malformed:
    return Malformed(f"does not have the form {form}", f"格式应为 {form}")
