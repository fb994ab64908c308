"""Offers shares of runs to every process of the installation, through procrastinate.

Procrastinate brings ids from one process to another and no more: the share in the store is the truth, and its kernel
lock, turn and epoch keep it right whatever is delivered twice, late or never. Its tables live in a schema of their own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import procrastinate
from procrastinate import exceptions

from hub.kernel.errors import StoreUnavailable
from hub.kernel.settings import Settings
from hub.operations.installation import Installation
from hub.operations.sharing import scope_of
from hub.store import queue_schema

QUEUE, TASK = "shares", "share"
# It would log every job a second time, with its arguments.
logging.getLogger("procrastinate").setLevel(logging.ERROR)


def prepare(settings: Settings) -> None:
    """Makes the tables of the queue where the settings spread work. Raises StoreUnavailable."""
    if spreads(settings):
        blank = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
        queue_schema.prepare(settings.store_url(), procrastinate.__version__, blank.schema_manager.get_schema())


def spreads(settings: Settings) -> bool:
    """Tells whether cycles are spread over several processes."""
    return settings.daemon.dispatch == "workers"


class Queue:
    """Is the leader's end of the queue; threads may share it."""

    def __init__(self, settings: Settings) -> None:
        place = queue_schema.connection_of(settings.store_url())
        self._app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(**place, min_size=1, max_size=2))
        self._lock = threading.Lock()
        self._opened = False

    def put(self, share_ids: Sequence[str]) -> None:
        """Puts ids into the queue; one that waits there already is not put twice. Raises StoreUnavailable."""
        with _reachable():
            self._open()
            jobs = [self._job(share_id) for share_id in share_ids]
            try:
                self._app.job_manager.batch_defer_jobs(jobs)
            except exceptions.AlreadyEnqueued:
                for job in jobs:
                    with suppress(exceptions.AlreadyEnqueued):
                        self._app.job_manager.defer_job(job)

    def close(self) -> None:
        """Drops the connections."""
        with self._lock:
            if self._opened:
                self._app.close()

    def _open(self) -> None:
        with self._lock:
            if not self._opened:
                self._app.open()
                self._opened = True

    def _job(self, share_id: str) -> procrastinate.jobs.Job:
        deferred = self._app.configure_task(TASK, queue=QUEUE, queueing_lock=share_id)
        return deferred.make_new_job(share_id=share_id)


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except exceptions.ConnectorException:
        raise StoreUnavailable(
            "the queue of shares cannot be reached; check that PostgreSQL runs and `crmhub init` was run",
            "无法访问任务队列；请确认 PostgreSQL 正在运行，且已运行 `crmhub init`",
        ) from None


@dataclass(frozen=True, slots=True)
class Offers:
    """Implements `hub.sync.engine.Spread` for the runs of one entity."""

    queue: Queue
    scope: str

    def offer(self, share_ids: Sequence[str]) -> None:
        """Offers shares to whoever is free."""
        if share_ids:
            self.queue.put(share_ids)


def spread(hub: Installation) -> Installation:
    """Lets the runs of an opened hub be carried out by all processes of the installation, where its settings say so."""
    if not spreads(hub.settings):
        return hub
    queue_schema.require(hub.store.engine, procrastinate.__version__)
    queue, close = Queue(hub.settings), hub.close

    def end() -> None:
        queue.close()
        close()

    hub.close, hub.spread = end, lambda entity: Offers(queue, scope_of(hub, entity))
    return hub
