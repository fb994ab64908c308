"""The audit log verified: row by row, against every anchor, the newest rows or all; and the verification audited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from pathlib import Path

import orjson

from hub.audit.anchored import Anchor, Fault, Finding, Notary, Walk, walk
from hub.audit.event import Event
from hub.audit.note import Note, NoteInvalid, parse, parse_many
from hub.audit.syslog import anchors_in
from hub.audit.tree import GENESIS, Head, head_of
from hub.audit.verify import Reason, Verdict, explain, verify
from hub.crypto.hashes import HASHES
from hub.kernel.errors import AuditUnavailable, HubError
from hub.operations.anchoring import standing
from hub.operations.checkpointing import EPOCH
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.operations.signer import Signed, Verified, keep_verified, place_of, signed, trusted, verified
from hub.store import audit_log, vault
from hub.store.anchor import head_of as stored_head
from hub.store.database import Connection

OK, TAMPERED, UNCLEAR = 0, 2, 3
"""Exit codes of a verification."""
KEPT, STATE = "checkpoint", "signer"


class AuditBroken(HubError):
    """Is raised when a row of the audit log does not verify."""

    code = "HUB-AUDIT-002"
    exit_code = 5


@dataclass(frozen=True, slots=True)
class Gap:
    """Is what an epoch says was lost in a restore: rows from `kept` on that had been signed."""

    epoch: int
    kept: int
    signed: int
    reason: str


@dataclass(slots=True)
class Report:
    """Is the outcome of a verification: `findings` break it, `unclear` leave it open, `gaps` were owned up to."""

    full: bool
    rows: int = 0
    anchors: int = 0
    head: Head = field(default_factory=Head)
    findings: list[Finding] = field(default_factory=list)
    unclear: list[Finding] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    unanchored: bool = True
    audited: bool = True

    @property
    def exit_code(self) -> int:
        """Returns 0 where all holds, 2 where something was tampered with, 3 where it cannot be told."""
        return TAMPERED if self.findings else UNCLEAR if self.unclear else OK


@dataclass(frozen=True, slots=True)
class _Source:
    """Is a file that anchors are kept in, as long as it was before the store was looked at."""

    path: Path
    length: int
    name: str


@permit("audit.verify")
def verify_log(hub: Installation) -> Verdict:
    """Verifies the whole log with its anchors. Raises AuditBroken naming the first thing that does not hold."""
    report = _look(hub, None, None)[0]
    if report.findings:
        found = report.findings[0]
        raise _broken(found.row or 0, found.text.en, found.text.zh)
    return Verdict(True, report.rows, None, report.head)


@permit("audit.verify")
def verify_tail(hub: Installation, rows: int = 1000) -> Verdict:
    """Verifies the newest rows only. Raises AuditBroken."""
    with audit_log.snapshot(hub.store) as conn:
        epoch, _, _ = stored_head(conn)
        hash_ = {item.epoch: item.hash for item in audit_log.epochs(conn)}[epoch]
        tail = vault.audit_tail(conn, rows + 1)
    whole = len(tail) <= rows
    after = Head(epoch, -1, GENESIS) if whole else head_of(tail[0])
    verdict = verify(tail if whole else tail[1:], after, hash_=HASHES[hash_])
    if verdict.first_bad is not None:
        seq, reason = verdict.first_bad
        text = explain(reason)
        raise _broken(seq, text.en, text.zh)
    return verdict


def _broken(seq: int, en: str, zh: str) -> AuditBroken:
    return AuditBroken(
        f"audit row {seq} does not verify: {en}; keep the database as it is and tell the auditors",
        f"审计第 {seq} 行校验失败：{zh}；请保留数据库原状并通知审计人员",
    )


@permit("audit.verify")
def examine(hub: Installation, *, from_anchor: Path | None = None, full: bool = False) -> Report:
    """Verifies the log against all that is known of it, from where the last verification ended unless `full`.

    Anchors are the stored checkpoints, what the signer remembers, every file among the sinks, and `from_anchor`.
    """
    corr = hub.new_id()
    audited = _audit(hub, Event("audit.verify", "audit", hub.settings.installation.id, stage="attempt", corr=corr))
    last = verified(hub.settings)
    place = last.place if last is not None and last.ok and not full else None
    report, at, hash_ = _look(hub, place, from_anchor)
    report.audited = audited and _audit(hub, _result(hub, report, corr))
    report.unanchored = from_anchor is None and standing(hub).unanchored
    now = hub.clock.now()
    full_at = now if report.full else None if last is None else last.full_at
    good = report.exit_code != TAMPERED
    keep_verified(
        hub.settings,
        Verified(good, now, full_at, report.rows, place_of(at, hash_, now) if good else None, len(report.findings)),
    )
    return report


def _look(hub: Installation, place: Signed | None, from_anchor: Path | None) -> tuple[Report, Walk, str]:
    sources, state = _sources(hub, from_anchor), signed(hub.settings)
    with audit_log.snapshot(hub.store) as conn:
        if place is not None and not _stands(conn, place):
            place = None
        report = Report(place is None)
        return report, *_Examination(hub, conn, report, sources, state, place).run()


def _stands(conn: Connection, place: Signed) -> bool:
    row = audit_log.row_at(conn, place.epoch, place.size - 1)
    return row is not None and row[4].hex() == place.chain


def _sources(hub: Installation, from_anchor: Path | None) -> list[_Source]:
    paths = [(hub.settings.path(i.path), n) for n, i in hub.settings.audit.sinks.items() if i.kind == "file" and i.path]
    found = [_Source(path, path.stat().st_size, name) for path, name in paths if path.exists()]
    if from_anchor is not None:
        found.append(_Source(from_anchor, from_anchor.stat().st_size, str(from_anchor)))
    return found


@dataclass(slots=True)
class _Examination:
    """Walks the epochs with all anchors merged in order of size; nothing is kept of rows or anchors gone by."""

    hub: Installation
    conn: Connection
    report: Report
    sources: list[_Source]
    state: Signed | None
    place: Signed | None

    def run(self) -> tuple[Walk, str]:
        epochs = [item for item in audit_log.epochs(self.conn) if self.place is None or item.epoch >= self.place.epoch]
        groups = groupby(self._anchors(), key=lambda anchor: anchor.epoch)
        group = next(groups, None)
        at, hash_ = Walk.of(epochs[0].epoch, HASHES[epochs[0].hash]), epochs[0].hash
        for number, item in enumerate(epochs):
            ended = at if number else None
            if self.place is not None and item.epoch == self.place.epoch:
                at, hash_ = self.place.walk(), self.place.hash
            else:
                at, hash_ = Walk.of(item.epoch, HASHES[item.hash]), item.hash
            while group is not None and group[0] < item.epoch:
                self._cut(group[1])
                group = next(groups, None)
            mine: Iterable[Anchor] = ()
            if group is not None and group[0] == item.epoch:
                mine = group[1]
            following = epochs[number + 1].epoch if number + 1 < len(epochs) else None
            kept = None if following is None else self._lost(following, item.epoch)
            if ended is not None:
                self._check_start(item.epoch, ended)
            rows = audit_log.rows_from(self.conn, item.epoch, at.tree.size)
            self.report.findings += walk(at, rows, self._counted(mine), disowned_above=kept)
            self.report.rows += at.rows
            if group is not None and group[0] == item.epoch:
                group = next(groups, None)
        while group is not None:
            self._cut(group[1])
            group = next(groups, None)
        self._check_end(at)
        self.report.head = at.head
        return at, hash_

    def _check_end(self, at: Walk) -> None:
        epoch, seq, _ = stored_head(self.conn)
        if not self.report.findings and (at.head.epoch, at.head.seq) < (epoch, seq):
            self.report.findings.append(Finding(Reason.MISSING, epoch, at.head.seq + 1))
        for stray, _ in audit_log.strays(self.conn):
            self.report.findings.append(Finding(Fault.STRAY, stray, None))

    def _counted(self, anchors: Iterable[Anchor]) -> Iterator[Anchor]:
        for anchor in anchors:
            self.report.anchors += 1
            yield anchor

    def _cut(self, anchors: Iterable[Anchor]) -> None:
        """Takes in anchors of an epoch that the log does not have."""
        for anchor in anchors:
            if not any(gap.epoch == anchor.epoch and anchor.size > gap.kept for gap in self.report.gaps):
                self.report.findings.append(Finding(Fault.CUT, anchor.epoch, 0, anchor.source))

    def _lost(self, following: int, epoch: int) -> int | None:
        """Returns above which size an epoch's anchors stand for rows that the next one says were lost."""
        first = audit_log.row_at(self.conn, following, 0)
        said = {} if first is None else orjson.loads(first[2])
        if said.get("act") != EPOCH or said.get("code") != "rows_lost":
            return None
        counts = said["counts"]
        self.report.gaps.append(Gap(counts["signed_epoch"], counts["kept"], counts["signed"], said.get("reason", "")))
        return int(counts["kept"]) if counts["signed_epoch"] == epoch else None

    def _check_start(self, epoch: int, ended: Walk) -> None:
        """Checks that an epoch begins with the signed end of the one before it."""
        first = audit_log.row_at(self.conn, epoch, 0)
        said = {} if first is None else orjson.loads(first[2])
        try:
            note = parse("\n".join(said.get("checkpoint", ())) + "\n")
        except NoteInvalid:
            self.report.findings.append(Finding(Fault.TORN, epoch, 0))
            return
        point = note.checkpoint
        if not note.signers(trusted(self.hub.settings)):
            self.report.findings.append(Finding(Fault.SIGNATURE, epoch, 0))
        elif said.get("code") != "rows_lost" and (point.size, point.root) != (ended.tree.size, ended.tree.root()):
            self.report.findings.append(Finding(Fault.ROOT, epoch - 1, ended.tree.size))

    def _anchors(self) -> Iterator[Anchor]:
        keys = trusted(self.hub.settings)
        if not keys:
            self.report.unclear.append(Finding(Fault.SIGNATURE, 0, None, "keys"))
            return iter(())
        log = f"/crmhub/{self.hub.settings.installation.id}/"
        hard = Notary(keys, log, self.report.findings)
        streams = [hard.anchors(self._stored(), KEPT)]
        if self.state is not None:
            streams.append(hard.anchors([parse(self.state.note)], STATE))
        for source in self.sources:
            soft = Notary(keys, log, self.report.findings)
            streams.append(soft.anchors(self._whole(source), source.name))
        return merge(*streams, key=lambda anchor: (anchor.epoch, anchor.size))

    def _stored(self) -> Iterator[Note | NoteInvalid]:
        epoch, size = (0, 0) if self.place is None else (self.place.epoch, self.place.size)
        for item in audit_log.epochs(self.conn):
            if item.epoch >= epoch:
                for kept in audit_log.checkpoints(self.conn, item.epoch, size if item.epoch == epoch else 0):
                    yield _parsed(kept.note)

    def _whole(self, source: _Source) -> Iterator[Note | NoteInvalid]:
        """Yields the notes of a file; what is torn proves nothing and is only told."""
        seen, previous = 0, None
        for note in read_anchor(source.path, source.length):
            if isinstance(note, NoteInvalid):
                self.report.unclear += [] if self._is_sink(source) else [Finding(Fault.TORN, 0, None, source.name)]
            elif note != previous:
                seen, previous = seen + 1, note
                if self._is_due(note):
                    yield note
        if not seen and not self._is_sink(source):
            self.report.unclear.append(Finding(Fault.TORN, 0, None, source.name))

    def _is_sink(self, source: _Source) -> bool:
        return source.name in self.hub.settings.audit.sinks

    def _is_due(self, note: Note) -> bool:
        if self.place is None:
            return True
        try:
            return (note.checkpoint.epoch, note.checkpoint.size) >= (self.place.epoch, self.place.size)
        except NoteInvalid:
            return True


