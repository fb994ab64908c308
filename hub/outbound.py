"""The one door from the hub to the systems: opens a connector with everything it may touch outside itself."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import runpy
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import urlsplit

from connectors.addresses import Egress
from connectors.allowance import Allowance, Books, MemoryBooks, Terms
from connectors.base import Budget, Connector, Http, TokenStore
from connectors.budget import FileBudget
from connectors.errors import SettingsInvalid
from connectors.http import HttpClient, HttpPolicy
from connectors.registry import allowed_hosts, find
from hub.kernel.clock import Clock, SystemClock
from hub.kernel.errors import NotFound, StoreUnavailable
from hub.kernel.ids import NewId
from hub.kernel.secrets import STORED, SecretMissing, not_stored, resolve_secret, stored_as
from hub.kernel.settings import Settings, SystemSettings, Transport


class TokenRepo(Protocol):
    """Keeps the sealed tokens of all systems; the store implements it."""

    def get(self, system: str, name: str) -> bytes | None: ...

    def put(self, system: str, name: str, value: bytes) -> None: ...


class FileLocks:
    """Gives locks by name: a thread lock inside the process, a kernel file lock between processes of one machine.

    The kernel frees a file lock when its holder dies, however it dies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            descriptor = self._open(name)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    def _open(self, name: str) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = self._folder / f"{file_name(name)}.lock"
        return os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def file_name(name: str) -> str:
    """Returns a name for a file that people recognise and no other name shares."""
    shown = re.sub(r"[^a-z0-9_]+", "-", name.lower())[:40]
    return f"{shown}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


class Common(Protocol):
    """Keeps what all that act for an installation have in common: single-flight locks, call budgets, places."""

    def lock(self, name: str) -> AbstractContextManager[None]: ...

    def budget(self, name: str, rate: float, burst: float) -> Budget: ...

    def places(self, name: str, number: int) -> Callable[[], AbstractContextManager[object]]: ...


class OneMachine:
    """Shares locks and budgets among the processes of one machine, and places within this process."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.lock = FileLocks(folder)
        self._folder, self._clock = folder, clock
        self._guard = threading.Lock()
        self._budgets: dict[tuple[str, float, float], Budget] = {}
        self._places: dict[tuple[str, int], threading.BoundedSemaphore] = {}

    def budget(self, name: str, rate: float, burst: float) -> Budget:
        """Returns the token bucket of a name."""
        with self._guard:
            key = (name, rate, burst)
            if key not in self._budgets:
                file = self._folder / f"{file_name(name)}.pace"
                self._budgets[key] = FileBudget(file, rate, burst, self._clock)
            return self._budgets[key]

    def places(self, name: str, number: int) -> Callable[[], AbstractContextManager[object]]:
        """Returns what admits a number of holders at once."""
        with self._guard:
            admitted = self._places.setdefault((name, number), threading.BoundedSemaphore(number))
        return lambda: admitted


class Windows:
    """Opens the allowances of this process: each once, whatever asks for it.

    `asked` says that a person asked for the work, so that the reserve is theirs too.
    """

    def __init__(self, books: Books, clock: Clock, *, asked: bool = True) -> None:
        self._books, self._clock, self._asked = books, clock, asked
        self._guard = threading.Lock()
        self._opened: dict[tuple[str, Terms], Allowance] = {}

    def allowance(self, name: str, terms: Terms) -> Allowance:
        """Returns the allowance of a name."""
        with self._guard:
            if (name, terms) not in self._opened:
                kept = 0 if self._asked else terms.reserve
                self._opened[name, terms] = Allowance(terms, self._books(name, terms), kept, self._clock)
            return self._opened[name, terms]

    def close(self) -> None:
        """Gives back what was drawn and not used."""
        with self._guard:
            for opened in self._opened.values():
                # What cannot be given back counts as used; a lost store must not keep the rest from closing.
                with suppress(StoreUnavailable):
                    opened.close()


def open_service(settings: Settings, name: str, url: str, transport: Transport | None = None) -> HttpClient:
    """Opens the way to a service that the hub itself uses: an identity provider, a key service, an audit sink.

    It reaches the host of `url` and no other, under the guard, caps and deadline of connectors. Close it after use.
    Raises SettingsInvalid.
    """
    chosen = transport or Transport()
    bundle, certificate = chosen.ca_bundle, chosen.client_certificate
    policy = HttpPolicy(
        egress=Egress(((urlsplit(url).hostname or ""),), settings.profile),
        ca_bundle=str(settings.path(bundle)) if bundle else None,
        client_certificate=str(settings.path(certificate)) if certificate else None,
        connect_timeout=chosen.connect_timeout,
        read_timeout=chosen.read_timeout,
        deadline=chosen.deadline,
    )
    policy.egress.admit(url)
    return HttpClient(policy, SystemClock(), system=name)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Narrows the tokens of all systems to those of one."""

    system: str
    repo: TokenRepo = field(repr=False)

    def get(self, name: str) -> bytes | None:
        return self.repo.get(self.system, name)

    def put(self, name: str, value: bytes) -> None:
        self.repo.put(self.system, name, value)


