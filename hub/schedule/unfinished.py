"""What a sync was cut short of, so that it goes on as soon as nothing that is due waits."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as attribute

from hub.kernel.errors import Busy
from hub.operations.scheduling import SYNC
from hub.schedule import board as boards
from hub.schedule.board import View
from hub.schedule.jobs import Done, Job
from hub.schedule.turns import Candidate


@dataclass(slots=True)
class Unfinished:
    """Keeps per entity since when a sync of it waits to go on, and the systems that failed in it."""

    since: dict[str, float] = attribute(default_factory=dict)
    failed: dict[str, frozenset[str]] = attribute(default_factory=dict)
    synced: dict[str, float] = attribute(default_factory=dict)
    """entity -> when its last sync ended"""

    def note(self, done: Done, now: float) -> None:
        """Notes how a job ended: one that was stopped does not go on, one that found its entity busy tries again."""
        if done.job.act == SYNC:
            self.synced[done.job.entity] = now
        busy = isinstance(done.error, Busy) and done.job.act == SYNC and not done.job.ids
        if (done.unfinished and not done.stopped) or busy:
            self.since[done.job.entity] = now
            self.failed[done.job.entity] = done.job.resting if busy else done.blocked

    def drop(self, entity: str) -> None:
        """Forgets what a sync that starts does anyway."""
        self.since.pop(entity, None)

    def go_on(self, view: View, chosen: Candidate) -> Job:
        """Returns the job that goes on; systems that failed are tried again when a sync is due."""
        self.drop(chosen.entity)
        return Job(SYNC, chosen.entity, (), None, self.failed.get(chosen.entity, frozenset()))

    def passing(self, view: View, chosen: Candidate) -> Job:
        """Returns the job that passes what others were cut short of."""
        return Job(SYNC, chosen.entity, (), None, boards.passing(view, chosen.entity))
