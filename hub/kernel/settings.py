"""The settings of an installation: `config/hub.yaml`, checked as a whole before anything starts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, ValidationError

from hub.kernel.audit_settings import Audit
from hub.kernel.errors import ConfigInvalid, Problem, problem
from hub.kernel.i18n import Language
from hub.kernel.secrets import resolve_secret
from hub.kernel.settings_check import cross_check
from hub.kernel.settings_forms import Address, Credential, Name, Percent, PublicUrl, Reference, Section, form, said
from hub.kernel.settings_transport import Transport as Transport
from hub.kernel.settings_web import Web
from hub.kernel.timetable import parse_freeze, parse_timing, parse_window
from hub.kernel.yaml_file import line_of, load_yaml, plain, schema_problems

FILE = Path("config") / "hub.yaml"
CODE = "HUB-CONF-001"

_SQLITE = "sqlite:///"
_PASSWORD_IN_URL = re.compile(r"//[^/@]*:[^/@]*@")

Profile = Literal["production", "lab"]
OnDelete = Literal["detach", "archive", "propagate", "ask"]


def _store_url(url: str) -> str:
    if not url.startswith((_SQLITE, "postgresql+psycopg://")):
        raise said(
            "must start with sqlite:/// or postgresql+psycopg://", "应以 sqlite:/// 或 postgresql+psycopg:// 开头"
        )
    if _PASSWORD_IN_URL.search(url) or "password=" in url:
        raise said(
            "holds a password; take it out and name it in store.password as env:NAME or file:PATH",
            "含有口令；请移除，并在 store.password 中以 env:变量名 或 file:路径 引用",
        )
    if not url.startswith(_SQLITE) and "@" not in url.partition("?")[0]:
        raise said(
            "names no user: postgresql+psycopg://USER@HOST:PORT/NAME",
            "缺少用户名：postgresql+psycopg://用户@主机:端口/库名",
        )
    return url


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise said(
            "is no time zone of this machine, such as Asia/Shanghai", "不是本机已知的时区，如 Asia/Shanghai"
        ) from None
    return name


TimingText = Annotated[str, AfterValidator(form(parse_timing))]
WindowText = Annotated[str, AfterValidator(form(parse_window))]
FreezeText = Annotated[str, AfterValidator(form(parse_freeze))]


class Installation(Section):
    """Names this installation; `id` is bound into every sealed value and must never change."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    name: str = Field(min_length=1, max_length=128)


class Store(Section):
    url: Annotated[str, AfterValidator(_store_url)]
    password: Reference | None = Field(default=None, repr=False)


class KeySource(Section):
    """Names a key provider and what that kind needs; `path` is relative to the hub's folder.

    `key` is the key's name in Vault or its label in a device, `device` the token's label, `module` the PKCS#11 library.
    """

    provider: Name = "file"
    path: str | None = None
    secret: Reference | None = Field(default=None, repr=False)
    url: PublicUrl | None = None
    mount: str = Field(default="transit", pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", max_length=64)
    key: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    namespace: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_/-]{1,200}$")
    module: str | None = None
    device: str | None = Field(default=None, pattern=r"^[ -~]{1,32}$")
    http: Transport | None = None


class Keys(KeySource):
    """Says which key provider wraps the data keys, and by which suite new keys seal.

    `also` names providers that only unwrap: the key of before, or of a backup.
    """

    suite: Literal["xaes", "sm4"] = "xaes"
    also: tuple[KeySource, ...] = Field(default=(), strict=False)
    keep_disabled_days: int = Field(default=30, ge=0)


class SystemSettings(Section):
    """Is one configured connection: `settings` go to the connector as they stand, secrets only by `credentials`.

    `mapping_sets` names another set of mappings for single entities.
    """

    kind: Name
    mapping_set: Name = "core"
    mapping_sets: Mapping[str, Name] = Field(default_factory=dict)
    settings: Mapping[str, Any] = Field(default_factory=dict)
    credentials: Mapping[str, Credential] = Field(default_factory=dict, repr=False)
    http: Transport = Transport()
    deletions_every_seconds: int = Field(default=3600, ge=0)

    def hub_id_field(self, object: str) -> str | None:
        """Returns the field for the hub id that the connection names for an object, None where the mapping decides.

        A system may give its custom fields names of its own: the mapping file need not know them.
        """
        named = self.settings.get("external_keys")
        found = named.get(object) if isinstance(named, Mapping) else None
        found = found or self.settings.get("external_key")
        return found if isinstance(found, str) else None

    def set_of(self, entity: str) -> str:
        """Returns the name of the mapping set that holds for an entity."""
        return self.mapping_sets.get(entity, self.mapping_set)


class Threshold(Section):
    """Is passed by more than `count` records that are also more than `percent` of those known."""

    count: int = Field(ge=0)
    percent: Percent


class Guards(Section):
    """Are the mass-change guards of an entity, per system."""

    max_deletes: Threshold = Threshold(count=20, percent=5.0)
    max_changes: Threshold = Threshold(count=200, percent=60.0)
    max_creates: Threshold = Threshold(count=500, percent=50.0)
    max_shrink_percent: Percent = 20.0
    first_sync_needs_release: bool = True


class Oscillation(Section):
    """Freezes a field that returns to an earlier value `times` times within `window_hours`."""

    times: int = Field(default=3, ge=2)
    window_hours: float = Field(default=24.0, gt=0)


class EntitySettings(Section):
    """Says which systems keep an entity, whose value is preferred, and what a delete means."""

    systems: tuple[str, ...] = Field(min_length=1, strict=False)
    prefer: tuple[str, ...] = Field(default=(), strict=False)
    on_delete: OnDelete = "detach"
    guards: Guards = Guards()
    oscillation: Oscillation = Oscillation()
    keep_days: int = Field(default=0, ge=0, le=36_500)


