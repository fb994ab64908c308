"""Every setting of a connection, over real TLS on loopback: from `config/hub.yaml` to what the server saw."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from tunnel import tunnelling

from connectors.base import WriteUnclear
from connectors.errors import PinMismatch, ProtocolViolation, RetryLater, SettingsInvalid, TooLarge
from connectors.http import HttpResponse
from hub.kernel.errors import ConfigInvalid
from hub.kernel.settings import Settings, load_settings
from hub.operations.configuration import check_configuration
from hub.outbound import open_service, post
from tests.unit.connectors.loopback import Handler, make_certificate, serving

HUB = """
profile: {profile}
installation: {{id: test, name: Test}}
store: {{url: "sqlite:///var/hub.db"}}
systems:
  one:
    kind: memory
    http: {http}
entities:
  customer: {{systems: [one]}}
"""


def hub(home: Path, http: str = "{}", profile: str = "lab") -> Settings:
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "hub.yaml").write_text(HUB.format(http=http, profile=profile), encoding="utf-8")
    return load_settings(home)


def send(settings: Settings, url: str, alarm: Callable[[str, str], None] = lambda *_: None) -> HttpResponse:
    """Sends one POST, which is never repeated, so that a failure is told at once."""
    return post(settings, "sink", url, content=b"x", transport=settings.systems["one"].http, alarm=alarm)


def pin_of(certificate: Path) -> str:
    key = load_pem_x509_certificate(certificate.read_bytes()).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "sha256/" + b64encode(sha256(spki).digest()).decode()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("backup"), "backup")


def test_a_service_is_reached_with_its_own_authority_and_no_other(tmp_path: Path, certificate: Path) -> None:
    with serving(certificate) as server:
        answer = send(hub(tmp_path, f"{{ca_bundle: {certificate}}}"), server.url)
        assert answer.status == 200
        assert server.requests[0][3] == b"x"
        with pytest.raises(ProtocolViolation, match="certificate does not hold"):
            send(hub(tmp_path), server.url)
        assert len(server.requests) == 1


def test_a_certificate_for_another_name_is_refused(tmp_path: Path, certificate: Path) -> None:
    settings = hub(tmp_path, f"{{ca_bundle: {certificate}}}")
    with serving(certificate) as server:
        with pytest.raises(ProtocolViolation, match="certificate does not hold"):
            send(settings, server.url.replace("127.0.0.1", "localhost"))
        assert server.requests == []


@pytest.mark.parametrize(
    ("http", "most", "reached"),
    [
        ("", ssl.TLSVersion.TLSv1_1, False),
        ("", ssl.TLSVersion.TLSv1_2, True),
        ("", ssl.TLSVersion.TLSv1_3, True),
        (", minimum_tls: '1.3'", ssl.TLSVersion.TLSv1_2, False),
        (", minimum_tls: '1.3'", ssl.TLSVersion.TLSv1_3, True),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_the_floor_of_tls(tmp_path: Path, certificate: Path, http: str, most: ssl.TLSVersion, reached: bool) -> None:
    spoken: list[str | None] = []

    def old(context: ssl.SSLContext) -> None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, most

    settings = hub(tmp_path, f"{{ca_bundle: {certificate}{http}}}")
    with serving(certificate, old) as server:
        server.script = [lambda handler: (spoken.append(handler.connection.version()), handler.reply(200))[1]]
        if reached:
            assert send(settings, server.url).status == 200
            assert spoken == [{ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[most]]
        else:
            with pytest.raises(WriteUnclear, match="TLS failed"):
                send(settings, server.url)
            assert server.requests == []


def test_a_client_certificate_is_shown_where_the_server_asks(tmp_path: Path, certificate: Path, backup: Path) -> None:
    def ask(context: ssl.SSLContext) -> None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(backup)
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # 1.3 tells of a missing certificate after the handshake only

    with serving(certificate, ask) as server:
        with pytest.raises(WriteUnclear):
            send(hub(tmp_path, f"{{ca_bundle: {certificate}}}"), server.url)
        assert server.requests == []
        settings = hub(tmp_path, f"{{ca_bundle: {certificate}, client_certificate: {backup}}}")
        assert send(settings, server.url).status == 200


def test_a_pinned_key_is_talked_to_and_any_other_is_an_alarm(tmp_path: Path, certificate: Path, backup: Path) -> None:
    other = "sha256/" + b64encode(os.urandom(32)).decode()
    alarms: list[tuple[str, str]] = []
    with serving(certificate) as server:
        held = hub(tmp_path, f"{{ca_bundle: {certificate}, pins: ['{pin_of(backup)}', '{pin_of(certificate)}']}}")
        assert send(held, server.url, lambda *told: alarms.append(told)).status == 200
        assert alarms == []
        broken = hub(tmp_path, f"{{ca_bundle: {certificate}, pins: ['{pin_of(backup)}', '{other}']}}")
        with pytest.raises(PinMismatch) as caught:
            send(broken, server.url, lambda *told: alarms.append(told))
        assert (caught.value.code, caught.value.retryable) == ("HUB-TLS-001", False)
        assert alarms == [("sink", "127.0.0.1")]
        assert len(server.requests) == 1


def hang_up(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("credentials", [None, "hub:planted-pass"])
@pytest.mark.parametrize("secured", [False, True], ids=["http", "https"])
def test_the_proxy_of_the_settings_carries_tls_end_to_end(
    tmp_path: Path, certificate: Path, secured: bool, credentials: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("PROXY_LOGIN", credentials or "unused")
    with serving(certificate) as server, tunnelling(credentials, certificate if secured else None) as tunnel:
        more = ", proxy_credentials: 'env:PROXY_LOGIN'" if credentials else ""
        settings = hub(
            tmp_path, f"{{ca_bundle: {certificate}, pins: ['{pin_of(certificate)}', '{'sha256/' + 'A' * 43 + '='}'], "
            f"proxy: '{tunnel.url}'{more}}}",
        )  # fmt: skip
        assert send(settings, server.url).status == 200
        port = server.server_address[1]
        assert [line.split()[:2] for line in tunnel.asked] == [["CONNECT", f"127.0.0.1:{port}"]]
        assert "Proxy-Authorization" not in server.requests[0][2]
        assert "planted-pass" not in repr(settings)


def test_proxy_credentials_that_are_missing_are_told_when_needed(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROXY_LOGIN", raising=False)
    with tunnelling() as tunnel:
        settings = hub(tmp_path, f"{{proxy: '{tunnel.url}', proxy_credentials: 'env:PROXY_LOGIN'}}")
        told = [item for item in check_configuration(tmp_path) if "proxy_credentials" in item.en]
        assert [(item.code, item.severity, item.line) for item in told] == [("HUB-CONF-003", "warning", 8)]
        with pytest.raises(SettingsInvalid, match="PROXY_LOGIN is not set"):
            send(settings, "https://127.0.0.1:9/")
        assert tunnel.asked == []


def test_a_proxy_that_refuses_is_no_way_around_it(tmp_path: Path, certificate: Path) -> None:
    with serving(certificate) as server, tunnelling("right:one") as tunnel:
        settings = hub(tmp_path, f"{{ca_bundle: {certificate}, proxy: '{tunnel.url}'}}")
        with pytest.raises(RetryLater, match="proxy opened no tunnel"):
            send(settings, server.url)
        assert server.requests == []


def test_a_write_that_went_through_the_tunnel_and_was_not_answered_is_unclear(
    tmp_path: Path, certificate: Path
) -> None:
    with serving(certificate) as server, tunnelling() as tunnel:
        server.script = [hang_up]
        settings = hub(tmp_path, f"{{ca_bundle: {certificate}, proxy: '{tunnel.url}'}}")
        with pytest.raises(WriteUnclear):
            send(settings, server.url)
        assert len(server.requests) == 1


def test_a_proxy_that_cannot_be_reached_let_nothing_leave(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings = hub(tmp_path, f"{{proxy: 'http://127.0.0.1:{unused.getsockname()[1]}'}}")
        with pytest.raises(RetryLater, match="proxy opened no tunnel"):
            send(settings, "https://127.0.0.1:9/")


def test_a_proxy_whose_certificate_does_not_hold_let_nothing_leave(
    tmp_path: Path, certificate: Path, backup: Path
) -> None:
    with serving(certificate) as server, tunnelling(certificate=backup) as tunnel:
        settings = hub(tmp_path, f"{{ca_bundle: {certificate}, proxy: '{tunnel.url}'}}")
        with pytest.raises(RetryLater, match="proxy opened no tunnel"):
            send(settings, server.url)
        assert (tunnel.asked, server.requests) == ([], [])


def test_answers_are_capped_once_they_are_unpacked(tmp_path: Path, certificate: Path) -> None:
    settings = hub(tmp_path, f"{{ca_bundle: {certificate}, max_body: 70000}}")
    with serving(certificate) as server:
        for octets, fits in ((b"x" * 70_000, True), (b"x" * 70_001, False)):
            for body, headers in ((octets, {}), (gzip.compress(octets), {"Content_Encoding": "gzip"})):
                server.script = [lambda handler, body=body, headers=headers: handler.reply(200, body, **headers)]
                if fits:
                    assert send(settings, server.url).body == octets
                else:
                    with pytest.raises(WriteUnclear, match="larger than 70000 bytes"):
                        send(settings, server.url)
                    with pytest.raises(TooLarge):
                        post(settings, "sink", server.url, transport=settings.systems["one"].http, repeatable=True)


def test_an_answer_that_does_not_come_ends_at_the_read_timeout(tmp_path: Path, certificate: Path) -> None:
    settings = hub(tmp_path, f"{{ca_bundle: {certificate}, read_timeout: 0.05, connect_timeout: 10.0}}")
    with serving(certificate) as server:
        client = open_service(settings, "sink", server.url, settings.systems["one"].http)
        server.script = [lambda handler: handler.rfile.read(1)]  # waits for a byte that never comes
        with pytest.raises(WriteUnclear, match="no answer in time"):
            client.send("GET", server.url, operation="x", read=False)
        client.close()


def test_an_answer_that_drips_ends_at_the_deadline(tmp_path: Path, certificate: Path) -> None:
    settings = hub(tmp_path, f"{{ca_bundle: {certificate}, deadline: 0.2}}")

    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        with suppress(OSError):
            while True:
                handler.wfile.write(b" ")
                time.sleep(0.02)

    with serving(certificate) as server:
        server.script = [drip]
        with pytest.raises(WriteUnclear, match="no complete answer within 0.2 s"):
            send(settings, server.url)


def test_redirects_are_answers(tmp_path: Path, certificate: Path) -> None:
    settings = hub(tmp_path, f"{{ca_bundle: {certificate}}}")
    with serving(certificate) as server:
        server.script = [lambda handler: handler.reply(307, Location=f"{server.url}/elsewhere")]
        assert send(settings, server.url).status == 307
        assert len(server.requests) == 1


def test_a_service_reaches_its_own_host_and_port_only(tmp_path: Path) -> None:
    client = open_service(hub(tmp_path, profile="production"), "idp", "https://idp.bank.example:8443/x")
    for url in ("https://idp.bank.example/", "https://other.bank.example:8443/", "http://idp.bank.example:8443/"):
        with pytest.raises(SettingsInvalid):
            client.send("GET", url, operation="x", read=True)


@pytest.mark.parametrize(
    "http",
    [
        "{verify: false}", "{ca_bundle: false}", "{ca_bundle: 1}", "{minimum_tls: '1.1'}", "{minimum_tls: 1.2}",
        "{max_body: 0}", "{max_body: 2000000000}", "{deadline: 0}", "{deadline: .inf}", "{connect_timeout: -1}",
        "{read_timeout: .nan}", "{pins: ['sha256/short']}", f"{{pins: ['sha256/{'A' * 43}=']}}",
        f"{{pins: ['sha256/{'A' * 43}=', 'sha256/{'A' * 43}=']}}", "{proxy: 'http://user:secret@proxy.bank:3128'}",
        "{proxy: 'proxy.bank:3128'}", "{proxy: 'socks5://proxy.bank:1080'}", "{proxy: 'http://proxy.bank'}",
        "{proxy: 'http://proxy.bank:99999'}", "{proxy_credentials: 'user:secret'}",
        "{approved_networks: ['0.0.0.0/0']}", "{approved_networks: ['127.0.0.0/8']}",
        "{approved_networks: ['169.254.0.0/16']}", "{approved_networks: ['100.64.0.0/10']}",
        "{approved_networks: ['10.0.0.1/8']}", "{approved_networks: ['::/0']}",
        "{trust_env: true}", "{allow_redirects: true}",
    ],
)  # fmt: skip
def test_settings_that_would_weaken_a_connection_are_refused_with_their_line(tmp_path: Path, http: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        hub(tmp_path, http)
    found = caught.value.problems
    assert {item.line for item in found} == {8}, found
    assert all(item.en and item.zh for item in found)
    assert "secret" not in str(caught.value).replace("a secret itself", "")
