"""Several hosts of one installation: hub folders of their own over one PostgreSQL and both simulators, as processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from connectors.simulation.server import start_simulator
from hub.app import initialise, open_installation, prepare
from hub.operations.auditing import verify_log
from hub.operations.installation import Installation
from hub.store import vault
from tests.laboratory import INDEX_LAG, SECRETS, Bank, Simulators
from tests.postgres_server import PostgresServer
from tests.scenarios.daemon_process import free_port

KEPT_IN = {
    "zoho": ("Contacts", "Accounts", "Cases", "Calls", "Events", "Tasks"),
    "fxiaoke": ("AccountObj", "complaint__c", "ActiveRecordObj"),
}
ENTITIES = ("customer", "complaint", "contact_log")
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
      {{accounts_url: "{zoho}", api_url: "{zoho}", visibility_lag: 0, overlap: 2, workers: {calls_at_once}{more_zoho}}}
    credentials: {{client_id: env:LAB_ZOHO_ID, client_secret: env:LAB_ZOHO_SECRET, refresh_token: env:LAB_ZOHO_REFRESH}}
    deletions_every_seconds: 0
  fxiaoke:
    kind: fxiaoke
    mapping_set: full
    settings:
      base_url: "{fxiaoke}"
      app_id: FSAID_simulated
      operator_id: "1000"
      rate_per_second: {rate}
      rate_burst: {burst}
      workers: {calls_at_once}
      batch_size: {batch_size}
      index_lag: {lag}
      external_key_unique: true
      overlap: 2
    credentials: {{app_secret: env:LAB_FXIAOKE_SECRET, permanent_code: env:LAB_FXIAOKE_CODE}}
entities: {{{entities}}}
schedule: {{sync: {sync}, reconcile: never}}
daemon:
  management: "{management}"
  dispatch: workers
  workers: {workers}
  stop_within_seconds: 20
  slice_seconds: {slice_seconds}
  pass_seconds: {pass_seconds}
{more}
"""
_ENTITY = """{name}: {{systems: [zoho, fxiaoke], prefer: [zoho, fxiaoke], guards: {{first_sync_needs_release: false,
  max_creates: {{count: 100000, percent: 100.0}}, max_changes: {{count: 100000, percent: 100.0}}}}}}"""


@dataclass
class Host:
    """Is one machine: a hub folder, and one process of `crmhub run` or `crmhub worker` at a time."""

    name: str
    home: Path
    command: tuple[str, ...]
    url: str
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environ = {**os.environ, **SECRETS, "CRMHUB_LOG": "INFO", "CRMHUB_HOME": str(self.home), "CRMHUB_LANG": "en"}
        with self.log.open("ab") as log:
            line = [sys.executable, "-m", "hub", *self.command]
            self.process = subprocess.Popen(line, env=environ, stdout=log, stderr=log)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(60)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        assert self.process is not None
        return self.process.wait(180)

    def ready(self) -> Mapping[str, Any]:
        """Returns what /readyz says, nothing while nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=30) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            return json.load(error)  # type: ignore[no-any-return]
        except OSError:
            return {}

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Returns the log lines of an event; a line cut off by a kill is none."""
        found = []
        for line in self.log.read_text(encoding="utf-8").splitlines():
            if f'"{event}"' in line and line.startswith("{") and line.endswith("}"):
                found.append(json.loads(line))
        return [line for line in found if line["event"] == event]


