"""The laws of the contact log and complaint mappings: what is written is read back, what was read is not written."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.canonical.values import Value, canonicalise
from hub.mapping.check import check_authorities, check_mapping
from hub.mapping.translate import CompiledMapping
from tests.unit.mapping.log_worlds import (
    PLACES,
    SHIPPED,
    Record,
    compiled_of,
    file_of,
    records,
    route_of,
    settle_call,
    written,
)
from tests.unit.mapping.mapping_worlds import SCHEMA, TABLES

LAW = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@pytest.mark.parametrize(("kind", "entity", "chosen"), SHIPPED)
def test_shipped_mappings_have_no_problem(kind: str, entity: str, chosen: str) -> None:
    assert check_mapping(file_of(kind, entity, chosen), SCHEMA, TABLES) == []


def test_one_system_decides_the_number_of_a_complaint() -> None:
    zoho, fxiaoke = (file_of(kind, "complaint", "full") for kind in ("zoho_crm", "fxiaoke"))
    assert check_authorities({"zoho": zoho, "fxiaoke": fxiaoke}, SCHEMA) == []


@pytest.mark.parametrize(("kind", "entity"), sorted({(kind, entity) for kind, entity, _ in SHIPPED}))
def test_the_full_set_carries_the_whole_entity(kind: str, entity: str) -> None:
    fields = SCHEMA.entity(entity).fields
    own = {"reopened_count", "review_reopened_at", "due_rule"}  # what the hub notes for itself
    unmapped = ({"recording_ref", "amount_involved", "compensation_amount"} | own) & set(fields)
    mapping = compiled_of(kind, entity, "full")
    for name in mapping.objects:
        carried = {*mapping.in_fields(name), *mapping.out_fields(name)}
        assert set(fields) - carried == unmapped
        assert len(mapping.native_fields(name)) <= 50


def shown(mapping: CompiledMapping, name: str, fields: Record) -> Record:
    """Returns what a system shows of a record that is created in it."""
    patch = mapping.to_native(name, fields, create=True)
    assert patch.refusals == ()
    native = dict.fromkeys(mapping.native_fields(name)) | patch.fields
    native["Created_Time"], native["create_time"] = "2026-01-01T08:00:00+08:00", native.get("create_time", 0)
    got = mapping.to_canonical(name, native)
    assert not got.refusals
    return got.fields


def expected(name: str, fields: Record, defaults: dict[str, Value]) -> Record:
    filled = {field: defaults.get(field) if value is None else value for field, value in fields.items()}
    if name == "Calls":
        filled = settle_call(filled)
    if name == "Events":
        seconds = filled["duration_seconds"]
        filled["duration_seconds"] = 1800 if seconds is None else 0 if seconds == 1 else seconds
    return filled


def defaults_of(kind: str, entity: str, chosen: str, name: str) -> dict[str, Value]:
    pairs = route_of(kind, entity, chosen, name).fields
    declared = {pair.canonicals[0]: pair.default for pair in pairs if pair.default is not None and pair.canonicals}
    empty = {pair.canonicals[0]: pair.params["when_empty"] for pair in pairs if "when_empty" in pair.params}
    return {**empty, **declared}


@pytest.mark.parametrize(("kind", "entity", "chosen", "name"), PLACES)
@LAW
@given(data=st.data())
def test_a_whole_record_survives_and_is_not_written_again(
    kind: str, entity: str, chosen: str, name: str, data: st.DataObject
) -> None:
    mapping = compiled_of(kind, entity, chosen)
    fields = data.draw(records(kind, entity, chosen, name))
    got = shown(mapping, name, fields)
    wanted = expected(name, fields, defaults_of(kind, entity, chosen, name))
    assert {n: v for n, v in got.items() if n in fields} == {n: v for n, v in wanted.items() if n in got}
    assert set(fields) - set(got) <= not_shown(mapping, name, fields)
    for field, value in got.items():
        assert canonicalise(SCHEMA.entity(entity).fields[field], value) == value
    # put(get(n), n) = no change, with and without knowing what the system holds.
    assert mapping.to_native(name, got, got).fields == {}
    assert shown(mapping, name, got) == got


def not_shown(mapping: CompiledMapping, name: str, fields: Record) -> set[str]:
    """Returns the fields that are written and not read: computed, decided elsewhere, or without a place."""
    hidden = {"due_at", "complaint_no"}
    if "Complaint_Id" not in mapping.native_fields(name) and str(fields.get("customer_id")).startswith("@Accounts/"):
        hidden |= {"complaint_id"}
    return hidden


@pytest.mark.parametrize(("kind", "entity", "chosen", "name"), PLACES)
@LAW
@given(data=st.data())
def test_a_change_is_written_and_read_back(kind: str, entity: str, chosen: str, name: str, data: st.DataObject) -> None:
    """Moves a record from one state to another, as updates do: only by what changed."""
    mapping = compiled_of(kind, entity, chosen)
    first, second = (shown(mapping, name, data.draw(records(kind, entity, chosen, name))) for _ in range(2))
    native = dict.fromkeys(mapping.native_fields(name)) | mapping.to_native(name, first, create=True).fields
    native["Created_Time"], native["create_time"] = "2026-01-01T08:00:00+08:00", native.get("create_time", 0)
    once = mapping.once_fields(name)
    wanted = {n: v for n, v in second.items() if n in written(mapping, name) and n not in once}
    changed = {n: v for n, v in wanted.items() if v != first.get(n)}
    patch = mapping.to_native(name, changed, first)
    assert patch.refusals == ()
    got = mapping.to_canonical(name, native | patch.fields)
    assert not got.refusals
    kept = {n: first.get(n) for n in patch.kept}
    after = {n: v for n, v in got.fields.items() if n in wanted}
    assert after == {n: v for n, v in {**wanted, **kept}.items() if n in got.fields}


@pytest.mark.parametrize(("kind", "entity", "chosen", "name"), PLACES)
def test_every_field_that_is_written_is_read_or_decided_elsewhere(
    kind: str, entity: str, chosen: str, name: str
) -> None:
    mapping = compiled_of(kind, entity, chosen)
    fields = SCHEMA.entity(entity).fields
    for field in set(written(mapping, name)) - set(mapping.in_fields(name)) - mapping.once_fields(name):
        assert fields[field].computed or fields[field].one_authority, field
