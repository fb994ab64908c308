"""`crmhub complaint list`: what people see of complaints, from a real hub folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

import hub.cli.complaints as command
from hub.app import initialise, open_installation, prepare
from hub.cli.main import run
from hub.core.derive import Formula
from hub.core.state import GoldenRecord
from hub.kernel.clock import iso
from hub.kernel.errors import ConfigInvalid, Declined, NotFound
from hub.kernel.settings import FILE
from hub.kernel.workdays import known_until
from hub.operations import complaints
from hub.operations.installation import Installation
from hub.store import records
from hub.store.records import Write

SETTINGS = """\
profile: lab
language: en
installation: {id: lab, name: Lab}
store: {url: "sqlite:///var/hub.db"}
keys: {provider: file, path: keys/hub.key}
systems:
  alpha: {kind: memory}
  beta: {kind: memory}
entities:
  ENTITY: {systems: [alpha, beta]}
"""
DAY = 86_400.0


class Stopped:
    """Is a clock that stands still."""

    def now(self) -> float:
        return 1_790_000_000.0

    def sleep(self, seconds: float) -> None: ...


def make(home: Path, entity: str = "complaint") -> Path:
    initialise(home)
    (home / FILE).write_text(SETTINGS.replace("ENTITY", entity), encoding="utf-8")
    prepare(home)
    return home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make(tmp_path / "hub")


def fill(hub: Installation) -> None:
    late, soon = iso(hub.clock.now() - DAY), iso(hub.clock.now() + 30 * DAY)
    rows: dict[str, dict[str, Any]] = {
        "c-late": {"status": "investigating", "received_at": late, "due_at": late, "branch_code": "B0101"},
        "c-fresh": {"status": "registered", "received_at": late, "due_at": soon, "extension": "to_30"},
        "c-mute": {"status": "closed", "received_at": late, "due_at": soon, "reopened_count": 1},
    }
    with hub.store.begin() as work:
        for hub_id, fields in rows.items():
            whole = {**fields, "title": "王小明 13800138000"}
            made = GoldenRecord(hub_id, "complaint", whole, {"*": "alpha"}, 1, subject_id=f"s-{hub_id}")
            records.write(work, [Write(None, made, (), {}, hub.rules["complaint"].facets(whole))])


@pytest.fixture
def hub(home: Path) -> Any:
    opened = open_installation(home, clock=Stopped())
    fill(opened)
    yield opened
    opened.close()


def test_lists_and_counts(hub: Installation) -> None:
    found = complaints.list_complaints(hub)
    assert [item.hub_id for item in found.complaints] == ["c-late", "c-fresh", "c-mute"]
    assert [item.overdue for item in found.complaints] == [True, False, False]
    assert [item.closed_without_feedback for item in found.complaints] == [False, False, True]
    assert found.complaints[2].fields["reopened_count"] == "1"
    assert found.counts == {"all": 3, "open": 2, "overdue": 1, "closed_without_feedback": 1, "reopened": 1}
    assert complaints.counts(hub) == found.counts
    assert not found.more
    assert found.calendar_until is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"open": True}, ["c-late", "c-fresh"]),
        ({"overdue": True}, ["c-late"]),
        ({"closed_without_feedback": True}, ["c-mute"]),
        ({"branch": "B0101"}, ["c-late"]),
        ({"branch": "B0101", "closed_without_feedback": True}, []),
    ],
)
def test_narrows(hub: Installation, asked: dict[str, Any], expected: list[str]) -> None:
    assert [item.hub_id for item in complaints.list_complaints(hub, **asked).complaints] == expected


def test_says_that_there_is_more_and_bounds_the_rows(hub: Installation) -> None:
    cut = complaints.list_complaints(hub, limit=2)
    assert len(cut.complaints) == 2
    assert cut.more
    for limit in (0, 1001):
        with pytest.raises(Declined):
            complaints.list_complaints(hub, limit=limit)


def test_the_command_shows_them_in_both_languages_and_no_text_of_people(
    home: Path, hub: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["complaint", "list", "--home", str(home)]
    assert command.COLUMNS
    for lang, expected in (
        ("zh", ("调查处理", "未反馈", "合计：未办结 2")),
        ("en", ("Investigating", "no feedback", "2 open")),
    ):
        assert run([*words, "--lang", lang]) == 0
        shown = capsys.readouterr().out
        assert all(text in shown for text in expected)
        assert "13800138000" not in shown
        assert "王小明" not in shown
    assert run([*words, "--closed-without-feedback", "--json"]) == 0
    body = orjson.loads(capsys.readouterr().out)
    assert body["ok"]
    assert [item["hub_id"] for item in body["complaints"]] == ["c-mute"]
    assert set(body["complaints"][0]["fields"]) == set(complaints.SHOWN)
    assert run([*words, "--branch", "nowhere", "--lang", "en"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "none"


def test_due_dates_past_the_published_holidays_are_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = home / "mappings" / "tables" / "deadlines.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("calendar_day", "working_day"), encoding="utf-8")
    opened = open_installation(home, clock=Stopped())
    try:
        due = f"{known_until() + 1}-02-01T15:59:59.000Z"
        fields = {"status": "registered", "due_at": due}
        made = GoldenRecord("c-next", "complaint", fields, {"*": "alpha"}, 1, subject_id="s")
        with opened.store.begin() as work:
            records.write(work, [Write(None, made, (), {}, fields)])
        assert complaints.counts(opened)["past_calendar"] == 1
        assert complaints.list_complaints(opened).calendar_until == known_until()
    finally:
        opened.close()
    assert run(["complaint", "list", "--home", str(home), "--lang", "en"]) == 0
    assert "counted Monday to Friday" in capsys.readouterr().out


def test_the_due_date_is_wired_and_a_bad_table_stops_the_start(home: Path) -> None:
    opened = open_installation(home)
    derivations = opened.rules["complaint"].policy.derivations
    opened.close()
    assert [rule.target for rule in derivations if isinstance(rule, Formula)] == ["due_at"]
    assert {rule.target for rule in derivations} == {"due_at", "reopened_count", "review_reopened_at"}
    (home / "mappings" / "tables" / "deadlines.csv").unlink()
    with pytest.raises(ConfigInvalid, match="deadlines.csv"):
        open_installation(home)


def test_without_complaints_nothing_is_asked_of_the_table(tmp_path: Path) -> None:
    home = make(tmp_path / "hub", "customer")
    (home / "mappings" / "tables" / "deadlines.csv").unlink()
    opened = open_installation(home)
    try:
        assert complaints.counts(opened) == {}
        with pytest.raises(NotFound):
            complaints.list_complaints(opened)
    finally:
        opened.close()
