"""The way to PostgreSQL on another host: refused without `verify-full`, and libpq's own check over real TLS.

The server of the wheel is built without TLS. A front on loopback speaks TLS as a server does (SSLRequest, then the
handshake) and hands the bytes to the real server behind it.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from tunnel import copy_both

from hub.kernel.errors import StoreUnavailable
from hub.kernel.settings_check import cross_check
from hub.store.database import open_engine, store_errors
from tests.unit.connectors.loopback import make_certificate

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


def refused(url: str, profile: str = "production") -> bool:
    found = list(cross_check({"profile": profile, "store": {"url": f"postgresql+psycopg://{url}"}}))
    assert all(place == ("store", "url") and text.en and text.zh for place, text in found)
    return bool(found)


@pytest.mark.parametrize(
    "url",
    [
        "hub@db.bank.example/hub", "hub@10.1.2.3/hub", "hub@db/hub?sslmode=require", "hub@db/hub?sslmode=verify-ca",
        "hub@db/hub?sslmode=verify-full&sslmode=disable", "hub@db/hub?application_name=sslmode=verify-full",
        "hub@/hub?host=db.bank.example", "hub@localhost/hub?host=db", "hub@localhost/hub?hostaddr=10.1.2.3",
        "hub@localhost,db/hub", "hub@localhost:5432,10.1.2.3/hub", "hub@127.0.0.1.bank.example/hub",
        "hub@127.1.evil/hub",
        "hub@/hub?service=elsewhere", "hub@localhost@db/hub", "hub@/hub?host=/run/postgresql,db", "hub@0.0.0.0/hub",
        "hub@%64b/hub",
    ],
)  # fmt: skip
def test_another_host_without_verification_is_refused_in_production(url: str) -> None:
    assert refused(url)
    assert not refused(url, "lab")


@pytest.mark.parametrize(
    "url",
    [
        "hub@db.bank.example/hub?sslmode=verify-full", "hub@db,db2/hub?sslmode=verify-full&sslrootcert=ca.pem",
        "hub@localhost/hub", "hub@127.0.0.1:5432/hub", "hub@[::1]/hub", "hub@/hub?host=/run/postgresql", "hub@/hub",
    ],
)  # fmt: skip
def test_this_machine_and_verified_hosts_are_admitted(url: str) -> None:
    assert not refused(url)


@contextmanager
def tls_front(postgres: PostgresServer, certificate: Path | None) -> Iterator[int]:
    """Serves the database on a port, over TLS where there is a certificate, and refusing TLS where there is none."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=answer, args=(client,), daemon=True).start()

    def answer(client: socket.socket) -> None:
        with suppress(OSError):
            assert client.recv(8) == SSL_REQUEST
            if certificate is None:
                client.sendall(b"N")
                return
            client.sendall(b"S")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            secured = context.wrap_socket(client, server_side=True)
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(postgres.folder / ".s.PGSQL.5432"))
            copy_both(secured, server)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def ask(url: str) -> object:
    engine = open_engine(url)
    try:
        with store_errors(), engine.connect() as conn:
            return conn.exec_driver_sql("SELECT 40 + 2").scalar()
    finally:
        engine.dispose()


@pytest.mark.postgres
def test_the_servers_certificate_is_checked_by_name_and_authority(postgres: PostgresServer, tmp_path: Path) -> None:
    certificate, stranger = make_certificate(tmp_path), make_certificate(tmp_path, "stranger")
    with tls_front(postgres, certificate) as port:
        url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres?sslmode=verify-full"
        assert ask(f"{url}&sslrootcert={certificate}") == 42
        for wrong in (
            f"{url}&sslrootcert={stranger}",
            f"{url.replace('127.0.0.1', 'localhost')}&sslrootcert={certificate}",
        ):
            with pytest.raises(StoreUnavailable, match="certificate of the database server does not hold"):
                ask(wrong)
    with tls_front(postgres, None) as port, pytest.raises(StoreUnavailable, match="offers no TLS"):
        ask(f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres?sslmode=verify-full&sslrootcert={certificate}")
