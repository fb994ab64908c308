"""Progress of a first load: the rate is that of the last minutes, and nothing is promised without evidence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hub.store import backfills
from hub.store.backfills import WINDOW
from hub.store.database import open_engine
from hub.store.migrate import migrate
from hub.store.unit_of_work import UnitOfWork

PLACE = ("visit", "one", "Call")


@pytest.fixture
def conn(database_url: str) -> Iterator[sa.Connection]:
    engine = open_engine(database_url)
    migrate(engine)
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def work(conn: sa.Connection, now: float) -> UnitOfWork:
    return UnitOfWork(conn, None, now, lambda: "id")  # type: ignore[arg-type]


def moved(conn: sa.Connection, steps: list[tuple[float, int]], *, total: int | None = 1000) -> backfills.Backfill:
    backfills.begin(work(conn, 0.0), PLACE, "scope", total=total)
    for at, number in steps:
        backfills.advance(work(conn, at), PLACE, number, ended=False)
    found = backfills.find(conn, PLACE)
    assert found is not None
    return found


def test_nothing_is_known_before_anything_moved(conn: sa.Connection) -> None:
    assert moved(conn, []).left(60.0, 1000) is None
    assert moved(conn, [(60.0, 0)]).left(60.0, 1000) is None


def test_without_a_total_there_is_no_time_left(conn: sa.Connection) -> None:
    assert moved(conn, [(60.0, 100)], total=None).left(60.0, None) is None


def test_the_pace_of_the_last_minutes_counts_waits_included(conn: sa.Connection) -> None:
    found = moved(conn, [(10.0, 100)])
    assert found.left(10.0, 900) == 90.0
    # Fast at first, slow later: the first minutes are forgotten.
    steps = [(10.0, 500), *((30.0 * n, 1) for n in range(1, 60))]
    late = moved(conn, steps)
    assert 10_000 < (late.left(30.0 * 59, 400) or 0) < 14_000


def test_what_stands_still_never_comes_nearer(conn: sa.Connection) -> None:
    found = moved(conn, [(10.0, 100)])
    seen = [found.left(now, 900) or 0 for now in (10.0, 20.0, 600.0, 86_400.0)]
    assert seen == sorted(seen)
    assert seen[-1] > 86_400


def test_after_a_long_stop_or_a_clock_set_back_evidence_starts_anew(conn: sa.Connection) -> None:
    found = moved(conn, [(10.0, 100), (10.0 + 3 * WINDOW, 1)])
    assert found.left(10.0 + 3 * WINDOW, 800) is None
    found = moved(conn, [(1000.0, 100), (200.0, 1), (260.0, 60)])
    assert found.left(260.0, 839) == 839.0
    assert found.left(100.0, 839) is None, "never a negative time"


def test_an_end_is_no_time_left(conn: sa.Connection) -> None:
    moved(conn, [(10.0, 100)])
    backfills.advance(work(conn, 20.0), PLACE, 5, ended=True)
    found = backfills.find(conn, PLACE)
    assert found is not None
    assert (found.done, found.ended_at, found.left(20.0, 0)) == (105, 20.0, None)
