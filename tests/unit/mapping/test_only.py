"""A route that takes some records of an object: which they are, and what must be right about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.base import FieldDescription, ObjectDescription
from hub.mapping.check import check_mapping
from hub.mapping.loader import load_mapping, mapping_path
from hub.mapping.translate import CompiledMapping, compile_mapping
from tests.unit.mapping.mapping_worlds import ROOT, SCHEMA, TABLES

FILE = mapping_path(ROOT, "fxiaoke", "complaint", "cases")
COMPLAINT, REPAIR = {"record_type": "record_complaint__c"}, {"record_type": "record_repair__c"}


def cases(folder: Path, **changes: str) -> CompiledMapping:
    return compile_mapping(load_mapping(changed(folder, **changes)), SCHEMA, TABLES)


def changed(folder: Path, **changes: str) -> Path:
    text = FILE.read_text(encoding="utf-8")
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    file = folder / "complaint.cases.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("native", "stranger", "bound"),
    [
        (COMPLAINT, False, False),
        (REPAIR, True, True),
        ({"record_type": None}, True, True),
        ({"record_type": ["record_complaint__c", "x"]}, False, False),
        # A hidden type takes nobody in and lets nobody go.
        ({}, True, False),
    ],
)
def test_who_is_of_another_sort(tmp_path: Path, native: dict[str, Any], stranger: bool, bound: bool) -> None:
    mapping = cases(tmp_path)
    assert mapping.is_foreign("CasesObj", native, bound=False) is stranger
    assert mapping.is_foreign("CasesObj", native, bound=True) is bound
    assert "record_type" in mapping.native_fields("CasesObj")
    assert mapping.to_native("CasesObj", {}, create=True).fields["record_type"] == "record_complaint__c"


def test_what_is_created_must_be_of_the_sort_that_takes_part(tmp_path: Path) -> None:
    file = changed(tmp_path, **{"value: record_complaint__c": "value: default__c"})
    [found] = [item for item in check_mapping(load_mapping(file), SCHEMA, TABLES) if item.severity == "error"]
    assert (found.code, found.line) == ("HUB-MAP-040", 16)
    assert "record_type" in found.en
    assert "record_type" in found.zh


def test_the_sort_must_be_one_that_the_system_knows() -> None:
    mapping = load_mapping(FILE)
    field = FieldDescription("record_type", "业务类型", "record_type", options={"default__c": "预设业务类型"})
    for fields, code in (({"record_type": field}, "HUB-MAP-028"), ({}, "HUB-MAP-022")):
        described = {"CasesObj": ObjectDescription("CasesObj", "工单", fields)}
        found = check_mapping(mapping, SCHEMA, TABLES, described)
        assert code in {item.code for item in found if item.line == mapping.line("routes", 0, "only", "record_type")}
