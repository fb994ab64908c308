"""Makes the application of the REST API from the table of routes."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from hub.kernel.errors import ConfigInvalid, problem
from hub.kernel.settings import FILE, Settings, line_in_settings
from hub.operations.installation import Installation
from hub.web.api import problems
from hub.web.api.gate import gate
from hub.web.api.routes import PREFIX, ROUTES, Route, described
from hub.web.api.shield import Shield

MODULES = ("signin", "sessions", "tokens", "oidc")
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


def bounds_of(settings: Settings) -> dict[str, Any]:
    """Returns what the server is told beside the application. Raises ConfigInvalid for a certificate of no use."""
    # Whom a request comes from is for the gate to say: the server would believe anybody on this machine.
    words: dict[str, Any] = {"http": "h11", "limit_concurrency": 100, "timeout_keep_alive": 30}
    words |= {"log_level": "error", "proxy_headers": False}
    if settings.web.certificate is not None:
        file = settings.path(settings.web.certificate)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
        except (OSError, ssl.SSLError) as error:
            why, line = error.strerror or type(error).__name__, line_in_settings(settings, "web", "certificate")
            en = f"`web.certificate` cannot be used: {why}; name a PEM file with certificate chain and key"
            zh = f"`web.certificate` 无法使用：{why}；应为含证书链和私钥的 PEM 文件"
            raise ConfigInvalid([problem(settings.home / FILE, line, "HUB-CONF-001", en, zh)]) from None
        words["ssl_certfile"] = str(file)
    return words


def hosts_of(settings: Settings) -> frozenset[str]:
    """Returns what a request may name as its host: that of `web.public_url`."""
    parts = urlsplit(settings.web.public_url or "")
    name = parts.netloc.lower()
    plain = f"{parts.hostname}:{_PORTS.get(parts.scheme, 0)}"
    return frozenset({name} if parts.port else {name, plain})
