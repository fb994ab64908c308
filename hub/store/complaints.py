"""Complaints by where they stand, read from the plaintext facets alone: no record is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from hub.core.state import GoldenState
from hub.store.tables import golden

ENTITY = "complaint"
CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Filter:
    """Says which complaints are asked for; `going` are the statuses in which a complaint is open.

    `overdue_at` is a canonical instant: open, unanswered, and due before it.
    """

    going: tuple[str, ...]
    open: bool = False
    overdue_at: str | None = None
    closed_without_feedback: bool = False
    branch: str | None = None
    codes: frozenset[str] | None = None
    """The branches that may be seen, None for all."""


@dataclass(frozen=True, slots=True)
class Faceted:
    """Is one complaint as far as it stands in plaintext."""

    hub_id: str
    facets: Mapping[str, Any]


def listing(conn: sa.Connection, asked: Filter, limit: int) -> list[Faceted]:
    """Returns complaints, the first due first, those without a due date last."""
    due = facet(conn.dialect.name, "due_at")
    statement = (
        sa.select(golden.c.hub_id, golden.c.facets)
        .where(*_conditions(conn.dialect.name, asked))
        .order_by(due.asc().nulls_last(), golden.c.hub_id)
        .limit(limit)
    )
    return [Faceted(row.hub_id, row.facets) for row in conn.execute(statement)]


def counts(
    conn: sa.Connection, going: Sequence[str], now: str, horizon: str, codes: frozenset[str] | None = None
) -> dict[str, int]:
    """Counts complaints by where they stand, in one pass; `past_calendar` are open and due after `horizon`."""
    name = conn.dialect.name
    due, answered = facet(name, "due_at"), facet(name, "feedback_at")
    status, again = facet(name, "status"), facet(name, "reopened_count")
    still = _still(name, going)
    columns = {
        "all": sa.true(),
        "open": still,
        "overdue": sa.and_(still, answered.is_(None), due < now),
        "closed_without_feedback": sa.and_(status == CLOSED, answered.is_(None)),
        "reopened": again.is_not(None),
        "past_calendar": sa.and_(still, due > horizon),
    }
    chosen = [sa.func.coalesce(sa.func.sum(sa.case((when, 1), else_=0)), 0).label(n) for n, when in columns.items()]
    row = conn.execute(sa.select(*chosen).where(*_ours(), *_near(name, codes))).one()
    return {key: int(row._mapping[key]) for key in columns}


def index_statement(dialect: str) -> str:
    """Returns the statement that makes the index by which complaints are found; a migration runs it."""
    bare = [str(facet(dialect, name)).replace("golden.", "") for name in ("status", "due_at")]
    return f"CREATE INDEX golden_complaint ON golden (entity, {', '.join(bare)}) WHERE entity = '{ENTITY}'"


@lru_cache(maxsize=64)
def facet(dialect: str, name: str) -> sa.ColumnElement[str]:
    """Returns a facet as text, spelled out so that an index on the same expression serves it; names are our own."""
    if dialect == "sqlite":
        return sa.literal_column(f"json_extract(golden.facets, '$.{name}')", sa.String)
    return sa.literal_column(f"(golden.facets ->> '{name}')", sa.String)


def _ours() -> list[sa.ColumnElement[bool]]:
    # A bound value would hide from the planner that the partial index applies.
    return [golden.c.entity == sa.literal_column(f"'{ENTITY}'"), golden.c.state == GoldenState.LIVE.value]


def _still(dialect: str, going: Sequence[str]) -> sa.ColumnElement[bool]:
    status = facet(dialect, "status")
    return sa.or_(status.in_(going), status.is_(None))


def _conditions(dialect: str, asked: Filter) -> Sequence[sa.ColumnElement[bool]]:
    answered = facet(dialect, "feedback_at")
    found = _ours()
    if asked.open or asked.overdue_at is not None:
        found.append(_still(dialect, asked.going))
    if asked.overdue_at is not None:
        found += [answered.is_(None), facet(dialect, "due_at") < asked.overdue_at]
    if asked.closed_without_feedback:
        found += [facet(dialect, "status") == CLOSED, answered.is_(None)]
    if asked.branch is not None:
        found.append(facet(dialect, "branch_code") == asked.branch)
    return found + _near(dialect, asked.codes)


def _near(dialect: str, codes: frozenset[str] | None) -> list[sa.ColumnElement[bool]]:
    return [] if codes is None else [facet(dialect, "branch_code").in_(sorted(codes))]
