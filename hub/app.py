"""The composition root: the only place where everything is wired."""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import socket
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from connectors.base import Connector, WriteUnclear
from connectors.errors import ConnectorError
from connectors.listing import Selective
from hub.audit.event import Actor, Origin, Source
from hub.audit.tree import Appender
from hub.canonical.schema import Entity, Field, Schema, load_schema
from hub.canonical.shipped import shipped_folder
from hub.core.deadlines import Deadlines
from hub.core.derive import Derivation, Formula, StepDerivation
from hub.core.guards import Limits
from hub.core.plan import EntityPolicy, OnDelete
from hub.core.policy import FieldRule
from hub.crypto.provider import KeyProvider
from hub.crypto.suites import SUITES
from hub.kernel import failpoints
from hub.kernel.clock import Clock, SystemClock
from hub.kernel.errors import ConfigInvalid, Declined, KeyUnusable, Problem, StoreUnavailable, problem
from hub.kernel.ids import Uuid7
from hub.kernel.settings import FILE, EntitySettings, KeySource, Settings, Transport, load_settings
from hub.kernel.workdays import Workdays
from hub.keys.keyring import Keyring, SealMode
from hub.keys.opening import open_providers
from hub.keys.plugin import SERVICE, Around, Send
from hub.mapping.deadlines import read_deadlines
from hub.mapping.loader import load_chosen
from hub.mapping.tables import load_tables
from hub.mapping.translate import CompiledMapping, compile_mapping
from hub.operations.installation import Installation
from hub.outbound import Outbound, Windows, open_service
from hub.schedule.dispatch import prepare as prepare_queue
from hub.store.allowances import StoredBooks
from hub.store.common import ManyMachines
from hub.store.database import Engine, open_engine
from hub.store.key_rows import VERSION
from hub.store.lease import many_machines
from hub.store.migrate import migrate, require_current
from hub.store.ring_watch import RingWatch
from hub.store.unit_of_work import Store
from hub.store.vault import SealedTokens, load_keys, read_meta, save_keys, write_meta
from hub.sync.engine import EntityRules, Link
from hub.telemetry import logger

DAEMON = "daemon"
"""Is the channel of work that no person asked for."""
COMPUTED = (
    Derivation("lifecycle_changed_at", "lifecycle_stage"),
    Derivation("consent_changed_at", "contact_consent"),
)


