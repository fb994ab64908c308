"""Auditors find entries by every filter, by index; samples repeat; the daemon keeps the log and its anchors."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import audit_lab
import orjson
import pytest
from audit_lab import HandClock, act, opened
from sqlalchemy import event

from hub.audit.event import Event, FieldNote
from hub.audit.merkle import verify_inclusion
from hub.crypto.hashes import sm3
from hub.kernel.errors import Declined, NotFound
from hub.operations import anchoring, audit_data, audit_search, auditing, checkpointing, scheduling
from hub.operations.installation import Installation
from hub.schedule.anchoring import HOUR, Anchoring
from hub.schedule.jobs import at_once
from hub.schedule.metrics import Meters
from hub.store import audit_index, audit_log, audit_tables, vault
from hub.store.audit_index import Wanted
from hub.store.unit_of_work import Store

DATABASES = (pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres))
START = audit_lab.START


@pytest.fixture(params=DATABASES)
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    store = audit_lab.SQLITE if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    home = audit_lab.make_home(tmp_path / "hub", store=store)
    with opened(home, HandClock()) as made:
        yield made


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Installation]:
    with opened(audit_lab.make_home(tmp_path / "hub"), HandClock()) as made:
        yield made


def note(name: str) -> tuple[FieldNote, ...]:
    return (FieldNote(name, "C2", None, "d" * 32),)


def fill(hub: Installation) -> None:
    """Writes forty entries, a second apart: every tenth an error, every fifth about one record and branch."""
    for number in range(40):
        odd = number % 2
        with hub.store.begin() as work:
            work.audit(
                Event(
                    "remote.update" if odd else "record.edit",
                    "customer",
                    f"h{number % 5}",
                    outcome="error" if number % 10 == 0 else "success",
                    fields=note("mobile" if odd else "full_name"),
                    connection="zoho" if odd else None,
                    branch="010" if number % 5 == 0 else None,
                    corr=f"run{number // 20}",
                )
            )
        hub.clock.sleep(1)


def numbers(hub: Installation, **filters: object) -> list[int]:
    wanted = Wanted(**filters)  # type: ignore[arg-type]
    return [entry["seq"] for entry in audit_search.read_page(hub, wanted, limit=100).entries]


def test_every_filter_finds_its_entries(hub: Installation) -> None:
    fill(hub)
    every = range(40)
    expected: list[tuple[dict[str, object], list[int]]] = [
        ({"act": "record.edit"}, [n for n in every if not n % 2]),
        ({"act": "remote"}, [n for n in every if n % 2]),
        ({"system": "zoho", "field": "mobile"}, [n for n in every if n % 2]),
        ({"field": "mobile", "act": "record"}, []),
        ({"about": "h3"}, [n for n in every if n % 5 == 3]),
        ({"about": "run1"}, list(range(20, 40))),
        ({"branch": "010", "outcome": "error"}, [n for n in every if not n % 10]),
        ({"since": START + 5, "until": START + 8}, [5, 6, 7]),
        ({"person": hub.actor, "act": "record.edit", "since": START + 36}, [36, 38]),
        ({"person": "local:nobody"}, []),
    ]
    for filters, wanted in expected:
        assert numbers(hub, **filters) == wanted, filters
    pages, before = [], None
    while True:
        page = audit_search.read_page(hub, Wanted(act="record.edit"), limit=7, before=before)
        pages.append([entry["seq"] for entry in page.entries])
        if (before := page.before) is None:
            break
    assert [len(each) for each in pages] == [7, 7, 6]
    assert sorted(chain.from_iterable(pages)) == [n for n in every if not n % 2]
    entry = audit_search.list_log(hub, about="h1", limit=1)[0]
    assert entry["beijing"].endswith("+08:00")
    reads = audit_search.list_log(hub, act="audit.read")
    assert "about=h1" in reads[-1]["reason"], "who reads the log is in the log"


def test_a_snapshot_has_an_index_of_all_that_it_sees(hub: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process writes between the index and the snapshot, as on a busy hub: its records are no false alarm."""
    fill(hub)
    whole, late = audit_index.catch_up, iter(range(2))

    def interrupted(store: Store) -> int:
        made = whole(store)
        for number in late:
            act(hub, name="remote.create", about=f"late{number}-")
            break
        return made

    monkeypatch.setattr(audit_index, "catch_up", interrupted)
    with audit_index.snapshot(hub.store) as conn:
        newest = audit_log.row_at(conn, 1, 41)
        assert newest is not None
        assert set(audit_index.every(conn, Wanted(act="remote.create"))) == {(1, 40), (1, 41)}


