"""Random histories of whole worlds: edits, merges, permissions, faults, deaths; then calm, and every invariant holds.

Three in ten worlds have tickets and visits beside their clients, pointing at each other and at them; in one of three
a system merges clients before anything else; one of fifty goes on from a store that an earlier release left behind.

Each test plays a stretch of seeds. A failure names its seed and the command that plays just that history again:

    CRMHUB_SEED=4711 pytest tests/property/test_world.py -k replays

`CRMHUB_STEPS=0,3` keeps only these steps of it; `CRMHUB_SHRINK=1` looks for the fewest steps that still fail.
`CRMHUB_HISTORIES=N` plays N histories instead of 5,000, `CRMHUB_FIRST=N` begins with another seed.
"""

from __future__ import annotations

import os

import pytest

from tests.scenarios.history import play, shrink

HISTORIES = int(os.environ.get("CRMHUB_HISTORIES", "5000"))
FIRST = int(os.environ.get("CRMHUB_FIRST", "0"))
STRETCH = 25
SEED = os.environ.get("CRMHUB_SEED")
STEPS = os.environ.get("CRMHUB_STEPS")


def failing(seed: int) -> str | None:
    """Plays one history; returns what broke and how to see it again."""
    try:
        play(seed)
    except Exception as error:  # noqa: BLE001 - every way to fail is reported with its seed
        notes = "\n    ".join(getattr(error, "__notes__", ["no notes"])[-1].splitlines())
        again = f"CRMHUB_SEED={seed} pytest tests/property/test_world.py -k replays"
        return f"{again}\n  {type(error).__name__}: {str(error).splitlines()[0]}\n    {notes}"
    return None


def all_end_well(first: int) -> None:
    failures = [found for seed in range(first, min(first + STRETCH, FIRST + HISTORIES)) if (found := failing(seed))]
    assert not failures, "\n\n".join(failures)


STRETCHES = range(FIRST, FIRST + HISTORIES, STRETCH)


class TestOneHalf:
    """Half of the histories; each class goes to a process of its own."""

    @pytest.mark.parametrize("first", STRETCHES[::2])
    def test_histories_end_well(self, first: int) -> None:
        all_end_well(first)


class TestOtherHalf:
    """The other half."""

    @pytest.mark.parametrize("first", STRETCHES[1::2])
    def test_histories_end_well(self, first: int) -> None:
        all_end_well(first)


@pytest.mark.skipif(SEED is None, reason="set CRMHUB_SEED to play one history again")
def test_replays_one_history() -> None:
    seed = int(SEED or 0)
    steps = {int(step) for step in STEPS.split(",")} if STEPS else None
    if os.environ.get("CRMHUB_SHRINK"):
        steps = shrink(seed)
        print(f"fewest steps: CRMHUB_SEED={seed} CRMHUB_STEPS={','.join(map(str, sorted(steps)))}")
    play(seed, steps)


def test_a_history_is_the_same_each_time() -> None:
    assert play(7).notes == play(7).notes
    assert play(23).notes == play(23).notes
