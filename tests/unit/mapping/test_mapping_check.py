"""A mapping is proved before it is used; every problem names its file and line, in two languages."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from connectors.fxiaoke.simulator.objects import build_objects
from hub.kernel.errors import ConfigInvalid, Problem
from hub.mapping.check import check_authorities, check_mapping
from hub.mapping.loader import load_mapping, mapping_path
from hub.mapping.tables import load_tables
from hub.mapping.translate import compile_mapping
from tests.unit.mapping.mapping_worlds import ROOT, SCHEMA, SHIPPED, TABLES, mapping_of


@dataclass(frozen=True)
class FieldSeen:
    api_name: str
    kind: str = "text"
    length: int | None = None
    required: bool = False
    writable: bool = True
    unique: bool = False
    options: Any = None
    lookup: str | None = None
    masked: bool = False
    retired: Any = None
    parent: str | None = None
    by_parent: Any = None
    decimals: int | None = None
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObjectSeen:
    fields: Any


@pytest.fixture
def file(tmp_path: Path) -> Path:
    copy = tmp_path / "customer.full.yaml"
    shutil.copy(mapping_path(ROOT, "zoho_crm", "customer", "full"), copy)
    return copy


def check(path: Path) -> list[Problem]:
    try:
        return check_mapping(load_mapping(path), SCHEMA, TABLES)
    except ConfigInvalid as refused:
        return list(refused.problems)


@pytest.mark.parametrize(("kind", "chosen"), SHIPPED)
def test_shipped_mappings_have_no_problem(kind: str, chosen: str) -> None:
    assert check_mapping(mapping_of(kind, chosen), SCHEMA, TABLES) == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("canonical: remark,", "canonical: remarks,", "HUB-MAP-011"),
        ("lens: phone_e164", "lens: phone_e165", "HUB-MAP-016"),
        ("lens: date,", "lens: date, zone: x,", "HUB-MAP-016"),
        ("lens: date,", "lens: number,", "HUB-MAP-016"),
        ("direction: both", "direction: sideways", "HUB-MAP-001"),
        ("hub_id_field: Hub_Id", "hub_id_fields: Hub_Id", "HUB-MAP-001"),
        ("native: Mailing_Zip,", "native: Mailing Zip,", "HUB-MAP-001"),
        ("lens: datetime, direction: out", "lens: datetime, direction: both", "HUB-MAP-015"),
        ("lens: constant, direction: in,", "lens: constant, direction: both,", "HUB-MAP-015"),
        ("canonical: loyalty_points, native: Loyalty_Points, lens: number, direction: in",
         "canonical: loyalty_points, native: Loyalty_Points, lens: number, direction: both", "HUB-MAP-015"),
        ("native: Mailing_Zip,", "native: Mailing_Street,", "HUB-MAP-014"),
        ("canonical: postal_code, native: Mailing_Zip", "canonical: address_line, native: Mailing_Zip", "HUB-MAP-014"),
        ("male: 男, female: 女,", "male: 男,", "HUB-MAP-017"),
        ("male: 男, female: 女,", "male: 男, female: 男,", "HUB-MAP-016"),
        ("male: 男, female: 女,", "man: 男, male: x, female: 女,", "HUB-MAP-016"),
        ("table: regions,", "table: region,", "HUB-MAP-016"),
        ("columns: [province, city, district]", "columns: [province, town, district]", "HUB-MAP-016"),
        ("fallback: S1099", "fallback: S1007", "HUB-MAP-016"),
        ("[individual, sole_trader]", "[individual]", "HUB-MAP-013"),
        ("when: {customer_kind: [organization]}", "when: {customer_kind: [organization, individual]}", "HUB-MAP-013"),
        ("object: Accounts", "object: Contacts", "HUB-MAP-012"),
        ("entity: customer", "entity: client", "HUB-MAP-010"),
        ("canonical: full_name, native: Account_Name", "canonical: short_name, native: Account_Name", "HUB-MAP-019"),
        ("filter: {}", "filter: {colour: [red]}", "HUB-MAP-011"),
        ("match: []", "match: [{name: m, fields: [colour], strength: weak}]", "HUB-MAP-011"),
    ],
)  # fmt: skip
def test_each_fault_is_found_at_its_line(file: Path, old: str, new: str, code: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    line = text[: text.index(old)].count("\n") + 1
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    found = [problem for problem in check(file) if problem.code == code]
    assert found
    assert all(problem.zh != problem.en for problem in found)
    assert all(problem.file == str(file) and problem.line is not None for problem in found)
    # A problem of a whole route or of the routes is reported where these begin.
    assert min(problem.line or 0 for problem in found) <= line + 1
    if code in ("HUB-MAP-011", "HUB-MAP-015", "HUB-MAP-016", "HUB-MAP-017"):
        assert line in [problem.line for problem in found]
    with pytest.raises(ConfigInvalid):
        compile_mapping(load_mapping(file), SCHEMA, TABLES)


def test_all_faults_come_at_once(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    text = text.replace("lens: phone_e164", "lens: nothing").replace("canonical: remark,", "canonical: remarks,")
    file.write_text(text, encoding="utf-8")
    assert len(check(file)) == 6


def test_a_missing_mapping_is_named() -> None:
    with pytest.raises(ConfigInvalid, match=r"customer\.tiny\.yaml"):
        mapping_path(ROOT, "zoho_crm", "customer", "tiny")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a,b\n1,2\n1,3\n", 3, "stands in line 2 already"),
        ("a,b\n1,2,3\n", 2, "has 3 cells"),
        ("a,b\n,2\n", 2, "is empty"),
        ("a,a\n1,2\n", 1, "header"),
        ('a,b\n"1"x,2\n', 2, "not valid CSV"),
    ],
)
def test_broken_tables_name_their_row(tmp_path: Path, text: str, line: int, said: str) -> None:
    (tmp_path / "staff.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigInvalid) as refused:
        load_tables(tmp_path)
    (problem,) = refused.value.problems
    assert (problem.line, said in problem.en) == (line, True)


def test_two_codes_with_one_native_value_name_the_table_row(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tables", tmp_path / "tables")
    staff = tmp_path / "tables" / "staff.csv"
    staff.write_text(staff.read_text(encoding="utf-8").replace(",1002,yes", ",1001,yes"), encoding="utf-8")
    tables = load_tables(tmp_path / "tables")
    (problem,) = check_mapping(mapping_of("fxiaoke", "core"), SCHEMA, tables)
    assert (problem.file, problem.line) == (str(staff), 3)


def described(**changes: FieldSeen | None) -> dict[str, ObjectSeen]:
    mapping = mapping_of("fxiaoke", "core").spec
    fields = {name: FieldSeen(name) for pair in mapping.routes[0].fields for name in pair.natives}
    for name, kind in (("owner", "employee"), ("tel", "phone_number"), ("email", "email")):
        fields[name] = FieldSeen(name, kind)
    fields["hub_id__c"] = FieldSeen("hub_id__c", unique=True)
    for name, changed in changes.items():
        if changed is None:
            del fields[name]
        else:
            fields[name] = changed
    return {"AccountObj": ObjectSeen(fields)}


def codes(description: dict[str, ObjectSeen]) -> dict[str, str]:
    found = check_mapping(mapping_of("fxiaoke", "core"), SCHEMA, TABLES, description)
    assert all(problem.line is not None for problem in found)
    return {problem.code: problem.severity for problem in found}


def test_a_system_that_fits_has_no_problem() -> None:
    assert codes(described()) == {}


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"tel": None}, "HUB-MAP-022", "error"),
        ({"hub_id__c": None}, "HUB-MAP-021", "error"),
        ({"hub_id__c": FieldSeen("hub_id__c")}, "HUB-MAP-021", "warning"),
        ({"remark": FieldSeen("remark", writable=False)}, "HUB-MAP-024", "error"),
        ({"remark": FieldSeen("remark", "true_or_false")}, "HUB-MAP-025", "error"),
        ({"remark": FieldSeen("remark", "long_text", required=True)}, "HUB-MAP-026", "error"),
        ({"name": FieldSeen("name", length=100)}, "HUB-MAP-027", "warning"),
        ({"deal__c": FieldSeen("deal__c", required=True)}, "HUB-MAP-023", "error"),
        (
            {"account_level": FieldSeen("account_level", "select_one", options=dict.fromkeys("123", ""))},
            "HUB-MAP-028",
            "error",
        ),
        (
            {"account_level": FieldSeen("account_level", "select_one", options=dict.fromkeys("12345", ""))},
            "HUB-MAP-029",
            "warning",
        ),
        (
            {"industry_level1": FieldSeen("industry_level1", "select_one", options={"1": "农林牧渔业"})},
            "HUB-MAP-028",
            "error",
        ),
    ],
)
def test_drift_is_found_against_the_description(changes: dict[str, FieldSeen | None], code: str, severity: str) -> None:
    assert codes(described(**changes)) == {code: severity}


LEVELS = {"1": "私人银行", "2": "贵宾", "3": "金卡", "4": "普通"}


@pytest.mark.parametrize(
    ("changes", "code", "severity", "zh"),
    [
        (
            {"account_level": FieldSeen("account_level", "select_one", options=LEVELS, retired={"9": "钻石"})},
            "HUB-MAP-029",
            "warning",
            "已停用选项 `9`",
        ),
        (
            {
                "account_level": FieldSeen(
                    "account_level", "select_one", options=dict.fromkeys("123", ""), retired={"4": "普通"}
                )
            },
            "HUB-MAP-028",
            "error",
            "已停用，写入会被拒绝",
        ),
        ({"tel": FieldSeen("tel", "phone_number", masked=True)}, "HUB-MAP-035", "warning", "脱敏"),
        ({"address": FieldSeen("address", "group", members=("city", "detail"))}, "HUB-MAP-036", "error", "city"),
    ],
)
def test_what_a_field_says_beyond_its_kind_is_honoured(
    changes: dict[str, FieldSeen | None], code: str, severity: str, zh: str
) -> None:
    (found,) = check_mapping(mapping_of("fxiaoke", "core"), SCHEMA, TABLES, described(**changes))
    assert (found.code, found.severity, zh in found.zh) == (code, severity, True)


def test_a_code_under_the_wrong_parent_names_the_row_of_the_table() -> None:
    table = TABLES["industries"]
    pairs = [(row["fxiaoke_level1"], row["fxiaoke_level2"]) for row in table.rows.values() if row["fxiaoke_level2"]]
    admitted: dict[str, tuple[str, ...]] = {}
    for above, below in pairs[1:]:
        admitted[above] = (*admitted.get(above, ()), below)
    seen = described(industry_level2=FieldSeen("industry_level2", parent="industry_level1", by_parent=admitted))
    (found,) = check_mapping(mapping_of("fxiaoke", "core"), SCHEMA, TABLES, seen)
    assert (found.code, found.file) == ("HUB-MAP-033", table.file)
    assert found.line == next(table.lines[key] for key, row in table.rows.items() if row["fxiaoke_level2"])
    assert f"`{pairs[0][1]}`" in found.en


def test_a_link_to_another_object_is_found() -> None:
    mapping = load_mapping(mapping_path(ROOT, "fxiaoke", "complaint", "core"))
    names = [name for pair in mapping.spec.routes[0].fields for name in pair.natives]
    fields = {name: FieldSeen(name, kind="other") for name in names} | {
        "hub_id__c": FieldSeen("hub_id__c", unique=True)
    }
    fields["account_id"] = FieldSeen("account_id", "object_reference", lookup="ContactObj")
    found = check_mapping(mapping, SCHEMA, TABLES, {"complaint__c": ObjectSeen(fields)})
    assert [(p.code, "ContactObj" in p.en, "AccountObj" in p.zh) for p in found] == [("HUB-MAP-037", True, True)]


def test_an_option_labelled_as_another_value_is_doubted() -> None:
    labels = {"1": "私人银行", "2": "金卡", "3": "贵宾", "4": "普通"}
    seen = described(account_level=FieldSeen("account_level", "select_one", options=labels))
    found = check_mapping(mapping_of("fxiaoke", "core"), SCHEMA, TABLES, seen)
    assert [(p.code, p.severity, p.en.split("`")[1]) for p in found] == [
        ("HUB-MAP-031", "warning", "vip"),
        ("HUB-MAP-031", "warning", "gold"),
    ]


@pytest.mark.parametrize("chosen", ["core", "full"])
def test_the_shipped_mappings_fit_the_shipped_simulators(chosen: str) -> None:
    described_fields = {
        name: FieldSeen(
            name,
            field.type,
            field.length,
            field.required,
            not field.computed,
            field.unique,
            {choice.value: choice.label for choice in field.choices} or None,
        )
        for name, field in build_objects()["AccountObj"].fields.items()
    }
    found = check_mapping(mapping_of("fxiaoke", chosen), SCHEMA, TABLES, {"AccountObj": ObjectSeen(described_fields)})
    assert {(p.code, p.severity) for p in found} <= {("HUB-MAP-027", "warning")}, [p.en for p in found]


def test_an_absent_object_is_named() -> None:
    assert codes({}) == {"HUB-MAP-020": "error"}


def test_a_mapping_with_a_fault_is_not_compiled() -> None:
    mapping = mapping_of("fxiaoke", "core")
    broken = replace(mapping, spec=mapping.spec.model_copy(update={"entity": "client"}))
    with pytest.raises(ConfigInvalid):
        compile_mapping(broken, SCHEMA, TABLES)


def test_two_systems_cannot_both_be_the_authority() -> None:
    zoho, fxiaoke = mapping_of("zoho_crm", "full"), mapping_of("fxiaoke", "full")
    assert check_authorities({"zoho": zoho, "fxiaoke": fxiaoke}, SCHEMA) == []
    found = check_authorities({"zoho": zoho, "second": zoho}, SCHEMA)
    assert {problem.en.split("`")[1] for problem in found} == {"customer_no", "loyalty_tier", "loyalty_points"}
    assert all(problem.line is not None and "second" in problem.zh for problem in found)
