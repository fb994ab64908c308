"""The mass guards: what stops a batch, from which number on, and what never stops one."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.guards import Limits, Load, Trip, guard_intake, guard_listing, guard_writes

LIMITS = Limits(deletes=2, deletes_percent=10.0, changes=4, changes_percent=50.0, creates=6, creates_percent=50.0)
WRITES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("nothing owed", {}, set()),
    ("deletes at the count", {"bound": 10, "deletes": 2}, set()),
    ("deletes past the count", {"bound": 10, "deletes": 3}, {"mass_delete"}),
    ("deletes at the share", {"bound": 100, "deletes": 10}, set()),
    ("deletes past the share", {"bound": 100, "deletes": 11}, {"mass_delete"}),
    ("creates past the share", {"bound": 100, "creates": 51}, {"mass_create"}),
    ("updates past the share", {"bound": 100, "updates": 51}, {"mass_update"}),
    ("two guards at once", {"bound": 10, "deletes": 9, "updates": 9}, {"mass_delete", "mass_update"}),
    ("a first sync needs a release", {"creates": 1, "first_sync_done": False}, {"first_sync"}),
    ("a first sync never deletes unasked", {"bound": 9, "deletes": 1, "first_sync_done": False}, {"first_sync"}),
]


@pytest.mark.parametrize(("description", "load", "guards"), WRITES, ids=[row[0] for row in WRITES])
def test_guard_writes(description: str, load: dict[str, Any], guards: set[str]) -> None:
    load = {"bound": 0, **load}
    assert {trip.guard for trip in guard_writes(Load("a", **load), LIMITS)} == guards


INTAKE: list[tuple[str, dict[str, Any], set[str]]] = [
    ("half of all changed", {"bound": 100, "seen_changed": 50}, set()),
    ("more than half changed", {"bound": 100, "seen_changed": 51}, {"mass_change"}),
    ("a few of a few changed", {"bound": 3, "seen_changed": 3}, set()),
    ("too many gone", {"bound": 100, "seen_gone": 11}, {"mass_gone"}),
    ("the only record is gone", {"bound": 1, "seen_gone": 1}, set()),
]


@pytest.mark.parametrize(("description", "load", "guards"), INTAKE, ids=[row[0] for row in INTAKE])
def test_guard_intake(description: str, load: dict[str, Any], guards: set[str]) -> None:
    assert {trip.guard for trip in guard_intake(Load("a", **load), LIMITS)} == guards


def test_a_system_that_becomes_empty_trips_below_every_threshold() -> None:
    assert guard_intake(Load("a", bound=8, seen_gone=8), Limits()) == (Trip("mass_gone", "a", 8, 7),)
    assert guard_writes(Load("a", bound=8, deletes=8), Limits()) == (Trip("mass_delete", "a", 8, 7),)
    assert guard_intake(Load("a", bound=8, seen_gone=7), Limits()) == ()


@pytest.mark.parametrize(
    ("known", "listed", "missing", "verdict"),
    [(0, 0, 0, None), (5, 0, 5, "empty"), (100, 90, 10, None), (100, 70, 30, "shrank"), (5, 4, 1, None)],
)
def test_a_listing_that_lacks_too_much_is_not_believed(
    known: int, listed: int, missing: int, verdict: str | None
) -> None:
    assert guard_listing(known, listed, missing, Limits()) == verdict
