"""The daemon as a process over both simulators: health over real HTTP, stops, and what systemd is told."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cli_lab import Lab, make_lab

SCHEDULE = """
schedule: {{sync: every 10s, reconcile: never}}
daemon: {{management: "127.0.0.1:{port}", stop_within_seconds: 20}}
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Process:
    """Is a running `crmhub run` with what it logs and what it tells systemd."""

    def __init__(self, lab: Lab, port: int, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "daemon.log"
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = str(folder / "notify")
        self._systemd.bind(address)
        self._systemd.setblocking(False)
        self._words: list[str] = []
        environ = lab.environ({"CRMHUB_LOG": "INFO", "NOTIFY_SOCKET": address})
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(lab.command("run"), env=environ, stdout=log, stderr=log)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [line for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [item for item in map(json.loads, found) if item["event"] == event]

    def told(self) -> list[str]:
        """Returns all that systemd was told so far; called often, because its queue is short."""
        while True:
            try:
                self._words += self._systemd.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self._words

    def until(self, holds: Callable[[], object], seconds: float = 60.0) -> None:
        for _ in range(int(seconds / 0.1)):
            self.told()
            if holds():
                return
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.1)
        raise AssertionError(self._log.read_text()[-4000:])

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = make_lab(tmp_path_factory.mktemp("daemon") / "hub", records=40)
    try:
        yield made
    finally:
        made.zoho.stop()
        made.fxiaoke.stop()


@contextmanager
def running(lab: Lab, folder: Path) -> Iterator[Process]:
    port = free_port()
    lab.write()
    lab.write(lab.file.read_text(encoding="utf-8") + SCHEDULE.format(port=port))
    process = Process(lab, port, folder)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait(10)


@pytest.mark.slow
def test_health_metrics_pause_and_a_clean_stop(lab: Lab, tmp_path: Path) -> None:
    assert lab.here("plan").code == 0
    assert lab.here("guard", "release", "first_sync", "--reason", "seen").code == 0
    with running(lab, tmp_path) as daemon:
        daemon.until(lambda: daemon.lines("cycle_ended"))
        assert daemon.get("/healthz")[0] == 200
        assert daemon.get("/readyz") == (200, '{"ready":true,"role":"leads","reasons":[]}')
        # The line is written a moment before the meters move.
        daemon.until(lambda: 'crmhub_cycles_total{act="sync",entity="customer"' in daemon.get("/metrics")[1], 20)
        status, page = daemon.get("/metrics")
        assert status == 200
        assert 'crmhub_records_total{act="read",entity="customer",system="zoho"}' in page
        assert 'crmhub_calls_total{system="fxiaoke"}' in page
        for path in ("/", "/docs", "/metrics/x", "/openapi.json"):
            assert daemon.get(path)[0] == 404
        people = [str(row.get("Last_Name")) for row in lab.zoho.admin.records("Contacts")]
        assert not [name for name in people if len(name) > 2 and name in page]
        assert lab.here("pause", "all", "--reason", "drill").code == 0
        daemon.until(
            lambda: daemon.get("/readyz") == (503, '{"ready":false,"role":"leads","reasons":["all_paused"]}'), 20
        )
        assert 'crmhub_paused{cause="person",scope="all"} 1.0' in daemon.get("/metrics")[1]
        assert lab.here("sync").code == 3
        assert [item["scope"] for item in lab.ask("schedule", "list")["pauses"]] == ["all"]
        assert lab.here("resume", "all").code == 0
        daemon.until(lambda: daemon.get("/readyz")[0] == 200, 20)
        assert lab.here("schedule", "set", "every 1h", "--reason", "drill").code == 0
        assert lab.here("schedule", "set", "hourly", "--reason", "drill").code == 3
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until(lambda: daemon.lines("settings_read_again"), 20)
        assert daemon.stop() == 0
        told = daemon.told()
    assert told[0] == "READY=1"
    assert {"WATCHDOG=1", "RELOADING=1", "STOPPING=1"} <= set(told)
    assert lab.here("schedule", "set", "configured", "--reason", "drill is over").code == 0


@pytest.mark.slow
def test_a_stop_in_the_middle_of_a_page_ends_in_time_and_the_next_start_goes_on(lab: Lab, tmp_path: Path) -> None:
    contact = lab.zoho.admin.records("Contacts")[0]["id"]
    with running(lab, tmp_path) as daemon:
        daemon.until(lambda: daemon.lines("cycle_ended"))
        lab.zoho.admin.faults([{"match": {"path_regex": "/Contacts"}, "action": "slow", "ms": 4000, "times": 1}])
        lab.zoho.admin.post(
            "edit", {"object": "Contacts", "id": contact, "fields": {"Description": "edited in the middle"}}
        )
        before = len(daemon.lines("run_started"))
        daemon.until(lambda: len(daemon.lines("run_started")) > before, 30)
        begun = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - begun < 15
        assert daemon.lines("daemon_stopped")[0]["left_behind"] == []
    lab.zoho.admin.faults([])
    again = tmp_path / "again"
    again.mkdir()
    with running(lab, again) as daemon:
        daemon.until(lambda: len(daemon.lines("cycle_ended")) > 1)
        assert daemon.stop() == 0
    changes = lab.ask("record", "timeline", f"zoho:{contact}")["changes"]
    assert "remark" in {item["field"] for item in changes[-2:]}
    assert lab.here("audit", "verify").code == 0
    acts = [entry["act"] for entry in lab.ask("audit", "list", "--act", "daemon")["entries"]]
    assert acts.count("daemon.start") == acts.count("daemon.stop")


@pytest.mark.slow
def test_an_address_that_is_taken_is_refused_at_once(lab: Lab, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        lab.write()
        lab.write(lab.file.read_text(encoding="utf-8") + SCHEDULE.format(port=port))
        ran = lab.run("run")
    assert ran.code == 2, ran
    assert f"127.0.0.1:{port}" in ran.err
    assert "daemon.management" in ran.err
