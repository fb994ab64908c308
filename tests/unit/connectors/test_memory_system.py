"""The memory system's own rules: lag, ties, faults, kills, determinism."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.addresses import Egress
from connectors.base import Gone, NativeRecord, NotVisible, Op, Refused, Stale, Unknown, WriteRequest, Written
from connectors.conformance.context import KitContext
from connectors.errors import (
    AuthRejected,
    CursorExpired,
    ProtocolViolation,
    QuotaExhausted,
    RateLimited,
    RetryLater,
    SchemaDrift,
    SettingsInvalid,
)
from connectors.http import HttpClient, HttpPolicy
from connectors.memory import FULL, FaultKind, Faults, Killed, MemoryConnector, MemorySystem, worlds


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


HTTP = HttpClient(HttpPolicy(Egress(())), Clock())


def made(seed: int = 0, **changes: Any) -> tuple[MemorySystem, MemoryConnector]:
    system = MemorySystem(Clock(), "m", seed=seed)
    system.add_object("A", ["name", "note"], replace(FULL, **changes))
    worlds["m"] = system
    return system, MemoryConnector({"world": "m"}, KitContext("m", HTTP, system.clock))


def create(hub_id: str, **fields: Any) -> WriteRequest:
    return WriteRequest(Op.CREATE, "A", None, {"hub_id": hub_id, **fields}, hub_id, hub_id)


def drain(connector: MemoryConnector, cursor: Any = None, limit: int = 2) -> tuple[list[NativeRecord], Any]:
    records: list[NativeRecord] = []
    while True:
        page = connector.changes("A", ["name"], cursor, limit)
        records += page.records
        cursor = page.next_cursor
        if page.complete:
            return records, cursor


def test_every_commit_is_seen_by_a_poller_under_lag_and_ties() -> None:
    for seed in range(30):
        system, connector = made(seed, visibility_lag=7.0)
        clock = system.clock
        assert isinstance(clock, Clock)
        latest: dict[str, str | None] = {}
        cursor = None
        for step in range(40):
            if step % 3 == 0 or not system.records("A"):
                system.create("A", {"name": f"n{step}"})
            else:
                ids = sorted(system.records("A"))
                system.edit("A", ids[step * 7 % len(ids)], {"name": f"e{step}"})
            if step % 2:
                clock.at += (step * 5 + seed) % 4 * 0.5
            if step % 5 == 0:
                records, cursor = drain(connector, cursor, 1 + seed % 3)
                latest |= {each.native_id: each.fields["name"] for each in records}
        clock.at += 8.0
        records, cursor = drain(connector, cursor)
        for each in records:
            latest[each.native_id] = each.fields["name"]
        assert latest == {key: fields["name"] for key, fields in system.records("A").items()}, f"seed {seed}"


def test_an_idle_poll_is_one_call() -> None:
    system, connector = made()
    for number in range(50):
        system.create("A", {"name": str(number)})
    system.clock.sleep(5.0)
    _, cursor = drain(connector, limit=200)
    system.calls.clear()
    records, _ = drain(connector, cursor, 200)
    assert (len(records), system.calls["changes"]) == (0, 1)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.RETRY_LATER, RetryLater),
        (FaultKind.BEFORE_EFFECT, RetryLater),
        (FaultKind.RATE_LIMITED, RateLimited),
        (FaultKind.QUOTA_EXHAUSTED, QuotaExhausted),
        (FaultKind.AUTH_REJECTED, AuthRejected),
        (FaultKind.PROTOCOL, ProtocolViolation),
        (FaultKind.KILL_BEFORE, Killed),
        (FaultKind.KILL_AFTER, Killed),
    ],
)
def test_a_fault_strikes_the_nth_call_once(kind: FaultKind, error: type[BaseException]) -> None:
    system, connector = made()
    system.faults.inject(kind, "fetch", nth=2)
    connector.fetch("A", ["x"], [])
    with pytest.raises(error):
        connector.fetch("A", ["x"], [])
    assert connector.fetch("A", ["x"], []) == {"x": NotVisible("x")}


def test_a_forgotten_cursor_needs_a_cursor() -> None:
    system, connector = made()
    system.faults.inject(FaultKind.CURSOR_EXPIRED, times=2)
    _, cursor = drain(connector)
    with pytest.raises(CursorExpired):
        drain(connector, cursor)
    _, cursor = drain(connector, None)
    system.expire_cursors()
    with pytest.raises(CursorExpired):
        drain(connector, cursor)


@pytest.mark.parametrize(
    ("kind", "stored", "results"),
    [
        (FaultKind.BEFORE_EFFECT, 0, {Unknown}),
        (FaultKind.AFTER_EFFECT, 8, {Unknown}),
        (FaultKind.PARTIAL_BATCH, None, {Unknown, Written}),
    ],
)
def test_write_faults_leave_what_they_say(kind: FaultKind, stored: int | None, results: set[type]) -> None:
    system, connector = made(seed=3)
    system.faults.inject(kind, "write")
    answered = connector.write([create(f"h{n}", name="x") for n in range(8)])
    assert {type(each) for each in answered} == results
    if stored is None:
        written = {each.native_id for each in answered if isinstance(each, Written)}
        assert written < set(system.records("A"))
        assert len(system.records("A")) < 8
    else:
        assert len(system.records("A")) == stored
    assert [commit.hub_id for commit in system.writes] == [each["hub_id"] for each in system.records("A").values()]


def test_pages_may_repeat_and_reorder_but_lose_nothing() -> None:
    for kind in (FaultKind.DUPLICATE, FaultKind.REORDER):
        system, connector = made(seed=5)
        ids = [system.create("A", {"name": str(number)}) for number in range(9)]
        system.faults.inject(kind, "changes", times=100)
        records, _ = drain(connector, limit=4)
        delivered = [each.native_id for each in records]
        assert set(delivered) == set(ids)
        assert len(delivered) == (18 if kind == FaultKind.DUPLICATE else 9)
        assert delivered != ids


def test_a_stale_row_comes_within_the_lag_and_its_successor_later() -> None:
    system, connector = made(visibility_lag=10.0)
    native_id = system.create("A", {"name": "old"})
    system.clock.sleep(30.0)
    _, cursor = drain(connector)
    system.edit("A", native_id, {"name": "new"})
    system.clock.sleep(9.9)
    system.faults.inject(FaultKind.STALE, "changes")
    records, cursor = drain(connector, cursor)
    assert [each.fields["name"] for each in records] == ["old"]
    system.clock.sleep(20.0)
    records, cursor = drain(connector, cursor)
    assert [each.fields["name"] for each in records] == ["new"]
    system.faults.inject(FaultKind.STALE, "changes")
    records, _ = drain(connector, cursor)
    assert "old" not in [each.fields["name"] for each in records]


def test_a_truncated_enumeration_claims_to_be_complete() -> None:
    system, connector = made()
    for number in range(6):
        system.create("A", {"name": str(number)})
    system.faults.inject(FaultKind.TRUNCATED)
    page = connector.list_ids("A", None, 10)
    assert (len(page.ids), page.complete) == (3, True)


def test_a_kill_strikes_at_each_boundary_and_effects_follow_its_side() -> None:
    system, connector = made()
    system.faults.kill_at(None)
    connector.write([create("h0")])
    connector.fetch("A", [], [])
    assert system.faults.boundaries == 4
    for boundary, stored in ((1, 1), (2, 2)):
        system.faults.kill_at(boundary)
        with pytest.raises(Killed):
            connector.write([create(f"k{boundary}")])
        assert len(system.records("A")) == stored
    connector.write([create("h1")])


def test_the_same_seed_gives_the_same_history() -> None:
    def play(seed: int) -> list[str]:
        system, connector = made(seed, visibility_lag=3.0)
        system.faults = Faults(seed, {FaultKind.PARTIAL_BATCH: 0.3, FaultKind.RETRY_LATER: 0.2, FaultKind.REORDER: 0.3})
        said: list[str] = []
        for number in range(30):
            system.clock.sleep(0.5)
            try:
                said.append(repr(connector.write([create(f"h{number}-{row}") for row in range(3)])))
                said.append(repr(connector.changes("A", ["name"], None, 50).records))
            except RetryLater as error:
                said.append(repr(error))
        return said

    assert play(1) == play(1)
    assert play(1) != play(2)


def test_merge_hide_restore_and_rewrites_show_as_declared() -> None:
    system, connector = made()
    loser, survivor = system.create("A", {"name": "a"}), system.create("A", {"name": "b"})
    system.merge("A", loser, survivor, {"note": "taken over"})
    assert connector.fetch("A", [loser], [])[loser] == Gone(loser, survivor)
    system.rewrite("A", "name", lambda value: value.strip().upper())
    update = WriteRequest(Op.UPDATE, "A", survivor, {"name": " neu "}, "h", "k")
    (written,) = connector.write([update])
    assert isinstance(written, Written)
    assert written.seen == {"name": "NEU"}
    system.hide_record("A", survivor)
    assert connector.write([update]) == [Stale(NotVisible(survivor))]
    system.show_record("A", survivor)
    system.hide_field("A", "name")
    (refused,) = connector.write([update])
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == ("no_permission", "name")
    assert [commit.op for commit in system.log] == ["create", "create", "merge", "update", "update"]


def test_what_the_mapping_no_longer_finds_is_drift() -> None:
    system, connector = made()
    system.drop_field("A", "note")
    with pytest.raises(SchemaDrift, match="note"):
        connector.changes("A", ["note"], None, 5)
    with pytest.raises(SchemaDrift, match="Lead"):
        connector.list_ids("Lead", None, 5)


def test_a_snapshot_comes_back_and_cursors_end() -> None:
    system, connector = made()
    native_id = system.create("A", {"name": "before"})
    _, cursor = drain(connector)
    taken = system.snapshot()
    system.edit("A", native_id, {"name": "after"})
    system.create("A", {"name": "later"})
    system.restore_snapshot(taken)
    assert system.records("A") == {native_id: {"name": "before"}}
    with pytest.raises(CursorExpired):
        drain(connector, cursor)


@pytest.mark.parametrize("settings", [{}, {"world": "none"}, {"world": "m", "wrold": 1}])
def test_wrong_settings_are_named(settings: dict[str, Any]) -> None:
    made()
    with pytest.raises(SettingsInvalid):
        MemoryConnector(settings, KitContext("m", HTTP))
