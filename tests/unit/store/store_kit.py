"""What the tests of the store work with: a store on either database, and records to put into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import orjson

from hub.audit.event import Actor, Event, Origin, Source
from hub.audit.tree import Appender
from hub.core.state import Base, BaseField, Binding, BindingState, GoldenRecord, Kind, Observation
from hub.crypto.wrapping import KeyWrap
from hub.keys.keyring import Keyring
from hub.store import records
from hub.store.database import open_engine
from hub.store.records import Write, binding_id
from hub.store.unit_of_work import Store, UnitOfWork
from hub.store.vault import audit_rows, load_keys

ENTITY, TENANT, RUN = "customer", "kit", "run-1"
START = 1_790_000_000.0


class FixedKeys:
    """Wraps keys under a fixed key, so that a template store can be copied."""

    def __init__(self) -> None:
        self._wrap = KeyWrap(b"k" * 32)

    def kek_id(self) -> str:
        return "kit:1"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        return self._wrap.wrap(key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return self._wrap.unwrap(wrapped, context)


@dataclass
class Clock:
    """Stands still until it is moved."""

    at: float = START

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Kit:
    """Is one process at the store: `other()` is a second one."""

    url: str
    clock: Clock = field(default_factory=Clock)
    name: str = "id"

    def __post_init__(self) -> None:
        numbers = count(1)
        self.new_id = lambda: f"{self.name}-{next(numbers):06d}"
        self.engine = open_engine(self.url)
        self.ring = Keyring.load(FixedKeys(), TENANT, load_keys(self.engine))  # type: ignore[arg-type]
        origin = Origin(Actor("local", "kit"), Source("cli"), "0")
        self.store = Store(self.engine, self.ring, self.clock, self.new_id, Appender(self.clock, self.new_id, origin))

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def other(self) -> Kit:
        return Kit(self.url, self.clock, "other")

    def close(self) -> None:
        self.engine.dispose()

    def audited(self) -> list[str]:
        """Returns the acts of the log, oldest first."""
        with self.store.read() as conn:
            return [orjson.loads(row[2])["act"] for row in audit_rows(conn)]

    def create(self, hub_id: str, *bindings: Binding, fields: Mapping[str, Any] | None = None) -> GoldenRecord:
        """Writes a golden record with bindings whose bases equal it."""
        made = golden(hub_id, **(fields or {"full_name": "王小明", "customer_tier": "gold"}))
        with self.store.begin() as work:
            write_new(work, made, *bindings)
        return made

    def load(self, hub_id: str) -> records.Stored:
        with self.store.read() as conn:
            return records.load(conn, self.ring, [hub_id])[hub_id]


def write_new(
    work: UnitOfWork, made: GoldenRecord, *bindings: Binding, bases: Mapping[str, Base] | None = None
) -> None:
    chosen = {item.binding_id: (bases or {}).get(item.binding_id) for item in bindings}
    records.write(work, [Write(None, made, bindings, chosen, {"customer_tier": made.fields.get("customer_tier")})])


def golden(hub_id: str, **fields: Any) -> GoldenRecord:
    return GoldenRecord(hub_id, ENTITY, fields, {"*": "zoho"}, 1, subject_id=f"subject-{hub_id}")


def bound(hub_id: str, system: str = "zoho", native_id: str | None = "n1", **changes: Any) -> Binding:
    made = Binding(
        binding_id(hub_id, system),
        hub_id,
        ENTITY,
        system,
        "Contacts",
        native_id,
        BindingState.ACTIVE,
        agreed_revision=1,
    )
    return replace(made, **changes)


def observed(obs_id: str, native_id: str = "n1", system: str = "zoho", **changes: Any) -> Observation:
    made = Observation(
        obs_id,
        ENTITY,
        system,
        "Contacts",
        native_id,
        Kind.UPSERT,
        {"full_name": "李四", "behavior_tags": ("活跃",)},
        "7",
    )
    return replace(made, **changes)


def agreed(value: Any, **changes: Any) -> BaseField:
    return replace(BaseField(value, value), **changes)


def event(act: str, about: str = "h1") -> Event:
    return Event(act, ENTITY, about)
