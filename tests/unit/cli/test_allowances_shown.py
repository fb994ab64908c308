"""`crmhub status` says how much of what a vendor grants is left, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.cli.cycles import _show_allowed, _show_backfill
from hub.cli.desk import Desk
from hub.operations.progress import Progress
from hub.operations.quota import wait_for
from hub.operations.standing import Allowed
from hub.store.allowances import Remaining


@pytest.mark.parametrize(
    ("lang", "frees_at", "words"),
    [
        ("en", None, ["zoho, credits: used 1,240 of 50,000, left 48,760, of them 5,000 for people\n"]),
        ("zh", None, ["zoho，API 额度：已用 1,240 / 50,000，剩余 48,760，其中预留给人工 5,000\n"]),
        ("en", 1_790_000_000.0, ["for people; the daemon goes on at 2026-09-2"]),
        ("zh", 1_790_000_000.0, ["5,000；守护进程将于 2026-09-2"]),
    ],
)
def test_status_says_what_is_used_left_and_kept(
    lang: str, frees_at: float | None, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(Path("."), json=False, lang=lang)  # type: ignore[arg-type]
    _show_allowed(desk, Allowed("zoho", "credits", 50_000, 5_000, 1_240, 48_760, frees_at))
    said = capsys.readouterr().out
    assert all(word in said for word in words), said


@pytest.mark.parametrize(("left", "short"), [(1_000, False), (281, False), (279, True), (200, True), (0, True)])
def test_little_left_above_the_reserve_is_short(left: int, short: bool) -> None:
    assert Allowed("zoho", "credits", 1_000, 200, 1_000 - left, left, None, spare=80).is_short is short


DAY = 86_400.0
NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("units", "left", "ends_at", "waits"),
    [
        (60_000, 100_000, NOW + 3_600, 0.0),
        (80_000, 100_000, NOW + 3_600, 0.0),
        (80_001, 100_000, NOW + 3_600, 3_600.0),
        (160_000, 100_000, NOW + 3_600, 3_600.0),
        (160_001, 100_000, NOW + 3_600, 3_600.0 + DAY),
        (100, 15_000, NOW + 3_600, 3_600.0),
        (120_000, 100_000, None, DAY / 2),
    ],
)
def test_a_first_load_waits_for_the_days_that_its_calls_take(
    units: int, left: int, ends_at: float | None, waits: float
) -> None:
    window = Remaining("f:calls", 100_000, 5_000, 100_000 - left, left, None, spare=15_000, ends_at=ends_at)
    assert wait_for(units, window, NOW) == waits


def test_nothing_granted_is_never_enough() -> None:
    assert wait_for(1, Remaining("f:calls", 10, 10, 0, 10, None, ends_at=NOW + 1), NOW) is None


@pytest.mark.parametrize(
    ("lang", "waits", "words"),
    [
        ("en", None, "time left: unknown\n"),
        ("en", 0.0, "time left: unknown; today's quota suffices\n"),
        ("en", 100_000.0, "; by the quota bought at least 1 d 3 h\n"),
        ("zh", 100_000.0, "剩余时间：未知；按已购额度至少 1 天 3 小时\n"),
    ],
)
def test_status_says_how_long_a_first_load_takes_at_the_quota(
    lang: str, waits: float | None, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(Path("."), json=False, lang=lang)  # type: ignore[arg-type]
    _show_backfill(desk, Progress("customer", "fxiaoke", "", 12_000, 48_000, None, waits))
    assert words in capsys.readouterr().out
