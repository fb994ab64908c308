"""Whose turn it is, as a table, and that nobody starves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.plan import order_entities
from hub.schedule.turns import PATIENCE, TOGETHER, Candidate, ancestors_of, choose

REFERENCES = {"customer": [], "complaint": ["customer"], "contact_log": ["customer", "complaint", "contact_log"]}
ABOVE = ancestors_of(REFERENCES)
ORDER = order_entities(REFERENCES)
NOW = 1_000_000.0


def turn(waiting: list[tuple[str, str, float]], running: tuple[str, ...] = ()) -> tuple[str, str] | None:
    candidates = [Candidate(act, entity, NOW - late) for act, entity, late in waiting]
    found = choose(candidates, running, ABOVE, ORDER, NOW)
    return None if found is None else (found.act, found.entity)


def test_parents_and_their_parents_are_above_and_a_circle_has_none() -> None:
    assert ABOVE["customer"] == frozenset()
    assert ABOVE["complaint"] == {"customer"}
    assert ABOVE["contact_log"] == {"customer", "complaint"}
    assert ancestors_of({"a": ["b"], "b": ["a"], "c": ["a"]}) == {"a": frozenset(), "b": frozenset(), "c": {"a", "b"}}
    assert ORDER == ("customer", "complaint", "contact_log")


@pytest.mark.parametrize(
    ("waiting", "running", "expected"),
    [
        ([], (), None),
        ([("sync", "contact_log", 1), ("sync", "complaint", 1), ("sync", "customer", 1)], (), ("sync", "customer")),
        ([("sync", "contact_log", 30), ("sync", "customer", 0)], (), ("sync", "customer")),
        ([("sync", "contact_log", TOGETHER + 1), ("sync", "customer", 0)], (), ("sync", "contact_log")),
        ([("sync", "contact_log", 1)], ("customer",), None),
        ([("sync", "customer", 1)], ("contact_log",), ("sync", "customer")),
        ([("sync", "customer", 1)], ("customer",), None),
        ([("reconcile", "customer", 600), ("sync", "contact_log", 0)], (), ("sync", "contact_log")),
        ([("reconcile", "customer", 600)], (), ("reconcile", "customer")),
        ([("reconcile", "customer", PATIENCE + 1), ("sync", "contact_log", 0)], (), ("reconcile", "customer")),
        # What was cut short goes on behind every sync that is due, its own entity's included, and before a slice.
        ([("backfill", "contact_log", 600), ("sync", "complaint", 0)], (), ("sync", "complaint")),
        ([("backfill", "customer", 600), ("sync", "contact_log", 0)], (), ("sync", "contact_log")),
        ([("backfill", "contact_log", 600), ("sync", "contact_log", 0)], (), ("sync", "contact_log")),
        ([("backfill", "contact_log", 1), ("reconcile", "customer", 600)], (), ("backfill", "contact_log")),
        ([("backfill", "contact_log", 600), ("backfill", "customer", 0)], (), ("backfill", "customer")),
        ([("backfill", "contact_log", PATIENCE + 1), ("sync", "complaint", 0)], (), ("backfill", "contact_log")),
        ([("backfill", "contact_log", 1)], ("contact_log",), None),
        ([("backfill", "contact_log", 1)], ("customer",), None),
    ],
)
def test_turns(
    waiting: list[tuple[str, str, float]], running: tuple[str, ...], expected: tuple[str, str] | None
) -> None:
    assert turn(waiting, running) == expected


@given(
    st.lists(
        st.tuples(st.sampled_from(("sync", "backfill", "reconcile")), st.sampled_from(ORDER), st.floats(0, 10_000)),
        min_size=1,
        max_size=8,
    )
)
def test_with_nothing_running_somebody_always_starts(waiting: list[tuple[str, str, float]]) -> None:
    assert turn(waiting) is not None


@given(st.floats(1, 600), st.integers(1, 40))
def test_a_busy_parent_starves_no_child(interval: float, rounds: int) -> None:
    """The parent is due again the moment it ends; the child still gets a turn within two of its runs."""
    now, child, parent_runs = NOW, NOW, 0
    for _ in range(rounds):
        waiting = [Candidate("sync", "customer", now), Candidate("sync", "complaint", child)]
        chosen = choose(waiting, (), ABOVE, ORDER, now)
        assert chosen is not None
        parent_runs = parent_runs + 1 if chosen.entity == "customer" else 0
        assert parent_runs <= 2 + TOGETHER // interval
        now += interval
        if chosen.entity == "complaint":
            child = now
