"""Watches the schemas of the systems: a mapped field that is gone or retyped pauses its system, nothing is guessed."""

from __future__ import annotations

from hashlib import sha256

import orjson

from connectors.base import ObjectDescription
from connectors.errors import ConnectorError, SchemaDrift
from hub.audit.event import Event
from hub.store import runs
from hub.sync.engine import Link, RunContext

DESCRIBE_EVERY = 3600.0
"""Seconds between two looks at a system's description; it is no part of an idle cycle."""


def watch(run: RunContext) -> None:
    """Compares what every system describes with what was last accepted, and notes the mapping in use.

    A system whose mapped fields drifted is blocked for this run.
    """
    for system in run.systems():
        link = run.links[system]
        note_mapping(run, link)
        try:
            for object_ in link.objects:
                _watch_object(run, link, object_)
        except ConnectorError as error:
            run.block(system, error)


def note_mapping(run: RunContext, link: Link) -> None:
    """Learns which fields the mappings of before had, and notes the one in use."""
    if all((name, link.mapping.version) in link.former for name in link.objects):
        return
    with run.store.read() as conn:
        link.former = runs.mapped_fields(conn, link.system)
    missing = [name for name in link.objects if (name, link.mapping.version) not in link.former]
    if not missing:
        return
    with run.store.begin(run.held) as work:
        for object_ in missing:
            scope = link.scope(object_)
            runs.use_mapping(work, link.system, object_, link.mapping.version, [*scope.readable | scope.writable])
        what = f"{link.system} {link.mapping.version}"
        work.audit(Event("mapping.use", run.entity, link.mapping.version, reason=what, corr=run.run_id))


def _watch_object(run: RunContext, link: Link, object_: str) -> None:
    if run.clock.now() - link.accepted_at.get(object_, -DESCRIBE_EVERY) < DESCRIBE_EVERY:
        return
    with run.store.read() as conn:
        accepted = runs.accepted_schema(conn, link.system, object_)
    version = link.mapping.version
    fresh = accepted is not None and run.clock.now() - accepted.taken_at < DESCRIBE_EVERY
    if fresh and accepted is not None and accepted.mapping_version == version:
        link.accepted_at[object_] = accepted.taken_at
        return
    shape = shape_of(link.connector.describe(object_), link.native_fields(object_))
    if accepted is not None and accepted.mapping_version == version:
        drifted = _drifted(accepted.shape, shape)
        if drifted:
            raise _drift(link.system, object_, drifted)
    body = orjson.dumps(shape, option=orjson.OPT_SORT_KEYS)
    with run.store.begin(run.held) as work:
        runs.accept_schema(work, link.system, object_, sha256(body).hexdigest(), body.decode(), version)
        link.accepted_at[object_] = work.now


def shape_of(described: ObjectDescription, mapped: tuple[str, ...]) -> dict[str, str | None]:
    """Returns the kind of every mapped field, None for one that is not there."""
    return {name: found.kind if (found := described.fields.get(name)) else None for name in mapped}


def _drifted(before: dict[str, str | None], now: dict[str, str | None]) -> list[str]:
    return sorted(name for name, kind in before.items() if kind is not None and now.get(name) != kind)


def _drift(system: str, object_: str, names: list[str]) -> SchemaDrift:
    fields = ", ".join(names)
    return SchemaDrift(
        f"{system} {object_}: mapped fields are gone or retyped: {fields}; restore them there, or correct the mapping "
        "and check it with `crmhub mapping check --describe`",
        f"{system} {object_}：已映射的字段被删除或改变类型：{fields}；请在该系统恢复，"
        "或修改映射后运行 `crmhub mapping check --describe`",
        system=system,
        object=object_,
    )
