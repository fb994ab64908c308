"""Shares of a run: the parts of one cycle that are carried out by whichever process of the installation is free.

The row is the truth: who does it, on which turn, how far, and what came of it. A turn is a fencing token: whoever takes
a share over begins the next one, and the one before commits nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import StrEnum
from typing import Any

import orjson
import sqlalchemy as sa

from hub.store.share_tables import share
from hub.store.unit_of_work import Lease, Store, UnitOfWork


class ShareState(StrEnum):
    """Says where a share stands; DROPPED ones belong to a run that is over."""

    OPEN = "open"
    TAKEN = "taken"
    ENDED = "ended"
    DROPPED = "dropped"


PENDING = (ShareState.OPEN.value, ShareState.TAKEN.value)


@dataclass(frozen=True, slots=True)
class Share:
    """Is one part of a run: `act` pull or push, at a `place` (JSON of ids, never of values) of one system.

    `scope` is the digest of the rules it was cut by; `outcome` is what came of it, or of earlier turns, so far.
    """

    share_id: str
    run_id: str
    entity: str
    epoch: int
    act: str
    system: str
    place: Mapping[str, Any]
    scope: str
    state: ShareState = ShareState.OPEN
    turn: int = 0
    holder: str | None = None
    done: int = 0
    outcome: Mapping[str, Any] = attribute(default_factory=dict)
    made_at: float = 0.0
    beat_at: float | None = None

    @property
    def lock(self) -> str:
        """Returns the name of the kernel lock that who carries it out holds."""
        return f"share:{self.share_id}"

    @property
    def lease(self) -> Lease:
        return Lease(self.entity, self.epoch, (self.share_id, self.turn))


def make(work: UnitOfWork, made: Sequence[Share]) -> None:
    """Notes shares that anybody may take."""
    rows = [
        {
            "share_id": item.share_id,
            "run_id": item.run_id,
            "entity": item.entity,
            "epoch": item.epoch,
            "act": item.act,
            "system": item.system,
            "place": orjson.dumps(item.place).decode(),
            "scope": item.scope,
            "state": ShareState.OPEN.value,
            "turn": 0,
            "stop_asked": False,
            "done": 0,
            "made_at": work.now,
        }
        for item in made
    ]
    work.conn.execute(share.insert(), rows)


def find(conn: sa.Connection, share_id: str) -> Share | None:
    row = conn.execute(sa.select(share).where(share.c.share_id == share_id)).one_or_none()
    return None if row is None else _share(row)


def of_run(conn: sa.Connection, run_id: str) -> list[Share]:
    """Returns the shares of a run, in the order in which they were cut."""
    return [_share(row) for row in conn.execute(sa.select(share).where(share.c.run_id == run_id).order_by("share_id"))]


def take(work: UnitOfWork, share_id: str, holder: str) -> Share | None:
    """Begins the next turn of a share; None where it is over. Call with its kernel lock held."""
    here = sa.and_(share.c.share_id == share_id, share.c.state.in_(PENDING))
    values = {
        "state": ShareState.TAKEN.value,
        "turn": share.c.turn + 1,
        "holder": holder,
        "beat_at": work.now,
    }
    work.conn.execute(share.update().where(here).values(values))
    row = work.conn.execute(sa.select(share).where(here)).one_or_none()
    return None if row is None else _share(row)


def beat(store: Store, held: Lease, done: int) -> bool:
    """Says that a share goes on; returns whether it is asked to stop, or was taken over."""
    assert held.share is not None
    here = sa.and_(share.c.share_id == held.share[0], share.c.turn == held.share[1])
    with store.begin() as work:
        work.conn.execute(share.update().where(here).values(beat_at=work.now, done=share.c.done + done))
        asked = work.conn.execute(sa.select(share.c.stop_asked).where(here)).scalar_one_or_none()
    return asked is None or bool(asked)


def put_down(work: UnitOfWork, held: Lease, state: ShareState, outcome: Mapping[str, Any]) -> None:
    """Notes what came of a turn: the share is ended, or open for whoever goes on with it."""
    assert held.share is not None
    here = sa.and_(share.c.share_id == held.share[0], share.c.turn == held.share[1])
    values = {"state": state.value, "outcome": orjson.dumps(outcome).decode(), "beat_at": work.now}
    work.conn.execute(share.update().where(here).values(values))


def ask_to_stop(work: UnitOfWork, run_id: str) -> None:
    """Takes back what nobody began and asks the others to stop after their page or batch."""
    here = share.c.run_id == run_id
    untaken = sa.and_(here, share.c.state == ShareState.OPEN.value)
    work.conn.execute(share.update().where(untaken).values(state=ShareState.DROPPED.value))
    work.conn.execute(share.update().where(here).values(stop_asked=True))


def retire(work: UnitOfWork, entity: str, before_epoch: int) -> list[str]:
    """Drops the shares of older epochs; returns the locks of those that somebody may still be carrying out."""
    here = sa.and_(share.c.entity == entity, share.c.epoch < before_epoch)
    rows = work.conn.execute(sa.select(share).where(here, share.c.state.in_(PENDING))).all()
    work.conn.execute(share.update().where(here).values(state=ShareState.DROPPED.value, stop_asked=True))
    return [_share(row).lock for row in rows if row.state == ShareState.TAKEN.value]


def forget(work: UnitOfWork, entity: str, before_epoch: int) -> None:
    """Removes the rows of older epochs; what they came to stands in their runs."""
    work.conn.execute(share.delete().where(share.c.entity == entity, share.c.epoch < before_epoch))


def _share(row: sa.Row[Any]) -> Share:
    return Share(
        row.share_id,
        row.run_id,
        row.entity,
        row.epoch,
        row.act,
        row.system,
        orjson.loads(row.place),
        row.scope,
        ShareState(row.state),
        row.turn,
        row.holder,
        row.done,
        orjson.loads(row.outcome or "{}"),
        row.made_at,
        row.beat_at,
    )
