"""`crmhub connect` as a person and as a script use it: at a terminal, through a pipe, from a file, and by a link."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from connectors.zoho_crm.auth import LOOK_AGAIN
from connectors.zoho_crm.simulator.settings import ALL_SCOPES
from hub.app import open_installation
from hub.store.vault import SealedTokens
from tests.acceptance.cli_lab import Lab, make_lab, one_message
from tests.scenarios.daemon_process import Process, free_port, hasten

CALLBACK = "https://hub.example/oauth/callback"
STORED = "refresh_token: stored"
WITHOUT_COQL = ALL_SCOPES.replace("ZohoCRM.coql.READ,", "")
RUNNING = """
schedule: {{sync: every 10s, reconcile: never}}
daemon: {{management: "127.0.0.1:{port}", stop_within_seconds: 20}}
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = make_lab(tmp_path_factory.mktemp("connect") / "hub", records=5)
    try:
        yield made
    finally:
        made.zoho.stop()
        made.fxiaoke.stop()


@pytest.fixture
def lab(shared: Lab) -> Lab:
    """A hub that keeps its refresh token itself and has none yet; both systems are started over."""
    shared.zoho.admin.reset()
    for leftover in (shared.home / "var").glob("hub.db*"):
        leftover.unlink()
    shared.write()
    shared.change("refresh_token: env:LAB_REFRESH_TOKEN", STORED)
    shared.change("visibility_lag: 0, overlap: 2}", f'visibility_lag: 0, overlap: 2, redirect_uri: "{CALLBACK}"}}')
    assert shared.here("init", str(shared.home)).code == 0
    return shared


def make_code(lab: Lab, scopes: str = ALL_SCOPES) -> str:
    return str(lab.zoho.admin.post("tokens", {"grant": {"scopes": scopes}})["grant"])


def exchanges(lab: Lab) -> int:
    return int(lab.zoho.admin.calls()["calls"].get("token code", 0))


def test_before_it_every_command_says_that_it_is_missing(lab: Lab) -> None:
    for words, exit_code in ((("check", "zoho"), 7), (("plan",), 2), (("doctor",), 0)):
        ran = lab.here(*words)
        assert ran.code == exit_code, ran
        assert "crmhub connect zoho" in ran.out + ran.err, ran
    assert lab.here("config", "check").code == 0
    assert "crmhub connect zoho" in lab.here("init", str(lab.home)).out


def test_a_code_through_a_pipe_and_then_everything_works(lab: Lab) -> None:
    code = make_code(lab)
    ran = lab.run("connect", "zoho", stdin=f"{code}\n")
    assert ran.code == 0, ran
    assert "refresh_token is kept sealed" in ran.out
    assert "api-console.zoho.com.cn" in ran.err
    assert code not in ran.out + ran.err
    assert lab.here("check", "zoho").code == 0
    assert lab.here("plan").code == 0
    assert exchanges(lab) == 1
    assert lab.zoho.admin.calls()["calls"].get("token", 0) == 0, "the exchange gave an access token as well"
    entries = lab.ask("audit", "list", "--act", "connect")["entries"]
    assert [(entry["stage"], entry["outcome"], entry.get("code")) for entry in entries] == [
        ("attempt", "success", None),
        ("result", "success", "self_client"),
    ]
    assert entries[0]["corr"] == entries[1]["corr"]
    assert lab.here("audit", "verify").code == 0


