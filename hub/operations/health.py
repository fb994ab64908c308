"""The doctor: looks at everything an installation stands on, goes on after a finding, and names each remedy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.access.actor import system
from hub.kernel.errors import ConfigInvalid, HubError
from hub.kernel.secrets import STORED, not_stored, stored_as
from hub.kernel.settings import Settings, load_settings
from hub.operations.anchoring import SIEM, standing
from hub.operations.auditing import verify_tail
from hub.operations.configuration import check_configuration, credentials
from hub.operations.installation import Installation
from hub.operations.keys import look_at_providers
from hub.operations.secret_scan import CODE as SECRET
from hub.operations.secret_scan import scan
from hub.operations.users import report_forged
from hub.store import users
from hub.store.vault import SealedTokens

FREE_BYTES = 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """Is one look: what was looked at, whether it is well, and what to do if not. `exit_code` 0 is advice only."""

    name: str
    ok: bool
    en: str
    zh: str
    exit_code: int = 0


def examine(home: Path, open_hub: Callable[[], Installation], more: Sequence[Path] = ()) -> list[Finding]:
    """Returns every finding about a hub folder; looks for secrets in `more` files or folders too; calls no system."""
    found = list(_configuration(home))
    found += _secrets(home, more)
    settings = _settings(home)
    if settings is not None:
        found += _disk(settings)
        found += _store(open_hub)
    return found


def _settings(home: Path) -> Settings | None:
    try:
        return load_settings(home)
    except ConfigInvalid:
        return None


def _configuration(home: Path) -> Iterator[Finding]:
    problems = [item for item in check_configuration(home) if item.code != SECRET]
    errors = [item for item in problems if item.severity == "error"]
    if not errors:
        warned = len(problems)
        yield Finding(
            "config", True, f"settings and mappings hold, {warned} warnings", f"配置与映射有效，{warned} 条警告"
        )
    for item in errors:
        yield Finding("config", False, f"{item.place()}: {item.en}", f"{item.place()}：{item.zh}", 2)
    for item in problems:
        if item.code == "HUB-CONF-003":
            yield Finding("credentials", False, f"{item.place()}: {item.en}", f"{item.place()}：{item.zh}")


def _secrets(home: Path, more: Sequence[Path]) -> Iterator[Finding]:
    clean = True
    for item in scan(home, more):
        clean = False
        yield Finding("secrets", False, f"{item.place()} {item.en}", f"{item.place()} {item.zh}", 2)
    if clean:
        en, zh = "no secret stands in config/, mappings/ or exports/", "config/、mappings/ 与 exports/ 中没有密钥"
        yield Finding("secrets", True, en, zh)


def _disk(settings: Settings) -> Iterator[Finding]:
    place = settings.var if settings.var.exists() else settings.home
    free = shutil.disk_usage(place).free
    size = f"{free / 1024**3:.1f} GiB"
    if free >= FREE_BYTES:
        yield Finding("disk", True, f"{size} free at {place}", f"{place} 可用空间 {size}")
    else:
        en = f"only {size} free at {place}; a full disk stops every cycle: free space"
        yield Finding("disk", False, en, f"{place} 仅剩 {size}；磁盘写满后同步会停止，请清理", 5)


def _store(open_hub: Callable[[], Installation]) -> Iterator[Finding]:
    try:
        hub = open_hub()
    except HubError as error:
        yield Finding("store", False, f"{error.code} {error.en}", f"{error.code} {error.zh}", error.exit_code)
        return
    # The doctor says whether all is well and shows nothing, so it works for whoever may run it, signed in or not.
    hub.who = system("doctor")
    try:
        yield Finding("key", True, "the key opens the store", "密钥可打开存储")
        yield from _providers(hub)
        yield Finding("store", True, "the store answers and has this release's tables", "存储可用，表结构为本版本")
        yield from _writable(hub)
        yield from _stored(hub)
        yield _audit(hub)
        yield _anchors(hub)
        yield _access(hub)
    finally:
        hub.close()


def _providers(hub: Installation) -> Iterator[Finding]:
    for item in look_at_providers(hub):
        yield Finding("key", item.ok, f"{item.kek_id}: {item.en}", f"{item.kek_id}：{item.zh}", 0 if item.ok else 4)


def _stored(hub: Installation) -> Iterator[Finding]:
    for place, reference in credentials(hub.settings).items():
        system, name = place[1], place[-1]
        if reference == STORED and not SealedTokens(hub.store, system).get(stored_as(name)):
            absent = not_stored(system)
            key = ".".join(place)
            yield Finding("credentials", False, f"{key}: {absent.en}", f"{key}：{absent.zh}")


def _writable(hub: Installation) -> Iterator[Finding]:
    try:
        with hub.store.begin():
            pass
    except HubError as error:
        yield Finding("store", False, f"{error.code} {error.en}", f"{error.code} {error.zh}", error.exit_code)


def _access(hub: Installation) -> Finding:
    forged = ", ".join(user.login for user in report_forged(hub))
    if forged:
        en = f"changed behind the hub's back: {forged}; tell the auditors, then `crmhub user restore LOGIN`"
        return Finding(
            "access", False, en, f"被绕过系统修改：{forged}；请通知审计，再运行 `crmhub user restore 登录名`", 8
        )
    with hub.store.read() as conn:
        made = users.set_up(conn)
    if made:
        return Finding("access", True, "users and roles agree with their seals", "用户与角色均与封印一致")
    en = "no users are set up: whoever is on this machine may do everything; see docs/access.md"
    return Finding("access", False, en, "尚未启用用户：本机账号可执行全部操作；请参阅 docs/access.md")


def _audit(hub: Installation) -> Finding:
    try:
        verdict = verify_tail(hub)
    except HubError as error:
        return Finding("audit", False, f"{error.code} {error.en}", f"{error.code} {error.zh}", error.exit_code)
    return Finding(
        "audit", True, f"the newest {verdict.count} audit rows verify", f"最近 {verdict.count} 条审计记录校验通过"
    )


def _anchors(hub: Installation) -> Finding:
    """Fails a production profile whose audit log nobody outside the database could prove to be cut off."""
    found = standing(hub)
    production = hub.settings.profile == "production"
    if not found.sinks or all(sink.kind == SIEM for sink in found.sinks):
        en = "UNANCHORED: set audit.sinks, so that checkpoints of the audit log are kept outside the database"
        zh = "UNANCHORED（未存证）：请配置 audit.sinks，将审计日志检查点保存到库外"
        return Finding("anchors", False, en, zh, 5 if production else 0)
    behind = [sink.name for sink in found.sinks if sink.late]
    if behind:
        names = ", ".join(behind)
        en = f"audit sinks that have lacked what is due for over 15 minutes: {names}; see their code in crmhub status"
        return Finding("anchors", False, en, f"审计存证点滞后超过 15 分钟：{names}；错误码见 crmhub status", 5)
    if found.unanchored:
        en = "no audit sink has had a checkpoint yet: crmhub audit checkpoint"
        zh = "尚无存证点收到检查点：crmhub audit checkpoint"
        return Finding("anchors", False, en, zh, 5 if production else 0)
    return Finding(
        "anchors", True, f"{len(found.sinks)} audit sinks have what is due", f"{len(found.sinks)} 个存证点均已送达"
    )
