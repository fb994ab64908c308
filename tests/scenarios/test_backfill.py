"""A first load yields to what is new, makes no twin however it is interrupted, and goes on where it stood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from daemon_lab import SYSTEMS, Lab
from world import Time

from connectors.memory import FULL, FaultKind, Faults, Killed
from hub.operations.progress import Progress
from hub.operations.standing import overview
from hub.store import backfills
from hub.sync.cycle import Outcome, run_cycle
from hub.sync.engine import Turn
from tests.scenarios.world import SystemSpec, World

ENTITIES = ("client", "ticket", "visit")
SCHEDULE = "  sync: every 5m\n  reconcile: never"
LATENCY, WITHIN = 1.0, 60.0
PASSING = pytest.mark.parametrize(
    ("slice_seconds", "pass_seconds", "passes"),
    [(20.0, 20.0, True), (20.0, 1e6, False), (1e6, 20.0, False)],
    ids=["passing", "slices", "none"],
)
SMALL = replace(FULL, page_size=5, batch_size=5)


@dataclass
class Slow(Faults):
    """Takes time for every call, and lets people act while a call is on its way."""

    time: Time
    plans: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(0)

    def boundary(self, operation: str) -> None:
        super().boundary(operation)
        self.time.pass_(LATENCY / 2)
        while self.plans and self.plans[0][0] <= self.time.at:
            self.plans.pop(0)[1]()


class Bank(Lab):
    """Is a bank with clients, tickets and visits on one side, and vendors that take a second for each call."""

    def __init__(self, home: Path, slice_seconds: float, pass_seconds: float = 20.0) -> None:
        self.newcomers: dict[str, float] = {}
        self.owed_then: dict[str, int] = {}
        turns = {"slice_seconds": slice_seconds, "pass_seconds": pass_seconds}
        super().__init__(home, schedule=SCHEDULE, entities=ENTITIES, page_size=10, faults=Slow, **turns)
        for system in self.systems.values():
            for name in ("Client", "Ticket", "Visit"):
                system.set_capabilities(name, replace(FULL, page_size=10, batch_size=10))

    def client(self, system: str, name: str) -> str:
        return self.systems[system].create("Client", {"kind": "p", "name": name, "code": f"C{name}"})

    def visits(self, number: int) -> None:
        owner = self.client("alpha", "Regular")
        for each in range(number):
            self.systems["alpha"].create("Visit", {"client": owner, "code": f"V{each}", "channel": "p"})

    def tickets(self, number: int) -> None:
        for each in range(number):
            self.systems["alpha"].create("Ticket", {"code": f"T{each}", "title": f"Ticket {each}"})

    def expect(self, after: float, name: str, behind: str) -> None:
        """Plans that a new client complains; `behind` is the object whose backfill must still be under way then."""

        def arrive() -> None:
            made = self.client("alpha", name)
            self.systems["alpha"].create("Ticket", {"client": made, "code": f"N{name}", "title": name})
            self.newcomers[name] = self.time.at
            alpha, gamma = (len(self.systems[system].records(behind)) for system in SYSTEMS)
            self.owed_then[name] = alpha - gamma

        self.plan(after, arrive)

    def plan(self, after: float, act: Callable[[], None]) -> None:
        """Plans something that happens while a call of the hub is on its way."""
        plans = self.systems["alpha"].faults.plans  # type: ignore[attr-defined]
        plans.append((self.time.at + after, act))
        self.systems["gamma"].faults.plans = plans  # type: ignore[attr-defined]

    def took(self, name: str) -> float:
        """Returns how long it took until a newcomer's ticket was on the other side."""
        for commit in self.systems["gamma"].log:
            if commit.object == "Ticket" and commit.fields.get("code") == f"N{name}":
                return commit.at - self.newcomers[name]
        return float("inf")

    def codes(self, system: str, object_: str) -> Counter[str]:
        return Counter(str(row["code"]) for row in self.systems[system].records(object_).values())


def run(bank: Bank, most: float) -> None:
    """Lets the daemon run until both sides hold the same."""
    with bank.daemon() as daemon:
        end = bank.time.at + most
        while bank.time.at < end:
            bank.pass_(daemon, 1.0, 1.0)
            if len(bank.newcomers) == len(bank.owed_then) and all(
                bank.codes("alpha", name) == bank.codes("gamma", name) for name in ("Client", "Ticket", "Visit")
            ):
                return


@PASSING
def test_a_new_complaint_passes_a_backfill_of_logs(
    tmp_path: Path, slice_seconds: float, pass_seconds: float, passes: bool
) -> None:
    bank = Bank(tmp_path / "hub", slice_seconds, pass_seconds)
    bank.visits(900)
    bank.expect(45.0, "WhileRead", "Visit")
    bank.expect(140.0, "WhileWritten", "Visit")
    run(bank, 1500.0)
    assert bank.codes("alpha", "Visit") == bank.codes("gamma", "Visit"), "the backfill comes to its end"
    assert max(bank.codes("gamma", "Visit").values()) == 1
    assert (bank.owed_then["WhileRead"], bank.owed_then["WhileWritten"] > 0) == (900, True)
    worst = max(bank.took(name) for name in ("WhileRead", "WhileWritten"))
    assert (worst <= WITHIN) is passes, worst


@PASSING
def test_a_new_complaint_passes_the_backfill_of_complaints(
    tmp_path: Path, slice_seconds: float, pass_seconds: float, passes: bool
) -> None:
    bank = Bank(tmp_path / "hub", slice_seconds, pass_seconds)
    bank.tickets(900)
    bank.expect(120.0, "Late", "Ticket")
    run(bank, 1200.0)
    assert bank.codes("alpha", "Ticket") == bank.codes("gamma", "Ticket")
    assert bank.owed_then["Late"] > 300
    assert (bank.took("Late") <= WITHIN) is passes


