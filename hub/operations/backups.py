"""Backs the store up while it runs, and puts a backup in its place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from hub.audit.event import Event
from hub.kernel.errors import Declined
from hub.kernel.settings import Settings
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store.anchor import FILE, keep_anchor
from hub.store.backup import DATABASE, Manifest, write_backup
from hub.store.restoring import Bench, restore_backup

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Kept:
    """Is a backup and what stands in it; `key` is where the key is that opens it and that is not inside."""

    file: Path
    size: int
    manifest: Manifest
    key: Path


def key_of(settings: Settings) -> Path:
    return settings.path(settings.keys.path or "keys/hub.key")


@permit("backup.make")
def back_up(hub: Installation, file: Path) -> Kept:
    """Writes a backup of the store, reads it back, and audits it; cycles may go on meanwhile.

    Raises Declined where the file exists or would lie beside the key, BackupFailed and StoreUnavailable.
    """
    file = file.absolute()
    key = key_of(hub.settings)
    if file.parent.resolve() == key.parent.resolve():
        raise Declined(
            f"{file.parent} is the folder of the key; a backup beside its key protects nothing: name another folder",
            f"{file.parent} 是密钥所在目录；备份与密钥放在一起等于没有加密，请指定其他目录",
        )
    manifest = write_backup(hub.store, file, version("crmhub"))
    try:
        with hub.store.begin() as work:
            work.audit(
                Event(
                    "backup",
                    "store",
                    manifest.installation,
                    digest=hashlib.sha256(manifest.encode()).hexdigest(),
                    counts={"rows": manifest.rows, "head": manifest.seq},
                )
            )
    except BaseException:
        # What cannot be audited is not done.
        file.unlink(missing_ok=True)
        raise
    keep_anchor(hub.store, hub.settings.var / FILE)
    return Kept(file, file.stat().st_size, manifest, key)


def restore(settings: Settings, bench: Bench, file: Path, *, into: Path | None = None, replace: bool = False) -> Kept:
    """Puts a backup into the store of the settings, or as a file of its own `into` a folder.

    Raises what `restore_backup` raises.
    """
    file = file.absolute()
    url = settings.store_url()
    if into is not None:
        if not url.startswith(_SQLITE):
            raise Declined(
                "--into is for SQLite; to try a backup of PostgreSQL, name an empty database in the store.url of "
                "another hub folder",
                "--into 仅用于 SQLite；试恢复 PostgreSQL 备份时，请在另一 crmhub 目录的 store.url 中指定空数据库",
            )
        url = f"{_SQLITE}{into.absolute() / DATABASE}"
    manifest = restore_backup(file, url, bench, replace=replace)
    return Kept(file, file.stat().st_size, manifest, key_of(settings))
