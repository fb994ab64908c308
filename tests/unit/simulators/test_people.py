"""The invented people that both simulators share, and the customers loaded from a CSV file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import phonenumbers
import pytest
import stdnum.cn.uscc

from connectors.simulation.columns import TableRefused, load_csv, table_world
from connectors.simulation.people import World, generate, native_id


@pytest.fixture(scope="module")
def world() -> World:
    return generate(4000, 11)


def test_the_same_seed_makes_the_same_world(world: World) -> None:
    assert generate(4000, 11) == world
    assert generate(4000, 12).people[0] != world.people[0]


def test_a_smaller_world_is_the_beginning_of_a_larger_one(world: World) -> None:
    small = generate(100, 11)
    assert small.people == world.people[:100]
    assert small.truth() == world.truth()[:100]


def test_shares_of_kinds_and_homes(world: World) -> None:
    kinds = Counter(person.kind for person in world.people)
    assert 0.82 < kinds["individual"] / 4000 < 0.88
    assert 0.10 < kinds["organization"] / 4000 < 0.14
    assert 0.02 < kinds["sole_trader"] / 4000 < 0.045
    both = sum(len(homes) == 2 for homes in world.homes.values())
    assert 0.56 < both / 4000 < 0.64
    difficulties = Counter(row["difficulty"] for row in world.truth())
    assert 0.01 < difficulties["unsure"] / both < 0.05


def test_values_are_plausible(world: World) -> None:
    for person in world.people:
        for number in filter(None, (person.mobile, person.phone)):
            parsed = phonenumbers.parse(number)
            assert parsed.country_code == 86
            assert phonenumbers.is_possible_number(parsed)
        if person.credit_code:
            assert stdnum.cn.uscc.validate(person.credit_code)[2:8] == person.region_code
        if person.kind != "organization":
            assert person.full_name == f"{person.family_name}{person.given_name}"
        if person.email:
            assert person.email == person.email.lower()
            assert person.email.isascii()
    text = "".join(person.full_name + (person.remark or "") for person in world.people)
    assert any(ord(character) > 0xFFFF for character in text)
    assert any(len(person.family_name or "") == 2 for person in world.people)


def test_confusions_are_there_but_strong_keys_stay_unambiguous(world: World) -> None:
    names = Counter(person.full_name for person in world.people)
    assert sum(count > 1 for count in names.values()) > 20
    mobiles = Counter(person.mobile for person in world.people if person.mobile)
    assert any(count > 1 for count in mobiles.values())
    for key in ("mobile", "email"):
        pairs = Counter((getattr(one, key), one.full_name) for one in world.people if getattr(one, key))
        assert max(pairs.values()) == 1
    birthdays = Counter((one.full_name, one.birth_date) for one in world.people if one.birth_date)
    assert any(count > 1 for count in birthdays.values())


def test_sure_people_agree_on_a_strong_key_and_clash_rarely(world: World) -> None:
    zoho = {one.person.person_id: one.seen() for one in world.appears_in("zoho_crm")}
    fxiaoke = {one.person.person_id: one.seen() for one in world.appears_in("fxiaoke")}
    clashes = 0
    for row in world.truth():
        person_id = row["person_id"]
        assert (row["zoho_crm"] is not None) == (person_id in zoho)
        assert (row["fxiaoke"] is not None) == (person_id in fxiaoke)
        if row["difficulty"] == "new":
            assert (person_id in zoho) != (person_id in fxiaoke)
            continue
        left, right = zoho[person_id], fxiaoke[person_id]
        strong = [
            left.credit_code is not None and left.credit_code == right.credit_code,
            left.full_name == right.full_name and left.mobile is not None and left.mobile == right.mobile,
            left.full_name == right.full_name and left.email is not None and left.email == right.email,
        ]
        if row["difficulty"] == "sure":
            assert any(strong) or left.kind == "organization"
        for key in ("full_name", "mobile", "email", "phone", "birth_date", "address", "remark", "need_summary"):
            mine, theirs = getattr(left, key), getattr(right, key)
            clashes += mine is not None and theirs is not None and mine != theirs
    assert clashes < 0.03 * len(world.people)


def test_native_ids_have_the_vendors_form_and_are_unique(world: World) -> None:
    zoho = [native_id("zoho_crm", person.person_id, 11) for person in world.people]
    fxiaoke = [native_id("fxiaoke", person.person_id, 11) for person in world.people]
    assert len(set(zoho)) == len(set(fxiaoke)) == 4000
    assert all(len(one) == 19 and one.isdigit() for one in zoho)
    assert all(len(one) == 24 and set(one) <= set("0123456789abcdef") for one in fxiaoke)
    with pytest.raises(ValueError, match="unknown system kind"):
        native_id("other", "P0000001", 1)
    with pytest.raises(ValueError, match="unknown system kind"):
        world.appears_in("other")


def test_no_personal_value_in_a_repr(world: World) -> None:
    shown = repr(world.people[0]) + repr(world.appears_in("zoho_crm")[0])
    assert world.people[0].full_name not in shown
    assert str(world.people[0].mobile) not in shown


COLUMNS = """
columns:
  customer_kind: {constant: individual}
  birth_date: {column: age, minus_from: 2010}
  remark: {template: "job={job}"}
  lifecycle_stage: {column: y, map: {"yes": loyal}, default: prospect}
  loyalty_points: {column: balance, type: integer}
