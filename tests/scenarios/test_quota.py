"""A day of bought calls over both vendors: the daemon stops early, people go on, midnight frees all; for everybody."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.errors import QuotaExhausted
from connectors.fxiaoke.pacing import next_reset
from connectors.simulation.server import RunningSimulator, start_simulator
from hub.app import initialise, open_installation, prepare
from hub.operations.cycles import Synced, sync
from hub.operations.installation import Installation
from hub.operations.progress import Progress
from hub.operations.quota import with_quota
from hub.operations.standing import allowances
from hub.store.allowances import load
from tests.laboratory import INDEX_LAG, SECRETS
from tests.scenarios.credit_process import Ahead

pytestmark = pytest.mark.slow
PEOPLE, BOUGHT, STOP, BACKFILL = 80, 60, 45, 30
PER_WINDOW, WINDOW, PACE = 100, 2, 33
SETTINGS = """\
profile: lab
language: en
installation: {{id: lab, name: Lab}}
store: {{url: "{store}"}}
keys: {{provider: file, path: keys/hub.key}}
systems:
  zoho:
    kind: zoho_crm
    mapping_set: full
    settings: {{accounts_url: "{zoho}", api_url: "{zoho}", visibility_lag: 0, overlap: 2}}
    credentials: {{client_id: env:LAB_ZOHO_ID, client_secret: env:LAB_ZOHO_SECRET, refresh_token: env:LAB_ZOHO_REFRESH}}
    deletions_every_seconds: 0
  fxiaoke:
    kind: fxiaoke
    mapping_set: full
    settings: {{base_url: "{fxiaoke}", app_id: FSAID_simulated, operator_id: "1000", index_lag: {lag}, overlap: 2,
      external_key_unique: true, {more}}}
    credentials: {{app_secret: env:LAB_FXIAOKE_SECRET, permanent_code: env:LAB_FXIAOKE_CODE}}
entities:
  customer:
    systems: [zoho, fxiaoke]
    prefer: [zoho, fxiaoke]
    guards:
      first_sync_needs_release: false
      max_creates: {{count: 100000, percent: 100.0}}
      max_changes: {{count: 100000, percent: 100.0}}