def test_an_entry_hidden_from_the_index_is_named_and_found_again(hub: Installation) -> None:
    """Who puts an old record back could hide the entry of its change from whoever compares by the index."""
    fill(hub)
    assert audit_data.compare(hub).findings == []
    with hub.store.engine.begin() as conn:
        conn.execute(audit_tables.audit_index.delete().where(audit_tables.audit_index.c.seq == 7))
        moved = audit_tables.audit_index.update().where(audit_tables.audit_index.c.seq == 8)
        conn.execute(moved.values(obj_id="somebody else"))
    told = audit_data.compare(hub)
    assert [(item.kind, item.hub_id) for item in told.findings] == [("index", "1:7"), ("index", "1:8")]
    assert audit_data.compare(hub).findings == []
    assert numbers(hub, about="h2", field="mobile") == [7, 17, 27, 37]


def test_a_sample_is_the_same_for_everyone_who_has_the_seed(plain: Installation) -> None:
    fill(plain)
    wanted = Wanted(act="record.edit")
    drawn = [audit_search.sample(plain, wanted, 5, seed) for seed in ("2026-Q3", "2026-Q3", "2026-Q4")]
    seqs = [[entry["seq"] for entry in each] for each in drawn]
    assert seqs[0] == seqs[1] != seqs[2]
    assert seqs[0] == sorted(seqs[0])
    assert len(audit_search.sample(plain, wanted, 100, "x")) == 20
    for number in (0, 10_001):
        with pytest.raises(Declined):
            audit_search.sample(plain, wanted, number, "x")


def test_no_page_reads_the_whole_log(plain: Installation) -> None:
    fill(plain)
    numbers(plain)
    with plain.store.read() as conn:
        asked: list[str] = []
        plans = []
        event.listen(conn.engine, "before_cursor_execute", lambda c, cur, text, *rest: asked.append(text))
        names = ("person", "act", "about", "field", "branch", "system")
        for name in names:
            asked.clear()
            audit_index.page(conn, Wanted(**{name: "x"}), before=(1, 30), limit=5)  # type: ignore[arg-type]
            text = asked[0]
            rows = conn.exec_driver_sql("EXPLAIN QUERY PLAN " + text, tuple([1] * text.count("?"))).all()
            plans.append(" / ".join(str(row[3]) for row in rows))
    assert not [plan for plan in plans if "SCAN audit" in plan], plans


def test_an_entry_is_shown_with_the_proof_that_it_was_signed(plain: Installation) -> None:
    act(plain, 6)
    assert audit_search.show_entry(plain, "2").note is None
    checkpointing.make_checkpoint(plain)
    shown = audit_search.show_entry(plain, "1:2")
    proof = [bytes.fromhex(node) for node in shown.proof]
    root = b64decode(shown.root or "")
    assert verify_inclusion(bytes.fromhex(shown.leaf), 2, shown.size or 0, proof, root)
    for wrong, error in (("999", NotFound), ("x", Declined), ("1:2:3", Declined)):
        with pytest.raises(error):
            audit_search.show_entry(plain, wrong)


