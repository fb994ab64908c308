"""A small hub with users, two branches whose names begin alike, and something of each kind to look at or touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from hub.access import actor as actors
from hub.access.actor import Actor
from hub.access.roles import Role
from hub.app import initialise, open_installation, prepare
from hub.core.state import Conflict, GoldenRecord
from hub.kernel.settings import FILE
from hub.operations.installation import Installation
from hub.operations.permission import acting_as
from hub.store import questions, records, users, vault
from hub.store.records import Write
from hub.store.users import ACTIVE, STANDING, Grant, User

SETTINGS = """\
profile: lab
language: en
installation: {id: lab, name: Lab}
store: {url: "STORE"}
keys: {provider: file, path: keys/hub.key}
systems:
  alpha: {kind: memory}
  beta: {kind: memory}
entities:
  customer: {systems: [alpha, beta]}
  complaint: {systems: [alpha, beta]}
"""
OWN, OTHER = "/010/03/", "/010/030/"
PLACES = {OWN: "03", OTHER: "030"}
PHONE = "+8613812341234"
START = 1_790_000_000.0


class Reached(Exception):
    """Is raised where an operation got as far as a system: it was permitted."""


@dataclass
class Clock:
    """Stands still until it is moved."""

    at: float = START

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def _unreachable(*given: object) -> Any:
    raise Reached


@dataclass
class World:
    """Is one hub; `hub` is its local identity, `sign_in` gives it to somebody."""

    home: Path
    clock: Clock
    hub: Installation
    records: dict[tuple[str, str], str] = field(default_factory=dict)
    conflicts: dict[str, str] = field(default_factory=dict)

    def person(self, *roles: str, scope: str = "/", state: str = ACTIVE, staff_no: str | None = None) -> User:
        """Keeps a person with roles, past the operations; their own rules are tested elsewhere."""
        hub = self.hub
        with hub.store.begin() as work:
            user_id = work.new_id()
            grants = tuple(
                Grant(work.new_id(), user_id, role, scope, STANDING, None, "test", work.now) for role in roles
            )
            login = f"u{user_id[-8:]}"
            user = User(user_id, login, login, staff_no, scope, state, work.now, "test", grants=grants)
            return users.save(work, user)

    def sign_in(self, user: User) -> Installation:
        """Returns the hub for a person, as the store knows that person now."""
        with self.hub.store.read() as conn:
            fresh = users.load(conn, self.hub.store.ring, [user.user_id])[user.user_id]
        return self.acting(actors.person(fresh, auth="token"))

    def acting(self, who: Actor) -> Installation:
        return acting_as(self.hub, who)

    def as_role(self, role: Role | None, scope: str = "/", **changes: Any) -> Installation:
        """Returns the hub for somebody who is only in memory: quick, for the matrix."""
        if role is None:
            return self.acting(actors.local("root", open=False))
        grant = Grant("g", "u", role, scope, STANDING, None, "test", START - 1)
        user = User("u", "u", "u", None, scope, ACTIVE, START, "test", 1, (replace(grant, **changes),))
        return self.acting(actors.person(user, auth="token"))

    def events(self, act: str) -> list[dict[str, Any]]:
        """Returns what the log says of an act, oldest first."""
        with self.hub.store.read() as conn:
            bodies = [orjson.loads(row[2]) for row in vault.audit_rows(conn)]
        return [body for body in bodies if body["act"] == act]


@contextmanager
def make_world(home: Path, store: str = "sqlite:///var/hub.db") -> Iterator[World]:
    """Makes the hub folder and its records; nobody is set up yet."""
    initialise(home)
    (home / FILE).write_text(SETTINGS.replace("STORE", store), encoding="utf-8")
    table = home / "mappings" / "tables" / "branches.csv"
    table.write_text("branch_code,name_zh,name_en,fxiaoke,path\n03,甲,A,1,/010/03/\n030,乙,B,2,/010/030/\n")
    prepare(home)
    clock = Clock()
    hub = open_installation(home, clock=clock)
    hub.connect = hub.link = _unreachable
    world = World(home, clock, hub)
    try:
        _fill(world)
        yield world
    finally:
        hub.close()


def _fill(world: World) -> None:
    hub = world.hub
    with hub.store.begin() as work:
        for scope, code in PLACES.items():
            for entity, fields in (
                ("customer", {"full_name": "王小明", "mobile_phone": PHONE, "branch_code": code}),
                ("complaint", {"title": "王小明 13800138000", "status": "registered", "branch_code": code}),
            ):
                hub_id = work.new_id()
                world.records[entity, scope] = hub_id
                made = GoldenRecord(hub_id, entity, dict(fields), {"*": "alpha"}, 1, subject_id=f"s-{hub_id}")
                records.write(work, [Write(None, made, (), {}, hub.rules[entity].facets(fields))])
                if entity == "customer":
                    asked = Conflict("mobile_phone", "ask", (("alpha", "+8613912341234"), ("beta", PHONE)))
                    questions.reconcile(work, "run", made, [], [asked], [])
                    found = questions.load(work.conn, hub.store.ring, "conflict", hub_ids=[hub_id])
                    world.conflicts[scope] = found[0].id


Call = Callable[[Installation], object]
