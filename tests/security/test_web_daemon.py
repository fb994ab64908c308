"""`crmhub run` serves the API by TLS on its own address, and neither there nor elsewhere what belongs elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from web_lab import free_port, make_web_home

from hub.app import initialise
from hub.kernel.errors import ConfigInvalid
from hub.kernel.settings import FILE, load_settings
from hub.web.api.app import bounds_of


def make_certificate(file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    file.chmod(0o600)


def served(home: Path, port: int, **web: object) -> None:
    make_web_home(home, port, public_url=f"https://127.0.0.1:{port}", certificate="keys/web.pem", **web)
    make_certificate(home / "keys" / "web.pem")


def test_the_daemon_serves_the_api_by_tls_and_apart(tmp_path: Path) -> None:
    home, port, managed = tmp_path / "hub", free_port(), free_port()
    served(home, port)
    text = (home / FILE).read_text(encoding="utf-8")
    (home / FILE).write_text(text.replace('"web"', f'"daemon": {{"management": "127.0.0.1:{managed}"}}, "web"'))
    daemon = subprocess.Popen(
        [sys.executable, "-m", "hub", "run", "--home", str(home)], stderr=subprocess.PIPE, env={**os.environ}
    )
    url, trusted = f"https://127.0.0.1:{port}", str(home / "keys" / "web.pem")
    try:
        answer = _until_answered(f"{url}/api/v1/session", trusted, daemon)
        assert (answer.status_code, answer.json()["code"]) == (401, "HUB-SIGNIN-003")
        assert answer.headers["strict-transport-security"].startswith("max-age=63072000")
        for path in ("/metrics", "/healthz", "/", "/docs", "/openapi.json"):
            assert requests.get(f"{url}{path}", verify=trusted, timeout=20).status_code == 404
        assert requests.get(f"http://127.0.0.1:{managed}/api/v1/session", timeout=20).status_code == 404
    finally:
        daemon.send_signal(signal.SIGTERM)
        said = daemon.communicate(timeout=120)[1].decode()
    assert daemon.returncode == 0, said


def _until_answered(url: str, trusted: str, daemon: subprocess.Popen[bytes]) -> requests.Response:
    """Waits until the hub is open: before that the API says that it is opening."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert daemon.poll() is None
        try:
            answer = requests.get(url, verify=trusted, timeout=20)
        except requests.ConnectionError:
            time.sleep(0.2)
            continue
        if answer.status_code != 503:
            return answer
        time.sleep(0.2)
    raise AssertionError("the API never answered")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"public_url": None}, "`web.listen` needs `web.public_url`"),
        ({"public_url": "http://hub.example.com"}, "`web.public_url` is not https"),
        ({"profile": "production", "listen": "0.0.0.0:9480"}, "without TLS"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "network"),
        ({"sessions": 3}, "at most 2"),
        ({"oidc": {"issuer": "http://sso.example.com", "client_id": "x"}}, "`web.oidc.issuer` is not https"),
        ({"oidc": {"issuer": "https://sso.example.com", "client_id": "x", "client_secret": "plain"}}, "reference"),
    ],
    ids=str,
)
def test_settings_that_leave_a_door_open_are_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    web = {"listen": "127.0.0.1:9480", "public_url": "https://hub.example.com"}
    profile = change.pop("profile", "lab")
    web = {name: value for name, value in {**web, **change}.items() if value is not None}  # type: ignore[dict-item]
    content = {
        "profile": profile,
        "installation": {"id": "lab", "name": "Lab"},
        "store": {"url": "sqlite:///var/hub.db"},
        "systems": {"alpha": {"kind": "memory"}},
        "entities": {"customer": {"systems": ["alpha"]}},
        "web": web,
    }
    (tmp_path / "config").mkdir()
    (tmp_path / FILE).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigInvalid, match=said):
        load_settings(tmp_path)


def test_the_shipped_example_holds(tmp_path: Path) -> None:
    home = initialise(tmp_path / "hub")
    text = (home / FILE).read_text(encoding="utf-8")
    block = text[text.index("# web:") :].partition("\n\n")[0]
    example = "\n".join(line.removeprefix("# ") for line in block.splitlines())
    (home / FILE).write_text(f"{text}\n{example}\n", encoding="utf-8")
    assert load_settings(home).web.origin == "https://hub.example.com"


def test_a_certificate_that_cannot_be_used_is_said_before_anything_is_served(tmp_path: Path) -> None:
    served(tmp_path / "hub", free_port())
    settings = load_settings(tmp_path / "hub")
    assert bounds_of(settings)["ssl_certfile"].endswith("web.pem")
    (tmp_path / "hub" / "keys" / "web.pem").write_text("no certificate")
    with pytest.raises(ConfigInvalid, match=r"`web\.certificate` cannot be used"):
        bounds_of(settings)