def test_a_code_at_a_terminal_is_not_shown(lab: Lab) -> None:
    code = make_code(lab)
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        lab.command("connect", "zoho", "--lang", "zh"),
        env=lab.environ(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    while "不显示".encode() not in shown:
        shown += os.read(person, 4096)
    os.write(person, f"{code}\n".encode())
    while chunk := _read(person):
        shown += chunk
    os.close(person)
    assert process.wait(180) == 0, shown.decode()
    assert "已加密保存到存储" in shown.decode()
    assert code.encode() not in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so when the other side has gone
        return b""


def test_a_code_from_a_file_in_json(lab: Lab, tmp_path: Path) -> None:
    place = tmp_path / "code"
    place.write_text(make_code(lab), encoding="utf-8")
    answer = lab.ask("connect", "zoho", "--code-from", str(place))
    assert (answer["way"], answer["kept"]) == ("self_client", ["refresh_token"])
    assert all(line["ok"] for line in answer["lines"])
    one_message(lab.here("connect", "zoho", "--code-from", str(tmp_path / "absent")), "HUB-FILE-001", 5, "absent")


def browse(link: str) -> str:
    """Opens a link as a browser does and returns the address that it ends at."""
    answer = requests.get(link, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def test_a_link_in_two_steps_without_a_terminal(lab: Lab, tmp_path: Path) -> None:
    begun = lab.run("connect", "zoho", "--link", "--json")
    assert begun.code == 0, begun
    address = browse(begun.json["link"])
    place = tmp_path / "address"
    place.write_text(address + "\n", encoding="utf-8")
    ended = lab.run("connect", "zoho", "--code-from", str(place), "--json")
    assert (ended.code, ended.json["way"]) == (0, "link"), ended
    assert lab.here("check", "zoho").code == 0
    again = lab.here("connect", "zoho", "--code-from", str(place))
    one_message(again, "HUB-AUTH-001", 7, "no link waits")
    given = parse_qs(urlsplit(address).query)
    for secret in (given["code"][0], given["state"][0]):
        assert secret not in ended.out + ended.err + again.out + again.err


def test_a_link_and_its_answer_in_one_go(lab: Lab) -> None:
    command = lab.command("connect", "zoho", "--link")
    with subprocess.Popen(
        command,
        env=lab.environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        line = ""
        while not line.startswith("http"):
            line = process.stderr.readline()
            assert line, process.wait(10)
        address = browse(line.strip())
        out, err = process.communicate(address)
    assert process.returncode == 0, err
    assert "kept sealed" in out


def test_an_answer_that_names_a_strange_host_is_refused_before_anything_is_sent(lab: Lab) -> None:
    lab.zoho.admin.settings(accounts_server="https://accounts.evil.example")
    link = lab.ask("connect", "zoho", "--link")["link"]
    ran = lab.here("connect", "zoho", "--code-from", "-", stdin=browse(link))
    one_message(ran, "HUB-AUTH-001", 7, "none of Zoho's")
    assert exchanges(lab) == 0


def test_scopes_that_are_missing_are_told_and_what_was_granted_is_kept(lab: Lab) -> None:
    ran = lab.here("connect", "zoho", stdin=make_code(lab, WITHOUT_COQL))
    assert ran.code == 7, ran
    assert "ZohoCRM.coql.READ: was not granted; without it" in ran.out
    assert "kept sealed" in ran.out
    checked = lab.here("check", "zoho")
    assert checked.code == 7
    assert "ZohoCRM.coql.READ Contacts" in checked.out
    assert checked.out.count("fail") == 6, "nothing else is missing, one line a module"


def test_settings_that_would_not_use_it_are_told_before_the_code_is_spent(lab: Lab) -> None:
    lab.change(STORED, "refresh_token: env:LAB_REFRESH_TOKEN")
    code = make_code(lab)
    ran = lab.here("connect", "zoho", stdin=code)
    assert ran.code == 2, ran
    assert re.search(r"hub\.yaml:\d+: HUB-CONF-001 .*refresh_token.*stored", ran.err), ran
    assert exchanges(lab) == 0
    lab.change("refresh_token: env:LAB_REFRESH_TOKEN", STORED)
    assert lab.here("connect", "zoho", stdin=code).code == 0, "the code was not spent"


@pytest.mark.parametrize(
    ("words", "stdin", "code", "exit_code", "said"),
    [
        (("connect", "zoho"), "", "HUB-REQ-409", 3, "nothing was sent"),
        (("connect", "zoho"), "two words", "HUB-REQ-409", 3, "nothing was sent"),
        (("connect", "zoho"), "1000.wrong.wrong.4711", "HUB-AUTH-001", 7, "make a new one"),
        (("connect", "zoho", "--link"), "1000.wrong.wrong.4711", "HUB-AUTH-001", 7, "whole address"),
        (("connect", "nobody"), "", "HUB-REQ-404", 3, "zoho, fxiaoke"),
        (("connect", "fxiaoke"), "", "HUB-REQ-409", 3, "crmhub check fxiaoke"),
    ],
)
def test_what_cannot_be_done_ends_in_one_message(
    lab: Lab, words: tuple[str, ...], stdin: str, code: str, exit_code: int, said: str
) -> None:
    ran = lab.here(*words, stdin=stdin)
    assert ran.code == exit_code, ran
    last = ran.err.splitlines()[-1]
    assert last.startswith(code), ran
    assert said.lower() in last.lower(), ran
    assert "4711" not in ran.out + ran.err
    failed = lab.here(*words, "--json", stdin=stdin)
    if "--link" not in words:
        assert failed.json["error"]["code"] == code, failed
        assert re.search("[\u4e00-\u9fff]", failed.json["error"]["zh"]), failed


def test_a_refused_code_is_in_the_audit_log_without_the_code(lab: Lab) -> None:
    assert lab.here("connect", "zoho", stdin="1000.wrong.wrong.4711").code == 7
    entries = lab.ask("audit", "list", "--act", "connect")["entries"]
    assert [(entry["stage"], entry["outcome"]) for entry in entries] == [("attempt", "success"), ("result", "error")]
    assert entries[1]["code"] == "HUB-AUTH-001"
    assert "4711" not in json.dumps(entries)


def test_client_credentials_are_proven(lab: Lab) -> None:
    lab.change(f'redirect_uri: "{CALLBACK}"', 'grant: client_credentials, org_id: "60001234567"')
    answer = lab.ask("connect", "zoho")
    assert (answer["way"], answer["kept"]) == ("client_credentials", [])
    assert lab.here("check", "zoho").code == 0


@contextmanager
def daemon(lab: Lab, folder: Path) -> Iterator[Process]:
    port = free_port()
    lab.write(lab.file.read_text(encoding="utf-8") + RUNNING.format(port=port))
    process = Process(lab.command("run"), lab.environ(), port, folder)
    try:
        yield process
    finally:
        process.close()


@pytest.mark.slow
def test_a_running_daemon_takes_a_new_refresh_token_into_use_without_restart(lab: Lab, tmp_path: Path) -> None:
    assert lab.here("connect", "zoho", stdin=make_code(lab)).code == 0
    assert lab.here("plan").code == 0
    assert lab.here("guard", "release", "first_sync", "--reason", "seen").code == 0
    with daemon(lab, tmp_path) as running:
        running.until(lambda: running.lines("cycle_ended"))
        # Zoho's administrator takes the hub's access away: every token is dead.
        lab.zoho.admin.settings(registered_elsewhere="invalid_code")
        lab.zoho.admin.post("tokens", {"expire": True})
        hasten(lab.home)
        running.until(lambda: running.lines("system_paused"))
        lab.zoho.admin.settings(registered_elsewhere="")
        before = lab.zoho.admin.calls()["total"]
        assert lab.here("connect", "zoho", stdin=make_code(lab)).code == 0
        running.until(lambda: running.lines("system_resumed") or not lab.ask("schedule", "list")["pauses"])
        hasten(lab.home)
        running.until(lambda: lab.zoho.admin.calls()["total"] > before + 3)
        # While it runs well: a second authorisation, and the first one is taken away where nobody should use it now.
        first = kept_refresh_token(lab)
        assert lab.here("connect", "zoho", stdin=make_code(lab)).code == 0
        assert kept_refresh_token(lab) != first
        time.sleep(LOOK_AGAIN + 1)
        assert lab.zoho.admin.post("tokens", {"revoke": first})["revoked"] == 200
        seen = lab.zoho.admin.calls()
        hasten(lab.home)
        running.until(lambda: lab.zoho.admin.calls()["total"] > seen["total"] + 1)
        now = lab.zoho.admin.calls()
        assert now["statuses"].get("401", 0) == seen["statuses"].get("401", 0), "no call came with the old token"
        assert now["calls"].get("token", 0) == seen["calls"].get("token", 0), "no refresh was needed"
        assert running.stop() == 0


def kept_refresh_token(lab: Lab) -> str:
    hub = open_installation(lab.home)
    try:
        kept = SealedTokens(hub.store, "zoho").get("credential/refresh_token")
    finally:
        hub.close()
    return str(json.loads(kept or b"")["refresh_token"])
