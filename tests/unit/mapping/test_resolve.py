"""Labels in a mapping file: found in the system, written as names, and nothing guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.base import FieldDescription, ObjectDescription
from hub.kernel.yaml_file import load_yaml
from hub.mapping.resolve import AMBIGUOUS, MISSING, Resolution, resolve
from hub.mapping.splicing import splice, words_of
from tests.unit.mapping.mapping_worlds import ROOT, SCHEMA

GENDERS = {"Hox1": "男", "Hox2": "女", "Hox3": "未知"}
DRAFT = """\
# 客户 / customer
system_kind: fxiaoke
entity: customer
set: full
hub_id_field: 统一编号   # made by the console
routes:
  - object: 客户
    fields:
      # the name, as people call it
      - {canonical: full_name, native: 客户名称, lens: text, direction: both}
      - {canonical: gender, native: gender__c, lens: enum, direction: both,
         values: {male: option1, female: "女", unknown: Hox3}}
      - {canonical: remark, native: [备注], lens: text, direction: both}
      - {native: record_type, lens: constant, direction: out, value: 预设业务类型}
"""


def made(*more: FieldDescription, **changed: str) -> dict[str, ObjectDescription]:
    fields = [
        FieldDescription("name", "客户名称", "text"),
        FieldDescription("field_g1__c", "性别", "select_one", options=GENDERS),
        FieldDescription("remark", " 备 注", "long_text"),
        FieldDescription("record_type", "业务类型", "record_type", options={"default__c": "预设业务类型"}),
        FieldDescription("field_h1__c", "统一编号", "text", unique=True),
        *more,
    ]
    return {"AccountObj": ObjectDescription("AccountObj", "客户", {each.api_name: each for each in fields})}


def resolved(text: str, shapes: dict[str, ObjectDescription], keys: dict[str, str] | None = None) -> Resolution:
    return resolve("draft.yaml", text, shapes.get, {"AccountObj": "客户"}, SCHEMA, (keys or {}).get)


def test_a_draft_of_labels_becomes_a_mapping_of_names_and_all_else_stays() -> None:
    found = resolved(DRAFT, made())
    wanted = DRAFT
    for before, after in (
        ("hub_id_field: 统一编号", "hub_id_field: field_h1__c"),
        ("object: 客户", "object: AccountObj"),
        ("native: 客户名称", "native: name"),
        ("native: gender__c", "native: field_g1__c"),
        ("male: option1", "male: Hox1"),
        ('female: "女"', "female: Hox2"),
        ("[备注]", "[remark]"),
        ("value: 预设业务类型", "value: default__c"),
    ):
        wanted = wanted.replace(before, after)
    assert (found.text, found.problems) == (wanted, ())
    assert [(change.line, change.after) for change in found.changes][1:3] == [(10, "name"), (11, "field_g1__c")]
    assert resolved(found.text, made()).changes == ()


def test_a_label_that_two_fields_bear_is_asked_about_unless_only_one_fits() -> None:
    twin = FieldDescription("field_n2__c", "客户名称", "text")
    found = resolved(DRAFT, made(twin))
    (problem,) = found.problems
    assert (problem.code, problem.file, problem.line) == (AMBIGUOUS, "draft.yaml", 10)
    assert "field_n2__c, name" in problem.en
    assert "field_n2__c, name" in problem.zh
    assert "native: 客户名称" in found.text
    assert resolved(DRAFT, made(FieldDescription("n2__c", "客户名称", "employee"))).problems == ()


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("native: 客户名称", "native: 客户名", 10, "near: 客户名称"),
        ("male: option1", "female_x: 妖", 12, "has no option"),
        ("object: 客户", "object: 投诉", 7, "has no object"),
        ("统一编号  ", "编号  ", 5, ""),
    ],
)
def test_what_is_not_there_is_told_by_file_line_and_remedy(before: str, after: str, line: int, said: str) -> None:
    shapes = made()
    if not said:
        shapes["AccountObj"] = ObjectDescription(
            "AccountObj", "客户", {n: f for n, f in shapes["AccountObj"].fields.items() if n != "field_h1__c"}
        )
    found = resolved(DRAFT.replace(before, after), shapes)
    (problem,) = found.problems
    assert (problem.code, problem.line, said in problem.en) == (MISSING, line, True)
    assert "请新建，或更正标签" in problem.zh


def test_a_hub_id_of_another_name_in_each_object_goes_into_the_connection() -> None:
    route = (
        "  - object: visit__c\n    fields:\n      - {canonical: full_name, native: name, lens: text, direction: both}\n"
    )
    shapes = made()
    other = FieldDescription("field_v9__c", "Hub id", "text", unique=True)
    shapes["visit__c"] = ObjectDescription(
        "visit__c", "拜访", {"field_v9__c": other, "name": FieldDescription("name", "名称", "text")}
    )
    text = DRAFT.replace("统一编号  ", "hub_id__c").replace("object: 客户", "object: AccountObj") + route
    found = resolve("draft.yaml", text, shapes.get, {}, SCHEMA, lambda name: None)
    (problem,) = found.problems
    assert problem.line == 5
    assert "external_keys: {AccountObj: field_h1__c, visit__c: field_v9__c}" in problem.zh
    named = {"AccountObj": "field_h1__c", "visit__c": "field_v9__c"}
    assert resolve("draft.yaml", text, shapes.get, {}, SCHEMA, named.get).problems == ()


def test_a_field_that_another_pair_names_is_not_found_by_a_canonical_label() -> None:
    """`phone__c` is gone; `tel` bears the label of its canonical field, but carries another."""
    text = DRAFT.replace("native: [备注]", "native: remark__c").replace("native: 客户名称", "native: remark")
    found = resolved(text, made())
    assert [(problem.code, problem.line) for problem in found.problems] == [(MISSING, 13)]


@pytest.mark.parametrize(
    "file", sorted(ROOT.glob("*_*/*.yaml")) + sorted(ROOT.glob("fxiaoke/*.yaml")), ids=lambda f: f.stem
)
def test_every_word_of_the_shipped_files_is_found_where_it_stands(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    words = words_of(text)
    assert splice(text, []) == text
    tree = load_yaml(file, [])
    assert tree is not None
    again = splice(text, [(word, word.value) for word in words.values()])
    fresh = {path: word.value for path, word in words_of(again).items()}
    assert fresh == {path: word.value for path, word in words.items()}


def test_words_that_yaml_takes_for_something_else_are_quoted() -> None:
    text = 'a: {b: old, c: "x", d: y} # kept\n'
    words = words_of(text)
    values = {("a", "b"): "1", ("a", "c"): "no", ("a", "d"): "高 净值: x"}
    assert splice(text, [(words[path], value) for path, value in values.items()]) == (
        'a: {b: "1", c: "no", d: "高 净值: x"} # kept\n'
    )
