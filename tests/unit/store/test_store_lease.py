"""The lease: one holder at a time, freed when its process is killed, with an epoch that only rises."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import pytest
from store_kit import ENTITY, Kit

from hub.kernel.errors import Busy
from hub.store.lease import hold


def _hold_forever(url: str, told: Connection) -> None:
    kit = Kit(url)
    with hold(kit.store, ENTITY, "child") as held:
        told.send(held.epoch)
        threading.Event().wait()


def _holder(kit: Kit) -> tuple[SpawnProcess, int]:
    """Starts a process that takes the lease and keeps it; returns it and its epoch."""
    context = multiprocessing.get_context("spawn")
    told, telling = context.Pipe()
    child = context.Process(target=_hold_forever, args=(kit.url, telling), daemon=True)
    child.start()
    assert told.poll(60), "the other process did not take the lease"
    return child, told.recv()


def _take(kit: Kit) -> int:
    """Takes the lease once it is free; a PostgreSQL backend may need a moment to notice a killed client."""
    deadline = time.monotonic() + (0 if kit.is_sqlite else 120)
    while True:
        try:
            with hold(kit.store, ENTITY, "parent") as held:
                return held.epoch
        except Busy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def test_a_second_process_is_told_to_wait_until_the_first_is_killed(kit: Kit) -> None:
    child, epoch = _holder(kit)
    with pytest.raises(Busy, match="already running"), hold(kit.store, ENTITY, "parent"):
        raise AssertionError("two hold the lease")
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join(30)
    assert _take(kit) == epoch + 1


def test_two_threads_of_one_process_do_not_share_it(kit: Kit) -> None:
    refused: list[str] = []

    def try_it() -> None:
        try:
            with hold(kit.store, ENTITY, "thread"):
                refused.append("no")
        except Busy:
            refused.append("busy")

    with hold(kit.store, ENTITY, "main"):
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join(30)
    assert refused == ["busy"]


def test_two_engines_of_one_process_do_not_share_it(kit: Kit) -> None:
    other = kit.other()
    with hold(kit.store, ENTITY, "one"), pytest.raises(Busy), hold(other.store, ENTITY, "two"):
        raise AssertionError("two hold the lease")
    other.close()


def test_entities_do_not_wait_for_each_other_and_epochs_only_rise(kit: Kit) -> None:
    with hold(kit.store, ENTITY, "one") as customers, hold(kit.store, "complaint", "one") as complaints:
        assert (customers.epoch, complaints.epoch) == (1, 1)
    assert [_take(kit) for _ in range(3)] == [2, 3, 4]


def test_a_failed_cycle_frees_it(kit: Kit) -> None:
    with pytest.raises(ZeroDivisionError), hold(kit.store, ENTITY, "one"):
        _ = 1 / 0
    assert _take(kit) == 2
