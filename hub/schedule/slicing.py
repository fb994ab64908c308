"""The next slice of a reconciliation: one object of one system, so that a due sync goes between two of them."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace

from hub.operations import scheduling
from hub.operations.installation import Installation
from hub.operations.scheduling import RECONCILE
from hub.schedule import board as boards
from hub.schedule.board import View
from hub.schedule.claiming import claim
from hub.schedule.jobs import Job
from hub.telemetry import logger


def slice_of(hub: Installation, view: View, entity: str, sliced_at: MutableMapping[str, float]) -> Job | None:
    """Returns the slice that goes on with a reconciliation, or begins one that is due; slices of paused systems go."""
    left = boards.pieces(view, entity)
    if not left:
        left = scheduling.slices_of(hub, entity)
        if not claim(hub, [replace(start, slices=left) for start in boards.starts(view, RECONCILE, entity)]):
            return None
        sliced_at[entity] = view.now
    able = view.able(entity)
    for system in sorted({system for system, _ in left} - set(able)):
        logger("schedule").warning("slice_skipped", entity=entity, system=system, reason="paused")
    left = tuple(piece for piece in left if piece[0] in able)
    ids = tuple(row.schedule_id for row in view.rows(RECONCILE, entity))
    if not left:
        scheduling.keep_slices(hub, ids[0], ())
        return None
    return Job(RECONCILE, entity, ids, left[0], left=left[1:])
