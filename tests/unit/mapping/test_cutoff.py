"""The cut-off of a mapping: what it leaves out, what it may be, and what it asks of a system."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.kernel.errors import ConfigInvalid, Problem
from hub.mapping.check import check_mapping
from hub.mapping.loader import load_mapping, mapping_path
from hub.mapping.translate import CompiledMapping, compile_mapping
from tests.unit.mapping.mapping_worlds import ROOT, SCHEMA, TABLES


def written(folder: Path, since: str, kind: str = "zoho_crm", entity: str = "contact_log", part: str = "core") -> Path:
    text = mapping_path(ROOT, kind, entity, part).read_text(encoding="utf-8")
    file = folder / f"{kind}.{entity}.{part}.yaml"
    file.write_text(text.replace("filter: {}\n", f"filter: {{}}\nsince: {since}\n"), encoding="utf-8")
    return file


def compiled(folder: Path, since: str, *which: str) -> CompiledMapping:
    return compile_mapping(load_mapping(written(folder, since, *which)), SCHEMA, TABLES)


@pytest.mark.parametrize(
    ("since", "started_at", "admitted"),
    [
        # A day begins at midnight in Shanghai.
        ("{field: started_at, from: 2024-01-01}", "2023-12-31T15:59:59.000Z", False),
        ("{field: started_at, from: 2024-01-01}", "2023-12-31T16:00:00.000Z", True),
        ("{field: started_at, from: '2024-01-01'}", "2023-12-31T15:59:59.000Z", False),
        ("{field: started_at, from: '2024-01-01T08:00'}", "2023-12-31T23:59:59.000Z", False),
        ("{field: started_at, from: '2024-01-01T08:00'}", "2024-01-01T00:00:00.000Z", True),
        ("{field: started_at, from: '2024-01-01T00:00:00+00:00'}", "2023-12-31T23:59:59.000Z", False),
        ("{field: started_at, from: '2024-01-01T00:00:00Z'}", "2024-01-01T00:00:00.000Z", True),
        ("{field: started_at, from: 2024-01-01}", None, True),
    ],
)
def test_what_a_cut_off_admits(tmp_path: Path, since: str, started_at: str | None, admitted: bool) -> None:
    mapping = compiled(tmp_path, since)
    fields = {"channel": "phone", "started_at": started_at}
    assert mapping.admits(fields) is admitted
    assert mapping.is_too_old(fields) is not admitted
    assert mapping.admits({"channel": "phone"}), "what does not show the field is not left out for it"


def test_a_day_is_compared_with_a_day(tmp_path: Path) -> None:
    mapping = compiled(tmp_path, "{field: corrective_due_on, from: 1990-05-01}", "zoho_crm", "complaint", "full")
    days = ("1990-04-30", "1990-05-01", None)
    assert [mapping.admits({"corrective_due_on": day}) for day in days] == [False, True, True]


def test_the_filter_still_counts(tmp_path: Path) -> None:
    file = written(tmp_path, "{field: started_at, from: 2024-01-01}")
    file.write_text(file.read_text(encoding="utf-8").replace("filter: {}", "filter: {channel: [phone]}"))
    mapping = compile_mapping(load_mapping(file), SCHEMA, TABLES)
    young = {"started_at": "2025-01-01T00:00:00.000Z"}
    assert mapping.admits({**young, "channel": "phone"})
    assert not mapping.admits({**young, "channel": "visit"})
    assert not mapping.is_too_old({**young, "channel": "visit"})


def test_another_cut_off_is_another_version(tmp_path: Path) -> None:
    first = compiled(tmp_path, "{field: started_at, from: 2024-01-01}").version
    assert compiled(tmp_path, "{field: started_at, from: 2024-01-02}").version != first


@pytest.mark.parametrize(
    ("since", "code"),
    [
        ("{field: started_on, from: 2024-01-01}", "HUB-MAP-011"),
        ("{field: subject, from: 2024-01-01}", "HUB-MAP-032"),
        ("{field: duration_seconds, from: 2024-01-01}", "HUB-MAP-032"),
        # No route of the core set reads it.
        ("{field: next_follow_up_at, from: 2024-01-01}", "HUB-MAP-032"),
        ("{field: started_at}", "HUB-MAP-001"),
        ("{field: started_at, from: soon}", "HUB-MAP-001"),
        ("{field: started_at, from: 2024-13-01}", "HUB-YAML-001"),
        ("{field: started_at, from: '2024-13-01'}", "HUB-MAP-001"),
        # Unquoted, YAML has thrown the offset away before anybody could see it.
        ("{field: started_at, from: 2024-01-01T00:00:00+00:00}", "HUB-MAP-001"),
        ("{field: started_at, from: 2024-01-01, to: 2025-01-01}", "HUB-MAP-001"),
    ],
)
def test_each_fault_is_found_at_its_line(tmp_path: Path, since: str, code: str) -> None:
    file = written(tmp_path, since)
    found: list[Problem]
    try:
        found = check_mapping(load_mapping(file), SCHEMA, TABLES)
    except ConfigInvalid as refused:
        found = list(refused.problems)
    assert {problem.code for problem in found} == {code}
    line = file.read_text(encoding="utf-8").split("since:")[0].count("\n") + 1
    assert {problem.line for problem in found} == {line}
    assert all(problem.en != problem.zh for problem in found)
    with pytest.raises(ConfigInvalid):
        compile_mapping(load_mapping(file), SCHEMA, TABLES)


def test_an_instant_is_no_cut_off_of_days(tmp_path: Path) -> None:
    file = written(tmp_path, "{field: birth_date, from: '1990-05-01T08:00'}", "zoho_crm", "customer", "full")
    codes = [problem.code for problem in check_mapping(load_mapping(file), SCHEMA, TABLES)]
    # An organization has no date of birth, so the route of accounts does not read it.
    assert codes == ["HUB-MAP-032", "HUB-MAP-032"]


@pytest.mark.parametrize(
    ("kind", "entity", "chosen", "field", "expected"),
    [
        ("zoho_crm", "contact_log", "core", "started_at", {
            "Calls": ("Call_Start_Time", "2024-01-01T00:00:00+08:00"),
            "Events": ("Start_DateTime", "2024-01-01T00:00:00+08:00"),
            "Tasks": ("Created_Time", "2024-01-01T00:00:00+08:00"),
        }),
        ("zoho_crm", "complaint", "full", "received_at", {"Cases": ("Received_At", "2024-01-01T00:00:00+08:00")}),
        ("fxiaoke", "contact_log", "core", "started_at", {"ActiveRecordObj": ("create_time", 1_704_038_400_000)}),
        ("fxiaoke", "contact_log", "full", "started_at", {"ActiveRecordObj": ("contact_time__c", 1_704_038_400_000)}),
    ],
)  # fmt: skip
def test_what_a_system_is_asked_for(
    tmp_path: Path, kind: str, entity: str, chosen: str, field: str, expected: dict[str, tuple[str, object]]
) -> None:
    mapping = compiled(tmp_path, f"{{field: {field}, from: 2024-01-01}}", kind, entity, chosen)
    assert {name: mapping.native_cut_off(name) for name in mapping.objects} == expected
