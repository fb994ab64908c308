"""The hashes of the log: a leaf per row (RFC 6962) and a chain over the leaves; and the rows that a commit appends."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from hub.audit.event import CLOCK_JUMP, Encoder, Event, Origin, instant
from hub.kernel.clock import Clock
from hub.kernel.ids import NewId

FIRST_EPOCH = 1
GENESIS = bytes(32)
TIME_TOLERANCE = 2.0
"""Seconds that the time of a row may lie before the latest one without a `clock.jump` entry."""

RowTuple = tuple[int, int, bytes, bytes, bytes]


class AuditRow(NamedTuple):
    """Is one row of `audit_entry`; a plain tuple, so that the store passes it on as it is."""

    epoch: int
    seq: int
    body: bytes
    leaf: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Is where the log ends: the last row's place, chain and time; `seq` is -1 before the first row."""

    epoch: int = FIRST_EPOCH
    seq: int = -1
    chain: bytes = GENESIS
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Stamped:
    """Is an event with its id and time (epoch seconds)."""

    event: Event
    id: str
    at: float


def leaf(body: bytes) -> bytes:
    """Returns SHA-256(0x00 || body)."""
    return hashlib.sha256(b"\x00" + body).digest()


def chain(seq: int, prev: bytes, leaf_hash: bytes) -> bytes:
    """Returns SHA-256("csh1/chain" || u64 seq || prev || leaf)."""
    return hashlib.sha256(b"csh1/chain" + seq.to_bytes(8, "big") + prev + leaf_hash).digest()


def head_of(row: RowTuple | None) -> Head:
    """Returns the head that the last stored row makes; None stands for an empty log."""
    if row is None:
        return Head()
    epoch, seq, body, _, link = row
    return Head(epoch, seq, bytes(link), instant(orjson.loads(body)["ts"]))


def append(head: Head, entries: Iterable[Stamped], origin: Origin) -> list[AuditRow]:
    """Returns the rows that continue the log after `head`; pure."""
    encode, seq, link = Encoder(origin), head.seq, head.chain
    rows = []
    for entry in entries:
        seq += 1
        body = encode(entry.event, seq=seq, epoch=head.epoch, id=entry.id, at=entry.at)
        leaf_hash = leaf(body)
        link = chain(seq, link, leaf_hash)
        rows.append(AuditRow(head.epoch, seq, body, leaf_hash, link))
    return rows


@dataclass(frozen=True, slots=True)
class Appender:
    """Turns the events of a commit into rows: gives ids and the time, and notes a clock that was set back.

    `last` is the last stored row, None for an empty log.
    """

    clock: Clock = field(repr=False)
    new_id: NewId = field(repr=False)
    origin: Origin

    def __call__(self, last: RowTuple | None, events: Sequence[Event]) -> list[AuditRow]:
        if not events:
            return []
        head, now = head_of(last), self.clock.now()
        jump = [] if head.at is None or now >= head.at - TIME_TOLERANCE else [_clock_jump(head.at, now)]
        return append(head, [Stamped(event, self.new_id(), now) for event in [*jump, *events]], self.origin)


AppendEvents = Callable[[RowTuple | None, Sequence[Event]], Sequence[RowTuple]]


def _clock_jump(latest: float, now: float) -> Event:
    return Event(CLOCK_JUMP, "clock", counts={"back_ms": round((latest - now) * 1000)})
