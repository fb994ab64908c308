"""Tampering with any row is found and the first broken row is named; a cut tail is not found without an anchor."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import orjson
import pytest

from hub.audit.event import Actor, Event, Origin, Source
from hub.audit.tree import GENESIS, Appender, AuditRow, Head, Stamped, Tail, append, chain, head_of, leaf
from hub.audit.verify import Reason, explain, verify

ORIGIN = Origin(Actor("daemon", "hub"), Source("daemon", host="hub-1", pid=1), "0.1.0")
Tamper = Callable[[list[AuditRow]], list[AuditRow]]


class HandClock:
    def __init__(self, at: float = 1_760_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


class Counter:
    def __init__(self) -> None:
        self.last = 0

    def __call__(self) -> str:
        self.last += 1
        return f"id-{self.last}"


def log(length: int = 8) -> list[AuditRow]:
    events = [Event("record.create", "customer", f"h{n}") for n in range(length)]
    return append(Head(), [Stamped(e, f"id-{n}", 1_760_000_000.0 + n) for n, e in enumerate(events)], ORIGIN)


def forged(row: AuditRow, **members: object) -> AuditRow:
    body = orjson.dumps(orjson.loads(row.body) | members, option=orjson.OPT_SORT_KEYS)
    return row._replace(body=body)


def rehashed(row: AuditRow, prev: bytes) -> AuditRow:
    return row._replace(leaf=leaf(row.body), chain=chain(row.seq, prev, leaf(row.body)))


def edit_body(rows: list[AuditRow]) -> list[AuditRow]:
    rows[3] = forged(rows[3], act="record.delete")
    return rows


def edit_body_and_leaf(rows: list[AuditRow]) -> list[AuditRow]:
    row = forged(rows[3], act="record.delete")
    rows[3] = row._replace(leaf=leaf(row.body))
    return rows


def rewrite_row(rows: list[AuditRow]) -> list[AuditRow]:
    rows[3] = rehashed(forged(rows[3], act="record.delete"), rows[2].chain)
    return rows


def edit_chain(rows: list[AuditRow]) -> list[AuditRow]:
    rows[3] = rows[3]._replace(chain=bytes(32))
    return rows


def delete_middle(rows: list[AuditRow]) -> list[AuditRow]:
    return rows[:3] + rows[4:]


def delete_middle_and_renumber(rows: list[AuditRow]) -> list[AuditRow]:
    return rows[:3] + [row._replace(seq=row.seq - 1) for row in rows[4:]]


def delete_first(rows: list[AuditRow]) -> list[AuditRow]:
    return rows[1:]


def swap_places(rows: list[AuditRow]) -> list[AuditRow]:
    rows[3], rows[4] = rows[4]._replace(seq=3), rows[3]._replace(seq=4)
    return rows


def swap_order(rows: list[AuditRow]) -> list[AuditRow]:
    rows[3], rows[4] = rows[4], rows[3]
    return rows


def insert(rows: list[AuditRow]) -> list[AuditRow]:
    planted = rehashed(forged(rows[3], act="record.delete"), rows[2].chain)
    return [*rows[:3], planted, *(row._replace(seq=row.seq + 1) for row in rows[3:])]


def duplicate(rows: list[AuditRow]) -> list[AuditRow]:
    return [*rows[:4], rows[3], *rows[4:]]


def other_epoch(rows: list[AuditRow]) -> list[AuditRow]:
    rows[3] = rows[3]._replace(epoch=2)
    return rows


def misplace(rows: list[AuditRow]) -> list[AuditRow]:
    rows[3] = rehashed(forged(rows[3], seq=9), rows[2].chain)
    return rows


def not_a_record(rows: list[AuditRow]) -> list[AuditRow]:
    rows[3] = rehashed(rows[3]._replace(body=b"[]"), rows[2].chain)
    return rows


def backdate(rows: list[AuditRow]) -> list[AuditRow]:
    rows[3] = rehashed(forged(rows[3], ts="2025-10-09T08:53:19.000000Z"), rows[2].chain)
    return rows


@pytest.mark.parametrize(
    ("tamper", "first_bad"),
    [
        (edit_body, (3, Reason.LEAF)),
        (edit_body_and_leaf, (3, Reason.CHAIN)),
        (rewrite_row, (4, Reason.CHAIN)),
        (edit_chain, (3, Reason.CHAIN)),
        (delete_middle, (3, Reason.MISSING)),
        (delete_middle_and_renumber, (3, Reason.CHAIN)),
        (delete_first, (0, Reason.MISSING)),
        (swap_places, (3, Reason.CHAIN)),
        (swap_order, (3, Reason.MISSING)),
        (insert, (4, Reason.CHAIN)),
        (duplicate, (3, Reason.REPEATED)),
        (other_epoch, (3, Reason.EPOCH)),
        (misplace, (3, Reason.MISPLACED)),
        (not_a_record, (3, Reason.UNREADABLE)),
        (backdate, (3, Reason.TIME)),
    ],
)
def test_first_broken_row_is_named(tamper: Tamper, first_bad: tuple[int, Reason]) -> None:
    verdict = verify(tamper(log()))
    assert not verdict.ok
    assert verdict.first_bad == first_bad
    text = explain(verdict.first_bad[1])
    assert text.en
    assert text.zh


def test_every_single_byte_of_a_body_counts() -> None:
    rows = log(3)
    for place in range(len(rows[1].body)):
        body = bytearray(rows[1].body)
        body[place] ^= 1
        assert verify([rows[0], rows[1]._replace(body=bytes(body)), rows[2]]).first_bad == (1, Reason.LEAF)


def test_untouched_log_verifies_and_can_be_continued() -> None:
    rows = log()
    whole = verify(rows)
    assert (whole.ok, whole.count, whole.first_bad) == (True, 8, None)
    assert whole.head == head_of(rows[-1])
    half = verify(rows[:5])
    rest = verify(rows[5:], half.head)
    assert (rest.ok, rest.count, rest.head) == (True, 3, whole.head)
    assert verify([]).ok


def test_cut_tail_is_not_found_without_an_anchor() -> None:
    verdict = verify(log()[:5])
    assert verdict.ok
    assert verdict.count == 5


def test_hashes_are_those_of_the_format() -> None:
    row = log(1)[0]
    assert row.leaf == hashlib.sha256(b"\x00" + row.body).digest()
    assert row.chain == hashlib.sha256(b"csh1/chain" + bytes(8) + GENESIS + row.leaf).digest()


def test_appender_continues_the_stored_row_in_pieces() -> None:
    clock, new_id = HandClock(), Counter()
    appender = Appender(clock, new_id, ORIGIN)
    rows = appender(Tail(), [Event("run.start", "run", "r1")])
    clock.sleep(1)
    rows += appender(Tail(tuple(rows[-1])), [Event("record.create", "customer", "h1"), Event("run.end", "run", "r1")])  # type: ignore[arg-type]
    assert [row.seq for row in rows] == [0, 1, 2]
    assert verify(rows).ok
    assert appender(Tail(rows[-1]), []) == []


def test_clock_set_back_is_recorded_and_then_accepted() -> None:
    clock = HandClock()
    appender = Appender(clock, Counter(), ORIGIN)
    rows = appender(Tail(), [Event("run.start", "run", "r1")])
    clock.at -= 3600
    rows += appender(Tail(rows[-1]), [Event("run.end", "run", "r1")])
    assert [orjson.loads(row.body)["act"] for row in rows] == ["run.start", "clock.jump", "run.end"]
    assert orjson.loads(rows[1].body)["counts"] == {"back_ms": 3_600_000}
    assert verify(rows).ok


def test_small_steps_back_need_no_record_but_do_not_add_up() -> None:
    rows = append(Head(), [Stamped(Event("x", "run"), f"id-{n}", 1_760_000_000.0 - n * 1.5) for n in range(3)], ORIGIN)
    assert verify(rows[:2]).ok
    assert verify(rows).first_bad == (2, Reason.TIME)
