"""Working days of mainland China, holidays and make-up days (调休) included, by the library chinesecalendar.

The holidays of a year are published late in the year before. Where the library knows none, Monday to Friday count as
working days, and that is reported: once a year of dates to who made the calendar, and by `known_until` to whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import chinese_calendar
from chinese_calendar.constants import holidays

_SATURDAY = 5


def known_until() -> int:
    """Returns the last year of which the holidays are known."""
    return int(max(holidays).year)


class Workdays:
    """Answers whether a day is a working day; `report` is told of each year that is answered by weekday alone."""

    def __init__(self, report: Callable[[int], None]) -> None:
        self._report = report
        self._guessed: set[int] = set()

    @property
    def guessed(self) -> frozenset[int]:
        """Returns the years that were answered by weekday alone."""
        return frozenset(self._guessed)

    def __call__(self, day: date) -> bool:
        try:
            return bool(chinese_calendar.is_workday(day))
        except NotImplementedError:
            # The library raises this for every year beyond its data, before the first as after the last.
            if day.year not in self._guessed:
                self._guessed.add(day.year)
                self._report(day.year)
            return day.weekday() < _SATURDAY
