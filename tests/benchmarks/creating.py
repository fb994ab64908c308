"""How near four processes come to the vendor's limit, with one of them killed and answers to creates lost.

Timed until the last create has come, those of the killed process with the others: the cycle that lost it looks up what
it left as soon as everything else is written and the declared lag is over (0.15 s here), and makes what is not there.

Once under a raised limit, once with the vendor's own numbers, where a thousand creates take 213 seconds:
`CRMHUB_BENCH_VENDOR_CREATES=1000` asks for them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.postgres_server import PostgresServer
from tests.scenarios.fleet import Fleet, make_fleet
from tests.scenarios.windows import VENDOR, Limit, most_within

from .lab import Lab
from .measure import Result

CREATE = "/cgi/crm/v2/data/create"
RAISED = Limit(1200, 58.0)
SEEDED = {1000: 1254, 119: 160}
"""How many people the seed needs, so that so many of them live in the system that is loaded from."""
AIM, LOST, WITHIN = 1.15, 97, 120.0


def results(lab: Lab) -> list[Result]:
    """Loads customers into an empty Fxiaoke under both limits."""
    wanted = int(os.environ.get("CRMHUB_BENCH_VENDOR_CREATES", "119"))
    server = PostgresServer()
    try:
        return [created(server, "raised limit", RAISED, 1000), created(server, "the vendor's numbers", VENDOR, wanted)]
    finally:
        server.stop()


def created(server: PostgresServer, name: str, limit: Limit, people: int) -> Result:
    """Returns the time of the creates by the simulated vendor's log; who is there twice or missing ends in an error."""
    with tempfile.TemporaryDirectory(prefix="crmhub-creates-") as folder:
        Path(folder).chmod(0o755)
        paced = {"rate": limit.rate, "burst": limit.burst, "calls_at_once": 2, "workers": 1}
        fleet = make_fleet(Path(folder), server, entities=("customer",), records=SEEDED[people], **paced)
        try:
            times = _load(fleet, limit, people)
        finally:
            fleet.stop()
            server.drop(fleet.database)
    spent, least = times[-1] - times[0], limit.seconds(len(times))
    note = f"4 processes, one killed, every {LOST}th answer lost; at most {most_within(times)} of {limit.calls} in 20 s"
    return Result(
        f"creates : the limit, {name}", AIM, spent / least, spent, least, "s", people, at_most=True, note=note
    )


def _load(fleet: Fleet, limit: Limit, people: int) -> list[float]:
    vendor = fleet.simulators.running["fxiaoke"].admin
    vendor.settings(calls_per_window=limit.calls)
    vendor.faults([{"match": {"path_regex": CREATE}, "action": "reset_after_commit", "every": LOST}])
    crew = [fleet.add(f"w{number}", worker=True) for number in range(3)]
    for host in (*crew, fleet.add("leader")):
        host.start()

    def made() -> int:
        return int(vendor.calls()["calls"].get("create AccountObj", 0))

    patience = WITHIN + 2 * limit.seconds(people)
    fleet.until(lambda: made() >= 0.4 * people, patience, "the first part")
    crew[0].kill()
    fleet.until(lambda: made() >= people, patience, "everybody")
    fleet.until(fleet.converged, WITHIN, "the end")
    rows = fleet.simulators.rows("fxiaoke", "AccountObj")
    assert len(rows) == len({row["hub_id__c"] for row in rows}) == people
    paths: dict[str, list[float]] = vendor.post("arrivals", {})["paths"]
    assert all(most_within(times) <= limit.calls for times in paths.values())
    return paths[CREATE]