@pytest.mark.parametrize(
    ("text", "at"),
    [("2026-09-21", 1789920000.0), ("2026-09-21T08:00", 1789948800.0), ("2026-09-21T00:00:00Z", 1789948800.0)],
)
def test_times_are_beijing_unless_they_say_otherwise(text: str, at: float) -> None:
    assert audit_search.moment_of(text) == at
    assert audit_search.moment_of("2026-09-21", end=True) == 1789920000.0 + 86_400
    with pytest.raises(Declined):
        audit_search.moment_of("yesterday")


def test_a_start_names_what_was_begun_and_never_ended(plain: Installation) -> None:
    act(plain, 1, name="connect", corr="c1", stage="attempt")
    act(plain, 1, name="connect", corr="c2", stage="attempt")
    act(plain, 1, name="connect", corr="c2", stage="result")
    assert [entry["corr"] for entry in audit_search.open_attempts(plain)] == ["c1"]
    scheduling.note_start(plain)
    assert audit_search.list_log(plain, act="daemon.start")[-1]["counts"] == {"open_attempts": 1}


def test_a_log_of_the_national_profile_is_built_on_sm3_and_another_hash_is_another_epoch(tmp_path: Path) -> None:
    home = tmp_path / "hub"
    audit_lab.make_home(home, audit="{hash: sm3}")
    with opened(home, HandClock()) as hub:
        act(hub, 5)
        checkpointing.make_checkpoint(hub)
        with hub.store.read() as conn:
            row = next(audit_log.rows_from(conn, 1, 0))
        assert row[3] == sm3(b"\0" + row[2])
        assert auditing.examine(hub, full=True).exit_code == auditing.OK
    audit_lab.set_up(home, audit="{hash: sha256}")
    with opened(home, HandClock(START + 100)) as hub:
        act(hub)
        assert checkpointing.begin_epoch(hub, "another hash").epoch == 2
        act(hub, 3)
        checkpointing.make_checkpoint(hub)
        report = auditing.examine(hub, full=True)
        assert (report.exit_code, report.gaps) == (auditing.OK, []), report.findings
        with hub.store.read() as conn:
            assert [item.hash for item in audit_log.epochs(conn)] == ["sm3", "sha256"]
            first = orjson.loads(next(audit_log.rows_from(conn, 2, 0))[2])
        assert first["act"] == checkpointing.EPOCH
        assert first["checkpoint"][1] == str(first["counts"]["signed"])
        with pytest.raises(Declined):
            checkpointing.begin_epoch(hub, " ")


def test_the_daemon_signs_while_there_is_activity_hourly_otherwise_and_verifies(plain: Installation) -> None:
    clock = plain.clock
    assert isinstance(clock, HandClock)
    meters = Meters()
    keeper = Anchoring(clock, at_once, meters)

    def signed() -> int:
        with plain.store.read() as conn:
            newest = audit_log.newest_checkpoint(conn)
        return 0 if newest is None else newest.number

    def minutes(number: int) -> None:
        for _ in range(number):
            clock.sleep(60)
            keeper.keep(plain, clock.now())

    act(plain, 2)
    minutes(3)
    busy = signed()
    minutes(20)
    assert signed() == busy, "nothing happened, nothing is signed"
    act(plain)
    minutes(1)
    assert signed() == busy + 1
    minutes(60)
    assert signed() > busy + 1, "silence of an hour would be an alarm"
    with plain.store.read() as conn:
        acts = [orjson.loads(row[2])["act"] for row in vault.audit_rows(conn)]
    assert acts.count("audit.verify") == 4, "an attempt and a result, at first and an hour later"
    page = meters.page().decode()
    assert "crmhub_audit_unanchored 1.0" in page
    assert list(keeper.alarms) == []
    assert not keeper.busy
    audit_lab.tamper(plain.settings.home, lambda conn: conn.execute("DELETE FROM audit_entry WHERE seq = 1"))
    clock.sleep(HOUR * 24 * 8)
    keeper.keep(plain, clock.now())
    assert list(keeper.alarms) == ["audit_broken"]
    assert 'crmhub_audit_alarm{code="audit_broken"} 1.0' in meters.page().decode()
    assert anchoring.standing(plain).alarms == ("audit_broken",)
