"""The support bundle: what somebody far away needs to help, and nothing of the bank's own in it."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import orjson

from hub.audit.event import Event
from hub.kernel.errors import ConfigInvalid, Declined, HubError
from hub.kernel.secrets import STORED, SecretMissing, resolve_secret, stored_as
from hub.kernel.settings import FILE, Settings, load_settings
from hub.kernel.yaml_file import load_yaml, plain
from hub.operations import channels
from hub.operations.configuration import credentials
from hub.operations.disclosure import Censor
from hub.operations.health import examine
from hub.operations.installation import Installation
from hub.operations.pausing import list_pauses
from hub.operations.standing import allowances, overview, steering
from hub.store import runs
from hub.store.migrate import revision
from hub.store.vault import SealedTokens

RUNS = 50
LOG_BYTES = 4 * 1024**2
"""How much of the end of each log goes along."""
_NOTE = """Made by crmhub support-bundle. Values of records, credentials and texts that people wrote were taken out.
Look through the files before you send them.
由 crmhub support-bundle 生成。记录值、凭据和人工填写的文本均已移除；发送前请自行检查。
"""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Is a bundle that was written: its file, what is inside with the size of each, and what could not be looked at."""

    file: Path
    members: Mapping[str, int]
    missing: tuple[str, ...]
    digest: str


def make_bundle(home: Path, file: Path, open_hub: Callable[[], Installation], logs: Sequence[Path] = ()) -> Bundle:
    """Writes a bundle for whoever helps, also where the settings or the store are broken.

    Raises Declined where the file exists and OSError where it cannot be written or a log cannot be read; what cannot
    be audited is not left behind.
    """
    file = file.absolute()
    if file.exists():
        raise Declined(f"{file} exists; name another file", f"{file} 已存在，请另取文件名")
    settings, hub, missing = _settings(home), None, list[str]()
    try:
        hub = open_hub()
    except HubError as error:
        missing.append(f"store: {error.code}")
    try:
        censor = Censor(_secrets(settings, hub) if settings else ())
        members = {name: _encode(censor.tree(content)) for name, content in _contents(home, hub, open_hub).items()}
        for number, log in enumerate(logs, 1):
            members[f"logs/{number}.jsonl"] = b"".join(censor.log(_tail(log)))
        members["README.txt"] = _NOTE.encode()
        digest = _write(file, members)
        try:
            if hub is not None:
                with hub.store.begin() as work:
                    work.audit(Event("support.bundle", "installation", hub.settings.installation.id, digest=digest))
        except BaseException:
            file.unlink(missing_ok=True)
            raise
    finally:
        if hub is not None:
            hub.close()
    return Bundle(file, {name: len(octets) for name, octets in sorted(members.items())}, tuple(missing), digest)


def _settings(home: Path) -> Settings | None:
    try:
        return load_settings(home)
    except ConfigInvalid:
        return None


def _secrets(settings: Settings, hub: Installation | None) -> Iterator[str]:
    """Yields every secret in use that can be looked up here, so that none leaves in any form that is text."""
    for place, reference in credentials(settings).items():
        with suppress(SecretMissing):
            if reference != STORED:
                yield resolve_secret(reference, settings.home)
            elif hub is not None and (kept := SealedTokens(hub.store, place[1]).get(stored_as(place[-1]))):
                yield kept.decode("utf-8", "replace")


def _contents(home: Path, hub: Installation | None, open_hub: Callable[[], Installation]) -> dict[str, object]:
    found: dict[str, object] = {
        "versions.json": _versions(),
        "config.json": _config(home),
        "files.json": _files(home),
        "doctor.json": [
            {"name": item.name, "ok": item.ok, "exit_code": item.exit_code, "en": item.en.replace(str(home), "HOME")}
            for item in examine(home, open_hub)
        ],
    }
    if hub is not None:
        found |= _store(hub)
    return found


def _versions() -> dict[str, object]:
    packages: dict[str, str] = {}
    for line in requires("crmhub") or ():
        name = re.split(r"[^A-Za-z0-9._-]", line)[0]
        if "extra ==" not in line:
            with suppress(PackageNotFoundError):
                packages[name] = version(name)
    machine = {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}
    return {"crmhub": version("crmhub"), **machine, "kernel": platform.release(), "packages": packages}


def _config(home: Path) -> object:
    """Returns the settings as they stand in the file, valid or not, with nothing but the way of each credential."""
    tree = load_yaml(home / FILE, [])
    content = plain(tree) if tree is not None else {}
    for system in (content.get("systems") or {}).values() if isinstance(content.get("systems"), dict) else ():
        if isinstance(system, dict) and isinstance(system.get("credentials"), dict):
            ways = {name: str(value).partition(":")[0] for name, value in system["credentials"].items()}
            known = ("env", "file", STORED)
            system["ways"] = [f"{name} by {way if way in known else 'no reference'}" for name, way in ways.items()]
            del system["credentials"]
    return content


def _files(home: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for folder in ("config", "mappings"):
        for place in sorted((home / folder).rglob("*")):
            if place.is_file() and not place.is_symlink():
                digest = hashlib.sha256(place.read_bytes()).hexdigest()
                found[str(place.relative_to(home))] = {"size": place.stat().st_size, "digest": f"sha256:{digest}"}
    return found


def _store(hub: Installation) -> dict[str, object]:
    with hub.store.read() as conn:
        server = list(conn.dialect.server_version_info or ())
        schema = {"database": conn.dialect.name, "version": server, "revision": revision(conn)}
        recent = [item for entity in hub.rules for item in runs.latest(conn, entity, RUNS)]
    told = {"entities": overview(hub), "daemon": steering(hub), "allowances": allowances(hub)}
    heard = [channels.shown(row) for row in channels.list_channels(hub)]
    # Who paused or ran what, and why, are words of the bank's own people.
    pauses = [{"scope": item.scope, "cause": item.cause, "at": item.at} for item in list_pauses(hub)]
    ran = [{key: value for key, value in _tree(item).items() if key != "actor"} for item in recent]
    status = {**_tree(told), "channels": [_tree(row) for row in heard], "pauses": pauses}
    return {"schema.json": schema, "status.json": status, "runs.json": ran}


def _tree(value: object) -> dict[str, object]:
    options = orjson.OPT_NON_STR_KEYS
    content: dict[str, object] = orjson.loads(orjson.dumps(value, option=options, default=str))
    return content


def _tail(log: Path) -> Iterator[bytes]:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LOG_BYTES))
        if size > LOG_BYTES:
            file.readline()
        yield from file


def _encode(content: object) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _write(file: Path, members: Mapping[str, bytes]) -> str:
    """Writes the archive beside its place, for its owner only, and moves it there; returns its SHA-256."""
    draft = file.with_name(f".{file.name}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened, zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, octets in sorted(members.items()):
                archive.writestr(name, octets)
        digest = hashlib.sha256(draft.read_bytes()).hexdigest()
        os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    return digest