@dataclass
class Fleet:
    """Is the installation with its hosts and vendors."""

    folder: Path
    server: PostgresServer
    simulators: Simulators
    database: str
    entities: tuple[str, ...]
    options: dict[str, Any]
    hosts: dict[str, Host] = field(default_factory=dict)

    def add(self, name: str, *, worker: bool = False, **options: Any) -> Host:
        """Sets up one more host, with the key and the settings of the installation and an address of its own."""
        home = self.folder / name
        shutil.copytree(self.folder / "first", home, ignore=shutil.ignore_patterns("var"))
        address = f"127.0.0.{len(self.hosts) + 2}:{free_port()}"
        self.write(home, management=address, **options)
        command = ("worker", "--management", address) if worker else ("run",)
        host = self.hosts[name] = Host(name, home, command, f"http://{address}", self.folder / f"{name}.log")
        return host

    def write(self, home: Path, **options: Any) -> None:
        given = {"rate": 5000, "burst": 5000, "calls_at_once": 4, "batch_size": 20, "workers": 2}
        given |= {"management": "127.0.0.1:0", "sync": "every 10s", "slice_seconds": 30, "pass_seconds": 30}
        given |= {"more_zoho": "", "more": ""}
        urls = {name: item.base_url for name, item in self.simulators.running.items()}
        entities = ", ".join(_ENTITY.format(name=name) for name in self.entities)
        options = {**given, **self.options, **options}
        place = self.server.url(self.database)
        text = SETTINGS.format(store=place, lag=INDEX_LAG + 0.05, entities=entities, **options, **urls)
        (home / "config" / "hub.yaml").write_text(text, encoding="utf-8")

    @contextmanager
    def hub(self) -> Iterator[Installation]:
        """Opens the hub as a person's command does."""
        hub = open_installation(self.folder / "first")
        try:
            yield hub
        finally:
            hub.close()

    @property
    def bank(self) -> Bank:
        return Bank(self.folder / "first", self.simulators)

    def until(self, holds: Callable[[], object], seconds: float, what: str) -> float:
        """Waits for something and returns how long it took."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            if holds():
                return time.monotonic() - begun
            time.sleep(0.2)
        raise AssertionError(f"{what} not within {seconds} s\n{self.tail()}")

    def tail(self) -> str:
        return "\n".join(f"--- {h.name}\n{h.log.read_text()[-3000:]}" for h in self.hosts.values() if h.log.exists())

    def leader(self) -> str | None:
        """Returns the host that leads; fails where two say they do for longer than it takes to notice."""
        leading = [h.name for h in self.hosts.values() if h.alive and h.ready().get("role") == "leads"]
        return leading[0] if len(leading) == 1 else None

    def outcomes(self, entity: str) -> list[str]:
        with self.server.connect(self.database) as conn:
            rows = conn.execute("SELECT outcome FROM run WHERE entity = %s ORDER BY run_id DESC LIMIT 3", (entity,))
            return [str(row[0]) for row in rows]

    def converged(self) -> bool:
        return all(self.outcomes(entity)[:1] == ["converged"] for entity in self.entities)

    # What must hold.

    def twins(self) -> dict[tuple[str, str], int]:
        """Returns the hub ids that more than one live record of an object carries, by the vendors' own books."""
        found: Counter[tuple[str, str]] = Counter()
        for system, key in (("zoho", "Hub_Id"), ("fxiaoke", "hub_id__c")):
            for object_ in KEPT_IN[system]:
                for row in self.simulators.rows(system, object_):
                    if row.get(key):
                        found[system, str(row[key])] += 1
        return {place: number for place, number in found.items() if number > 1}

    def bound(self) -> Counter[tuple[str, str]]:
        """Returns how many records of an entity are bound in a system."""
        query = "SELECT entity, system, count(DISTINCT native_id) FROM binding WHERE state = 'active' GROUP BY 1, 2"
        with self.server.connect(self.database) as conn:
            return Counter({(str(row[0]), str(row[1])): int(str(row[2])) for row in conn.execute(query.encode())})

    def dump(self) -> str:
        """Returns every row of what spreads work, as text."""
        tables = ("share", "budget", "lease", "crmhub_jobs.procrastinate_jobs", "crmhub_jobs.procrastinate_events")
        with self.server.connect(self.database) as conn:
            return "\n".join(str(row) for name in tables for row in conn.execute(f"SELECT * FROM {name}".encode()))

    def audited(self, act: str) -> list[Mapping[str, Any]]:
        with self.hub() as hub, hub.store.read() as conn:
            bodies = [orjson.loads(row[2]) for row in vault.audit_rows(conn)]
        return [body for body in bodies if body["act"] == act]

    def check_audit(self) -> None:
        with self.hub() as hub:
            assert verify_log(hub).ok

    def stop(self) -> None:
        for host in self.hosts.values():
            if host.alive:
                host.kill()
        self.simulators.stop()


def _vendors(seeded: dict[str, int], latency_ms: int) -> Simulators:
    """Starts a Zoho CRM with records in it and a Fxiaoke without any."""
    os.environ.update(SECRETS)
    common: dict[str, object] = {"limits": "fast", "seed": 7, "latency_ms": latency_ms}
    running = {"zoho": start_simulator("zoho_crm", **common, **seeded)}
    try:
        running["fxiaoke"] = start_simulator("fxiaoke", **common)
    except BaseException:
        Simulators(running).stop()
        raise
    running["fxiaoke"].admin.post("lag", {"seconds": INDEX_LAG})
    return Simulators(running)


def make_fleet(
    folder: Path, server: PostgresServer, *, entities: tuple[str, ...] = ENTITIES, latency_ms: int = 0, **options: Any
) -> Fleet:
    """Starts the vendors and makes the installation's first hub folder and its store."""
    seeded = {name: options.pop(name) for name in ("records", "logs", "complaints") if name in options}
    simulators = _vendors(seeded, latency_ms)
    fleet = Fleet(folder, server, simulators, server.fresh(), entities, options)
    initialise(folder / "first")
    fleet.write(folder / "first")
    prepare(folder / "first")
    return fleet
