"""Exports the audit log as one package that a stranger verifies without the hub; the export itself is audited."""

from __future__ import annotations

import os
import subprocess  # nosec B404 # 2026-11-28: runs our own verifier
import sys
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from hub.audit.event import Event, stamp
from hub.audit.package import FORMAT
from hub.kernel.errors import Declined, HubError
from hub.operations.audit_files import MANIFEST, measured, open_files, pack
from hub.operations.audit_pass import Pass, Places
from hub.operations.audit_search import described
from hub.operations.checkpointing import make_checkpoint
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.operations.signer import trusted
from hub.store import audit_index, audit_log
from hub.store.anchor import flush, scratch
from hub.store.audit_index import Wanted

VERIFIER = "verify.py"


class ExportFailed(HubError):
    """Is raised when a package cannot be written, or does not verify when it is read back; no file is left."""

    code = "HUB-AUDIT-005"


@dataclass(frozen=True, slots=True)
class Exported:
    """Is a package: how many entries it has, of how many rows; `digest` is the SHA-256 of its manifest."""

    file: Path
    entries: int
    rows: int
    complete: bool
    digest: str
    size: int


@permit("audit.export")
def export(hub: Installation, file: Path, wanted: Wanted) -> Exported:
    """Writes a package of the entries that are wanted, verifies it as a stranger would, and audits it.

    The export is noted and the log is signed first, so that a complete package ends with its own beginning. Raises
    Declined where the file exists, ExportFailed, HeadRefused.
    """
    file = file.absolute()
    if file.exists() or file.is_symlink():
        raise Declined(
            f"{file} exists and is not overwritten; name another file", f"{file} 已存在，不会覆盖；请指定其他文件名"
        )
    about = hub.settings.installation.id
    event = Event("audit.export", "audit", about, reason=described(wanted), stage="attempt", corr=hub.new_id())
    with hub.store.begin() as work:
        work.audit(event)
    try:
        return _write(hub, file, wanted, replace(event, stage="result"))
    except HubError as error:
        with hub.store.begin() as work:
            work.audit(replace(event, stage="result", outcome="error", code=error.code))
        raise


def _write(hub: Installation, file: Path, wanted: Wanted, event: Event) -> Exported:
    make_checkpoint(hub)
    try:
        with (
            TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder,
            scratch(file.parent, file.name) as partial,
        ):
            manifest = _gather(hub, Path(folder), wanted)
            body = orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n"
            (Path(folder) / MANIFEST).write_bytes(body)
            pack(Path(folder), (MANIFEST, *manifest["files"]), partial)
            _read_back(Path(folder) / VERIFIER, partial)
            flush(partial)
            rows = sum(item["size"] for item in manifest["epochs"])
            made = Exported(
                file,
                manifest["entries"],
                rows,
                manifest["complete"],
                sha256(body).hexdigest(),
                measured(partial)["bytes"],
            )
            _publish(hub, partial, made, event)
    except OSError as error:
        raise _failed(file.parent, error) from None
    return made


def _publish(hub: Installation, partial: Path, made: Exported, event: Event) -> None:
    """Gives the package its name, never that of another file, and audits it."""
    try:
        _give_name(partial, made.file)
    except FileExistsError:
        raise Declined(f"{made.file} was made meanwhile", f"{made.file} 已在此期间被创建") from None
    try:
        flush(made.file.parent)
        with hub.store.begin() as work:
            counts = {"entries": made.entries, "rows": made.rows}
            work.audit(replace(event, digest=made.digest, counts=counts))
    except BaseException:
        # What cannot be audited is not done.
        made.file.unlink(missing_ok=True)
        raise


def _give_name(partial: Path, file: Path) -> None:
    """Gives a file its name. Raises FileExistsError, and OSError."""
    try:
        os.link(partial, file)
    except FileExistsError:
        raise
    except OSError:
        # A memory stick has no hard links: the name is taken first, and the file put in its place.
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.replace(partial, file)


def _failed(folder: Path, error: OSError) -> ExportFailed:
    cause = error.strerror or type(error).__name__
    return ExportFailed(
        f"the package cannot be written to {folder}: {cause}; nothing was left there: free space or name another "
        "folder",
        f"无法将导出包写入 {folder}：{cause}；未留下任何文件，请清理空间或指定其他目录",
    )


def _read_back(verifier: Path, package: Path) -> None:
    """Verifies a package as a stranger does. Raises ExportFailed."""
    command = [sys.executable, "-I", str(verifier), str(package)]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 # nosec B603 # 2026-11-28: no shell, our own file
    if done.returncode != 0:
        said = done.stdout.decode("utf-8", "replace").strip().splitlines()
        reason = next((line[1:].strip() for line in said if line.startswith("!")), "")
        raise ExportFailed(
            f"the package does not verify when it is read back and was not kept: {reason}; run `crmhub audit verify`",
            f"导出包回读校验未通过，未保留：{reason}；请运行 `crmhub audit verify`",
        )


def _gather(hub: Installation, folder: Path, wanted: Wanted) -> dict[str, Any]:
    """Writes all files but the manifest in one pass over the log, and returns that."""
    complete = wanted == Wanted()
    with audit_index.snapshot(hub.store) as conn, open_files(folder) as files:
        places = Places(None if complete else audit_index.every(conn, wanted))
        walked = []
        for number, item in enumerate(audit_log.epochs(conn)):
            files.begin_proofs(item.epoch, not number)
            walked.append(Pass(conn, item, files, complete).run(places))
        parts = files.finish(trusted(hub.settings))
    return {
        "format": FORMAT,
        "log": f"crmhub/{hub.settings.installation.id}",
        "installation": hub.settings.installation.id,
        "release": version("crmhub"),
        "made_at": stamp(hub.clock.now()),
        "complete": complete,
        "filters": described(wanted),
        "entries": sum(item["entries"] for item in walked),
        "epochs": walked,
        "files": parts,
    }
