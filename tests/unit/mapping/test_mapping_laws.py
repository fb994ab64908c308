"""The laws of a mapping, for every pair of all four shipped files: a round trip and a second write change nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hub.canonical.values import Value, canonicalise
from hub.mapping.lenses.composite import join_name, split_name
from tests.unit.mapping.mapping_worlds import CUSTOMER, PLACES, SHIPPED, canonical, compiled

PAIRS = [
    (kind, chosen, name, field)
    for kind, chosen, name in PLACES
    for field in compiled(kind, chosen).out_fields(name)
    if field in compiled(kind, chosen).in_fields(name)
]


def test_most_fields_go_both_ways() -> None:
    assert len(PAIRS) > 100


@pytest.mark.parametrize(("kind", "chosen", "name", "field"), PAIRS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_what_is_written_is_read_back(kind: str, chosen: str, name: str, field: str, data: st.DataObject) -> None:
    mapping = compiled(kind, chosen)
    value = data.draw(canonical(CUSTOMER[field]))
    assume(field not in ("full_name", "family_name", "customer_kind") or value is not None)
    assume(not (name == "Contacts" and value == "organization"))
    put = mapping.to_native(name, {field: value})
    assert put.refusals == ()
    if value is None and field not in mapping.clearable(name):
        assert put.kept == (field,)
        return
    complete = dict.fromkeys(mapping.native_fields(name)) | put.fields
    got = mapping.to_canonical(name, complete)
    assert not got.refusals
    assert got.fields[field] == value
    assert canonicalise(CUSTOMER[field], got.fields[field]) == value


def record(mapping: Any, name: str) -> st.SearchStrategy[dict[str, Value]]:
    fields = [field for field in mapping.out_fields(name) if field not in ("family_name", "given_name")]
    return st.fixed_dictionaries({field: canonical(CUSTOMER[field]) for field in fields}).filter(
        lambda drawn: drawn.get("full_name") is not None
    )


@pytest.mark.parametrize(("kind", "chosen", "name"), PLACES)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_a_whole_record_survives_and_is_not_written_again(
    kind: str, chosen: str, name: str, data: st.DataObject
) -> None:
    mapping = compiled(kind, chosen)
    fields = data.draw(record(mapping, name))
    if name == "Contacts":
        fields["customer_kind"] = "individual"
    native = dict.fromkeys(mapping.native_fields(name)) | dict(mapping.to_native(name, fields, create=True).fields)
    got = mapping.to_canonical(name, native)
    assert not got.refusals
    assert not got.masked
    shown = {field: value for field, value in got.fields.items() if field in fields}
    assert shown == {field: value for field, value in fields.items() if field in got.fields}
    # put(get(n), n) = no change: what the system holds is never sent to it again.
    assert mapping.to_native(name, got.fields, got.fields).fields == {}
    # Even when the hub does not know what the system holds: an empty list and null are one value there.
    again = mapping.to_native(name, got.fields).fields
    assert {key: native[key] or None for key in again if key in native} == {
        key: value or None for key, value in again.items() if key in native
    }


@pytest.mark.parametrize(("kind", "chosen", "name"), PLACES)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_the_round_trip_is_what_the_system_shows(kind: str, chosen: str, name: str, data: st.DataObject) -> None:
    mapping = compiled(kind, chosen)
    fields = data.draw(record(mapping, name))
    if name == "Contacts":
        fields["customer_kind"] = "individual"
    back = mapping.round_trip(name, fields)
    assert set(back) <= set(fields)
    assert back == {field: fields[field] for field in back}


@given(name=canonical(CUSTOMER["full_name"]))
def test_names_join_back(name: str | None) -> None:
    assume(name is not None)
    assert name is not None
    assert canonicalise(CUSTOMER["full_name"], join_name(*split_name(name))) == name


@pytest.mark.parametrize(
    ("full", "family", "given_name"),
    [
        ("张三", "张", "三"),
        ("欧阳娜娜", "欧阳", "娜娜"),
        ("欧阳", "欧", "阳"),
        ("司马相如", "司马", "相如"),
        ("John Smith", "Smith", "John"),
        ("Anna Maria van Dyke", "Dyke", "Anna Maria van"),
        ("Madonna", "Madonna", None),
        ("阿卜杜拉·买买提", "阿卜杜拉·买买提", None),
        ("张", "张", None),
    ],
)
def test_names_split(full: str, family: str, given_name: str | None) -> None:
    assert split_name(full) == (family, given_name)
    assert join_name(family, given_name) == full


@pytest.mark.parametrize(("kind", "chosen"), SHIPPED)
def test_every_out_field_of_a_system_is_read_or_computed_or_authoritative(kind: str, chosen: str) -> None:
    mapping = compiled(kind, chosen)
    for name in mapping.objects:
        for field in set(mapping.out_fields(name)) - set(mapping.in_fields(name)):
            assert CUSTOMER[field].computed or CUSTOMER[field].one_authority, field
