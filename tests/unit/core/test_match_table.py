"""Whose record is it: sure only when unique on both sides and uncontradicted, else a question, else new."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from hub.canonical.schema import MatchRule
from hub.canonical.values import Value
from hub.core.match import Candidate, Certainty, judge

RULES = (
    MatchRule("id", ("id",), True),
    MatchRule("mobile_and_name", ("mobile", "name"), True),
    MatchRule("mobile", ("mobile",), False),
)
ASKING = {"id": "1", "name": "Wang", "mobile": "+86138", "birth": "2000-01-01"}
SURE, UNSURE, NEW = Certainty.SURE, Certainty.UNSURE, Certainty.NEW


@dataclass(frozen=True)
class Row:
    description: str
    candidates: dict[str, dict[str, tuple[int, int]]]
    expected: tuple[Certainty, str | None]
    differs: frozenset[str] = field(default=frozenset())
    bound: frozenset[str] = field(default=frozenset())


ROWS = [
    Row("nobody shares a key", {}, (NEW, None)),
    Row("a strong key, unique on both sides", {"g": {"id": (1, 1)}}, (SURE, "g")),
    Row("a weak key only", {"g": {"mobile": (1, 1)}}, (UNSURE, None)),
    Row("two asking records hold the key", {"g": {"id": (2, 1)}}, (UNSURE, None)),
    Row("two golden records hold the key", {"g": {"id": (1, 2)}, "h": {"id": (1, 2)}}, (UNSURE, None)),
    Row("strong keys point at two records", {"g": {"id": (1, 1)}, "h": {"mobile_and_name": (1, 1)}}, (UNSURE, None)),
    Row("a weak key of another does not disturb", {"g": {"id": (1, 1)}, "h": {"mobile": (1, 1)}}, (SURE, "g")),
    Row("one of two strong keys is not unique", {"g": {"id": (1, 1), "mobile_and_name": (2, 1)}}, (UNSURE, None)),
    Row("something contradicts", {"g": {"id": (1, 1)}}, (UNSURE, None), differs=frozenset("g")),
    Row("bound there already", {"g": {"id": (1, 1)}}, (UNSURE, None), bound=frozenset("g")),
    Row("bound there already, weak evidence", {"g": {"mobile": (1, 1)}}, (NEW, None), bound=frozenset("g")),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.description)
def test_judge(row: Row) -> None:
    found = []
    for hub_id, shared in row.candidates.items():
        fields: dict[str, Value] = {**ASKING, "birth": "1999-01-01"} if hub_id in row.differs else dict(ASKING)
        found.append(Candidate(hub_id, fields, shared, hub_id in row.bound))
    for order in (found, found[::-1]):
        verdict = judge(ASKING, order, RULES, ["birth"])
        assert (verdict.certainty, verdict.hub_id) == row.expected
        assert (verdict.certainty is NEW) is not bool(verdict.reasons)
