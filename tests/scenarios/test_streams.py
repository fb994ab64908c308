"""Every change is seen: cursors that expire, ties of one timestamp, pages that come late or twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from connectors.base import Page
from connectors.memory import FULL, FaultKind
from tests.scenarios.world import SystemSpec, World


def client(number: int, **fields: object) -> dict[str, object]:
    return {"customer_kind": "individual", "full_name": f"Person {number}", "code": f"ID{number}", **fields}


def pair(**changes: object) -> World:
    can = replace(FULL, **changes)  # type: ignore[arg-type]
    return World([SystemSpec("a1", can=can), SystemSpec("a2")])


def names(world: World, system: str) -> list[str]:
    return sorted(fields["name"] for _, fields in world.live(system).values())


@pytest.mark.parametrize("order", [True, False])
def test_a_tie_longer_than_a_page_is_read_to_its_end(order: bool) -> None:
    world = pair(page_size=2, sorted_by_cursor=order, cursor_resolution=60.0)
    for number in range(7):
        world.create("a1", client(number))
    world.settle()
    assert len(names(world, "a2")) == 7
    for native_id in world.live("a1"):
        world.edit("a1", native_id, note="tied")
    world.settle()
    notes = {world.shows("a2", native_id)["note"] for native_id in world.live("a2")}
    assert notes == {"tied"}, "inv 16: every row of the tie"


def test_a_change_in_the_second_of_the_cursor_is_seen() -> None:
    world = pair()
    first = world.create("a1", client(1))
    world.settle(step=0.0)
    world.edit("a1", first, note="same second")
    world.settle(step=0.0)
    second = next(iter(world.live("a2")))
    assert world.shows("a2", second)["note"] == "same second", "inv 16: the lower bound is inclusive"


def test_rows_that_the_index_shows_late_are_seen() -> None:
    world = pair(visibility_lag=30.0, page_size=3)
    made = []
    for number in range(12):
        made.append(world.create("a1", client(number)))
        world.cycle()
        world.time.pass_(2.0)
    world.settle(step=10.0)
    assert len(names(world, "a2")) == 12, "inv 16: the overlap covers the lag"
    for native_id in made:
        world.edit("a1", native_id, note="late")
        world.cycle()
        world.time.pass_(2.0)
    world.settle(step=10.0)
    notes = [world.shows("a2", native_id)["note"] for native_id in world.live("a2")]
    assert notes == ["late"] * 12, "inv 16: the overlap covers the lag"


def test_expired_cursor_starts_a_listing_and_deletes_nothing() -> None:
    world = pair()
    made = [world.create("a1", client(number)) for number in range(4)]
    world.settle()
    world.systems["a1"].expire_cursors()
    world.edit("a1", made[0], note="while away")
    before = world.mark()
    report = world.cycle()
    assert report.counts["relisted"] >= 1
    world.settle()
    assert [name for name, _ in world.writes(before)] == ["a2"], "inv 14/16: one change, one write"


@pytest.mark.parametrize("fault", [FaultKind.DUPLICATE, FaultKind.REORDER, FaultKind.STALE])
def test_disorder_of_pages_changes_nothing(fault: FaultKind) -> None:
    outcomes = []
    for disturbed in (False, True):
        world = pair(visibility_lag=20.0, page_size=3)
        made = [world.create("a1", client(number)) for number in range(5)]
        world.settle(step=10)
        if disturbed:
            for system in world.systems.values():
                system.faults.rates = {fault: 0.7}
        for number, native_id in enumerate(made):
            world.edit("a1", native_id, note=f"note {number}")
            world.cycle()
            world.edit("a1", native_id, city="Wuhan")
            world.time.pass_(3)
        world.settle(30, step=10)
        outcomes.append(sorted(tuple(sorted(record.fields.items())) for record in world.goldens().values()))
        assert {tuple(sorted(world.shows("a2", n).items())) for n in world.live("a2")} == {
            tuple(sorted(world.shows("a1", n).items())) for n in world.live("a1")
        }
    assert outcomes[0] == outcomes[1], "inv 17: the same end"


def test_replay_from_every_earlier_checkpoint_changes_nothing() -> None:
    from tests.scenarios.history import _checkpoints, _put_back

    world = pair(visibility_lag=10.0, page_size=2)
    made = [world.create("a1", client(number)) for number in range(4)]
    kept = []
    for number in range(4):
        world.edit("a1", made[number], note=f"n{number}")
        world.cycle()
        kept.append(_checkpoints(world))
        world.time.pass_(20)
    world.settle()
    state, before = world.goldens(), world.mark()
    for rows in [*kept, []]:
        _put_back(world, rows)
        world.cycle()
        assert (world.goldens(), world.writes(before)) == (state, []), "inv 17: replay is silence"


def test_an_idle_cycle_is_one_poll_per_stream() -> None:
    world = World([SystemSpec("a1"), SystemSpec("b1", "beta")])
    world.create("a1", client(1))
    world.settle()
    before = {name: dict(ledger.spent) for name, ledger in world.ledgers.items()}
    world.cycle()
    spent = {
        name: {op: n - before[name].get(op, 0) for op, n in ledger.spent.items() if n != before[name].get(op, 0)}
        for name, ledger in world.ledgers.items()
    }
    assert spent == {"a1": {"changes": 1, "deletions": 1}, "b1": {"changes": 2, "deletions": 2}}, "inv 29"


@pytest.mark.parametrize("spread", [False, True])
def test_a_listing_that_its_system_counts_otherwise_is_said_and_stops_nothing(spread: bool) -> None:
    world = World([SystemSpec("a1", can=replace(FULL, page_size=3)), SystemSpec("a2")], spread=spread)
    for number in range(7):
        world.create("a1", client(number))
    connector = world.hub.connectors["a1"]
    changes = connector.changes

    def miscounted(*args: Any) -> Page:
        page = changes(*args)
        return replace(page, counted=9) if page.complete and args[2] is not None else page

    connector.changes = miscounted  # type: ignore[method-assign]
    report = world.cycle()
    assert report.counts["listing_differs"] == 2
    with world.engine.connect() as conn:
        bodies = [orjson.loads(body) for (body,) in conn.execute(sa.text("SELECT body FROM audit_entry"))]
    (told,) = [body for body in bodies if body["act"] == "listing.differs"]
    assert told["counts"] == {"counted": 9, "listed": 7}
    world.settle()
    assert len(names(world, "a2")) == 7
