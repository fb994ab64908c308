"""`crmhub status` says how much of what a vendor grants is left, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.cli.cycles import _show_allowed
from hub.cli.desk import Desk
from hub.operations.standing import Allowed


@pytest.mark.parametrize(
    ("lang", "frees_at", "words"),
    [
        ("en", None, ["zoho, credits: used 1,240 of 50,000, left 48,760, of them 5,000 for people\n"]),
        ("zh", None, ["zoho，credits：已用 1,240 / 50,000，剩余 48,760，其中预留给人工 5,000\n"]),
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
    assert Allowed("zoho", "credits", 1_000, 200, 1_000 - left, left, None).is_short is short