"""
BOUGHT_FEW = "rate_per_second: 5000, rate_burst: 5000, daily_calls: 60, daily_stop: 0.75, backfill_stop: 0.5"
PACED = f"rate_per_second: {PACE}, rate_burst: 5, daily_calls: 200, daily_stop: 0.75"


@dataclass
class Lab:
    """Is a hub between a Zoho CRM with customers and a Fxiaoke that is empty and sells few calls a day."""

    home: Path
    zoho: RunningSimulator
    fxiaoke: RunningSimulator
    clock: Ahead = field(default_factory=lambda: Ahead(0.0))

    @contextmanager
    def hub(self, channel: str) -> Iterator[Installation]:
        hub = open_installation(self.home, clock=self.clock, channel=channel)  # type: ignore[arg-type]
        try:
            yield hub
        finally:
            hub.close()

    def sync(self, channel: str) -> Synced:
        with self.hub(channel) as hub:
            return sync(hub, "customer", until_converged=True)

    def go_to(self, hour: float) -> None:
        """Moves all clocks to an hour of the next day in China."""
        ahead = next_reset(self.clock.now()) + hour * 3600 - self.clock.now()
        self.clock.ahead += ahead
        for simulator in (self.zoho, self.fxiaoke):
            simulator.admin.advance(ahead)

    def used(self) -> int:
        """Returns the calls that the simulated vendor counted itself, sign-ins not included."""
        return sum(n for path, n in self.fxiaoke.admin.calls()["paths"].items() if "/cgi/crm/" in path)


@pytest.fixture(scope="module")
def vendors() -> Iterator[tuple[RunningSimulator, RunningSimulator]]:
    os.environ.update(SECRETS)
    with (
        start_simulator("zoho_crm", limits="fast", records=PEOPLE, seed=3) as zoho,
        start_simulator("fxiaoke", limits="fast") as fxiaoke,
    ):
        yield zoho, fxiaoke


@pytest.fixture
def lab(
    request: pytest.FixtureRequest,
    vendors: tuple[RunningSimulator, RunningSimulator],
    tmp_path: Path,
    database_url: str,
) -> Lab:
    vendor, more = request.param
    zoho, fxiaoke = vendors
    for simulator in vendors:
        simulator.admin.reset()
    fxiaoke.admin.settings(index_lag_seconds=INDEX_LAG, **vendor)
    home = initialise(tmp_path / "hub")
    urls = {"zoho": zoho.base_url, "fxiaoke": fxiaoke.base_url}
    text = SETTINGS.format(store=database_url, lag=INDEX_LAG + 0.05, more=more, **urls)
    (home / "config" / "hub.yaml").write_text(text, encoding="utf-8")
    prepare(home)
    made = Lab(home, zoho, fxiaoke)
    made.go_to(10)
    return made


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("lab", [({"daily_quota": BOUGHT}, BOUGHT_FEW)], indirect=True, ids=[""])
def test_a_first_load_stops_at_its_part_of_the_day_and_goes_on_after_midnight(lab: Lab) -> None:
    everybody = sum(len(lab.zoho.admin.records(module)) for module in ("Contacts", "Accounts"))
    assert everybody > BOUGHT
    stopped = lab.sync("daemon")
    assert (stopped.outcome, stopped.blocked) == ("blocked", ("HUB-QUOTA-001",))
    assert STOP - 8 <= lab.used() <= STOP
    first = len(lab.fxiaoke.admin.records("AccountObj"))
    assert 0 < first < everybody
    with lab.hub("cli") as hub:
        [window] = [item for item in allowances(hub) if item.system == "fxiaoke"]
        midnight = next_reset(lab.clock.now())
        assert (window.unit, window.size, window.reserve, window.spare) == (
            "calls",
            BOUGHT,
            BOUGHT - STOP,
            STOP - BACKFILL,
        )
        assert (window.used, window.frees_at, window.ends_at) == (lab.used(), midnight, midnight)
        assert window.is_short
        owed = [
            Progress("customer", "fxiaoke", *rest, None) for rest in (("", first, BACKFILL), ("AccountObj", 0, 9_000))
        ]
        with hub.store.read() as conn:
            windows = {row.name.partition(":")[0]: row for row in load(conn, lab.clock.now())}
        waits = [item.quota_seconds for item in with_quota(hub, owed, windows, lab.clock.now())]
        left = midnight - lab.clock.now()
        assert waits == [pytest.approx(left, abs=60), pytest.approx(left + 2 * 86_400, abs=60)]
    before = lab.used()
    assert lab.sync("daemon").blocked == ("HUB-QUOTA-001",)
    assert lab.used() <= STOP

    person = lab.sync("cli")
    assert person.blocked == ("HUB-QUOTA-001",)
    assert before < lab.used() <= BOUGHT
    assert len(lab.fxiaoke.admin.records("AccountObj")) > first
    assert "errorCode 30002" not in lab.fxiaoke.admin.calls()["remarks"], "the vendor never had to refuse"

    # Somebody else used up the new day; the vendor says so, and midnight frees it.
    lab.go_to(1)
    lab.fxiaoke.admin.post("quota", {"left": 0})
    assert lab.sync("daemon").blocked == ("HUB-QUOTA-001",)
    assert lab.fxiaoke.admin.calls()["remarks"]["errorCode 30002"] >= 1
    for _ in range(4):
        lab.go_to(1)
        done = lab.sync("daemon")
        if done.outcome == "converged":
            break
    assert (done.outcome, done.blocked) == ("converged", ())
    there = lab.fxiaoke.admin.records("AccountObj")
    assert len(there) == len({row["hub_id__c"] for row in there}) == everybody
    assert done.owed["fxiaoke"]["creates"] == 0


def read_until_used_up(lab: Lab, tell: int, ready: int, start: int) -> None:
    """Reads as fast as it may until the daemon's part of the day is used up; says how often.

    It says when it is ready and begins at a byte of `start`: one that is alone for long would leave the others nothing.
    """
    made = 0
    with lab.hub("daemon") as hub:
        connector = hub.connect("fxiaoke")
        os.write(ready, b".")
        os.read(start, 1)
        try:
            while True:
                connector.list_ids("AccountObj", None, 10)
                made += 1
        except QuotaExhausted:
            os.write(tell, f"{made}\n".encode())


@pytest.mark.parametrize(
    "lab", [({"calls_per_window": PER_WINDOW, "window_seconds": WINDOW}, PACED)], indirect=True, ids=[""]
)
def test_three_processes_keep_one_pace_and_one_day(lab: Lab) -> None:
    (heard, tell), (ready, say_ready), (wait_start, start) = os.pipe(), os.pipe(), os.pipe()
    pids = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                read_until_used_up(lab, tell, say_ready, wait_start)
                code = 0
            except BaseException as error:  # noqa: BLE001 - a forked child has nobody above it
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                os._exit(code)
        pids.append(pid)
    os.close(tell)
    os.close(say_ready)
    for _ in pids:
        assert os.read(ready, 1) == b"."
    os.write(start, b"x" * len(pids))
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0, 0]
    for end in (ready, wait_start, start):
        os.close(end)
    with os.fdopen(heard) as lines:
        made = Counter(int(line) for line in lines)
    calls = lab.fxiaoke.admin.calls()
    assert calls["remarks"].get("errorCode 30004", 0) == 0, "together they stay below the limit of the interface"
    assert calls["calls"]["token"] == 1
    assert sum(n * times for n, times in made.items()) == lab.used()
    assert 142 <= lab.used() <= 150
    assert all(made)
