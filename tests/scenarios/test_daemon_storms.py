"""The daemon in the middle of everything: stopped, killed, without disk, database, key or secret, under load.

A real `crmhub run` over both simulators starts with a first load while people go on editing on both sides. After each
blow it goes on by itself, or with the next start, and what the simulators hold is what counts: equal, no twin, no
edit lost, no write too many.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from daemon_process import Process, free_port, hurry
from laboratory import ENTITY, OBJECTS, Bank, Edit, Simulators, make_home, write_settings
from postgres_server import NoServer, PostgresServer

from hub.kernel.errors import Declined
from hub.operations import scheduling
from hub.operations.installation import Installation
from hub.store import intents, records

PEOPLE = 150
SECRET = "secrets/zoho-client-secret"
RUNNING = """
schedule: {{sync: every 10s, reconcile: never}}
daemon: {{management: "127.0.0.1:{port}", stop_within_seconds: 120}}
"""
STOPS_WITHIN = 60.0
"""Seconds that a stop may take, on a slow machine too; who waited for what was left behind would need twice as many."""
PAGE = {"match": {"method": "GET", "path_regex": "/Contacts"}, "action": "slow", "ms": 2500, "times": 1}
WRITE = {"match": {"path_regex": "/data/(create|update)"}, "action": "slow", "ms": 2500, "nth": 15}
LONG_WRITE = {**WRITE, "ms": 60_000}
"""Lasts until the process that waits for it is killed."""


@dataclass(slots=True)
class Crowd:
    """Is everybody who goes on editing in both systems while the hub works; notes what each of them did last."""

    bank: Bank
    hub: Installation
    random: Random
    edits: dict[tuple[str, str, str], Any] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _number: int = 0
    _failed: list[BaseException] = field(default_factory=list)

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        assert self._thread is not None
        self._stop.set()
        self._thread.join(120)
        assert not self._failed, self._failed

    def _work(self) -> None:
        try:
            while not self._stop.wait(0.15):
                self._number += 1
                self._act(self._number)
        except BaseException as failed:  # noqa: BLE001 - told to the test by `stop`
            self._failed.append(failed)

    def _act(self, number: int) -> None:
        if number % 25 == 0:
            system = ("zoho", "fxiaoke")[number % 2]
            phone = f"+861370{self.random.randrange(10**7):07d}"
            who = {"customer_kind": "individual", "contact_consent": "granted", "mobile_phone": phone}
            self.bank.create(self.hub, system, full_name=f"后来{number}", **who)
            return
        # Each side has a field of its own, so that no edit competes with one of the other side.
        system, name = (("zoho", "remark"), ("fxiaoke", "need_summary"))[number % 2]
        object_ = self.random.choice(OBJECTS[system])
        rows = self.bank.simulators.rows(system, object_)
        row = self.random.choice(rows)
        native_id, value = str(row["id" if system == "zoho" else "_id"]), f"改{number}"
        patch = self.hub.links(ENTITY)[system].mapping.to_native(object_, {name: value})
        body = {"object": object_, "id": native_id, "fields": dict(patch.fields)}
        self.bank.simulators.running[system].admin.post("edit", body)
        self.edits[system, native_id, name] = value


class Storm:
    """Is one bank under load with the daemon over it."""

    def __init__(self, bank: Bank, store: str, folder: Path) -> None:
        self.bank, self.store, self.folder = bank, store, folder
        self.port, self.number = free_port(), 0
        self.daemon: Process | None = None
        with bank.hub() as hub:
            self.people = Crowd(bank, hub, Random(f"storm:{store[:6]}"))

    def configure(self) -> None:
        write_settings(self.bank.home, self.store, self.bank.simulators)
        file = self.bank.home / "config" / "hub.yaml"
        text = file.read_text(encoding="utf-8").replace("env:LAB_ZOHO_SECRET", f"file:{SECRET}")
        file.write_text(text + RUNNING.format(port=self.port), encoding="utf-8")
        self.write_secret("simulated-secret")

    def write_secret(self, value: str) -> None:
        place = self.bank.home / SECRET
        place.parent.mkdir(exist_ok=True)
        place.write_text(value, encoding="utf-8")
        place.chmod(0o600)

    def start(self) -> Process:
        self.number += 1
        folder = self.folder / f"run-{self.number}"
        folder.mkdir()
        environ = {**os.environ, "CRMHUB_HOME": str(self.bank.home), "CRMHUB_LANG": "en"}
        self.daemon = Process([sys.executable, "-m", "hub", "run"], environ, self.port, folder)
        self.daemon.until(lambda: self.daemon and self.daemon.lines("daemon_started"))
        return self.daemon

    def close(self) -> None:
        if self.daemon is not None:
            self.daemon.close()

    def struck(self, system: str) -> bool:
        """Tells whether the fault that a system was given has struck."""
        found = self.bank.simulators.running[system].admin.calls()
        return any(rule["struck"] for rule in found["faults"])

    def fault(self, system: str, *rules: dict[str, Any]) -> None:
        self.bank.simulators.running[system].admin.faults(list(rules))

    def calm(self) -> None:
        """Sends people home and waits until the daemon has brought both sides together; questions are answered."""
        self.people.stop()
        daemon = self.daemon
        assert daemon is not None
        with self.bank.hub() as hub:
            for _ in range(12):
                answered = self._answer(hub)
                begun = len(daemon.lines("run_started"))
                hurry(hub)
                daemon.until(lambda begun=begun: len(daemon.lines("cycle_ended")) > begun)  # type: ignore[misc]
                standing = scheduling.standing_of(hub, ENTITY)
                last = daemon.lines("cycle_ended")[-1]
                # A vendor adds something itself to what is written; a cycle that neither read nor wrote has seen it.
                moved = any(name == "changed" or name.startswith("written:") for name in last["counts"])
                calm = last["outcome"] == "converged" and not moved
                if calm and not answered and not standing.queued and not standing.debts:
                    break
            else:
                raise AssertionError(f"never converged: {standing}\n{daemon.log[-3000:]}")
            self.bank.check(hub, self._last_edits(hub))
            with hub.store.read() as conn:
                assert not intents.count(conn, ENTITY)
        assert daemon.reasons() == []

    def hurry(self) -> None:
        with self.bank.hub() as hub:
            hurry(hub)

    def _answer(self, hub: Installation) -> int:
        try:
            return self.bank.answer(hub)
        except Declined:
            return 1  # the cycle that runs beside asked it anew: people look again

    def _last_edits(self, hub: Installation) -> list[Edit]:
        """Returns what people said last; Zoho is preferred, so an edit in Fxiaoke may lose where both meet first."""
        owners = self.bank.owners(hub)
        with hub.store.read() as conn:
            golden = records.load_golden(conn, hub.store.ring, sorted(set(owners.values())))
        edits = []
        for (system, native_id, name), value in self.people.edits.items():
            hub_id = owners[system, native_id]
            wins = system == "zoho" or golden[hub_id].fields.get(name) == value
            edits.append(Edit(system, hub_id, name, value, wins))
        return edits


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    started = Simulators.start(records=PEOPLE, seed=23, latency_ms=1.5)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Is a server of this module's own: it is crashed here."""
    try:
        started = PostgresServer()
    except NoServer as error:
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"REQUIRE_ALL=1, and {error}")
        pytest.skip(str(error))
    yield started
    started.stop()


