"""Seven days of daemon time with everything at once: nothing is lost, run twice, run together or left undone.

CRMHUB_WEEKS says how many seeds are played; a failure names its seed and tells what happened until then.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.scenarios.week import play

SEEDS = range(int(os.environ.get("CRMHUB_WEEKS", "3")))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_week_of_everything_at_once(seed: int, tmp_path: Path) -> None:
    week = play(tmp_path / "hub", seed)
    assert week.kills, "nobody was killed"
    assert week.rivals, "nobody tried to run a second cycle"
    assert sum(week.expected.values()), "nothing was ever missed"
    assert week.nights > 20
    print(f"{seed=}: {week.kills} kills, {week.rivals} rivals, {week.nights} nights, catch-ups {dict(week.expected)}")
