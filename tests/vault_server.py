"""A stand-in of ours for the Transit engine of Vault over real HTTP, since no Vault runs where the tests do.

It follows the public HTTP API: read a key, encrypt and decrypt with `associated_data` and `key_version`; the errors
are worded as Vault words them. What it proves is our half of the exchange, not Vault's.
"""

from __future__ import annotations

import json
import os
import re
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_PATH = re.compile(r"/v1/transit/(keys|encrypt|decrypt)/([^/]+)")
_CIPHERTEXT = re.compile(r"vault:v(\d+):(.*)", re.S)


class Refused(Exception):
    """Is an answer other than 200."""

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(status)
        self.status, self.errors = status, list(errors)


class Transit(ThreadingHTTPServer):
    """Holds keys by name, each version of one in a list; `sealed`, `token` and `hold` change how it answers."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: dict[str, list[AESGCM]] = {}
        self.token, self.sealed, self.oldest = "hvs.test", False, 1
        self.kind = "aes256-gcm96"
        self.hold = threading.Event()
        self.hold.set()
        self.seen: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def rotate(self, name: str) -> None:
        self.keys.setdefault(name, []).append(AESGCM(os.urandom(32)))

    def answer(self, act: str, name: str, body: Any) -> dict[str, Any]:
        versions = self.keys.get(name)
        if versions is None:
            raise Refused(404) if act == "keys" else Refused(400, "encryption key not found")
        if act == "keys":
            return {
                "type": self.kind,
                "latest_version": len(versions),
                "min_decryption_version": self.oldest,
                "min_encryption_version": 0,
                "derived": False,
                "exportable": False,
                "supports_encryption": True,
            }
        aad = b64decode(body.get("associated_data", ""))
        if act == "encrypt":
            version, nonce = int(body.get("key_version") or len(versions)), os.urandom(12)
            sealed = nonce + versions[version - 1].encrypt(nonce, b64decode(body["plaintext"]), aad)
            return {"ciphertext": f"vault:v{version}:{b64encode(sealed).decode()}", "key_version": version}
        return {"plaintext": b64encode(self._decrypt(versions, body["ciphertext"], aad)).decode()}

    def _decrypt(self, versions: list[AESGCM], ciphertext: str, aad: bytes) -> bytes:
        found = _CIPHERTEXT.fullmatch(ciphertext)
        if found is None:
            raise Refused(400, "invalid ciphertext: no prefix")
        version = int(found[1])
        if version > len(versions):
            raise Refused(400, "invalid ciphertext: version is too new")
        if version < self.oldest:
            raise Refused(400, "ciphertext or signature version is disallowed by policy (too old)")
        try:
            sealed = b64decode(found[2], validate=True)
        except ValueError:
            raise Refused(400, "invalid ciphertext: could not decode base64") from None
        if len(sealed) < 12:
            raise Refused(400, "invalid ciphertext length")
        try:
            return versions[version - 1].decrypt(sealed[:12], sealed[12:], aad)
        except InvalidTag:
            raise Refused(400, "cipher: message authentication failed") from None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 14
    server: Transit

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.seen.append(dict(self.headers))
        self.server.hold.wait(60)
        try:
            status, answer = 200, {"data": self._data(content)}
        except Refused as refused:
            status, answer = refused.status, {"errors": refused.errors}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _serve  # noqa: N815

    def _data(self, content: bytes) -> dict[str, Any]:
        if self.server.sealed:
            raise Refused(503, "Vault is sealed")
        if self.headers.get("X-Vault-Token") != self.server.token:
            raise Refused(403, "permission denied")
        found = _PATH.fullmatch(self.path)
        if found is None or (self.command == "GET") != (found[1] == "keys"):
            raise Refused(404)
        return self.server.answer(found[1], found[2], json.loads(content) if content else {})

    def log_message(self, format: str, *args: object) -> None:
        """Stays silent."""


@contextmanager
def serving_transit() -> Iterator[Transit]:
    """Runs a stand-in for the block, with a key `crmhub` and a key `other`."""
    server = Transit()
    server.rotate("crmhub")
    server.rotate("other")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
