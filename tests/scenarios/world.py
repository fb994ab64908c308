"""A bank in miniature: memory systems with seeded clocks, one real store, one hub that can be killed and restarted."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from connectors.base import Capabilities, Cursor, Fetched, NativeRecord, Op, Page, WriteRequest, WriteResult
from connectors.errors import AuthRejected, ConnectorError, QuotaExhausted, RateLimited
from connectors.memory import FULL, Faults, Killed, MemoryConnector, MemorySystem, worlds
from hub.access import egress
from hub.audit.event import Actor, Origin, Source
from hub.audit.tree import Appender
from hub.canonical.schema import Entity, Schema, load_schema
from hub.canonical.values import canonicalise
from hub.core.state import Binding, GoldenRecord, GoldenState
from hub.crypto.provider import KeyProvider
from hub.crypto.wrapping import KeyWrap
from hub.kernel.ids import Uuid7
from hub.kernel.settings import EntitySettings, Guards, Oscillation, Threshold
from hub.keys.keyring import Keyring
from hub.mapping.loader import load_mapping
from hub.mapping.references import native_ref, parse_ref
from hub.mapping.tables import load_tables
from hub.mapping.translate import CompiledMapping, compile_mapping
from hub.operations.rules import rules_of
from hub.store import records, runs
from hub.store.database import Prepared, open_engine
from hub.store.lease import hold
from hub.store.migrate import migrate
from hub.store.unit_of_work import Lease, Store, UnitOfWork
from hub.store.vault import load_keys, save_keys, write_meta
from hub.sync import rollup
from hub.sync.cycle import Outcome, Report, Standing, run_cycle
from hub.sync.engine import EntityRules, Link, RunContext, Turn
from hub.sync.reconcile import Difference, reconcile
from tests.scenarios.spread_here import Here

SCHEMA = Path(__file__).parent / "schema"
ENTITY = "client"
TENANT = "world"
START = 1_790_000_000.0
ENTITIES = ("client", "ticket", "visit")
"""Parents first, as cycles follow each other."""
PLACES = {
    "alpha": {"client": ("Client",), "ticket": ("Ticket",), "visit": ("Visit",)},
    "beta": {"client": ("Person", "Company"), "ticket": ("Case",), "visit": ("Call", "Meeting")},
}
OBJECTS = {kind: places[ENTITY] for kind, places in PLACES.items()}
ENTITY_OF = {name: entity for places in PLACES.values() for entity, names in places.items() for name in names}
ENTITY_OF |= dict.fromkeys(("Holder", "Contact", "Address"), ENTITY)
"""Names those of the kind `parted` as well, whose clients stand in three objects; it is in no random history."""
KEY_FIELDS = {"alpha": "hub_id", "beta": "HubId", "parted": "hub_id"}
_PLACES_OF = Prepared(sa.text("SELECT system, object, native_id FROM binding WHERE hub_id = :of"))
BYSTANDERS = ("who", "own")
"""Native fields that no mapping names: who the record really is, and a remark of the system's own."""
LAST_VISIT = rollup.Rollup(
    "visit", "client_id", "happened_at", "client", "last_visit_at", ("outcome", frozenset({"no_answer"}))
)
rollup.ROLLUPS = (*rollup.ROLLUPS, LAST_VISIT)
OPEN = Guards(
    max_deletes=Threshold(count=10_000, percent=100.0),
    max_changes=Threshold(count=10_000, percent=100.0),
    max_creates=Threshold(count=10_000, percent=100.0),
    max_shrink_percent=100.0,
    first_sync_needs_release=False,
)


class Time:
    """Is the one time of a world; the clocks of hub and vendors differ from it by their skew."""

    def __init__(self) -> None:
        self.at = START

    def pass_(self, seconds: float) -> None:
        self.at += seconds


@dataclass(slots=True)
class SkewedClock:
    time: Time
    skew: float = 0.0

    def now(self) -> float:
        return self.time.at + self.skew

    def sleep(self, seconds: float) -> None:
        self.time.pass_(seconds)


