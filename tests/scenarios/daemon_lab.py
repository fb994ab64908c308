"""A hub folder over two memory systems, and a daemon that tests step through days with a clock of their own."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
from world import SCHEMA, START, SkewedClock, Time, mapping_of

from connectors.memory import FULL, Faults, MemorySystem, worlds
from hub.app import open_installation, prepare
from hub.operations.installation import Installation
from hub.schedule.daemon import Daemon
from hub.store import vault
from hub.telemetry import configure

SYSTEMS = ("alpha", "gamma")
ENTITY = "client"
TICK = 20.0
SETTINGS = """\
profile: lab
language: en
installation: {{id: lab, name: Lab}}
store: {{url: "sqlite:///var/hub.db"}}
keys: {{provider: file, path: keys/hub.key}}
systems:
  alpha:
    kind: memory
    settings: {{world: {world}-alpha, credential: token}}
    credentials: {{token: "file:secrets/alpha"}}
    deletions_every_seconds: 0
  gamma:
    kind: memory
    settings: {{world: {world}-gamma, credential: token}}
    credentials: {{token: "file:secrets/gamma"}}
    deletions_every_seconds: 0
entities:
{entities}
schedule:
  time_zone: Asia/Shanghai
{schedule}
daemon: {{management: {management}, slice_seconds: {slice_seconds}, pass_seconds: {pass_seconds}}}
"""
WHAT = """\
  {entity}:
    systems: [alpha, gamma]
    guards:
      first_sync_needs_release: false
      max_creates: {{count: 100000, percent: 100.0}}
      max_changes: {{count: 100000, percent: 100.0}}"""
DEFAULT = "  sync: every 5m\n  reconcile: daily 02:00"


@dataclass
class Lab:
    """Is the folder, the systems and the time."""

    home: Path
    time: Time = field(default_factory=Time)
    schedule: str = DEFAULT
    management: str = "null"
    entities: Sequence[str] = (ENTITY,)
    slice_seconds: float = 30.0
    pass_seconds: float = 30.0
    page_size: int = FULL.page_size
    faults: Callable[[Time], Faults] = lambda time: Faults(0)
    log: StringIO = field(default_factory=StringIO)

    def __post_init__(self) -> None:
        self.clock = SkewedClock(self.time)
        self.systems = {name: self._system(name) for name in SYSTEMS}
        (self.home / "config").mkdir(parents=True)
        (self.home / "secrets").mkdir()
        shutil.copytree(SCHEMA / "canonical", self.home / "mappings" / "canonical")
        (self.home / "mappings" / "memory").mkdir()
        for entity in self.entities:
            text = (SCHEMA / "alpha" / f"{entity}.core.yaml").read_text(encoding="utf-8")
            mapping = self.home / "mappings" / "memory" / f"{entity}.core.yaml"
            mapping.write_text(text.replace("system_kind: alpha", "system_kind: memory"), encoding="utf-8")
        for name in SYSTEMS:
            self.write_secret(name, f"{name}-secret")
        self.write()
        prepare(self.home, clock=self.clock)
        configure(self.clock, level="INFO", stream=self.log)

    def _system(self, name: str) -> MemorySystem:
        # A vendor's clock goes on whatever happens to that of the hub.
        system = MemorySystem(SkewedClock(self.time), name, token=f"{name}-secret", faults=self.faults(self.time))
        can = replace(FULL, page_size=self.page_size)
        for entity in self.entities:
            mapping = mapping_of("alpha", entity=entity)
            for object_ in mapping.objects:
                system.add_object(object_, mapping.native_fields(object_)[1:], can)
        worlds[f"{self.home.name}-{name}"] = system
        return system

    def write(self) -> None:
        """Writes the settings anew."""
        text = SETTINGS.format(
            world=self.home.name,
            schedule=self.schedule,
            management=self.management,
            slice_seconds=self.slice_seconds,
            pass_seconds=self.pass_seconds,
            entities="\n".join(WHAT.format(entity=entity) for entity in self.entities),
        )
        (self.home / "config" / "hub.yaml").write_text(text, encoding="utf-8")

    def write_secret(self, name: str, secret: str) -> None:
        place = self.home / "secrets" / name
        place.write_text(secret, encoding="utf-8")
        place.chmod(0o600)

    def open(self) -> Installation:
        return open_installation(self.home, clock=self.clock, channel="daemon", threads=False)

    @contextmanager
    def hub(self) -> Iterator[Installation]:
        """Opens the hub as a person's command does, beside the daemon."""
        hub = open_installation(self.home, clock=self.clock, threads=False)
        try:
            yield hub
        finally:
            hub.close()

    @contextmanager
    def daemon(self) -> Iterator[Daemon]:
        daemon = Daemon(self.open, self.clock)
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.close("test")

    def pass_(self, daemon: Daemon, seconds: float, step: float = TICK) -> None:
        """Lets time go by, with the daemon looking round at every step."""
        end = self.time.at + seconds
        while self.time.at < end:
            self.time.pass_(min(step, end - self.time.at))
            daemon.tick()

    # What people do, and what they see.

    def create(self, system: str, name: str, **fields: Any) -> str:
        native = {"kind": "p", "name": name, **fields}
        return self.systems[system].create("Client", native)

    def names(self, system: str) -> list[str]:
        return sorted(str(row["name"]) for row in self.systems[system].records("Client").values())

    def field(self, system: str, name: str, key: str) -> object:
        rows = self.systems[system].records("Client").values()
        return next(row.get(key) for row in rows if row["name"] == name)

    def calls(self, system: str) -> int:
        return sum(self.systems[system].calls.values())

    def lines(self, event: str | None = None) -> list[Mapping[str, Any]]:
        """Returns the log lines, those of one event if named."""
        for handler in logging.getLogger().handlers:
            handler.flush()
        found = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in found if event in (None, line["event"])]

    def audited(self, act: str) -> list[Mapping[str, Any]]:
        with self.hub() as hub, hub.store.read() as conn:
            bodies = [orjson.loads(row[2]) for row in vault.audit_rows(conn)]
        return [body for body in bodies if body["act"] == act]


def local(hour: int, minute: int = 0) -> float:
    """Returns how many seconds after START the clock in Shanghai next shows a time of day."""
    now = (START + 8 * 3600) % 86_400
    return (hour * 3600 + minute * 60 - now) % 86_400
