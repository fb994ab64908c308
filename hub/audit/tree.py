"""The hashes of the log: a leaf per row (RFC 6962) and a chain over the leaves; and the rows that a commit appends.

The hash is SHA-256, or SM3 for a log created under the 国密 profile; one epoch of a log has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from hub.audit.event import CLOCK_JUMP, Encoder, Event, Origin, instant
from hub.crypto.hashes import HASHES, SHA256, Hash, sha256
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


@dataclass(frozen=True, slots=True)
class Tail:
    """Is where a store's log ends: its epoch, the name of the epoch's hash, and its last row, None before the first."""

    row: RowTuple | None = None
    epoch: int = FIRST_EPOCH
    hash: str = SHA256


def leaf(body: bytes, hash_: Hash = sha256) -> bytes:
    """Returns H(0x00 || body)."""
    return hash_(b"\x00" + body)


def chain(seq: int, prev: bytes, leaf_hash: bytes, hash_: Hash = sha256) -> bytes:
    """Returns H("csh1/chain" || u64 seq || prev || leaf)."""
    return hash_(b"csh1/chain" + seq.to_bytes(8, "big") + prev + leaf_hash)


def head_of(row: RowTuple | None, epoch: int = FIRST_EPOCH) -> Head:
    """Returns the head that the last stored row makes; None stands for an epoch without rows."""
    if row is None:
        return Head(epoch)
    epoch, seq, body, _, link = row
    return Head(epoch, seq, bytes(link), instant(orjson.loads(body)["ts"]))


def append(head: Head, entries: Iterable[Stamped], origin: Origin, hash_: Hash = sha256) -> list[AuditRow]:
    """Returns the rows that continue the log after `head`; pure."""
    encode, seq, link = Encoder(origin), head.seq, head.chain
    rows = []
    for entry in entries:
        seq += 1
        body = encode(entry.event, seq=seq, epoch=head.epoch, id=entry.id, at=entry.at)
        leaf_hash = leaf(body, hash_)
        link = chain(seq, link, leaf_hash, hash_)
        rows.append(AuditRow(head.epoch, seq, body, leaf_hash, link))
    return rows


class BrokenTail(ValueError):
    """Is raised when the last stored row does not match its own hash."""


@dataclass(frozen=True, slots=True)
class Appender:
    """Turns the events of a commit into rows: gives ids and the time, and notes a clock that was set back.

    Raises BrokenTail where the last stored row is not what was written: nothing is built on it.
    """

    clock: Clock = field(repr=False)
    new_id: NewId = field(repr=False)
    origin: Origin

    def __call__(self, last: Tail, events: Sequence[Event]) -> list[AuditRow]:
        if not events:
            return []
        hash_ = HASHES[last.hash]
        if last.row is not None and leaf(last.row[2], hash_) != last.row[3]:
            raise BrokenTail
        head, now = head_of(last.row, last.epoch), self.clock.now()
        jump = [] if head.at is None or now >= head.at - TIME_TOLERANCE else [_clock_jump(head.at, now)]
        return append(head, [Stamped(event, self.new_id(), now) for event in [*jump, *events]], self.origin, hash_)


AppendEvents = Callable[[Tail, Sequence[Event]], Sequence[RowTuple]]


def _clock_jump(latest: float, now: float) -> Event:
    return Event(CLOCK_JUMP, "clock", counts={"back_ms": round((latest - now) * 1000)})
