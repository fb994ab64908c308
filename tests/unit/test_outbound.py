"""A connector gets its own secrets, tokens and locks, and goes only where the profile allows."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from connectors import registry
from connectors.base import ConnectorContext
from connectors.errors import SettingsInvalid
from connectors.machine import FileLocks
from hub.kernel.clock import SystemClock
from hub.kernel.ids import Uuid7
from hub.kernel.settings import load_settings
from hub.outbound import Outbound

HUB_YAML = """
profile: {profile}
installation: {{id: test, name: Test}}
store: {{url: "sqlite:///var/hub.db"}}
systems:
  one: {{kind: probe, credentials: {{app_secret: "env:CRMHUB_PROBE_SECRET"}}, settings: {{colour: red}}}}
  two: {{kind: probe}}
  three: {{kind: probe, credentials: {{grant: stored}}}}
entities:
  customer: {{systems: [one, two]}}
"""


class Probe:
    """Is a connector that only shows what it was given."""

    kind = "probe"
    allowed_hosts = ("api.vendor.example",)

    def __init__(self, settings: Mapping[str, Any], context: ConnectorContext) -> None:
        self.settings, self.context, self.closed = settings, context, False

    def close(self) -> None:
        self.closed = True


class Tokens:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    def get(self, system: str, name: str) -> bytes | None:
        return self.kept.get((system, name))

    def put(self, system: str, name: str, value: bytes) -> None:
        self.kept[system, name] = value


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the test output quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch, profile: str = "lab") -> Outbound:
    monkeypatch.setitem(registry.SHIPPED, "probe", f"{__name__}:Probe")  # type: ignore[arg-type]
    (folder / "config").mkdir()
    (folder / "config" / "hub.yaml").write_text(HUB_YAML.format(profile=profile), encoding="utf-8")
    clock = SystemClock()
    return Outbound(load_settings(folder), clock=clock, new_id=Uuid7(clock), tokens=Tokens())


def probe(outbound: Outbound, system: str) -> Probe:
    connector = outbound.open(system)
    assert isinstance(connector, Probe)
    return connector


def test_connector_gets_its_own_settings_secrets_and_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRMHUB_PROBE_SECRET", "open-sesame")
    with opened(tmp_path, monkeypatch) as outbound:
        one, two = probe(outbound, "one"), probe(outbound, "two")
        assert one.settings == {"colour": "red"}
        assert one.context.secret("app_secret") == "open-sesame"
        assert "open-sesame" not in repr(one.context)
        one.context.tokens.put("access", b"1")
        assert (one.context.tokens.get("access"), two.context.tokens.get("access")) == (b"1", None)
        fresh = one.context.new_id()
        assert len(fresh) == 32
        assert int(fresh, 16) > 0
    assert one.closed
    assert two.closed


def test_a_stored_credential_is_read_anew_each_time_and_missed_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path, monkeypatch) as outbound:
        three = probe(outbound, "three")
        with pytest.raises(SettingsInvalid, match="crmhub connect three"):
            three.context.secret("grant")
        for value in (b"first", b"second"):
            three.context.tokens.put("credential/grant", value)
            assert three.context.secret("grant") == value.decode()
        assert "second" not in repr(three.context)
        with pytest.raises(SettingsInvalid):
            probe(outbound, "two").context.secret("grant")


@pytest.mark.parametrize("name", ["app_secret", "refresh_token"])
def test_absent_secret_names_system_and_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("CRMHUB_PROBE_SECRET", raising=False)
    with (
        opened(tmp_path, monkeypatch) as outbound,
        pytest.raises(SettingsInvalid, match=rf"one: credentials\.{name}"),
    ):
        probe(outbound, "one").context.secret(name)


def test_unknown_system_is_refused_with_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path, monkeypatch) as outbound, pytest.raises(SettingsInvalid, match="one, two, three"):
        outbound.open("four")


def test_lab_reaches_this_machine_and_calls_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    with opened(tmp_path, monkeypatch) as outbound:
        http = probe(outbound, "one").context.http
        assert http.send("GET", url, operation="list", read=True).status == 200
        assert http.send("GET", url, operation="list", read=True).json() == {}
        outbound.open("two")
        assert outbound.calls() == {"one": {"list": 2}, "two": {}}


def test_production_reaches_neither_this_machine_nor_a_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    with opened(tmp_path, monkeypatch, "production") as outbound:
        http = probe(outbound, "one").context.http
        for address in (url, "https://stranger.example/"):
            with pytest.raises(SettingsInvalid):
                http.send("GET", address, operation="list", read=True)


def test_lock_admits_one_thread(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "locks")
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            with locks("one:token"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_other_names_do_not_wait(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "locks")
    with locks("one:token"), locks("two:token"):
        assert len(list((tmp_path / "locks").iterdir())) == 2


def test_lock_of_a_killed_process_is_free_and_not_before(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from connectors.machine import FileLocks\n"
        "with FileLocks(Path(sys.argv[1]))('one:token'): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    entered = threading.Event()

    def enter() -> None:
        with FileLocks(tmp_path)("one:token"):
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.wait(0.2)
    holder.kill()
    holder.communicate()
    waiting.join(timeout=30)
    assert entered.is_set()
