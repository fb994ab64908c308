"""How a connection is made: TLS, client certificates, pins, an explicit proxy, and checked addresses only."""

from __future__ import annotations

import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Literal

import requests
import requests.adapters
import requests.utils
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import create_connection
from urllib3.util.ssltransport import SSLTransport

from connectors.addresses import Egress
from connectors.errors import SettingsInvalid

Inspect = Callable[[str, bytes], None]
"""Looks at a host (first) and its certificate (DER) after the handshake and raises when it is not to be talked to."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Is the one way out of a closed network; TLS goes through it end to end (CONNECT).

    `egress` says which proxy may be connected to; `credentials` returns `user:password` when a tunnel is opened.
    """

    url: str
    egress: Egress
    credentials: Callable[[], str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """Sets the bounds of one connection. Times in seconds; `deadline` bounds one attempt, `max_body` the decoded body.

    `ca_bundle` replaces the public certificate authorities; there is no way to switch verification off.
    `client_certificate` is a PEM file with the certificate and its key (mutual TLS). `inspect` sees the certificate of
    every new connection before the first byte of a request.
    """

    egress: Egress
    ca_bundle: str | None = None
    client_certificate: str | None = None
    minimum_tls: Literal["1.2", "1.3"] = "1.2"
    inspect: Inspect | None = None
    proxy: Proxy | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    deadline: float = 120.0
    max_body: int = 10 * 1024 * 1024
    read_attempts: int = 4
    backoff: float = 0.5
    backoff_limit: float = 20.0
    connections: int = 8


def new_session(policy: HttpPolicy) -> requests.Session:
    """Returns a session that knows nothing of the environment, keeps no cookie and follows no redirect."""
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"Accept-Encoding": "gzip, deflate", "User-Agent": "crmhub", "Accept": "application/json"})
    if policy.proxy is not None:
        session.proxies = {"https": policy.proxy.url}
    adapter = _Adapter(policy)
    session.adapters.clear()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Session(requests.Session):
    """Follows no redirect and does not read the body of one to find out where it leads."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Adapter(requests.adapters.HTTPAdapter):
    """Connects only to addresses that the egress rules have checked, with one TLS context."""

    def __init__(self, policy: HttpPolicy) -> None:
        self._policy = policy
        self._context = _tls_context(policy)
        super().__init__(pool_connections=4, pool_maxsize=policy.connections, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = _guarded_pools(self._policy.egress, self._policy.inspect)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        if (known := self.proxy_manager.get(proxy)) is not None:
            return known
        assert self._policy.proxy is not None, "a session has no proxy but that of its policy"
        made = super().proxy_manager_for(
            proxy, ssl_context=self._context, proxy_ssl_context=self._context, **proxy_kwargs
        )
        made.pool_classes_by_scheme = _guarded_pools(self._policy.proxy.egress, self._policy.inspect)
        return made

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        credentials = self._policy.proxy.credentials if self._policy.proxy else None
        if credentials is None:
            return {}
        return {"Proxy-Authorization": f"Basic {b64encode(credentials().encode()).decode()}"}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Keeps the context's own authorities; the default would add the public ones to a private bundle."""
        if verify is not True:
            raise SettingsInvalid("TLS verification cannot be switched off", "不能关闭 TLS 证书校验")


def _guarded_pools(egress: Egress, inspect: Inspect | None) -> dict[str, Any]:
    class GuardedHTTPConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, egress)

    class GuardedHTTPSConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, egress)

        def _tunnel(self) -> None:
            try:
                super()._tunnel()
            except OSError as error:
                raise NewConnectionError(self, f"the proxy opened no tunnel ({type(error).__name__})") from None

        def connect(self) -> None:
            super().connect()
            if inspect is not None:
                _inspect(self, inspect)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = GuardedHTTPConnection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = GuardedHTTPSConnection

    return {"http": PlainPool, "https": SecurePool}


def _connect(connection: HTTPConnection, egress: Egress) -> socket.socket:
    """Resolves the name once and connects to the addresses that were checked, in their order."""
    try:
        endpoints = egress.resolve(connection.host.strip("[]"), connection.port)
    except (OSError, UnicodeError) as error:
        raise NewConnectionError(connection, f"name resolution failed ({type(error).__name__})") from None
    problem: Exception = NewConnectionError(connection, "the name has no address")
    for endpoint in endpoints:
        try:
            return create_connection(endpoint, connection.timeout, socket_options=connection.socket_options)
        except TimeoutError:
            problem = ConnectTimeoutError(connection, "connecting timed out")
        except OSError as error:
            problem = NewConnectionError(connection, f"connecting failed ({type(error).__name__})")
    raise problem


def _inspect(connection: HTTPSConnection, inspect: Inspect) -> None:
    # Behind a proxy that speaks TLS itself the connection is no socket of ssl's, but TLS inside TLS.
    sock = connection.sock
    shown = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket | SSLTransport) else None
    try:
        inspect(str(getattr(connection, "_tunnel_host", None) or connection.host), shown or b"")
    except BaseException:
        connection.close()
        raise


def _tls_context(policy: HttpPolicy) -> ssl.SSLContext:
    bundle = policy.ca_bundle if policy.ca_bundle is not None else requests.utils.DEFAULT_CA_BUNDLE_PATH
    if not isinstance(bundle, str) or not bundle:
        raise SettingsInvalid("ca_bundle must be a path", "ca_bundle 必须是文件路径")
    try:
        context = ssl.create_default_context(cafile=bundle)
        if policy.client_certificate is not None:
            # A key under a password would stop an unattended start with a prompt: it is refused instead.
            context.load_cert_chain(policy.client_certificate, password=_no_password)
    except (OSError, ValueError):
        raise SettingsInvalid(
            "the CA bundle or client certificate cannot be read; check their paths and contents",
            "CA 证书包或客户端证书无法读取,请检查路径与内容",
        ) from None
    floor = ssl.TLSVersion.TLSv1_3 if policy.minimum_tls == "1.3" else ssl.TLSVersion.TLSv1_2
    context.minimum_version = floor
    return context


def _no_password() -> str:
    raise ValueError("the key of a client certificate is under a password")
