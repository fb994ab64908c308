"""The REST API of a hub folder over real HTTP, with people in it, a clock that tests move, and small browsers."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import orjson
import requests

from hub.access.threshold import HASHER
from hub.app import initialise, open_installation, prepare
from hub.crypto.passwords import Cost
from hub.crypto.totp import code_at
from hub.kernel.settings import FILE, load_settings
from hub.operations.installation import Installation
from hub.schedule.management import Listener
from hub.store import users
from hub.store.users import Grant, User
from hub.store.vault import audit_rows
from hub.web.api.app import make_api

PASSWORD = "Rivet-lampe-09-沙"
API = "/api/v1"


class Clock:
    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Answer:
    """Is what came back: its status, its body, and its cookie where one was set."""

    status: int
    body: Any
    headers: dict[str, str]
    cookie: str | None

    @property
    def code(self) -> str:
        return str(self.body["code"])


@dataclass
class Browser:
    """Is one browser: it keeps the cookie and sends what a page of the hub sends."""

    url: str
    ip: str = "10.1.1.1"
    token: str = ""
    csrf: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None, **headers: str | None) -> Answer:
        """Sends one request; a header given as None is left out."""
        asked: dict[str, str | None] = {
            "Origin": self.url,
            "X-CSRF-Token": self.csrf or None,
            "X-Forwarded-For": self.ip,
            "Cookie": f"__Host-crmhub={self.token}" if self.token else None,
            **self.headers,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        sent = {name: value for name, value in asked.items() if value is not None}
        got = requests.request(method, f"{self.url}{API}{path}", json=body, headers=sent, timeout=20)
        cookie = got.headers.get("set-cookie")
        if cookie is not None:
            self.token = SimpleCookie(cookie)["__Host-crmhub"].value
        shown = got.json() if got.content else None
        if isinstance(shown, dict) and "csrf" in shown:
            self.csrf = shown["csrf"]
        return Answer(got.status_code, shown, {k.lower(): v for k, v in got.headers.items()}, cookie)

    def post(self, path: str, body: Any = None, **headers: str | None) -> Answer:
        return self.send("POST", path, body, **headers)

    def get(self, path: str, **headers: str | None) -> Answer:
        return self.send("GET", path, **headers)


@dataclass
class WebLab:
    """Is the API with its hub."""

    url: str
    hub: Installation
    clock: Clock
    home: Path
    secrets: dict[str, str] = field(default_factory=dict)
    moved: int = 0

    def browser(self, ip: str | None = None) -> Browser:
        """Returns a browser at an address that nobody used before, so that no failure of another holds it back."""
        self.moved += 1
        return Browser(self.url, ip or f"10.{self.moved // 250 + 20}.{self.moved % 250}.1")

    def person(self, login: str, *roles: str, state: str = users.ACTIVE, scope: str = "/") -> User:
        store = self.hub.store
        user_id = store.new_id()
        grants = tuple(Grant(store.new_id(), user_id, role, scope, users.STANDING, None, "x", 1.0) for role in roles)
        with store.begin() as work:
            made = users.save(work, User(user_id, login, login, None, "/", state, work.now, "x", grants=grants))
            return users.give_code(work, made, f"first-{login}", work.now + 3600)

    def settle(self, login: str) -> Browser:
        """Takes a person through the first sign-in; returns the browser in which they are signed in."""
        browser = self.browser()
        assert browser.post("/sign-in", {"name": login, "password": f"first-{login}"}).status == 200
        assert browser.post("/sign-in/password", {"password": PASSWORD}).status == 200
        self.secrets[login] = browser.post("/sign-in/second-factor").body["secret"]
        assert browser.post("/sign-in/second-factor/confirm", {"code": self.code(login)}).body["stage"] == "full"
        return browser

    def code(self, login: str, off: int = 0) -> str:
        secret = base64.b32decode(self.secrets[login].replace(" ", ""))
        return code_at(secret, int(self.clock.at) // 30 + off)

    def enter(self, login: str) -> Browser:
        """Signs a person in once more, in a browser of its own."""
        self.clock.at += 30
        browser = self.browser()
        assert browser.post("/sign-in", {"name": login, "password": PASSWORD}).body["stage"] == "totp"
        assert browser.post("/sign-in/code", {"code": self.code(login)}).body["stage"] == "full"
        return browser

    def audited(self) -> list[dict[str, Any]]:
        with self.hub.store.read() as conn:
            return [orjson.loads(row[2]) for row in audit_rows(conn)]

    def acts(self) -> list[str]:
        return [entry["act"] for entry in self.audited()]


def make_web_home(home: Path, port: int, store: str = "sqlite:///var/hub.db", **web: Any) -> None:
    """Makes a hub folder whose API is served at a port."""
    initialise(home)
    # What is not needed here takes longer to read than all else.
    for name in ("complaint", "contact_log"):
        (home / "mappings" / "canonical" / f"{name}.yaml").unlink()
    served = {"listen": f"127.0.0.1:{port}", "public_url": f"http://127.0.0.1:{port}"}
    content = {
        "profile": "lab",
        "installation": {"id": "lab", "name": "Lab"},
        "store": {"url": store},
        "systems": {"alpha": {"kind": "memory"}, "beta": {"kind": "memory"}},
        "entities": {"customer": {"systems": ["alpha", "beta"]}},
        "web": {**served, "trusted_proxies": ["127.0.0.0/8"], **web},
    }
    (home / FILE).write_text(json.dumps(content), encoding="utf-8")
    prepare(home)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@contextmanager
def serve_web(home: Path, *, clock: Clock | None = None, **web: Any) -> Iterator[WebLab]:
    """Serves the API of a fresh hub folder; passwords cost little there."""
    HASHER.cost, clock, port = Cost(memory=64, passes=1), clock or Clock(), free_port()
    make_web_home(home, port, **web)
    settings = load_settings(home)
    hub = open_installation(home, clock=clock, channel="console")
    listener = Listener(settings, make_api(settings, lambda: hub), ("web", "listen"), {"proxy_headers": False})
    try:
        yield WebLab(f"http://127.0.0.1:{port}", hub, clock, home)
    finally:
        listener.close()
        hub.close()
        HASHER.cost = Cost()
