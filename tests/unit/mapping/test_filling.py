"""What staff, branch and region tables should hold, by what a system tells of itself."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from connectors.directory import Branch, Region, Staff
from hub.mapping.filling import (
    Use,
    doubles,
    propose_branches,
    propose_regions,
    propose_staff,
    uses_of,
    written,
)
from hub.mapping.loader import load_mapping, mapping_path
from hub.mapping.tables import Table, load_tables
from tests.unit.mapping.mapping_worlds import ROOT


def table(text: str, name: str = "staff") -> Table:
    header, *lines = [line.split(",") for line in text.split()]
    rows = {cells[0]: dict(zip(header, cells, strict=True)) for cells in lines}
    return Table(name, f"{name}.csv", tuple(header), MappingProxyType(rows), dict.fromkeys(rows, 2), "")


STAFF = Use("staff", ("crm",), frozenset({"S9"}))


def test_people_are_found_by_number_then_by_what_else_the_table_holds() -> None:
    known = table(
        "staff_no,name_zh,email,mobile,crm,active S1,甲,,,7,yes S2,乙,B@bank.example,,,yes "
        "S3,丙,,+86-139-0000-1003,,yes S4,丁,,,u4,yes S5,戊,,,u9,yes S9,岗,,,u8,yes"
    )
    accounts = [
        Staff("u1", number="S1"),
        Staff("u2", email="b@bank.example"),
        Staff("u3", mobile="13900001003"),
        Staff("u4", active=False),
        Staff("u5", number="S6", name="己"),
        Staff("u6", number="S7", active=False),
        Staff("u8", number="S9", active=False),
        Staff("u10", number="S8"),
        Staff("u11", number="S8"),
    ]
    made = propose_staff(known, STAFF, accounts)
    assert [(cell.key, cell.column, cell.after) for cell in made.cells] == [
        ("S1", "crm", "u1"), ("S2", "crm", "u2"), ("S3", "crm", "u3"), ("S4", "active", "no")
    ]  # fmt: skip
    assert made.unmatched == ("S5",)
    [fresh] = made.rows
    assert fresh == {"staff_no": "S6", "name_zh": "己", "email": "", "mobile": "", "crm": "u5", "active": "yes"}
    again = propose_staff(made.result(), STAFF, accounts)
    assert (again.is_empty, again.unmatched) == (True, ("S5",)), "what was filled is not proposed again"


def test_two_rows_of_one_account_are_told() -> None:
    known = table("staff_no,crm,active S1,u2,yes S2,u2,yes S3,,yes")
    assert doubles(known, "crm") == ["S1", "S2"]


def test_departments_are_found_by_code_or_by_a_name_that_one_alone_has() -> None:
    known = table("branch_code,name_zh,crm B1,总行,1 B2,西支行, B3,东支行, B4,北支行,4 B5,南支行,9", "branches")
    found = [
        Branch("11", "总行营业部", "B1"),
        Branch("2", "西支行"),
        Branch("3", "东支行"),
        Branch("33", "东支行"),
        Branch("34", "北支行", active=False),
        Branch("4", "北部"),
    ]
    made = propose_branches(known, Use("branches", ("crm",)), found)
    assert [(cell.key, cell.before, cell.after) for cell in made.cells] == [("B1", "1", "11"), ("B2", "", "2")]
    assert made.unmatched == ("B3", "B5")


def test_regions_take_the_codes_of_the_system_by_their_names() -> None:
    header = "code,province,city,district,crm,crm_province,crm_city,crm_district"
    known = table(f"{header} 11,京,,,,,, 1101,京,京,东城,,,, 1102,京,京,西城,x,1,2,9 44,粤,穗,天河,,,,", "regions")
    told = [
        Region("CN", "中国", "country"),
        Region("1", "京", "province", "CN"),
        Region("2", "京", "city", "1"),
        Region("3", "东城", "district", "2"),
        Region("4", "西城", "district", "2"),
        Region("5", "粤", "province", "CN"),
    ]
    made = propose_regions(known, Use("regions", ("crm_province", "crm_city", "crm_district")), "crm", told)
    rows = made.result().rows
    names = ("crm", "crm_province", "crm_city", "crm_district")
    assert [[rows[key][name] for name in names] for key in ("11", "1101", "1102")] == [
        ["1", "1", "", ""], ["3", "1", "2", "3"], ["4", "1", "2", "4"]
    ]  # fmt: skip
    assert made.unmatched == ("44",)


def test_what_the_shipped_mappings_use_and_how_a_table_is_written(tmp_path: Path) -> None:
    files = [load_mapping(mapping_path(ROOT, "fxiaoke", name, "full")) for name in ("customer", "contact_log")]
    assert {(use.table, use.columns, tuple(use.fallbacks)) for use in uses_of(files)} == {
        ("staff", ("fxiaoke",), ("S1099",)),
        ("branches", ("fxiaoke",), ()),
        ("regions", ("fxiaoke_province", "fxiaoke_city", "fxiaoke_district"), ()),
    }
    for shipped in load_tables(ROOT / "tables").values():
        (tmp_path / f"{shipped.name}.csv").write_text(written(shipped), encoding="utf-8")
    again = load_tables(tmp_path)
    assert {name: one.rows for name, one in again.items()} == {
        name: one.rows for name, one in load_tables(ROOT / "tables").items()
    }
