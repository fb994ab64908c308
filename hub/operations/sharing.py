"""Carries out one share of somebody else's run, and says by which rules: only the same ones may."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import orjson

from hub.kernel.errors import HubError, LeaseLost, StoreUnavailable
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import shares
from hub.store.lease import kernel_lock
from hub.store.shares import Share, ShareState
from hub.store.unit_of_work import Lease
from hub.sync.drift import note_mapping
from hub.sync.engine import CUT_SHORT, RunContext, Turn
from hub.sync.shares import do_share, for_a_share
from hub.telemetry import bound, logger

BEAT = 1.0
"""Seconds between two signs of life of a share."""
Told = Callable[[str, str, int], None]


class Came(StrEnum):
    """Says what came of a share here: DONE also where it was over already, LEFT where somebody must go on with it."""

    DONE = "done"
    LEFT = "left"
    FOREIGN = "foreign"


def holder_name() -> str:
    """Returns how this process is named to the others."""
    return f"{socket.gethostname()}:{os.getpid()}"


def scope_of(hub: Installation, entity: str) -> str:
    """Returns the digest of everything that reading and writing an entity depends on: release, mappings, accounts."""
    links = {name: [link.account, link.mapping.version] for name, link in hub.links(entity).items()}
    body = orjson.dumps([version("crmhub"), hub.schema.version, links], option=orjson.OPT_SORT_KEYS)
    return sha256(body).hexdigest()[:32]


@permit("daemon.run")
def carry_out(hub: Installation, share_id: str, stop: threading.Event, told: Told) -> Came:
    """Carries out a share until its end, a stop, or the end of its run. Raises Busy while another process does.

    A store that is away raises StoreUnavailable; any other failure is noted at the share, and its run ends with it.
    """
    with kernel_lock(hub.store.engine, f"share:{share_id}"):
        with hub.store.read() as conn:
            found = shares.find(conn, share_id)
        if found is None or found.state not in shares.PENDING:
            return Came.DONE
        if found.entity not in hub.rules or found.scope != scope_of(hub, found.entity):
            return Came.FOREIGN
        try:
            with hub.store.begin(Lease(found.entity, found.epoch)) as work:
                taken = shares.take(work, share_id, holder_name())
            if taken is None:
                return Came.DONE
            with bound(run_id=taken.run_id, entity=taken.entity):
                return _carry_out(hub, taken, stop, told)
        except LeaseLost:
            return Came.DONE


def _carry_out(hub: Installation, taken: Share, stop: threading.Event, told: Told) -> Came:
    run = _run_of(hub, taken, stop, told)
    words = {"share": taken.share_id, "act": taken.act, "system": taken.system, "turn": taken.turn}
    logger("share").info("share_taken", **words, place=dict(taken.place))
    try:
        note_mapping(run, run.links[taken.system])
        outcome: dict[str, Any] = do_share(run, taken)
    except (LeaseLost, StoreUnavailable):
        raise
    except Exception as error:  # noqa: BLE001 - the leader raises it, where a person or the daemon hears of it
        logger("share").error("share_failed", **words, exc_info=error)
        outcome = {"failed": _said(error)}
    asked = shares.beat(hub.store, taken.lease, 0)
    left = stop.is_set() and not asked and "failed" not in outcome
    if left:
        # It is cut short here, not for its run: whoever goes on may bring it to its end.
        outcome["counts"].pop(CUT_SHORT, None)
    state = ShareState.OPEN if left else ShareState.ENDED
    with hub.store.begin(taken.lease) as work:
        shares.put_down(work, taken.lease, state, outcome)
    logger("share").info("share_ended", **words, state=state.value)
    return Came.LEFT if left else Came.DONE


def _run_of(hub: Installation, taken: Share, stop: threading.Event, told: Told) -> RunContext:
    """Returns the run of a share: it stops with this process, and yields when its leader asks or it was taken over."""
    turn = UntilAsked()
    beaten, owed = hub.clock.now(), 0

    def progress(phase: str, system: str, number: int) -> None:
        nonlocal beaten, owed
        told(phase, system, number)
        owed += number
        if abs(hub.clock.now() - beaten) >= BEAT:
            beaten = hub.clock.now()
            if shares.beat(hub.store, taken.lease, owed):
                turn.asked.set()
            owed = 0

    run = RunContext(
        hub.entity_rules(taken.entity),
        hub.links(taken.entity),
        hub.store,
        hub.clock,
        hub.new_id,
        taken.lease,
        taken.run_id,
        hub.actor,
        progress=progress,
        threads=hub.threads,
    )
    return replace(for_a_share(run, taken), stop=stop, turn=turn)


@dataclass(frozen=True, slots=True)
class UntilAsked(Turn):
    """Is the time that a share has: until its leader's own turn is used up, or its run is stopped."""

    asked: threading.Event = field(default_factory=threading.Event)

    def used_up(self) -> bool:
        """Tells whether the share was asked to yield."""
        return self.asked.is_set()

    def share(self, parts: int) -> Turn:
        """Returns the same turn: nobody knows how long it lasts."""
        return self


def _said(error: Exception) -> dict[str, str]:
    if isinstance(error, HubError):
        return {"code": error.code, "en": error.en, "zh": error.zh}
    name = type(error).__name__
    return {"code": name, "en": "see the log of that process", "zh": "详见该进程的日志"}
