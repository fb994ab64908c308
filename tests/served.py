"""Serves a simulator from a thread of the test's own process, which starts in no time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp


@contextmanager
def serve_here(app: ASGIApp) -> Iterator[str]:
    """Serves an application on a free port of the loopback and yields its base URL."""
    config = uvicorn.Config(
        app, port=0, http="httptools", ws="none", lifespan="off", log_level="warning", date_header=False
    )
    listening = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            listening.set()

    server = Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert listening.wait(20)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = server.force_exit = True
    thread.join(20)