def read_anchor(path: Path, length: int | None = None) -> Iterator[Note | NoteInvalid]:
    """Yields the notes of a file: as the file sink writes them, or as lines that a syslog server stored."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        lines = _up_to(file, length)
        first = next((line for line in lines if line.strip()), "")
        rest = _chained(first, lines)
        if anchors_in(first) is None:
            yield from parse_many(rest)
            return
        for line in rest:
            note = anchors_in(line)
            if note is not None:
                yield _parsed(note)
            elif line.strip():
                yield NoteInvalid("a line without a checkpoint")


def _up_to(file: Iterable[str], length: int | None) -> Iterator[str]:
    done = 0
    for line in file:
        done += len(line.encode("utf-8", "replace"))
        if length is not None and done > length:
            return
        yield line


def _chained(first: str, rest: Iterable[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _parsed(text: str) -> Note | NoteInvalid:
    try:
        return parse(text)
    except NoteInvalid as invalid:
        return invalid


def _result(hub: Installation, report: Report, corr: str) -> Event:
    first = next(iter(report.findings or report.unclear), None)
    counts = {"rows": report.rows, "anchors": report.anchors, "findings": len(report.findings)}
    said = None if first is None else f"{first.source} epoch {first.epoch} row {first.row}"
    return Event(
        "audit.verify",
        "audit",
        hub.settings.installation.id,
        outcome="success" if first is None else "error",
        code=None if first is None else str(first.fault),
        reason=said or ("full" if report.full else "newest"),
        counts=counts,
        stage="result",
        corr=corr,
    )


def _audit(hub: Installation, event: Event) -> bool:
    """Audits a verification; a log that takes nothing any more is verified all the same, and the answer says so."""
    try:
        with hub.store.begin() as work:
            work.audit(event)
    except AuditUnavailable:
        return False
    return True