class TestKeys:
    """Wraps keys under a fixed key, so that a store can be copied from one world to the next."""

    __test__ = False

    def __init__(self) -> None:
        self._wrap = KeyWrap(b"k" * 32)

    def kek_id(self) -> str:
        return "test:1"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        return self._wrap.wrap(key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return self._wrap.unwrap(wrapped, context)


class Mortality:
    """Counts the boundaries a hub passes (around calls and commits) and kills it at the chosen one."""

    def __init__(self) -> None:
        self.passed = 0
        self.at: int | None = None

    def boundary(self, name: str) -> None:
        self.passed += 1
        if self.at is not None and self.passed >= self.at:
            self.at = None
            raise Killed(name)

    def kill_after(self, boundaries: int | None) -> None:
        """Kills at the given boundary from now, counted from 1 on; None takes it back."""
        self.passed, self.at = 0, boundaries


@dataclass(frozen=True)
class MortalStore(Store):
    """Dies on demand before a transaction begins, just before it commits, and just after."""

    mortality: Mortality = field(default_factory=Mortality)

    @contextmanager
    def begin(self, held: Lease | None = None) -> Iterator[UnitOfWork]:
        self.mortality.boundary("before_begin")
        with Store.begin(self, held) as work:
            yield work
            self.mortality.boundary("before_commit")
        self.mortality.boundary("after_commit")


@dataclass(slots=True)
class Context:
    """Is what a memory connector gets; it reaches no network and keeps no token."""

    system: str
    clock: SkewedClock
    http: Any = None
    tokens: Any = None

    def new_id(self) -> str:
        raise AssertionError("a memory connector makes no ids")

    def secret(self, name: str) -> str:
        raise AssertionError("a memory connector has no secrets here")

    def lock(self, name: str) -> Any:
        raise AssertionError("a memory connector takes no locks")


@dataclass(slots=True)
class Ledger:
    """Notes what the hub asked of one system: searches and creates in order, and calls after it was told to stop."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    stopped_in: int | None = None
    late_calls: list[str] = field(default_factory=list)
    spent: Counter[str] = field(default_factory=Counter)


class WatchedConnector(MemoryConnector):
    """Passes every call through the hub's mortality and notes it in the ledger of its system."""

    def __init__(self, settings: Mapping[str, Any], context: Context, ledger: Ledger, hub: Hub) -> None:
        super().__init__(settings, context)
        self.ledger, self.hub = ledger, hub
        self.meanwhile: Callable[[str], None] | None = None
        """Is told the operation when a call has taken effect and its answer is not back yet."""

    def _call(self, operation: str, act: Any, *, cursor: Cursor | None = None) -> Any:
        self.hub.mortality.boundary(f"before_{operation}")
        if self.ledger.stopped_in == self.hub.runs:
            self.ledger.late_calls.append(operation)
        self.ledger.spent[operation] += 1
        try:
            result = super()._call(operation, act, cursor=cursor)
        except (RateLimited, QuotaExhausted, AuthRejected):
            self.ledger.stopped_in = self.hub.runs
            raise
        if self.meanwhile is not None:
            self.meanwhile(operation)
        self.hub.mortality.boundary(f"after_{operation}")
        return result

    def find(self, object: str, field: str, values: Sequence[str], fields: Sequence[str]) -> Sequence[NativeRecord]:
        found = super().find(object, field, values, fields)
        self.ledger.asked += [("find", value) for value in values]
        return found

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        self.ledger.asked += [("create", item.hub_id) for item in requests if item.op is Op.CREATE]
        results = super().write(requests)
        for item, result in zip(requests, results, strict=True):
            if item.op is Op.CREATE and type(result).__name__ != "Unknown":
                self.ledger.asked.append(("known", item.hub_id))
        return results


@dataclass(frozen=True, slots=True)
class SystemSpec:
    """Says what one system of a world is like."""

    name: str
    kind: str = "alpha"
    can: Capabilities = FULL
    skew: float = 0.0
    shows_written: bool = True
    egress: Callable[[Entity], egress.Shaper] | None = None


@cache
def schema() -> Schema:
    return load_schema(SCHEMA / "canonical")


def canonical_value(name: str, value: Any, entity: str = ENTITY) -> Any:
    """Returns the canonical form of a field's value; `*` stands for the whole record and has none."""
    field = schema().entity(entity).fields.get(name)
    return value if field is None else canonicalise(field, value)


@cache
def mapping_of(kind: str, folder: Path = SCHEMA, entity: str = ENTITY) -> CompiledMapping:
    file = folder / kind / f"{entity}.core.yaml"
    return compile_mapping(load_mapping(file), schema(), load_tables(folder / "tables"))


@cache
def _template() -> sqlite3.Connection:
    """Migrates one store and keeps it as the model of all others."""
    engine = open_engine("sqlite://")
    migrate(engine)
    ids = iter(range(1, 100))
    provider: KeyProvider = TestKeys()  # type: ignore[assignment]
    save_keys(engine, Keyring.bootstrap(provider, TENANT, lambda: next(ids), START))
    write_meta(engine, {"tenant": TENANT, "profile": "lab"})
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    raw = engine.raw_connection()
    raw.driver_connection.backup(copy)  # type: ignore[union-attr]
    raw.close()
    engine.dispose()
    return copy


_idle: list[sa.Engine] = []


def fresh_engine() -> sa.Engine:
    """Returns an in-memory store, migrated and with keys; engines are used again for their warm caches."""
    engine = _idle.pop() if _idle else open_engine("sqlite://")
    raw = engine.raw_connection()
    _template().backup(raw.driver_connection)  # type: ignore[arg-type]
    raw.close()
    return engine


def entity_rules(settings: EntitySettings, entity: str = ENTITY) -> EntityRules:
    return rules_of(schema().entity(entity), settings)


class Hub:
    """Is one hub process over the store of a world: start it anew after a kill."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.mortality = Mortality()
        self.runs = 0
        self.new_id = Uuid7(world.clock, world.entropy)
        ring = Keyring.load(TestKeys(), TENANT, load_keys(world.engine))  # type: ignore[arg-type]
        origin = Origin(Actor("local", "test"), Source("cli"), "0")
        appender = Appender(world.clock, self.new_id, origin)
        self.store = MortalStore(world.engine, ring, world.clock, self.new_id, appender, self.mortality)
        self.connectors = {spec.name: self._connector(spec.name, spec.skew) for spec in world.specs}
        self.links_of = {
            entity: {spec.name: self._link(spec, entity) for spec in world.specs} for entity in world.entities
        }

    @property
    def links(self) -> dict[str, Link]:
        """Returns the systems as the clients see them."""
        return self.links_of[ENTITY]

    def _connector(self, name: str, skew: float) -> WatchedConnector:
        context = Context(name, SkewedClock(self.world.time, skew))
        settings = {"world": self.world.systems[name].name}
        return WatchedConnector(settings, context, self.world.ledgers[name], self)

    def _link(self, spec: SystemSpec, entity: str) -> Link:
        mapping, policy = self.world.mapping(spec.kind, entity), egress.OPEN
        if spec.egress is not None:
            policy = spec.egress(schema().entity(entity))
        return Link(spec.name, self.connectors[spec.name], mapping, account=spec.name, egress=policy)

    @contextmanager
    def run(self, entity: str = ENTITY) -> Iterator[RunContext]:
        """Takes the lease and yields one run in this thread."""
        self.runs = self.world.next_run()
        with hold(self.store, entity, "test") as held:
            yield self.context(held)

    def context(self, held: Lease) -> RunContext:
        world = self.world
        run = RunContext(
            world.rules if held.entity == ENTITY else world.other_rules[held.entity],
            self.links_of[held.entity],
            self.store,
            self.world.clock,
            self.new_id,
            held,
            self.new_id(),
            "test",
            threads=False,
            page=self.world.page,
            turn=Turn(world.clock, world.clock.now(), 0.0) if world.hurried else Turn(),
        )
        return replace(run, spread=Here(run)) if world.spread else run

    def cycle(self, *entities: str, write: bool = True) -> Report:
        """Runs one cycle of each entity, parents first, or of the named ones only; returns their reports as one."""
        reports = []
        for entity in entities or self.world.entities:
            with self.run(entity) as run:
                reports.append(run_cycle(run, write=write))
        return reports[0] if len(self.world.entities) == 1 else self._as_one(reports)

    def _as_one(self, reports: Sequence[Report]) -> Report:
        counts, waiting = Counter[str](), Counter[str]()
        for report in reports:
            counts.update(report.counts)
            waiting.update(report.standing.waiting)
        with self.store.read() as conn:
            # What one entity's cycle left for another one stands there since that one's report.
            queued = conn.execute(sa.text("SELECT count(*) FROM observation WHERE state = 'new'")).scalar_one()
        owed = {f"{n}:{s}": c for n, r in enumerate(reports) for s, c in r.standing.owed.items()}
        standing = Standing(
            owed,
            queued,
            dict(waiting),
            tuple(row for report in reports for row in report.standing.guards),
            tuple(row for report in reports for row in report.standing.causes),
        )
        outcomes = {report.outcome for report in reports}
        outcome = next(each for each in (Outcome.BLOCKED, Outcome.PROGRESSED, Outcome.CONVERGED) if each in outcomes)
        reasons = tuple(reason for report in reports for reason in report.reasons)
        problems = tuple(text for report in reports for text in report.problems)
        return Report(reports[-1].run_id, outcome, reasons, dict(counts), standing, problems)

    def reconcile(self) -> tuple[Difference, ...]:
        found: list[Difference] = []
        for entity in self.world.entities:
            with self.run(entity) as run:
                found += reconcile(run)
        return tuple(found)


class World:
    """Holds the systems, the time and the store of one history."""

    def __init__(
        self,
        specs: Sequence[SystemSpec],
        *,
        seed: int = 0,
        on_delete: str = "detach",
        prefer: Sequence[str] = (),
        guards: Guards = OPEN,
        oscillation: int = 1000,
        page: int = 200,
        folder: Path = SCHEMA,
        entities: Sequence[str] = (ENTITY,),
        repoints: bool = True,
        spread: bool = False,
    ) -> None:
        self.specs, self.seed, self.page, self.folder = tuple(specs), seed, page, folder
        self.entities, self.repoints, self.spread = tuple(entities), repoints, spread
        self.time = Time()
        self.hurried = False
        """Has every cycle yield after its first page, batch or write."""
        self.clock = SkewedClock(self.time)
        self.entropy = Random(f"ids:{seed}").randbytes
        names = tuple(spec.name for spec in specs)
        self.settings = EntitySettings(
            systems=names,
            prefer=tuple(prefer) or names,
            on_delete=on_delete,  # type: ignore[arg-type]
            guards=guards,
            oscillation=Oscillation(times=oscillation),
        )
        self.rules = entity_rules(self.settings)
        self.other_rules = {name: entity_rules(self.settings, name) for name in self.entities if name != ENTITY}
        self.systems: dict[str, MemorySystem] = {}
        self.ledgers = {name: Ledger() for name in names}
        for number, spec in enumerate(specs):
            self._add(spec, number)
        self.engine = fresh_engine()
        self._runs = 0
        self._joined: dict[str, str] = {}
        self.hub = Hub(self)

    def _add(self, spec: SystemSpec, number: int) -> None:
        clock = SkewedClock(self.time, spec.skew)
        system = MemorySystem(clock, spec.name, seed=self.seed + number, shows_written=spec.shows_written)
        for entity in self.entities:
            mapping = self.mapping(spec.kind, entity)
            for object_ in mapping.objects:
                names = [*mapping.out_fields(object_), *mapping.create_fields(object_)]
                written = [n for name in names for n in mapping.written_to(object_, name)]
                fields = dict.fromkeys([*mapping.native_fields(object_)[1:], *written, *BYSTANDERS])
                system.add_object(object_, fields, spec.can, key_field=KEY_FIELDS[spec.kind])
        self.systems[spec.name] = system
        worlds[spec.name] = system

    def mapping(self, kind: str, entity: str = ENTITY) -> CompiledMapping:
        return mapping_of(kind, self.folder, entity)

    def mapping_at(self, system: str, object_: str) -> CompiledMapping:
        """Returns the mapping of an object of a system."""
        return self.mapping(self.spec(system).kind, ENTITY_OF[object_])

    def key_of(self, system: str) -> str:
        return KEY_FIELDS[self.spec(system).kind]

    def spec(self, name: str) -> SystemSpec:
        return next(spec for spec in self.specs if spec.name == name)

    def next_run(self) -> int:
        self._runs += 1
        return self._runs

    def restart(self) -> Hub:
        """Starts the hub anew, as after a crash: nothing is kept but the store."""
        self.hub = Hub(self)
        return self.hub

    def lose_store(self) -> Hub:
        """Puts an empty store in the place of the old one."""
        _idle.append(self.engine)
        self.engine = fresh_engine()
        return self.restart()

    def close(self) -> None:
        """Gives the store back; the world must not be used any more."""
        _idle.append(self.engine)

    # What people do in the systems, in canonical terms.

    def create(
        self,
        system: str,
        fields: Mapping[str, Any],
        who: str = "",
        *,
        native_id: str | None = None,
        entity: str = ENTITY,
    ) -> str:
        """Creates a record as a person would and returns its native id; references are native ids of that system."""
        spec = self.spec(system)
        mapping = self.mapping(spec.kind, entity)
        fields = self._pointing(system, entity, fields)
        object_ = mapping.route(fields) or PLACES[spec.kind][entity][0]
        patch = mapping.to_native(object_, fields, create=True)
        assert not patch.refusals, patch.refusals
        native = {**patch.fields, "who": who or str(fields.get("full_name")), "own": f"own:{who}"}
        return self.systems[system].create(object_, native, native_id=native_id)

    def ticket(self, system: str, who: str, **fields: Any) -> str:
        return self.create(system, {"code": who, **fields}, who, entity="ticket")

    def visit(self, system: str, who: str, client_id: str | None = None, **fields: Any) -> str:
        fields = {"channel": "phone", "code": who, "client_id": client_id, **fields}
        return self.create(system, {n: v for n, v in fields.items() if v is not None}, who, entity="visit")

    def points(self, system: str, native_id: str, field: str = "client_id") -> str | None:
        """Returns the native id that a reference of a record holds."""
        shown = self.shows(system, native_id)[field]
        return None if shown is None else parse_ref(shown)[1]

    def _pointing(self, system: str, entity: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        names = schema().entity(entity).references()
        return {
            name: native_ref(self.object_of(system, value), value) if name in names and value is not None else value
            for name, value in fields.items()
        }

    def edit(self, system: str, native_id: str, **fields: Any) -> None:
        object_ = self.object_of(system, native_id)
        mapping = self.mapping_at(system, object_)
        fields = self._pointing(system, ENTITY_OF[object_], fields)
        patch = mapping.to_native(object_, fields)
        self.systems[system].edit(object_, native_id, {**patch.fields, **_cleared(mapping, object_, fields)})

    def delete(self, system: str, native_id: str) -> None:
        self.systems[system].delete(self.object_of(system, native_id), native_id)

    def merge(self, system: str, loser: str, survivor: str) -> None:
        self.systems[system].merge(self.object_of(system, loser), loser, survivor)
        if self.repoints:
            self._repoint(system, loser, survivor)

    def _repoint(self, system: str, loser: str, survivor: str) -> None:
        """Does what most vendors do after a merge: what pointed at the loser points at the survivor."""
        for native_id, (object_, fields) in self.live(system).items():
            named = {name: value for name, value in fields.items() if value in (loser, {"id": loser})}
            moved = {n: survivor if isinstance(value, str) else {"id": survivor} for n, value in named.items()}
            if moved:
                self.systems[system].edit(object_, native_id, moved)

    def same(self, one: str, other: str) -> bool:
        """Tells whether two identities are one: equal, or merged by people."""
        return self._root(one) == self._root(other)

    def join(self, one: str, other: str) -> None:
        self._joined[self._root(one)] = self._root(other)

    def _root(self, who: str) -> str:
        while who in self._joined and self._joined[who] != who:
            who = self._joined[who]
        return who

    def object_of(self, system: str, native_id: str) -> str:
        for object_, table in self.systems[system].tables.items():
            if native_id in table.rows:
                return object_
        raise KeyError(native_id)

    def shows(self, system: str, native_id: str) -> dict[str, Any]:
        """Returns the true canonical fields of a live record."""
        object_ = self.object_of(system, native_id)
        native = self.systems[system].records(object_)[native_id]
        return canonical(self.mapping_at(system, object_), object_, native)

    def live(self, system: str) -> dict[str, tuple[str, dict[str, Any]]]:
        """Returns the live records of a system: native id -> (object, native fields)."""
        found = {}
        for object_ in self.systems[system].tables:
            for native_id, fields in self.systems[system].records(object_).items():
                found[native_id] = (object_, fields)
        return found

    def find(self, system: str, who: str) -> list[str]:
        """Returns the live records of one real person in a system."""
        return [key for key, (_, fields) in self.live(system).items() if self.identity(system, key, fields) == who]

    def identity(self, system: str, native_id: str, fields: Mapping[str, Any]) -> str:
        """Returns who a record really is; records that the hub created are known by their hub id."""
        if fields.get("who"):
            return str(fields["who"])
        return self.who_is(str(fields.get(KEY_FIELDS[self.spec(system).kind])))

    def who_is(self, hub_id: str) -> str:
        """Returns whom a golden record stands for: the identity of any record made by a person that carries its id."""
        with self.engine.connect() as conn:
            rows = _PLACES_OF.run(conn, {"of": hub_id})
        for system, object_, native_id in rows:
            versions = self.systems[system].tables[object_].rows.get(native_id) if object_ else None
            if versions and versions[0].fields.get("who"):
                return str(versions[0].fields["who"])
        return ""

    def goldens(self) -> dict[str, GoldenRecord]:
        """Returns every golden record by hub id."""
        store = self.hub.store
        with store.read() as conn:
            hub_ids = [row[0] for row in conn.execute(sa.text("SELECT hub_id FROM golden ORDER BY hub_id"))]
            return records.load_golden(conn, store.ring, hub_ids)

    def golden(self, who: str) -> dict[str, Any]:
        """Returns the fields of the one live golden record of a real person."""
        found = [record for record in self.goldens().values() if self.same(self.who_is(record.hub_id), who)]
        live = [record for record in found if record.state is GoldenState.LIVE]
        assert len(live) == 1, f"{len(live)} golden records of {who}"
        return dict(live[0].fields)

    def bindings(self) -> dict[tuple[str, str], Binding]:
        """Returns the bindings by (system, native id); one that has no native id yet stands under its hub id."""
        with self.hub.store.read() as conn:
            stored = records.load(conn, self.hub.store.ring, list(self.goldens()))
        return {(b.system, b.native_id or b.hub_id): b for item in stored.values() for b in item.bindings}

    def faults(self, system: str) -> Faults:
        return self.systems[system].faults

    def writes(self, since: Mapping[str, int] | None = None) -> list[tuple[str, Any]]:
        """Returns every remote write that took effect (since a `mark`), with its system."""
        since = since or {}
        return [
            (name, commit) for name, system in self.systems.items() for commit in system.writes[since.get(name, 0) :]
        ]

    def mark(self) -> dict[str, int]:
        """Returns where the writes stand now."""
        return {name: len(system.writes) for name, system in self.systems.items()}

    # The hub.

    def cycle(self, *entities: str, write: bool = True) -> Report:
        return self.hub.cycle(*entities, write=write)

    def settle(self, most: int = 12, *, step: float = 60.0) -> Report:
        """Runs cycles until one changes nothing more; fails after `most`."""
        for _ in range(most):
            self.time.pass_(step)
            before = self.mark()
            report = self.cycle()
            quiet = not report.counts.get("changed") and not report.counts.get("recovered")
            if quiet and self.mark() == before and not report.standing.queued and not waiting_intents(report):
                return report
        raise AssertionError(f"inv 3: not quiet after {most} cycles: {report.counts} {report.standing}")

    def drop_cursors(self, *systems: str) -> None:
        """Makes the next cycle list everything again."""
        with self.hub.store.begin() as work:
            for name in systems or self.systems:
                for object_ in self.systems[name].tables:
                    for stream in ("changes", "deletions"):
                        runs.drop_cursor(work, ENTITY_OF[object_], name, object_, stream)


def merged_into(world: World, system: str, native_id: str) -> str:
    """Returns the record that a record was merged into at last, itself where it was not."""
    for table in world.systems[system].tables.values():
        while (rows := table.rows.get(native_id)) and rows[-1].merged_into is not None:
            native_id = str(rows[-1].merged_into)
    return native_id


def waiting_intents(report: Report) -> int:
    return report.standing.waiting.get("uncertain_writes", 0)


def _cleared(mapping: CompiledMapping, object_: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns native nulls for canonical fields set to None, also where the hub itself may not clear them."""
    nulls: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None:
            nulls.update(dict.fromkeys(natives_of(mapping, object_, name)))
    return nulls


def natives_of(mapping: CompiledMapping, object_: str, name: str) -> tuple[str, ...]:
    writer = mapping._plans[object_].writers.get(name)
    return writer.natives if writer is not None else ()


def canonical(mapping: CompiledMapping, object_: str, native: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all mapped canonical fields of a native record, absent ones as None; unreadable ones are left out."""
    shown = {name: native.get(name) for name in mapping.native_fields(object_)}
    return dict(mapping.to_canonical(object_, shown).fields)


Step = Callable[[World, Random], None]

__all__ = [
    "ENTITY",
    "FULL",
    "OPEN",
    "ConnectorError",
    "Fetched",
    "Killed",
    "Page",
    "SystemSpec",
    "World",
    "canonical",
    "natives_of",
    "replace",
]
