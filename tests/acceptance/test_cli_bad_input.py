"""Bad input from the command line: one clear message, the documented exit code, and nothing lost.

After each fault the same folder, put right again, syncs as if nothing had happened.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli_lab import Lab, make_lab, one_message

GOOD = (0, 11)
"""Converged, or blocked by match questions and conflicts of the invented customers only."""


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Is a lab after its first sync."""
    lab = make_lab(tmp_path_factory.mktemp("cli") / "hub", records=30)
    try:
        assert lab.first_sync().code in GOOD
        yield lab
    finally:
        lab.zoho.stop()
        lab.fxiaoke.stop()


@pytest.fixture
def lab(ready: Lab, tmp_path: Path) -> Lab:
    """Is a copy of it, for one test to spoil."""
    home = tmp_path / "hub"
    shutil.copytree(ready.home, home)
    return Lab(home, ready.zoho, ready.fxiaoke)


def works(lab: Lab) -> None:
    """Asserts that a following good run works and has all it had before."""
    ran = lab.here("sync", "--until-converged", "--json")
    assert ran.code in GOOD, ran
    assert all(item["command"].split()[1] in ("match", "conflict") for item in ran.json["runs"][0]["advice"]), ran
    assert all(owed["bound"] >= 25 for owed in ran.json["runs"][0]["owed"].values()), ran
    assert lab.here("audit", "verify").code == 0


def test_a_wrong_key_in_the_settings(lab: Lab) -> None:
    before = lab.file.read_text(encoding="utf-8")
    lab.change("profile: lab", "profil: lab")
    one_message(lab.run("sync"), "HUB-CONF-001", 2, "hub.yaml:2", "profil")
    listed = lab.here("config", "check", "--json")
    assert listed.code == 2
    assert any(item["line"] == 2 and "profil" in item["en"] for item in listed.json["problems"])
    lab.write(before)
    works(lab)


def test_a_worker_of_one_process_and_a_spread_embedded_store(lab: Lab) -> None:
    before = lab.file.read_text(encoding="utf-8")
    lab.write(before + "daemon: {dispatch: here}\n")
    line = lab.file.read_text(encoding="utf-8").count("\n")
    one_message(lab.here("worker"), "HUB-CONF-001", 2, f"hub.yaml:{line}", "nothing for a worker to do")
    lab.write(before + "daemon: {dispatch: workers}\n")
    one_message(lab.here("run"), "HUB-CONF-001", 2, f"hub.yaml:{line}", "needs a PostgreSQL")
    lab.write(before)
    works(lab)


def test_an_unknown_field_in_a_mapping(lab: Lab) -> None:
    mapping = lab.home / "mappings" / "fxiaoke" / "customer.full.yaml"
    good = mapping.read_text(encoding="utf-8")
    assert "canonical: remark," in good
    mapping.write_text(good.replace("canonical: remark,", "canonical: remarque,"), encoding="utf-8")
    line = next(n for n, text in enumerate(mapping.read_text("utf-8").splitlines(), 1) if "remarque" in text)
    one_message(lab.run("sync"), "HUB-CONF-001", 2, f"customer.full.yaml:{line}", "remarque")
    assert f"customer.full.yaml:{line}" in lab.here("mapping", "check").out
    mapping.write_text(good, encoding="utf-8")
    works(lab)


def test_an_unreachable_system(lab: Lab) -> None:
    before = lab.file.read_text(encoding="utf-8")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        lab.change(lab.zoho.base_url, f"http://127.0.0.1:{taken.getsockname()[1]}")
        ran = lab.run("sync", "--json")
        assert ran.code == 7, ran
        assert any("HUB-NET-001" in item["en"] and "zoho" in item["reason"] for item in ran.json["runs"][0]["advice"])
        assert ran.json["runs"][0]["owed"]["zoho"]["bound"] >= 25
        assert "Traceback" not in ran.err
        checked = lab.here("check", "zoho")
        assert checked.code == 7
        assert "cannot connect" in checked.out
    lab.write(before)
    works(lab)


def test_a_staff_table_that_names_a_user_whom_the_system_does_not_have(lab: Lab) -> None:
    table = lab.home / "mappings" / "tables" / "staff.csv"
    before = table.read_text(encoding="utf-8")
    fits = lab.here("check", "zoho")
    assert fits.code == 0, fits
    assert "staff: 7 working staff are users there" in fits.out
    # The second one has left; the third row names nobody.
    table.write_text(
        before.replace("301007,1007,no", "301007,1007,yes").replace("301003,1003", "309999,1003"), encoding="utf-8"
    )
    checked = lab.here("check", "zoho")
    assert checked.code == 7
    assert "S1003: no such user there" in checked.out
    assert "S1007: left there" in checked.out
    table.write_text(before, encoding="utf-8")


def test_a_wrong_secret(lab: Lab) -> None:
    # No token of the first sync is left, so that the secret must prove itself.
    _sql(lab.home / "var" / "hub.db", "DELETE FROM secret")
    lab.environment = {"LAB_CLIENT_SECRET": "not-the-secret-4711", "LAB_REFRESH_TOKEN": "1000.wrong.4711"}
    checked = lab.here("check", "zoho")
    assert checked.code == 7, checked
    assert "client_secret" in checked.out
    ran = lab.run("sync")
    assert ran.code == 7, ran
    assert "HUB-AUTH-001" in ran.out
    assert "4711" not in checked.out + checked.err + ran.out + ran.err
    lab.environment = {}
    works(lab)


