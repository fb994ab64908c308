"""Working days of mainland China, and what is said of the years nobody has published yet."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from hub.kernel.workdays import Workdays, known_until


@pytest.mark.parametrize(
    ("description", "day", "works"),
    [
        ("an ordinary Monday", date(2026, 3, 2), True),
        ("an ordinary Saturday", date(2026, 3, 7), False),
        ("National Day on a Thursday", date(2026, 10, 1), False),
        ("a Saturday worked for the Spring Festival", date(2026, 2, 14), True),
        ("a Sunday worked for New Year", date(2026, 1, 4), True),
        ("a Friday off for the Qingming festival", date(2025, 4, 4), False),
    ],
)
def test_holidays_and_make_up_days(description: str, day: date, works: bool) -> None:
    reported: list[int] = []
    calendar = Workdays(reported.append)
    assert calendar(day) is works
    assert reported == []
    assert calendar.guessed == frozenset()


def test_beyond_the_published_years_the_week_counts_and_each_year_is_reported_once() -> None:
    reported: list[int] = []
    calendar = Workdays(reported.append)
    unknown = known_until() + 1
    week = [date(unknown, 6, 1) + timedelta(days=number) for number in range(7)]
    assert [calendar(day) for day in week] == [day.isoweekday() <= 5 for day in week]
    assert calendar(date(unknown + 1, 1, 1)) is (date(unknown + 1, 1, 1).isoweekday() <= 5)
    assert calendar(date(1999, 10, 1)) is True
    assert reported == [unknown, unknown + 1, 1999]
    assert calendar.guessed == {unknown, unknown + 1, 1999}


def test_the_last_known_year_is_known_to_its_end() -> None:
    calendar = Workdays(lambda year: pytest.fail(f"{year} was guessed"))
    assert calendar(date(known_until(), 1, 1)) is False
    assert calendar(date(known_until(), 12, 31)) in (True, False)
