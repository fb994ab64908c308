"""Packages of the audit log taken apart, changed as a forger does, put together again and judged by both verifiers."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

VERIFIER = Path(__file__).parents[1] / "hub" / "audit" / "standalone" / "verify.py"
PAGE = VERIFIER.with_name("verify.html")
Files = dict[str, bytes]
Change = Callable[[Files], None]


def unpack(package: Path) -> Files:
    with zipfile.ZipFile(package) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repack(files: Files, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return target


def covered(change: Change) -> Change:
    """Returns a change whose maker also brings the manifest into line, as one who knows the format does."""

    def made(files: Files) -> None:
        change(files)
        manifest = json.loads(files["manifest.json"])
        manifest["files"] = {
            name: {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
            for name, body in files.items()
            if name != "manifest.json"
        }
        files["manifest.json"] = json.dumps(manifest).encode()

    return made


def flip(name: str) -> Change:
    """Returns a change of one bit in the middle of a file."""

    def made(files: Files) -> None:
        body = bytearray(files[name])
        body[len(body) // 2] ^= 1
        files[name] = bytes(body)

    return made


def rows(change: Callable[[list[bytes]], None]) -> Change:
    """Returns a covered change of the lines of the log."""

    def made(files: Files) -> None:
        lines = files["entries.jsonl"].splitlines(keepends=True)
        change(lines)
        files["entries.jsonl"] = b"".join(lines)

    return covered(made)


def judge(package: Path, *more: str) -> tuple[int, str]:
    """Returns exit code and answer of the verifier as a stranger runs it."""
    command = [sys.executable, "-I", str(VERIFIER), str(package), *more]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout
