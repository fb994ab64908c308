"""How the rate of writes grows with the workers of an installation, until the vendor's limit binds.

Every answer of the vendor takes 40 ms and each worker makes one call at a time, so that a worker's rate is that of
waiting: what is measured is whether workers wait side by side, not how fast the machine is.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.postgres_server import PostgresServer
from tests.scenarios.fleet import Fleet, make_fleet

from .lab import Lab
from .measure import Result

LATENCY_MS, RECORDS, LIMIT = 40, 700, 30.0
WITHIN = 300.0


@dataclass(frozen=True, slots=True)
class Pushed:
    """Is one first load: how many records were created in shares, and in how many seconds."""

    records: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.records / self.seconds


def results(lab: Lab, records: int = RECORDS) -> list[Result]:
    """Compares one, two and four workers, and four workers under a limit below what they could do."""
    server = PostgresServer()
    try:
        one, two, four = (pushed(server, workers, records) for workers in (1, 2, 4))
        bound = pushed(server, 4, records, rate=LIMIT, burst=1)
    finally:
        server.stop()
    note = f"{LATENCY_MS} ms a call, one call at a time for each worker"
    return [
        _result("push rate, 2 workers : 1", 1.7, two, one, note),
        _result("push rate, 4 workers : 2", 1.6, four, two, note),
        Result(
            "push rate, 4 workers : the limit",
            1.0,
            bound.rate / LIMIT,
            bound.rate,
            LIMIT,
            "records/s",
            bound.records,
            at_most=True,
            note=f"limit {LIMIT:g} calls a second, shared by all; 4 workers without it: {four.rate:.0f}",
        ),
    ]


def _result(name: str, aim: float, ours: Pushed, other: Pushed, note: str) -> Result:
    return Result(name, aim, ours.rate / other.rate, ours.rate, other.rate, "records/s", ours.records, note=note)


def pushed(server: PostgresServer, workers: int, records: int, **options: Any) -> Pushed:
    """Loads customers from one system into the empty other one with so many workers, and tells how long it took."""
    with tempfile.TemporaryDirectory(prefix="crmhub-spread-") as folder:
        Path(folder).chmod(0o755)
        options = {"calls_at_once": 1, "batch_size": 4, "workers": 0, **options}
        fleet = make_fleet(
            Path(folder), server, entities=("customer",), latency_ms=LATENCY_MS, records=records, **options
        )
        try:
            return _load(fleet, workers)
        finally:
            fleet.stop()
            server.drop(fleet.database)


def _load(fleet: Fleet, workers: int) -> Pushed:
    crew = [fleet.add(f"w{number}", worker=True, workers=1) for number in range(workers)]
    for host in crew:
        host.start()
    fleet.until(lambda: all(host.ready().get("ready") for host in crew), 60, "the workers")
    fleet.add("leader").start()
    fleet.until(fleet.converged, WITHIN, "the first load")
    assert fleet.twins() == {}
    creates = [
        line
        for host in crew
        for line in host.lines("share_taken")
        if line["act"] == "push" and line["place"]["state"] == "pending" and line["system"] == "fxiaoke"
    ]
    ids = {line["share"] for line in creates}
    ended = [line for host in crew for line in host.lines("share_ended") if line["share"] in ids]
    created = fleet.simulators.running["fxiaoke"].admin.calls()["calls"]["create AccountObj"]
    return Pushed(created, max(map(_at, ended)) - min(map(_at, creates)))


def _at(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(str(line["ts"])).timestamp()
