"""A day of credits over both vendors, on both databases: work stops at the reserve, goes on later, loses nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.allowance import Allowance, Terms
from connectors.simulation.server import RunningSimulator, start_simulator
from hub.app import initialise, open_installation, prepare
from hub.operations.cycles import Synced, sync
from hub.operations.installation import Installation
from hub.operations.standing import allowances, overview
from hub.schedule.daemon import Daemon
from hub.store.allowances import StoredBooks
from hub.store.database import open_engine
from hub.store.migrate import migrate
from tests.laboratory import INDEX_LAG, SECRETS
from tests.scenarios.credit_process import DAY, RESERVE, Ahead

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PEOPLE = 1_300
STOP = DAY - RESERVE
ROLLED = 86_400 + 15 * 60 + 60
"""Seconds after which everything of a day before counts no more."""
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
    settings:
      accounts_url: "{zoho}"
      api_url: "{zoho}"
      visibility_lag: 0
      overlap: 2
      batch_size: 1
      daily_credits: 1000
      credit_reserve: 200
    credentials: {{client_id: env:LAB_ZOHO_ID, client_secret: env:LAB_ZOHO_SECRET, refresh_token: env:LAB_ZOHO_REFRESH}}
    deletions_every_seconds: 0
  fxiaoke:
    kind: fxiaoke
    mapping_set: full
    settings: {{base_url: "{fxiaoke}", app_id: FSAID_simulated, operator_id: "1000", rate_per_second: 5000,
      rate_burst: 5000, index_lag: {lag}, external_key_unique: true, overlap: 2}}
    credentials: {{app_secret: env:LAB_FXIAOKE_SECRET, permanent_code: env:LAB_FXIAOKE_CODE}}
entities:
  customer:
    systems: [zoho, fxiaoke]
    prefer: [zoho, fxiaoke]
    guards:
      first_sync_needs_release: false
      max_creates: {{count: 100000, percent: 100.0}}
      max_changes: {{count: 100000, percent: 100.0}}
schedule: {{sync: every 5m, reconcile: never}}
"""


def counted(zoho: RunningSimulator) -> int:
    """Returns the credits that the simulated vendor counted itself."""
    return sum(zoho.admin.calls()["costs"].values())


@dataclass
class Lab:
    """Is a hub over a Zoho CRM that is empty and sells a thousand credits a day, and a Fxiaoke full of customers."""

    home: Path
    zoho: RunningSimulator
    fxiaoke: RunningSimulator
    clock: Ahead = field(default_factory=lambda: Ahead(0.0))

    @contextmanager
    def hub(self, channel: str) -> Iterator[Installation]:
        hub = open_installation(self.home, clock=self.clock, channel=channel)
        try:
            yield hub
        finally:
            hub.close()

    def sync(self, channel: str) -> Synced:
        with self.hub(channel) as hub:
            return sync(hub, "customer", until_converged=True)

    def advance(self, seconds: float) -> None:
        self.clock.ahead += seconds
        for simulator in (self.zoho, self.fxiaoke):
            simulator.admin.advance(seconds)

    def there(self) -> list[dict[str, Any]]:
        return [
            row
            for module in ("Contacts", "Accounts")
            for row in self.zoho.admin.records(module)
            if row["_state"] == "live"
        ]


@pytest.fixture(params=[PEOPLE], ids=[""])
def lab(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Iterator[Lab]:
    os.environ.update(SECRETS)
    vendor = {"credits_per_day": DAY}
    with (
        start_simulator("zoho_crm", settings=vendor) as zoho,
        start_simulator("fxiaoke", limits="fast", records=request.param, seed=3) as fxiaoke,
    ):
        fxiaoke.admin.post("lag", {"seconds": INDEX_LAG})
        home = initialise(tmp_path / "hub")
        urls = {"zoho": zoho.base_url, "fxiaoke": fxiaoke.base_url}
        text = SETTINGS.format(store=database_url, lag=INDEX_LAG + 0.05, **urls)
        (home / "config" / "hub.yaml").write_text(text, encoding="utf-8")
        prepare(home)
        yield Lab(home, zoho, fxiaoke)


def test_a_first_load_stops_at_the_reserve_and_goes_on_when_credits_are_back(lab: Lab) -> None:
    people = len(lab.fxiaoke.admin.records("AccountObj"))
    assert people > DAY
    stopped = lab.sync("daemon")
    assert (stopped.outcome, stopped.blocked) == ("blocked", ("HUB-QUOTA-001",))
    [advice] = [item for item in stopped.advice if item.reason == "system:zoho:HUB-QUOTA-001"]
    assert advice.command == "crmhub status"
    assert STOP - 5 <= counted(lab.zoho) <= STOP
    first = len(lab.there())
    assert 0.8 * STOP < first < people

    # The daemon tries again and again, and not one call leaves for it.
    before = counted(lab.zoho)
    for _ in range(3):
        assert lab.sync("daemon").blocked == ("HUB-QUOTA-001",)
    assert counted(lab.zoho) - before <= 5
    assert counted(lab.zoho) <= STOP
    with lab.hub("cli") as hub:
        [window] = allowances(hub)
        assert (window.system, window.unit, window.size, window.reserve) == ("zoho", "credits", DAY, RESERVE)
        assert window.used == counted(lab.zoho)
        assert window.left == DAY - window.used
        assert window.frees_at is not None
        assert 86_000 < window.frees_at - lab.clock.now() <= ROLLED
        assert overview(hub)[0].last is not None

    # A person's command may use what is kept for people, down to the last credit.
    person = lab.sync("cli")
    assert first < len(lab.there())
    assert STOP < counted(lab.zoho) <= DAY
    assert person.blocked == ("HUB-QUOTA-001",)
    assert lab.zoho.admin.calls()["statuses"].get("429", 0) == 0, "the vendor never had to refuse"

    lab.advance(ROLLED)
    done = lab.sync("daemon")
    assert (done.outcome, done.blocked) == ("converged", ())
    holders = Counter(row["Hub_Id"] for row in lab.there())
    assert len(lab.there()) == len(holders) == people
    assert set(holders.values()) == {1}
    assert done.owed["zoho"]["creates"] == 0


@pytest.mark.parametrize("lab", [20], indirect=True, ids=[""])
def test_the_daemon_leaves_what_can_wait_until_more_is_left(lab: Lab) -> None:
    before = 740
    terms = Terms(DAY, RESERVE)
    with lab.hub("cli") as hub:
        Allowance(terms, StoredBooks(hub.store.engine)("zoho:credits", terms), 0, lab.clock).take(before)
    daemon = Daemon(lambda: open_installation(lab.home, clock=lab.clock, channel="daemon"), lab.clock)
    daemon.start()
    try:
        daemon.tick()
        view = daemon._view(lab.clock.now())
        assert view.short == {"zoho"}
        assert view.spares("customer")
        page = daemon.meters.page().decode()
    finally:
        daemon.close("test")
    used = before + counted(lab.zoho)
    for name, value in (("used", used), ("reserve", RESERVE), ("left", DAY - used)):
        assert f'crmhub_allowance_{name}{{system="zoho",unit="credits"}} {float(value)}' in page


# --- several processes ------------------------------------------------------------------------------------------------


def start(zoho: RunningSimulator, database: str, number: int, ahead: float = 0.0) -> list[subprocess.Popen[str]]:
    """Starts processes that begin together: one that is alone for a second would leave the others nothing."""
    made = [launch(zoho, database, ahead) for _ in range(number)]
    for each in made:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    return made


def launch(zoho: RunningSimulator, database: str, ahead: float) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "tests.scenarios.credit_process", zoho.base_url, database, str(ahead)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ, cwd=ROOT)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["started"]
    return process


def result(process: subprocess.Popen[str]) -> dict[str, float]:
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


@pytest.fixture
def database(database_url: str) -> str:
    engine = open_engine(database_url)
    migrate(engine)
    engine.dispose()
    return database_url


@pytest.fixture
def vendor() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm", settings={"credits_per_day": DAY}) as running:
        yield running


def test_two_processes_together_stop_at_the_reserve(vendor: RunningSimulator, database: str) -> None:
    ended = [result(each) for each in start(vendor, database, 2)]
    assert sum(each["calls"] for each in ended) == counted(vendor)
    assert STOP - 10 <= counted(vendor) <= STOP
    assert all(each["calls"] > 0 and 86_000 < each["resets_in"] <= ROLLED for each in ended)
    [rest] = [result(each) for each in start(vendor, database, 1)]
    assert counted(vendor) == STOP, "what one had drawn and not used, another takes"
    assert rest["calls"] <= 10
    vendor.admin.advance(ROLLED)
    vendor.admin.reset_calls()
    again = [result(each) for each in start(vendor, database, 2, ROLLED)]
    assert sum(each["calls"] for each in again) == counted(vendor)
    assert STOP - 10 <= counted(vendor) <= STOP
    assert "429" not in vendor.admin.calls()["statuses"]


def test_a_killed_process_costs_no_more_than_it_had_drawn(vendor: RunningSimulator, database: str) -> None:
    victim, other = start(vendor, database, 2)
    while counted(vendor) < 100:
        time.sleep(0.02)
    victim.kill()
    victim.communicate()
    result(other)
    assert STOP - 100 <= counted(vendor) <= STOP
