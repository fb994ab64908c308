"""The table of deadlines: what ships is complete, and every fault names its file and line in both languages."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from hub.canonical.schema import load_schema
from hub.canonical.shipped import shipped_folder
from hub.kernel.errors import Problem
from hub.mapping.deadlines import DeadlineRule, Step, Unit, read_deadlines
from hub.mapping.tables import load_tables

SHIPPED = shipped_folder("mappings")
EXTENSIONS = load_schema(SHIPPED / "canonical").entity("complaint").fields["extension"].values
HEADER = "rule,effective_from,extension,days,unit,note_zh,note_en\n"
ROWS = {
    "none": "plain,2020-03-01,none,15,working_day,,\n",
    "to_30": "more,2020-03-01,to_30,30,calendar_day,,\n",
    "to_60": "most,2020-03-01,to_60,60,calendar_day,,\n",
}


def read(folder: Path) -> tuple[tuple[DeadlineRule, ...], list[Problem]]:
    problems: list[Problem] = []
    return read_deadlines(load_tables(folder), EXTENSIONS, folder, problems), problems


def test_the_shipped_table_has_the_three_rules_of_the_schema() -> None:
    rules, problems = read(SHIPPED / "tables")
    assert problems == []
    assert {rule.extension: rule.days for rule in rules if rule.step is Step.ANSWER} == {
        "none": 15,
        "to_30": 30,
        "to_60": 60,
    }
    assert [rule.days for rule in rules if rule.step is Step.REVIEW] == [30]
    assert {rule.extension for rule in rules if rule.approval} == {"to_30", "to_60"}
    assert set(EXTENSIONS) == {"none", "to_30", "to_60"}
    # The earlier reading, until compliance says otherwise: docs/complaints.md.
    assert {rule.unit for rule in rules} == {Unit.CALENDAR_DAY}
    notes = load_tables(SHIPPED / "tables")["deadlines"].rows.values()
    assert all("合规" in row["note_zh"] and "compliance" in row["note_en"] for row in notes)


def test_a_rule_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "deadlines.csv").write_text(HEADER + "".join(ROWS.values()), encoding="utf-8")
    rules, problems = read(tmp_path)
    assert problems == []
    assert rules[0] == DeadlineRule("plain", date(2020, 3, 1), "none", 15, Unit.WORKING_DAY)
    # A table of an earlier release says nothing about approval: a later due date asks.
    assert [rule.approval for rule in rules] == [False, True, True]


def test_a_row_says_what_it_is_for_and_whether_it_asks(tmp_path: Path) -> None:
    file, header = tmp_path / "deadlines.csv", "rule,effective_from,step,extension,approval,days,unit\n"
    rows = [
        "plain,2020-03-01,answer,none,,15,working_day\n",
        "more,2020-03-01,answer,to_30,no,30,calendar_day\n",
        "most,2020-03-01,answer,to_60,yes,60,calendar_day\n",
        "look,2020-03-01,review,,,30,working_day\n",
    ]
    file.write_text(header + "".join(rows), encoding="utf-8")
    rules, problems = read(tmp_path)
    assert problems == []
    assert [(rule.step, rule.approval) for rule in rules] == [
        (Step.ANSWER, False),
        (Step.ANSWER, False),
        (Step.ANSWER, True),
        (Step.REVIEW, False),
    ]
    wrong = [
        "look2,2020-03-01,review,,,40,working_day\n",
        "look3,2021-03-01,review,to_30,,40,working_day\n",
        "what,2021-03-01,appeal,none,perhaps,40,working_day\n",
        f"{'x' * 65},2021-03-01,answer,none,,40,working_day\n",
    ]
    file.write_text(header + "".join(rows + wrong), encoding="utf-8")
    assert [(problem.line, problem.en) for problem in read(tmp_path)[1]] == [
        (7, "`extension` must be empty for a review"),
        (8, "`step` must be one of: answer, review"),
        (8, "`approval` must be yes or no"),
        (9, "`rule` must have at most 64 characters"),
        (6, "a review has a rule from this day already, in line 5"),
    ]


@pytest.mark.parametrize(
    ("row", "line", "en"),
    [
        ("bad,2020-3-1,none,15,working_day,,\n", 5, "`effective_from` must be a date like 2020-03-01"),
        ("bad,2020-02-30,none,15,working_day,,\n", 5, "`effective_from` must be a date like 2020-03-01"),
        ("bad,2026-01-01,to_90,15,working_day,,\n", 5, "`extension` must be one of: none, to_30, to_60"),
        ("bad,2026-01-01,none,0,working_day,,\n", 5, "`days` must be a number from 1 to 3650"),
        ("bad,2026-01-01,none,1.5,working_day,,\n", 5, "`days` must be a number from 1 to 3650"),
        ("bad,2026-01-01,none,9999,working_day,,\n", 5, "`days` must be a number from 1 to 3650"),
        ("bad,2026-01-01,none,15,workday,,\n", 5, "`unit` must be one of: working_day, calendar_day"),
        ("bad,2020-03-01,none,10,working_day,,\n", 5, "extension `none` has a rule from this day already, in line 2"),
    ],
)
def test_a_bad_row_names_its_line(tmp_path: Path, row: str, line: int, en: str) -> None:
    (tmp_path / "deadlines.csv").write_text(HEADER + "".join(ROWS.values()) + row, encoding="utf-8")
    _, problems = read(tmp_path)
    assert [(Path(p.file).name, p.line, p.code, p.en) for p in problems] == [
        ("deadlines.csv", line, "HUB-TABLE-001", en)
    ]
    assert all(p.zh and p.zh != p.en for p in problems)


def test_a_table_that_is_missing_or_lacks_something_says_what(tmp_path: Path) -> None:
    assert [(p.line, p.en.split(";")[0]) for p in read(tmp_path)[1]] == [(None, "is missing")]
    file = tmp_path / "deadlines.csv"
    file.write_text("rule,extension,days\na,none,15\n", encoding="utf-8")
    assert [(p.line, p.en) for p in read(tmp_path)[1]] == [(1, "lacks the columns: effective_from, unit")]
    file.write_text(HEADER + ROWS["none"] + ROWS["to_60"], encoding="utf-8")
    assert [p.en for p in read(tmp_path)[1]] == ["has no rule for extension `to_30`; add a row"]
