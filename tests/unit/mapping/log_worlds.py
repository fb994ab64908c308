"""Contact logs and complaints for the mapping tests: the shipped files, and records that each system can hold."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from hypothesis import strategies as st

from hub.canonical.schema import Kind
from hub.canonical.values import Value
from hub.mapping.loader import load_mapping, mapping_path
from hub.mapping.model import MappingFile, RouteSpec
from hub.mapping.translate import CompiledMapping, compile_mapping
from tests.unit.mapping.mapping_worlds import ROOT, SCHEMA, TABLES, generate

SHIPPED = [
    (kind, entity, chosen)
    for kind in ("zoho_crm", "fxiaoke")
    for entity in ("contact_log", "complaint")
    for chosen in ("core", "full")
]
TARGETS = {
    "zoho_crm": {"customer": ("Contacts", "Accounts"), "complaint": ("Cases",)},
    "fxiaoke": {"customer": ("AccountObj",), "complaint": ("complaint__c",)},
}
Record = dict[str, Value]


@cache
def file_of(kind: str, entity: str, chosen: str) -> MappingFile:
    return load_mapping(mapping_path(ROOT, kind, entity, chosen))


@cache
def compiled_of(kind: str, entity: str, chosen: str) -> CompiledMapping:
    return compile_mapping(file_of(kind, entity, chosen), SCHEMA, TABLES)


def route_of(kind: str, entity: str, chosen: str, name: str) -> RouteSpec:
    return next(route for route in file_of(kind, entity, chosen).spec.routes if route.object == name)


PLACES = [(*shipped, name) for shipped in SHIPPED for name in compiled_of(*shipped).objects]


def references(kind: str, target: str) -> st.SearchStrategy[str]:
    """Generates native references to records of an entity in one kind of system."""
    native_ids = st.from_regex(r"[0-9a-f]{18,24}", fullmatch=True)
    objects = st.sampled_from(TARGETS[kind][target])
    return st.builds(lambda name, native_id: f"@{name}/{native_id}", objects, native_ids)


@cache
def _values(kind: str, entity: str, name: str) -> st.SearchStrategy[Any]:
    field = SCHEMA.entity(entity).fields[name]
    if field.kind is Kind.REF:
        return references(kind, str(field.target))
    if field.kind is Kind.DATETIME:
        moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1))
        return moments.map(lambda moment: moment.isoformat()[:19] + ".000Z")
    if name == "duration_seconds":
        return st.one_of(st.integers(0, 3), st.integers(0, 20_000))
    return generate(field)


def written(mapping: CompiledMapping, name: str) -> tuple[str, ...]:
    """Returns every canonical field that is written when a record is created."""
    return (*mapping.out_fields(name), *mapping.create_fields(name))


def records(kind: str, entity: str, chosen: str, name: str) -> st.SearchStrategy[Record]:
    """Generates records of one object; what is not required may be empty."""
    fields, strategies = SCHEMA.entity(entity).fields, {}
    for field in written(compiled_of(kind, entity, chosen), name):
        values = _values(kind, entity, field).filter(lambda value: value is not None)
        strategies[field] = values if fields[field].required else st.one_of(st.none(), values)
    if "channel" in strategies:
        routed = route_of(kind, entity, chosen, name).when.get("channel", list(fields["channel"].values))
        strategies["channel"] = st.sampled_from(routed)
    return st.fixed_dictionaries(strategies)


def settle_call(fields: Record) -> Record:
    """Returns a call as a system shows it that refuses a length of zero."""
    seconds, outcome = fields["duration_seconds"], fields["outcome"]
    direction = fields["direction"] or "outbound"
    if seconds is None and outcome != "no_answer":
        seconds = 60
    elif not seconds and outcome == "reached":
        seconds = 1
    elif not seconds:
        seconds, outcome = 0, outcome or "no_answer"
    if direction == "outbound" and seconds == 1 and outcome not in (None, "reached"):
        seconds = 0
    return {**fields, "direction": direction, "duration_seconds": seconds, "outcome": outcome}
