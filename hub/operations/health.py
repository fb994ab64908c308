"""The doctor: looks at everything an installation stands on, goes on after a finding, and names each remedy."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.kernel.errors import ConfigInvalid, HubError
from hub.kernel.redaction import redact
from hub.kernel.secrets import STORED, looks_secret, not_stored, stored_as
from hub.kernel.settings import Settings, load_settings
from hub.operations.auditing import verify_tail
from hub.operations.configuration import check_configuration, credentials
from hub.operations.installation import Installation
from hub.operations.keys import look_at_providers
from hub.store.vault import SealedTokens

FREE_BYTES = 1024**3
SIZE_LIMIT = 4 * 1024**2
_WORDS = re.compile(r"[^\s\"',;|(){}\[\]]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """Is one look: what was looked at, whether it is well, and what to do if not. `exit_code` 0 is advice only."""

    name: str
    ok: bool
    en: str
    zh: str
    exit_code: int = 0


def examine(home: Path, open_hub: Callable[[], Installation]) -> list[Finding]:
    """Returns every finding about a hub folder; calls no system."""
    found = list(_configuration(home))
    found += _secrets(home)
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
    problems = check_configuration(home)
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


def _secrets(home: Path) -> Iterator[Finding]:
    clean = True
    for folder in ("config", "mappings"):
        for file in sorted((home / folder).rglob("*")):
            if file.is_file() and file.stat().st_size <= SIZE_LIMIT:
                for line in _open_secrets(file):
                    clean = False
                    place = f"{file.relative_to(home)}:{line}"
                    en = f"{place} looks like a secret; take it out, refer to it by env: or file:, and replace it"
                    yield Finding(
                        "secrets", False, en, f"{place} 疑似密钥；请移除并改用 env: 或 file: 引用，同时更换", 2
                    )
    if clean:
        yield Finding("secrets", True, "no secret stands in config/ or mappings/", "config/ 与 mappings/ 中没有密钥")


def _open_secrets(file: Path) -> Iterator[int]:
    text = file.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if any(looks_secret(word) for word in _WORDS.findall(line)) or "[credential]" in redact(line):
            yield number


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
    try:
        yield Finding("key", True, "the key opens the store", "密钥可打开存储")
        yield from _providers(hub)
        yield Finding("store", True, "the store answers and has this release's tables", "存储可用，表结构为本版本")
        yield from _writable(hub)
        yield from _stored(hub)
        yield _audit(hub)
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


def _audit(hub: Installation) -> Finding:
    try:
        verdict = verify_tail(hub)
    except HubError as error:
        return Finding("audit", False, f"{error.code} {error.en}", f"{error.code} {error.zh}", error.exit_code)
    return Finding(
        "audit", True, f"the newest {verdict.count} audit rows verify", f"最近 {verdict.count} 条审计记录校验通过"
    )
