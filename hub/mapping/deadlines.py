"""Reads the table of deadlines, `mappings/tables/deadlines.csv`: which complaint is due how many days after it came."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from hub.kernel.errors import Problem, problem
from hub.mapping.tables import Table, Tables

TABLE = "deadlines"
COLUMNS = ("effective_from", "extension", "days", "unit")
OPTIONAL: Mapping[str, str] = {"step": "answer", "approval": ""}
"""Columns that a table may leave out, with what they then hold in every row."""
NO_EXTENSION = "none"
MOST_DAYS = 3650
LONGEST = 64
_CODE = "HUB-TABLE-001"
_DAYS = re.compile(r"[1-9]\d{0,3}")


class Step(StrEnum):
    """Says what a deadline is for: the answer to a complaint, or the decision on a review (核查) of that answer."""

    ANSWER = "answer"
    REVIEW = "review"


class Unit(StrEnum):
    """Says what a deadline counts."""

    WORKING_DAY = "working_day"
    CALENDAR_DAY = "calendar_day"


@dataclass(frozen=True, slots=True)
class DeadlineRule:
    """Is one row: from `effective_from` on, what was received with this extension is due after so many days.

    `approval` says that a second person must agree before a complaint takes this extension. The rule of a review counts
    from its request and names no extension.
    """

    name: str
    effective_from: date
    extension: str
    days: int
    unit: Unit
    step: Step = Step.ANSWER
    approval: bool = False


def read_deadlines(
    tables: Tables, extensions: Collection[str], folder: Path, problems: list[Problem]
) -> tuple[DeadlineRule, ...]:
    """Returns the rules of the table, and adds what is wrong with it to `problems`, each with file and line.

    `extensions` are the values that a rule may name; every one of them needs a rule.
    """
    table = tables.get(TABLE)
    if table is None:
        file = folder / f"{TABLE}.csv"
        en = "is missing; the due date of complaints is computed by it: copy the one that ships with crmhub"
        problems.append(problem(file, None, _CODE, en, "缺失；投诉办理期限据此计算，请复制 crmhub 自带的该表"))
        return ()
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        names = ", ".join(missing)
        problems.append(problem(table.file, 1, _CODE, f"lacks the columns: {names}", f"缺少列：{names}"))
        return ()
    found = [rule for key in table.rows if (rule := _rule(table, key, extensions, problems)) is not None]
    _check_clashes(table, found, problems)
    if len(found) == len(table.rows):
        for name in sorted(set(extensions) - {rule.extension for rule in found if rule.step is Step.ANSWER}):
            en, zh = f"has no rule for extension `{name}`; add a row", f"缺少延期 `{name}` 的规则；请添加一行"
            problems.append(problem(table.file, None, _CODE, en, zh))
    return tuple(found)


def _rule(table: Table, key: str, extensions: Collection[str], problems: list[Problem]) -> DeadlineRule | None:
    cells = {**OPTIONAL, **table.rows[key]}
    faults = list(_faults(key, cells, extensions))
    line = table.lines[key]
    problems.extend(problem(table.file, line, _CODE, en, zh) for en, zh in faults)
    if faults:
        return None
    day = date.fromisoformat(cells["effective_from"])
    extension, step = cells["extension"], Step(cells["step"])
    # An extension that says nothing about it needs a second person: a due date never moves later unasked.
    asks = step is Step.ANSWER and extension != NO_EXTENSION and cells["approval"] != "no"
    return DeadlineRule(key, day, extension, int(cells["days"]), Unit(cells["unit"]), step, asks)


def _faults(key: str, cells: Mapping[str, str], extensions: Collection[str]) -> list[tuple[str, str]]:
    found = []
    if not _is_day(cells["effective_from"]):
        found.append(("`effective_from` must be a date like 2020-03-01", "effective_from 须为日期，如 2020-03-01"))
    if len(key) > LONGEST:
        found.append((f"`rule` must have at most {LONGEST} characters", f"rule 最多 {LONGEST} 个字符"))
    review = cells["step"] == Step.REVIEW
    if cells["step"] not in list(Step):
        known = ", ".join(Step)
        found.append((f"`step` must be one of: {known}", f"step 须为以下之一：{known}"))
    if cells["approval"] not in ("yes", "no", ""):
        found.append(("`approval` must be yes or no", "approval 须为 yes 或 no"))
    if review and cells["extension"]:
        found.append(("`extension` must be empty for a review", "step 为 review 的行，extension 须为空"))
    elif not review and cells["extension"] not in extensions:
        known = ", ".join(extensions)
        found.append((f"`extension` must be one of: {known}", f"extension 须为以下之一：{known}"))
    if not _DAYS.fullmatch(cells["days"]) or int(cells["days"]) > MOST_DAYS:
        found.append((f"`days` must be a number from 1 to {MOST_DAYS}", f"days 须为 1 至 {MOST_DAYS} 的整数"))
    if cells["unit"] not in list(Unit):
        known = ", ".join(Unit)
        found.append((f"`unit` must be one of: {known}", f"unit 须为以下之一：{known}"))
    return found


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _check_clashes(table: Table, rules: list[DeadlineRule], problems: list[Problem]) -> None:
    lines: dict[tuple[date, Step, str], int] = {}
    for rule in rules:
        place = rule.effective_from, rule.step, rule.extension
        line = table.lines[rule.name]
        if place in lines:
            of_en, of_zh = ("a review", "核查") if rule.step is Step.REVIEW else ("extension `{0}`", "延期 `{0}`")
            en = f"{of_en} has a rule from this day already, in line {lines[place]}".format(rule.extension)
            zh = f"{of_zh} 自该日起的规则已在第 {lines[place]} 行".format(rule.extension)
            problems.append(problem(table.file, line, _CODE, en, zh))
        lines.setdefault(place, line)
