"""Resolves the labels of mapping files against a system: names instead of labels, written once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from connectors.base import Connector, ObjectDescription
from connectors.errors import SchemaDrift
from connectors.preparing import Catalogue
from hub.audit.event import Event
from hub.kernel.errors import ConfigInvalid, Problem
from hub.kernel.yaml_file import load_yaml
from hub.mapping.loader import mapping_path, read_mapping
from hub.mapping.resolve import Resolution, resolve
from hub.operations.choice import system_of
from hub.operations.installation import Installation
from hub.operations.permission import permit, require


@dataclass(frozen=True, slots=True)
class Resolved:
    """Is one mapping file with what was found; `written` says that the file holds it now."""

    file: Path
    resolution: Resolution
    written: bool


@permit("mapping.read")
def resolve_mappings(hub: Installation, system: str, draft: Path | None, write: bool) -> list[Resolved]:
    """Resolves the mapping files in use for a system, or a draft alone; with `write` what is beyond doubt is written.

    Raises NotFound, ConfigInvalid for a file that is no YAML, and the connector's errors.
    """
    if write:
        require(hub, "mapping.edit")
    connector = hub.connect(system_of(hub, system))
    look = _Look(connector)
    found = [_resolve(hub, system, look, file) for file in _files(hub, system, draft)]
    return [_write(hub, system, each) if write and each.resolution.changes else each for each in found]


def _files(hub: Installation, system: str, draft: Path | None) -> list[Path]:
    if draft is not None:
        return [draft]
    chosen = hub.settings.systems[system]
    entities = [name for name, entity in hub.settings.entities.items() if system in entity.systems]
    return [mapping_path(hub.settings.mappings, chosen.kind, name, chosen.set_of(name)) for name in entities]


class _Look:
    """Asks a system about its objects, each once."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._described: dict[str, ObjectDescription | None] = {}
        self.objects: Mapping[str, str] = connector.objects() if isinstance(connector, Catalogue) else {}

    def describe(self, name: str) -> ObjectDescription | None:
        """Returns an object as the system describes it, None where it does not."""
        if name not in self._described:
            try:
                self._described[name] = self._connector.describe(name)
            except SchemaDrift:
                self._described[name] = None
        return self._described[name]


def _resolve(hub: Installation, system: str, look: _Look, file: Path) -> Resolved:
    problems: list[Problem] = []
    if load_yaml(file, problems) is None:
        raise ConfigInvalid(problems)
    text = file.read_bytes().decode("utf-8")
    named = hub.settings.systems[system].hub_id_field
    return Resolved(file, resolve(str(file), text, look.describe, look.objects, hub.schema, named), False)


def _write(hub: Installation, system: str, found: Resolved) -> Resolved:
    """Writes a file whole or not at all, and says so in the audit log; names only, no value of a record."""
    with _replacing(found.file) as fresh:
        fresh.write_bytes(found.resolution.text.encode("utf-8"))
    names = ", ".join(f"{change.place} -> {change.after}" for change in found.resolution.changes)
    with hub.store.begin() as work:
        work.audit(Event("mapping.resolve", "mapping", found.file.name, reason=names[:2000], connection=system))
    return Resolved(found.file, found.resolution, True)


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as made:
        fresh = Path(made.name)
    try:
        yield fresh
        fresh.chmod(file.stat().st_mode)
        os.replace(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)


def remaining(found: Resolved) -> list[Problem]:
    """Returns what is still wrong with a written file: labels that nobody found, else whatever its form lacks."""
    if found.resolution.problems:
        return list(found.resolution.problems)
    problems: list[Problem] = []
    if found.written:
        read_mapping(found.file, problems)
    return problems