def storm_in(store: str, simulators: Simulators, folder: Path) -> Storm:
    bank = Bank(folder / "hub", simulators)
    simulators.reset(bank)
    simulators.running["zoho"].admin.settings(client_secret="simulated-secret")
    make_home(bank.home, store, simulators)
    made = Storm(bank, store, folder)
    made.configure()
    return made


def stop_mid_page(storm: Storm) -> None:
    """SIGTERM while a page of the first load is on its way: it ends in time, and nobody waits for the page twice."""
    storm.fault("zoho", PAGE)
    daemon = storm.start()
    daemon.until(lambda: storm.struck("zoho"))
    begun = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begun < STOPS_WITHIN
    assert daemon.lines("daemon_stopped")[0]["left_behind"] == []


def stop_mid_push(storm: Storm) -> None:
    """SIGTERM while a write is on its way: its answer is waited for and noted, the rest stays owed."""
    storm.fault("fxiaoke", WRITE)
    daemon = storm.start()
    daemon.until(lambda: storm.struck("fxiaoke"))
    begun = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begun < STOPS_WITHIN
    assert daemon.lines("daemon_stopped")[0]["left_behind"] == []
    with storm.bank.hub() as hub, hub.store.read() as conn:
        assert not intents.count(conn, ENTITY), "a clean stop leaves no write unclear"
        assert scheduling.standing_of(hub, ENTITY).debts, "the stop came in the middle"


def kill_mid_push(storm: Storm) -> None:
    """SIGKILL while a write is on its way: the next start looks before it writes."""
    storm.fault("fxiaoke", LONG_WRITE)
    daemon = storm.start()
    daemon.until(lambda: storm.struck("fxiaoke"))
    assert daemon.kill() == -9
    with storm.bank.hub() as hub, hub.store.read() as conn:
        assert intents.count(conn, ENTITY).get("sent"), "the kill came in the middle"
    storm.fault("fxiaoke")


