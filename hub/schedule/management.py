"""The management address: how the daemon is, for a supervisor and a monitor; it takes nothing and shows no record."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

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
    alarms: tuple[str, ...] = ()
    """What somebody must look at, though work goes on."""

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
        body: dict[str, object] = {"ready": found.ready, "role": found.role, "reasons": reasons}
        if found.alarms:
            body["alarms"] = list(found.alarms)
        return JSONResponse(body, 200 if found.ready else 503)

    def metrics(request: Request) -> Response:
        return Response(page(), media_type=TEXT)

    routes = [Route(path, each, methods=["GET"]) for path, each in _paths(healthz, readyz, metrics)]
    return Starlette(routes=routes)


def _paths(*each: Callable[[Request], Response]) -> list[tuple[str, Callable[[Request], Response]]]:
    return list(zip(("/healthz", "/readyz", "/metrics"), each, strict=True))


Place = tuple[str, str]
MANAGEMENT: Place = ("daemon", "management")


class Listener:
    """Serves an address of the settings in a thread of its own."""

    def __init__(
        self, settings: Settings, app: ASGIApp, place: Place = MANAGEMENT, bounds: Mapping[str, Any] | None = None
    ) -> None:
        """Binds the address; `bounds` are further words to the server. Raises ConfigInvalid where it cannot be had."""
        host, _, port = _address(settings, place).rpartition(":")
        host = host.strip("[]")
        try:
            self._socket = socket.create_server(
                (host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET
            )
        except OSError as error:
            raise _taken(settings, place, error) from None
        words: dict[str, Any] = {"http": "httptools", **(bounds or {})}
        config = uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            **words,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name=place[1], daemon=True
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


def _address(settings: Settings, place: Place) -> str:
    section, key = place
    return str(getattr(getattr(settings, section), key))


def _taken(settings: Settings, place: Place, error: OSError) -> ConfigInvalid:
    reason, address, key = error.strerror or type(error).__name__, _address(settings, place), ".".join(place)
    line = line_in_settings(settings, *place)
    en = f"`{key}` {address} cannot be served: {reason}; free it, name another, or set null"
    zh = f"`{key}` {address} 无法监听：{reason}；请释放、改用其他地址，或设为 null"
    return ConfigInvalid([problem(settings.home / FILE, line, "HUB-CONF-001", en, zh)])
