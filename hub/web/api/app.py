"""Makes the application of the REST API from the table of routes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from hub.kernel.settings import Settings
from hub.operations.installation import Installation
from hub.web.api import problems
from hub.web.api.gate import gate
from hub.web.api.routes import PREFIX, ROUTES, Route, described
from hub.web.api.shield import Shield

MODULES = ("signin", "sessions", "tokens")
_NO_BRACES = str.maketrans("/-", "__", "{}")
_PORTS = {"https": 443, "http": 80}


def routes() -> dict[tuple[str, str], Route]:
    """Returns every route of the API."""
    for name in MODULES:
        import_module(f"hub.web.api.{name}")
    return ROUTES


def make_api(settings: Settings, opened: Callable[[], Installation]) -> ASGIApp:
    """Makes the API of an installation; `opened` returns it, and may raise while its store is away."""
    app = FastAPI(title="crmhub", version="1", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    problems.install(app)
    for found in routes().values():
        app.add_api_route(
            f"{PREFIX}{found.path}",
            found.handler,
            methods=[found.method],
            status_code=found.status,
            summary=f"{found.help.en} · {found.help.zh}",
            operation_id=f"{found.method.lower()}{found.path.translate(_NO_BRACES)}",
            dependencies=[Depends(gate(found, opened))],
            openapi_extra=dict(described(found)),
        )
    return Shield(app, hosts_of(settings), secure=(settings.web.origin or "").startswith("https"))


def hosts_of(settings: Settings) -> frozenset[str]:
    """Returns what a request may name as its host: that of `web.public_url`."""
    parts = urlsplit(settings.web.public_url or "")
    name = parts.netloc.lower()
    plain = f"{parts.hostname}:{_PORTS.get(parts.scheme, 0)}"
    return frozenset({name} if parts.port else {name, plain})
