"""The small language of times: every form is read, every mistake is named in both languages."""

from __future__ import annotations

from datetime import date

import pytest

from hub.kernel.timetable import (
    At,
    Cron,
    Every,
    Freeze,
    Kind,
    Malformed,
    Never,
    Window,
    parse_freeze,
    parse_timing,
    parse_window,
)


@pytest.mark.parametrize(
    ("text", "timing"),
    [
        ("every 30s", Every(30.0)),
        ("every  5m", Every(300.0)),
        ("every 2h", Every(7200.0)),
        ("every 1d", Every(86_400.0)),
        ("never", Never()),
        ("daily 02:00", At(Kind.DAILY, (120,))),
        ("workdays 18:00,08:30", At(Kind.WORKDAYS, (510, 1080))),
        ("restdays 10:00", At(Kind.RESTDAYS, (600,))),
        ("mon,thu 6:05", At(frozenset({0, 3}), (365,))),
    ],
)
def test_a_timing_is_read(text: str, timing: object) -> None:
    assert parse_timing(text) == timing


def test_cron_fields_are_read_as_cron_reads_them() -> None:
    read = parse_timing("cron */20 8-10 1,15 * 0")
    assert isinstance(read, Cron)
    assert (read.minutes, read.hours, read.days) == ({0, 20, 40}, {8, 9, 10}, {1, 15})
    assert read.weekdays == {6}, "0 is Sunday, and Sunday is the last day of a week that begins on Monday"
    assert (read.any_day, read.any_weekday, read.any_hour) == (False, False, False)
    same = parse_timing("cron 0 * * * 1-7")
    assert isinstance(same, Cron)
    assert same.weekdays == {0, 1, 2, 3, 4, 5, 6}
    assert (same.any_day, same.any_weekday, same.any_hour) == (True, False, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "every 5",
        "every 0m",
        "every 5s",
        "every -5m",
        "hourly",
        "daily",
        "daily 25:00",
        "daily 02:60",
        "noday 02:00",
        "mon,noday 02:00",
        "cron * * * *",
        "cron 60 * * * *",
        "cron 5-1 * * * *",
        "cron */0 * * * *",
        "cron a * * * *",
        "cron * * 0 * *",
        "cron * * * 13 *",
        "cron * * * * 8",
    ],
)
def test_what_is_no_timing_is_refused_in_both_languages(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_timing(text)
    assert refused.value.en
    assert refused.value.zh


def test_windows_and_freeze_dates() -> None:
    assert parse_window("daily 23:30-00:30") == Window(Kind.DAILY, 1410, 30)
    assert parse_window("workdays 17:00-24:00") == Window(Kind.WORKDAYS, 1020, 1440)
    assert parse_freeze("2026-12-31") == Freeze(date(2026, 12, 31), date(2026, 12, 31))
    assert parse_freeze("2026-12-25..2027-01-02") == Freeze(date(2026, 12, 25), date(2027, 1, 2))
    for text in ("daily 10:00", "daily 10:00-10:00", "daily 10-11", "x 10:00-11:00"):
        with pytest.raises(Malformed):
            parse_window(text)
    for text in ("2026-13-01", "2026-12-31..2026-12-01", "soon"):
        with pytest.raises(Malformed):
            parse_freeze(text)
