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
from connectors.errors import ConnectorError, PinMismatch
from connectors.listing import Selective
from hub.access.actor import Actor, local
from hub.access.branches import Branches
from hub.access.identity import MARKER, identify, token_of
from hub.audit import event
from hub.audit.event import Event, Origin, Source
from hub.audit.tree import Appender
from hub.canonical.schema import Schema, load_schema
from hub.canonical.shipped import shipped_folder
from hub.crypto.provider import KeyProvider
from hub.crypto.suites import SUITES
from hub.kernel import failpoints
from hub.kernel.clock import Clock, SystemClock
from hub.kernel.errors import ConfigInvalid, Declined, KeyUnusable, StoreUnavailable, problem
from hub.kernel.ids import NewId, Uuid7
from hub.kernel.settings import FILE, EntitySettings, KeySource, Settings, Transport, line_in_settings, load_settings
from hub.keys.keyring import Keyring, SealMode
from hub.keys.opening import open_providers
from hub.keys.plugin import SERVICE, Around, Send
from hub.mapping.loader import load_chosen
from hub.mapping.tables import load_tables
from hub.mapping.translate import CompiledMapping, compile_mapping
from hub.operations.doorway import bearer
from hub.operations.egress import egress_of
from hub.operations.installation import Installation
from hub.operations.rules import load_deadlines, rules_of
from hub.operations.signer import create_signer
from hub.outbound import Alarm, Outbound, Windows, open_service
from hub.store.allowances import StoredBooks
from hub.store.audit_log import choose_hash
from hub.store.common import ManyMachines
from hub.store.database import Engine, open_engine, store_errors
from hub.store.key_rows import VERSION
from hub.store.lease import many_machines
from hub.store.migrate import migrate, require_current
from hub.store.ring_watch import RingWatch
from hub.store.unit_of_work import Store
from hub.store.vault import SealedTokens, has_acted, load_keys, read_meta, save_keys, write_meta
from hub.sync.engine import Link
from hub.telemetry import mark

DAEMON = "daemon"
"""Is the channel of work that no person asked for."""
USED = "used_profile"
"""Names the profile under which a store was opened last."""


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
        _keep_profile(settings, engine)
        if tenant is None:
            tenant = settings.installation.id
            ids = iter(range(1, 1000))
            suite = SUITES[settings.keys.suite]
            rows = Keyring.bootstrap(provider, tenant, lambda: next(ids), clock.now(), suite)
            save_keys(engine, rows)
            write_meta(engine, {"tenant": tenant, "profile": settings.profile})
            choose_hash(engine, settings.audit.hash)
        create_signer(settings)
    finally:
        engine.dispose()
    # The library of the queue costs every other command a quarter of a second.
    from hub.schedule.dispatch import prepare as prepare_queue

    prepare_queue(settings)


def open_installation(
    home: Path,
    *,
    clock: Clock | None = None,
    channel: str = "cli",
    seal: SealMode = SealMode.ON,
    threads: bool = True,
    lang: str = "en",
    signed_in: bool = True,
) -> Installation:
    """Opens a hub folder for who holds the token of this shell, without `signed_in` for nobody in particular.

    Raises ConfigInvalid, KeyUnusable, StoreUnavailable, StoreTooNew and SessionEnded, each with its remedy.
    """
    settings = load_settings(home)
    mark(settings.profile)
    failpoints.arm(settings.profile)
    clock = clock or SystemClock()
    new_id = Uuid7(clock)
    schema = load_schema(settings.mappings / "canonical")
    engine = open_engine(settings.store_url())
    try:
        require_current(engine)
        _keep_profile(settings, engine)
        ring, keys = _open_ring(settings, engine, seal, clock)
        who = _who(settings, engine, ring, clock, new_id, channel, token_of(os.environ) if signed_in else None)
        acts = who.audited(clock.now())
        append = Appender(clock, new_id, origin_of(settings, acts, channel))
        watch = RingWatch(engine, ring, clock, new_id(), socket.gethostname(), os.getpid(), channel, keys)
        store = Store(engine, ring, clock, new_id, append, watch=watch)
        common = ManyMachines(engine, clock) if many_machines(engine) else None
        windows = Windows(StoredBooks(engine), clock, asked=channel != DAEMON)
        outbound = Outbound(
            settings,
            clock=clock,
            new_id=new_id,
            tokens=_Tokens(store),
            common=common,
            windows=windows,
            alarm=key_alarm(store),
        )
        entities = _entities(settings, schema)
        deadlines = load_deadlines(settings, schema)
        egress = egress_of(settings, schema, clock)
        rules = {name: rules_of(schema.entity(name), item, deadlines) for name, item in entities.items()}
        branches = _branches(settings)
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
            egress=egress.shaper(system, schema.entity(entity)),
        )

    def close() -> None:
        outbound.close()
        with suppress(StoreUnavailable):
            watch.close()
        engine.dispose()

    return Installation(
        settings,
        schema,
        rules,
        store,
        clock,
        new_id,
        who,
        branches,
        connect,
        link,
        outbound.calls,
        close,
        lang,
        threads,
        post=outbound.post,
    )