def test_a_secret_that_is_not_set(lab: Lab) -> None:
    _sql(lab.home / "var" / "hub.db", "DELETE FROM secret")
    ran = lab.run("sync", environ={"LAB_CLIENT_SECRET": "", "LAB_REFRESH_TOKEN": ""})
    assert ran.code == 2, ran
    assert "HUB-CONF-002" in ran.out
    assert "env:LAB_" in ran.out
    works(lab)


def test_a_key_file_that_others_can_read(lab: Lab) -> None:
    key = lab.home / "keys" / "hub.key"
    key.chmod(0o644)
    one_message(lab.run("sync"), "HUB-KEY-002", 4, str(key), "chmod 600")
    assert lab.here("doctor").code == 4
    key.chmod(0o600)
    works(lab)


def test_a_database_made_by_a_newer_release(lab: Lab) -> None:
    database = lab.home / "var" / "hub.db"
    [(ours,)] = _sql(database, "SELECT version_num FROM alembic_version")
    _sql(database, "UPDATE alembic_version SET version_num = '9999_future'")
    one_message(lab.run("sync"), "HUB-STORE-002", 5, "9999_future", "newer")
    one_message(lab.run("init", str(lab.home)), "HUB-STORE-002", 5)
    _sql(database, f"UPDATE alembic_version SET version_num = '{ours}'")
    works(lab)


def _sql(database: Path, statement: str) -> list[tuple[str, ...]]:
    with sqlite3.connect(database) as connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def test_a_database_that_is_read_only(lab: Lab) -> None:
    var = lab.home / "var"
    files = sorted(var.glob("hub.db*"))
    for file in files:
        file.chmod(0o444)
    var.chmod(0o555)
    try:
        ran = lab.run("sync", preexec_fn=_obey_modes)
        one_message(ran, "HUB-STORE-001", 5, "writable")
    finally:
        var.chmod(0o755)
        for file in files:
            file.chmod(0o644)
    assert lab.run("sync", preexec_fn=_obey_modes).code in GOOD
    works(lab)


def _obey_modes() -> None:
    """Makes a child of root obey file modes as everybody does (PR_CAPBSET_DROP of CAP_DAC_OVERRIDE)."""
    if os.geteuid() == 0:
        assert ctypes.CDLL(None, use_errno=True).prctl(24, 1, 0, 0, 0) == 0


def test_a_full_disk(lab: Lab) -> None:
    database = lab.home / "var" / "hub.db"
    limit = database.stat().st_size

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit // 8, limit // 8))

    contact = lab.zoho.admin.records("Contacts")[0]["id"]
    assert lab.run("record", "edit", f"zoho:{contact}", "--set", "short_name=kept").code == 0
    ran = lab.run("sync", preexec_fn=fill)
    one_message(ran, "HUB-STORE-001", 5)
    works(lab)
    shown = lab.ask("record", "show", f"zoho:{contact}")
    assert {f["name"]: f["value"] for f in shown["record"]["fields"]}["short_name"] == "kept"


def test_two_syncs_at_once(lab: Lab) -> None:
    lab.zoho.admin.faults([{"match": {"path_regex": "/Contacts"}, "action": "slow", "ms": 1000, "times": 1}])
    first = subprocess.Popen(lab.command("sync"), env=lab.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        # It waits for an answer, in no transaction, and is kept there as long as the second one takes.
        _until(lambda: _struck(lab))
        first.send_signal(signal.SIGSTOP)
        second = lab.run("sync")
    finally:
        first.send_signal(signal.SIGCONT)
        first.communicate(timeout=300)
        lab.zoho.admin.faults([])
    one_message(second, "HUB-LEASE-001", 6, "customer", "crmhub status")
    assert first.returncode in GOOD
    works(lab)


def _struck(lab: Lab) -> bool:
    """Tells whether the fault that Zoho was given has struck."""
    return any(rule["struck"] for rule in lab.zoho.admin.calls()["faults"])


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(2400):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("the first sync took no lock")


def test_a_stopped_sync_ends_cleanly(lab: Lab) -> None:
    lab.zoho.admin.faults([{"match": {"path_regex": "/Contacts"}, "action": "slow", "ms": 3000, "times": 1}])
    running = subprocess.Popen(lab.command("sync"), env=lab.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        _until(lambda: _struck(lab))
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=300)
    finally:
        lab.zoho.admin.faults([])
    assert running.returncode == 130, (out, err)
    assert b"stopped as asked" in out
    assert b"Traceback" not in err
    works(lab)


def test_a_folder_that_stands_already_is_completed_and_not_overwritten(lab: Lab) -> None:
    shutil.rmtree(lab.home / "mappings" / "tables")
    settings = lab.file.read_text(encoding="utf-8")
    key = (lab.home / "keys" / "hub.key").read_bytes()
    ran = lab.run("init", str(lab.home))
    assert ran.code == 0, ran
    assert lab.file.read_text(encoding="utf-8") == settings
    assert (lab.home / "keys" / "hub.key").read_bytes() == key
    assert (lab.home / "mappings" / "tables" / "regions.csv").is_file()
    works(lab)
