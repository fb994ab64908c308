"""The tables of docs/asvs.md and docs/compliance.md promise nothing that no test holds up."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ASVS = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")
COMPLIANCE = (ROOT / "docs" / "compliance.md").read_text(encoding="utf-8")
STATES = {"met", "partly", "not yet", "n/a"}
ROW = re.compile(r"^\| V(\d+)\.(\d+)\.(\d+) \| ([123]) \| (.+?) \| (.+?) \| (.+?) \|$", re.M)
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
# Requirements of ASVS 5.0.0 up to level 2, and to level 3 for V11, V16, V8.2 and V2.3.5, by chapter and section.
COUNTED = {
    1: [2, 9, 11, 3, 3], 2: [3, 3, 5, 1], 4: [3, 1, 2, 4], 5: [1, 3, 2, 3], 6: [3, 12, 4, 4, 5, 3, 0, 4],
    7: [3, 4, 2, 5, 2, 2], 8: [2, 4, 1, 1],
    11: [4, 5, 5, 4, 2, 2, 2], 12: [3, 2, 4], 13: [1, 5, 2, 5], 14: [2, 4, 3], 15: [3, 3, 7, 0],
    16: [1, 5, 4, 3, 4],
}  # fmt: skip


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("text", [ASVS, COMPLIANCE], ids=["asvs", "compliance"])
def test_every_test_that_is_named_exists(text: str) -> None:
    named = TEST.findall(text)
    assert len(named) > 20
    assert [pair for pair in named if pair[1] and pair[1] not in functions(pair[0])] == []
    assert [path for path, _ in named if not (ROOT / path).is_file()] == []


def test_every_requirement_has_one_row_with_a_state_and_a_reason() -> None:
    rows = ROW.findall(ASVS)
    ids = [tuple(map(int, row[:3])) for row in rows]
    assert len(set(ids)) == len(ids)
    counted = {
        chapter: [
            sum(one == chapter and two == section for one, two, _ in ids) for section in range(1, len(wanted) + 1)
        ]
        for chapter, wanted in COUNTED.items()
    }
    assert counted == COUNTED
    assert sum(map(sum, COUNTED.values())) == len(ids)
    assert {row[5] for row in rows} <= STATES
    assert all(row[6].strip() for row in rows)
    unproven = [row[:3] for row in rows if row[5] == "met" and not TEST.search(row[6]) and len(row[6]) < 20]
    assert unproven == []


def test_the_tally_is_counted() -> None:
    states = [row[5] for row in ROW.findall(ASVS)]
    said = ", ".join(f"{states.count(state)} {state}" for state in ("met", "partly", "not yet", "n/a"))
    assert f"Now: {said}." in ASVS
