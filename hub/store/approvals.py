"""What one person asks for and another must agree to. A seal binds every word of it, the answer among them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import sqlalchemy as sa

from hub.crypto.errors import EnvelopeBroken
from hub.kernel.errors import Declined, NotFound
from hub.keys.keyring import Keyring
from hub.store.access_tables import approval
from hub.store.unit_of_work import UnitOfWork

OPEN, APPROVED, REJECTED, VOID, DONE = "open", "approved", "rejected", "void", "done"
STATES = (OPEN, APPROVED, REJECTED, VOID, DONE)
_PLAIN = (
    "kind",
    "author_id",
    "ticket",
    "reason",
    "state",
    "asked_at",
    "expires_at",
    "activate_at",
    "decided_by",
    "decided_at",
    "done_at",
)


@dataclass(frozen=True, slots=True)
class Approval:
    """Is one request. `change` is exactly what is asked for, without any personal value; instants in epoch seconds."""

    approval_id: str
    kind: str
    change: Mapping[str, Any]
    author_id: str
    ticket: str
    reason: str
    state: str
    asked_at: float
    expires_at: float
    activate_at: float | None = None
    decided_by: str | None = None
    decided_at: float | None = None
    done_at: float | None = None
    revision: int = 0
    broken: bool = False

    @property
    def digest(self) -> bytes:
        """Returns the SHA-256 of the exact change."""
        return digest_of(self.kind, self.change)

    def stands(self, now: float) -> str:
        """Returns the state as it counts now: what nobody carried out in time is void."""
        return VOID if self.broken or (self.state in (OPEN, APPROVED) and now >= self.expires_at) else self.state


def digest_of(kind: str, change: Mapping[str, Any]) -> bytes:
    """Returns the SHA-256 of a change as it would be asked for: sorted JSON, so that equal changes are equal."""
    return hashlib.sha256(orjson.dumps([kind, change], option=orjson.OPT_SORT_KEYS)).digest()


def load(
    conn: sa.Connection,
    ring: Keyring,
    *,
    states: Sequence[str] = STATES,
    approval_id: str | None = None,
    limit: int = 1000,
) -> list[Approval]:
    """Returns requests, oldest first, each checked against its seal."""
    query = sa.select(approval).where(approval.c.state.in_(states)).order_by(approval.c.approval_id).limit(limit)
    if approval_id is not None:
        query = query.where(approval.c.approval_id == approval_id)
    return [_checked(ring, row) for row in conn.execute(query)]


def get(conn: sa.Connection, ring: Keyring, approval_id: str) -> Approval:
    """Returns one request. Raises NotFound, and Declined for one that was written behind the hub's back."""
    found = load(conn, ring, approval_id=approval_id)
    if not found:
        raise NotFound(
            f"there is no approval {approval_id}; see `crmhub approval list`",
            f"没有复核事项 {approval_id}；请查看 `crmhub approval list`",
        )
    if found[0].broken:
        raise Declined(
            f"approval {approval_id} does not agree with its seal: it was changed behind the hub's back and is void; "
            "tell the auditors",
            f"复核事项 {approval_id} 与封印不符，曾被绕过系统修改，已失效；请通知审计人员",
            code="HUB-ACCESS-005",
        )
    return found[0]


def _checked(ring: Keyring, row: Any) -> Approval:
    plain: dict[str, Any] = {name: getattr(row, name) for name in _PLAIN}
    try:
        sealed = ring.open_record("approval", row.approval_id, None, row.revision, bytes(row.blob))
    except EnvelopeBroken:
        return Approval(row.approval_id, change={}, **plain, revision=row.revision, broken=True)
    made = Approval(row.approval_id, change=sealed["change"], **plain, revision=row.revision)
    same = sealed["plain"] == plain and bytes(row.digest) == made.digest
    return made if same else replace(made, broken=True)


def save(work: UnitOfWork, made: Approval) -> Approval:
    """Writes a request under a new seal. Raises Declined where somebody else answered it meanwhile."""
    fresh = replace(made, revision=made.revision + 1)
    plain = {name: getattr(fresh, name) for name in _PLAIN}
    body = {"plain": plain, "change": dict(fresh.change)}
    blob = work.ring.seal_record("approval", fresh.approval_id, None, fresh.revision, body)
    values = {**plain, "digest": fresh.digest, "revision": fresh.revision, "blob": blob}
    if made.revision == 0:
        work.conn.execute(approval.insert().values(approval_id=fresh.approval_id, **values))
        return fresh
    here = sa.and_(approval.c.approval_id == fresh.approval_id, approval.c.revision == made.revision)
    if work.conn.execute(approval.update().where(here).values(**values)).rowcount != 1:
        raise Declined(
            f"approval {made.approval_id} was answered meanwhile; look again",
            f"复核事项 {made.approval_id} 刚被处理；请重新查看",
        )
    return fresh