@dataclass(slots=True)
class Context:
    """Implements `connectors.base.ConnectorContext` for one system."""

    system: str
    clock: Clock = field(repr=False)
    http: Http = field(repr=False)
    tokens: TokenStore = field(repr=False)
    home: Path
    credentials: Mapping[str, str] = field(repr=False)
    ids: NewId = field(repr=False)
    common: Common = field(repr=False)
    windows: Windows = field(repr=False)

    def new_id(self) -> str:
        """Returns a fresh identifier, 32 hex digits."""
        return self.ids().replace("-", "")

    def secret(self, name: str) -> str:
        """Resolves a credential of this system. Raises SettingsInvalid with the remedy when it is absent."""
        reference = self.credentials.get(name)
        try:
            if reference == STORED:
                return self._stored(name)
            if reference is not None:
                return resolve_secret(reference, self.home)
            en, zh = "is missing: name it as env:NAME or file:PATH", "缺失：请以 env:变量名 或 file:路径 引用"
        except SecretMissing as missing:
            en, zh = missing.en, missing.zh
        raise SettingsInvalid(
            f"{self.system}: credentials.{name}: {en}", f"{self.system}：credentials.{name}：{zh}", system=self.system
        )

    def _stored(self, name: str) -> str:
        kept = self.tokens.get(stored_as(name))
        if not kept:
            raise not_stored(self.system)
        return kept.decode()

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Admits one holder per name of this system over the whole installation."""
        return self.common.lock(f"{self.system}:{name}")

    def budget(self, name: str, rate: float, burst: float) -> Budget:
        """Returns the token bucket of a name of this system."""
        return self.common.budget(f"{self.system}:{name}", rate, burst)

    def allowance(self, name: str, terms: Terms) -> Allowance:
        """Returns what is left of a rolling window of a name of this system."""
        return self.windows.allowance(f"{self.system}:{name}", terms)

    def places(self, name: str, number: int) -> Callable[[], AbstractContextManager[object]]:
        """Returns what admits a number of holders of a name of this system at once."""
        return self.common.places(f"{self.system}:{name}", number)


class Outbound:
    """Opens the connectors of an installation and counts the calls that leave; close it to drop all connections."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        new_id: NewId,
        tokens: TokenRepo,
        common: Common | None = None,
        windows: Windows | None = None,
    ) -> None:
        self._settings, self._clock, self._new_id, self._repo = settings, clock, new_id, tokens
        self._common: Common = common or OneMachine(settings.var / "locks", clock)
        self._windows = windows or Windows(MemoryBooks(), clock)
        self._clients: dict[str, list[HttpClient]] = {}
        self._connectors: list[Connector] = []

    def open(self, system: str) -> Connector:
        """Opens the connector of a configured system. Raises SettingsInvalid."""
        configured = self._settings.systems.get(system)
        if configured is None:
            known = ", ".join(self._settings.systems)
            raise SettingsInvalid(
                f"{system} is not a configured system; the systems are: {known}",
                f"未配置接入系统 {system}；已配置：{known}",
                system=system,
            )
        factory = find(configured.kind)
        client = self._client(system, configured)
        context = Context(
            system=system,
            clock=self._clock,
            http=client,
            tokens=_Tokens(system, self._repo),
            home=self._settings.home,
            credentials=configured.credentials,
            ids=self._new_id,
            common=self._common,
            windows=self._windows,
        )
        connector = factory(configured.settings, context)
        self._connectors.append(connector)
        return connector

    def calls(self) -> Mapping[str, Mapping[str, int]]:
        """Returns how many calls left, by system and operation."""
        counted: dict[str, dict[str, int]] = {}
        for system, clients in self._clients.items():
            sums = counted.setdefault(system, {})
            for client in clients:
                for operation, number in client.calls().items():
                    sums[operation] = sums.get(operation, 0) + number
        return counted

    def close(self) -> None:
        """Closes every connector and connection, the others too when one of them fails to."""
        with ExitStack() as open_ends:
            open_ends.callback(self._windows.close)
            for client in (client for clients in self._clients.values() for client in clients):
                open_ends.callback(client.close)
            for connector in self._connectors:
                open_ends.callback(connector.close)
            self._connectors.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _client(self, system: str, configured: SystemSettings) -> HttpClient:
        transport = configured.http
        hosts = (*allowed_hosts(configured.kind), *transport.approved_hosts)
        bundle, certificate = transport.ca_bundle, transport.client_certificate
        policy = HttpPolicy(
            egress=Egress(hosts, profile=self._settings.profile),
            ca_bundle=str(self._settings.path(bundle)) if bundle else None,
            client_certificate=str(self._settings.path(certificate)) if certificate else None,
            connect_timeout=transport.connect_timeout,
            read_timeout=transport.read_timeout,
            deadline=transport.deadline,
        )
        client = HttpClient(policy, self._clock, system=system)
        self._clients.setdefault(system, []).append(client)
        return client


def run_simulator(kind: str, options: Sequence[str]) -> None:
    """Serves the simulator that ships with a kind's connector until it is stopped. Raises NotFound, SettingsInvalid."""
    package = str(find(kind).__module__).rpartition(".")[0]
    module = f"{package}.simulator"
    if importlib.util.find_spec(module) is None or importlib.util.find_spec(f"{module}.__main__") is None:
        raise NotFound(f"{kind} ships no simulator", f"{kind} 未提供模拟器")
    before = sys.argv
    sys.argv = [f"crmhub simulate {kind}", *options]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=False)
    finally:
        sys.argv = before
