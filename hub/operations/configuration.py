"""Checks everything that people write: settings, canonical schema, mappings, tables; finds all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from connectors.base import ObjectDescription
from connectors.channels import Signed
from connectors.errors import ConnectorError
from hub.canonical.schema import Schema, load_schema
from hub.kernel.clock import SystemClock
from hub.kernel.egress_settings import load_egress
from hub.kernel.errors import ConfigInvalid, Problem, problem
from hub.kernel.ids import Uuid7
from hub.kernel.secrets import STORED, SecretMissing, resolve_secret
from hub.kernel.settings import FILE, Settings, line_in_settings, load_settings
from hub.mapping.check import check_authorities, check_mapping
from hub.mapping.deadlines import read_deadlines
from hub.mapping.loader import mapping_path, read_mapping, with_hub_id_fields
from hub.mapping.model import MappingFile
from hub.mapping.parts import places_of
from hub.mapping.tables import Tables, load_tables
from hub.mapping.targets import check_targets
from hub.operations.secret_scan import scan
from hub.outbound import Outbound

T = TypeVar("T")
Describe = Callable[[str, str], ObjectDescription]
"""Describes an object (second) of a system (first)."""


def check_configuration(home: Path) -> list[Problem]:
    """Returns every problem of a hub folder without opening its store or calling a system.

    A credential that is not set here is a warning: the service may run under another environment.
    """
    found: list[Problem] = list(scan(home))
    settings = _collect(found, lambda: load_settings(home))
    schema = _collect(found, lambda: load_schema((settings.mappings if settings else home / "mappings") / "canonical"))
    if settings is None:
        return found
    found += _check_systems(settings)
    found += _check_credentials(settings)
    if schema is not None:
        found += check_mappings(settings, schema)
        known = {name: frozenset(schema.entity(name).fields) for name in settings.entities if name in schema.entities}
        _collect(found, lambda: load_egress(settings.home, settings.systems, known))
    return found


def _collect(found: list[Problem], act: Callable[[], T]) -> T | None:
    try:
        return act()
    except ConfigInvalid as invalid:
        found += invalid.problems
        return None


def check_mappings(settings: Settings, schema: Schema, describe: Describe | None = None) -> list[Problem]:
    """Returns every problem of the mappings in use; with `describe` also against what the systems say of themselves."""
    found: list[Problem] = []
    tables = _collect(found, lambda: load_tables(settings.mappings / "tables"))
    if tables is None:
        return found
    found += _check_deadlines(settings, schema, tables)
    found += _check_sets(settings)
    chosen: dict[str, dict[str, MappingFile]] = {system: {} for system in settings.systems}
    for entity, configured in settings.entities.items():
        if entity not in schema.entities:
            known = ", ".join(schema.entities)
            found.append(
                problem(
                    settings.home / FILE,
                    line_in_settings(settings, "entities", entity),
                    "HUB-CONF-001",
                    f"`entities.{entity}` is not in mappings/canonical; known: {known}",
                    f"`entities.{entity}` 不在 mappings/canonical 中；已有：{known}",
                )
            )
            continue
        mappings: dict[str, MappingFile] = {}
        for system in configured.systems:
            mapping = _read(settings, entity, system, found)
            if mapping is not None:
                mappings[system] = chosen[system][entity] = mapping
                found += _check_one(mapping, schema, tables, system, describe)
        found += check_authorities(mappings, schema)
    for system, files in chosen.items():
        found += check_targets(system, files, schema)
    return list(dict.fromkeys(found))


def _check_sets(settings: Settings) -> Iterator[Problem]:
    for system, configured in settings.systems.items():
        for entity in configured.mapping_sets:
            if entity not in settings.entities or system not in settings.entities[entity].systems:
                line = line_in_settings(settings, "systems", system, "mapping_sets", entity)
                key = f"systems.{system}.mapping_sets.{entity}"
                en, zh = f"`{key}`: {system} keeps no such entity", f"`{key}`：{system} 不同步该业务实体"
                yield problem(settings.home / FILE, line, "HUB-CONF-001", en, zh)


def _check_deadlines(settings: Settings, schema: Schema, tables: Tables) -> list[Problem]:
    found: list[Problem] = []
    for name in settings.entities:
        fields = schema.entities[name].fields if name in schema.entities else {}
        if "due_at" in fields and fields["due_at"].computed and "extension" in fields:
            read_deadlines(tables, fields["extension"].values, settings.mappings / "tables", found)
    return found


def _read(settings: Settings, entity: str, system: str, found: list[Problem]) -> MappingFile | None:
    configured = settings.systems[system]
    path = _collect(found, lambda: mapping_path(settings.mappings, configured.kind, entity, configured.set_of(entity)))
    mapping = None if path is None else read_mapping(path, found)
    return None if mapping is None else with_hub_id_fields(mapping, configured.hub_id_field)


def _check_one(
    mapping: MappingFile, schema: Schema, tables: Tables, system: str, describe: Describe | None
) -> list[Problem]:
    if describe is None:
        return check_mapping(mapping, schema, tables)
    shapes: dict[str, ObjectDescription] = {}
    found: list[Problem] = []
    for path, place in places_of(mapping.spec):
        try:
            shapes[place.object] = describe(system, place.object)
        except ConnectorError as error:
            line = mapping.line(*path)
            found.append(problem(mapping.file, line, error.code, *_named(system, error)))
    return found or check_mapping(mapping, schema, tables, shapes)


def _named(system: str, error: ConnectorError) -> tuple[str, str]:
    """Returns the words of an error, the system before them where they do not begin with it."""
    if error.en.startswith(system):
        return error.en, error.zh
    return f"{system}: {error.en}", f"{system}：{error.zh}"


class _NoTokens:
    """Keeps nothing: settings are checked without a store."""

    def get(self, system: str, name: str) -> bytes | None:
        return None

    def put(self, system: str, name: str, value: bytes) -> None:
        return None


def _check_systems(settings: Settings) -> Iterator[Problem]:
    clock = SystemClock()
    with Outbound(settings, clock=clock, new_id=Uuid7(clock), tokens=_NoTokens()) as outbound:
        for system in settings.systems:
            try:
                connector = outbound.open(system)
                if isinstance(connector, Signed) and connector.hears() and _judgeable(settings, system, connector):
                    connector.check_key()
            except ConnectorError as error:
                line = line_in_settings(settings, "systems", system)
                en, zh = f"systems.{system}: {error.en}", f"systems.{system}：{error.zh}"
                yield problem(settings.home / FILE, line, error.code, en, zh)


def _judgeable(settings: Settings, system: str, connector: Signed) -> bool:
    """Tells whether a key can be looked at here; one under a reference that leads nowhere is a warning already."""
    reference = settings.systems[system].credentials.get(connector.key_name)
    try:
        return reference is None or bool(resolve_secret(reference, settings.home))
    except SecretMissing:
        return False


def _check_credentials(settings: Settings) -> Iterator[Problem]:
    for place, reference in credentials(settings).items():
        if reference == STORED:  # the store is not opened here; `crmhub check` and `doctor` say what it lacks
            continue
        try:
            resolve_secret(reference, settings.home)
        except SecretMissing as missing:
            line = line_in_settings(settings, *place)
            key = ".".join(place)
            en, zh = f"`{key}`: {missing.en}", f"`{key}`：{missing.zh}"
            yield Problem(str(settings.home / FILE), line, missing.code, en, zh, "warning")


def credentials(settings: Settings) -> Mapping[tuple[str, ...], str]:
    """Returns every secret that the settings name by reference: place -> reference."""
    found: dict[tuple[str, ...], str] = {
        ("systems", system, "credentials", name): reference
        for system, configured in settings.systems.items()
        for name, reference in configured.credentials.items()
    }
    for system, configured in settings.systems.items():
        if configured.http.proxy_credentials is not None:
            found["systems", system, "http", "proxy_credentials"] = configured.http.proxy_credentials
    if settings.store.password is not None:
        found["store", "password"] = settings.store.password
    return found
