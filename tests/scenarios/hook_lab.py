"""A daemon with a clock of its own over both simulators, that hears Zoho's callbacks over real HTTP."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import orjson
from daemon_process import free_port

from connectors.conformance.context import PatientClock
from hub.app import open_installation
from hub.operations.channels import list_channels
from hub.operations.installation import Installation
from hub.schedule.callbacks import Bell
from hub.schedule.daemon import Daemon
from hub.schedule.management import Listener
from hub.store import callbacks, runs, vault
from hub.store.callbacks import ChannelRow
from hub.telemetry import configure
from hub.web.hooks.receiver import BOUNDS, Inbox, make_receiver
from tests.catcher import wait_for
from tests.laboratory import ENTITY, Bank, Simulators, make_home

HOUR, DAY = 3600.0, 86_400.0
MORE = """
schedule: {{sync: every 6h, reconcile: never}}
daemon: {{management: null}}
callbacks: {callbacks}
"""
WHO: Mapping[str, Any] = {"customer_kind": "individual", "contact_consent": "granted"}


@dataclass
class HookLab:
    """Is the hub's folder, both vendors and the time, which moves for all three together."""

    home: Path
    simulators: Simulators
    port: int = field(default_factory=free_port)
    clock: PatientClock = field(default_factory=PatientClock)
    log: StringIO = field(default_factory=StringIO)
    _own: Installation | None = None

    def __post_init__(self) -> None:
        make_home(self.home, f"sqlite:///{self.home / 'var' / 'hub.db'}", self.simulators)
        self.plain = self.file.read_text(encoding="utf-8")
        self.simulators.reset(self)
        self.bank = Bank(self.home, self.simulators)
        self.zoho = self.simulators.running["zoho"].admin
        self.write()
        configure(self.clock, level="INFO", stream=self.log)

    @property
    def file(self) -> Path:
        return self.home / "config" / "hub.yaml"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write(self, on: bool = True) -> None:
        """Writes the settings, with callbacks on or off."""
        words = f'{{listen: "127.0.0.1:{self.port}", public_url: "{self.url}/hooks"}}' if on else "{}"
        self.file.write_text(self.plain + MORE.format(callbacks=words), encoding="utf-8")
        self.close()

    def open(self) -> Installation:
        return open_installation(self.home, clock=self.clock, channel="daemon", threads=False)

    @contextmanager
    def daemon(self, hears: bool = True) -> Iterator[Daemon]:
        daemon = Daemon(self.open, self.clock)
        daemon.start()
        listener = bell = None
        if hears:
            inbox = Inbox(self.clock)
            daemon.callbacks.source = inbox.take
            assert daemon.hub is not None
            listener = Listener(daemon.hub.settings, make_receiver(inbox), ("callbacks", "listen"), BOUNDS)
            bell = Bell(inbox.rung, daemon.hear)
        try:
            yield daemon
        finally:
            if listener is not None and bell is not None:
                listener.close()
                bell.close()
            daemon.close("test")

    def pass_(self, daemon: Daemon, seconds: float, step: float = 1.0) -> None:
        """Lets time go by for everybody, with the daemon looking round at every step."""
        left = seconds
        while left > 0:
            self.leap(min(step, left))
            left -= step
            daemon.tick()

    def leap(self, seconds: float) -> None:
        self.clock.offset += seconds
        for simulator in self.simulators.running.values():
            simulator.admin.advance(seconds)

    @contextmanager
    def hub(self) -> Iterator[Installation]:
        """Lends a hub of the people beside the daemon, kept open from one look to the next."""
        if self._own is None:
            self._own = open_installation(self.home, clock=self.clock, threads=False)
        yield self._own

    def close(self) -> None:
        if self._own is not None:
            self._own.close()
            self._own = None

    # What people do.

    def create(self, system: str, name: str) -> str:
        with self.hub() as hub:
            return self.bank.create(hub, system, full_name=name, **WHO)

    def edit(self, native_id: str, text: str) -> None:
        self.zoho.post("edit", {"object": "Contacts", "id": native_id, "fields": {"Description": text}})

    # What the vendor keeps and calls.

    def channels(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.zoho.post("watch")["channels"]
        return found

    def sent(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.zoho.post("watch")["sent"]
        return found

    def told(self, number: int) -> list[dict[str, Any]]:
        """Waits until the vendor has made so many calls in all, and returns them."""
        wait_for(lambda: len(self.sent()) >= number)
        return self.sent()

    def call(self, url: str, body: object, method: str = "POST") -> int:
        """Calls the receiver as anybody may."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(url, data=raw if method == "POST" else None, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except HTTPError as refused:
            return refused.code

    # What the hub keeps.

    def names(self, system: str) -> list[str]:
        objects = {"zoho": ("Contacts", "Last_Name"), "fxiaoke": ("AccountObj", "name")}
        object_, name = objects[system]
        return sorted(str(row[name]) for row in self.simulators.rows(system, object_))

    def remarks(self) -> list[str]:
        return sorted(str(row.get("remark") or "") for row in self.simulators.rows("fxiaoke", "AccountObj"))

    def row(self, system: str = "zoho") -> ChannelRow:
        with self.hub() as hub:
            (row,) = (row for row in list_channels(hub) if row.system == system)
        return row

    def hints(self) -> dict[tuple[str, str], int]:
        with self.hub() as hub, hub.store.read() as conn:
            return callbacks.waiting(conn)

    def cycles(self) -> int:
        with self.hub() as hub, hub.store.read() as conn:
            return len(runs.latest(conn, ENTITY, 1000))

    def audited(self, part: str) -> list[str]:
        with self.hub() as hub, hub.store.read() as conn:
            acts = [str(orjson.loads(row[2])["act"]) for row in vault.audit_rows(conn)]
        return [act for act in acts if act.startswith(part)]
