"""The management address: how the daemon is, for a supervisor and a monitor; it takes nothing and shows no record."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.kernel.errors import ConfigInvalid, problem
from hub.kernel.settings import FILE, Settings, line_in_settings

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Health:
    """Is how the daemon is: alive while it looks round in time, ready unless there are reasons, which are codes.

    `role` says whether it leads or stands by; who stands by is ready to take over.
    """

    alive: bool
    reasons: tuple[str, ...]
    seconds_since_tick: float
    role: str

    @property
    def ready(self) -> bool:
        return self.alive and not self.reasons


def make_app(health: Callable[[], Health], page: Callable[[], bytes]) -> Starlette:
    """Makes the three answers; every other path and method is refused."""

    def healthz(request: Request) -> Response:
        found = health()
        body = {"alive": found.alive, "seconds_since_tick": round(found.seconds_since_tick, 1)}
        return JSONResponse(body, 200 if found.alive else 503)

    def readyz(request: Request) -> Response:
        found = health()
        reasons = list(found.reasons) if found.alive else ["not_ticking", *found.reasons]
        body = {"ready": found.ready, "role": found.role, "reasons": reasons}
        return JSONResponse(body, 200 if found.ready else 503)

    def metrics(request: Request) -> Response:
        return Response(page(), media_type=TEXT)

    routes = [Route(path, each, methods=["GET"]) for path, each in _paths(healthz, readyz, metrics)]
    return Starlette(routes=routes)


def _paths(*each: Callable[[Request], Response]) -> list[tuple[str, Callable[[Request], Response]]]:
    return list(zip(("/healthz", "/readyz", "/metrics"), each, strict=True))


class Management:
    """Serves the management address in a thread of its own."""

    def __init__(self, settings: Settings, app: Starlette) -> None:
        """Binds the address of the settings. Raises ConfigInvalid where it cannot be had."""
        host, _, port = str(settings.daemon.management).rpartition(":")
        host = host.strip("[]")
        try:
            self._socket = socket.create_server(
                (host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET
            )
        except OSError as error:
            raise _taken(settings, error) from None
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="management", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Stops serving."""
        self._server.should_exit = True
        self._thread.join(5)
        self._socket.close()


def _taken(settings: Settings, error: OSError) -> ConfigInvalid:
    reason, place = error.strerror or type(error).__name__, settings.daemon.management
    line = line_in_settings(settings, "daemon", "management")
    en = f"`daemon.management` {place} cannot be served: {reason}; free it, name another, or set null"
    zh = f"`daemon.management` {place} 无法监听：{reason}；请释放、改用其他地址，或设为 null"
    return ConfigInvalid([problem(settings.home / FILE, line, "HUB-CONF-001", en, zh)])
