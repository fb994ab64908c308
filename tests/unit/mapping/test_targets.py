"""The mappings of one system go together: what points at a complaint or customer points where that system keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.mapping.loader import load_mapping, mapping_path
from hub.mapping.model import MappingFile
from hub.mapping.targets import check_targets
from tests.unit.mapping.mapping_worlds import ROOT, SCHEMA


def chosen(kind: str, **sets: str) -> dict[str, MappingFile]:
    return {entity: load_mapping(mapping_path(ROOT, kind, entity, name)) for entity, name in sets.items()}


@pytest.mark.parametrize(
    ("kind", "complaint", "log"),
    [
        ("zoho_crm", "core", "core"), ("zoho_crm", "full", "full"), ("zoho_crm", "core", "full"),
        ("fxiaoke", "core", "core"), ("fxiaoke", "full", "full"), ("fxiaoke", "cases", "cases"),
        ("fxiaoke", "core", "routes"), ("fxiaoke", "core", "classic"),
    ],
)  # fmt: skip
def test_sets_that_go_together_are_silent(kind: str, complaint: str, log: str) -> None:
    assert not list(check_targets("crm", chosen(kind, customer="core", complaint=complaint, contact_log=log), SCHEMA))


@pytest.mark.parametrize(
    ("complaint", "log", "lines", "lives"),
    [("cases", "core", 1, "CasesObj"), ("cases", "routes", 3, "CasesObj"), ("full", "cases", 1, "complaint__c")],
)
def test_sets_that_do_not_are_told_by_file_line_field_and_remedy(
    complaint: str, log: str, lines: int, lives: str
) -> None:
    sets = chosen("fxiaoke", customer="core", complaint=complaint, contact_log=log)
    found = list(check_targets("crm", sets, SCHEMA))
    assert {(item.code, item.severity) for item in found} == {("HUB-MAP-042", "error")}
    text = Path(found[0].file).read_text("utf-8").splitlines()
    assert len(found) == lines
    assert all("complaint_id" in text[item.line - 1] for item in found)
    for words in (found[0].en, found[0].zh):
        assert "`complaint_id`" in words
        assert lives in words
        assert "mapping_sets" in words


def test_records_that_lie_elsewhere_too_are_a_warning_and_entities_not_kept_are_nothing(tmp_path: Path) -> None:
    sets = chosen("zoho_crm", customer="core", complaint="core")
    narrow = tmp_path / "complaint.core.yaml"
    text = Path(sets["complaint"].file).read_text("utf-8")
    narrow.write_text(text.replace("[Contacts, Accounts]", "[Contacts, Vendors]"), "utf-8")
    sets["complaint"] = load_mapping(narrow)
    (found,) = check_targets("zoho", sets, SCHEMA)
    assert (found.severity, "keeps customer in Accounts" in found.en) == ("warning", True)
    del sets["customer"]
    assert not list(check_targets("zoho", sets, SCHEMA))