def initialise(home: Path, *, clock: Clock | None = None) -> Path:
    """Makes a hub folder: copies config/ and mappings/, Raises Declined where one stands."""
    home = home.absolute()
    clock = clock or SystemClock()
    if (home / FILE).exists():
        raise Declined(
            f"{home} already holds a hub; edit its config/hub.yaml, or choose another folder",
            f"{home} 已是 crmhub 目录；请编辑其 config/hub.yaml，或另选目录",
        )
    home.mkdir(parents=True, exist_ok=True)
    for name in ("config", "mappings"):
        shutil.copytree(shipped_folder(name), home / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    file = home / FILE
    unique = Uuid7(clock)().replace("-", "")[-12:]
    file.write_text(file.read_text(encoding="utf-8").replace("id: my-bank", f"id: hub-{unique}"), encoding="utf-8")
    return home


def prepare(home: Path, *, clock: Clock | None = None) -> None:
    """Makes what a checked configuration still lacks: the key file, the tables, the data keys. Safe to repeat."""
    clock = clock or SystemClock()
    settings = load_settings(home)
    engine = open_engine(settings.store_url())
    try:
        migrate(engine)
        tenant = read_meta(engine, "tenant")
        # A store that is sealed already opens with its own key only; a fresh one would hide that it is lost.
        provider = provider_of(settings, create=tenant is None)
        if tenant is None:
            tenant = settings.installation.id
            ids = iter(range(1, 1000))
            suite = SUITES[settings.keys.suite]
            rows = Keyring.bootstrap(provider, tenant, lambda: next(ids), clock.now(), suite)
            save_keys(engine, rows)
            write_meta(engine, {"tenant": tenant, "profile": settings.profile})
    finally:
        engine.dispose()
    prepare_queue(settings)


def open_installation(
    home: Path,
    *,
    clock: Clock | None = None,
    channel: str = "cli",
    seal: SealMode = SealMode.ON,
    threads: bool = True,
    lang: str = "en",
) -> Installation:
    """Opens a hub folder. Raises ConfigInvalid, KeyUnusable, StoreUnavailable and StoreTooNew, each with its remedy."""
    settings = load_settings(home)
    failpoints.arm(settings.profile)
    clock = clock or SystemClock()
    new_id = Uuid7(clock)
    schema = load_schema(settings.mappings / "canonical")
    engine = open_engine(settings.store_url())
    try:
        require_current(engine)
        ring, keys = _open_ring(settings, engine, seal, clock)
        actor = f"local:{getpass.getuser()}"
        append = Appender(clock, new_id, origin_of(settings, actor, channel))
        watch = RingWatch(engine, ring, clock, new_id(), socket.gethostname(), os.getpid(), channel, keys)
        store = Store(engine, ring, clock, new_id, append, watch=watch)
        common = ManyMachines(engine, clock) if many_machines(engine) else None
        windows = Windows(StoredBooks(engine), clock, asked=channel != DAEMON)
        outbound = Outbound(settings, clock=clock, new_id=new_id, tokens=_Tokens(store), common=common, windows=windows)
        entities = _entities(settings, schema)
        deadlines = load_deadlines(settings, schema)
        rules = {name: rules_of(schema.entity(name), item, deadlines) for name, item in entities.items()}
    except BaseException:
        engine.dispose()
        raise

    def connect(system: str) -> Connector:
        return outbound.open(system)

    def link(system: str, entity: str) -> Link:
        configured = settings.systems[system]
        mapping = compiled(settings, schema, system, entity)
        account = hashlib.sha256(orjson.dumps([configured.kind, dict(configured.settings)], default=str)).hexdigest()
        return Link(
            system,
            _selecting(outbound.open(system), mapping),
            mapping,
            account=account[:24],
            deletions_every=float(configured.deletions_every_seconds),
        )

    def close() -> None:
        outbound.close()
        with suppress(StoreUnavailable):
            watch.close()
        engine.dispose()

    return Installation(
        settings, schema, rules, store, clock, new_id, actor, connect, link, outbound.calls, close, lang, threads
    )


def _selecting(connector: Connector, mapping: CompiledMapping) -> Connector:
    """Returns the connector of an entity: where only some records of an object are its own, it lists no others."""
    for object_ in mapping.objects:
        only = mapping.only(object_)
        if only and isinstance(connector, Selective):
            connector = connector.selecting(object_, {name: sorted(values) for name, values in only.items()})
    return connector


def compiled(settings: Settings, schema: Schema, system: str, entity: str) -> CompiledMapping:
    """Loads and compiles the mapping that the settings choose for a system. Raises ConfigInvalid."""
    configured = settings.systems[system]
    mapping = load_chosen(settings.mappings, configured, entity)
    return compile_mapping(mapping, schema, load_tables(settings.mappings / "tables"))


def rules_of(entity: Entity, settings: EntitySettings, deadlines: Deadlines | None = None) -> EntityRules:
    """Returns what the engine may decide by, from the canonical schema and the settings of one entity."""
    rules = {
        name: FieldRule(name, item.policy, _guards(item), dict(item.order) or None, _reopens(item))
        for name, item in entity.fields.items()
    }
    prefer = settings.prefer or settings.systems
    policy = EntityPolicy(
        entity.name,
        rules,
        tuple(prefer),
        derivations=_derivations(entity, deadlines),
        on_delete=OnDelete(settings.on_delete),
        oscillation=settings.oscillation.times,
    )
    guards = settings.guards
    limits = Limits(
        guards.max_deletes.count,
        guards.max_deletes.percent,
        guards.max_changes.count,
        guards.max_changes.percent,
        guards.max_creates.count,
        guards.max_creates.percent,
        guards.max_shrink_percent,
        guards.first_sync_needs_release,
    )
    match_rules = tuple(rule for rule in entity.match if rule.fields != ("hub_id",))
    return EntityRules(entity, policy, limits, match_rules, settings.oscillation.window_hours * 3600)


def load_deadlines(settings: Settings, schema: Schema) -> Deadlines | None:
    """Returns the table of deadlines, None where no due date is computed here. Raises ConfigInvalid."""
    for name in settings.entities:
        fields = schema.entity(name).fields
        if "due_at" in fields and fields["due_at"].computed and "extension" in fields:
            folder, problems = settings.mappings / "tables", list[Problem]()
            rows = read_deadlines(load_tables(folder), fields["extension"].values, folder, problems)
            if problems:
                raise ConfigInvalid(problems)
            return Deadlines(rows, Workdays(_report_unpublished))
    return None


def _report_unpublished(year: int) -> None:
    logger("deadlines").warning("holidays_unpublished", year=year, counted="monday_to_friday")


def _derivations(entity: Entity, deadlines: Deadlines | None) -> tuple[Derivation, ...]:
    """Returns how the hub computes the fields of an entity that its schema marks as computed."""
    known: list[Derivation] = [*COMPUTED, *_reopenings(entity)]
    if deadlines is not None:
        known.append(Formula("due_at", "received_at", deadlines))
    fields = entity.fields
    return tuple(d for d in known if d.watched in fields and d.target in fields and fields[d.target].computed)


def _reopenings(entity: Entity) -> list[Derivation]:
    """Returns what the hub notes when a status steps back to where a reopening leads, for whatever reason."""
    status = entity.fields.get("status")
    if status is None:
        return []
    rank, open_again = status.order, {after for _, after in _reopens(status)}
    steps = frozenset((b, a) for b in status.values for a in open_again if rank.get(b, 0) > rank.get(a, 0))
    return [
        StepDerivation("reopened_count", "status", steps),
        StepDerivation("review_reopened_at", "status", steps, "review_requested_at"),
    ]


def _guards(field: Field) -> tuple[str, ...]:
    """Returns the guards of a field; one that keeps the earliest value is guarded against a later one by itself."""
    return (*field.guards, "later_than_earliest") if field.policy == "min" else field.guards


def _reopens(field: Field) -> tuple[tuple[str, str], ...]:
    """Returns the transitions that step back in rank by design, so that no guard holds them."""
    rank = field.order
    steps = ((before, after) for before, follows in field.transitions.items() for after in follows)
    return tuple((before, after) for before, after in steps if rank.get(after, 0) < rank.get(before, 0))


def _entities(settings: Settings, schema: Schema) -> dict[str, EntitySettings]:
    unknown = [name for name in settings.entities if name not in schema.entities]
    if unknown:
        known = ", ".join(schema.entities)
        raise ConfigInvalid(
            [
                problem(
                    settings.home / FILE,
                    None,
                    "HUB-CONF-001",
                    f"entities.{name} is not in mappings/canonical; known: {known}",
                    f"entities.{name} 不在 mappings/canonical 中；已有：{known}",
                )
                for name in unknown
            ]
        )
    return dict(settings.entities)


class _Tokens:
    """Keeps tokens sealed in the store, per system."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, system: str, name: str) -> bytes | None:
        return SealedTokens(self._store, system).get(name)

    def put(self, system: str, name: str, value: bytes) -> None:
        SealedTokens(self._store, system).put(name, value)


def provider_of(settings: Settings, *, create: bool = False) -> KeyProvider:
    """Returns the key providers of a configuration as one; `create` makes what the first lacks. Raises KeyUnusable."""
    ask = _ask_passphrase if sys.stdin.isatty() else None
    around = Around(
        settings.home, (settings.var,), SUITES[settings.keys.suite], lambda source: key_service(settings, source), ask
    )
    return open_providers(settings.keys, around, create=create)


def _ask_passphrase() -> str:
    return getpass.getpass("passphrase of the key (not shown) / 主密钥口令（不显示）: ", sys.stderr)


def key_service(settings: Settings, source: KeySource) -> Send:
    """Returns the way to the service of a key source. Its bounds are narrow: whoever opens a record waits for it."""
    transport = source.http or Transport(connect_timeout=3.0, read_timeout=5.0, deadline=10.0)
    try:
        client = open_service(settings, "keys", source.url or "", transport)
    except ConnectorError as error:
        raise KeyUnusable(f"keys.url: {error.en}", f"keys.url：{error.zh}", code=SERVICE) from None

    def send(method: str, url: str, headers: dict[str, str], body: Any = None) -> tuple[int, Any]:
        try:
            answer = client.send(method, url, operation="keys", read=False, headers=headers, json=body)
            return answer.status, answer.json() if answer.body else None
        except (ConnectorError, WriteUnclear) as error:
            reason = getattr(error, "code", "HUB-NET-001")
            raise KeyUnusable(
                f"the key service {source.url} gave no usable answer ({reason}); it may be sealed, slow or cut "
                "off: see its log and the network, and all goes on by itself",
                f"密钥服务 {source.url} 未返回有效结果（{reason}），可能已封存、过慢或网络中断；"
                "请检查其日志和网络，恢复后自动继续",
                code=SERVICE,
            ) from None

    return send


def _open_ring(settings: Settings, engine: Engine, seal: SealMode, clock: Clock) -> tuple[Keyring, int]:
    """Returns the ring and its version, which is read first: what is newer is read again soon."""
    tenant = read_meta(engine, "tenant") or settings.installation.id
    if tenant != settings.installation.id:
        raise ConfigInvalid(
            [
                problem(
                    settings.home / FILE,
                    None,
                    "HUB-CONF-001",
                    f"installation.id is {settings.installation.id}, but the store belongs to {tenant}; set it back",
                    f"installation.id 为 {settings.installation.id}，而存储属于 {tenant}；请改回",
                )
            ]
        )
    version = int(read_meta(engine, VERSION) or 0)
    provider, rows = provider_of(settings), load_keys(engine)
    return Keyring.load(provider, tenant, rows, seal_mode=seal, profile=settings.profile, clock=clock), version


def origin_of(settings: Settings, actor: str, channel: str) -> Origin:
    """Returns who acts, from where, under which release and settings, for the audit log."""
    source = Source(channel, host=socket.gethostname(), pid=os.getpid())  # type: ignore[arg-type]
    return Origin(Actor("local", actor), source, version("crmhub"), settings.digest)