class EntitySchedule(Section):
    """Says when an entity is synchronised and reconciled, where that differs from all; `systems` may go slower."""

    sync: TimingText | None = None
    reconcile: TimingText | None = None
    systems: Mapping[str, TimingText] = Field(default_factory=dict)


class Schedule(Section):
    """Says when the daemon runs what. Nothing starts in a window of `blackout` or on a date of `freeze`."""

    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    sync: TimingText = "every 5m"
    reconcile: TimingText = "daily 02:00"
    blackout: tuple[WindowText, ...] = Field(default=(), strict=False)
    freeze: tuple[FreezeText, ...] = Field(default=(), strict=False)
    misfire_grace_seconds: float = Field(default=60.0, gt=0)
    by_entity: Mapping[str, EntitySchedule] = Field(default_factory=dict)


class Daemon(Section):
    """Sets the bounds of the daemon, and where it tells how it is; `management` null serves nothing.

    `dispatch` workers spreads cycles over every `crmhub run` and `crmhub worker`, each with so many `workers` at once.
    """

    management: Address | None = "127.0.0.1:9464"
    dispatch: Literal["here", "workers"] = "here"
    workers: int = Field(default=2, ge=0, le=16)
    parallel: int = Field(default=1, ge=1, le=8)
    slice_seconds: float = Field(default=30.0, gt=0)
    pass_seconds: float = Field(default=30.0, ge=1)
    max_cycle_seconds: float = Field(default=14_400.0, gt=0)
    stuck_after_seconds: float = Field(default=1800.0, gt=0)
    stop_within_seconds: float = Field(default=60.0, gt=0)


class Callbacks(Section):
    """Says where systems may tell of changes: `listen` is served here, `public_url` is how they reach it from outside.

    Without both nobody is heard and the poll does everything. `pause_seconds` lie between two cycles that hints start.
    """

    listen: Address | None = None
    public_url: PublicUrl | None = None
    pause_seconds: float = Field(default=30.0, ge=1, le=3600)

    @property
    def base(self) -> str | None:
        """Returns the address that systems are given, None while callbacks are off."""
        return None if self.listen is None else self.public_url


class Access(Section):
    """Bounds what people may do; each setting only tightens what the product ships with."""

    approval_days: int = Field(default=3, ge=1, le=3)
    reveals_per_day: int = Field(default=50, ge=0, le=50)
    reveal_seconds: int = Field(default=60, ge=5, le=60)


class HubFile(Section):
    """Is the content of `config/hub.yaml`."""

    profile: Profile = "production"
    language: Language = "zh"
    installation: Installation
    store: Store
    keys: Keys = Keys()
    systems: Mapping[str, SystemSettings] = Field(min_length=1)
    entities: Mapping[str, EntitySettings] = Field(min_length=1)
    schedule: Schedule = Schedule()
    daemon: Daemon = Daemon()
    callbacks: Callbacks = Callbacks()
    audit: Audit = Audit()
    web: Web = Web()
    access: Access = Access()


class Settings(HubFile):
    """Is the checked content of `config/hub.yaml` with the folder it belongs to and the digest of the file."""

    home: Path
    digest: str

    def path(self, name: str) -> Path:
        """Returns a path of the settings, a relative one from the hub's folder."""
        return (self.home / name).absolute()

    def store_url(self) -> str:
        """Returns the address of the store with an absolute SQLite path and the resolved password; never log it.

        Raises SecretMissing.
        """
        url = self.store.url
        if url.startswith(_SQLITE):
            name, mark, options = url.removeprefix(_SQLITE).partition("?")
            return f"{_SQLITE}{self.path(name)}{mark}{options}"
        if self.store.password is None:
            return url
        scheme, _, rest = url.partition("://")
        user, at, place = rest.rpartition("@")
        password = quote(resolve_secret(self.store.password, self.home), safe="")
        return f"{scheme}://{user}:{password}{at or '@'}{place}"

    @property
    def mappings(self) -> Path:
        return self.home / "mappings"

    @property
    def var(self) -> Path:
        return self.home / "var"


def load_settings(home: Path | str) -> Settings:
    """Reads and checks `config/hub.yaml` below the hub's folder. Raises ConfigInvalid with every problem found."""
    home = Path(home).absolute()
    path = home / FILE
    if not path.is_file():
        raise ConfigInvalid([_absent(path)])
    problems: list[Problem] = []
    tree = load_yaml(path, problems)
    if tree is None:
        raise ConfigInvalid(problems)
    content = plain(tree)
    problems = [problem(path, line_of(tree, loc), CODE, text.en, text.zh) for loc, text in cross_check(content)]
    file: HubFile | None = None
    try:
        file = HubFile.model_validate(content)
    except ValidationError as error:
        problems = [*schema_problems(path, tree, error, CODE), *problems]
    if problems or file is None:
        raise ConfigInvalid(sorted(problems, key=lambda found: found.line or 0))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    parts = {name: getattr(file, name) for name in HubFile.model_fields}
    return Settings.model_construct(**parts, home=home, digest=f"sha256:{digest}")


def line_in_settings(settings: Settings, *keys: str | int) -> int | None:
    """Returns the line of a key, for problems that only show later."""
    tree = load_yaml(settings.home / FILE, [])
    return None if tree is None else line_of(tree, keys)


def _absent(path: Path) -> Problem:
    return problem(
        path,
        None,
        CODE,
        "is not there; make a hub folder with `crmhub init DIR`, or name yours",
        "不存在；请用 crmhub init 目录 创建，或指定已有目录",
    )
