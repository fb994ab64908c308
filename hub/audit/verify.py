"""Verification of the log: every row against the one before it, in one pass, without memory of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import orjson

from hub.audit.event import CLOCK_JUMP, instant
from hub.audit.merkle import Frontier
from hub.audit.tree import TIME_TOLERANCE, Head, RowTuple, chain, leaf
from hub.crypto.hashes import Hash, sha256
from hub.kernel.errors import Text


class Reason(StrEnum):
    MISSING = "missing"
    REPEATED = "repeated"
    EPOCH = "epoch"
    LEAF = "leaf"
    CHAIN = "chain"
    UNREADABLE = "unreadable"
    MISPLACED = "misplaced"
    TIME = "time"


_TEXTS = {
    Reason.MISSING: Text("the row is missing", "缺少该行"),
    Reason.REPEATED: Text("the row appears again", "该行重复出现"),
    Reason.EPOCH: Text("the row belongs to another epoch", "该行属于另一个日志纪元"),
    Reason.LEAF: Text("the row's content was changed", "该行内容被改动"),
    Reason.CHAIN: Text("the row does not continue the row before it", "该行与前一行的哈希链不衔接"),
    Reason.UNREADABLE: Text("the row's content is not an audit record", "该行内容不是审计记录"),
    Reason.MISPLACED: Text("the row's content names another place in the log", "该行内容所记序号与位置不符"),
    Reason.TIME: Text(
        "the row's time lies before an earlier row's and no clock jump was recorded",
        "该行时间早于之前的行，且没有时钟跳变记录",
    ),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Is the result of a verification; `first_bad` names the first broken row, `head` the last row that verified."""

    ok: bool
    count: int
    first_bad: tuple[int, Reason] | None
    head: Head


def explain(reason: Reason) -> Text:
    return _TEXTS[reason]


def verify(
    rows: Iterable[RowTuple], after: Head | None = None, *, hash_: Hash = sha256, tree: Frontier | None = None
) -> Verdict:
    """Checks continuity, leaf, chain and time of the rows of one epoch, read in order; stops at the first broken row.

    `after` continues an earlier verification; `tree` takes in the leaf of every row that verified. Finds any edited,
    missing, moved, inserted or repeated row. It does NOT find that the newest rows were deleted, nor that the whole
    chain was computed anew: both need a checkpoint kept outside the database. `count` is how many verified.
    """
    head = after or Head()
    count = 0
    for row in rows:
        at, reason = _check(head, row, hash_)
        if reason is not None:
            bad = row[1] if reason in (Reason.REPEATED, Reason.EPOCH) else head.seq + 1
            return Verdict(False, count, (bad, reason), head)
        head = Head(row[0], row[1], row[4], at)
        if tree is not None:
            tree.append(row[3])
        count += 1
    return Verdict(True, count, None, head)


def _check(head: Head, row: RowTuple, hash_: Hash) -> tuple[float, Reason | None]:
    """Returns the latest time seen so far and what is wrong with the row, if anything."""
    epoch, seq, body, leaf_hash, link = row
    if epoch != head.epoch:
        return 0.0, Reason.EPOCH
    if seq != head.seq + 1:
        return 0.0, Reason.REPEATED if seq <= head.seq else Reason.MISSING
    if leaf(body, hash_) != leaf_hash:
        return 0.0, Reason.LEAF
    if chain(seq, head.chain, leaf_hash, hash_) != link:
        return 0.0, Reason.CHAIN
    try:
        record = orjson.loads(body)
        at, act = instant(record["ts"]), record["act"]
        place = record["epoch"], record["seq"]
    except (ValueError, KeyError, TypeError):
        return 0.0, Reason.UNREADABLE
    if place != (epoch, seq):
        return 0.0, Reason.MISPLACED
    return _later(head.at, at, act)


def _later(latest: float | None, at: float, act: str) -> tuple[float, Reason | None]:
    if latest is None or act == CLOCK_JUMP:
        return at, None
    if at < latest - TIME_TOLERANCE:
        return latest, Reason.TIME
    return max(at, latest), None
