"""The log against its anchors: every signed size and root must be that of its rows; pure, streaming."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from hub.audit.merkle import Frontier
from hub.audit.note import Note, NoteInvalid, VerifierKey
from hub.audit.tree import Head, RowTuple
from hub.audit.verify import Reason, verify
from hub.audit.verify import explain as explain_row
from hub.crypto.hashes import Hash, sha256
from hub.kernel.errors import Text


class Fault(StrEnum):
    """Says what is wrong with an anchor, or with the rows it stands for."""

    CUT = "cut"
    ROOT = "root"
    SIGNATURE = "signature"
    FOREIGN = "foreign"
    ORDER = "order"
    TORN = "torn"
    STRAY = "stray"


_TEXTS = {
    Fault.CUT: Text(
        "more rows were signed than the log has: its end was cut off, or an older store was put back",
        "已签名的行数多于日志现有行数：末尾被截断，或放回了旧存储",
    ),
    Fault.ROOT: Text(
        "the rows are not those that were signed: they were written anew",
        "这些行与签名时不同：日志被整体重写",
    ),
    Fault.SIGNATURE: Text(
        "the checkpoint is not signed by a key that is known here",
        "检查点签名不属于已知的签名密钥",
    ),
    Fault.FOREIGN: Text("the checkpoint belongs to another log", "检查点属于其他日志"),
    Fault.ORDER: Text("the checkpoint is smaller than one before it", "检查点小于其之前的检查点"),
    Fault.STRAY: Text(
        "rows stand behind the end of the log, or in an epoch that was never begun",
        "有行位于日志末尾之后，或属于从未开始的纪元",
    ),
    Fault.TORN: Text("the anchor holds a text that is no whole checkpoint", "存证中有不完整的检查点"),
}


@dataclass(frozen=True, slots=True)
class Anchor:
    """Is one size and root that was signed, and where it was found."""

    epoch: int
    size: int
    root: bytes
    source: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Is one thing that does not hold: `row` is the first row concerned where that is known."""

    fault: Fault | Reason
    epoch: int
    row: int | None
    source: str = "log"

    @property
    def text(self) -> Text:
        """Returns what it means, in both languages."""
        return explain_row(self.fault) if isinstance(self.fault, Reason) else _TEXTS[self.fault]


@dataclass(slots=True)
class Walk:
    """Is how far one epoch was verified: the head, the tree over its rows, and the newest anchor that held."""

    head: Head
    tree: Frontier
    anchored: int = 0
    rows: int = 0

    @classmethod
    def of(cls, epoch: int, hash_: Hash = sha256) -> Walk:
        """Returns the walk before the first row of an epoch."""
        return cls(Head(epoch), Frontier(hash_=hash_))


def walk(
    at: Walk, rows: Iterable[RowTuple], anchors: Iterable[Anchor], *, disowned_above: int | None = None
) -> Iterator[Finding]:
    """Verifies the rows that follow `at`, in order, against anchors of the same epoch in order of size; moves `at`.

    Yields what does not hold. After a broken row nothing behind it can be verified; the row is named and the walk ends.
    An anchor above `disowned_above` is left aside: the next epoch says that rows of it were lost in a restore.
    """
    stream = iter(rows)
    for anchor in anchors:
        if anchor.size < at.tree.size or (disowned_above is not None and anchor.size > disowned_above):
            continue
        bad = _go(at, islice(stream, anchor.size - at.tree.size))
        if bad is not None:
            yield bad
            return
        if at.tree.size < anchor.size:
            yield Finding(Fault.CUT, at.head.epoch, at.tree.size, anchor.source)
        elif at.tree.root() != anchor.root:
            yield Finding(Fault.ROOT, at.head.epoch, at.anchored, anchor.source)
        else:
            at.anchored = max(at.anchored, anchor.size)
    bad = _go(at, stream)
    if bad is not None:
        yield bad


def _go(at: Walk, rows: Iterable[RowTuple]) -> Finding | None:
    verdict = verify(rows, at.head, hash_=at.tree.hash_, tree=at.tree)
    at.head, at.rows = verdict.head, at.rows + verdict.count
    if verdict.first_bad is None:
        return None
    return Finding(verdict.first_bad[1], at.head.epoch, verdict.first_bad[0])


@dataclass(slots=True)
class Notary:
    """Turns notes into anchors: those of this log, signed by a known key, each epoch in order of size.

    What is none goes to `findings`; `log` is the end of an origin, `/crmhub/<instance>/`.
    """

    keys: Sequence[VerifierKey]
    log: str
    findings: list[Finding]

    def anchors(self, notes: Iterable[Note | NoteInvalid], source: str) -> Iterator[Anchor]:
        """Yields the anchors of one source. A smaller size after a larger one is a finding."""
        newest = (0, 0)
        for note in notes:
            found = self.judge(note, source)
            if found is None:
                continue
            if (found.epoch, found.size) < newest:
                self.findings.append(Finding(Fault.ORDER, found.epoch, found.size, source))
                continue
            newest = (found.epoch, found.size)
            yield found

    def judge(self, note: Note | NoteInvalid, source: str) -> Anchor | None:
        """Returns the anchor that a note makes, or None and a finding."""
        if isinstance(note, NoteInvalid):
            self.findings.append(Finding(Fault.TORN, 0, None, source))
            return None
        point = note.checkpoint
        head, _, epoch = point.origin.rpartition("/")
        if not f"/{head}/".endswith(self.log) or not epoch.isdecimal():
            self.findings.append(Finding(Fault.FOREIGN, 0, None, source))
            return None
        if not note.signers(self.keys):
            self.findings.append(Finding(Fault.SIGNATURE, int(epoch), point.size, source))
            return None
        return Anchor(int(epoch), point.size, point.root, source)
