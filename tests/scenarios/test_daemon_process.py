"""The daemon as a process over both simulators: health over real HTTP, stops, and what systemd is told."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from daemon_process import Process, free_port, hasten

from tests.acceptance.cli_lab import Lab, make_lab

STOPS_WITHIN = 120
SCHEDULE = f"""
schedule: {{{{sync: every 10s, reconcile: never}}}}
daemon: {{{{management: "127.0.0.1:{{port}}", stop_within_seconds: {STOPS_WITHIN}}}}}
"""


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
    process = Process(lab.command("run"), lab.environ(), port, folder)
    try:
        yield process
    finally:
        process.close()


@pytest.mark.slow
def test_health_metrics_pause_and_a_clean_stop(lab: Lab, tmp_path: Path) -> None:
    assert lab.here("plan").code == 0
    assert lab.here("guard", "release", "first_sync", "--reason", "seen").code == 0
    with running(lab, tmp_path) as daemon:
        daemon.until(lambda: daemon.lines("cycle_ended"))
        assert daemon.get("/healthz")[0] == 200
        assert daemon.get("/readyz") == (200, '{"ready":true,"role":"leads","reasons":[]}')
        # The line is written a moment before the meters move.
        daemon.until(lambda: 'crmhub_cycles_total{act="sync",entity="customer"' in daemon.get("/metrics")[1])
        status, page = daemon.get("/metrics")
        assert status == 200
        assert 'crmhub_records_total{act="read",entity="customer",system="zoho"}' in page
        assert 'crmhub_calls_total{system="fxiaoke"}' in page
        for path in ("/", "/docs", "/metrics/x", "/openapi.json"):
            assert daemon.get(path)[0] == 404
        people = [str(row.get("Last_Name")) for row in lab.zoho.admin.records("Contacts")]
        assert not [name for name in people if len(name) > 2 and name in page]
        assert lab.here("pause", "all", "--reason", "drill").code == 0
        daemon.until(lambda: daemon.get("/readyz") == (503, '{"ready":false,"role":"leads","reasons":["all_paused"]}'))
        daemon.until(lambda: 'crmhub_paused{cause="person",scope="all"} 1.0' in daemon.get("/metrics")[1])
        assert lab.here("sync").code == 3
        assert [item["scope"] for item in lab.ask("schedule", "list")["pauses"]] == ["all"]
        assert lab.here("resume", "all").code == 0
        daemon.until(lambda: daemon.get("/readyz")[0] == 200)
        assert lab.here("schedule", "set", "every 1h", "--reason", "drill").code == 0
        assert lab.here("schedule", "set", "hourly", "--reason", "drill").code == 3
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until(lambda: daemon.lines("settings_read_again"))
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
        hasten(lab.home)
        daemon.until(lambda: len(daemon.lines("run_started")) > before)
        begun = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - begun < STOPS_WITHIN / 2, "it waits for the page and for nothing else"
        assert daemon.lines("daemon_stopped")[0]["left_behind"] == []
    lab.zoho.admin.faults([])
    again = tmp_path / "again"
    again.mkdir()
    with running(lab, again) as daemon:
        daemon.until(lambda: daemon.lines("cycle_ended"))
        hasten(lab.home)
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
