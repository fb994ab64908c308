"""Signed checkpoints of the audit log: made where the log continues what was signed, and new epochs begun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import orjson

from hub.audit.anchored import Walk, walk
from hub.audit.event import Event
from hub.audit.note import parse
from hub.crypto.hashes import HASHES
from hub.kernel.errors import Declined
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.operations.signer import HeadRefused, Signed, Signer, lines_of, other_rows, publish, signed, smaller
from hub.outbound import FileLocks
from hub.store import audit_log
from hub.store.anchor import head_of as stored_head
from hub.store.database import Connection

EPOCH = "audit.epoch"


@dataclass(frozen=True, slots=True)
class Made:
    """Is a checkpoint: `fresh` says that it stands for rows that no earlier one did."""

    epoch: int
    size: int
    note: str
    signed_at: float
    fresh: bool


@permit("audit.sign")
def make_checkpoint(hub: Installation, *, adopt: bool = False) -> Made | None:
    """Verifies what was written since the last checkpoint, signs the head and keeps the note; None for an empty log.

    `adopt` lets a person take on the stored log where nobody knows what was signed last. Raises HeadRefused where the
    log does not continue that, KeyUnusable.
    """
    with _alone(hub):
        signer, before = Signer(hub.settings), signed(hub.settings)
        publish(hub.settings)
        with audit_log.snapshot(hub.store) as conn:
            newest = audit_log.newest_checkpoint(conn)
            if before is None and newest is not None and not adopt:
                raise _lost()
            at, hash_ = _walked(conn, before)
        if not at.tree.size:
            return None
        now = hub.clock.now()
        made = signer.sign(at, hash_, now, before)
        fresh = before is None or (made.epoch, made.size) != (before.epoch, before.size)
        with hub.store.begin() as work:
            audit_log.keep_checkpoint(work, made.epoch, made.size, made.note)
            if adopt and before is None:
                work.audit(Event("audit.adopt", "audit", hub.settings.installation.id, counts={"size": made.size}))
        return Made(made.epoch, made.size, made.note, now, fresh)


def _walked(conn: Connection, before: Signed | None) -> tuple[Walk, str]:
    """Verifies from what was signed last to the end of the log, over the beginnings of epochs."""
    known = {item.epoch: item.hash for item in audit_log.epochs(conn)}
    epoch, seq, chain = stored_head(conn)
    if before is None:
        at, hash_ = Walk.of(epoch, HASHES[known[epoch]]), known[epoch]
    else:
        at, hash_ = before.walk(), before.hash
        if (epoch, seq + 1) < (before.epoch, before.size):
            raise smaller(before.epoch, before.size, epoch, seq + 1)
        if known.get(before.epoch) != before.hash:
            raise other_rows(before.epoch, before.size)
    _follow(conn, at)
    while at.head.epoch < epoch:
        note = lines_of(before.note) if before is not None and at.head.epoch == before.epoch else None
        following = min(item for item in known if item > at.head.epoch)
        _check_entry(conn, at, following, note)
        at, hash_ = Walk.of(following, HASHES[known[following]]), known[following]
        _follow(conn, at)
    if (at.head.seq, at.head.chain) != (seq, chain or at.head.chain):
        raise other_rows(epoch, at.tree.size)
    return at, hash_


def _follow(conn: Connection, at: Walk) -> None:
    if at.tree.size:
        last = audit_log.row_at(conn, at.head.epoch, at.head.seq)
        if last is None or last[4] != at.head.chain:
            raise other_rows(at.head.epoch, at.tree.size)
    for bad in walk(at, audit_log.rows_from(conn, at.head.epoch, at.tree.size), ()):
        raise HeadRefused(
            f"audit row {bad.row} of epoch {bad.epoch} does not verify: {bad.text.en}; nothing more is signed. Keep "
            "the database as it is and tell the auditors",
            f"审计纪元 {bad.epoch} 第 {bad.row} 行校验失败：{bad.text.zh}；不再签名，请保留数据库原状并通知审计人员",
        )


def _check_entry(conn: Connection, ended: Walk, following: int, note: tuple[str, ...] | None) -> None:
    """Refuses an epoch whose first entry does not carry what was signed of the one before it."""
    first = audit_log.row_at(conn, following, 0)
    said = orjson.loads(first[2]) if first is not None else {}
    carried = tuple(said.get("checkpoint", ()))
    root = ended.tree.root()
    expected = note is None or carried == note or _signs(carried, ended.tree.size, root)
    if said.get("act") != EPOCH or not expected:
        raise HeadRefused(
            f"audit epoch {following} does not begin with the last checkpoint of the one before; keep "
            "everything as it is and tell the auditors",
            f"审计纪元 {following} 的首行未带上一纪元的最后检查点；请保留原状并通知审计人员",
        )


def _signs(carried: tuple[str, ...], size: int, root: bytes) -> bool:
    try:
        point = parse("\n".join(carried) + "\n").checkpoint
    except ValueError:
        return False
    return (point.size, point.root) == (size, root)


@permit("audit.sign")
def begin_epoch(hub: Installation, reason: str) -> Made:
    """Begins a new epoch of the log; its first entry carries the last checkpoint and says what of it the log still has.

    For another hash, and after a restore that was meant: rows that were signed and are gone stay named for ever.
    Raises Declined without a reason, and while another process writes.
    """
    if not reason.strip():
        raise Declined("give a reason: --reason TEXT", "请填写原因：--reason 文本")
    try:
        make_checkpoint(hub)
        intact = True
    except HeadRefused:
        intact = False
    with _alone(hub):
        before = signed(hub.settings)
        if before is None:
            raise Declined(
                "the log has no checkpoint yet: crmhub audit checkpoint", "日志尚无检查点：crmhub audit checkpoint"
            )
        with audit_log.snapshot(hub.store) as conn:
            kept = before.size if intact else _agreed(conn, before)
        with hub.store.begin() as work:
            epoch, seq, _ = stored_head(work.conn)
            if intact and (epoch, seq + 1) != (before.epoch, before.size):
                raise Declined("the log was written to meanwhile; run it again", "期间日志有新记录；请重试")
            counts = {"kept": kept, "rows": seq + 1, "signed": before.size, "signed_epoch": before.epoch}
            audit_log.open_epoch(work, hub.settings.audit.hash, before.epoch)
            code = None if intact else "rows_lost"
            about = hub.settings.installation.id
            event = Event(
                EPOCH, "audit", about, code=code, reason=reason, counts=counts, checkpoint=lines_of(before.note)
            )
            work.audit(event)
    return _anchor_new(hub, before)


def _anchor_new(hub: Installation, before: Signed) -> Made:
    """Signs the first rows of the epoch just begun."""
    with _alone(hub):
        signer = Signer(hub.settings)
        with audit_log.snapshot(hub.store) as conn:
            epoch, _, _ = stored_head(conn)
            hash_ = {item.epoch: item.hash for item in audit_log.epochs(conn)}[epoch]
            at = Walk.of(epoch, HASHES[hash_])
            _follow(conn, at)
        now = hub.clock.now()
        made = signer.sign(at, hash_, now, before)
        with hub.store.begin() as work:
            audit_log.keep_checkpoint(work, made.epoch, made.size, made.note)
    return Made(made.epoch, made.size, made.note, now, True)


def _agreed(conn: Connection, before: Signed) -> int:
    """Returns how many rows the stored log still shares with its own stored checkpoints."""
    known = {item.epoch: item.hash for item in audit_log.epochs(conn)}
    if before.epoch not in known:
        return 0
    at, agreed = Walk.of(before.epoch, HASHES[known[before.epoch]]), 0
    stream = audit_log.rows_from(conn, before.epoch, 0)
    for kept in audit_log.checkpoints(conn, before.epoch):
        bad = any(walk(at, islice(stream, kept.size - at.tree.size), ()))
        if bad or at.tree.size != kept.size or parse(kept.note).checkpoint.root != at.tree.root():
            return agreed
        agreed = kept.size
    return agreed


def _lost() -> HeadRefused:
    return HeadRefused(
        "the log has checkpoints, but beside the signing key nothing says what was signed last; put the file `.signed` "
        "back from its copy, or verify the log against an anchor and run `crmhub audit checkpoint --adopt`",
        "日志已有检查点，但签名密钥旁没有最近一次签名的记录；请恢复 `.signed` 文件，或对照存证校验后运行 "
        "`crmhub audit checkpoint --adopt`",
    )


@contextmanager
def _alone(hub: Installation) -> Iterator[None]:
    with FileLocks(hub.settings.var / "locks")("audit-signer"):
        yield
