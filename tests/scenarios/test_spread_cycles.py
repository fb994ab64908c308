"""A spread cycle means what a lone one means: strangers wait for the leader, and what shares did is joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from connectors.errors import AuthRejected, ConnectorError, QuotaExhausted, RateLimited
from connectors.memory import FULL, FaultKind, Killed
from hub.core.state import BindingState
from hub.kernel.errors import ShareFailed
from hub.store import records, shares
from hub.sync.cycle import Outcome, run_cycle
from hub.sync.engine import CUT_SHORT, Turn
from hub.sync.intake import take_in
from hub.sync.pull import pull, pull_object
from hub.sync.shares import error_of, push_spread, words_of
from hub.sync.walks import LAST
from tests.scenarios.invariants import check_always, check_audit
from tests.scenarios.spread_here import Here
from tests.scenarios.world import ENTITIES, ENTITY, SystemSpec, World

SMALL = replace(FULL, batch_size=1, page_size=3)
TWO = (SystemSpec("a1", can=SMALL), SystemSpec("a2", "beta", can=SMALL))
"""Systems of small pages and batches, so that a few records are many pages and several shares."""


def client(number: int, **fields: object) -> dict[str, object]:
    return {"customer_kind": "individual", "full_name": f"Person {number}", "code": f"ID{number}", **fields}


def test_strangers_of_a_share_wait_for_the_leader() -> None:
    world = World(TWO)
    world.create("a1", client(1))
    with world.hub.run() as run:
        pull(replace(run, adopts=False))
        assert world.goldens() == {}, "a share makes nobody: another one may be reading who is like it"
        take_in(run)
    assert len(world.goldens()) == 1


def test_two_shares_that_read_the_same_person_make_one() -> None:
    world = World(TWO)
    world.create("a1", client(1))
    world.create("a2", client(1))
    with world.hub.run() as run:
        share = replace(run, adopts=False)
        for system in ("a1", "a2"):
            for object_ in run.links[system].objects:
                pull_object(share, run.links[system], object_)
        take_in(run)
    assert len(world.goldens()) == 1


def test_an_idle_poll_is_no_share() -> None:
    world = World(TWO, page=3, spread=True)
    world.create("a1", client(1))
    world.settle()
    before = {name: system.calls.copy() for name, system in world.systems.items()}
    world.cycle()
    assert {name: system.calls - before[name] for name, system in world.systems.items()} == _polls(world)
    with world.hub.store.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM share").scalar_one() == 0


def _polls(world: World) -> dict[str, object]:
    alone = World(TWO, page=3)
    alone.create("a1", client(1))
    alone.settle()
    before = {name: system.calls.copy() for name, system in alone.systems.items()}
    alone.cycle()
    return {name: system.calls - before[name] for name, system in alone.systems.items()}


def test_a_spread_first_load_ends_as_a_lone_one() -> None:
    ends = []
    for spread in (False, True):
        world = World(TWO, page=3, spread=spread, entities=ENTITIES)
        for number in range(40):
            world.create("a1" if number % 2 else "a2", client(number, note=f"n{number}"))
        people = list(world.live("a1"))
        ticket = world.ticket("a1", "T1", client_id=people[0])
        for number in range(8):
            world.visit("a1", f"V{number}", people[number], ticket_id=ticket)
        world.settle()
        check_always(world)
        assert len(world.live("a2")) == len(world.live("a1")) == 49
        ends.append(sorted(str(r.fields.get("full_name") or r.fields.get("code")) for r in world.goldens().values()))
        if spread:
            with world.hub.store.read() as conn:
                acts = set(conn.exec_driver_sql("SELECT DISTINCT act FROM share").scalars())
            assert acts == {"pull", "push"}, "both reading and writing were spread"
    assert ends[0] == ends[1]


def test_a_range_writes_its_own_debts_only() -> None:
    world = World(TWO, page=3)
    for number in range(9):
        world.create("a1", client(number))
    with world.hub.run() as run:
        pull(run)
        take_in(run)
        with run.store.read() as conn:
            bounds = records.owed_bounds(conn, ENTITY, "a2", BindingState.PENDING, 4, LAST)
            owed = [b.binding_id for b in records.dirty_page(conn, ENTITY, "a2", "", 100, BindingState.PENDING)]
    assert bounds == [owed[3], owed[7], owed[8]]


def test_a_system_that_stops_in_a_share_stops_in_the_run() -> None:
    world = World(TWO, page=3, spread=True)
    for number in range(12):
        world.create("a1", client(number))
    world.systems["a1"].faults.inject(FaultKind.BEFORE_EFFECT, "changes", nth=3)
    report = world.cycle()
    assert report.outcome is Outcome.BLOCKED
    assert any(reason.startswith("system:a1:HUB-NET-001") for reason in report.reasons), report.reasons
    world.settle()
    assert len(world.live("a2")) == 12


def test_a_share_that_failed_ends_the_run() -> None:
    world = World(TWO, page=3, spread=True)
    for number in range(25):
        world.create("a1", client(number))
    with world.hub.run() as run:
        pull(replace(run, spread=None))
        take_in(run)

        class Failing:
            scope = "here"

            def offer(self, share_ids: list[str]) -> None:
                for share_id in share_ids:
                    with run.store.begin(run.held) as work:
                        item = shares.take(work, share_id, "host:1")
                        assert item is not None
                        said = {"failed": {"code": "KeyError", "en": "see the log", "zh": "见日志"}}
                        shares.put_down(work, item.lease, shares.ShareState.ENDED, said)

        failing = replace(run, spread=Failing())  # type: ignore[arg-type]
        with pytest.raises(ShareFailed, match=r"push of a2 failed at host:1: KeyError"):
            push_spread(failing, run.links["a2"], Turn())


@pytest.mark.parametrize(
    "error",
    [
        ConnectorError("en", "zh", system="a1"),
        RateLimited("slow", "慢", after=20.0, system="a1"),
        QuotaExhausted("spent", "用尽", resets_at=None, system="a1", object="Client"),
        AuthRejected("no", "否", missing="scope", system="a1"),
    ],
)
def test_an_error_of_a_system_arrives_as_it_left(error: ConnectorError) -> None:
    found = error_of(words_of(error))
    assert type(found) is type(error)
    assert vars(found) == vars(error)
    assert (found.code, found.en, found.zh) == (error.code, error.en, error.zh)


def test_a_turn_that_is_used_up_takes_shares_back_and_loses_nothing() -> None:
    world = World(TWO, page=3, spread=True)
    for number in range(40):
        world.create("a1" if number % 2 else "a2", client(number))

    class OneAtATime(Here):
        def offer(self, share_ids: Sequence[str]) -> None:
            super().offer(share_ids[:1])

    cut = 0
    for _ in range(60):
        world.time.pass_(60.0)
        with world.hub.run() as run:
            report = run_cycle(replace(run, spread=OneAtATime(run), turn=Turn(run.clock, run.clock.now(), 5.0)))
        cut += bool(report.counts.get(CUT_SHORT))
        assert report.outcome is not Outcome.CONVERGED or not report.counts.get(CUT_SHORT), "who yields is not done"
        check_always(world)
        if report.outcome is Outcome.CONVERGED:
            break
    assert report.outcome is Outcome.CONVERGED
    assert cut > 2, "most shares were taken back, several times"
    assert len(world.live("a1")) == len(world.live("a2")) == 40


class Dying(Here):
    """Is a crew whose first process dies amid a push: its share stays taken, and its lock is free."""

    died = False

    def offer(self, share_ids: Sequence[str]) -> None:
        for share_id in share_ids:
            try:
                super().offer([share_id])
            except Killed:
                assert not self.died
                self.died = True


@pytest.mark.parametrize("kind", [FaultKind.KILL_BEFORE, FaultKind.KILL_AFTER])
@pytest.mark.parametrize(("unique", "lag"), [(True, 0.0), (True, 30.0), (False, 0.0)])
def test_what_a_dead_process_left_is_settled_by_its_own_cycle_once_that_proves_something(
    kind: FaultKind, lag: float, unique: bool
) -> None:
    can = replace(SMALL, strong_read_by_key=not unique, external_key_unique=unique, visibility_lag=lag)
    world = World((TWO[0], SystemSpec("a2", "beta", can=can)), page=3)
    for number in range(16):
        world.create("a1", client(number))
    world.faults("a2").inject(kind, "write", nth=7)
    began = world.time.at
    with world.hub.run() as run:
        crew = Dying(run)
        report = run_cycle(replace(run, spread=crew))
    assert crew.died
    assert report.counts["shares_offered_again"] == 1
    # A key that is not unique makes a late look safe alone; within the declared lag nothing is proved, or waited for.
    left = lag > 0 or not unique
    assert report.standing.waiting["uncertain_writes"] == left
    assert len(world.live("a2")) == 16 - (left and kind is FaultKind.KILL_BEFORE), "the others did not wait"
    assert world.time.at - began < 30
    assert world.settle().reasons == ()
    assert len(world.live("a2")) == 16
    check_always(world)
    check_audit(world)


def test_a_lag_is_waited_out_after_everything_else_is_written() -> None:
    can = replace(SMALL, strong_read_by_key=False, visibility_lag=30.0)
    world = World((TWO[0], SystemSpec("a2", "beta", can=can)), page=3)
    world.create("a1", client(1))
    world.faults("a2").inject(FaultKind.BEFORE_EFFECT, "write")
    world.cycle()
    began = world.time.at
    world.create("a1", client(2))
    others = []
    world.hub.connectors["a2"].meanwhile = lambda operation: others.append((operation, world.time.at - began))
    report = world.cycle()
    first, last = (at for operation, at in others if operation == "write")
    assert first < 1 < 29 < last, "who is new does not wait behind who must be looked for"
    assert report.outcome is Outcome.CONVERGED
    assert len(world.live("a2")) == 2
    check_audit(world)
