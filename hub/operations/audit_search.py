"""The audit log read by people: listed page by page, shown row by row, sampled by seed; every reading is audited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from hashlib import sha256
from heapq import nlargest
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from hub.audit.event import Event
from hub.audit.merkle import inclusion_proof
from hub.crypto.hashes import HASHES
from hub.kernel.errors import Declined, NotFound
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import audit_index, audit_log
from hub.store.audit_index import Place, Wanted

BEIJING = ZoneInfo("Asia/Shanghai")
MOST = 10_000
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Is a page of entries, oldest first; `before` is what asks for the page of earlier ones, None where none are."""

    entries: tuple[Entry, ...]
    before: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """Is one entry with what proves it: its leaf, and the way from it to the root that was signed, where one was."""

    entry: Entry
    leaf: str
    chain: str
    size: int | None
    root: str | None
    proof: tuple[str, ...]
    note: str | None


def moment_of(text: str, *, end: bool = False) -> float:
    """Returns a moment that a person typed, in epoch seconds: Beijing time unless it ends with Z or an offset.

    A date alone is its beginning, or with `end` the beginning of the next day. Raises Declined.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Declined(
            "a time is YYYY-MM-DD or YYYY-MM-DDTHH:MM[:SS], in Beijing time unless Z or an offset follows",
            "时间格式为 YYYY-MM-DD 或 YYYY-MM-DDTHH:MM[:SS]，默认北京时间，可加 Z 或时区",
        ) from None
    if len(text.strip()) == 10 and end:
        found += timedelta(days=1)
    return (found if found.tzinfo else found.replace(tzinfo=BEIJING)).timestamp()


@permit("audit.read")
def list_log(
    hub: Installation,
    *,
    wanted: Wanted | None = None,
    act: str | None = None,
    about: str | None = None,
    limit: int = 50,
    before: str | None = None,
) -> list[Entry]:
    """Returns the newest entries that are wanted, oldest first; see `read_page`."""
    return list(read_page(hub, wanted or Wanted(act=act, about=about), limit=limit, before=before).entries)


@permit("audit.read")
def read_page(hub: Installation, wanted: Wanted, *, limit: int = 50, before: str | None = None) -> Page:
    """Returns a page of the newest entries that are wanted and come before a place; the reading is audited first."""
    if not 0 < limit <= MOST:
        raise Declined(f"--limit is between 1 and {MOST}", f"--limit 应在 1 到 {MOST} 之间")
    place = None if before is None else place_of(before)
    audit_index.catch_up(hub.store)
    with hub.store.read() as conn:
        found = audit_index.page(conn, wanted, before=place, limit=limit + 1)
    more = len(found) > limit
    entries = tuple(_opened(body) for body in reversed(found[:limit]))
    _audit_reading(hub, "list", len(entries), described(wanted))
    return Page(entries, f"{entries[0]['epoch']}:{entries[0]['seq']}" if more and entries else None)


@permit("audit.read")
def show_entry(hub: Installation, text: str) -> Shown:
    """Returns one entry, by `seq`, `epoch:seq` or its id's place, with its proof. Raises NotFound."""
    with audit_log.snapshot(hub.store) as conn:
        known = audit_log.epochs(conn)
        epoch, seq = place_of(text, known[-1].epoch)
        row = audit_log.row_at(conn, epoch, seq)
        if row is None:
            raise NotFound(f"the audit log has no row {epoch}:{seq}", f"审计日志中没有第 {epoch}:{seq} 行")
        hash_ = HASHES[next(item.hash for item in known if item.epoch == epoch)]
        kept = next(iter(audit_log.checkpoints(conn, epoch, seq + 1)), None)
        proof: list[bytes] = []
        if kept is not None:
            leaves = (row[3] for row in audit_log.rows_from(conn, epoch, 0))
            proof = inclusion_proof(leaves, seq, kept.size, hash_)
    _audit_reading(hub, "show", 1, f"{epoch}:{seq}")
    root = None if kept is None else kept.note.split("\n")[2]
    size, note = (None, None) if kept is None else (kept.size, kept.note)
    return Shown(_opened(row[2]), row[3].hex(), row[4].hex(), size, root, tuple(n.hex() for n in proof), note)


def open_attempts(hub: Installation, within: float = 30 * 86_400.0, limit: int = 100) -> list[Entry]:
    """Returns acts that were begun in the last days and never ended: the process was killed between the two."""
    audit_index.catch_up(hub.store)
    with hub.store.read() as conn:
        return [_opened(body) for body in audit_index.open_attempts(conn, hub.clock.now() - within, limit)]


@permit("audit.read")
def sample(hub: Installation, wanted: Wanted, number: int, seed: str) -> list[Entry]:
    """Returns a sample of the entries that are wanted, oldest first: the same for the same seed, whoever draws it.

    Entries are drawn by SHA-256("crmhub/sample|SEED|EPOCH|SEQ"): those with the largest digests are the sample.
    """
    if not 0 < number <= MOST:
        raise Declined(f"a sample has between 1 and {MOST} entries", f"抽样数量应在 1 到 {MOST} 之间")
    with audit_index.snapshot(hub.store) as conn:
        drawn = nlargest(number, _ranked(audit_index.every(conn, wanted), seed))
        found = audit_index.bodies(conn, [place for _, place in drawn])
    _audit_reading(hub, "sample", len(found), f"seed={seed} {described(wanted)}")
    return [_opened(body) for body in found]


def _ranked(places: Iterator[Place], seed: str) -> Iterator[tuple[bytes, Place]]:
    for place in places:
        text = f"crmhub/sample|{seed}|{place[0]}|{place[1]}"
        yield sha256(text.encode()).digest(), place


def place_of(text: str, epoch: int = 1) -> Place:
    """Returns the place that `epoch:seq` or `seq` names. Raises Declined."""
    head, mark, tail = text.partition(":")
    parts = (head, tail) if mark else (str(epoch), head)
    if not all(part.isdecimal() and len(part) < 19 for part in parts):
        raise Declined("name a row as SEQ or EPOCH:SEQ", "行号格式为 序号 或 纪元:序号")
    return int(parts[0]), int(parts[1])


def _opened(body: bytes) -> Entry:
    entry: dict[str, Any] = orjson.loads(body)
    at = datetime.fromisoformat(entry["ts"]).astimezone(BEIJING)
    return {**entry, "beijing": at.isoformat(timespec="milliseconds")}


def described(wanted: Wanted) -> str:
    """Returns the filters as the log names them; what a person typed is cut and redacted there."""
    given = ((item.name, getattr(wanted, item.name)) for item in fields(wanted))
    return " ".join(f"{name}={value}" for name, value in given if value is not None) or "all"


def _audit_reading(hub: Installation, way: str, number: int, said: str) -> None:
    """Audits a reading before anything of it leaves."""
    with hub.store.begin() as work:
        about = hub.settings.installation.id
        work.audit(Event("audit.read", "audit", about, code=way, reason=said, counts={"entries": number}))