invent: [full_name, family_name, given_name, mobile_phone]
"""


def load(folder: Path, rows: str, columns: str = COLUMNS) -> list[dict[str, object]]:
    (folder / "rows.csv").write_text(rows, encoding="utf-8")
    (folder / "map.yaml").write_text(columns, encoding="utf-8")
    return list(load_csv(folder / "rows.csv", folder / "map.yaml", seed=2))


def test_csv_rows_become_customers(tmp_path: Path) -> None:
    rows = load(tmp_path, "age,job,balance,y\n58,management,2143,yes\n44,technician,-29,no\n")
    assert [row["person_id"] for row in rows] == ["P0000001", "P0000002"]
    assert rows[0]["birth_date"] == "1952-01-01"
    assert (rows[0]["remark"], rows[0]["lifecycle_stage"], rows[1]["lifecycle_stage"]) == (
        "job=management",
        "loyal",
        "prospect",
    )
    assert rows[1]["loyalty_points"] == -29
    assert str(rows[0]["mobile_phone"]).startswith("+861")
    assert "email" not in rows[0]
    world = table_world(rows, 2, "zoho_crm")
    assert world.appears_in("fxiaoke") == []
    assert world.appears_in("zoho_crm")[0].canonical() == {k: v for k, v in rows[0].items() if k != "person_id"}


def test_a_loaded_region_code_is_spelled_out(tmp_path: Path) -> None:
    columns = "columns: {full_name: {column: name}, address_region: {column: code}}"
    rows = load(tmp_path, "name,code\n甲,330106\n乙,999999\n", columns)
    first, second = table_world(rows, 2, "zoho_crm").people
    assert (first.province, first.city, first.district) == ("浙江省", "杭州市", "西湖区")
    assert (second.province, second.city, second.district) == (None, None, None)


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ("age,job,balance,y\n58,management,1,yes\n44,technician\n", r"rows\.csv:3: 4 columns expected"),
        ("age,job,balance,y\n58,a,b,c,d\n", r"rows\.csv:2: 4 columns expected"),
        ("age,job,balance,y\n58,a,many,no\n", r"rows\.csv:2: field loyalty_points: a whole number"),
        ("age,job,y\n58,a,no\n", r"map\.yaml: field loyalty_points reads column balance, which .*rows\.csv lacks"),
    ],
)
def test_broken_rows_name_file_and_line(tmp_path: Path, rows: str, place: str) -> None:
    with pytest.raises(TableRefused, match=place):
        load(tmp_path, rows)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ("columns: {no_such: {constant: 1}}", "unknown canonical field no_such"),
        ("columns: {remark: {constant: 1, column: job}}", "exactly one of column, constant, template"),
        ("colums: {}", "the keys columns and invent"),
        ("invent: [shoe_size]", "unknown canonical field shoe_size"),
        ("columns: [", r"map\.yaml"),
    ],
)
def test_wrong_column_files_are_refused(tmp_path: Path, columns: str, reason: str) -> None:
    with pytest.raises(TableRefused, match=reason):
        load(tmp_path, "age,job,balance,y\n58,a,1,no\n", columns)
