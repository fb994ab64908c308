"""Complaints by where they stand, on both databases, from the facets alone and through their index."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from store_kit import Kit, bound

from hub.core.state import GoldenRecord
from hub.store import complaints, records
from hub.store.complaints import Bounds, Filter
from hub.store.records import Write

GOING = ("registered", "accepted", "investigating", "awaiting_customer", "resolved", "responded")
NOW = "2026-03-10T00:00:00.000Z"
BOUNDS = Bounds(
    NOW, "2026-12-31T15:59:59.000Z", {"due_within_5": "2026-03-15T15:59:59.000Z"}, "2026-02-08T15:59:59.000Z"
)
PAST, SOON, FAR = "2026-03-09T15:59:59.000Z", "2026-03-20T15:59:59.000Z", "2027-01-20T15:59:59.000Z"
ROWS: dict[str, dict[str, str | int]] = {
    "c1": {"status": "registered", "due_at": SOON, "branch_code": "B0101"},
    "c2": {"status": "investigating", "due_at": PAST, "branch_code": "B0101"},
    "c3": {"status": "responded", "due_at": PAST, "feedback_at": PAST, "branch_code": "B0201"},
    "c4": {"status": "closed", "due_at": PAST, "branch_code": "B0201"},
    "c5": {"status": "closed", "due_at": PAST, "feedback_at": PAST, "reopened_count": 2},
    "c6": {"status": "withdrawn", "due_at": PAST},
    "c7": {"status": "accepted", "branch_code": "B0201"},
    "c8": {"status": "accepted", "due_at": FAR},
}


@pytest.fixture
def filled(kit: Kit) -> Kit:
    with kit.store.begin() as work:
        for hub_id, facets in ROWS.items():
            made = GoldenRecord(hub_id, "complaint", dict(facets), {"*": "a"}, 1, subject_id=f"s-{hub_id}")
            records.write(work, [Write(None, made, (), {}, facets)])
    kit.create("someone", bound("someone"))
    return kit


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Filter(GOING), ["c2", "c3", "c4", "c5", "c6", "c1", "c8", "c7"]),
        (Filter(GOING, open=True), ["c2", "c3", "c1", "c8", "c7"]),
        (Filter(GOING, overdue_at=NOW), ["c2"]),
        (Filter(GOING, closed_without_feedback=True), ["c4"]),
        (Filter(GOING, branch="B0101"), ["c2", "c1"]),
        (Filter(GOING, open=True, branch="B0201"), ["c3", "c7"]),
        (Filter(GOING, overdue_at=NOW, closed_without_feedback=True), []),
        (Filter(GOING, branch="B0101' OR '1'='1"), []),
    ],
)
def test_listing(filled: Kit, asked: Filter, found: list[str]) -> None:
    with filled.store.read() as conn:
        rows = complaints.listing(conn, asked, 100)
        assert [row.hub_id for row in rows] == found
        assert all(dict(row.facets) == ROWS[row.hub_id] for row in rows)
        assert [row.hub_id for row in complaints.listing(conn, asked, 2)] == found[:2]


def test_counts(filled: Kit) -> None:
    with filled.store.read() as conn:
        assert complaints.counts(conn, GOING, BOUNDS) == {
            "all": 8,
            "open": 5,
            "overdue": 1,
            "closed_without_feedback": 1,
            "reopened": 1,
            "past_calendar": 1,
            "reviews": 0,
            "due_within_5": 0,
            "reviews_late": 0,
        }


def test_counts_of_nothing_are_noughts(kit: Kit) -> None:
    with kit.store.read() as conn:
        assert set(complaints.counts(conn, GOING, BOUNDS).values()) == {0}


def test_the_index_serves_every_question(filled: Kit) -> None:
    name = filled.engine.dialect.name
    with filled.engine.connect() as conn, conn.begin():
        if name == "postgresql":
            conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plans: list[str] = []

        @sa.event.listens_for(conn, "before_cursor_execute")
        def explain(each: sa.Connection, cursor: object, text: str, parameters: object, *rest: object) -> None:
            if text.startswith("SELECT"):
                word = "EXPLAIN QUERY PLAN" if name == "sqlite" else "EXPLAIN"
                raw = each.connection.cursor()
                raw.execute(f"{word} {text}", parameters)  # type: ignore[arg-type]
                plans.append(" ".join(str(row) for row in raw.fetchall()))

        for asked in (
            Filter(GOING),
            Filter(GOING, True),
            Filter(GOING, overdue_at=NOW),
            Filter(GOING, False, None, True),
            Filter(GOING, due=(NOW, NOW)),
        ):
            complaints.listing(conn, asked, 10)
        complaints.counts(conn, GOING, BOUNDS)
    assert len(plans) == 6
    assert [plan for plan in plans if "golden_complaint" not in plan] == []