def _who(
    settings: Settings, engine: Engine, ring: Keyring, clock: Clock, new_id: NewId, channel: str, token: str | None
) -> Actor:
    """Returns who acts: by a token, else the hub itself or the account of the machine. Raises SessionEnded."""
    account = getpass.getuser()
    if token is not None and channel != DAEMON:
        acts = local(account, open=False).audited(clock.now())
        store = Store(engine, ring, clock, new_id, Appender(clock, new_id, origin_of(settings, acts, channel)))
        return bearer(store, settings, token)
    with store_errors(), engine.connect() as conn:
        return identify(conn, account=account, marker=settings.var / MARKER, daemon=channel == DAEMON)


def _branches(settings: Settings) -> Branches:
    """Returns where branches stand, from the columns branch_code and path of the table of branches."""
    table = load_tables(settings.mappings / "tables").get("branches")
    rows = {} if table is None or "path" not in table.columns else table.rows
    return Branches({code: row["path"] for code, row in rows.items() if row["path"]})


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


def key_alarm(store: Store) -> Alarm:
    """Returns what writes into the audit log that a server showed a key that is not pinned."""

    def alarm(name: str, host: str) -> None:
        with store.begin() as work:
            refused = Event("connection.refused", "connection", name, "denied", PinMismatch.code, host, connection=name)
            work.audit(refused)

    return alarm


def _keep_profile(settings: Settings, engine: Engine) -> None:
    """Notes that a store is used in production; it is never opened as a training one again. Raises ConfigInvalid."""
    # Not the profile it was made under: earlier releases noted production for a folder that was to become a lab.
    known = read_meta(engine, USED)
    if known == settings.profile:
        return
    if known == "production" and has_acted(engine):
        place = settings.home / FILE
        en = f"this store was used in production and never opens under profile {settings.profile}; "
        en += "set profile: production, or make a training hub of its own with `crmhub init`"
        zh = f"该存储曾用于生产，不能以 {settings.profile} 配置打开；"
        zh += "请改回 profile: production，或用 `crmhub init` 另建培训环境"
        raise ConfigInvalid([problem(place, line_in_settings(settings, "profile"), "HUB-CONF-004", en, zh)])
    write_meta(engine, {USED: settings.profile})


def provider_of(settings: Settings, *, create: bool = False) -> KeyProvider:
    """Returns the key providers of a configuration as one; `create` makes what the first lacks. Raises KeyUnusable."""
    ask = _ask_passphrase if sys.stdin.isatty() else None
    around = Around(
        settings.home, (settings.var,), SUITES[settings.keys.suite], lambda source: key_service(settings, source), ask
    )
    return open_providers(settings.keys, around, create=create)


def _ask_passphrase() -> str:
    return getpass.getpass("passphrase of the key (not shown) / 主密钥口令（不显示）: ", sys.stderr)


_NARROW = {"connect_timeout": 3.0, "read_timeout": 5.0, "deadline": 10.0}


def key_service(settings: Settings, source: KeySource) -> Send:
    """Returns the way to the service of a key source. Its bounds are narrow: whoever opens a record waits for it."""
    chosen = source.http or Transport()
    transport = chosen.model_copy(update={name: _NARROW[name] for name in _NARROW.keys() - chosen.model_fields_set})
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


def origin_of(settings: Settings, actor: event.Actor, channel: str) -> Origin:
    """Returns who acts, from where, under which release and settings, for the audit log."""
    source = Source(channel, host=socket.gethostname(), pid=os.getpid())  # type: ignore[arg-type]
    return Origin(actor, source, version("crmhub"), settings.digest)
