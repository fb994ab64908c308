"""Parts of a mapping: what a side object reads and writes, and what `mapping check` finds wrong about one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connectors.fxiaoke.simulator.objects import build_objects
from connectors.preparing import Form
from hub.kernel.errors import ConfigInvalid
from hub.mapping.check import check_mapping
from hub.mapping.loader import load_mapping
from hub.mapping.needs import needs_of
from hub.mapping.translate import CompiledMapping, compile_mapping
from tests.unit.mapping.mapping_worlds import ROOT, SCHEMA, TABLES
from tests.unit.mapping.test_mapping_check import FieldSeen, ObjectSeen

FILE = ROOT / "fxiaoke" / "customer.parts.yaml"
FIELDS = {"full_name": "张三", "mobile_phone": "+8613812341234", "customer_kind": "individual"}


@pytest.fixture(scope="module")
def mapping() -> CompiledMapping:
    return compile_mapping(load_mapping(FILE), SCHEMA, TABLES)


def test_the_shipped_set_with_parts_has_no_problem_and_compiles(mapping: CompiledMapping) -> None:
    assert check_mapping(load_mapping(FILE), SCHEMA, TABLES) == []
    assert mapping.objects == ("AccountObj", "ContactObj", "AccountAddrObj")
    assert [part.name for part in mapping.parts_of("AccountObj")] == ["person", "address"]
    assert mapping.part("AccountObj") is None
    assert mapping.route(FIELDS) == "AccountObj"
    homes = [name for object_ in mapping.objects for name in mapping.out_fields(object_)]
    assert len(homes) == len(set(homes))


def test_a_side_object_reads_its_lookup_and_writes_what_tells_it_as_a_part(mapping: CompiledMapping) -> None:
    assert {"account_id", "primary__c"} <= set(mapping.native_fields("ContactObj"))
    assert "mobile_phone" not in mapping.out_fields("AccountObj")
    made = mapping.to_native("ContactObj", FIELDS, create=True).fields
    assert (made["name"], made["mobile1"], made["primary__c"]) == ("张三", "+8613812341234", True)
    assert "primary__c" not in mapping.to_native("ContactObj", {"mobile_phone": None}).fields
    shown = {"primary__c": True, "name": "张三", "mobile1": "13812341234"}
    assert mapping.to_canonical("ContactObj", shown).fields == {"mobile_phone": "+8613812341234"}
    assert [mapping.belongs("ContactObj", each) for each in (shown, {"primary__c": False}, {})] == [True, False, False]
    assert mapping.belongs("AccountObj", {})
    part = mapping.part("ContactObj")
    assert part is not None
    assert [replace(part, shape=shape).pointing_at("a1") for shape in ("id", "id_object")] == ["a1", {"id": "a1"}]


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("canonical: gender, native: gender__c", "canonical: phone, native: tel1", "HUB-MAP-041", "AccountObj"),
        ("direction: out, once: true}", "direction: both}", "HUB-MAP-041", "AccountObj"),
        ("part: address", "part: person", "HUB-MAP-041", "taken"),
        ("part: address", "part: main", "HUB-MAP-041", "taken"),
        ("object: AccountAddrObj", "object: ContactObj", "HUB-MAP-012", "one place"),
        ("canonical: gender, native", "canonical: gendre, native", "HUB-MAP-011", ""),
        ("native: mobile1, lens: phone_e164", "native: mobile1, lens: x", "HUB-MAP-016", ""),
        ("main: account_id\n", "", "HUB-MAP-001", "main"),
        ("only: {primary__c: [true]}", "only: {primary__c: []}", "HUB-MAP-001", "at least 1"),
    ],
)  # fmt: skip
def test_each_fault_of_a_part_is_found_with_its_line(tmp_path: Path, old: str, new: str, code: str, says: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    copy = tmp_path / FILE.name
    copy.write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        found = check_mapping(load_mapping(copy), SCHEMA, TABLES)
    except ConfigInvalid as refused:
        found = list(refused.problems)
    assert code in {problem.code for problem in found}
    named = next(problem for problem in found if problem.code == code)
    assert named.line is not None
    assert says in named.en


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, None),
        ({"account_id": None}, "HUB-MAP-022"),
        ({"primary__c": None}, "HUB-MAP-022"),
        ({"account_id": FieldSeen("account_id", writable=False)}, "HUB-MAP-024"),
        ({"mobile1": None}, "HUB-MAP-022"),
        ({"hub_id__c": None}, "HUB-MAP-021"),
        # A field that the side object requires needs a source of its own.
        ({"company": FieldSeen("company", required=True)}, "HUB-MAP-023"),
        ({"name": FieldSeen("name", required=True)}, None),
        ({"account_id": FieldSeen("account_id", required=True)}, None),
    ],
)
def test_a_part_is_proved_against_the_description_of_its_object(
    changed: dict[str, FieldSeen | None], code: str | None
) -> None:
    objects = {
        name: {key: FieldSeen(key, unique=key == "hub_id__c") for key in kind.fields}
        for name, kind in build_objects().items()
    }
    contact = {key: field for key, field in {**objects["ContactObj"], **changed}.items() if field is not None}
    seen = {name: ObjectSeen(fields) for name, fields in {**objects, "ContactObj": contact}.items()}
    kinds = check_mapping(load_mapping(FILE), SCHEMA, TABLES, seen)
    assert {problem.code for problem in kinds if problem.code != "HUB-MAP-025"} == ({code} if code else set())
    assert all(problem.line for problem in kinds)


def test_a_side_object_that_is_not_there_is_named() -> None:
    found = check_mapping(load_mapping(FILE), SCHEMA, TABLES, {})
    assert [problem.code for problem in found] == ["HUB-MAP-020"] * 3


def test_an_administrator_is_told_what_the_side_objects_need() -> None:
    needs = needs_of([load_mapping(FILE)], SCHEMA, TABLES)
    assert list(needs) == ["AccountObj", "ContactObj", "AccountAddrObj"]
    contact = {need.api_name: need for need in needs["ContactObj"]}
    assert contact["hub_id__c"].key
    assert (contact["account_id"].form, contact["account_id"].target) == (Form.LINK, "AccountObj")
    assert contact["primary__c"].form is Form.FLAG
