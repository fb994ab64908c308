"""Writes the software bill of materials of a release from `requirements.lock`: `python -m tests.sbom > sbom.json`.

CycloneDX 1.6, the fields that a vulnerability scanner reads. The same lock gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[a-z, -]+\])?==([A-Za-z0-9.!+_-]+)(?:\s*;\s*(.+?))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pinned:
    """Is one library of the lock: its name, its version and the digest of every file that may be installed."""

    name: str
    version: str
    digests: tuple[str, ...]


def read_lock(text: str) -> Iterator[Pinned]:
    """Yields every library. Raises ValueError for a line that is anything else than a pinned, hashed library."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        words = line.split("#")[0].strip()
        if not words:
            continue
        named, *rest = re.split(r"\s+(?=--)", words)
        found = _LINE.fullmatch(named.strip())
        digests = [hashed[1] for word in rest if (hashed := _HASH.fullmatch(word.strip()))]
        if found is None or not digests or len(digests) != len(rest):
            raise ValueError(f"not a pinned library with its hashes: {named.split()[0]}")
        yield Pinned(found[1], found[2], tuple(sorted(digests)))


def bill(lock: str, project: dict[str, Any]) -> dict[str, Any]:
    """Returns the bill of a project and its lock."""
    components = [
        {
            "type": "library",
            "bom-ref": (reference := f"pkg:pypi/{re.sub(r'[-_.]+', '-', item.name).lower()}@{item.version}"),
            "name": item.name,
            "version": item.version,
            "purl": reference,
            "properties": [{"name": "crmhub:sha256", "value": digest} for digest in item.digests],
        }
        for item in read_lock(lock)
    ]
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{UUID(bytes=hashlib.sha256(lock.encode()).digest()[:16], version=4)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "purl": own,
            }
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [item["bom-ref"] for item in components]}],
    }


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    json.dump(bill(LOCK.read_text(encoding="utf-8"), project), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
