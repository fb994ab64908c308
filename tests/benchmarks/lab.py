"""Sets the stage: both simulators as processes of their own, and fresh hubs that read from them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count as count_up
from pathlib import Path

import sqlalchemy as sa

from connectors.simulation.server import RunningSimulator, start_simulator
from hub.app import initialise, open_installation, prepare
from hub.keys.keyring import SealMode
from hub.operations.installation import Installation
from hub.store import runs
from hub.sync.intake import take_in
from hub.sync.pull import CHANGES, pull

from .measure import Took, stopwatch

ENTITY = "customer"
ZOHO, FXIAOKE = "zoho", "fxiaoke"
SEED = 7
_SHARE = 0.8
"""How many of the simulated people each system holds."""
_SECRETS = {
    "CRMHUB_BENCH_ZOHO_ID": "1000.SIMULATED",
    "CRMHUB_BENCH_ZOHO_SECRET": "simulated-secret",
    "CRMHUB_BENCH_ZOHO_REFRESH": "1000.simulated.refresh",
    "CRMHUB_BENCH_FXIAOKE_SECRET": "simulated-secret",
    "CRMHUB_BENCH_FXIAOKE_PERMANENT": "simulated-permanent",
}
_CONFIG = """\
profile: lab
installation: {{id: bench, name: bench}}
store: {{url: "sqlite:///var/hub.db"}}
keys: {{provider: file, path: keys/hub.key}}
systems:
  zoho:
    kind: zoho_crm
    mapping_set: full
    settings: {{accounts_url: "{zoho}", api_url: "{zoho}"}}
    credentials:
      client_id: env:CRMHUB_BENCH_ZOHO_ID
      client_secret: env:CRMHUB_BENCH_ZOHO_SECRET
      refresh_token: env:CRMHUB_BENCH_ZOHO_REFRESH
    deletions_every_seconds: 3600
  fxiaoke:
    kind: fxiaoke
    mapping_set: full
    settings:
      base_url: "{fxiaoke}"
      app_id: FSAID_simulated
      operator_id: "1000"
      rate_per_second: 2000
      rate_burst: 2000
    credentials:
      app_secret: env:CRMHUB_BENCH_FXIAOKE_SECRET
      permanent_code: env:CRMHUB_BENCH_FXIAOKE_PERMANENT
entities:
  customer:
    systems: [zoho]
"""


def start_zoho(customers: int) -> RunningSimulator:
    """Starts a Zoho simulator that holds about so many customers."""
    return start_simulator("zoho_crm", records=round(customers / _SHARE), seed=SEED, limits="fast")


@dataclass(slots=True)
class Lab:
    """Is the stage of one run; the folders of hubs lie in `folder` and go with it."""

    folder: Path
    customers: int
    rounds: int
    zoho: RunningSimulator
    fxiaoke: RunningSimulator
    _made: int = 0
    _files: Iterator[int] = field(default_factory=count_up)

    def home(self, zoho: RunningSimulator | None = None) -> Path:
        """Makes a fresh hub folder; all of them have the same keys, so that what two hubs hold can be compared."""
        if not self._made:
            self._prepare()
        self._made += 1
        home = Path(shutil.copytree(self.folder / "hub", self.folder / f"hub-{self._made}"))
        text = _CONFIG.format(zoho=(zoho or self.zoho).base_url, fxiaoke=self.fxiaoke.base_url)
        (home / "config" / "hub.yaml").write_text(text, encoding="utf-8")
        return home

    def home_in(self, suite: str) -> Path:
        """Makes a fresh hub folder with keys of its own, of another suite than all others have."""
        self._made += 1
        home = initialise(self.folder / f"hub-{self._made}")
        text = _CONFIG.format(zoho=self.zoho.base_url, fxiaoke=self.fxiaoke.base_url)
        text = text.replace("keys/hub.key}", f"keys/hub.key, suite: {suite}}}")
        (home / "config" / "hub.yaml").write_text(text, encoding="utf-8")
        prepare(home)
        return home

    def _prepare(self) -> None:
        home = initialise(self.folder / "hub")
        text = _CONFIG.format(zoho=self.zoho.base_url, fxiaoke=self.fxiaoke.base_url)
        (home / "config" / "hub.yaml").write_text(text, encoding="utf-8")
        prepare(home)

    def scratch(self, name: str) -> Path:
        """Returns the path of a database file that does not exist."""
        return self.folder / f"{name}-{next(self._files)}.db"


@contextmanager
def open_lab(folder: Path, customers: int, rounds: int) -> Iterator[Lab]:
    """Starts both simulators and stops them in the end."""
    os.environ.update(_SECRETS)
    people = round(customers / _SHARE)
    with start_zoho(customers) as zoho, start_simulator("fxiaoke", records=people, seed=SEED, limits="fast") as fxiaoke:
        yield Lab(folder, customers, rounds, zoho, fxiaoke)


@contextmanager
def opened(home: Path, seal: SealMode = SealMode.ON) -> Iterator[Installation]:
    """Opens a hub folder as the command line does."""
    hub = open_installation(home, seal=seal)
    try:
        yield hub
    finally:
        hub.close()


def read_in(hub: Installation) -> Took:
    """Pulls everything new and takes it in; returns the time. Raises what stopped a system."""
    with stopwatch() as took, hub.run(ENTITY) as run:
        pull(run)
        take_in(run)
    for error in run.tally.blocked.values():
        raise error
    return took


def first_load(lab: Lab, seal: SealMode = SealMode.ON, suite: str | None = None) -> Took:
    """Loads all customers into a fresh hub and throws it away; returns the time."""
    home = lab.home() if suite is None else lab.home_in(suite)
    with opened(home, seal) as hub:
        took = read_in(hub)
    shutil.rmtree(home)
    return took


def drop_cursors(hub: Installation) -> None:
    """Makes the hub list everything again."""
    with hub.store.begin() as work:
        for object_ in hub.links(ENTITY)[ZOHO].objects:
            runs.drop_cursor(work, ENTITY, ZOHO, object_, CHANGES)


def count(hub: Installation, table: str) -> int:
    """Returns how many rows a table holds."""
    with hub.store.read() as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(sa.table(table))).scalar_one())
