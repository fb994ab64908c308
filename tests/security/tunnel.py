"""A forward proxy on loopback that opens tunnels (CONNECT), notes what it was asked for, and may ask for a password."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Tunnel:
    def __init__(self, credentials: str | None = None, certificate: Path | None = None) -> None:
        self._expected = credentials and "Basic " + base64.b64encode(credentials.encode()).decode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[str] = []

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def close(self) -> None:
        # close() alone does not wake a thread that waits in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _tunnel(self, client: socket.socket) -> None:
        if self._context is not None:
            try:
                client = self._context.wrap_socket(client, server_side=True)
            except OSError:
                return
        head = b""
        while not head.endswith(b"\r\n\r\n") and (byte := client.recv(1)):
            head += byte
        lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        self.asked.append(lines[0])
        if self._expected is not None and headers.get("Proxy-Authorization") != self._expected:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            client.close()
            return
        # Every name leads to this machine here, as the test's server stands nowhere else.
        server = socket.create_connection(("127.0.0.1", int(lines[0].split()[1].rpartition(":")[2])))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        copy_both(client, server)


def copy_both(one: socket.socket, other: socket.socket) -> None:
    """Copies between two connections until both have ended."""
    back = threading.Thread(target=_copy, args=(other, one), daemon=True)
    back.start()
    _copy(one, other)
    back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while octets := source.recv(65536):
            target.sendall(octets)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def tunnelling(credentials: str | None = None, certificate: Path | None = None) -> Iterator[Tunnel]:
    """Runs a proxy for the block, which itself speaks TLS when given a PEM file with certificate and key."""
    tunnel = Tunnel(credentials, certificate)
    thread = threading.Thread(target=tunnel.serve, daemon=True)
    thread.start()
    try:
        yield tunnel
    finally:
        tunnel.close()
        thread.join()