def lose_disk(storm: Storm) -> None:
    """The disk is full while the daemon works: everything waits for it, says so, and goes on once there is room."""
    daemon = storm.daemon
    assert daemon is not None
    _, most = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
    storm.hurry()
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (4096, most))
    daemon.until(lambda: daemon.reasons() == ["disk"])
    daemon.until(lambda: 'crmhub_waiting{cause="disk"} 1.0' in daemon.get("/metrics")[1])
    assert daemon.get("/healthz")[0] == 200
    time.sleep(6)
    assert daemon.reasons() == ["disk"], "it was tried again in vain"
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (most, most))
    daemon.until(lambda: daemon.reasons() == [])


def lose_server(storm: Storm, server: PostgresServer) -> None:
    """PostgreSQL dies without a word in the middle of a cycle and comes back some seconds later."""
    daemon = storm.daemon
    assert daemon is not None
    seen = len(daemon.lines("run_started"))
    storm.hurry()
    daemon.until(lambda: len(daemon.lines("run_started")) > seen)
    server.crash()
    daemon.until(lambda: daemon.reasons() == ["store"])
    daemon.until(lambda: 'crmhub_waiting{cause="store"} 1.0' in daemon.get("/metrics")[1])
    assert daemon.get("/healthz")[0] == 200
    server.start_again()
    daemon.until(lambda: daemon.reasons() == [])


def lose_key(storm: Storm) -> None:
    """The key file is away for a while, as when a safe is not mounted."""
    daemon, key = storm.daemon, storm.bank.home / "keys" / "hub.key"
    assert daemon is not None
    key.rename(key.with_suffix(".away"))
    daemon.until(lambda: daemon.reasons() == ["keys"])
    daemon.until(lambda: 'crmhub_waiting{cause="keys"} 1.0' in daemon.get("/metrics")[1])
    [said] = [line for line in daemon.lines("everything_waits") if line["cause"] == "keys"]
    assert said["code"] == "HUB-KEY-001"
    key.with_suffix(".away").rename(key)
    daemon.until(lambda: daemon.reasons() == [])


def rotate_secret(storm: Storm) -> None:
    """Zoho's owner rotates the client secret: only Zoho waits, and it resumes once the new secret is in place."""
    daemon, zoho = storm.daemon, storm.bank.simulators.running["zoho"].admin
    assert daemon is not None
    zoho.settings(client_secret="rotated-secret-4711")
    zoho.post("tokens", {"expire": True})
    storm.hurry()
    daemon.until(lambda: daemon.lines("system_paused"))
    [said] = daemon.lines("system_paused")
    assert (said["system"], said["cause"], said["code"]) == ("zoho", "auth", "HUB-AUTH-001")
    daemon.until(lambda: 'crmhub_paused{cause="auth",scope="system:zoho"} 1.0' in daemon.get("/metrics")[1])
    assert daemon.reasons() == [], "the other system goes on"
    before = {name: called(storm, name) for name in OBJECTS}
    storm.hurry()
    daemon.until(lambda: called(storm, "fxiaoke") >= before["fxiaoke"] + 2)
    assert called(storm, "zoho") == before["zoho"], "who refuses is left alone"
    storm.write_secret("rotated-secret-4711")
    daemon.until(lambda: daemon.lines("system_resumed"))
    storm.hurry()
    daemon.until(lambda: called(storm, "zoho") > before["zoho"])
    assert "rotated-secret-4711" not in daemon.log


def called(storm: Storm, system: str) -> int:
    """Returns how many calls a simulator has counted."""
    return sum(storm.bank.simulators.running[system].admin.calls()["calls"].values())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_on_sqlite(simulators: Simulators, tmp_path: Path) -> None:
    storm = storm_in("sqlite:///var/hub.db", simulators, tmp_path)
    try:
        storm.people.start()
        stop_mid_page(storm)
        stop_mid_push(storm)
        kill_mid_push(storm)
        storm.start()
        storm.calm()
        storm.people.start()
        lose_disk(storm)
        storm.calm()
        storm.people.start()
        lose_key(storm)
        rotate_secret(storm)
        storm.calm()
        assert storm.daemon is not None
        assert storm.daemon.stop() == 0
    finally:
        storm.close()


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(1800)
def test_on_postgresql(simulators: Simulators, server: PostgresServer, tmp_path: Path) -> None:
    storm = storm_in(server.url(server.fresh()), simulators, tmp_path)
    try:
        storm.people.start()
        assert storm.start().stop() == 0
        stop_mid_push(storm)
        kill_mid_push(storm)
        storm.start()
        lose_server(storm, server)
        storm.calm()
        assert storm.daemon is not None
        assert storm.daemon.stop() == 0
    finally:
        storm.close()
