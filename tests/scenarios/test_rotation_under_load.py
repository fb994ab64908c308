"""Writers and readers go on while keys are rotated, and the process that rotates is killed again and again.

CRMHUB_ROTATION_SECONDS says how long at least, with more records; by default it is short.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.process
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.keys.rows import Purpose
from hub.operations import keys, rotating
from tests.scenarios.key_lab import KeyLab, acts, everything, fill, make_lab, rotate
from tests.scenarios.key_process import main

SECONDS = float(os.environ.get("CRMHUB_ROTATION_SECONDS", "0"))
RECORDS, KILLS = (12, 2) if not SECONDS else (1500, 10)


# One clean process imports the product once; every other is forked from it.
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.scenarios.key_process"])


def _start(lab: KeyLab, role: str, seed: int, dies_at: str = "") -> multiprocessing.process.BaseProcess:
    process = FORKED.Process(target=main, args=(lab.home, role, seed, dies_at))
    process.start()
    return process


@contextmanager
def _desk(lab: KeyLab) -> Iterator[multiprocessing.process.BaseProcess]:
    started = _start(lab, "desk", 1)
    try:
        yield started
    finally:
        (lab.home / "stop").touch()
        started.join(600)


def _turned(lab: KeyLab) -> bool:
    return all((lab.home / f"turned-{act}").exists() for act in ("write", "read"))


def test_nothing_fails_and_nothing_stays_under_an_old_key(tmp_path: Path, database_url: str) -> None:
    lab, chance = make_lab(tmp_path, database_url), random.Random(5)
    hub = lab.open()
    ids = fill(hub, RECORDS)
    (lab.home / "ids").write_text("\n".join(ids))
    hub.close()
    kills, until = 0, time.monotonic() + SECONDS
    with _desk(lab) as at_work:
        while kills < KILLS or time.monotonic() < until or not _turned(lab):
            # Killed without any clean-up, at one or the other side of some commit of a rotation.
            place = f"{chance.choice(('before', 'after'))}_commit:{chance.randrange(4, 15)}"
            rotator = _start(lab, "rotator", 9, dies_at=place)
            rotator.join(600)
            assert rotator.exitcode == -signal.SIGKILL
            kills += 1
    hub = lab.open()
    assert at_work.exitcode == 0
    assert min(json.loads((lab.home / "ended-desk").read_text()).values()) > 0
    # What the killed one left is taken up where it stopped.
    for purpose in rotating.ROTATED:
        rotate(hub, purpose)
        assert set(rotating.rows_left(hub, purpose).values()) == {0}, purpose
        for old in [row for row in keys.list_keys(hub).keys if (row.purpose, row.state) == (purpose, "active")]:
            keys.retire_key(hub, old.id, "nothing is under it")
    fresh = lab.open()
    assert len(everything(fresh, ids)) == len(everything(hub, ids)) == len(ids) + 5
    assert {row.state for row in keys.list_keys(fresh).keys} == {"primary", "disabled"}
    added = [act for act in acts(fresh) if (act["act"], act["stage"]) == ("key.add", "result")]
    assert len(added) == len(keys.list_keys(fresh).keys) - len(rotating.ROTATED)
    assert Purpose.CANARY not in {row.purpose for row in keys.list_keys(fresh).keys}
    lab.close()
