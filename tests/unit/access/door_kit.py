"""A store with people, a clock that tests move, and the door to it with cheap hashes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import orjson
import sqlalchemy as sa

from hub.access import door, steps
from hub.access.passwords import POLICIES
from hub.access.threshold import Opened, Rules, Threshold, Visitor
from hub.audit.event import Actor, Origin, Source
from hub.audit.tree import Appender
from hub.crypto.passwords import Cost, Hasher
from hub.crypto.provider import ProviderCapabilities, ProviderStatus
from hub.crypto.suites import Suite
from hub.crypto.totp import code_at
from hub.kernel.errors import Text
from hub.kernel.ids import Uuid7
from hub.keys.keyring import Keyring
from hub.store import credentials, users
from hub.store.database import open_engine
from hub.store.migrate import migrate
from hub.store.unit_of_work import Store
from hub.store.users import Grant, User
from hub.store.vault import audit_rows, load_keys, save_keys

PASSWORD, OTHER = "Rivet-lampe-09-沙", "Overgrown-Zebra-77!"
CHEAP = Cost(memory=64, passes=1)


class Clock:
    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


class Provider:
    """Wraps keys with nothing: the file provider would read a key file for each store."""

    def kek_id(self) -> str:
        return "test"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        return key

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return wrapped

    def health(self) -> ProviderStatus:
        return ProviderStatus(True, Text("", ""))

    def capabilities(self) -> ProviderCapabilities:
        return ProviderCapabilities(frozenset(Suite), hsm=False, exportable=True, sign=False)


@dataclass
class House:
    """Is an installation as far as its door needs one."""

    store: Store
    clock: Clock
    rules: Rules
    hasher: Hasher

    def at(self, ip: str = "10.1.1.1") -> Threshold:
        pepper = credentials.pepper(self.store)
        return Threshold(self.store, self.rules, self.hasher, pepper, Visitor(ip, "agent"))

    def person(self, login: str, *roles: str, state: str = users.ACTIVE, code: str | None = None) -> User:
        user_id = self.store.new_id()
        grants = tuple(
            Grant(self.store.new_id(), user_id, role, "/", users.STANDING, None, "sec", 1.0) for role in roles
        )
        with self.store.begin() as work:
            made = users.save(work, User(user_id, login, login, None, "/", state, work.now, "sys", grants=grants))
            return made if code is None else users.give_code(work, made, code, work.now + 3600)

    def settled(self, login: str, *roles: str) -> tuple[User, bytes]:
        """Makes a person who has set a password and a second factor; returns the secret of the latter."""
        user = self.person(login, *roles, code="first-code")
        at = self.at("10.9.9.9")
        opened = door.sign_in(at, login, "first-code")
        opened = steps.renew(at, opened.token, PASSWORD)
        steps.enrol(at, opened.token)
        secret = self.pending(opened.token)
        opened, _ = steps.confirm(at, opened.token, self.code(secret))
        door.leave(at, opened.token)
        self.clock.at += 60
        return user, secret

    def pending(self, token: str) -> bytes:
        return bytes.fromhex(door.enter(self.at(), token, stage=None).session.pending or "")

    def code(self, secret: bytes, off: int = 0) -> str:
        return code_at(secret, int(self.clock.at) // 30 + off)

    def enter(self, login: str, secret: bytes, ip: str = "10.1.1.1") -> Opened:
        at = self.at(ip)
        self.clock.at += 30
        return steps.give_code(at, door.sign_in(at, login, PASSWORD).token, self.code(secret))

    def acts(self) -> list[tuple[str, str]]:
        """Returns what was audited, oldest first: act and reason."""
        with self.store.read() as conn:
            found = [orjson.loads(row[2]) for row in audit_rows(conn)]
        return [(entry["act"], entry.get("reason", "")) for entry in found]


def prepare(url: str) -> None:
    """Makes the tables and keys of a database."""
    engine = open_engine(url)
    migrate(engine)
    ids = iter(range(1, 100))
    save_keys(engine, Keyring.bootstrap(Provider(), "t", lambda: next(ids), 1.0))
    engine.dispose()


def open_house(url: str, policy: str = "mlps", *, cost: Cost = CHEAP) -> House:
    clock = Clock()
    engine = open_engine(url)
    ring = Keyring.load(Provider(), "t", load_keys(engine))
    new_id = Uuid7(clock)
    origin = Origin(Actor("visitor", "visitor"), Source("console"), "test")
    store = Store(engine, ring, clock, new_id, Appender(clock, new_id, origin))
    return House(store, clock, Rules(POLICIES[policy], words=("bank",)), Hasher(cost))


def sql(house: House, statement: sa.ClauseElement) -> None:
    """Changes a row behind the hub's back."""
    with house.store.engine.begin() as conn:
        conn.execute(statement)  # type: ignore[call-overload]


def dearer(house: House) -> House:
    return replace(house, hasher=Hasher(Cost(memory=128, passes=1)))
