"""Checkpoints and entries reach what lies outside the database: in order, at least once, however long it was away."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import audit_lab
import orjson
import pytest
from audit_lab import HandClock, act, opened
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.app import open_installation
from hub.audit.note import Note, parse
from hub.audit.syslog import anchors_in
from hub.operations import anchoring, auditing, checkpointing
from hub.operations.health import examine
from hub.operations.installation import Installation
from hub.store.vault import audit_rows


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return audit_lab.make_home(tmp_path / "hub")


def sign(hub: Installation, rows: int = 2) -> None:
    act(hub, rows)
    checkpointing.make_checkpoint(hub)
    anchoring.deliver(hub)


class Syslog:
    """Is a syslog server that keeps messages as they come, split by their lengths."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        kept = self.kept = list[str]()

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                wire = self.request if context is None else context.wrap_socket(self.request, server_side=True)
                stream = wire.makefile("rb")
                while digits := stream_until_blank(stream):
                    kept.append(stream.read(int(digits)).decode())

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def stream_until_blank(stream: object) -> bytes:
    digits = b""
    while (byte := stream.read(1)) not in (b"", b" "):  # type: ignore[attr-defined]
        digits += byte
    return digits


def certificate(folder: Path) -> ssl.SSLContext:
    """Makes a certificate for 127.0.0.1 that is its own authority; `ca.pem` is what the hub trusts."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "log")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


@contextmanager
def posts(status: int = 200) -> Iterator[tuple[int, list[tuple[str | None, str]]]]:
    """Serves an address that keeps what is posted."""
    kept: list[tuple[str | None, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.append((self.headers["Authorization"], body.decode()))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server.server_address[1], kept
    finally:
        server.shutdown()
        server.server_close()


def sizes(texts: list[str]) -> list[int]:
    return [parse(anchors_in(text) or "").checkpoint.size for text in texts]


def test_a_file_gets_every_checkpoint_and_proves_the_log(home: Path) -> None:
    outside = home / "outside.txt"
    audit_lab.set_up(home, audit=f"{{sinks: {{copy: {{kind: file, path: {outside}}}}}}}")
    with opened(home, HandClock()) as hub:
        assert anchoring.standing(hub).unanchored
        sign(hub)
        # A crash in the middle of a note leaves half of it behind.
        outside.write_text(outside.read_text() + "bank/crmhub/x/1\n12\nAAAA")
        sign(hub)
        sign(hub)
        found = anchoring.standing(hub)
        assert (found.unanchored, found.alarms) == (False, ())
        notes = [note for note in auditing.read_anchor(outside) if isinstance(note, Note)]
        assert [note.checkpoint.size for note in notes] == [2, 4, 6]
        report = auditing.examine(hub, full=True)
        assert (report.exit_code, report.unanchored) == (auditing.OK, False)
    assert outside.stat().st_mode & 0o007 == 0


def test_syslog_over_tls_and_what_it_kept_is_an_anchor(home: Path) -> None:
    server = Syslog(certificate(home))
    address = f"127.0.0.1:{server.port}"
    audit_lab.set_up(home, audit=f"{{sinks: {{log: {{kind: syslog, address: '{address}', ca_bundle: ca.pem}}}}}}")
    try:
        with opened(home, HandClock()) as hub:
            sign(hub)
            sign(hub)
            assert sizes(server.kept) == [2, 4]
            assert server.kept[0].startswith("<110>1 - ")
            stored = home / "messages.log"
            stored.write_text("".join(f"Sep 21 host {line}\n" for line in server.kept))
            assert auditing.examine(hub, from_anchor=stored, full=True).exit_code == auditing.OK
    finally:
        server.stop()


def test_a_server_with_another_certificate_gets_nothing(home: Path) -> None:
    server = Syslog(certificate(home))
    audit_lab.set_up(home, audit=f"{{sinks: {{log: {{kind: syslog, address: '127.0.0.1:{server.port}'}}}}}}")
    try:
        with opened(home, HandClock()) as hub:
            sign(hub)
            found = anchoring.standing(hub)
            assert (found.unanchored, found.sinks[0].code, server.kept) == (True, "HUB-AUDIT-004", [])
    finally:
        server.stop()


def test_an_address_gets_checkpoints_with_its_token(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_ANCHOR", "s3cret-anchor-token")
    with posts() as (port, kept):
        url = f"http://127.0.0.1:{port}/anchors"
        audit_lab.set_up(home, audit=f"{{sinks: {{post: {{kind: https, url: '{url}', token: env:LAB_ANCHOR}}}}}}")
        with opened(home, HandClock()) as hub:
            sign(hub)
            sign(hub)
    assert [token for token, _ in kept] == ["Bearer s3cret-anchor-token"] * 2
    assert sizes([body for _, body in kept]) == [2, 4]


def test_a_sink_that_was_away_gets_all_in_order_and_is_an_alarm_meanwhile(home: Path) -> None:
    away = home / "mount" / "checkpoints.txt"
    audit_lab.set_up(home, audit=f"{{sinks: {{worm: {{kind: file, path: {away}}}}}}}")
    clock = HandClock()
    with opened(home, clock) as hub:
        for _ in range(4):
            sign(hub)
            clock.sleep(300)
        found = anchoring.standing(hub)
        assert found.alarms == ("audit_sink_late",)
        assert found.sinks[0].lag > anchoring.LATE
        assert [f.exit_code for f in examine(home, lambda: hub_again(home, clock)) if f.name == "anchors"] == [5]
        away.parent.mkdir()
        clock.sleep(anchoring.LONGEST)
        anchoring.deliver(hub)
        assert anchoring.standing(hub).alarms == ()
        notes = [note for note in auditing.read_anchor(away) if isinstance(note, Note)]
        signed = [note.checkpoint.size for note in notes]
        assert signed == sorted(signed)
        assert len(signed) == 4
        with hub.store.read() as conn:
            acts = [orjson.loads(row[2])["act"] for row in audit_rows(conn)]
        assert acts.count("audit.sink_away") == acts.count("audit.sink_back") == 1


def hub_again(home: Path, clock: HandClock) -> Installation:
    return open_installation(home, clock=clock)


def test_a_production_profile_without_an_anchor_fails_the_doctor(tmp_path: Path) -> None:
    home = audit_lab.make_home(tmp_path / "bank", profile="production")
    found = [item for item in examine(home, lambda: hub_again(home, HandClock())) if item.name == "anchors"]
    assert [(item.ok, item.exit_code) for item in found] == [(False, 5)]
    assert "UNANCHORED" in found[0].en


def test_a_siem_gets_every_entry_as_cef_and_goes_on_where_it_was(home: Path) -> None:
    audit_lab.set_up(home, audit="{sinks: {siem: {kind: siem, address: '127.0.0.1:9', tls: false}}}")
    clock = HandClock()
    with opened(home, clock) as hub:
        act(hub, 3, about="a|b=c\\", reason="x=y|z")
        anchoring.deliver(hub)  # nobody listens there
        server = Syslog()
        address = f"127.0.0.1:{server.port}"
    audit_lab.set_up(home, audit=f"{{sinks: {{siem: {{kind: siem, address: '{address}', tls: false}}}}}}")
    try:
        clock.sleep(anchoring.LONGEST)
        with opened(home, clock) as hub:
            anchoring.deliver(hub)
            act(hub, 2)
            anchoring.deliver(hub)
            assert anchoring.standing(hub).unanchored, "entries in a SIEM are no anchor"
        numbers = [int(line.partition(" cn1=")[2].split()[0]) for line in server.kept]
        assert sorted(set(numbers)) == list(range(max(numbers) + 1)), "at least once, no gap"
        assert numbers == sorted(numbers)
        first = server.kept[0]
        assert first.startswith("<110>1 2026-")
        assert "CEF:0|crmhub|crmhub|" in first
        assert "|record.edit|record.edit|3|" in first
        assert "reason=x\\=y|z " in first
        assert "customer a|b\\=c\\\\0" in first
    finally:
        server.stop()
