"""Carries out the shares that a leader offers: procrastinate's worker in a thread, and the hub it works on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import procrastinate
from procrastinate import exceptions

from hub.kernel.errors import Busy
from hub.kernel.settings import Daemon
from hub.operations import sharing
from hub.operations.installation import Installation
from hub.operations.sharing import Came
from hub.schedule.dispatch import QUEUE, TASK
from hub.store import queue_schema
from hub.telemetry import logger

POLL, HEARTBEAT, STALLED, AGAIN = 1.0, 4.0, 15.0, 2
"""Seconds: between looks at the queue, heartbeats, until a worker without one is dead, until a share is tried again."""
RESTART = 3.0
"""Seconds until a worker whose connection broke, or that could not open the hub, starts anew."""

Told = Callable[[str, str, int], None]


class GivenBack(Exception):
    """Is raised for a share that somebody else must carry out, or this process later; the queue keeps it."""


class Opened:
    """Keeps the hub that shares are carried out on; one that is replaced closes when its last share has ended."""

    def __init__(self, open_hub: Callable[[], Installation]) -> None:
        self._open_hub = open_hub
        self._lock = threading.Lock()
        self._hub: Installation | None = None
        self._users: dict[int, int] = {}

    @contextmanager
    def lent(self) -> Iterator[Installation]:
        """Lends the hub for one share, opening it first if need be."""
        with self._lock:
            hub = self._hub = self._hub or self._open_hub()
            self._users[id(hub)] = self._users.get(id(hub), 0) + 1
        try:
            yield hub
        finally:
            with self._lock:
                self._users[id(hub)] -= 1
                self._close_unused(hub)

    def replace(self, stale: Installation | None = None) -> None:
        """Has the hub opened anew for the next share; not where `stale` was replaced already."""
        with self._lock:
            hub = self._hub
            if hub is not None and stale in (None, hub):
                self._hub = None
                self._close_unused(hub)

    def _close_unused(self, hub: Installation) -> None:
        if hub is not self._hub and not self._users.get(id(hub)):
            self._users.pop(id(hub), None)
            hub.close()


class Workers:
    """Carries out shares in `at_once` threads until it is stopped; what breaks is logged and started anew."""

    def __init__(self, open_hub: Callable[[], Installation], at_once: int, told: Told) -> None:
        self._opened, self._at_once, self._told = Opened(open_hub), at_once, told
        self._stop = threading.Event()
        self._listening = False
        self._thread = threading.Thread(target=self._run, name="workers", daemon=True)
        self.working: dict[str, float] = {}
        """Shares under way and when they last showed life, in epoch seconds."""

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def reload(self) -> None:
        """Has settings and mappings read again for the shares that follow."""
        self._opened.replace()

    def stuck(self, now: float, bounds: Daemon) -> bool:
        """Tells whether a share showed no life for too long; its thread can only be ended with the process."""
        return any(now - beat > bounds.stuck_after_seconds for beat in list(self.working.values()))

    def ready(self) -> bool:
        """Tells whether shares are listened for."""
        return self._listening

    def stop(self, seconds: float) -> bool:
        """Asks every share to end after its page or batch; tells whether they did within some seconds."""
        self._stop.set()
        self._thread.join(seconds)
        ended = not self._thread.is_alive()
        if ended:
            self._opened.replace()
        return ended

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._opened.lent() as hub:
                    place = queue_schema.connection_of(hub.settings.store_url())
                    queue_schema.require(hub.store.engine, procrastinate.__version__)
                asyncio.run(self._serve(place))
            except Exception as error:  # noqa: BLE001 - whatever broke, this host must carry out shares again
                logger("share").error("workers_wait", error=getattr(error, "code", type(error).__name__))
                self._opened.replace()
            self._listening = False
            self._stop.wait(RESTART)

    async def _serve(self, place: dict[str, Any]) -> None:
        connector = procrastinate.PsycopgConnector(**place, min_size=2, max_size=4)
        app = procrastinate.App(connector=connector)
        app.task(name=TASK, queue=QUEUE, retry=procrastinate.RetryStrategy(wait=AGAIN))(self._carry_out)
        threads = ThreadPoolExecutor(self._at_once + 4, thread_name_prefix="share")
        asyncio.get_running_loop().set_default_executor(threads)
        async with app.open_async():
            worker = asyncio.create_task(
                app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=self._at_once,
                    delete_jobs=procrastinate.jobs.DeleteJobCondition.ALWAYS,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=POLL,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=STALLED,
                )
            )
            self._listening = True
            logger("share").info("workers_ready", at_once=self._at_once)
            rescue = asyncio.create_task(self._rescue(app))
            while not self._stop.is_set() and not worker.done():
                await asyncio.sleep(0.1)
            rescue.cancel()
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker

    async def _rescue(self, app: procrastinate.App) -> None:
        """Puts back into the queue what a killed worker had taken from it."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            with suppress(exceptions.ConnectorException):
                for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=STALLED):
                    logger("share").warning("share_stalled", share=job.task_kwargs.get("share_id"))
                    with suppress(exceptions.ConnectorException):  # another process was faster
                        await app.job_manager.retry_job(job)

    def _carry_out(self, share_id: str) -> None:
        with self._opened.lent() as hub:
            clock = hub.clock

            def told(act: str, system: str, number: int) -> None:
                self.working[share_id] = clock.now()
                self._told(act, system, number)

            self.working[share_id] = clock.now()
            try:
                came = sharing.carry_out(hub, share_id, self._stop, told)
            except Busy:
                # Offered twice, or its last holder is not gone yet: looked at again until it is over.
                came = Came.LEFT
            finally:
                self.working.pop(share_id, None)
            if came is Came.FOREIGN:
                logger("share").warning("share_of_other_rules", share=share_id, message="read the settings again")
                self._opened.replace(hub)
        if came is not Came.DONE:
            raise GivenBack
