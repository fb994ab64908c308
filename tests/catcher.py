"""A small HTTP server that keeps what is posted to it, where a test stands in the place of the hub's receiver."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Catcher:
    """Keeps bodies in the order in which they came; `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 204
        self.bodies: list[dict[str, Any]] = []
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                catcher.bodies.append(json.loads(raw))
                self.send_response(catcher.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def until(self, number: int, seconds: float = 120.0) -> list[dict[str, Any]]:
        """Waits until so many have come and returns them."""
        wait_for(lambda: len(self.bodies) >= number, seconds)
        return self.bodies


def wait_for(holds: Callable[[], object], seconds: float = 120.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


@contextmanager
def catching() -> Iterator[Catcher]:
    catcher = Catcher()
    thread = threading.Thread(target=catcher.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield catcher
    finally:
        catcher.server.shutdown()
        catcher.server.server_close()
        thread.join(10)