def test_the_progress_of_a_backfill_is_told_while_it_runs_and_not_after(tmp_path: Path) -> None:
    bank = Bank(tmp_path / "hub", 20.0)
    bank.visits(600)
    told: list[Progress] = []
    pages: list[str] = []
    with bank.daemon() as daemon:

        def look() -> None:
            assert daemon.hub is not None
            told.extend(next(item for item in overview(daemon.hub) if item.entity == "visit").backfills)
            pages.append(daemon.meters.page().decode())

        for after in range(10, 300, 4):
            bank.plan(after, look)
        bank.pass_(daemon, 400.0, 1.0)
        assert bank.codes("alpha", "Visit") == bank.codes("gamma", "Visit")
        told_at_last = len(told)
        look()
        assert len(told) == told_at_last, "what is done is not shown any more"
    assert 'crmhub_backfill_done{entity="visit"' not in pages[-1]
    assert {(item.system, item.object) for item in told} == {("alpha", "Visit"), ("gamma", "")}
    assert {item.done + (item.remaining or 0) for item in told if item.object} == {600}
    # Creates are counted at the end of each cycle, what is owed at every batch.
    sums = [(item.done, item.remaining) for item in told if not item.object]
    assert all(300 < done + (remaining or 0) <= 600 for done, remaining in sums), sums
    for object_, system in (("Visit", "alpha"), ("", "gamma")):
        left = [item.seconds_left for item in told if item.object == object_ and item.seconds_left is not None]
        assert left, "the pace is known before the end"
        # Each page or batch of ten takes a second and others have their turns: nothing negative, no hours.
        assert all(0 <= seconds < 600 for seconds in left)
        assert left[-1] < left[0], "it comes nearer"
        place = f'{{entity="visit",object="{object_}",system="{system}"}}'
        assert any(f"crmhub_backfill_done{place}" in page for page in pages)
        assert any(f"crmhub_backfill_seconds_left{place}" in page for page in pages)


def test_slices_of_any_length_make_no_twin_of_what_stands_on_both_sides(tmp_path: Path) -> None:
    bank = Bank(tmp_path / "hub", 2.0)
    for number in range(60):
        for system in SYSTEMS:
            bank.client(system, f"Both{number:02d}")
    bank.client("alpha", "One")
    with bank.daemon() as daemon:
        bank.pass_(daemon, 200.0, 1.0)
    assert bank.codes("alpha", "Client") == bank.codes("gamma", "Client")
    assert set(bank.codes("gamma", "Client").values()) == {1}
    creates = [commit for commit in bank.systems["gamma"].writes if commit.op == "create"]
    assert len(creates) == 1


# Who is who, when the first listing is cut.


def person(number: int, **fields: str) -> dict[str, str]:
    return {"customer_kind": "individual", "full_name": f"Person {number}", **fields}


def pair() -> World:
    """Returns a world where one person stands twice in one system, on its first and its last page."""
    world = World([SystemSpec("a1", can=SMALL), SystemSpec("a2", can=SMALL)])
    same = {"mobile": "+8613800000001"}
    world.create("a1", {**person(0), **same}, "first", native_id="c0000")
    for number in range(1, 12):
        world.create("a1", person(number), native_id=f"c{number:04d}")
    world.create("a1", {**person(0), **same}, "second", native_id="c9999")
    world.create("a2", {**person(0), **same}, "first")
    return world


def cut_by_stop(world: World) -> None:
    with world.hub.run() as opened:
        connector = world.hub.connectors["a1"]
        connector.meanwhile = lambda operation: opened.stop.set() if operation == "changes" else None
        report = run_cycle(opened)
        connector.meanwhile = None
    assert report.outcome is Outcome.PROGRESSED


def cut_by_block(world: World) -> None:
    world.faults("a1").inject(FaultKind.RETRY_LATER, "changes", nth=2)
    assert world.cycle().reasons == ("system:a1:HUB-NET-001",)


def cut_by_kill(world: World) -> None:
    world.faults("a1").inject(FaultKind.KILL_BEFORE, "changes", nth=2)
    with pytest.raises(Killed):
        world.cycle()
    world.restart()


def cut_by_turn(world: World) -> None:
    with world.hub.run() as opened:
        report = run_cycle(replace(opened, turn=Turn(world.clock, world.clock.now(), 0.0)))
    assert (report.outcome, report.counts["cut_short"]) == (Outcome.PROGRESSED, 1)


@pytest.mark.parametrize("cut", [cut_by_stop, cut_by_block, cut_by_kill, cut_by_turn])
def test_nobody_is_matched_before_everybody_is_listed(cut: Callable[[World], None]) -> None:
    world = pair()
    cut(world)
    assert world.writes() == [], "nothing is created from half a listing"
    report = world.settle()
    assert report.standing.waiting["match_questions"] == 1, "two of one name are a question, whenever they were read"
    assert len(world.live("a2")) == 1 + 11
    assert len(world.live("a1")) == 13


def test_a_first_load_goes_on_where_it_was_killed() -> None:
    world = World([SystemSpec("a1", can=SMALL), SystemSpec("a2", can=SMALL)])
    for number in range(40):
        world.create("a1", person(number, code=f"ID{number}"))
    for nth in (3, 2, 3):
        world.faults("a1").inject(FaultKind.KILL_BEFORE, "changes", nth=nth)
        with pytest.raises(Killed):
            world.cycle()
        world.restart()
    world.settle()
    with world.hub.store.read() as conn:
        listed = backfills.find(conn, ("client", "a1", "Client"))
    assert listed is not None
    assert (listed.done, listed.total, listed.ended_at is not None) == (40, 40, True), "every page counts once"
    assert len(world.live("a2")) == 40
