"""Warnings of due dates: each complaint at each threshold once, the nearest only after a while away, audited."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from hub.app import initialise, open_installation, prepare
from hub.core.deadlines import end_of
from hub.core.state import GoldenRecord, Hold
from hub.kernel.errors import Declined
from hub.kernel.settings import FILE
from hub.operations import questions, reminding
from hub.operations.audit_search import list_log
from hub.operations.installation import Installation
from hub.operations.reminding import remind
from hub.schedule.chores import EVERY, Chores
from hub.schedule.metrics import Meters
from hub.store import questions as stored
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
  complaint: {systems: [alpha, beta]}
"""
DAY = 86_400.0
TODAY = date(2026, 3, 2)
MORNING = 1_772_413_200.0
"""09:00 of that day in Asia/Shanghai."""


class Moving:
    """Is a clock that a test moves."""

    at = MORNING

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None: ...


@pytest.fixture
def clock() -> Moving:
    return Moving()


@pytest.fixture
def hub(tmp_path: Path, clock: Moving) -> Iterator[Installation]:
    home = tmp_path / "hub"
    initialise(home)
    (home / FILE).write_text(SETTINGS, encoding="utf-8")
    prepare(home)
    opened = open_installation(home, clock=clock)
    yield opened
    opened.close()


def put(hub: Installation, **days: int) -> None:
    """Stores open complaints, each due so many days after the first morning."""
    with hub.store.begin() as work:
        for hub_id, ahead in days.items():
            due = end_of(TODAY + timedelta(days=ahead))
            fields = {"status": "accepted", "due_at": due, "branch_code": "B0101"}
            made = GoldenRecord(hub_id, "complaint", fields, {"*": "alpha"}, 1, subject_id=f"s-{hub_id}")
            records.write(work, [Write(None, made, (), {}, hub.rules["complaint"].facets(fields))])


def told(hub: Installation) -> dict[str, tuple[str, ...]]:
    return {made.threshold: made.hub_ids for made in remind(hub)}


def test_every_threshold_is_told_once(hub: Installation, clock: Moving) -> None:
    put(hub, late=-1, today=0, soon=2, near=5, far=6)
    assert told(hub) == {"T-0": ("today",), "T-2": ("soon",), "T-5": ("near",)}, "the old ones are in the list"
    assert told(hub) == {}
    clock.at += 15 * 3600 - 1
    assert told(hub) == {"overdue": ("today",)}, "it ended with its day"
    clock.at += 1
    assert told(hub) == {"T-5": ("far",)}, "the next day has begun"
    clock.at += DAY
    assert told(hub) == {"T-0": ("soon",)}
    log = list_log(hub, act="complaint.warn")
    assert [(row["code"], row["obj"]["id"]) for row in log] == [
        ("T-0", "today"),
        ("T-2", "soon"),
        ("T-5", "near"),
        ("overdue", "today"),
        ("T-5", "far"),
        ("T-0", "soon"),
    ]
    assert log[0]["obj"]["branch"] == "B0101"


def test_after_a_while_away_the_nearest_threshold_alone_is_told(hub: Installation, clock: Moving) -> None:
    assert told(hub) == {}
    put(hub, past=3, today=8, soon=9, far=30)
    clock.at += 8 * DAY
    assert told(hub) == {"T-0": ("today",), "T-2": ("soon",), "overdue": ("past",)}


def test_a_flood_is_one_report(hub: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminding, "MOST", 2)
    put(hub, a=0, b=0, c=0)
    assert [made.number for made in remind(hub)] == [3]
    assert [row["counts"] for row in list_log(hub, act="complaint.warn")] == [{"at_least": 3}]


def test_the_daemon_looks_every_few_minutes_and_shows_the_counts(hub: Installation, clock: Moving) -> None:
    meters = Meters()
    chores = Chores(meters)
    put(hub, today=0)
    chores.look(hub, clock.at)
    assert 'crmhub_complaints{state="due_within_0"} 1.0' in meters.page().decode()
    put(hub, more=0)
    chores.look(hub, clock.at + EVERY - 1)
    assert 'crmhub_complaints{state="due_within_0"} 1.0' in meters.page().decode()
    clock.at += EVERY
    chores.look(hub, clock.at)
    assert 'crmhub_complaints{state="due_within_0"} 2.0' in meters.page().decode()


def test_a_later_due_date_takes_a_reason_and_names_its_approver(hub: Installation) -> None:
    put(hub, late=3)
    asked = (("alpha", "to_60"),)
    with hub.store.begin() as work:
        record = records.load_golden(work.conn, hub.store.ring, ["late"])["late"]
        hold = Hold("extension", "alpha", questions.EXTENSION, asked)
        stored.reconcile(work, "run", record, (), (), (hold,))
    held = questions.list_questions(hub, "hold")[0]
    with pytest.raises(Declined, match="--reason"):
        questions.resolve_hold(hub, held.id, accept=True, reason=" ")
    questions.resolve_hold(hub, held.id, accept=True, reason="the branch waits for a statement")
    (row,) = list_log(hub, act="hold.resolve")
    assert row["approver"] == hub.actor
    assert row["reason"].endswith("the branch waits for a statement")
    assert [note["name"] for note in row["fields"]] == ["extension"]
